"""A paper book through past sessions: its own gateway plays the market and fills what the stages decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import NamedTuple

import polars as pl

from assets.inputs import MARKET_READS, RefusedError, read_market, universe
from assets.reports import report
from assets.research import research
from assets.validation.gateway import (
    desk_at,
    finish_evening,
    gateway_settings,
    next_evening,
    refuse_conversion,
)
from delta import Lake, pin, read
from delta.contracts import Bars, Instruments, Portfolio
from resources.calendar import sessions
from resources.config import DeskConfig
from resources.gateway import process
from resources.gateway.process import Address, Control
from trading.book import BookConfig

RUN = "paper"


class Progressed(NamedTuple):
    """How far a paper book is.

    Attributes
    ----------
    last : date, optional
        Last session decided; None before the first.
    left : list of date
        Sessions that have bars and are still to come.
    """

    last: date | None
    left: list[date]


def at_gateway(book: BookConfig) -> BookConfig:
    """The book with its orders going to a gateway.

    Raises
    ------
    RefusedError
        When the book has another mode than paper, or does not fill at the next open.
    """
    if book.mode != "paper":
        raise RefusedError(f'book {book.name} has mode {book.mode}; a paper book has mode = "paper"')
    if book.fill != "next_open":
        raise RefusedError(f'book {book.name} fills at the close; at a gateway it needs fill = "next_open"')
    refuse_conversion(book)
    limits = book.placement.model_copy(
        update={"broker": "ib", "hours": "any", "orders_per_minute": 100_000, "orders_per_day": 100_000}
    )
    return book.model_copy(update={"placement": limits})


def progressed(lake: Lake, book: BookConfig) -> Progressed:
    """Last session that a book has decided, and those it can still go through."""
    last = (
        read(lake, Portfolio, where={"book": book.name}, columns=["session"])
        .select(pl.col("session").max())
        .collect()
        .item()
    )
    symbols = universe(book, read(lake, Instruments).collect())
    newest = (
        read(lake, Bars, where={"symbol": list(symbols), "timeframe": book.timeframe})
        .select(pl.col("session").max())
        .collect()
        .item()
    )
    until = min(newest, book.end) if newest and book.end else newest
    days = (
        list(sessions(book.calendar, book.start, until)["session"]) if until and until >= book.start else []
    )
    return Progressed(last, [day for day in days if last is None or day > last])


def begin(lake: Lake, book: BookConfig, state: Path) -> Address:
    """Start the account of a paper book: a gateway with its capital and costs, at its first session.

    Raises
    ------
    RefusedError
        When the book has sessions already, the folder has an account, or there are no bars.
    """
    chosen = at_gateway(book)
    found = progressed(lake, chosen)
    if found.last is not None:
        raise RefusedError(
            f"book {book.name} has been run up to {found.last}; give a new paper book another name"
        )
    if (state / "journal.jsonl").exists():
        raise RefusedError(f"{state} holds an account already; remove the folder to begin again")
    if not found.left:
        raise RefusedError(f"book {book.name}: no bars from {book.start} on; run: desk data ingest")
    read_market(pin(lake, MARKET_READS), chosen, found.left[0])
    settings = gateway_settings(chosen, lake, found.left[0])
    return process.start(state, settings, port=0, control_port=0, leashed=True)


def run(
    lake: Lake,
    desk: DeskConfig,
    book: BookConfig,
    days: list[date],
    state: Path,
    progress: Callable[[date], None] | None = None,
) -> None:
    """Carry a paper book through sessions against its own gateway, and write its report.

    A run that was interrupted goes on where it stopped: what the gateway has played is not played again,
    and orders of the last evening that were not placed are placed first.

    Parameters
    ----------
    days : list of date
        Sessions that follow the last one decided.
    state : Path
        Folder of the gateway, as :func:`begin` made it.
    """
    chosen = at_gateway(book)
    before = progressed(lake, chosen).last
    research(lake, chosen, days[0], days[-1], RUN)
    with gateway(state) as (where, control):
        here = desk_at(desk, where)
        if before is not None:
            finish_evening(lake, here, chosen, before, run_id=RUN)
        for day in days:
            next_evening(lake, here, chosen, day, control, run_id=f"{RUN} {day}")
            if progress is not None:
                progress(day)
    report(lake, chosen, days[0], days[-1], RUN)


@contextmanager
def gateway(state: Path) -> Iterator[tuple[Address, Control]]:
    """The gateway of a folder: the one that runs, or one for the time of the block.

    Raises
    ------
    RefusedError
        When the folder holds no account.
    """
    if not (state / "journal.jsonl").exists():
        raise RefusedError(f"{state} holds no account; begin with: desk paper init {state.name}")
    running = process.status(state) is not None
    where = process.address(state) if running else None
    if where is None:
        where = process.start(state, port=0, control_port=0, leashed=True)
    try:
        with process.control(state) as control:
            yield where, control
    finally:
        if not running:
            process.stop(state)
