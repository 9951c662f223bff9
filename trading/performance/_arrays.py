"""Shared rules of the measures: which values count, and what an undefined figure is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SESSIONS_PER_YEAR = 252
"""Sessions of an exchange year; books that trade every day of the week pass 365."""

NO_DISPERSION = 1e-14
"""Below this a standard deviation of returns is rounding: a return carries an error of some 1e-16."""


def present(values: Floats) -> Floats:
    """Finite values in their order: NaN and infinities mark sessions without a figure."""
    values = np.asarray(values, dtype=np.float64)
    return values[np.isfinite(values)]


def paired(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """Values of the sessions on which both arrays have one; shapes (T,) and (T,)."""
    first, second = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    both = np.isfinite(first) & np.isfinite(second)
    return first[both], second[both]


def session_rate(annual: float, periods: int) -> float:
    """Rate of one session that compounds to an annual rate over ``periods`` sessions."""
    return float((1.0 + annual) ** (1.0 / periods) - 1.0)


def mean(values: Floats) -> float:
    """Arithmetic mean of an array without NaN; NaN when it is empty."""
    return float(values.mean()) if values.size else np.nan


def deviation(values: Floats) -> float:
    """Sample standard deviation (ddof 1); NaN under two values, 0 when they differ by rounding only."""
    if values.size < 2:
        return np.nan
    spread = float(values.std(ddof=1))
    return 0.0 if spread < NO_DISPERSION else spread


def quotient(numerator: float, denominator: float) -> float:
    """Quotient, or NaN where it is not a finite number."""
    if denominator == 0.0 or not np.isfinite(denominator):
        return np.nan
    return defined(numerator / denominator)


def defined(value: float) -> float:
    """Return the value, or NaN where it is infinite."""
    return float(value) if np.isfinite(value) else np.nan
