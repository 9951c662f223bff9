"""Highest and lowest values of the bars before the current one."""

from __future__ import annotations

from trading.indicators._talib import talib
from trading.indicators.slices import Floats, Offsets, earlier, per_symbol


def prior_high(high: Floats, offsets: Offsets, window: int) -> Floats:
    """Highest value of the ``window`` bars before each bar, the bar itself excluded.

    NaN on the first ``window`` bars.
    """
    if window == 1:
        return earlier(high, offsets, 1)
    return earlier(per_symbol(lambda series: talib.MAX(series, window), offsets, high), offsets, 1)


def prior_low(low: Floats, offsets: Offsets, window: int) -> Floats:
    """Lowest value of the ``window`` bars before each bar, the bar itself excluded.

    NaN on the first ``window`` bars.
    """
    if window == 1:
        return earlier(low, offsets, 1)
    return earlier(per_symbol(lambda series: talib.MIN(series, window), offsets, low), offsets, 1)
