"""The indicator columns that the momentum rules read."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading import indicators
from trading.history import History
from trading.indicators import Prices
from trading.strategies.momentum.parameters import IndicatorParameters

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Rows = NDArray[np.int64]


class Features(NamedTuple):
    """One value a bar; NaN where it is not known yet.

    Averages, range, channel and ``close`` are in forward-adjusted units: divide by ``factor`` for raw
    prices of the bar's session. ``*_before`` is the average ``slope`` bars earlier; ``dollar_volume`` and
    ``raw_close`` are money; ``bars`` counts the symbol's bars so far.
    """

    close: Floats
    factor: Floats
    raw_close: Floats
    sma_short: Floats
    sma_short_before: Floats
    sma_medium: Floats
    sma_medium_before: Floats
    sma_long: Floats
    rsi: Floats
    histogram: Floats
    atr: Floats
    rate_of_change: Floats
    prior_high: Floats
    prior_low: Floats
    volume_ratio: Floats
    dollar_volume: Floats
    bars: Floats

    def take(self, rows: Rows) -> Features:
        """Features of some rows."""
        return Features(*(column[rows] for column in self))


def features(history: History, windows: IndicatorParameters, first: int, last: int) -> Features:
    """Compute the columns for symbols ``first:last`` of a history."""
    prices = indicators.adjusted(history, first, last)
    offsets, close = prices.offsets, prices.close
    rows = slice(int(history.offsets[first]), int(history.offsets[last]))
    raw_close = history.close[rows]
    short = indicators.simple_moving_average(close, offsets, windows.sma_short)
    medium = indicators.simple_moving_average(close, offsets, windows.sma_medium)
    return Features(
        close=close,
        factor=prices.factor,
        raw_close=raw_close,
        sma_short=short,
        sma_short_before=indicators.earlier(short, offsets, windows.slope),
        sma_medium=medium,
        sma_medium_before=indicators.earlier(medium, offsets, windows.slope),
        sma_long=indicators.simple_moving_average(close, offsets, windows.sma_long),
        rsi=indicators.relative_strength_index(close, offsets, windows.rsi),
        histogram=_histogram(prices, windows),
        atr=indicators.average_true_range(prices.high, prices.low, close, offsets, windows.atr),
        rate_of_change=indicators.rate_of_change(close, offsets, windows.roc_short),
        prior_high=indicators.prior_high(prices.high, offsets, windows.channel),
        prior_low=indicators.prior_low(prices.low, offsets, windows.channel),
        volume_ratio=indicators.volume_ratio(prices.volume, offsets, windows.volume),
        dollar_volume=indicators.simple_moving_average(prices.turnover, offsets, windows.dollar_volume),
        bars=indicators.ordinal(offsets).astype(np.float64),
    )


def _histogram(prices: Prices, windows: IndicatorParameters) -> Floats:
    return indicators.moving_average_convergence_divergence(
        prices.close, prices.offsets, windows.ema_fast, windows.ema_slow, windows.macd_signal
    )[2]
