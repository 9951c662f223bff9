"""What a market that is always open makes of bars and corporate actions that arrive in the lake."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from resources.gateway.account.corporate import apply_actions
from resources.gateway.account.reporting import begin_day
from resources.gateway.market.clock import SimulatedClock
from resources.gateway.market.prices import Hours
from resources.gateway.orders.moving import end_day, stretch
from resources.gateway.service.hub import Hub
from resources.gateway.wire.times import EXCHANGE_ZONE
from trading.orders import Bar

LATE = timedelta(days=7)
"""How long after its ex date a corporate action that becomes known is still booked."""
_LONGEST = 30
"""Days without a session after which the calendar is at its end."""


def follow(hub: Hub) -> None:
    """Book what the lake has learned since the last call: corporate actions, then bars, then ends of days.

    Bars of before the first call are the past: nothing is filled by them.
    """
    broker = hub.broker
    now = broker.clock.now()
    if broker.last_session is None:
        _begin(hub, now)
    hub.refresh()
    _book_actions(hub, now)
    for symbol in _trade(hub, now):
        hub.price_changed(symbol)
    for session in _sessions(hub, broker.last_session, now):
        if not _over(hub, session, now):
            break
        end_day(broker, session, _hours(hub, session).closes_at)
        begin_day(broker)
        broker.finish_session(session)


def _begin(hub: Hub, now: datetime) -> None:
    """Begin with the session that closed last: its actions, and those before, are past."""
    today = _today(now)
    closed = [day for day in _sessions(hub, today - timedelta(days=_LONGEST), now) if _closed(hub, day, now)]
    hub.broker.finish_session(closed[-1] if closed else today - timedelta(days=1))
    for day in hub.tape.action_days(today - LATE, today):
        for row in hub.tape.actions(day):
            hub.broker.book_once(_name(row))


def _book_actions(hub: Hub, now: datetime) -> None:
    today = _today(now)
    days = {*hub.tape.action_days(today - LATE, today), today}
    for day in sorted(days):
        opens_at = _hours(hub, day).opens_at
        new = [row for row in hub.tape.actions(day) if hub.broker.book_once(_name(row))]
        apply_actions(hub.broker, new, day, opens_at)


def _trade(hub: Hub, now: datetime) -> list[str]:
    """Work the orders through the bars that have arrived; symbols whose price changed."""
    broker, tape = hub.broker, hub.tape
    symbols = hub.concerned()
    state = (tape.generation, symbols, now if isinstance(broker.clock, SimulatedClock) else None)
    if state == hub.followed:
        return []
    hub.followed = state
    tape.need(symbols)
    stretches: dict[tuple[datetime, datetime, date], dict[str, Bar]] = defaultdict(dict)
    seen: dict[str, datetime] = {}
    for symbol in symbols:
        since = broker.seen.get(symbol)
        if since is None:
            last = tape.last_close(symbol, now)
            seen[symbol] = last.closes_at if last else now
            hub.price_of(symbol)
            continue
        for starts, entry in tape.finest(symbol, since, now):
            stretches[entry.closes_at, starts, entry.session][symbol] = entry.bar
            seen[symbol] = entry.closes_at
    for (closes, starts, session), bars in sorted(stretches.items(), key=lambda pair: pair[0]):
        stretch(broker, session, bars, Hours(starts, closes), _hours(hub, session).opens_at)
    if seen:
        broker.see(seen)
    return [symbol for bars in stretches.values() for symbol in bars]


def _over(hub: Hub, session: date, now: datetime) -> bool:
    """Whether a session has closed and its bars have come, or will not come any more."""
    closes_at = _hours(hub, session).closes_at
    if not _closed(hub, session, now):
        return False
    concerned = [hub.broker.seen[name] for name in hub.concerned() if name in hub.broker.seen]
    arrived = not concerned or any(at >= closes_at for at in concerned)
    return arrived or bool(_sessions(hub, session, now))


def _closed(hub: Hub, session: date, now: datetime) -> bool:
    return _hours(hub, session).closes_at <= now


def _sessions(hub: Hub, after: date | None, until: datetime) -> list[date]:
    """Sessions after a day that have opened by a time."""
    first = after or until.date()
    days: Iterable[date] = (first + timedelta(days=n) for n in range(1, (until.date() - first).days + 1))
    found = ((day, hub.tape.session_of(day)) for day in days)
    return [day for day, hours in found if hours is not None and hours.opens_at <= until]


def _hours(hub: Hub, session: date) -> Hours:
    return hub.tape.session_of(session) or hub.tape.hours(session, [])


def _today(now: datetime) -> date:
    return now.astimezone(ZoneInfo(EXCHANGE_ZONE)).date()


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['symbol']} {row['ex_date']} {row['action']}"
