"""The daily schedule: every paper and live book, once a session, after the exchange has closed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from pipelines.jobs import daily
from pipelines.partitions import CALENDAR, SCHEDULED_BOOKS
from resources.calendar import sessions
from resources.desk import DeskResource

EXCHANGE_TIME = "America/New_York"
AFTER_CLOSE = timedelta(minutes=5)
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


@dg.schedule(
    job=daily,
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
    day = datetime.fromisoformat(session).date()
    due = [
        book
        for book in desk.books().values()
        if book.mode != "backtest" and book.start <= day and (book.end is None or day <= book.end)
    ]
    if not due:
        yield dg.SkipReason("no paper or live book trades this session")
        return
    context.instance.add_dynamic_partitions(str(SCHEDULED_BOOKS.name), [book.name for book in due])
    for book in due:
        yield dg.RunRequest(
            run_key=f"{book.name}|{session}",
            partition_key=dg.MultiPartitionKey({"book": book.name, "session": session}),
            tags={"desk/book": book.name, "desk/session": session},
        )


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


SCHEDULES = (after_close, weekly_upkeep)
