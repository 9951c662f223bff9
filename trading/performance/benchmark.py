"""A book against a benchmark. Both arrays have shape (T,), session by session.

A session on which either has no return (NaN) is left out of both. A figure that is not defined is NaN.
"""

from __future__ import annotations

import numpy as np

from trading.performance._arrays import (
    SESSIONS_PER_YEAR,
    Floats,
    defined,
    deviation,
    mean,
    paired,
    quotient,
    session_rate,
)


def beta(returns: Floats, benchmark: Floats) -> float:
    """Slope of the regression of the book on the benchmark: covariance over variance.

    Returns
    -------
    float
        The same with and without a constant risk-free rate. NaN under two sessions and when the
        benchmark does not vary.
    """
    own, other = paired(returns, benchmark)
    if deviation(other) == 0.0 or own.size < 2:
        return np.nan
    centred = other - other.mean()
    return quotient(float(centred @ own), float(centred @ centred))


def alpha(
    returns: Floats, benchmark: Floats, risk_free: float = 0.0, periods: int = SESSIONS_PER_YEAR
) -> float:
    """Return that the benchmark does not explain, compounded to a year.

    Parameters
    ----------
    risk_free : float
        Annual rate, charged to both.

    Returns
    -------
    float
        (1 + mean of excess return - beta x benchmark's excess return) ^ periods - 1. Definition:
        Jensen (1968). NaN where beta is, and where more than everything is lost in a session: that does not
        compound.
    """
    own, other = paired(returns, benchmark)
    rate = session_rate(risk_free, periods)
    unexplained = mean((own - rate) - beta(own, other) * (other - rate))
    if not unexplained > -1.0:
        return np.nan
    with np.errstate(over="ignore"):
        return defined(float(np.float64(1.0 + unexplained) ** periods) - 1.0)


def correlation(returns: Floats, benchmark: Floats) -> float:
    """Pearson correlation of returns; NaN under two sessions and when either does not vary."""
    own, other = paired(returns, benchmark)
    if own.size < 2 or deviation(own) == 0.0 or deviation(other) == 0.0:
        return np.nan
    return defined(float(np.clip(np.corrcoef(own, other)[0, 1], -1.0, 1.0)))


def tracking_error(returns: Floats, benchmark: Floats, periods: int = SESSIONS_PER_YEAR) -> float:
    """Annual standard deviation (ddof 1) of the return above the benchmark; NaN under two sessions."""
    own, other = paired(returns, benchmark)
    return deviation(own - other) * float(np.sqrt(periods))


def information_ratio(returns: Floats, benchmark: Floats, periods: int = SESSIONS_PER_YEAR) -> float:
    """Mean return above the benchmark over its standard deviation (ddof 1), annualised.

    Returns
    -------
    float
        NaN under two sessions and when the difference does not vary. Definition: Goodwin (1998).
    """
    own, other = paired(returns, benchmark)
    active = own - other
    return quotient(mean(active), deviation(active)) * float(np.sqrt(periods))
