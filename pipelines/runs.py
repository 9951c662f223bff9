"""Running a job now, in this process: what the command line, the demonstration and the tests do.

The run is an ordinary Dagster run on the desk's instance: the page shows it with its lineage.
"""

from __future__ import annotations

import os
from datetime import date
from typing import Any

import dagster as dg

from assets.factory import BOOK_TAG
from assets.family import RANGE_END, RANGE_START
from pipelines.definitions import defs
from pipelines.partitions import BACKTEST_BOOKS, SCHEDULED_BOOKS
from resources.desk import DeskResource


class RunFailedError(RuntimeError):
    """A run that ended in failure: the step, what it said, and the run's id."""


QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Run configuration of a run whose log is not shown; the page has it all the same."""


def run_market(desk: DeskResource, instance: dg.DagsterInstance, book: str) -> dg.ExecuteInProcessResult:
    """Fetch the market data of a book that the lake does not have yet."""
    return _execute("ingest", desk, instance, tags={BOOK_TAG: book})


def run_backtest(
    desk: DeskResource, instance: dg.DagsterInstance, book: str, first: date, last: date
) -> dg.ExecuteInProcessResult:
    """Walk a book through its years in one run; the book's own start and end hold within them."""
    instance.add_dynamic_partitions(str(BACKTEST_BOOKS.name), [book])
    tags = {RANGE_START: f"{book}|{first.year}", RANGE_END: f"{book}|{last.year}", "desk/book": book}
    return _execute("backtest", desk, instance, tags=tags)


def run_session(
    desk: DeskResource, instance: dg.DagsterInstance, book: str, session: date
) -> dg.ExecuteInProcessResult:
    """Run one session of a paper or live book exactly as the schedule does."""
    instance.add_dynamic_partitions(str(SCHEDULED_BOOKS.name), [book])
    key = str(dg.MultiPartitionKey({"book": book, "session": session.isoformat()}))
    tags = {"desk/book": book, "desk/session": session.isoformat()}
    return _execute("daily", desk, instance, partition_key=key, tags=tags)


def desk_instance(home: str) -> dg.DagsterInstance:
    """Dagster instance of the desk's home folder."""
    os.environ["DAGSTER_HOME"] = os.path.abspath(home)
    return dg.DagsterInstance.get()


def _execute(
    job: str, desk: DeskResource, instance: dg.DagsterInstance, **arguments: Any
) -> dg.ExecuteInProcessResult:
    result = defs.resolve_job_def(job).execute_in_process(
        instance=instance, resources={"desk": desk}, run_config=QUIET, raise_on_error=False, **arguments
    )
    if not result.success:
        raise RunFailedError(f"run {result.run_id} of {job} failed: {failure(result)}")
    return result


def failure(result: dg.ExecuteInProcessResult) -> str:
    """What the first failed step of a run said, in one line."""
    for event in result.all_events:
        if event.event_type_value == "STEP_FAILURE":
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            said = " ".join(error.message.split()) if error is not None else "no error was recorded"
            return f"{event.step_key}: {said}"
    return "no step failed; see the run's log"
