"""Moving averages and what is made of them."""

from __future__ import annotations

from trading.indicators._talib import talib
from trading.indicators.slices import Floats, Offsets, per_symbol, per_symbol_three


def simple_moving_average(values: Floats, offsets: Offsets, window: int) -> Floats:
    """Mean of the last ``window`` bars, in the unit of the values; NaN on the first ``window - 1``."""
    if window == 1:
        return values.copy()
    return per_symbol(lambda series: talib.SMA(series, window), offsets, values)


def linear_regression_slope(values: Floats, offsets: Offsets, window: int) -> Floats:
    """Slope per bar of the line through the last ``window`` bars; NaN on the first ``window - 1``."""
    return per_symbol(lambda series: talib.LINEARREG_SLOPE(series, window), offsets, values)


def exponential_moving_average(values: Floats, offsets: Offsets, window: int) -> Floats:
    """Average with weight ``2 / (window + 1)`` on the newest bar, seeded with the first simple average.

    NaN on the first ``window - 1`` bars. The seed fades: after 10 windows it weighs less than 3e-9.
    """
    if window == 1:
        return values.copy()
    return per_symbol(lambda series: talib.EMA(series, window), offsets, values)


def moving_average_convergence_divergence(
    values: Floats, offsets: Offsets, fast: int = 12, slow: int = 26, signal: int = 9
) -> tuple[Floats, Floats, Floats]:
    """Fast minus slow exponential average, its own average, and the difference of the two.

    Returns
    -------
    line, signal, histogram : arrays (L,)
        In the unit of the values; all NaN on the first ``slow + signal - 2`` bars. Both averages start on
        the bar on which the slow one does (TA-Lib's convention).
    """
    return per_symbol_three(lambda series: talib.MACD(series, fast, slow, signal), offsets, values)
