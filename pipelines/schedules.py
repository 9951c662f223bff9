"""The daily schedules: every paper and live book, once a session, after its exchange has closed."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from assets.family import Family
from pipelines.jobs import DAILY
from pipelines.partitions import CALENDAR, DAILY_DESK, DESK, WEEKDAY_DESK, desk_of
from resources.calendar import last_closed_session, session_close, sessions
from resources.desk import DeskResource
from trading.book import BookConfig

EXCHANGE_TIME = "America/New_York"
AFTER_CLOSE = timedelta(minutes=5)
HALF_HOUR = timedelta(minutes=30)
TICKS = ("5 13 * * 1-5", "5 16 * * 1-5")
"""Five minutes after the close of a half day and of a full one; a tick between the two has nothing to do."""


def due_session(at: datetime) -> str | None:
    """Session whose close lies ``AFTER_CLOSE`` before a tick; None when the tick is not the one.

    Parameters
    ----------
    at : datetime
        Time of the tick, aware.
    """
    day = at.astimezone(UTC).date()
    for session, closes_at in sessions(CALENDAR, day, day).select("session", "closes_at").iter_rows():
        if closes_at + AFTER_CLOSE == at:
            return str(session.isoformat())
    return None


def session_closed_before(calendar: str, at: datetime) -> date | None:
    """Session that a tick is for: it closed ``AFTER_CLOSE`` ago, or a tick's length more."""
    session = last_closed_session(calendar, at)
    since = at - AFTER_CLOSE - session_close(calendar, session)
    return session if timedelta(0) <= since < HALF_HOUR else None


def scheduled(books: Mapping[str, BookConfig], family: Family) -> list[BookConfig]:
    """Paper and live books of a family."""
    return [book for book in books.values() if book.mode != "backtest" and desk_of(book.calendar) is family]


def trades_on(book: BookConfig, session: date) -> bool:
    """Whether a session lies between a book's start and its end."""
    return book.start <= session and (book.end is None or session <= book.end)


def run_requests(
    context: dg.ScheduleEvaluationContext, family: Family, due: Mapping[str, date]
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Daily runs of books, each with its session."""
    if not due:
        yield dg.SkipReason("no paper or live book trades this session")
        return
    context.instance.add_dynamic_partitions(str(family.books.name), list(due))
    for book, session in due.items():
        yield dg.RunRequest(
            run_key=f"{book}|{session}",
            partition_key=dg.MultiPartitionKey({"book": book, "session": str(session)}),
            tags={"desk/book": book, "desk/session": str(session)},
        )


@dg.schedule(
    job=DAILY[DESK.prefix],
    cron_schedule=list(TICKS),
    execution_timezone=EXCHANGE_TIME,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="16:05 exchange time, 13:05 on half days, never on holidays: one run a paper or live book.",
)
def after_close(
    context: dg.ScheduleEvaluationContext, desk: DeskResource
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask for the daily run of every paper and live book that trades the session."""
    at = context.scheduled_execution_time.replace(second=0, microsecond=0)
    session = due_session(at)
    if session is None:
        yield dg.SkipReason(f"no session of {CALENDAR} closed at {at - AFTER_CLOSE:%Y-%m-%d %H:%M}")
        return
    day = date.fromisoformat(session)
    books = scheduled(desk.books(), DESK)
    yield from run_requests(context, DESK, {book.name: day for book in books if trades_on(book, day)})


def after_other_closes(family: Family) -> dg.ScheduleDefinition:
    """Schedule of a family of books that keep other hours than the exchange."""

    @dg.schedule(
        name=f"after_close_{family.prefix.removeprefix('desk_')}",
        job=DAILY[family.prefix],
        cron_schedule="5,35 * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Within half an hour of the close of a book's calendar: one run a paper or live book.",
    )
    def build(
        context: dg.ScheduleEvaluationContext, desk: DeskResource
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        at = context.scheduled_execution_time.replace(second=0, microsecond=0)
        due = {}
        for book in scheduled(desk.books(), family):
            session = session_closed_before(book.calendar, at)
            if session is not None and trades_on(book, session):
                due[book.name] = session
        yield from run_requests(context, family, due)

    return build


@dg.schedule(
    job_name="maintenance",
    cron_schedule="30 3 * * 6",
    execution_timezone=EXCHANGE_TIME,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Saturday night: compact, checkpoint and vacuum the lake.",
)
def weekly_upkeep(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Ask for the upkeep of the lake."""
    return dg.RunRequest(run_key=f"upkeep {context.scheduled_execution_time:%Y-%m-%d}")


SCHEDULES = (after_close, after_other_closes(WEEKDAY_DESK), after_other_closes(DAILY_DESK), weekly_upkeep)
