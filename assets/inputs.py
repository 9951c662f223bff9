"""Reading what a stage works on: histories, calendars and instruments of a book, from pinned versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple

import polars as pl

from delta import Pins
from delta.contracts import Bars, CorporateActions, Instruments, OrderEvents
from resources.calendar import next_session, sessions
from trading.book import BookConfig
from trading.corporate_actions import standing
from trading.history import History, history_from_frames, newest
from trading.window import Instrument, SessionTimes

MARKET_READS = (Bars, CorporateActions, Instruments)
"""Tables that every decision reads."""


class MissingDataError(RuntimeError):
    """The lake does not hold what a stage needs; the message says what to ingest."""


class RefusedError(RuntimeError):
    """A run that must not be repeated or started; the message says why and what to do."""


class MarketFrames(NamedTuple):
    """Market data of a book's universe up to a session.

    Attributes
    ----------
    actions : DataFrame
        Newest knowledge of ``corporate_actions``, without what was withdrawn.
    instruments : mapping
        Symbol to its description.
    """

    history: History
    actions: pl.DataFrame
    instruments: Mapping[str, Instrument]


def read_market(pins: Pins, book: BookConfig, last: date) -> MarketFrames:
    """Read the daily bars of a book's universe, from the first one known to a session.

    The whole history is read whatever the window, so that the value of an indicator never depends on how
    a run is cut.

    Raises
    ------
    MissingDataError
        When a symbol of the universe, or the benchmark, has no bar.
    """
    described = newest(pins.read(Instruments).collect(), Instruments.key[:-1])
    actions = standing(pins.read(CorporateActions, where=pl.col("ex_date") <= last).collect())
    symbols = _with_parts(universe(book, described), actions)
    wanted = (pl.col("timeframe") == book.timeframe) & (pl.col("session") <= last)
    columns = ["symbol", "session", "open", "high", "low", "close", "volume", "known_at"]
    # Every version of a bar is read: laying them out as a history picks the newest, which is quicker.
    bars = pins.read(Bars, where=wanted & pl.col("symbol").is_in(symbols), columns=columns).collect()
    missing = set(_required(book)) - set(bars["symbol"].unique())
    missing -= _listed_later(pins, missing) - {book.benchmark}
    if missing or bars.is_empty():
        names = ", ".join(sorted(missing)) or "any symbol of its universe"
        raise MissingDataError(
            f"book {book.name}: no {book.timeframe} bars of {names} up to {last}; run: desk data ingest"
        )
    actions = actions.filter(pl.col("symbol").is_in(symbols))
    begin = min(bars["session"].min(), book.start)  # type: ignore[type-var]
    calendar = sessions(book.calendar, begin, last)  # type: ignore[arg-type]
    history = history_from_frames(bars, actions, described, calendar)
    return MarketFrames(history, actions, _instruments(described, symbols))


def universe(book: BookConfig, described: pl.DataFrame) -> list[str]:
    """Symbols that a book reads: its universe and its benchmark.

    Parameters
    ----------
    described : DataFrame
        Rows of ``instruments``; they name the universe when the book names no symbols.
    """
    if book.universe.symbols:
        chosen = set(book.universe.symbols)
    else:
        classes = list(book.universe.asset_classes)
        chosen = set(described.filter(pl.col("asset_class").is_in(classes))["symbol"])
    if book.benchmark:
        chosen.add(book.benchmark)
    return sorted(chosen)


def _with_parts(symbols: list[str], actions: pl.DataFrame) -> list[str]:
    """Symbols and what they have spun off: it is held and valued although nobody asked to trade it."""
    parts = actions.filter(pl.col("action") == "spin_off", pl.col("symbol").is_in(symbols))["new_symbol"]
    return sorted({*symbols, *parts.drop_nulls()})


def _required(book: BookConfig) -> list[str]:
    return [*book.universe.symbols, *([book.benchmark] if book.benchmark else [])]


def _listed_later(pins: Pins, symbols: set[str]) -> set[str]:
    """Symbols without bars up to a session that have some after it: they were not listed yet."""
    if not symbols:
        return set()
    rows = pins.read(Bars, where=pl.col("symbol").is_in(sorted(symbols)), columns=["symbol"])
    return set(rows.unique().collect()["symbol"])


def refuse_traded(pins: Pins, book: BookConfig, first: date, last: date) -> None:
    """Refuse sessions whose orders a broker has seen: history that happened is not written again."""
    if book.mode == "backtest":
        return
    here = (pl.col("book") == book.name) & pl.col("session").is_between(first, last)
    placed = (
        pins.read(OrderEvents, where=here & (pl.col("source") != "simulation"), columns=["session", "source"])
        .head(1)
        .collect()
    )
    if not placed.is_empty():
        raise RefusedError(
            f"book {book.name}: orders of session {placed['session'][0]} have been placed "
            f"({placed['source'][0]}); a traded session is not run again"
        )


def refuse_stale(pins: Pins, book: BookConfig, market: MarketFrames, last: date) -> None:
    """Refuse a session that no bar of the universe has reached yet: nothing is decided on stale data.

    Sessions without bars between others are no reason, nor is a universe that was delisted.
    """
    history = market.history
    newest_bar: date = history.sessions[history.session_index.max()].astype(object)
    if newest_bar >= last:
        return
    gone = market.actions.filter(pl.col("action") == "delisting")["symbol"]
    alive = sorted({*history.symbols} - {*gone})
    later = pl.col("symbol").is_in(alive) & (pl.col("session") > last)
    if not alive or not pins.read(Bars, where=later, columns=["session"]).head(1).collect().is_empty():
        return
    raise MissingDataError(
        f"book {book.name}: the newest {book.timeframe} bars of its universe are of {newest_bar}, session "
        f"{last} has none; ingest them (desk data ingest), or end the book at {newest_bar}"
    )


def _instruments(described: pl.DataFrame, symbols: Sequence[str]) -> dict[str, Instrument]:
    latest = described.filter(pl.col("symbol").is_in(symbols)).sort("valid_from")
    return {
        symbol: Instrument(asset_class, sector, multiplier)
        for symbol, asset_class, sector, multiplier in latest.select(
            "symbol", "asset_class", "sector", "multiplier"
        ).iter_rows()
    }


def session_times(calendar: str, first: date, last: date) -> list[SessionTimes]:
    """Sessions of a range with their times; an order decided on a close may be sent until the next close."""
    after = next_session(calendar, last)
    frame = sessions(calendar, first, after)
    rows = list(frame.select("session", "opens_at", "closes_at").iter_rows())
    return [
        SessionTimes(session, opens_at, closes_at, following[2])
        for (session, opens_at, closes_at), following in pairwise(rows)
        if session <= last
    ]


def clipped(book: BookConfig, first: date, last: date) -> tuple[date, date] | None:
    """Range of sessions that a book trades within a range of days; None when there is none."""
    first = max(first, book.start)
    last = min(last, book.end) if book.end else last
    if last < first:
        return None
    inside = sessions(book.calendar, first, last)["session"]
    return (inside[0], inside[-1]) if len(inside) else None


def replaced_range(book: BookConfig, first: date, last: date) -> tuple[date, date]:
    """Sessions that a run over ``first`` to ``last`` replaces.

    A backtest that begins with the book's first session, or ends with its last, also clears what a run with
    an earlier start or a later end has left there.
    """
    if book.mode != "backtest":
        return first, last
    whole = clipped(book, date.min, book.end) if book.end else None
    begins = day_before(book, first) is None
    ends = whole is not None and whole[1] == last
    return (date.min if begins else first), (date.max if ends else last)


def day_before(book: BookConfig, first: date) -> date | None:
    """Session before ``first`` in which the book was already trading; None on its first session."""
    earlier = sessions(book.calendar, book.start, first - timedelta(days=1))["session"]
    return earlier[-1] if len(earlier) else None
