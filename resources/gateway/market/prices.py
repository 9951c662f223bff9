"""The price feed: bars of the desk, by symbol and time."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from resources.gateway.wire.times import EXCHANGE_ZONE
from trading.orders import Bar
from trading.resampling import SPANS

SESSION_LENGTH = timedelta(hours=6, minutes=30)


class Hours(NamedTuple):
    """When a session is open, in UTC."""

    opens_at: datetime
    closes_at: datetime

    @property
    def middle(self) -> datetime:
        """Half way through."""
        return self.opens_at + (self.closes_at - self.opens_at) / 2


class TimedBar(NamedTuple):
    """A bar, the end of its interval and its session."""

    closes_at: datetime
    session: date
    bar: Bar


class Tape:
    """Bars that were given to the gateway; more are asked of the loader when a symbol is first needed.

    Parameters
    ----------
    loader : callable, optional
        Rows of the bars table of symbols.
    hours : callable, optional
        Opening times by session.
    actions : callable, optional
        Rows of the corporate actions table.
    changed : callable, optional
        Whether any of it has changed since the last call; else it is all asked for again.
    """

    def __init__(
        self,
        loader: Callable[[Sequence[str]], Iterable[Mapping[str, Any]]] | None = None,
        hours: Callable[[], Mapping[date, Hours]] | None = None,
        actions: Callable[[], Iterable[Mapping[str, Any]]] | None = None,
        changed: Callable[[], bool] = lambda: True,
    ) -> None:
        self._loader = loader
        self._hours_loader = hours
        self._bars: dict[tuple[str, str], list[TimedBar]] = defaultdict(list)
        self._loaded: set[str] = set()
        self._hours: dict[date, Hours] = {}
        self._actions_loader = actions
        self._changed = changed
        self._actions: list[Mapping[str, Any]] = []
        self.generation = 0
        self.refresh()

    @property
    def live(self) -> bool:
        """Whether the bars come from where more of them may arrive at any time."""
        return self._loader is not None

    def refresh(self) -> None:
        """Ask the loader again for what is needed from now on: the lake may have more."""
        if not self._changed():
            return
        self.generation += 1
        self._loaded.clear()
        if self._hours_loader is not None:
            self._hours.update(self._hours_loader())
        if self._actions_loader is not None:
            self._actions = list(self._actions_loader())

    def need(self, symbols: Iterable[str]) -> None:
        """Load the bars of symbols at once."""
        missing = [symbol for symbol in symbols if symbol not in self._loaded]
        if self._loader is not None and missing:
            self._loaded.update(missing)
            self.add(self._loader(missing))

    def add(self, rows: Iterable[Mapping[str, Any]]) -> int:
        """Add bars from rows of the bars table; a later row of the same bar replaces it."""
        count = 0
        changed = set()
        for row in rows:
            key = (str(row["symbol"]), str(row.get("timeframe") or "1d"))
            self._bars[key].append(_timed(row))
            changed.add(key)
            count += 1
        for key in changed:
            newest = {entry.closes_at: entry for entry in self._bars[key]}
            self._bars[key] = sorted(newest.values())
        return count

    def add_actions(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add corporate actions; dates may be given as text."""
        for row in rows:
            dates = {name: _day(row.get(name)) for name in ("ex_date", "pay_date")}
            self._actions.append({**row, **dates})

    def actions(self, session: date) -> list[Mapping[str, Any]]:
        """Corporate actions whose ex date is a session."""
        return [row for row in self._actions if row["ex_date"] == session]

    def action_days(self, after: date, until: date) -> list[date]:
        """Ex dates after a day, up to another."""
        return sorted({row["ex_date"] for row in self._actions if after < row["ex_date"] <= until})

    def finest(self, symbol: str, first: datetime, last: datetime) -> list[tuple[datetime, TimedBar]]:
        """Start and bar of what a symbol traded after a time, of each session the finest bars there are."""
        found: dict[date, list[tuple[datetime, TimedBar]]] = {}
        for timeframe in (name for name in self.timeframes(symbol) if name != "1w"):
            length = timedelta(days=1) if timeframe == "1d" else SPANS[timeframe]
            for entry in self.bars(symbol, timeframe, first, last):
                starts = entry.closes_at - length
                if timeframe == "1d":
                    starts = self.hours(entry.session, [symbol]).opens_at
                same = found.setdefault(entry.session, [])
                if not same or starts >= same[-1][1].closes_at:
                    same.append((starts, entry))
        return sorted(pair for pairs in found.values() for pair in pairs)

    def actions_since(self, symbol: str, session: date, until: date) -> list[Mapping[str, Any]]:
        """Corporate actions of a symbol after a session, up to a day."""
        return [row for row in self._actions if row["symbol"] == symbol and session < row["ex_date"] <= until]

    def close_before(self, symbol: str, day: date) -> float | None:
        """Last daily close before a day."""
        found = [entry.bar.close for entry in self._of(symbol, "1d") if entry.session < day]
        return found[-1] if found else None

    def add_hours(self, session: date, hours: Hours) -> None:
        """Opening times of a session."""
        self._hours[session] = hours

    def bar(self, symbol: str, session: date) -> Bar | None:
        """Daily bar of a session."""
        found = [entry for entry in self._of(symbol, "1d") if entry.session == session]
        return found[-1].bar if found else None

    def bars(self, symbol: str, timeframe: str, first: datetime, last: datetime) -> list[TimedBar]:
        """Bars that close after ``first`` and not after ``last``."""
        entries = self._of(symbol, timeframe)
        times = [entry.closes_at for entry in entries]
        return entries[bisect.bisect_right(times, first) : bisect.bisect_right(times, last)]

    def last_close(self, symbol: str, until: datetime) -> TimedBar | None:
        """Last bar of any timeframe that closed by a time."""
        found = [
            entries[-1]
            for timeframe in SPANS
            if (entries := self.bars(symbol, timeframe, datetime.min.replace(tzinfo=UTC), until))
        ]
        return max(found) if found else None

    def timeframes(self, symbol: str) -> list[str]:
        """Timeframes that a symbol has bars of, finest first."""
        self._of(symbol, "1d")
        return [timeframe for timeframe in SPANS if self._bars.get((symbol, timeframe))]

    def hours(self, session: date, symbols: Iterable[str]) -> Hours:
        """When a session is open: as given, else as its bars close."""
        if session in self._hours:
            return self._hours[session]
        closes = [
            entry.closes_at
            for symbol in symbols
            for entry in self._of(symbol, "1d")
            if entry.session == session
        ]
        close = max(closes, default=datetime(session.year, session.month, session.day, 21, tzinfo=UTC))
        return Hours(close - SESSION_LENGTH, close)

    def session_of(self, day: date) -> Hours | None:
        """Hours of a day: as given; beyond the calendar those of a weekday; None where it is closed."""
        if day in self._hours:
            return self._hours[day]
        if day.weekday() >= 5 or (self._hours and min(self._hours) <= day <= max(self._hours)):
            return None
        zone = ZoneInfo(EXCHANGE_ZONE)
        opens, closes = (datetime.combine(day, at, zone).astimezone(UTC) for at in (time(9, 30), time(16)))
        return Hours(opens, closes)

    def sessions(self, symbols: Iterable[str], after: date | None, until: date) -> list[date]:
        """Sessions of the calendar, and those with bars of any of the symbols."""
        found = {entry.session for symbol in symbols for entry in self._of(symbol, "1d")} | set(self._hours)
        return sorted(day for day in found if day <= until and (after is None or day > after))

    def _of(self, symbol: str, timeframe: str) -> list[TimedBar]:
        self.need([symbol])
        return self._bars.get((symbol, timeframe), [])


def _day(value: object) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else value if isinstance(value, date) else None


def _timed(row: Mapping[str, Any]) -> TimedBar:
    closes_at, session = row.get("closes_at"), row.get("session")
    if isinstance(session, str):
        session = date.fromisoformat(session)
    if isinstance(closes_at, str):
        closes_at = datetime.fromisoformat(closes_at)
    if closes_at is None and session is not None:
        closes_at = datetime(session.year, session.month, session.day, 21, tzinfo=UTC)
    if not isinstance(closes_at, datetime):
        raise ValueError(f"bar of {row.get('symbol')} names neither closes_at nor session")
    if closes_at.tzinfo is None:
        closes_at = closes_at.replace(tzinfo=UTC)
    bar = Bar(*(float(row[name]) for name in ("open", "high", "low", "close", "volume")))
    return TimedBar(closes_at, session if isinstance(session, date) else closes_at.date(), bar)
