"""Reading what a stage works on: histories, calendars and instruments of a book, from pinned versions."""

from __future__ import annotations

from collections import defaultdict
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
from trading.currencies import ConversionError, exchange_rates
from trading.history import History, history_from_frames, newest
from trading.window import Instrument, PriceWindow, SessionTimes, price_window

MARKET_READS = (Bars, CorporateActions, Instruments)
"""Tables that every decision reads."""
AROUND = timedelta(days=14)
"""Days around a range within which every calendar has a session."""


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
    pairs : DataFrame
        ``symbol, quote, closes_at, close`` of the pairs that convert other currencies.
    calendars : mapping
        Calendar of some instrument, other than the book's, to its sessions.
    """

    history: History
    actions: pl.DataFrame
    instruments: Mapping[str, Instrument]
    pairs: pl.DataFrame
    calendars: Mapping[str, pl.DataFrame]


def read_market(pins: Pins, book: BookConfig, last: date) -> MarketFrames:
    """Read the daily bars of a book's universe, from the first one known to a session.

    The whole history is read whatever the window, so that the value of an indicator never depends on how
    a run is cut.

    Raises
    ------
    MissingDataError
        When a symbol of the universe, or the benchmark, has no bar.
    RefusedError
        When an instrument has sessions that the book's calendar does not contain, or is priced in a currency
        that the book does not convert.
    """
    described = newest(pins.read(Instruments).collect(), Instruments.key[:-1])
    actions = standing(pins.read(CorporateActions, where={"ex_date": (None, last)}).collect())
    symbols = _with_parts(universe(book, described), actions)
    wanted = {"timeframe": book.timeframe, "session": (None, last)}
    columns = ["symbol", "session", "open", "high", "low", "close", "volume", "known_at"]
    # Every version of a bar is read: laying them out as a history picks the newest, which is quicker.
    bars = pins.read(Bars, where={"symbol": symbols} | wanted, columns=columns).collect()
    missing = set(_required(book)) - set(bars["symbol"].rle().struct.field("value").unique())
    missing -= _listed_later(pins, missing) - {book.benchmark}
    if missing or bars.is_empty():
        names = ", ".join(sorted(missing)) or "any symbol of its universe"
        raise MissingDataError(
            f"book {book.name}: no {book.timeframe} bars of {names} up to {last}; run: desk data ingest"
        )
    actions = actions.filter(pl.col("symbol").is_in(symbols))
    first_bar: date = bars["session"].min()  # type: ignore[assignment]
    begin = min(first_bar, book.start)
    calendar = sessions(book.calendar, begin, last)
    history = history_from_frames(bars, actions, described, calendar)
    instruments = _instruments(described, symbols)
    return MarketFrames(
        history,
        actions,
        instruments,
        _pairs(pins, book, instruments, described, last),
        _calendars(
            book,
            {symbol: instruments[symbol] for symbol in history.symbols if symbol in instruments},
            begin,
            last,
        ),
    )


def prices_of(market: MarketFrames, book: BookConfig, times: Sequence[SessionTimes]) -> PriceWindow:
    """Prices of a window of sessions for the day loop, with the rates and hours that its symbols need.

    Raises
    ------
    MissingDataError
        When a rate of exchange is not known.
    """
    try:
        rates = exchange_rates(book.conversion, book.currency, market.pairs, times)
    except ConversionError as error:
        raise MissingDataError(f"book {book.name}: {error}") from error
    return price_window(
        market.history,
        times,
        book,
        market.actions,
        market.instruments,
        rates=rates,
        calendars=market.calendars,
    )


def _pairs(
    pins: Pins, book: BookConfig, instruments: Mapping[str, Instrument], described: pl.DataFrame, last: date
) -> pl.DataFrame:
    """Bars of the pairs that convert the currencies of a book's instruments."""
    foreign = {
        one.currency: symbol for symbol, one in instruments.items() if one.currency not in ("", book.currency)
    }
    for currency, symbol in foreign.items():
        if currency not in book.conversion:
            raise RefusedError(
                f"book {book.name}: {symbol} is priced in {currency}, the book is kept in {book.currency}; "
                f'say how to convert: [conversion] {currency} = "PAIR", or a fixed rate'
            )
    names = sorted({by for by in book.conversion.values() if isinstance(by, str)})
    wanted = {"symbol": names, "timeframe": book.timeframe, "session": (None, last)}
    columns = ["symbol", "timeframe", "closes_at", "close", "known_at"]
    bars = pins.read(Bars, where=wanted, columns=columns).collect()
    quotes = described.sort("valid_from").unique("symbol", keep="last").select("symbol", quote="currency")
    return (
        newest(bars, Bars.key[:-1])
        .join(quotes, on="symbol", how="inner")
        .select("symbol", "quote", "closes_at", "close")
    )


def _calendars(
    book: BookConfig, instruments: Mapping[str, Instrument], first: date, last: date
) -> dict[str, pl.DataFrame]:
    """Sessions of the instruments' calendars, other than the book's, some days beyond the range included.

    A book decides at the close of its own session on bars that have closed by then, and what it decides may
    trade at the next open: so each session of an instrument must lie within the book's session of that day.
    """
    names: dict[str, str] = {}
    for symbol, one in instruments.items():
        names.setdefault(one.calendar, symbol)
    own = sessions(book.calendar, first - AROUND, last).select("session", "opens_at", "closes_at")
    found = {}
    for name in [each for each in names if each not in {"", book.calendar}]:
        frame = sessions(name, first - AROUND, last + AROUND)
        beside = frame.filter(pl.col("session").is_between(first, last)).join(
            own, on="session", how="left", suffix="_own"
        )
        outside = beside.filter(
            pl.col("opens_at_own").is_null()
            | (pl.col("opens_at") < pl.col("opens_at_own"))
            | (pl.col("closes_at") > pl.col("closes_at_own"))
        )
        if not outside.is_empty():
            raise RefusedError(
                f"book {book.name}: session {outside['session'][-1]} of {name}, on which {names[name]} "
                f"trades, does not lie within one of {book.calendar}; choose a calendar that contains it, "
                'such as calendar = "24/7"'
            )
        found[name] = frame
    return found


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
    rows = pins.read(Bars, where={"symbol": sorted(symbols)}, columns=["symbol"])
    return set(rows.unique().collect()["symbol"])


def refuse_traded(pins: Pins, book: BookConfig, first: date, last: date) -> None:
    """Refuse sessions whose orders a broker has seen: history that happened is not written again."""
    if book.mode == "backtest":
        return
    placed = (
        pins.read(OrderEvents, where={"book": book.name, "session": (first, last)})
        .filter(pl.col("source") != "simulation")
        .select("session", "source")
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
    calendars: dict[str, list[str]] = defaultdict(list)
    for symbol in market.history.symbols:
        described = market.instruments.get(symbol)
        calendars[described.calendar if described else ""].append(symbol)
    for calendar, symbols in calendars.items():
        days = market.calendars.get(calendar)
        due = last if days is None else days.filter(pl.col("session") <= last)["session"][-1]
        _refuse_stale(pins, book, market, symbols, due)


def _refuse_stale(
    pins: Pins, book: BookConfig, market: MarketFrames, symbols: Sequence[str], last: date
) -> None:
    """Refuse a session that no bar of the symbols of one calendar has reached."""
    history = market.history
    newest_bar: date = history.sessions[
        max(int(history.session_index[history.rows(symbol)][-1]) for symbol in symbols)
    ].astype(object)
    if newest_bar >= last:
        return
    gone = market.actions.filter(pl.col("action") == "delisting")["symbol"]
    alive = sorted({*symbols} - {*gone})
    later = {"symbol": alive, "session": (last + timedelta(days=1), None)}
    if not alive or not pins.read(Bars, where=later, columns=["session"]).head(1).collect().is_empty():
        return
    which = "its universe" if len(symbols) == len(history.symbols) else f"{', '.join(symbols[:5])}"
    raise MissingDataError(
        f"book {book.name}: the newest {book.timeframe} bars of {which} are of {newest_bar}, session "
        f"{last} has none; ingest them (desk data ingest), or end the book at {newest_bar}"
    )


def _instruments(described: pl.DataFrame, symbols: Sequence[str]) -> dict[str, Instrument]:
    latest = described.filter(pl.col("symbol").is_in(symbols)).sort("valid_from")
    return {
        symbol: Instrument(*described)
        for symbol, *described in latest.select("symbol", *Instrument._fields).iter_rows()
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
