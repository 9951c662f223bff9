"""Ingest from files, and what reading a little of the table of bars costs, beside plain Parquet.

``python -m benchmarks.market_reads`` prints, for each part, its parity check before its times; the best of
several repetitions is what is compared with the target, because other work on the machine only ever adds.
Processor time is printed beside the clock for the same reason. Ticks and coarse files are third-party data
that is kept beside the checkout; without it these parts are left out.
"""

from __future__ import annotations

import argparse
import lzma
import os
import platform
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from benchmarks.market import files, market
from benchmarks.workplace import ROOT
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
PARTS = ("daily", "minutes", "ticks", "scan")
REPEATS = 5
MINUTES_FROM = date(2019, 1, 2)
COLD = """
import io, sys, time
import numpy, pyarrow
import polars as pl
from delta import open_lake, read
from delta.contracts import Bars
where = pl.Expr.deserialize(io.StringIO(sys.argv[2]), format="json")
lake = open_lake(sys.argv[1])
start, work = time.perf_counter(), time.process_time()
rows = read(lake, Bars, where=where).collect()
print(time.perf_counter() - start, time.process_time() - work, rows.height)
"""


class Size(NamedTuple):
    """How much of everything; targets are given for the full size alone."""

    symbols: int = 500
    sessions: int = 2520
    minute_symbols: int = 50
    minute_sessions: int = 252
    scanned: int = 7000
    full: bool = True

    def target(self, seconds: float) -> float | None:
        """A target, where the size is the one it was set for."""
        return seconds if self.full else None


SMALL = Size(20, 300, 3, 20, 200, full=False)


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


def cold(lake: Lake, where: pl.Expr, rows: int) -> Spent:
    """Shortest of several reads, each the first of a new process.

    Packages are loaded before the clock starts; the system's file cache is warm.
    """
    times = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", COLD, lake.uri, where.meta.serialize(format="json")],
            capture_output=True,
            text=True,
            check=True,
        )
        wall, processor, found = done.stdout.split()
        if int(found) != rows:
            raise SystemExit(f"{where}: {found} rows instead of {rows}")
        times.append(Spent(float(wall), float(processor)))
    return min(times)


def same(lake: Lake, expected: pl.DataFrame) -> None:
    """Stop unless the lake holds the bars that were written to the files."""
    names = ["symbol", "closes_at", "open", "high", "low", "close", "volume"]
    found = read(lake, Bars, columns=names).collect().sort("symbol", "closes_at").select(names)
    equal = found.equals(expected.select(names).sort("symbol", "closes_at"))
    print(f"parity: {found.height:,} bars {'equal' if equal else 'DIFFERENT'}")
    if not equal:
        raise SystemExit("the lake differs from the files")


def daily(folder: Path, size: Size) -> None:
    """Daily bars: ingest, cross-section, one symbol, and the same from plain Parquet."""
    made = market(size.symbols, size.sessions)
    source = folder / "files"
    source.mkdir()
    files(source, made)
    first, last = made.sessions["session"][0], made.sessions["session"][-1]
    request = Request(made.symbols, first, last)
    now = datetime.combine(last, datetime.min.time(), UTC) + timedelta(days=2)
    lakes: list[Lake] = []

    def once() -> None:
        lakes.append(create_lake(str(folder / f"daily_{len(lakes)}")))
        ingest(lakes[-1], provider("files", {"folder": source}), request, now=now, provenance=BY)

    spent = timed(once, 3)
    lake = lakes[-1]
    same(lake, made.bars.join(made.sessions.select("session", "closes_at"), on="session"))
    told(f"ingest of {size.symbols} x {size.sessions:,} daily bars from files", spent, size.target(5.0))
    told("  reading the files alone", timed(lambda: provider("files", {"folder": source}).fetch(request), 1))
    again = provider("files", {"folder": source})
    later = now + timedelta(hours=1)
    told(
        "  a second ingest, nothing new",
        timed(lambda: ingest(lake, again, request, now=later, provenance=BY), 1),
    )
    day, symbol = made.sessions["session"][size.sessions // 2], made.symbols[size.symbols // 2]
    _reads(
        lake,
        folder / "plain.parquet",
        {
            "one cross-section": (pl.col("timeframe") == "1d") & (pl.col("session") == day),
            "one symbol's history": (pl.col("timeframe") == "1d") & (pl.col("symbol") == symbol),
        },
        dict.fromkeys(("one cross-section", "one symbol's history"), size.target(0.05)),
    )


def _reads(lake: Lake, plain: Path, wanted: dict[str, pl.Expr], targets: dict[str, float | None]) -> None:
    """Reads from the table beside those from one plain Parquet file, after their rows were compared."""
    everything = read(lake, Bars).collect()
    told("plain Parquet: write", timed(lambda: everything.write_parquet(plain), 3))
    for name, predicate in wanted.items():

        def from_lake(p: pl.Expr = predicate) -> pl.DataFrame:
            return read(lake, Bars, where=p).collect()

        def from_plain(p: pl.Expr = predicate) -> pl.DataFrame:
            return pl.scan_parquet(plain).filter(p).collect()

        ours, theirs = (rows.sort("symbol", "closes_at") for rows in (from_lake(), from_plain()))
        if ours.is_empty() or not ours.equals(theirs.select(ours.columns)):
            raise SystemExit(f"{name}: the table and the plain file differ")
        print(f"parity: {name}, {ours.height:,} rows equal to the plain file's")
        told(f"{name}, first read of a process", cold(lake, predicate, ours.height), targets[name])
        told(f"{name}, again in it", timed(from_lake))
        told(f"{name}, plain Parquet", timed(from_plain))


def minutes(folder: Path, size: Size) -> None:
    """1-minute bars, a year at full size: ingest, a symbol's month, a day's cross-section."""
    source = folder / "minutes"
    source.mkdir()
    calendar = sessions("XNYS", MINUTES_FROM, date(2019, 12, 31)).head(size.minute_sessions)
    made = _minutes(calendar)
    names = [f"M{i:02d}" for i in range(size.minute_symbols)]
    prices = ("open", "high", "low", "close")
    whole = {name: made.with_columns(pl.col(prices) + i) for i, name in enumerate(names)}
    for name, bars in whole.items():
        bars.write_parquet(source / f"{name}.parquet")
    lake = create_lake(str(folder / "intraday"))
    source_of = provider("files", {"folder": source, "timeframe": "1m"})
    request = Request(tuple(names), calendar["session"][0], calendar["session"][-1], "1m")
    now = datetime(2020, 1, 3, tzinfo=UTC)
    spent = timed(lambda: ingest(lake, source_of, request, now=now, provenance=BY), 1)
    same(lake, pl.concat(bars.with_columns(symbol=pl.lit(n), closes_at="date") for n, bars in whole.items()))
    told(f"ingest of {calendar.height} sessions of minutes, {len(names)} symbols", spent, size.target(30.0))
    day, middle = calendar["session"][calendar.height // 2], names[len(names) // 2]
    first, last = day.replace(day=1), (day.replace(day=1) + timedelta(days=31)).replace(day=1)
    month = pl.col("session").is_between(first, last, "left")
    of = pl.col("timeframe") == "1m"
    _reads(
        lake,
        folder / "plain_minutes.parquet",
        {
            "one symbol's month of minutes": of & (pl.col("symbol") == middle) & month,
            "one day of all symbols' minutes": of & (pl.col("session") == day),
        },
        {
            "one symbol's month of minutes": size.target(0.05),
            "one day of all symbols' minutes": None,
        },
    )


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

    whole = decode()
    # The same records by the standard library, one by one.
    expected = [
        ((start + hour * 3_600_000 + at) * 1000, bid / 1e5, ask / 1e5)
        for hour, body in enumerate(bodies)
        for at, ask, bid, _, _ in struct.iter_unpack(">IIIff", lzma.decompress(body) if body else b"")
    ]
    rows = whole.select(pl.col("at").dt.epoch("us"), "bid", "ask").rows()
    print(f"parity: {whole.height:,} ticks {'equal' if rows == expected else 'DIFFERENT'}")
    if rows != expected:
        raise SystemExit("the ticks differ from the records")
    told("decode of a day of EURUSD ticks", timed(decode), 0.5)


def scan(data: Path, size: Size) -> None:
    """A scan of thousands of symbols: the coarse file of a day, and the momentum rules over 300 sessions."""
    lean = provider("lean", {"folder": data / "lean"})
    snapshot = lean.snapshot(date(2014, 4, 2))  # type: ignore[attr-defined]
    print(f"coarse file: {snapshot.height:,} stocks")
    ranked = timed(lambda: most_traded(lean.snapshot(date(2014, 4, 2)), 500))  # type: ignore[attr-defined]
    told("coarse file read and the 500 most traded", ranked)
    made = market(size.scanned, 300)

    def whole() -> int:
        history = history_from_frames(made.bars, made.actions, made.instruments, made.sessions)
        return Momentum().research(history, slice(299, 300)).candidates.height

    print(f"candidates: {whole()}")
    told(f"history of {size.scanned:,} x 300 and a day's momentum scan", timed(whole, 3), size.target(5.0))


def main() -> None:
    """Print machine, versions and all parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="all by default")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="third-party data")
    parser.add_argument("--small", action="store_true", help="a fraction of the size, against no target")
    asked = parser.parse_args()
    size = SMALL if asked.small else Size()
    chosen = set(asked.parts)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    packages = ", ".join(f"{name} {version(name)}" for name in ("polars", "deltalake", "pyarrow", "numpy"))
    print(f"{machine}, Python {platform.python_version()}, {packages}")
    with tempfile.TemporaryDirectory() as folder:
        if "daily" in chosen:
            daily(Path(folder), size)
        if "minutes" in chosen:
            minutes(Path(folder), size)
    if chosen & {"ticks", "scan"} and not asked.data.is_dir():
        print(f"ticks and scan are left out: {asked.data} is no folder")
        return
    if "ticks" in chosen:
        ticks(asked.data)
    if "scan" in chosen:
        scan(asked.data, size)


if __name__ == "__main__":
    main()
