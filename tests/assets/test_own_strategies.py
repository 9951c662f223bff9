"""A user's own strategy, from its file through ``desk backtest`` to fills and a report."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import delta
from assets.replay import replay
from delta import Lake
from delta.contracts import Bars
from tests.cli.shell import Shell, own_environment

from .walks import days_of, rows

PROGRAM = Path(sys.executable).with_name("desk")
STRATEGIES = '''
import polars as pl
from pydantic import BaseModel

from trading.indicators import Indicator


class Dip:
    """Buys a fall of a day above the average, with a stop, a target and a longest holding."""

    class Parameters(BaseModel):
        fall: float = 0.03

    indicators = {"average": Indicator("simple_moving_average", window=50)}

    def signals(self, frame):
        change = pl.col("close") / pl.col("close").shift(1).over("symbol") - 1
        return frame.with_columns(
            entry=(change < -self.parameters.fall) & (pl.col("close") > pl.col("average")),
            stop=pl.col("close") * 0.95,
            target=pl.col("close") * 1.06,
            max_hold=8,
            reason=pl.lit("dip"),
        )


class Rotation:
    """Holds the names that rose over 60 bars in equal parts, decided on the first session of a month."""

    def signals(self, frame):
        risen = pl.col("close") > pl.col("close").shift(60).over("symbol")
        month = pl.col("session").dt.month()
        first = month != month.shift(1).over("symbol")
        weight = pl.when(risen).then(0.9 / pl.len().over("session")).otherwise(0.0)
        return frame.with_columns(weight=pl.when(first).then(weight))
'''
DIP = """
start = 2005-01-03
end = 2006-12-29
[universe]
symbols = ["AAPL", "GOOG", "IBM", "MSFT"]
[strategies.dips]
class = "mine.strategies:Dip"
params = { fall = 0.025 }
[risk]
regime = false
"""
ROTATION = """
start = 2005-01-03
end = 2006-12-29
[universe]
symbols = ["AAPL", "IBM", "MSFT"]
[strategies.rotation]
class = "mine.strategies:Rotation"
[sizing]
mode = "target_weight"
max_position = 1.0
cash_buffer = 0.02
[risk]
regime = false
max_portfolio_exposure = 1.0
max_sector_exposure = 1.0
max_correlated = 10
"""
SPAN = (date(2005, 1, 3), date(2006, 12, 29))
SPLIT = date(2005, 2, 28)
"""Apple's, 2:1."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: two books and a package with their strategies."""
    folder = tmp_path_factory.mktemp("user")
    for name, text in {
        "config/books/dips.toml": DIP,
        "config/books/rotation.toml": ROTATION,
        "mine/__init__.py": "",
        "mine/strategies.py": STRATEGIES,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def dips(project: Path) -> tuple[Lake, dict[str, Any]]:
    """A book walked by the installed program; its lake and the report."""
    done = subprocess.run(
        [str(PROGRAM), "backtest", "--book", "dips", "--json"],
        cwd=project,
        env=own_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return delta.open_lake(project / "lake"), json.loads(done.stdout)


@pytest.fixture(scope="module")
def rotation(project: Path) -> tuple[Lake, dict[str, Any]]:
    """A book walked by the program's entry function; its lake and the report."""
    done = Shell(project).desk("backtest", "--book", "rotation", "--json")
    assert (done.code, done.err) == (0, "")
    return delta.open_lake(project / "lake"), done.json


def test_entries_are_the_falls_of_the_bars(dips: tuple[Lake, dict[str, Any]]) -> None:
    lake, _ = dips
    signals = rows(lake, "signals", "dips")
    assert set(signals["action"]) == {"BUY"}
    close = pl.col("close")
    bars = delta.read(lake, Bars).sort("symbol", "session").collect()
    whole = bars.filter(pl.col("symbol") == "GOOG").with_columns(  # neither splits nor dividends
        change=close / close.shift(1) - 1, average=close.rolling_mean(50)
    )
    expected = whole.filter(
        pl.col("change") < -0.025, close > pl.col("average"), pl.col("session").is_between(*SPAN)
    )
    found = signals.filter(pl.col("symbol") == "GOOG")
    assert found["session"].to_list() == expected["session"].to_list()
    assert found["stop"].to_numpy() == pytest.approx(expected["close"].to_numpy() * 0.95)
    assert found["target"].to_numpy() == pytest.approx(expected["close"].to_numpy() * 1.06)
    assert found["max_hold"].to_list() == [8] * found.height


def test_stops_targets_and_time_close_what_dips_opened(dips: tuple[Lake, dict[str, Any]]) -> None:
    lake, report = dips
    trades = rows(lake, "trades", "dips")
    assert set(trades["exit_reason"]) == {"stop_loss", "profit_target", "time"}
    timed = trades.filter(pl.col("exit_reason") == "time")
    assert set(timed["sessions_held"]) == {9}, "decided on the close of the eighth, sold at the next open"
    won = trades.filter(pl.col("exit_reason") == "profit_target")["trade_return"]
    lost = trades.filter(pl.col("exit_reason") == "stop_loss")["trade_return"]
    assert won.to_list() == [each for each in won if each > 0.0]
    assert lost.to_list() == [each for each in lost if each < 0.0]
    assert set(rows(lake, "fills", "dips")["purpose"]) == {"entry", "stop_loss", "profit_target", "exit"}
    assert set(rows(lake, "orders", "dips").filter(pl.col("purpose") == "entry")["reason"]) == {"dip"}
    assert report


def test_the_stop_protects_in_the_market(dips: tuple[Lake, dict[str, Any]]) -> None:
    """A stop fills at its price less slippage, or at the open that gapped below it."""
    lake, _ = dips
    stops = rows(lake, "orders", "dips").filter(
        pl.col("purpose") == "stop_loss", pl.col("intent") == "submit"
    )
    fills = rows(lake, "fills", "dips").filter(pl.col("purpose") == "stop_loss")
    bars = delta.read(lake, Bars).select("symbol", "session", bar_open="open").collect()
    asked = stops.select("order_ref", "stop_price", decided="session")
    met = fills.join(asked, on="order_ref").join(bars, on=["symbol", "session"])
    split = (pl.col("symbol") == "AAPL") & (pl.col("decided") < SPLIT) & (pl.col("session") >= SPLIT)
    met = met.with_columns(
        pl.when(split).then(pl.col("stop_price") / 2).otherwise("stop_price").alias("stop_price")
    )
    assert met.height == fills.height > 2
    worst = met.select(pl.min_horizontal("stop_price", "bar_open") * 0.999).to_series()
    assert met["price"].to_numpy() == pytest.approx(worst.to_numpy(), rel=1e-9)


def month_starts() -> list[date]:
    """First sessions of the months."""
    days = days_of(*SPAN)
    return [days[0], *(day for before, day in pairwise(days) if before.month != day.month)]


def test_weights_are_asked_for_when_a_month_begins(rotation: tuple[Lake, dict[str, Any]]) -> None:
    lake, _ = rotation
    signals = rows(lake, "signals", "rotation")
    assert set(signals["action"]) == {"TARGET"}
    assert signals["session"].unique().sort().to_list() == month_starts()
    assert set(signals["weight"].round(6)) == {0.0, 0.3}
    orders = rows(lake, "orders", "rotation")
    assert set(orders["session"]) <= set(month_starts())
    assert set(orders["purpose"]) == {"entry", "rebalance", "exit"}


def test_holdings_follow_the_weights(rotation: tuple[Lake, dict[str, Any]]) -> None:
    lake, report = rotation
    signals = rows(lake, "signals", "rotation")
    after = dict(zip(days_of(*SPAN), days_of(*SPAN)[1:], strict=False))
    portfolio = dict(rows(lake, "portfolio", "rotation").select("session", "equity").iter_rows())
    held = {
        (row["session"], row["symbol"]): row["market_value"]
        for row in rows(lake, "positions", "rotation").iter_rows(named=True)
    }
    looked_at = 0
    for row in signals.iter_rows(named=True):
        if row["session"] not in after:
            continue
        filled = after[row["session"]]
        share = held.get((filled, row["symbol"]), 0.0) / portfolio[filled]
        assert share == pytest.approx(row["weight"] * 0.98, abs=0.02), (filled, row["symbol"])
        looked_at += 1
    assert looked_at > 60
    assert report


def test_own_strategies_replay(
    dips: tuple[Lake, dict[str, Any]],
    rotation: tuple[Lake, dict[str, Any]],
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lake, _ = dips
    monkeypatch.chdir(project)
    entry = rows(lake, "signals", "dips")["session"][0]
    assert replay(lake, "dips", entry).identical
    found = replay(lake, "rotation", date(2005, 9, 1))
    assert found.identical, found.differences
