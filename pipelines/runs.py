"""Running a job now, in this process: what the command line, the demonstration and the tests do.

The run is an ordinary Dagster run on the desk's instance: the page shows it with its lineage.
"""

from __future__ import annotations

import os
import uuid
from datetime import date
from typing import Any

import dagster as dg

from assets.factory import BOOK_TAG
from assets.family import RANGE_END, RANGE_START
from pipelines.definitions import defs
from pipelines.interrupts import interrupts_kept
from pipelines.jobs import DAILY
from pipelines.partitions import BACKTEST_BOOKS, desk_of
from resources.desk import DeskResource


class RunFailedError(RuntimeError):
    """A run that ended in a way that is no error of Python: the run's id, and what was said."""


QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Run configuration of a run whose log is not shown; the page has it all the same."""


def run_market(desk: DeskResource, instance: dg.DagsterInstance, book: str) -> dg.ExecuteInProcessResult:
    """Fetch the market data of a book that the lake does not have yet."""
    return _execute("ingest", desk, instance, tags={BOOK_TAG: book, "desk/book": book})


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
    family = desk_of(desk.book(book).calendar)
    instance.add_dynamic_partitions(str(family.books.name), [book])
    key = str(dg.MultiPartitionKey({"book": book, "session": session.isoformat()}))
    tags = {"desk/book": book, "desk/session": session.isoformat()}
    return _execute(DAILY[family.prefix].name, desk, instance, partition_key=key, tags=tags)


def market_problems(result: dg.ExecuteInProcessResult) -> list[str]:
    """What the providers said of the symbols that a run could not bring up to date, a line each."""
    found = (
        event.materialization.metadata.get("problems")
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey(["market", "bars"])
    )
    texts = (str(each.value) for each in found if each is not None)
    return [line.removeprefix("- ") for text in texts for line in text.splitlines()]


def desk_instance(home: str) -> dg.DagsterInstance:
    """Dagster instance of the desk's home folder."""
    os.environ["DAGSTER_HOME"] = os.path.abspath(home)
    return dg.DagsterInstance.get()


def _execute(
    job: str, desk: DeskResource, instance: dg.DagsterInstance, **arguments: Any
) -> dg.ExecuteInProcessResult:
    """Run a job; what its failed step raised is raised here, as it was, with a note that names the run."""
    run_id = str(uuid.uuid4())
    try:
        with interrupts_kept():
            return defs.resolve_job_def(job).execute_in_process(
                instance=instance, resources={"desk": desk}, run_config=QUIET, run_id=run_id, **arguments
            )
    except (Exception, KeyboardInterrupt) as error:
        error.add_note(f"in run {run_id} of {job}")
        raise
    except BaseException as error:  # a panic in a library's native code is no Exception
        said = " ".join(str(error).split())
        raise RunFailedError(f"run {run_id} of {job} failed: {type(error).__name__}: {said}") from error
