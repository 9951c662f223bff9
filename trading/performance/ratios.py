"""Return per unit of risk. Arrays, NaN rule and undefined figures are those of ``returns``."""

from __future__ import annotations

import numpy as np

from trading.performance._arrays import (
    SESSIONS_PER_YEAR,
    Floats,
    deviation,
    mean,
    present,
    quotient,
    session_rate,
)
from trading.performance.drawdown import max_drawdown
from trading.performance.returns import annual_return, downside_deviation


def sharpe_ratio(returns: Floats, risk_free: float = 0.0, periods: int = SESSIONS_PER_YEAR) -> float:
    """Mean excess return over its standard deviation (ddof 1), annualised by the square root of time.

    Parameters
    ----------
    risk_free : float
        Annual rate; each session is charged (1 + rate) ^ (1 / periods) - 1.

    Returns
    -------
    float
        NaN under two returns and when returns do not vary. Definition: Sharpe (1994).
    """
    excess = present(returns) - session_rate(risk_free, periods)
    return quotient(mean(excess), deviation(excess)) * float(np.sqrt(periods))


def sortino_ratio(returns: Floats, risk_free: float = 0.0, periods: int = SESSIONS_PER_YEAR) -> float:
    """Mean excess return, annualised by ``periods``, over the annual downside deviation.

    The risk-free rate is the required return; all sessions count in the downside deviation.

    Returns
    -------
    float
        NaN under two returns and when no return falls short. Definition: Sortino and Price (1994).
    """
    counted = present(returns)
    if counted.size < 2:
        return np.nan
    required = session_rate(risk_free, periods)
    return quotient(mean(counted - required) * periods, downside_deviation(counted, required, periods))


def calmar_ratio(returns: Floats, periods: int = SESSIONS_PER_YEAR) -> float:
    """Annual return over the size of the maximum drawdown, both over the whole range.

    Returns
    -------
    float
        NaN without a return, without a drawdown and when more than everything was lost.
    """
    return quotient(annual_return(returns, periods), abs(max_drawdown(returns)))
