"""Partitions: books by session for the schedule, books by year for backtests.

Dagster writes an event for every asset and partition, so a partition costs what it costs to write a few
rows into its event log: sessions for what happens once a day, years for what runs over decades.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import dagster as dg

from assets.family import Family
from resources.calendar import sessions

CALENDAR = "XNYS"
"""Calendar of the session partitions; a book on another calendar runs on the sessions of this one."""
FIRST_SESSION = date(2000, 1, 3)
FIRST_YEAR = 1990
HORIZON = timedelta(days=800)
"""How far ahead holidays are known; the code location is loaded far more often than that."""


def holidays(first: date, last: date) -> list[datetime]:
    """Weekdays on which the exchange stays closed."""
    open_days = set(sessions(CALENDAR, first, last)["session"])
    days = (first + timedelta(days=offset) for offset in range((last - first).days + 1))
    return [
        datetime(day.year, day.month, day.day, tzinfo=UTC)
        for day in days
        if day.weekday() < 5 and day not in open_days
    ]


def session_partitions(today: date) -> dg.TimeWindowPartitionsDefinition:
    """One partition a session, today's included; the partition before is the session before."""
    return dg.TimeWindowPartitionsDefinition(
        start=datetime(FIRST_SESSION.year, FIRST_SESSION.month, FIRST_SESSION.day, tzinfo=UTC),
        fmt="%Y-%m-%d",
        cron_schedule="0 0 * * 1-5",
        end_offset=1,
        exclusions=holidays(FIRST_SESSION, today + HORIZON),
    )


YEARS = dg.TimeWindowPartitionsDefinition(
    start=datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), fmt="%Y", cron_schedule="0 0 1 1 *", end_offset=1
)
SESSIONS = session_partitions(datetime.now(UTC).date())

SCHEDULED_BOOKS = dg.DynamicPartitionsDefinition(name="books")
BACKTEST_BOOKS = dg.DynamicPartitionsDefinition(name="backtest_books")

DESK = Family(
    "desk",
    dg.MultiPartitionsDefinition({"book": SCHEDULED_BOOKS, "session": SESSIONS}),
    time="session",
    scheduled=True,
)
BACKTEST = Family(
    "backtest",
    dg.MultiPartitionsDefinition({"book": BACKTEST_BOOKS, "year": YEARS}),
    time="year",
    scheduled=False,
)
FAMILIES = (DESK, BACKTEST)
