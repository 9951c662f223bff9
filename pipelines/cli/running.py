"""``desk backtest`` and ``desk run``: books over past years, and one session as the schedule runs it."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli import context
from pipelines.cli.exits import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    with machinery(config) as (desk, instance):
        from pipelines.cli.output import progress
        from pipelines.runs import run_backtest, run_market

        first, last = sessions_of(config)
        with progress(f"{config.name} {first} to {last}", 2) as advance:
            run_market(desk, instance, config.name)
            advance(1, f"{config.name}: walking through {first} to {last}")
            result = run_backtest(desk, instance, config.name, first, last)
            advance(1)
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
    with machinery(config) as (desk, instance):
        from pipelines.runs import run_session

        day = _session(config, session, desk)
        result = run_session(desk, instance, config.name, day)
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
def machinery(book: BookConfig) -> Iterator[tuple[DeskResource, dg.DagsterInstance]]:
    """The desk's resource and Dagster instance; a book without a file is known to the lake meanwhile."""
    import os

    from assets.desk import remember_book
    from pipelines.cli.ui import dagster_environment
    from pipelines.runs import desk_instance
    from resources.desk import DeskResource

    config = context.desk()
    home = dagster_environment(config)["DAGSTER_HOME"]
    file = context.config_file()
    desk = DeskResource(config_file=str(file or ""), lake_uri=config.lake)
    sys.path.insert(0, os.getcwd())  # a user's own strategies
    if book.name not in context.books():
        remember_book(desk.lake(), book, "desk backtest")
    with desk_instance(home) as instance:
        yield desk, instance


def _session(book: BookConfig, session: str | None, desk: DeskResource) -> date:
    from pipelines.cli.times import day
    from resources.calendar import is_session, last_closed_session, session_close

    closed = last_closed_session(book.calendar, desk.now())
    if session is None:
        return min(book.end, closed) if book.end else closed
    chosen = day(session)
    if not is_session(book.calendar, chosen):
        session_close(book.calendar, chosen)  # names the sessions around it
    if chosen > closed:
        raise InputError(f"session {chosen} has not closed yet; the last one that has is {closed}")
    return chosen


def show_backtest(book: BookConfig, first: date, last: date, run_id: str, *, as_json: bool) -> None:
    """Print the report of a backtest."""
    from assets import reports
    from assets.inputs import MARKET_READS
    from delta import pin
    from trading.reporting import to_json, to_text

    pins = pin(context.lake(), [*reports.READS, *MARKET_READS])
    made = reports.backtest(pins, book, first, last)
    if as_json:
        typer.echo(to_json(made, indent=2))
        return
    typer.echo(to_text(made, **terminal()))
    typer.echo(f"run {run_id}", err=True)


def show_daily(book: BookConfig, session: date, run_id: str = "", *, as_json: bool = False) -> None:
    """Print the daily report of a session."""
    from assets import reports
    from assets.inputs import MARKET_READS
    from delta import pin
    from trading.reporting import to_json, to_text

    made = reports.daily(pin(context.lake(), [*reports.READS, *MARKET_READS]), book, session)
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
