"""Small frames that fulfil their contracts, and a way to run a script beside the test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

import delta
from delta.contracts import Bars, Fills, OrderEvents, Regimes

BY = delta.Provenance("run-1", "test", "0.1.0")
MONDAY = date(2024, 1, 1)
KNOWN = datetime(2024, 1, 1, 21, tzinfo=UTC)


def days(count: int, first: date = MONDAY) -> list[date]:
    return [first + timedelta(days=i) for i in range(count)]


def regimes(
    book: str, sessions: date | Sequence[date], points: float = 0.5, **columns: object
) -> pl.DataFrame:
    sessions = [sessions] if isinstance(sessions, date) else list(sessions)
    values = {
        "book": book,
        "session": sessions,
        "benchmark": "SPY",
        "regime": "bull",
        "bull_points": points,
        "bear_points": 0.0,
        "size_multiplier": 1.0,
        "max_positions": 10,
        "known_at": KNOWN,
    }
    return pl.DataFrame({**values, **columns}, schema=Regimes.schema())


def order_events(book: str, refs: Sequence[str], sequence: int = 1, **columns: object) -> pl.DataFrame:
    values = {
        "book": book,
        "session": MONDAY,
        "order_ref": list(refs),
        "sequence": sequence,
        "state": "SENT",
        "at": KNOWN,
        "client_id": 7,
        "order_id": 1,
        "perm_id": None,
        "filled": 0.0,
        "remaining": 100.0,
        "average_price": None,
        "code": None,
        "message": "",
        "source": "simulation",
        "run_id": "run-1",
    }
    return pl.DataFrame({**values, **columns}, schema=OrderEvents.schema())


def fills(book: str, session: date, executions: Sequence[str]) -> pl.DataFrame:
    values = {
        "book": book,
        "session": session,
        "execution_id": list(executions),
        "order_ref": "r",
        "strategy": "s",
        "symbol": "A",
        "purpose": "entry",
        "side": "BUY",
        "quantity": 1.0,
        "price": 10.0,
        "commission": 0.0,
        "slippage": 0.0,
        "realised_pnl": 0.0,
        "currency": "USD",
        "price_currency": "USD",
        "rate": 1.0,
        "executed_at": KNOWN,
    }
    return pl.DataFrame(values, schema=Fills.schema())


def bars(symbols: int, sessions: int, known_at: datetime = KNOWN, seed: int = 0) -> pl.DataFrame:
    steps = np.random.default_rng(seed).normal(0, 0.01, (sessions, symbols))
    close = 100 * np.exp(np.cumsum(steps, axis=0)).ravel()
    dates = np.array(days(sessions, date(2010, 1, 4)), dtype="datetime64[D]").repeat(symbols)
    frame = pl.DataFrame(
        {
            "symbol": np.tile(np.array([f"S{i:04d}" for i in range(symbols)]), sessions),
            "session": dates,
            "open": close,
            "high": close * 1.01,
            "low": close * 0.99,
            "close": close,
        }
    )
    return frame.select(
        "symbol",
        pl.lit("1d").alias("timeframe"),
        "session",
        (pl.col("session").cast(pl.Datetime("us", "UTC")) + pl.duration(hours=21)).alias("closes_at"),
        "open",
        "high",
        "low",
        "close",
        pl.lit(1e6).alias("volume"),
        pl.lit("made").alias("source"),
        pl.lit(known_at, Bars.schema()["known_at"]).alias("known_at"),
        pl.lit([], dtype=pl.List(pl.String)).alias("flags"),
    )


def run_python(script: str, *arguments: object, prefix: Sequence[str] = ()) -> subprocess.Popen[str]:
    """Start a script in another process; it may import this module."""
    here = Path(__file__).resolve()
    path = os.pathsep.join((str(here.parent), str(here.parents[2]), os.environ.get("PYTHONPATH", "")))
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
    )


def answer(process: subprocess.Popen[str]) -> str:
    """Standard output of a script that ended well."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out.strip()


def commit_files(lake: delta.Lake, table: str) -> list[Path]:
    assert lake.path is not None
    return sorted((lake.path / table / "_delta_log").glob("*.json"))


def data_files(lake: delta.Lake, table: str) -> list[Path]:
    assert lake.path is not None
    return sorted((lake.path / table).glob("*.parquet"))


class Rival(Mapping[str, int]):
    """Inputs of a provenance that act when a writer looks at them: after its snapshot, before its commit."""

    def __init__(self, act: Callable[[], object], times: int = 10**9) -> None:
        self.act, self.times = act, times

    def __iter__(self) -> Iterator[str]:
        if self.times > 0:
            self.times -= 1
            self.act()
        return iter(("bars",))

    def __getitem__(self, table: str) -> int:
        return 1

    def __len__(self) -> int:
        return 1
