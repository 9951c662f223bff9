"""Volume against its own past, and turnover in money."""

from __future__ import annotations

import numpy as np

from trading.indicators.slices import Floats, Offsets
from trading.indicators.trend import simple_moving_average


def volume_ratio(volume: Floats, offsets: Offsets, window: int = 20) -> Floats:
    """Volume over its simple average of ``window`` bars, the bar included.

    NaN on the first ``window - 1`` bars, and where nothing traded in the whole window.
    """
    average = simple_moving_average(volume, offsets, window)
    ratio = np.full(len(volume), np.nan)
    np.divide(volume, average, out=ratio, where=average > 0)
    return ratio


def average_dollar_volume(close: Floats, volume: Floats, offsets: Offsets, window: int = 30) -> Floats:
    """Mean of close times volume over ``window`` bars, in money; raw prices with raw volume.

    NaN on the first ``window - 1`` bars.
    """
    return simple_moving_average(close * volume, offsets, window)
