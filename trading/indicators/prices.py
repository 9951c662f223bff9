"""Adjusted prices of a history, as indicators want them."""

from __future__ import annotations

from typing import NamedTuple

from trading.history import History
from trading.indicators.slices import Floats, Offsets


class Prices(NamedTuple):
    """Forward-adjusted bars of consecutive symbols as flat arrays (L,).

    Prices are raw times ``factor`` (splits and dividends), volume is raw over the split factor, ``turnover``
    is raw close times raw volume. A value in price units divided by ``factor`` of its row is in raw prices
    of that session.
    """

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    turnover: Floats
    factor: Floats
    offsets: Offsets


def adjusted(history: History, first: int = 0, last: int | None = None) -> Prices:
    """Adjusted bars of symbols ``first:last`` of a history, all of them by default."""
    offsets = history.offsets[first : None if last is None else last + 1]
    rows = slice(int(offsets[0]), int(offsets[-1]))
    factor = history.price_factor[rows]
    return Prices(
        open=history.open[rows] * factor,
        high=history.high[rows] * factor,
        low=history.low[rows] * factor,
        close=history.close[rows] * factor,
        volume=history.volume[rows] / history.split_factor[rows],
        turnover=history.close[rows] * history.volume[rows],
        factor=factor,
        offsets=offsets - offsets[0],
    )
