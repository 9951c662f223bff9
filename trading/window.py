"""Prices of a range of sessions in the units that a book trades in, laid out for the day loop."""

from __future__ import annotations

from bisect import bisect_right
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
    """What a decision needs to know of an instrument besides its prices.

    Attributes
    ----------
    multiplier : float
        Units of the underlying in one contract.
    currency, calendar : str
        Currency of its prices and calendar of its sessions; empty: the book's.
    """

    asset_class: str
    sector: str | None
    multiplier: float
    currency: str = ""
    calendar: str = ""


class SessionTimes(NamedTuple):
    """When a session opens and closes, and until when an order decided on its close may be sent."""

    session: date
    opens_at: datetime
    closes_at: datetime
    valid_until: datetime


class Hours(NamedTuple):
    """Sessions of another calendar than the book's, beside the book's T sessions of a window.

    Attributes
    ----------
    last : sequence of date
        Last session of the calendar on or before each session of the book.
    valid_until : sequence of datetime
        Close of the first session of the calendar that ends after each session of the book: until then an
        order decided on that session's close may be sent.
    """

    last: Sequence[date]
    valid_until: Sequence[datetime]


class Rates(NamedTuple):
    """Units of the book's currency for one unit of another; arrays over the T sessions of a window.

    Attributes
    ----------
    opening : array, shape (T,)
        Known when the session opens: what is traded and paid in the session is converted with it.
    closing : array, shape (T,)
        Known when it closes: what is held, and what trades at the close, is converted with it.
    """

    opening: NDArray[np.float64]
    closing: NDArray[np.float64]


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
        Open, high, low, close and volume; nan where a symbol has no bar. Foreign exchange that is quoted
        without volume has an infinite one.
    closes : array, shape (lookback + T, N)
        Closes adjusted for splits and dividends, for correlations; row ``lookback`` is the first session
        of the window.
    ratio : array, shape (T, N)
        Price in the book's units over the raw price; 1 in a raw book.
    actions : mapping
        Session to its corporate actions.
    instruments : mapping
        Symbol to its instrument.
    rates : mapping
        Currency to its rates; the book's own has none.
    hours : mapping
        Calendar to its sessions, of instruments on another calendar than the book's.
    common : array, shape (lookback + T,), optional
        Rows of ``closes`` on which every calendar has a session; None: all.
    """

    times: Sequence[SessionTimes]
    columns: Mapping[str, int]
    ohlcv: NDArray[np.float64]
    closes: NDArray[np.float64]
    lookback: int
    ratio: NDArray[np.float64] | None
    actions: Mapping[date, Sequence[Action]]
    instruments: Mapping[str, Instrument]
    rates: Mapping[str, Rates]
    hours: Mapping[str, Hours]
    common: NDArray[np.bool_] | None = None

    def bar(self, index: int, symbol: str) -> Bar | None:
        """Bar of a symbol in the session at ``index``; None without one."""
        column = self.columns.get(symbol)
        if column is None:
            return None
        values = self.ohlcv[index, column].tolist()
        return Bar(*values) if isfinite(values[3]) else None

    def returns(self, index: int, symbol: str, window: int) -> NDArray[np.float64] | None:
        """Daily returns of a symbol up to the session at ``index``, at most ``window``; None if unknown.

        Where the book has several calendars they are between the sessions that all of them have, so that a
        stock's Friday to Monday stands beside the same three days of a currency.
        """
        column = self.columns.get(symbol)
        if column is None:
            return None
        last = self.lookback + index
        if self.common is None:
            closes = self.closes[max(last - window, 0) : last + 1, column]
        else:
            closes = self.closes[: last + 1, column][self.common[: last + 1]][-window - 1 :]
        return closes[1:] / closes[:-1] - 1.0

    def trades(self, index: int, symbol: str) -> bool:
        """Whether the exchange of a symbol has a session at ``index``."""
        hours = self._hours(symbol)
        return hours is None or hours.last[index] == self.times[index].session

    def last_session(self, index: int, symbol: str) -> date:
        """Last session of a symbol's exchange on or before the session at ``index``."""
        hours = self._hours(symbol)
        return self.times[index].session if hours is None else hours.last[index]

    def valid_until(self, index: int, symbol: str) -> datetime:
        """Until when an order decided on the close of the session at ``index`` may be sent."""
        hours = self._hours(symbol)
        return self.times[index].valid_until if hours is None else hours.valid_until[index]

    def rate(self, index: int, symbol: str, *, opening: bool = False) -> float:
        """Units of the book's currency for one of a symbol's, at the close of a session or at its open."""
        instrument = self.instruments.get(symbol)
        rates = self.rates.get(instrument.currency) if instrument else None
        if rates is None:
            return 1.0
        return float((rates.opening if opening else rates.closing)[index])

    def currency(self, symbol: str) -> str:
        """Currency of a symbol's prices; empty where it is the book's."""
        instrument = self.instruments.get(symbol)
        return instrument.currency if instrument else ""

    def _hours(self, symbol: str) -> Hours | None:
        if not self.hours:
            return None
        instrument = self.instruments.get(symbol)
        return self.hours.get(instrument.calendar) if instrument else None

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
    *,
    rates: Mapping[str, Rates] | None = None,
    calendars: Mapping[str, pl.DataFrame] | None = None,
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
    rates : mapping, optional
        Other currency to its rates over the window, see :func:`trading.currencies.exchange_rates`.
    calendars : mapping, optional
        Other calendar than the book's to its sessions (``session, closes_at``), from the first session of
        the history to the one after the window.

    Raises
    ------
    ValueError
        When a session of the window is not in the history.
    """
    first, last = _window(history, times)
    common = _common(history, calendars or {})
    start = _lookback(common, first, book.risk.correlation_window + 1)
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
    _without_volume(ohlcv[:, :, 4], history)
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
        rates=rates or {},
        hours={name: _beside(frame, times) for name, frame in (calendars or {}).items()},
        common=None if common is None else common[start : last + 1],
    )


def _without_volume(volume: NDArray[np.float64], history: History) -> None:
    """Let a quote of foreign exchange, which carries no volume, limit no fill."""
    quoted = np.array([asset_class == "fx" for asset_class in history.asset_class], dtype=bool)
    volume[:, quoted] = np.where(volume[:, quoted] == 0.0, np.inf, volume[:, quoted])


def _common(history: History, calendars: Mapping[str, pl.DataFrame]) -> NDArray[np.bool_] | None:
    """Sessions of the history that every calendar has; None where the book's is the only one."""
    if not calendars:
        return None
    common = np.ones(len(history.sessions), dtype=bool)
    for frame in calendars.values():
        common &= np.isin(history.sessions, frame["session"].to_numpy().astype("datetime64[D]"))
    return common


def _lookback(common: NDArray[np.bool_] | None, first: int, count: int) -> int:
    """First of the ``count`` common sessions before the one at ``first``."""
    if common is None:
        return max(first - count, 0)
    before = np.flatnonzero(common[:first])
    return int(before[-count]) if len(before) >= count else 0


def _beside(frame: pl.DataFrame, times: Sequence[SessionTimes]) -> Hours:
    """A calendar's sessions beside the sessions of a book."""
    days, closes = frame["session"].to_list(), frame["closes_at"].to_list()
    return Hours(
        [days[bisect_right(days, t.session) - 1] for t in times],
        [closes[bisect_right(closes, t.closes_at)] for t in times],
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
