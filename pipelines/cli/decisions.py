"""``desk explain``, ``desk replay`` and ``desk report``: answers about what was decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli import context
from pipelines.cli.exits import Exit, InputError

if TYPE_CHECKING:
    from datetime import date

    from assets.explain import Explanation
    from assets.replay import Replay
    from delta import Pins
    from trading.book import BookConfig

app = typer.Typer()

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def explain(
    order_ref: Annotated[str, typer.Argument(help="Reference of an order, or its beginning.")],
    as_json: AsJson = False,
) -> None:
    """Explain an order: gates, signal, candidate, indicators, bars, with versions, runs and files."""
    from assets.explain import explain as explained
    from pipelines.cli.output import print_json

    found = explained(context.lake(), order_ref)
    if as_json:
        print_json(vars(found))
    else:
        _print_explanation(found)


@app.command()
def replay(
    book: Annotated[str, typer.Argument(help="Name of the book.")],
    session: Annotated[str, typer.Argument(help="Session to decide again.")],
    as_json: AsJson = False,
) -> None:
    """Decide a session again from the versions it saw; exit code 1 when a row differs."""
    from assets.replay import replay as replayed
    from pipelines.cli.output import print_json
    from pipelines.cli.times import day

    found = replayed(context.lake(), book, day(session))
    if as_json:
        print_json(
            {
                "book": found.book,
                "session": found.session,
                "identical": found.identical,
                "rows": found.rows,
                "differences": found.differences,
            }
        )
    else:
        _print_replay(found)
    if not found.identical:
        raise typer.Exit(Exit.FAILED)


@app.command()
def report(
    book: Annotated[str, typer.Argument(help="Name of the book.")],
    session: Annotated[
        str | None, typer.Option("--session", help="Session of the daily report; else the newest decided.")
    ] = None,
    whole: Annotated[bool, typer.Option("--performance", help="Report all sessions instead of one.")] = False,
    html: Annotated[str | None, typer.Option("--html", help="Write a page to this file instead.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the daily report of a book, or the figures of all its sessions."""
    from pathlib import Path

    from assets import reports
    from delta import pin
    from delta.whole_files import write_text
    from pipelines.cli.running import terminal
    from pipelines.cli.times import day
    from trading.reporting import to_html, to_json, to_text

    config = _book(book)
    pins = pin(context.lake(), reports.BACKTEST_READS if whole else reports.READS)
    first, last = _decided(pins, book)
    chosen = day(session) if session else last
    made = reports.backtest(pins, config, first, chosen) if whole else reports.daily(pins, config, chosen)
    if html:
        write_text(Path(html), to_html(made))
        typer.echo(html)
    elif as_json:
        typer.echo(to_json(made, indent=2))
    else:
        typer.echo(to_text(made, **terminal()))


def _book(name: str) -> BookConfig:
    """Book by its file, or as it was last used."""
    from resources.books import known_book

    return known_book(context.books_folder(), context.lake, name, strategies=False)


def _decided(pins: Pins, book: str) -> tuple[date, date]:
    """First and last session that a book has decided."""
    import polars as pl

    from delta.contracts import Portfolio

    first, last = (
        pins.read(Portfolio, where={"book": book}, columns=["session"])
        .select(pl.col("session").min().alias("first"), pl.col("session").max().alias("last"))
        .collect()
        .row(0)
    )
    if first is None:
        raise InputError(f"book {book} has decided no session yet; run: desk backtest --book {book}")
    return first, last


def _print_explanation(found: Explanation) -> None:
    from pipelines.cli.output import print_table

    order = found.order
    typer.echo(
        f"{order['order_ref']}: {order['side']} {order['quantity']:g} {order['symbol']} "
        f"({order['purpose']}, {order['order_type']}), {order['status']}"
    )
    typer.echo(
        f"book {order['book']}, strategy {order['strategy']}, decided on the close of {order['session']} "
        f"({order['decided_at']:%Y-%m-%d %H:%M} UTC), because of: {order['reason']}"
    )
    _block("gates", found.gates, ("gate", "passed", "figure", "limit", "note"))
    if found.signal:
        asked = ("action", "strength", "confidence", "price", "stop", "target", "max_hold", "reason")
        _block("signal", [found.signal], asked)
    if found.candidate:
        ranked = ("rank", "score", "trend_strength", "dollar_volume", "rsi", "scan")
        _block("candidate", [found.candidate], ranked)
    if found.indicators:
        typer.echo("\nindicators")
        print_table(("indicator", "value"), found.indicators.items(), right=(False, True))
    _block(
        "orders that belong to it",
        found.related,
        ("order_ref", "session", "intent", "purpose", "order_type", "quantity", "stop_price", "limit_price"),
    )
    _block("events", found.events, ("sequence", "session", "state", "filled", "remaining", "message"))
    _block(
        "told by the broker",
        found.executions,
        ("execution_id", "revision", "report", "side", "quantity", "price", "commission", "executed_at"),
    )
    _block(
        "fills",
        found.fills,
        ("session", "purpose", "side", "quantity", "price", "commission", "realised_pnl"),
    )
    _block("alerts", found.alerts, ("known_at", "severity", "message"))
    _block(
        "bars",
        found.bars,
        ("session", "open", "high", "low", "close", "volume", "source", "known_at", "file"),
    )
    for name, run in found.runs.items():
        typer.echo(
            f"\n{name}: run {run['run_id']} at {run['at']:%Y-%m-%d %H:%M:%S} UTC, "
            f"code {run['code_version']}, configuration {run['config_hash']}"
        )
        typer.echo("  read  " + _versions(run["reads"]))
        typer.echo("  wrote " + _versions(run["writes"]))


def _block(title: str, rows: Iterable[Mapping[str, Any]], fields: tuple[str, ...]) -> None:
    from pipelines.cli.output import print_table

    cells = [[row.get(name) for name in fields] for row in rows]
    if cells:
        typer.echo(f"\n{title}")
        numbers = [any(isinstance(row[at], int | float) for row in cells) for at in range(len(fields))]
        print_table(fields, cells, right=numbers)


def _versions(versions: Mapping[str, int]) -> str:
    return ", ".join(f"{table} v{version}" for table, version in sorted(versions.items()))


def _print_replay(found: Replay) -> None:
    from pipelines.cli.output import print_frame

    versions = _versions({**found.research.reads, **found.decision.reads})
    if found.other_code:
        typer.echo(f"decided by code {found.other_code}, another version than this one", err=True)
    if found.identical:
        typer.echo(
            f"identical: {found.rows} rows of {found.book} on {found.session}, decided again from {versions}"
        )
        return
    typer.echo(
        f"{found.differences.height} differing rows of {found.book} on {found.session}, from {versions}"
    )
    print_frame(found.differences)
