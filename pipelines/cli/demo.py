"""``desk demo``: the whole desk once, on real prices that come with the package."""

from __future__ import annotations

import time
from datetime import date
from typing import TYPE_CHECKING

import typer

from pipelines.cli import context

if TYPE_CHECKING:
    import polars as pl

    from delta.lake import Lake

app = typer.Typer()

BOOK = "momentum-demo"
COMPARED = ("candidates", "signals", "orders", "fills", "positions", "trades", "portfolio")


@app.command()
def demo() -> None:
    """Ingest the sample, backfill the demonstration book, run its last session as the schedule would."""
    from pipelines.cli.running import machinery, sessions_of, show_daily
    from pipelines.runs import run_backtest, run_market, run_session

    book = context.book(BOOK)
    first, last = sessions_of(book)
    began = time.perf_counter()
    with machinery(book) as (desk, instance):
        lake = desk.lake()
        _step(began, "ingesting daily bars of AAPL, FB, GOOG, IBM and MSFT")
        run_market(desk, instance, BOOK)
        _step(began, f"backfilling {BOOK} from {first} to {last}")
        run_backtest(desk, instance, BOOK, first, last)
        backfilled = {table: _rows(lake, table, last) for table in COMPARED}
        _step(began, f"running {last} as the daily schedule does")
        run_session(desk, instance, BOOK, last)
        scheduled = {table: _rows(lake, table, last) for table in COMPARED}
    differing = [table for table in COMPARED if not backfilled[table].equals(scheduled[table])]
    rows = sum(frame.height for frame in scheduled.values())
    same = f"differ in {', '.join(differing)}" if differing else f"are identical ({rows} rows)"
    _step(began, f"backfill and schedule of {last} {same}")
    show_daily(book, last)
    typer.echo(_next(lake, last))


def _step(began: float, text: str) -> None:
    typer.echo(f"[{time.perf_counter() - began:5.1f} s] {text}", err=True)


def _rows(lake: Lake, table: str, session: date) -> pl.DataFrame:
    import polars as pl

    from delta import TABLES, read

    where = (pl.col("book") == BOOK) & (pl.col("session") == session)
    return read(lake, table, where=where).sort(list(TABLES[table].key)).collect()


def _next(lake: Lake, last: date) -> str:
    """What a newcomer may type next."""
    import polars as pl

    from delta import read
    from delta.contracts import Fills

    entry = (
        read(lake, Fills, where=(pl.col("book") == BOOK) & (pl.col("purpose") == "entry"))
        .sort("session")
        .tail(1)
        .collect()
    )
    ref = entry["order_ref"][0] if entry.height else "ORDER_REF"
    query = "select session, equity from portfolio order by session desc limit 5"
    hints = {
        "ui": "the Dagster page: runs, lineage, backfills, schedules",
        f"backtest --book {BOOK} --start 2005-01-03 --end 2009-12-31": "another range, a book of its own",
        f"explain {ref[:10]}": "why the last position was opened, back to the bars",
        f"replay {BOOK} {last}": "decide that session again from what was known",
        f"analyze AAPL --book {BOOK}": "every condition of the rules with its figures",
        f'query "{query}"': "any table, also --as-of a time",
        "book check": "your own books: config/books, docs/configuration.md",
    }
    return "\nWhat to type next\n" + "\n".join(
        f"  desk {command}\n      {meaning}" for command, meaning in hints.items()
    )
