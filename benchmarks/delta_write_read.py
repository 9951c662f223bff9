"""Write and read 500 symbols x 2,520 daily bars through the lake, beside plain Parquet and bare delta-rs.

Prints machine, versions, a parity check, and the median of the timings. What the lake does on top of a bare
write: the contract check, the look for existing keys, the sort, the commit metadata, putting the files on the
disk and reading back what was written.

    python benchmarks/delta_write_read.py [repeats]
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import deltalake
import numpy as np
import polars as pl
from deltalake import write_deltalake

import delta
from delta.contracts import Bars, OrderEvents

SYMBOLS, SESSIONS = 500, 2520
KNOWN = datetime(2024, 1, 1, 21, tzinfo=UTC)
BY = delta.Provenance("benchmark", "benchmark", "0")


def bars() -> pl.DataFrame:
    """Bars of a random walk, one row per session and symbol, in the order of the contract."""
    steps = np.random.default_rng(1).normal(0, 0.01, (SESSIONS, SYMBOLS))
    close = (100 * np.exp(np.cumsum(steps, axis=0))).ravel()
    sessions = (np.datetime64("2010-01-04") + np.arange(SESSIONS)).repeat(SYMBOLS)
    names = np.tile(np.array([f"S{i:04d}" for i in range(SYMBOLS)]), SESSIONS)
    frame = pl.DataFrame({"symbol": names, "session": sessions, "close": close})
    return frame.with_columns(
        timeframe=pl.lit("1d"),
        closes_at=pl.col("session").cast(pl.Datetime("us", "UTC")) + timedelta(hours=21),
        open=pl.col("close"),
        high=pl.col("close") * 1.01,
        low=pl.col("close") * 0.99,
        volume=pl.lit(1e6),
        source=pl.lit("made"),
        known_at=pl.lit(KNOWN, Bars.schema()["known_at"]),
        flags=pl.lit([], dtype=pl.List(pl.String)),
    ).select(*Bars.columns())


def event(number: int) -> pl.DataFrame:
    """One order event, the write on the hot path of order placement."""
    values = {
        "book": "b",
        "session": date(2024, 1, 2),
        "order_ref": f"{number:08d}",
        "sequence": 1,
        "state": "SENT",
        "at": KNOWN,
        "filled": 0.0,
        "remaining": 1.0,
        "message": "",
        "source": "simulation",
        "run_id": "benchmark",
    }
    return pl.DataFrame([values], schema=OrderEvents.schema())


def timed(name: str, act: Callable[[int], Any], repeats: int) -> None:
    """Print median and range of the seconds that ``act`` takes, with the repetition as its argument."""
    seconds = []
    for repetition in range(repeats):
        begun = time.perf_counter()
        act(repetition)
        seconds.append(time.perf_counter() - begun)
    low, middle, high = min(seconds), statistics.median(seconds), max(seconds)
    print(f"{name:<44}{middle * 1e3:9.1f} ms   ({low * 1e3:.1f} to {high * 1e3:.1f}, {repeats} runs)")


def check_parity(lake: delta.Lake, frame: pl.DataFrame, folder: Path) -> None:
    """Stop unless the lake, plain Parquet and bare delta-rs give back equal rows."""
    delta.write(lake, Bars, frame, None, BY)
    frame.write_parquet(folder / "parity.parquet")
    write_deltalake(str(folder / "parity"), frame)
    order = list(Bars.key)
    answers = {
        "lake": delta.read(lake, Bars).collect(),
        "parquet": pl.read_parquet(folder / "parity.parquet"),
        "delta-rs": pl.read_delta(str(folder / "parity")),
    }
    for name, rows in answers.items():
        same = rows.sort(order).equals(frame.sort(order))
        print(f"parity: {name:<10} {rows.height:,} rows {'equal' if same else 'DIFFERENT'}")
        if not same:
            raise SystemExit("the rows differ: the timings would mean nothing")


def measure(folder: Path, repeats: int) -> None:
    """All timings, in one folder."""
    frame = bars()
    lake = delta.create_lake(folder / "parity_lake")
    check_parity(lake, frame, folder)
    day = frame["session"][frame.height // 2]
    one_day = pl.col("session") == day
    lakes = [delta.create_lake(folder / f"lake_{i}") for i in range(repeats)]
    print()
    timed("write bars: lake", lambda i: delta.write(lakes[i], Bars, frame, None, BY), repeats)
    timed("write bars: bare delta-rs", lambda i: write_deltalake(str(folder / f"bare_{i}"), frame), repeats)
    timed("write bars: plain Parquet", lambda i: frame.write_parquet(folder / f"plain_{i}.parquet"), repeats)
    timed("read all: lake", lambda _: delta.read(lake, Bars).collect(), repeats)
    timed("read all: plain Parquet", lambda _: pl.read_parquet(folder / "parity.parquet"), repeats)
    timed("read one session: lake", lambda _: delta.read(lake, Bars, where=one_day).collect(), repeats)
    scan = pl.scan_parquet(folder / "parity.parquet")
    timed("read one session: plain Parquet", lambda _: scan.filter(one_day).collect(), repeats)
    average = "select symbol, avg(close) from bars group by symbol"
    timed("average by symbol: SQL", lambda _: delta.sql(lake, average), repeats)
    timed("append one order event", lambda i: delta.write(lake, OrderEvents, event(i), None, BY), 100)


def main() -> None:
    """Run the benchmark."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {platform.platform()}, {os.cpu_count()} cores, ", end="")
    print(f"load {os.getloadavg()[0]:.1f}")
    print(f"Python {platform.python_version()}, polars {pl.__version__}, deltalake {deltalake.__version__}")
    print(f"{SYMBOLS} symbols x {SESSIONS:,} sessions = {SYMBOLS * SESSIONS:,} bars\n")
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), repeats)


if __name__ == "__main__":
    main()
