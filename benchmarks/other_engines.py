"""The monthly rebalancing in vectorbt and in bt: run by ``benchmarks.rebalance`` in an environment of theirs.

``python benchmarks/other_engines.py prices.npz ENGINE CAPITAL REPETITIONS`` prints one JSON object. The file
holds ``close`` (sessions by symbols), ``days`` and ``weights`` (NaN where nothing is asked for).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd


def with_vectorbt(close: Any, weights: Any, capital: float) -> float:
    """Target percentages of one group that shares its cash; sells before buys."""
    import vectorbt  # noqa: PLC0415 - only the engine asked for is loaded

    portfolio = vectorbt.Portfolio.from_orders(
        close,
        size=weights,
        size_type="targetpercent",
        group_by=True,
        cash_sharing=True,
        call_seq="auto",
        init_cash=capital,
        freq="1D",
    )
    return float(portfolio.value().iloc[-1])


def with_bt(close: Any, weights: Any, capital: float) -> float:
    """Weights by date and a rebalancing, in fractional units and without costs."""
    import bt  # noqa: PLC0415

    asked = weights.dropna(how="all")
    strategy = bt.Strategy(
        "top", [bt.algos.RunOnDate(*asked.index), bt.algos.WeighTarget(asked), bt.algos.Rebalance()]
    )
    test = bt.Backtest(strategy, close, initial_capital=capital, integer_positions=False, progress_bar=False)
    test.run()
    return float(test.strategy.value)


ENGINES: dict[str, Callable[[Any, Any, float], float]] = {"vectorbt": with_vectorbt, "bt": with_bt}


def main() -> None:
    """Run one engine and print its final equity and times."""
    path, name, capital, repetitions = sys.argv[1:]
    given = np.load(path)
    days = pd.DatetimeIndex(given["days"])
    names = [f"S{i:05d}" for i in range(given["close"].shape[1])]
    close = pd.DataFrame(given["close"], index=days, columns=names)
    weights = pd.DataFrame(given["weights"], index=days, columns=names)
    taken, busy, equity = [], [], 0.0
    for _ in range(int(repetitions) + 1):
        begun, worked = time.perf_counter(), time.process_time()
        equity = ENGINES[name](close, weights, float(capital))
        taken.append(time.perf_counter() - begun)
        busy.append(time.process_time() - worked)
    print(
        json.dumps(
            {
                "version": version(name),
                "python": sys.version.split()[0],
                "equity": equity,
                "first": taken[0],
                "seconds": taken[1:],
                "busy": busy[1:],
            }
        )
    )


if __name__ == "__main__":
    main()
