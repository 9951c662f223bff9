"""The same sessions by backfill and through the gateway, compared row by row."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from assets.desk import order_books, policy, reads, walk
from assets.inputs import (
    MARKET_READS,
    MarketFrames,
    RefusedError,
    prices_of,
    read_market,
    session_times,
)
from assets.research import research, research_frames
from assets.validation.comparison import (
    Frames,
    compared_frames,
    compared_rows,
    decided_frames,
    differences,
    expected_account,
    order_states,
)
from assets.validation.gateway import desk_at, gateway_settings, next_evening, traded_book
from assets.validation.lakes import trial_lake
from assets.validation.replay import Replay
from delta import Lake, pin
from resources.brokers.session import known_instruments
from resources.calendar import sessions
from resources.config import DeskConfig
from resources.gateway import process
from resources.gateway.settings import Settings
from trading.book import BookConfig, config_hash
from trading.day import Regime
from trading.signals import candidates_by_session, signals_by_session
from trading.simulate import Inputs, simulate
from trading.state import new_state

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
    book: BookConfig,
    days: list[date],
    *,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Validation:
    """Walk a book through sessions in process and through a gateway, and compare.

    The book begins with its capital in cash on the first of the sessions, both ways; the lake is only
    read. The gateway's own account is held against the ledger of the backfill, too.

    Parameters
    ----------
    days : list of date
        Consecutive sessions.
    settings : Settings, optional
        Another gateway than the one that plays the book's own costs and capital.
    progress : callable, optional
        Told each session that has gone through the gateway.
    """
    trial = traded_book(book, days[0], days[-1])
    market, inputs = _researched(lake, trial, days)
    began = time.monotonic()
    made = _backfilled(trial, market, inputs, days)
    ours = {**decided_frames(made), "order_states": order_states(made["order_events"])}
    ours["account"] = expected_account(ours, trial.currency)
    between = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="desk-validate-") as folder:
        gateway = Path(folder)
        chosen = settings or gateway_settings(trial, lake, days[0])
        where = process.start(gateway, chosen, port=0, control_port=0, leashed=True)
        try:
            with process.control(gateway) as control:
                replay = Replay(trial, market, inputs, known_instruments(lake), where.port, control)
                theirs = replay.run(days, progress)
        finally:
            process.stop(gateway)
    return _validation(trial, days, ours, theirs, between - began, time.monotonic() - between)


def backfill_frames(lake: Lake, book: BookConfig, days: list[date]) -> dict[str, pl.DataFrame]:
    """Rows of the backfill that :func:`validate` compares with, by table."""
    trial = traded_book(book, days[0], days[-1])
    return dict(_backfilled(trial, *_researched(lake, trial, days), days))


def _researched(lake: Lake, book: BookConfig, days: list[date]) -> tuple[MarketFrames, Inputs]:
    """Prices up to the last session, and the research of all of them."""
    market = read_market(pin(lake, MARKET_READS), book, days[-1])
    found = research_frames(book, market, days[0], days[-1])
    regimes = {
        row["session"]: Regime(row["regime"], row["size_multiplier"], row["max_positions"])
        for row in found["regimes"].iter_rows(named=True)
    }
    signals = signals_by_session(found["signals"], found["candidates"])
    looks = order_books(pin(lake, reads(book)), book, market.history.symbols, days[0], days[-1])
    return market, Inputs(signals, candidates_by_session(found["candidates"]), regimes, looks)


def _backfilled(book: BookConfig, market: MarketFrames, inputs: Inputs, days: list[date]) -> Frames:
    """All sessions in one walk with simulated fills."""
    times = session_times(book.calendar, days[0], days[-1])
    state = new_state(book.capital, book.currency)
    return simulate(
        state, prices_of(market, book, times), inputs, policy(book), config_hash=config_hash(book)
    ).frames()


def validate_in_lakes(
    lake: Lake,
    desk: DeskConfig,
    book: BookConfig,
    days: list[date],
    folder: Path,
    progress: Progress | None = None,
) -> Validation:
    """The same, with everything written: both ways in lakes of their own, by the stages of the schedule.

    Parameters
    ----------
    folder : Path
        Where the trial's lakes and the gateway's state are made and left.
    """
    trial = traded_book(book, days[0], days[-1])
    backfilled = trial_lake(lake, trial, days[-1], folder / "backfill")
    traded = trial_lake(lake, trial, days[-1], folder / "traded")
    began = time.monotonic()
    research(backfilled, trial, days[0], days[-1], "validate backfill")
    walk(backfilled, trial, days[0], days[-1], "validate backfill")
    between = time.monotonic()
    _evenings(traded, desk, trial, days, folder / "gateway", progress)
    ended = time.monotonic()
    ours = compared_frames(backfilled, trial.name, days[0], days[-1])
    theirs = compared_frames(traded, trial.name, days[0], days[-1])
    return _validation(trial, days, ours, theirs, between - began, ended - between)


def _evenings(
    lake: Lake, desk: DeskConfig, book: BookConfig, days: list[date], state: Path, progress: Progress | None
) -> None:
    research(lake, book, days[0], days[-1], "validate gateway")
    settings = gateway_settings(book, lake, days[0])
    where = process.start(state, settings, port=0, control_port=0, leashed=True)
    try:
        with process.control(state) as control:
            for day in days:
                next_evening(lake, desk_at(desk, where), book, day, control, run_id=f"evening {day}")
                if progress is not None:
                    progress(day)
    finally:
        process.stop(state)


def _validation(
    book: BookConfig, days: list[date], ours: Frames, theirs: Frames, backfill: float, gateway: float
) -> Validation:
    return Validation(
        book.name,
        days[0],
        days[-1],
        len(days),
        differences(ours, theirs),
        compared_rows(ours),
        backfill,
        gateway,
    )
