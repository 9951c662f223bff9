"""How much of the capital worked, and how much was traded.

Arrays hold one value a session, shape (T,); NaN is left out.
"""

from __future__ import annotations

import numpy as np

from trading.performance._arrays import SESSIONS_PER_YEAR, Floats, mean, present


def average_exposure(exposure: Floats) -> float:
    """Mean over all sessions of the positions' absolute value over equity; NaN without a session."""
    return mean(present(exposure))


def time_in_market(exposure: Floats) -> float:
    """Share of sessions that closed with an open position; NaN without a session."""
    return mean((present(exposure) != 0.0).astype(np.float64))


def annual_turnover(turnover: Floats, periods: int = SESSIONS_PER_YEAR) -> float:
    """Value bought plus value sold over equity, a year: the mean of a session times ``periods``.

    Selling everything once and buying it back is a turnover of 2.
    """
    return mean(present(turnover)) * periods
