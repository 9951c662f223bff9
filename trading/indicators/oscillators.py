"""Momentum oscillators and rates of change."""

from __future__ import annotations

from trading.indicators._talib import talib
from trading.indicators.slices import Floats, Offsets, per_symbol


def relative_strength_index(values: Floats, offsets: Offsets, window: int = 14) -> Floats:
    """Wilder's index, 0..100; NaN on the first ``window`` bars, 0 for a series that never moved. [1]_

    References
    ----------
    .. [1] J. W. Wilder, New Concepts in Technical Trading Systems, 1978.
    """
    return per_symbol(lambda series: talib.RSI(series, window), offsets, values)


def rate_of_change(values: Floats, offsets: Offsets, window: int) -> Floats:
    """Change over ``window`` bars in percent; NaN on the first ``window``."""
    return per_symbol(lambda series: talib.ROC(series, window), offsets, values)
