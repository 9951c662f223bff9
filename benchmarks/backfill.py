"""A whole backfill of the momentum book through Dagster, at several sizes.

``python -m benchmarks.backfill`` makes a synthetic market of each size in a lake of its own, then runs
research, desk, reports and checks as one Dagster run, each in a fresh process whose peak memory is taken.
Parity: every size must hold a row of ``portfolio`` per session with cash, positions and receivables that
add up to the cent, the walk alone must end on the same equity, and all repetitions must leave equal tables.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from assets.desk import READS, opening_state, policy, walk_inputs
from assets.inputs import clipped, prices_of, read_market, session_times
from benchmarks.market import fill, market
from benchmarks.workplace import (
    child,
    describe,
    desk_folder,
    middle,
    momentum_book,
    peak_memory,
    table,
)
from delta import create_lake, pin, read
from pipelines.runs import desk_instance, run_backtest
from resources.desk import DeskResource
from trading.book import config_hash
from trading.simulate import simulate

SIZES = ((500, 630), (500, 2520), (2000, 2520), (5000, 5040))
NAME = "momentum"
LIMITS = {(500, 2520): (20.0, 2.0), (5000, 5040): (240.0, 10.0)}
"""Seconds and gigabytes that a size may take."""
TABLES = (
    "candidates",
    "signals",
    "regimes",
    "orders",
    "order_events",
    "fills",
    "positions",
    "portfolio",
    "trades",
)


def prepare(folder: Path, symbols: int, length: int) -> dict[str, Any]:
    """Fill the lake of a size."""
    desk_folder(folder)
    made = market(symbols, length)
    momentum_book(folder, NAME, made.sessions["session"][0], made.symbols[0])
    begun = time.perf_counter()
    bars = fill(create_lake(folder / "lake"), made)
    return {"bars": bars, "seconds": time.perf_counter() - begun}


def backfill(folder: Path) -> dict[str, Any]:
    """Run the backfill once: seconds of the run, of its steps, and the process's peak memory."""
    desk = DeskResource(config_file=str(folder / "desk.toml"))
    instance = desk_instance(str(folder / "dagster"))
    first = desk.book(NAME).start
    begun, worked = time.perf_counter(), time.process_time()
    result = run_backtest(desk, instance, NAME, first, date(2019, 12, 31))
    seconds, busy = time.perf_counter() - begun, time.process_time() - worked
    steps = {
        event.step_key: event.step_success_data.duration_ms / 1000.0
        for event in result.all_events
        if event.event_type_value == "STEP_SUCCESS"
    }
    return {"seconds": seconds, "busy": busy, "steps": steps, "memory": peak_memory(), **_contents(desk)}


def _contents(desk: DeskResource) -> dict[str, Any]:
    """What the run left: rows, a hash of the tables without run ids, final equity, whether it adds up."""
    lake = desk.lake()
    rows, digest = {}, 0
    for name in TABLES:
        frame = read(lake, name).collect().drop("run_id", strict=False)
        rows[name] = frame.height
        digest ^= int(frame.hash_rows(seed=1).sum() or 0) % 2**61
    portfolio = read(lake, "portfolio").sort("session").collect()
    wrong = portfolio["cash"] + portfolio["positions_value"] + portfolio["receivables"] - portfolio["equity"]
    return {
        "rows": rows,
        "digest": digest,
        "equity": portfolio["equity"][-1],
        "off_by": wrong.abs().to_numpy().max(initial=0.0).item(),
    }


def decide_only(folder: Path, repetitions: int) -> dict[str, Any]:
    """The walk of the sessions alone, from prices and research in memory: fills, decisions, rows."""
    desk = DeskResource(config_file=str(folder / "desk.toml"))
    book = desk.book(NAME)
    first, last = clipped(book, book.start, date(2019, 12, 31)) or (book.start, book.start)
    pins = pin(desk.lake(), READS)
    market = read_market(pins, book, last)
    times = session_times(book.calendar, first, last)
    prices = prices_of(market, book, times)
    inputs, rules, digest = walk_inputs(pins, book, first, last), policy(book), config_hash(book)
    taken, busy = [], []
    for _ in range(repetitions):
        state = opening_state(pins, book, first)
        begun, worked = time.perf_counter(), time.process_time()
        journal = simulate(state, prices, inputs, rules, config_hash=digest)
        taken.append(time.perf_counter() - begun)
        busy.append(time.process_time() - worked)
    cells = len(times) * len(market.history.symbols)
    return {"seconds": taken, "busy": busy, "cells": cells, "equity": journal.portfolio[-1][5]}


def measure(size: tuple[int, int], repetitions: int) -> dict[str, Any]:
    """All figures of one size; the lake is made once, every repetition replaces the book's rows."""
    folder = Path(tempfile.mkdtemp(prefix="desk-backfill-"))
    try:
        made = child("benchmarks.backfill", "--prepare", str(folder), str(size[0]), str(size[1]))
        runs = [child("benchmarks.backfill", "--backfill", str(folder)) for _ in range(repetitions)]
        walk = child("benchmarks.backfill", "--walk", str(folder), str(max(repetitions, 5)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    refuse_differences(size, runs, walk)
    return {"made": made, "runs": runs, "walk": walk}


def refuse_differences(size: tuple[int, int], runs: Sequence[dict[str, Any]], walk: dict[str, Any]) -> None:
    """Parity; a figure of a run that went wrong is no figure."""
    name = f"{size[0]} x {size[1]}"
    if any(run["rows"]["portfolio"] != size[1] for run in runs):
        raise SystemExit(f"{name}: a session is missing: {runs[0]['rows']}")
    if any(run["off_by"] >= 0.005 for run in runs):
        raise SystemExit(f"{name}: money does not add up")
    if len({run["digest"] for run in runs}) != 1:
        raise SystemExit(f"{name}: repetitions left different tables")
    if walk["equity"] != runs[0]["equity"]:
        raise SystemExit(f"{name}: the walk ends on {walk['equity']}, the run on {runs[0]['equity']}")


def report(size: tuple[int, int], found: dict[str, Any]) -> list[str]:
    """Row of the table."""
    runs, walk = found["runs"], found["walk"]
    seconds = middle([run["seconds"] for run in runs])
    speed, quiet = (walk["cells"] / middle(walk[key]) / 1e6 for key in ("seconds", "busy"))
    steps = {key: middle([run["steps"][key] for run in runs]) for key in runs[0]["steps"]}
    main = [steps[f"backtest_{name}"] for name in ("research", "desk", "reports")]
    return [
        f"{size[0]} x {size[1]}",
        f"{found['made']['bars']:,}",
        f"{seconds:.1f} s",
        f"{middle([run['busy'] for run in runs]):.1f} s",
        *(f"{value:.1f} s" for value in main),
        f"{sum(steps.values()) - sum(main):.1f} s",
        f"{max(run['memory'] for run in runs) / 1024:.2f} GB",
        f"{seconds / found['made']['bars'] * 1e6:.1f} us",
        f"{speed:.2f} M/s",
        f"{quiet:.2f} M/s",
        f"{sum(runs[0]['rows'].values()):,}",
    ]


HEAD = (
    "symbols x sessions",
    "bars",
    "whole run",
    "processor",
    "research",
    "desk",
    "reports",
    "checks",
    "peak memory",
    "a bar",
    "walk alone",
    "by processor",
    "rows written",
)


def main() -> None:
    """Measure every size and say which targets are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sizes", default=",".join(f"{a}x{b}" for a, b in SIZES))
    parser.add_argument("--repeat", type=int, default=3)
    sizes = [tuple(map(int, size.split("x"))) for size in parser.parse_args().sizes.split(",")]
    repetitions = parser.parse_args().repeat
    print(
        f"Backfill of the momentum book through Dagster, medians of {repetitions}\n{describe()}\n", flush=True
    )
    rows, verdicts = [], []
    for symbols, length in sizes:
        found = measure((symbols, length), repetitions)
        rows.append(report((symbols, length), found))
        verdicts += verdict((symbols, length), found)
        print("  ".join(rows[-1]), flush=True)
    print("\n" + table(HEAD, rows) + "\n")
    print("\n".join(verdicts))
    print("parity: sessions complete, money adds up, repetitions equal, walk and run end on one equity: yes")
    print("walk alone: symbol-sessions a second, by the clock and by the time that the processor gave it")
    print("the memory is that of the process that runs the job; the lake is made before, by another one")


def verdict(size: tuple[int, int], found: dict[str, Any]) -> list[str]:
    """Targets of a size against its figures."""
    if size not in LIMITS:
        return []
    limit, room = LIMITS[size]
    seconds = middle([run["seconds"] for run in found["runs"]])
    memory = max(run["memory"] for run in found["runs"]) / 1024
    met = "met" if seconds <= limit and memory <= room else "MISSED"
    return [f"{size[0]} x {size[1]}: {seconds:.1f} of {limit:.0f} s, {memory:.2f} of {room:.0f} GB: {met}"]


def part(arguments: Sequence[str]) -> dict[str, Any]:
    """One part in a process of its own."""
    what, folder, *rest = arguments
    if what == "--prepare":
        return prepare(Path(folder), int(rest[0]), int(rest[1]))
    return decide_only(Path(folder), int(rest[0])) if what == "--walk" else backfill(Path(folder))


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in ("--prepare", "--backfill", "--walk"):
        print(json.dumps(part(sys.argv[1:])))
    else:
        main()
