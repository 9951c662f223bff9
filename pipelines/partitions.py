"""Partitions: books by session for the schedule, books by year for backtests.

Dagster writes an event for every asset and partition, so a partition costs what it costs to write a few
rows into its event log: sessions for what happens once a day, years for what runs over decades.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import dagster as dg

from assets.family import Family
from resources.calendar import ALL_DAY, STOCKS, sessions

CALENDAR = STOCKS
"""Calendar whose holidays the partitions of ``desk`` leave out."""
FIRST_SESSION = date(2000, 1, 3)
FIRST_DAY = date(2010, 1, 1)
"""First day of books that trade every day; crypto has no older prices."""
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


def _days(first: date, cron_schedule: str) -> dg.TimeWindowPartitionsDefinition:
    return dg.TimeWindowPartitionsDefinition(
        start=datetime(first.year, first.month, first.day, tzinfo=UTC),
        fmt="%Y-%m-%d",
        cron_schedule=cron_schedule,
        end_offset=1,
    )


YEARS = dg.TimeWindowPartitionsDefinition(
    start=datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), fmt="%Y", cron_schedule="0 0 1 1 *", end_offset=1
)
SESSIONS = session_partitions(datetime.now(UTC).date())
WEEKDAYS = _days(FIRST_SESSION, "0 0 * * 1-5")
DAYS = _days(FIRST_DAY, "0 0 * * *")


def _scheduled(prefix: str, books: str, times: dg.TimeWindowPartitionsDefinition) -> Family:
    named = dg.DynamicPartitionsDefinition(name=books)
    both = dg.MultiPartitionsDefinition({"book": named, "session": times})
    return Family(prefix, both, named, time="session", scheduled=True)


DESK = _scheduled("desk", "books", SESSIONS)
WEEKDAY_DESK = _scheduled("desk_weekdays", "weekday_books", WEEKDAYS)
DAILY_DESK = _scheduled("desk_every_day", "every_day_books", DAYS)
DESKS = (DESK, WEEKDAY_DESK, DAILY_DESK)

BACKTEST_BOOKS = dg.DynamicPartitionsDefinition(name="backtest_books")
BACKTEST = Family(
    "backtest",
    dg.MultiPartitionsDefinition({"book": BACKTEST_BOOKS, "year": YEARS}),
    BACKTEST_BOOKS,
    time="year",
    scheduled=False,
)
FAMILIES = (*DESKS, BACKTEST)


def desk_of(calendar: str) -> Family:
    """Family that holds the scheduled books of a calendar.

    Its partitions are the sessions of the exchange, every day, or every weekday: the first that fits. On a
    weekday that is no session of the calendar a book has nothing to do.
    """
    return {CALENDAR: DESK, ALL_DAY: DAILY_DESK}.get(calendar, WEEKDAY_DESK)
