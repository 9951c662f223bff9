"""The same sessions by backfill and through the gateway, compared row by row."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from assets.desk import walk
from assets.inputs import RefusedError
from assets.research import research
from assets.validation.comparison import compared_frames, compared_rows, differences
from assets.validation.gateway import desk_at, gateway_settings, next_evening, traded_book
from assets.validation.lakes import trial_lake
from delta import Lake
from resources.calendar import sessions
from resources.config import DeskConfig
from resources.gateway import process
from trading.book import BookConfig

Progress = Callable[[date], None]


@dataclass(frozen=True)
class Validation:
    """What a validation found.

    Attributes
    ----------
    differences : DataFrame
        Every value that differs and its probable cause; empty when both ways are equal.
    rows : dict
        Rows compared, by table.
    backfill_seconds, gateway_seconds : float
        Time that each way took.
    """

    book: str
    first: date
    last: date
    sessions: int
    differences: pl.DataFrame
    rows: dict[str, int]
    backfill_seconds: float
    gateway_seconds: float

    @property
    def equal(self) -> bool:
        """Whether every compared value is the same, to the last bit."""
        return self.differences.is_empty()


def last_sessions(book: BookConfig, count: int, last: date) -> list[date]:
    """The last sessions of a book up to a day.

    Raises
    ------
    RefusedError
        When the book has none.
    """
    until = min(last, book.end) if book.end else last
    days = list(sessions(book.calendar, book.start, until)["session"]) if until >= book.start else []
    if not days:
        raise RefusedError(f"book {book.name} has no session from {book.start} to {until}")
    return days[-count:]


def validate(
    lake: Lake,
    desk: DeskConfig,
    book: BookConfig,
    days: list[date],
    *,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Validation:
    """Walk a book through sessions in process and through a gateway, each in a lake of its own.

    The book begins with its capital in cash on the first of the sessions, both ways; the given lake is
    only read.

    Parameters
    ----------
    days : list of date
        Consecutive sessions.
    folder : Path, optional
        Where the trial's lakes and the gateway's state are left; else they are removed.
    progress : callable, optional
        Told each session that has gone through the gateway.
    """
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="desk-validate-") as made:
            return validate(lake, desk, book, days, folder=Path(made), progress=progress)
    trial = traded_book(book, days[0], days[-1])
    backfilled = trial_lake(lake, trial, days[-1], folder / "backfill")
    traded = trial_lake(lake, trial, days[-1], folder / "traded")
    began = time.monotonic()
    backfill(backfilled, trial, days)
    between = time.monotonic()
    through_gateway(traded, desk, trial, days, folder / "gateway", progress)
    ended = time.monotonic()
    ours = compared_frames(backfilled, trial.name, days[0], days[-1])
    theirs = compared_frames(traded, trial.name, days[0], days[-1])
    return Validation(
        trial.name,
        days[0],
        days[-1],
        len(days),
        differences(ours, theirs),
        compared_rows(ours),
        between - began,
        ended - between,
    )


def backfill(lake: Lake, book: BookConfig, days: list[date]) -> None:
    """Walk a book through sessions in one go, with simulated fills."""
    research(lake, book, days[0], days[-1], "validate backfill")
    walk(lake, book, days[0], days[-1], "validate backfill")


def through_gateway(
    lake: Lake,
    desk: DeskConfig,
    book: BookConfig,
    days: list[date],
    state: Path,
    progress: Progress | None = None,
) -> None:
    """Walk a book through sessions evening by evening, against a gateway in a process of its own."""
    research(lake, book, days[0], days[-1], "validate gateway")
    where = process.start(state, gateway_settings(book, lake, days[0]), port=0, control_port=0)
    try:
        with process.control(state) as control:
            for day in days:
                next_evening(lake, desk_at(desk, where), book, day, control, run_id=f"evening {day}")
                if progress is not None:
                    progress(day)
    finally:
        process.stop(state)
