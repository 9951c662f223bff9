"""``desk paper``: a paper book through past sessions; ``desk validate``: a backfill against the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli import context
from pipelines.cli.exits import InputError, MissingError
from pipelines.cli.forms import AsJson

if TYPE_CHECKING:
    from datetime import date

    from assets.validation import Validation
    from trading.book import BookConfig

app = typer.Typer()
paper = typer.Typer(help="A paper book: past sessions at full speed, at a gateway of its own.")

Book = Annotated[str, typer.Argument(metavar="BOOK", help="Name or file of a paper book.")]


@paper.command()
def init(book: Book, as_json: AsJson = False) -> None:
    """Open the book's account at a gateway of its own, with its capital and costs, at its first session."""
    from assets import paper as papers
    from pipelines.cli.output import print_json
    from resources.gateway import process

    config, state = _book(book)
    papers.begin(context.lake(), config, state)
    process.stop(state)
    if as_json:
        print_json({"book": config.name, "state": str(state), "capital": config.capital})
    else:
        typer.echo(f"{config.name}: account of {config.capital:,.2f} {config.currency} in {state}")


@paper.command()
def run(
    book: Book,
    count: Annotated[int | None, typer.Option("--sessions", min=1, help="So many sessions.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Sessions up to this day.")] = None,
    as_json: AsJson = False,
) -> None:
    """Carry a book through the sessions after its last one, every one without options.

    Orders go through the whole order path: approved, reserved, sent, filled by the gateway, booked. A run
    that was interrupted goes on where it stopped.
    """
    from assets import paper as papers
    from pipelines.cli.output import progress
    from pipelines.cli.times import day

    config, state = _book(book)
    lake = context.lake()
    last, left = papers.progressed(lake, config)
    if until is not None:
        left = [session for session in left if session <= day(until)]
    days = left[:count]
    if not days:
        raise MissingError(f"book {config.name}: no session with bars after {last or config.start}")
    with progress(f"{config.name} {days[0]} to {days[-1]}", len(days)) as advance:
        papers.run(lake, context.desk(), config, days, state, lambda session: advance(1, f"{session}"))
    _report(config, days[-1], as_json=as_json)


@paper.command()
def report(book: Book, as_json: AsJson = False) -> None:
    """Report on a book from its first session to its last one."""
    from assets import paper as papers

    config, _ = _book(book)
    last = papers.progressed(context.lake(), config).last
    if last is None:
        raise MissingError(f"book {config.name} has no session yet; run: desk paper run {config.name}")
    _report(config, last, as_json=as_json)


@app.command()
def validate(
    book: Annotated[str, typer.Option("--book", help="Name or file of a book.")],
    count: Annotated[int, typer.Option("--sessions", min=2, help="How many sessions.")] = 30,
    last: Annotated[
        str | None, typer.Option("--last", help="Last of them; else the last one that has bars.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Walk the same sessions by backfill and through the gateway, and compare every row.

    The book begins with its capital on the first of the sessions; nothing is written to the lake. Ends
    with code 1 when anything differs.
    """
    from datetime import date

    from assets import paper as papers
    from assets.validation import last_sessions
    from assets.validation import validate as compare
    from pipelines.cli.output import progress
    from pipelines.cli.times import day

    config = context.book(book)
    lake = context.lake()
    newest = papers.progressed(lake, config)
    held = max([*newest.left, newest.last or date.min])
    until = min(day(last), held) if last else held
    if last and until < config.start <= held:
        raise InputError(f"--last {last} lies before the book's first session, {config.start}")
    if until < config.start:
        raise MissingError(f"book {config.name}: no bars from {config.start} on; run: desk data ingest")
    chosen = last_sessions(config, count, until)
    with progress(f"{config.name} {chosen[0]} to {chosen[-1]}", len(chosen)) as advance:
        found = compare(lake, config, chosen, progress=lambda session: advance(1, f"{session}"))
    _show(found, as_json=as_json)
    if not found.equal:
        raise typer.Exit(1)


def _show(found: Validation, *, as_json: bool) -> None:
    """Print what a validation found."""
    from assets.validation import EXCLUDED
    from pipelines.cli.output import note, print_frame, print_json

    if as_json:
        print_json(_plain(found))
        return
    typer.echo(
        f"{found.book}: {found.sessions} sessions, {found.first} to {found.last}; backfill "
        f"{found.backfill_seconds:.1f} s, gateway {found.gateway_seconds:.1f} s"
    )
    counts = ", ".join(f"{rows} {table.replace('_', ' ')}" for table, rows in found.rows.items())
    typer.echo(f"compared bit by bit: {counts}")
    left_out = ", ".join(f"{table}.{name}" for table, names in EXCLUDED.items() for name in names)
    typer.echo(f"left out, because they belong to the broker: {left_out}")
    if not found.rows["fills"]:
        note("no order was filled in these sessions: that they are equal says little")
    if found.equal:
        typer.echo("equal: orders, fills, positions, trades, portfolio, ends of orders, the broker's account")
        return
    typer.echo(f"{found.differences.height} values differ, the first ones first")
    print_frame(found.differences, 40)


def _plain(found: Validation) -> dict[str, Any]:
    from assets.validation import EXCLUDED

    return {
        "book": found.book,
        "first": found.first,
        "last": found.last,
        "sessions": found.sessions,
        "equal": found.equal,
        "rows": found.rows,
        "left_out": EXCLUDED,
        "differences": found.differences,
        "backfill_seconds": found.backfill_seconds,
        "gateway_seconds": found.gateway_seconds,
    }


def _book(name: str) -> tuple[BookConfig, Path]:
    """A paper book, and the folder of its gateway."""
    from pipelines.cli.gateway import state_folder

    config = context.book(name)
    if config.mode != "paper":
        raise InputError(f'book {config.name} has mode {config.mode}; a paper book has mode = "paper"')
    return config, state_folder() / config.name


def _report(config: BookConfig, last: date, *, as_json: bool) -> None:
    from pipelines.cli.running import show_backtest

    show_backtest(config, config.start, last, "", as_json=as_json)


app.add_typer(paper, name="paper")
