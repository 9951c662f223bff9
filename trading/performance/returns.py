"""Growth and dispersion of a series of returns.

Returns are simple returns per session, 0.01 being 1 %, shape (T,). NaN marks a session without a return:
it is left out of every mean and count. A figure that is not defined is NaN; nothing raises.
"""

from __future__ import annotations

import numpy as np

from trading.performance._arrays import SESSIONS_PER_YEAR, Floats, defined, deviation, mean, present


def wealth(returns: Floats) -> Floats:
    """Value of 1 unit after each session, shape (T,); a session without a return leaves it as it was."""
    returns = np.asarray(returns, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.cumprod(1.0 + np.where(np.isfinite(returns), returns, 0.0), dtype=np.float64)


def total_return(returns: Floats) -> float:
    """Compounded return over all sessions.

    Returns
    -------
    float
        Product of (1 + return) less 1; NaN without a return.
    """
    counted = present(returns)
    if not counted.size:
        return np.nan
    with np.errstate(over="ignore", invalid="ignore"):
        return defined(float(np.prod(1.0 + counted)) - 1.0)


def annual_return(returns: Floats, periods: int = SESSIONS_PER_YEAR) -> float:
    """Compound annual growth rate.

    Returns
    -------
    float
        (1 + total return) ^ (periods / sessions) - 1 with the sessions that have a return; NaN without
        one, and NaN when more than everything was lost. A few good sessions annualise to large numbers.
    """
    counted = present(returns)
    growth = total_return(counted) + 1.0
    if not counted.size or not growth >= 0.0:
        return np.nan
    with np.errstate(over="ignore"):
        return defined(float(np.float64(growth) ** (periods / counted.size)) - 1.0)


def annual_volatility(returns: Floats, periods: int = SESSIONS_PER_YEAR) -> float:
    """Standard deviation of returns (ddof 1) times the square root of ``periods``; NaN under two returns."""
    return deviation(present(returns)) * float(np.sqrt(periods))


def downside_deviation(returns: Floats, required: float = 0.0, periods: int = SESSIONS_PER_YEAR) -> float:
    """Annual root mean square of the shortfalls below a required return.

    Parameters
    ----------
    required : float
        Return of one session below which a return is a shortfall. All sessions count in the mean.

    Returns
    -------
    float
        NaN without a return, 0 without a shortfall. Definition: Sortino and Price (1994).
    """
    shortfalls = np.minimum(present(returns) - required, 0.0)
    return float(np.sqrt(mean(np.square(shortfalls)) * periods))


def best_session(returns: Floats) -> float:
    """Highest return of one session; NaN without a return."""
    counted = present(returns)
    return float(counted.max()) if counted.size else np.nan


def worst_session(returns: Floats) -> float:
    """Lowest return of one session; NaN without a return."""
    counted = present(returns)
    return float(counted.min()) if counted.size else np.nan


def positive_sessions(returns: Floats) -> float:
    """Share of the sessions with a return above zero; a return of zero is not positive."""
    return mean((present(returns) > 0.0).astype(np.float64))


def value_at_risk(returns: Floats, tail: float = 0.05) -> float:
    """Return of one session that a share ``tail`` of the sessions falls below.

    Returns
    -------
    float
        Empirical quantile with linear interpolation, negative for a loss; NaN without a return.
    """
    counted = present(returns)
    return float(np.quantile(counted, tail)) if counted.size else np.nan


def expected_shortfall(returns: Floats, tail: float = 0.05) -> float:
    """Mean of the worst sessions.

    Returns
    -------
    float
        Mean of the 1 + floor((sessions - 1) x tail) lowest returns; NaN without a return.
    """
    counted = np.sort(present(returns))
    return mean(counted[: int((counted.size - 1) * tail) + 1])
