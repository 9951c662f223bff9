"""Which range of which symbol has to be fetched: what the lake does not know, plus a short overlap.

The overlap brings corrections of the latest sessions to light. A symbol whose known bars begin later than
asked is asked for the missing beginning as well, unless its listing explains it.

Daily and weekly bars are one stretch: what lies between the known ones and a range apart from them is asked
for, too, so that their first and last session tell all. Bars within the day may be known in pieces: their
sessions are looked up one by one, and those without a bar are asked for, each stretch by one request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache

import polars as pl

from delta.contracts import Bars, Instruments
from delta.lake import Lake
from delta.reading import read
from resources.calendar import previous_session, session_close, sessions, usual_calendar
from resources.providers.base import Provider, Request
from trading.history import newest

OVERLAP = 10
"""Sessions that are fetched again to see corrections."""
RECENT = timedelta(days=45)
"""How far back the latest bars of a symbol are looked for before its whole past is."""
SLACK = timedelta(days=14)
"""How much later than asked a history may begin and still count as complete."""
WHOLE = ("1d", "1w")
"""Timeframes whose bars are kept without a hole: a range far from the known ones is asked for up to them."""
ASKED = "ingest"
"""Source of instruments that no provider described; they are valid from the first day asked for."""


class IngestError(RuntimeError):
    """Nothing could be ingested: what, where and what to do in one line."""


class OpenSessionError(IngestError):
    """A session was asked for that has not closed yet."""


@dataclass(frozen=True)
class Known:
    """What the lake knows of a symbol's bars of one timeframe.

    Attributes
    ----------
    sessions : frozenset of date
        Sessions of the range asked for that have bars; looked up only where there may be holes.
    """

    first: date
    last: date
    sessions: frozenset[date] = frozenset()


def known_instruments(lake: Lake, symbols: Iterable[str]) -> pl.DataFrame:
    """Newest versions of the instruments of some symbols."""
    rows = read(lake, Instruments, where=pl.col("symbol").is_in(list(symbols))).collect()
    return newest(rows, ("symbol", "valid_from"))


def supposed_class(provider: Provider, request: Request) -> str:
    """Asset class of symbols that nobody has described: as it was asked, else the provider's only one."""
    classes = provider.capabilities.asset_classes
    return request.asset_class or (classes[0] if len(classes) == 1 else "stock")


def calendars(
    provider: Provider, request: Request, instruments: pl.DataFrame, symbols: Iterable[str]
) -> dict[str, str]:
    """Calendar of every symbol: as the lake knows it, else the usual one of its supposed asset class."""
    known = dict(instruments.select("symbol", "calendar").iter_rows())
    usual = usual_calendar(supposed_class(provider, request))
    return {symbol: known.get(symbol, usual) for symbol in symbols}


def last_closed(calendar: str, last: date, now: datetime) -> tuple[date, bool]:
    """Last session up to a day that has closed, and whether it is the last one of the range at all."""
    session = previous_session(calendar, last + timedelta(days=1))
    newest_asked = session
    while session_close(calendar, session) > now:
        session = previous_session(calendar, min(session, now.date() + timedelta(days=2)))
    return session, session == newest_asked


def refuse_open_sessions(request: Request, chosen: Mapping[str, str], now: datetime) -> dict[str, date]:
    """Last closed session of every calendar in use.

    Raises
    ------
    OpenSessionError
        When the last session asked for has closed on none of the calendars.
    """
    found = {name: last_closed(name, request.last, now) for name in sorted(set(chosen.values()))}
    if not any(closed for _, closed in found.values()):
        name, (session, _) = next(iter(found.items()))
        unclosed = previous_session(name, request.last + timedelta(days=1))
        raise OpenSessionError(
            f"session {unclosed} of {name} closes at {session_close(name, unclosed):%Y-%m-%d %H:%M} UTC "
            f"and it is {now:%Y-%m-%d %H:%M}; ask up to {session}"
        )
    return {name: session for name, (session, _) in found.items()}


def coverage(lake: Lake, symbols: Iterable[str], timeframe: str, first: date, last: date) -> dict[str, Known]:
    """First and last session known of each symbol; symbols without bars are left out.

    The recent past and the beginning of the range are read first; statistics prune the rest. Only symbols
    that are not found there cost a look at their whole past, and bars within the day always do.
    """
    names = list(symbols)
    if timeframe not in WHOLE:
        return _pieces_known(lake, names, timeframe, first, last)
    tail = _extent(lake, names, timeframe, pl.col("session").is_between(last - RECENT, last))
    late = [name for name in names if name in tail and tail[name].first > first + SLACK]
    head = _extent(lake, late, timeframe, pl.col("session").is_between(first, first + SLACK))
    found = {name: Known(head.get(name, have).first, have.last) for name, have in tail.items()}
    rest = [name for name in names if name not in tail or (name in late and name not in head)]
    return found | _extent(lake, rest, timeframe, pl.lit(value=True))


def requests(
    request: Request,
    chosen: Mapping[str, str],
    last_sessions: Mapping[str, date],
    known: Mapping[str, Known],
    instruments: pl.DataFrame,
    *,
    refetch: bool,
) -> list[Request]:
    """Requests of one symbol each, in the order of the symbols."""
    planned: list[Request] = []
    final = _final(instruments)
    for symbol in dict.fromkeys(request.symbols):
        last = last_sessions[chosen[symbol]]
        have = known.get(symbol)
        if have is None or refetch:
            spans = [(request.first, last)]
        elif request.timeframe in WHOLE:
            begin = _overlap(chosen[symbol], have.last, last)
            spans = [(begin if request.first > have.last else max(request.first, begin), last)]
            late = have.first > request.first + SLACK
            if late and not _explained(symbol, have, request.first, instruments):
                end = have.first - timedelta(days=1)
                spans = [(request.first, end), *(span for span in spans if span[0] > end)]
        else:
            explained = _explained(symbol, have, request.first, instruments)
            spans = _pieces(chosen[symbol], have, request.first, last, explained=explained)
        end_of_listing = final.get(symbol, date.max)
        if have is not None and have.last > end_of_listing:
            # Its own bars say that the listing went on: what told the end was out of date.
            end_of_listing = date.max
        planned.extend(
            replace(request, symbols=(symbol,), first=start, last=end)
            for start, end in spans
            if start <= end and (start <= end_of_listing or have is None)
        )
    return planned


@lru_cache(maxsize=256)
def _overlap(calendar: str, known_last: date, last: date) -> date:
    """First session of the overlap."""
    back = timedelta(days=OVERLAP * 2 + 10)
    known = sessions(calendar, known_last - back, min(known_last, last))["session"]
    return known[-OVERLAP] if len(known) >= OVERLAP else known_last


def _explained(symbol: str, have: Known, first: date, instruments: pl.DataFrame) -> bool:
    """Whether the listing explains that bars begin later than asked, or they were asked for before."""
    periods = instruments.filter(pl.col("symbol") == symbol)
    if periods.is_empty():
        return False
    start = periods["valid_from"].sort()[0]
    if (periods["source"] == ASKED).any():
        return bool(first >= start)
    return bool(have.first <= start + SLACK)


def _pieces(
    calendar: str, have: Known, first: date, last: date, *, explained: bool
) -> list[tuple[date, date]]:
    """Stretches of sessions without bars, and the overlap; those close to each other are one."""
    days = sessions(calendar, first, last)["session"].to_list()
    begin = _overlap(calendar, have.last, last)
    places = [
        place
        for place, day in enumerate(days)
        if day >= begin or (day not in have.sessions and (day > have.first or not explained))
    ]
    spans: list[tuple[int, int]] = []
    for place in places:
        if spans and place - spans[-1][1] <= OVERLAP:
            spans[-1] = spans[-1][0], place
        else:
            spans.append((place, place))
    return [(days[start], days[end]) for start, end in spans]


def _final(instruments: pl.DataFrame) -> dict[str, date]:
    """Last session of the delisted instruments."""
    periods = instruments.group_by("symbol").agg(
        pl.col("valid_to").max(), lasts=pl.col("valid_to").is_null().any()
    )
    return dict(periods.filter(pl.col("lasts").not_()).select("symbol", "valid_to").iter_rows())


def _extent(lake: Lake, symbols: list[str], timeframe: str, where: pl.Expr) -> dict[str, Known]:
    wanted = (pl.col("timeframe") == timeframe) & pl.col("symbol").is_in(symbols) & where
    if not symbols:
        return {}
    rows = (
        read(lake, Bars, where=wanted, columns=["symbol", "session"])
        .group_by("symbol")
        .agg(first=pl.col("session").min(), last=pl.col("session").max())
        .collect()
    )
    return {symbol: Known(first, last) for symbol, first, last in rows.iter_rows()}


def _pieces_known(
    lake: Lake, symbols: list[str], timeframe: str, first: date, last: date
) -> dict[str, Known]:
    """What is known of bars that may have holes: their extent, and the sessions of a range that have any."""
    wanted = (pl.col("timeframe") == timeframe) & pl.col("symbol").is_in(symbols)
    day = pl.col("session")
    rows = (
        read(lake, Bars, where=wanted, columns=["symbol", "session"])
        .unique()
        .group_by("symbol")
        .agg(first=day.min(), last=day.max(), days=day.filter(day.is_between(first, last)))
        .collect()
    )
    return {name: Known(begin, end, frozenset(days)) for name, begin, end, days in rows.iter_rows()}
