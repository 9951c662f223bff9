"""``desk backtest`` and ``desk run``: books over past years, and one session as the schedule runs it."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli import context
from pipelines.cli.exits import InputError
from pipelines.cli.noise import native_noise_hidden

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import dagster as dg

    from resources.desk import DeskResource
    from trading.book import BookConfig

app = typer.Typer()

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def backtest(
    book: Annotated[str, typer.Option("--book", help="Name or file of the book.")],
    start: Annotated[str | None, typer.Option("--start", help="First session; else the book's.")] = None,
    end: Annotated[str | None, typer.Option("--end", help="Last session; else the book's.")] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the result; else the book's name with the range.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Walk a book through past sessions and print its figures.

    The result is a book of its own, so nothing is overwritten and two results can be compared. Without
    --start, --end and --name the book itself is walked through all its sessions.
    """
    config = derived(context.book(book), start, end, name)
    first, last = sessions_of(config)
    with machinery(config) as (desk, instance):
        from pipelines.cli.output import progress
        from pipelines.runs import market_problems, run_backtest, run_market

        with progress(f"{config.name} {first} to {last}", 2) as advance:
            problems = market_problems(run_market(desk, instance, config.name))
            advance(1, f"{config.name}: walking through {first} to {last}")
            with because(problems):
                result = run_backtest(desk, instance, config.name, first, last)
            advance(1)
    tell(problems)
    show_backtest(config, first, last, result.run_id, as_json=as_json)


@app.command()
def run(
    book: Annotated[str, typer.Option("--book", help="Name of a paper or live book.")],
    session: Annotated[
        str | None, typer.Option("--session", help="Session; else the last one that has closed.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run one session of a book exactly as the schedule does, and print the daily report."""
    config = context.book(book)
    day = _session(config, session)
    with machinery(config, scheduled=True) as (desk, instance):
        from pipelines.runs import market_problems, run_session

        result = run_session(desk, instance, config.name, day)
        problems = market_problems(result)
    tell(problems)
    show_daily(config, day, result.run_id, as_json=as_json)


def derived(book: BookConfig, start: str | None, end: str | None, name: str | None) -> BookConfig:
    """The book of a backtest: the book itself, or one of its own with another range or name.

    Raises
    ------
    InputError
        When the range is empty or lies outside the calendar.
    """
    from pipelines.cli.times import day

    if start is None and end is None and name is None:
        return book
    first = day(start) if start else book.start
    last = day(end) if end else book.end
    if last is not None and last < first:
        raise InputError(f"--end {last} lies before --start {first}")
    named = name or f"{book.name}-{first:%Y%m%d}-{f'{last:%Y%m%d}' if last else 'now'}"
    from pydantic import ValidationError

    from trading.book import BookConfig

    content = book.model_dump(by_alias=True) | {
        "name": named,
        "start": first,
        "end": last,
        "mode": "backtest",
    }
    try:
        return BookConfig.model_validate(content)
    except ValidationError as error:
        raise InputError(f"--name {named}: {error.errors()[0]['msg']}") from None


def sessions_of(book: BookConfig) -> tuple[date, date]:
    """First and last session that a book can be walked through today.

    Raises
    ------
    InputError
        When its calendar has no session in the range, or the range has not closed yet.
    """
    from datetime import UTC, datetime

    from assets.inputs import clipped
    from resources.calendar import last_closed_session

    closed = last_closed_session(book.calendar, datetime.now(UTC))
    window = clipped(book, book.start, min(book.end or closed, closed))
    if window is None:
        until = book.end or "now"
        raise InputError(
            f"{book.start} .. {until}: no session of {book.calendar} lies in this range and has closed "
            f"(the last one that has is {closed})"
        )
    return window


@contextmanager
def machinery(
    book: BookConfig, *, scheduled: bool = False
) -> Iterator[tuple[DeskResource, dg.DagsterInstance]]:
    """The desk's resource and Dagster instance, once it is sure that the book can be run.

    A book without a file in the desk's folder is handed to the run as it is.
    """
    import os

    from delta import TABLES, pin
    from pipelines.cli.ui import dagster_environment

    given = _given(book)
    if scheduled:
        _require_schedule(book)
    pin(context.lake(create=True), TABLES)  # a table of another schema is refused before anything is written
    config = context.desk()
    home = dagster_environment(config)["DAGSTER_HOME"]
    sys.path.insert(0, os.getcwd())  # a user's own strategies

    from pipelines.runs import desk_instance
    from resources.desk import DeskResource

    file = context.config_file()
    with native_noise_hidden(), desk_instance(home) as instance:
        yield DeskResource(config_file=str(file or ""), lake_uri=config.lake, given=given), instance


def _require_schedule(book: BookConfig) -> None:
    """Refuse a book that is not run by session before anything is written for it."""
    from assets.factory import require_mode
    from pipelines.partitions import DESK

    require_mode(book, DESK)


def _given(book: BookConfig) -> dict[str, str]:
    """The book by name, as JSON, unless the desk's folder has it.

    Raises
    ------
    InputError
        The folder has another book of this name.
    """
    from resources.config.books import find_book
    from trading.book import resolved

    kept = find_book(context.books_folder(), book.name, strategies=False)
    if kept is None:
        return {book.name: resolved(book)}
    if kept != book:
        raise InputError(f"{context.books_folder()} has another book named {book.name}; choose another name")
    return {}


@contextmanager
def because(problems: Sequence[str]) -> Iterator[None]:
    """Add what the providers said to an error about missing bars."""
    from assets.inputs import MissingDataError

    try:
        yield
    except MissingDataError as error:
        if not problems:
            raise
        raise MissingDataError(f"{error} ({'; '.join(problems)})") from error


def tell(problems: Sequence[str]) -> None:
    """Say which symbols could not be brought up to date."""
    from pipelines.cli.output import note

    for problem in problems:
        note(f"desk: {problem}")


def _session(book: BookConfig, session: str | None) -> date:
    """Session asked for, or the last one of the book that has closed.

    Raises
    ------
    InputError
        It has not closed yet, or the book does not trade on it.
    CalendarError
        It is no session.
    """
    from pipelines.cli.times import day
    from resources.calendar import is_session, session_close

    first, last = sessions_of(book)
    if session is None:
        return last
    chosen = day(session)
    if not is_session(book.calendar, chosen):
        session_close(book.calendar, chosen)  # names the sessions around it
    if not first <= chosen <= last:
        open_end = book.end is None or chosen <= book.end
        why = "has not closed yet" if chosen > last and open_end else "is none of the book's"
        raise InputError(f"session {chosen} {why}: {book.name} can be run from {first} to {last}")
    return chosen


def show_backtest(book: BookConfig, first: date, last: date, run_id: str, *, as_json: bool) -> None:
    """Print the report of a backtest."""
    from assets import reports
    from delta import pin
    from trading.reporting import to_json, to_text

    made = reports.backtest(pin(context.lake(), reports.BACKTEST_READS), book, first, last)
    if as_json:
        typer.echo(to_json(made, indent=2))
        return
    typer.echo(to_text(made, **terminal()))
    if run_id:
        typer.echo(f"run {run_id}", err=True)


def show_daily(book: BookConfig, session: date, run_id: str = "", *, as_json: bool = False) -> None:
    """Print the daily report of a session."""
    from assets import reports
    from delta import pin
    from trading.reporting import to_json, to_text

    made = reports.daily(pin(context.lake(), reports.READS), book, session)
    if as_json:
        typer.echo(to_json(made, indent=2))
        return
    typer.echo(to_text(made, **terminal()))
    if run_id:
        typer.echo(f"run {run_id}", err=True)


def terminal() -> dict[str, Any]:
    """How to draw for the place that standard output goes to."""
    import os
    import shutil

    tty = sys.stdout.isatty()
    width = min(shutil.get_terminal_size((110, 24)).columns, 130)
    return {"colour": tty and "NO_COLOR" not in os.environ, "width": width, "charts": True}
