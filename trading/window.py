"""Prices of a range of sessions in the units that a book trades in, laid out for the day loop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import isfinite
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading.book import BookConfig
from trading.history import History
from trading.orders import Bar


class Action(NamedTuple):
    """A corporate action as the ledger books it; ``value`` is in the units the book trades in."""

    symbol: str
    action: str
    value: float | None
    pay_date: date | None
    new_symbol: str | None


class Instrument(NamedTuple):
    """What a decision needs to know of an instrument besides its prices."""

    asset_class: str
    sector: str | None
    multiplier: float


class SessionTimes(NamedTuple):
    """When a session opens and closes, and until when an order decided on its close may be sent."""

    session: date
    opens_at: datetime
    closes_at: datetime
    valid_until: datetime


@dataclass(frozen=True)
class PriceWindow:
    """Prices and corporate actions of the sessions to decide.

    Attributes
    ----------
    times : sequence of SessionTimes
        The T sessions of the window.
    columns : mapping
        Symbol to its index below.
    ohlcv : array, shape (T, N, 5)
        Open, high, low, close and volume; nan where a symbol has no bar.
    closes : array, shape (lookback + T, N)
        Closes adjusted for splits and dividends, for correlations; row ``lookback`` is the first session
        of the window.
    ratio : array, shape (T, N)
        Price in the book's units over the raw price; 1 in a raw book.
    actions : mapping
        Session to its corporate actions.
    instruments : mapping
        Symbol to its instrument.
    """

    times: Sequence[SessionTimes]
    columns: Mapping[str, int]
    ohlcv: NDArray[np.float64]
    closes: NDArray[np.float64]
    lookback: int
    ratio: NDArray[np.float64] | None
    actions: Mapping[date, Sequence[Action]]
    instruments: Mapping[str, Instrument]

    def bar(self, index: int, symbol: str) -> Bar | None:
        """Bar of a symbol in the session at ``index``; None without one."""
        column = self.columns.get(symbol)
        if column is None:
            return None
        values = self.ohlcv[index, column].tolist()
        return Bar(*values) if isfinite(values[3]) else None

    def returns(self, index: int, symbol: str, window: int) -> NDArray[np.float64] | None:
        """Daily returns of a symbol up to the session at ``index``, at most ``window``; None if unknown."""
        column = self.columns.get(symbol)
        if column is None:
            return None
        last = self.lookback + index
        closes = self.closes[max(last - window, 0) : last + 1, column]
        return closes[1:] / closes[:-1] - 1.0

    def scale(self, index: int, symbol: str) -> float:
        """Book units per raw unit of a price of the session at ``index``."""
        if self.ratio is None:
            return 1.0
        value = float(self.ratio[index, self.columns[symbol]])
        return value if isfinite(value) else 1.0


def price_window(
    history: History,
    times: Sequence[SessionTimes],
    book: BookConfig,
    actions: pl.DataFrame,
    instruments: Mapping[str, Instrument],
) -> PriceWindow:
    """Lay out the prices of a window of sessions for the day loop.

    Parameters
    ----------
    history : History
        Bars of every symbol; sessions before the window feed the correlation gate.
    times : sequence of SessionTimes
        Consecutive sessions, all of them in ``history.sessions``.
    actions : DataFrame
        Rows of ``corporate_actions``, newest knowledge only. A raw book books all of them, a ``split``
        book all but splits, a ``total_return`` book only delistings.

    Raises
    ------
    ValueError
        When a session of the window is not in the history.
    """
    first, last = _window(history, times)
    start = max(first - book.risk.correlation_window - 1, 0)
    symbol_index = np.repeat(np.arange(len(history.symbols)), np.diff(history.offsets))
    inside = (history.session_index >= start) & (history.session_index <= last)
    rows, cols = history.session_index[inside] - start, symbol_index[inside]
    shape = (last - start + 1, len(history.symbols))
    closes = np.full(shape, np.nan)
    closes[rows, cols] = (history.close * history.price_factor)[inside]

    lookback = first - start
    within = rows >= lookback
    rows, cols = rows[within] - lookback, cols[within]
    ratio = _ratio(history, book)
    picked = None if ratio is None else ratio[inside][within]
    ohlcv = np.full((last - first + 1, len(history.symbols), 5), np.nan)
    for position, values in enumerate((history.open, history.high, history.low, history.close)):
        chosen = values[inside][within]
        ohlcv[rows, cols, position] = chosen if picked is None else chosen * picked
    volume = history.volume[inside][within]
    ohlcv[rows, cols, 4] = volume if picked is None else volume / picked
    dense_ratio = None
    if picked is not None:
        dense_ratio = np.full(ohlcv.shape[:2], np.nan)
        dense_ratio[rows, cols] = picked
    columns = {symbol: index for index, symbol in enumerate(history.symbols)}
    return PriceWindow(
        times=times,
        columns=columns,
        ohlcv=ohlcv,
        closes=closes,
        lookback=lookback,
        ratio=dense_ratio,
        actions=_actions(actions, _previous(history, first), times, book, columns, dense_ratio),
        instruments=instruments,
    )


def _window(history: History, times: Sequence[SessionTimes]) -> tuple[int, int]:
    asked = np.array([t.session for t in times], dtype="datetime64[D]")
    positions = np.searchsorted(history.sessions, asked)
    known = positions < len(history.sessions)
    if not len(asked) or not known.all() or not (history.sessions[positions] == asked).all():
        raise ValueError("the sessions to decide are not all in the price history: ingest them first")
    return int(positions[0]), int(positions[-1])


def _previous(history: History, first: int) -> date:
    """Last date whose corporate actions were booked before the window."""
    before = history.sessions[first - 1] if first else history.sessions[first] - 1
    previous: date = before.astype(object)
    return previous


def _ratio(history: History, book: BookConfig) -> NDArray[np.float64] | None:
    """Forward factor of each bar over that of the book's first bar of the symbol; None in a raw book."""
    if book.prices == "raw":
        return None
    factor = history.split_factor if book.prices == "split" else history.price_factor
    begin = np.searchsorted(history.sessions, np.datetime64(book.start, "D"))
    anchored = np.empty_like(factor)
    for low, high in zip(history.offsets[:-1], history.offsets[1:], strict=True):
        if high > low:
            anchor = min(low + np.searchsorted(history.session_index[low:high], begin), high - 1)
            anchored[low:high] = factor[low:high] / factor[anchor]
    return anchored


BOOKED = {
    "raw": frozenset({"split", "cash_dividend", "special_dividend", "spin_off", "delisting"}),
    "split": frozenset({"cash_dividend", "special_dividend", "spin_off", "delisting"}),
    "total_return": frozenset({"delisting"}),
}


def _actions(
    frame: pl.DataFrame,
    previous: date,
    times: Sequence[SessionTimes],
    book: BookConfig,
    columns: Mapping[str, int],
    ratio: NDArray[np.float64] | None,
) -> dict[date, list[Action]]:
    """Group actions by the session that books them: the first one on or after the ex date."""
    sessions = [t.session for t in times]
    wanted = frame.filter(
        pl.col("action").is_in(list(BOOKED[book.prices])),
        pl.col("ex_date") > previous,
        pl.col("ex_date") <= sessions[-1],
        pl.col("symbol").is_in(list(columns)),
    ).sort("ex_date", "symbol", "action")
    grouped: dict[date, list[Action]] = defaultdict(list)
    ordered = np.array(sessions, dtype="datetime64[D]")
    for row in wanted.iter_rows(named=True):
        index = int(np.searchsorted(ordered, np.datetime64(row["ex_date"], "D")))
        value = row["value"]
        if value is not None and ratio is not None and row["action"] != "spin_off":
            known = ratio[: index + 1, columns[row["symbol"]]]
            known = known[np.isfinite(known)]
            value *= float(known[-1]) if len(known) else 1.0
        grouped[sessions[index]].append(
            Action(row["symbol"], row["action"], value, row["pay_date"], row["new_symbol"])
        )
    return dict(grouped)
