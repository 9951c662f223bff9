"""The same monthly rebalancing in the desk, vectorbt and bt, on the same prices, to the same equity.

``python -m benchmarks.rebalance --engines PYTHON`` makes prices of 500 names over 2,520 sessions and lets
each engine hold the 50 that rose most over half a year, in equal parts, rebalanced at the close of the
first session of every month: no costs, fractional units, cash shared. PYTHON is an interpreter that has the
packages of ``benchmarks/requirements.lock``; they are never installed beside the desk.

Parity gate: the weights that the desk's strategy asks for equal those given to the others, and the final
equities agree to 1e-9; otherwise the program ends with an error and no table.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assets.desk import policy, walk
from assets.inputs import MarketFrames, session_times
from assets.research import research, research_frames
from benchmarks.market import fill, market
from benchmarks.workplace import ROOT, describe, middle, table
from delta import create_lake, read
from trading.book import BookConfig, config_hash
from trading.history import History, history_from_frames
from trading.signals import candidates_by_session, signals_by_session
from trading.simulate import Inputs, simulate
from trading.state import new_state
from trading.window import Instrument, price_window

LOOKBACK, NAMES = 126, 50
CAPITAL, LARGER = 1e9, 1e10
"""Capital of the comparison; and ten times as much, to show that the difference is one of cents."""
TOLERANCE = 1e-9
VOLUME = 1e12
"""Units traded a day: no order is ever cut."""


@dataclass(frozen=True)
class Task:
    """What every engine is given."""

    history: History
    actions: pl.DataFrame
    instruments: dict[str, Instrument]
    weights: NDArray[np.float64]
    book: BookConfig

    @property
    def close(self) -> NDArray[np.float64]:
        """Closes, sessions by symbols."""
        return self.history.close.reshape(len(self.history.symbols), -1).T


def book_of(first: date) -> BookConfig:
    """A book whose limits, costs and roundings are all out of the way."""
    free = {"slippage": {"model": "none"}, "commission": {"model": "none"}, "participation": 1.0}
    return BookConfig.model_validate(
        {
            "name": "top-momentum",
            "start": first,
            "capital": CAPITAL,
            "fill": "same_close",
            "strategies": {
                "top": {
                    "class": "benchmarks.top_momentum:TopMomentum",
                    "params": {"lookback": LOOKBACK, "names": NAMES},
                }
            },
            "sizing": {
                "mode": "target_weight",
                "whole_shares": False,
                "max_position": 1.0,
                "min_position": 0.0,
            },
            "risk": {
                "max_daily_loss": 1.0,
                "max_positions": 10_000,
                "max_portfolio_exposure": 10.0,
                "max_sector_exposure": 10.0,
                "regime": False,
            },
            "costs": {"stock": free},
        }
    )


def weights_of(close: NDArray[np.float64], days: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Weights by a plain reading of the rule: NaN where nothing is asked for, 0 for what is to be sold."""
    weights = np.full(close.shape, np.nan)
    months = days.astype("datetime64[M]")
    for t in np.flatnonzero(months[1:] != months[:-1]) + 1:
        if t >= LOOKBACK:
            rise = close[t] / close[t - LOOKBACK] - 1.0
            weights[t] = 0.0
            weights[t, np.lexsort((np.arange(len(rise)), -rise))[:NAMES]] = 1.0 / NAMES
    return weights


def task(folder: Path, symbols: int, length: int) -> Task:
    """Prices in a lake, in memory and as a file for the others."""
    made = market(symbols, length, actions=False)
    made = replace(made, bars=made.bars.with_columns(pl.lit(VOLUME).alias("volume")))
    fill(create_lake(folder / "lake"), made)
    history = history_from_frames(made.bars, made.actions, made.instruments, made.sessions)
    close = history.close.reshape(symbols, length).T
    weights = weights_of(close, history.sessions)
    np.savez(
        folder / "prices.npz", close=close, days=history.sessions.astype("datetime64[ns]"), weights=weights
    )
    described = {
        name: Instrument("stock", sector, 1.0)
        for name, sector in made.instruments.select("symbol", "sector").iter_rows()
    }
    return Task(history, made.actions, described, weights, book_of(made.sessions["session"][0]))


def in_memory(given: Task) -> float:
    """The desk from arrays to final equity: research, decisions, fills and all rows, nothing written."""
    book, days = given.book, given.history.sessions
    first, last = days[0].astype(object), days[-1].astype(object)
    market = MarketFrames(given.history, given.actions, given.instruments, pairs=pl.DataFrame(), calendars={})
    frames = research_frames(book, market, first, last)
    signals, candidates = frames["signals"], frames["candidates"]
    journal = simulate(
        new_state(book.capital, book.currency),
        price_window(
            given.history, session_times(book.calendar, first, last), book, given.actions, given.instruments
        ),
        Inputs(signals_by_session(signals, candidates), candidates_by_session(candidates), {}),
        policy(book),
        config_hash=config_hash(book),
    )
    return float(journal.frames()["portfolio"]["equity"][-1])


def with_tables(given: Task, folder: Path) -> float:
    """The stages of the desk: bars read from the lake, every table written with its provenance."""
    lake, book = create_lake(folder / "lake"), given.book
    last: date = given.history.sessions[-1].astype(object)
    research(lake, book, book.start, last, "benchmark")
    walk(lake, book, book.start, last, "benchmark")
    return float(read(lake, "portfolio").sort("session").collect()["equity"][-1])


def timed(run: Callable[[], float], repetitions: int) -> dict[str, Any]:
    """Equity, the first call's seconds, and those of the repetitions by the clock and of the processor."""
    taken, busy, equity = [], [], 0.0
    for _ in range(repetitions + 1):
        begun, worked = time.perf_counter(), time.process_time()
        equity = run()
        taken.append(time.perf_counter() - begun)
        busy.append(time.process_time() - worked)
    return {"equity": equity, "first": taken[0], "seconds": taken[1:], "busy": busy[1:]}


def other(
    python: str, folder: Path, engine: str, repetitions: int, capital: float = CAPITAL
) -> dict[str, Any]:
    """Run another engine in its own environment."""
    program = ROOT / "benchmarks" / "other_engines.py"
    command = [python, str(program), str(folder / "prices.npz"), engine, repr(capital), str(repetitions)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{engine} failed in {python}:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def refuse_other_weights(given: Task, folder: Path) -> int:
    """Parity of what is asked for: the strategy's signals against the plain reading; returns their number."""
    signals = read(create_lake(folder / "lake"), "signals").collect()
    row = np.searchsorted(given.history.sessions, signals["session"].to_numpy())
    column = np.searchsorted(given.history.symbols, signals["symbol"].to_numpy())
    asked = np.where(np.isnan(given.weights).all(axis=1, keepdims=True), np.nan, 0.0) * np.ones_like(
        given.close
    )
    asked[row, column] = signals["weight"].to_numpy()
    if not np.array_equal(asked, given.weights, equal_nan=True):
        raise SystemExit("parity: the desk's strategy asks for other weights than the others were given")
    return signals.height


def main() -> None:
    """Run all engines, hold their equities against each other, print the times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--engines", required=True, help="interpreter with benchmarks/requirements.lock")
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=2520)
    parser.add_argument("--repeat", type=int, default=5)
    asked = parser.parse_args()
    print(
        f"Monthly top {NAMES} of {asked.symbols} x {asked.sessions}, medians of {asked.repeat}\n{describe()}"
    )
    with tempfile.TemporaryDirectory(prefix="desk-rebalance-") as name:
        folder = Path(name)
        given = task(folder, asked.symbols, asked.sessions)
        found = {
            "desk, in memory": timed(lambda: in_memory(given), asked.repeat),
            "desk, all tables written": timed(lambda: with_tables(given, folder), asked.repeat),
        }
        targets = refuse_other_weights(given, folder)
        for engine in ("vectorbt", "bt"):
            result = other(asked.engines, folder, engine, asked.repeat)
            found[f"{engine} {result['version']}"] = result
        richer = given.book.model_copy(update={"capital": LARGER})
        large = in_memory(replace(given, book=richer))
        same = other(asked.engines, folder, "vectorbt", 0, LARGER)["equity"]
    refuse_other_equity(found)
    print(f"parity: with a capital of {LARGER:.0e} desk and vectorbt differ by {abs(large / same - 1):.2g}\n")
    show(found, targets)


def refuse_other_equity(found: dict[str, dict[str, Any]]) -> None:
    """Parity gate: the largest difference between two engines, over the equity."""
    equities = {name: result["equity"] for name, result in found.items()}
    apart = (max(equities.values()) - min(equities.values())) / min(equities.values())
    print("\nparity: final equities " + ", ".join(f"{name} {value:,.2f}" for name, value in equities.items()))
    if not apart <= TOLERANCE:
        raise SystemExit(f"parity: they differ by {apart:.3g} of the equity, more than {TOLERANCE:g}")
    print(f"parity: they agree to {apart:.2g} of the equity (gate {TOLERANCE:g})")


def show(found: dict[str, dict[str, Any]], targets: int) -> None:
    """Table of the times and what it compares."""
    fastest = min(middle(result["busy"]) for result in found.values())
    rows = [
        [
            name,
            f"{result['first']:.2f} s",
            f"{middle(result['seconds']):.3f} s",
            f"{min(result['seconds']):.3f} s",
            f"{middle(result['busy']):.3f} s",
            f"{middle(result['busy']) / fastest:.1f}",
        ]
        for name, result in found.items()
    ]
    print(table(("engine", "first call", "median", "best", "processor", "ratio"), rows))
    print(
        f"""
{targets} target weights, asked for by the desk's strategy itself; the others are given them as an array.
The desk's times include the strategy and its rows: orders with gates, events, fills, positions and the
saved state of every session. The first call of vectorbt compiles, that of the desk loads its calendar.
The desk's ledger keeps whole cents and a rebalancing leaves one cent an order in cash: an amount of money
that does not grow with the capital, hence a share of it that falls as the capital rises. bt 1.4 sizes by
iteration to an absolute 1e-8 and gives up above some 1e9."""
    )


if __name__ == "__main__":
    main()
