"""The daily run of a paper book of 500 names with ten years behind it.

``python -m benchmarks.daily`` gives a paper book ten years of backfilled sessions, then runs the sessions
after it one by one, each in a fresh process as the schedule does: in turn by the functions of the stages,
each of them timed, and as the whole Dagster job in this process. New bars come from one file a symbol.
Parity: once all are run, the book's portfolio must equal, row for row, that of a single backfill over the
same sessions.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.market import CALENDAR, LAST, Market, files, fill, market
from benchmarks.workplace import child, describe, desk_folder, middle, momentum_book, table
from delta import create_lake, read
from resources.calendar import sessions

WARM_UP = 300
"""Sessions of bars before the first one of the book."""
NAME, TWIN = "momentum-paper", "momentum-backfilled"
LIMIT = 2.0
"""Seconds that the stages of a session may take together."""
LOADED_LATER = ("trading.strategies.momentum.strategy",)
"""Modules that the stages load on first use; loading is told apart from work."""
LATER = timedelta(hours=1)
"""How long after the close a session is run."""


def prepare(folder: Path, symbols: int, length: int, days: int) -> Market:
    """A desk whose paper book has decided ``length`` sessions; its provider's files have ``days`` more."""
    new = sessions(CALENDAR, LAST + timedelta(days=1), LAST + timedelta(days=days * 3 // 2 + 14))["session"]
    made = market(symbols, WARM_UP + length + days, last=new[days - 1])
    desk_folder(folder)
    files(folder / "files", made)
    fill(create_lake(folder / "lake"), made, WARM_UP + length)
    first = made.sessions["session"][WARM_UP]
    momentum_book(folder, NAME, first, made.symbols[0], mode="paper")
    momentum_book(folder, TWIN, first, made.symbols[0], end=made.sessions["session"][-1])
    child("benchmarks.daily", "--backfill", str(folder), NAME, LAST.isoformat())
    return made


def resource_at(folder: Path, now: str) -> Any:
    """The desk's resource at a time."""
    from resources.desk import DeskResource  # noqa: PLC0415 - the imports of a run are timed

    return DeskResource(config_file=str(folder / "desk.toml"), fixed_now=now)


def backfill(folder: Path, name: str, last: date) -> dict[str, Any]:
    """Backfill a book through Dagster."""
    from pipelines.runs import desk_instance, run_backtest  # noqa: PLC0415

    desk = resource_at(folder, "")
    run_backtest(desk, desk_instance(str(folder / "dagster")), name, desk.book(name).start, last)
    return {}


def by_functions(folder: Path, session: date, now: str) -> dict[str, Any]:
    """One session by the functions that the assets call, each with its seconds."""
    begun = time.perf_counter()
    from assets.alerts import raise_alerts  # noqa: PLC0415
    from assets.desk import walk  # noqa: PLC0415
    from assets.factory import report_metadata  # noqa: PLC0415
    from assets.inputs import MARKET_READS  # noqa: PLC0415
    from assets.market_data import update_market, wanted  # noqa: PLC0415
    from assets.reports import READS, report  # noqa: PLC0415
    from assets.research import research  # noqa: PLC0415
    from delta import pin  # noqa: PLC0415
    from pipelines.partitions import DESK  # noqa: PLC0415
    from resources.providers.files import Files  # noqa: PLC0415

    for module in (*LOADED_LATER, "pipelines.definitions"):
        importlib.import_module(module)
    desk = resource_at(folder, now)
    taken, busy = {"imports": time.perf_counter() - begun, "provider": 0.0}, {"provider": 0.0}
    Files.fetch = _timing(Files.fetch, "provider", taken, busy)  # type: ignore[method-assign]
    lake, book, config, at, run = desk.lake(), desk.book(NAME), desk.config(), desk.now(), "by-functions"

    def pages() -> None:
        report(lake, book, session, session, run)
        report_metadata(pin(lake, [*READS, *MARKET_READS]), book, session, session, family=DESK)

    stages: dict[str, Callable[[], Any]] = {
        "ingest": lambda: update_market(lake, config, wanted(lake, config, [book], at), now=at, run_id=run),
        "research": lambda: research(lake, book, session, session, run),
        "desk": lambda: walk(lake, book, session, session, run, scheduled=True),
        "reports": pages,
        "alerts": lambda: raise_alerts(lake, config, book, session, run, at),
    }
    for stage, work in stages.items():
        begun, worked = time.perf_counter(), time.process_time()
        work()
        taken[stage], busy[stage] = time.perf_counter() - begun, time.process_time() - worked
    taken["ingest"] -= taken["provider"]
    busy["ingest"] -= busy["provider"]
    return {"taken": taken, "busy": busy, "processor": time.process_time()}


def _timing(
    function: Callable[..., Any], name: str, taken: dict[str, float], busy: dict[str, float]
) -> Callable[..., Any]:
    """The function, its seconds and those of the processor added up under a name."""

    def timed(*arguments: Any) -> Any:
        begun, worked = time.perf_counter(), time.process_time()
        answer = function(*arguments)
        taken[name] += time.perf_counter() - begun
        busy[name] += time.process_time() - worked
        return answer

    return timed


def by_job(folder: Path, session: date, now: str) -> dict[str, Any]:
    """One session as the Dagster job, with the steps' own seconds."""
    begun = time.perf_counter()
    from pipelines.runs import desk_instance, run_session  # noqa: PLC0415

    desk, instance = resource_at(folder, now), desk_instance(str(folder / "dagster"))
    imported = time.perf_counter() - begun
    begun = time.perf_counter()
    result = run_session(desk, instance, NAME, session)
    whole = time.perf_counter() - begun
    steps = sum(
        event.step_success_data.duration_ms / 1000.0
        for event in result.all_events
        if event.event_type_value == "STEP_SUCCESS"
    )
    taken = {"imports": imported, "job": whole, "steps": steps}
    return {"taken": taken, "processor": time.process_time()}


def place(folder: Path, now: str) -> dict[str, Any]:
    """Hand the approved orders to the simulated broker, as the sensor's job does."""
    from resources.brokers.paper import place as hand_over  # noqa: PLC0415

    desk = resource_at(folder, now)
    begun = time.perf_counter()
    events = hand_over(desk.lake(), NAME, now=desk.now(), run_id="place", code_version="0")
    return {"seconds": time.perf_counter() - begun, "orders": events.height}


def measure(folder: Path, made: Market, days: int) -> dict[str, list[dict[str, Any]]]:
    """Run the new sessions, in turn by functions and as a job; orders are placed after each."""
    found: dict[str, list[dict[str, Any]]] = {"--functions": [], "--job": []}
    for index, row in enumerate(made.sessions.tail(days).iter_rows(named=True)):
        how = ("--functions", "--job")[index % 2]
        now = (row["closes_at"] + LATER).isoformat()
        begun = time.perf_counter()
        run = child("benchmarks.daily", how, str(folder), row["session"].isoformat(), now)
        found[how].append({**run, "process": time.perf_counter() - begun})
        child("benchmarks.daily", "--place", str(folder), now)
    return found


def refuse_differences(folder: Path, last: date) -> int:
    """Parity: backfill the twin over everything and compare; returns the number of equal rows."""
    child("benchmarks.daily", "--backfill", str(folder), TWIN, last.isoformat())
    lake, compared = create_lake(folder / "lake"), 0
    for name, dropped in (
        ("portfolio", ["book", "config_hash", "state"]),
        ("positions", ["book"]),
        ("signals", ["book"]),
    ):
        rows = read(lake, name).collect()
        ours, twin = (
            rows.filter(pl.col("book") == book).drop(dropped).sort(pl.all()) for book in (NAME, TWIN)
        )
        if not ours.equals(twin):
            raise SystemExit(f"parity: {name} of the daily runs and of one backfill differ")
        compared += ours.height
    return compared


def show(found: dict[str, list[dict[str, Any]]]) -> tuple[float, float]:
    """Print medians and the range; returns the medians of the desk's own work, by clock and processor."""
    runs, jobs = found["--functions"], found["--job"]
    together = [sum(run["taken"][name] for name in OWN) for run in runs]
    busy = [sum(run["busy"][name] for name in OWN) for run in runs]
    rows = [
        _row(
            name,
            [run["taken"][name] for run in runs],
            [run["busy"][name] for run in runs if name in run["busy"]],
        )
        for name in ("imports", "provider", *OWN)
    ]
    rows.append(_row("the desk's own work", together, busy))
    rows.append(_row("Dagster: imports", [run["taken"]["imports"] for run in jobs], []))
    whole = [run["processor"] for run in jobs]
    rows.append(_row("Dagster: the whole job", [run["taken"]["job"] for run in jobs], []))
    rows.append(_row("Dagster: of it within steps", [run["taken"]["steps"] for run in jobs], []))
    rows.append(_row("Dagster: process with imports", [run["process"] for run in jobs], whole))
    print(table(("part", "median", "least", "most", "processor"), rows))
    return middle(together), middle(busy)


OWN = ("ingest", "research", "desk", "reports", "alerts")


def _row(name: str, values: Sequence[float], busy: Sequence[float]) -> list[str]:
    figures = [f"{value:.2f} s" for value in (middle(values), min(values), max(values))]
    return [name, *figures, f"{middle(busy):.2f} s" if busy else ""]


def main() -> None:
    """Measure and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=2520, help="sessions decided before")
    parser.add_argument("--days", type=int, default=10, help="sessions to run")
    asked = parser.parse_args()
    print(f"Daily run of {asked.symbols} names after {asked.sessions} sessions\n{describe()}\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="desk-daily-") as name:
        folder = Path(name)
        made = prepare(folder, asked.symbols, asked.sessions, asked.days)
        found = measure(folder, made, asked.days)
        rows = refuse_differences(folder, made.sessions["session"][-1])
    own, busy = show(found)
    print(f"\nparity: {rows:,} rows of the daily runs equal those of one backfill: yes")
    print("own work: all but the provider's answers (one file a symbol here) and loading modules (imports)")
    met = "met" if own <= LIMIT else "met by processor time only" if busy <= LIMIT else "MISSED"
    print(f"the desk's own work: {own:.2f} s by the clock, {busy:.2f} s of processor")
    print(f"target {LIMIT:.0f} s: {met}")


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "--backfill": lambda folder, name, last: backfill(Path(folder), name, date.fromisoformat(last)),
    "--functions": lambda folder, day, now: by_functions(Path(folder), date.fromisoformat(day), now),
    "--job": lambda folder, day, now: by_job(Path(folder), date.fromisoformat(day), now),
    "--place": lambda folder, now: place(Path(folder), now),
}
"""What a process of its own does."""


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in PARTS:
        print(json.dumps(PARTS[sys.argv[1]](*sys.argv[2:])))
    else:
        main()
