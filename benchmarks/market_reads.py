"""Ingest from files, and what reading a little of the table of bars costs, beside plain Parquet.

    python -m benchmarks.market_reads FOLDER [daily] [minutes] [ticks] [scan]

FOLDER is the folder of third-party data, for the ticks. Each part prints its parity check before its
times; the best of several repetitions is what is compared with the target, because other work on the
machine only ever adds. Processor time is printed beside the clock for the same reason.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from benchmarks.market import files, market
from delta import Lake, Provenance, create_lake, read
from delta.contracts import Bars
from resources.calendar import sessions
from resources.ingest import ingest
from resources.providers import _dukascopy_formats as formats
from resources.providers.base import Request
from resources.providers.registry import provider
from trading.history import history_from_frames
from trading.strategies.momentum.strategy import Momentum
from trading.universe import most_traded

BY = Provenance("benchmark", "benchmark", "0")
SYMBOLS, SESSIONS = 500, 2520
MINUTE_SYMBOLS, MINUTE_SESSIONS = 50, 252
REPEATS = 5
COLD = """
import sys, time
import numpy, pyarrow
import polars as pl
from datetime import date
from delta import open_lake, read
from delta.contracts import Bars
where = eval(sys.argv[2], {"pl": pl, "date": date})
lake = open_lake(sys.argv[1])
start, work = time.perf_counter(), time.process_time()
rows = read(lake, Bars, where=where).collect()
print(time.perf_counter() - start, time.process_time() - work, rows.height)
"""


class Spent(NamedTuple):
    """Seconds by the clock, and seconds of processor time over all threads."""

    wall: float
    processor: float


def timed(act: Callable[[], Any], repeats: int = REPEATS) -> Spent:
    """Shortest of several runs."""
    times = []
    for _ in range(repeats):
        start, work = time.perf_counter(), time.process_time()
        act()
        times.append(Spent(time.perf_counter() - start, time.process_time() - work))
    return min(times)


def told(what: str, spent: Spent, target: float | None = None) -> None:
    """Print one time, in milliseconds, with its target."""
    met = "met" if target is not None and spent.wall <= target else "MISSED"
    aim = "" if target is None else f"   target {target * 1e3:6.0f} ms {met}"
    print(f"{what:50} {spent.wall * 1e3:9.1f} ms, processor {spent.processor * 1e3:9.1f} ms{aim}")


def cold(lake: Lake, where: str, rows: int) -> Spent:
    """Shortest of several reads, each the first of a new process.

    Packages are loaded before the clock starts; the system's file cache is warm.
    """
    times = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", COLD, lake.uri, where], capture_output=True, text=True, check=True
        )
        wall, processor, found = done.stdout.split()
        if int(found) != rows:
            raise SystemExit(f"{where}: {found} rows instead of {rows}")
        times.append(Spent(float(wall), float(processor)))
    return min(times)


def same(lake: Lake, expected: pl.DataFrame) -> None:
    """Stop unless the lake holds the bars that were written to the files."""
    names = ["symbol", "session", "open", "high", "low", "close", "volume"]
    found = (
        read(lake, Bars, columns=[*names, "closes_at"]).collect().sort("symbol", "closes_at").select(names)
    )
    equal = found.equals(expected.select(names))
    print(f"parity: {found.height:,} bars {'equal' if equal else 'DIFFERENT'}")
    if not equal:
        raise SystemExit("the lake differs from the files")


def daily(folder: Path) -> None:
    """500 x 2,520 daily bars: ingest, cross-section, one symbol, and the same from plain Parquet."""
    made = market(SYMBOLS, SESSIONS)
    source = folder / "files"
    source.mkdir()
    files(source, made)
    first, last = made.sessions["session"][0], made.sessions["session"][-1]
    request = Request(made.symbols, first, last)
    now = datetime.combine(last, datetime.min.time(), UTC) + timedelta(days=2)
    lakes = []

    def once() -> None:
        lakes.append(create_lake(str(folder / f"daily_{len(lakes)}")))
        ingest(lakes[-1], provider("files", {"folder": source}), request, now=now, provenance=BY)

    spent = timed(once, 3)
    lake = lakes[-1]
    same(lake, made.bars.sort("symbol", "session"))
    told("ingest of 500 x 2,520 daily bars from files", spent, 5.0)
    told("  reading the files alone", timed(lambda: provider("files", {"folder": source}).fetch(request), 1))
    again = provider("files", {"folder": source})
    later = now + timedelta(hours=1)
    told(
        "  a second ingest, nothing new",
        timed(lambda: ingest(lake, again, request, now=later, provenance=BY), 1),
    )
    plain = folder / "plain.parquet"
    everything = read(lake, Bars).collect()
    told("plain Parquet: write", timed(lambda: everything.write_parquet(plain), 3))
    day, symbol = made.sessions["session"][SESSIONS // 2], made.symbols[250]
    _reads(lake, plain, day, symbol, SYMBOLS, SESSIONS)


def _reads(lake: Lake, plain: Path, day: date, symbol: str, section: int, length: int) -> None:
    where = {
        "one cross-section": (
            f"(pl.col('timeframe') == '1d') & (pl.col('session') == date({day.year},{day.month},{day.day}))",
            section,
        ),
        "one symbol's history": (f"(pl.col('timeframe') == '1d') & (pl.col('symbol') == '{symbol}')", length),
    }
    for name, (text, rows) in where.items():
        told(f"{name}, first read of a process", cold(lake, text, rows), 0.05)
        predicate = eval(text, {"pl": pl, "date": date})
        told(f"{name}, again in it", timed(lambda p=predicate: read(lake, Bars, where=p).collect()))
        told(f"{name}, plain Parquet", timed(lambda p=predicate: pl.scan_parquet(plain).filter(p).collect()))


def minutes(folder: Path) -> None:
    """One year of 1-minute bars of 50 symbols: ingest, a symbol's month, a day's cross-section."""
    source = folder / "minutes"
    source.mkdir()
    calendar = sessions("XNYS", date(2019, 1, 2), date(2019, 12, 31)).head(MINUTE_SESSIONS)
    made = _minutes(calendar)
    names = [f"M{i:02d}" for i in range(MINUTE_SYMBOLS)]
    for i, name in enumerate(names):
        made.with_columns(pl.col("open", "high", "low", "close") + i).write_parquet(
            source / f"{name}.parquet"
        )
    lake = create_lake(str(folder / "intraday"))
    lean = provider("files", {"folder": source, "timeframe": "1m"})
    request = Request(tuple(names), calendar["session"][0], calendar["session"][-1], "1m")
    now = datetime(2020, 1, 3, tzinfo=UTC)
    spent = timed(lambda: ingest(lake, lean, request, now=now, provenance=BY), 1)
    count = read(lake, Bars).select(pl.len()).collect().item()
    expected = made.height * MINUTE_SYMBOLS
    print(f"parity: {count:,} bars of {expected:,}")
    if count != expected:
        raise SystemExit("bars are missing")
    told(f"ingest of a year of minutes, {MINUTE_SYMBOLS} symbols", spent, 30.0)
    of = "(pl.col('timeframe') == '1m') & "
    month = of + "(pl.col('symbol') == 'M25') & pl.col('session').is_between(date(2019,6,1), date(2019,6,30))"
    day = of + "(pl.col('session') == date(2019,6,12))"
    for name, text in (("one symbol's month of minutes", month), ("one day of all symbols' minutes", day)):
        rows = read(lake, Bars, where=eval(text, {"pl": pl, "date": date})).select(pl.len()).collect().item()
        told(f"{name}, {rows:,} rows, first read", cold(lake, text, rows), 0.05 if "month" in name else None)


def _minutes(calendar: pl.DataFrame) -> pl.DataFrame:
    """Minutes of every session, a random walk."""
    stamps = pl.concat(
        pl.datetime_range(opens, closes, "1m", closed="right", eager=True)
        for opens, closes in calendar.select("opens_at", "closes_at").iter_rows()
    )
    close = 100 + np.round(np.cumsum(np.random.default_rng(7).normal(0, 0.01, len(stamps))), 2)
    return pl.DataFrame(
        {"date": stamps, "open": close, "high": close + 0.02, "low": close - 0.02, "close": close}
    ).with_columns(volume=1000.0 + pl.int_range(pl.len()) % 17)


def ticks(data: Path) -> None:
    """One day of ticks of a pair from Dukascopy's files."""
    root = data / "dukascopy/datafeed/EURUSD/2019/01/04"
    bodies = [(root / f"{hour:02d}h_ticks.bi5").read_bytes() for hour in range(24)]
    start = int(datetime(2019, 2, 4, tzinfo=UTC).timestamp() * 1000)

    def decode() -> pl.DataFrame:
        return pl.concat(
            formats.packed_ticks(body, start + hour * 3_600_000, 1e5) for hour, body in enumerate(bodies)
        )

    print(f"parity: {decode().height:,} ticks, in order: {decode()['at'].is_sorted()}")
    told("decode of a day of EURUSD ticks", timed(decode), 0.5)


def scan(data: Path) -> None:
    """A scan of 7,000 symbols: the coarse file of a day, and the momentum rules over 300 sessions."""
    lean = provider("lean", {"folder": data / "lean"})
    snapshot = lean.snapshot(date(2014, 4, 2))  # type: ignore[attr-defined]
    print(f"coarse file: {snapshot.height:,} stocks")
    ranked = timed(lambda: most_traded(lean.snapshot(date(2014, 4, 2)), 500))  # type: ignore[attr-defined]
    told("coarse file read and the 500 most traded", ranked)
    made = market(7000, 300)

    def whole() -> int:
        history = history_from_frames(made.bars, made.actions, made.instruments, made.sessions)
        return Momentum().research(history, slice(299, 300)).candidates.height

    print(f"candidates: {whole()}")
    told("history of 7,000 x 300 and the momentum scan of a day", timed(whole, 3), 5.0)


def main() -> None:
    """Print machine, versions and all parts asked for."""
    chosen = set(sys.argv[2:]) or {"daily", "minutes", "ticks", "scan"}
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    print(f"{machine}, Python {platform.python_version()}, polars {pl.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        if "daily" in chosen:
            daily(Path(folder))
        if "minutes" in chosen:
            minutes(Path(folder))
    if "ticks" in chosen:
        ticks(Path(sys.argv[1]))
    if "scan" in chosen:
        scan(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
