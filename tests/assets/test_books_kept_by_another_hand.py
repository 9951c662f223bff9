"""Books of many kinds, kept again by a bookkeeper who knows only fills, bars and corporate actions.

The bookkeeper below shares nothing with the ledger: it adds up what the tables say was traded, splits and
pays what the corporate actions say, and must come to the same holdings, cash and equity on every session.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import empyrical
import numpy as np
import polars as pl
import pytest

import delta
from delta.contracts import Bars, CorporateActions
from trading.book import BookConfig

from .walks import EAGER, Market, backfill, book, days_of, market, rows

START, END = date(2004, 6, 1), date(2005, 6, 30)
"""MSFT's special dividend of 3.08 in November, AAPL's 2:1 split in February, quarterly dividends of IBM."""
SYMBOLS = ("AAPL", "IBM", "MSFT")
OPEN_LIMITS = {
    "regime": False,
    "max_portfolio_exposure": 1.0,
    "max_sector_exposure": 1.0,
    "max_correlated": 10,
}


def made(name: str, **changes: Any) -> BookConfig:
    """A book on the three stocks."""
    fields: dict[str, Any] = {
        "universe": {"symbols": SYMBOLS},
        "risk": OPEN_LIMITS,
        "strategies": {"momentum": {"params": EAGER}},
    }
    return book(name, START, END, **(fields | changes))


def costs(slippage: Mapping[str, Any], commission: Mapping[str, Any]) -> dict[str, Any]:
    return {"stock": {"slippage": slippage, "commission": commission}}


HALF = {"mode": "target_weight", "max_position": 1.0, "cash_buffer": 0.02}
KINDS: dict[str, BookConfig] = {
    "momentum": made("momentum"),
    "momentum with large positions": made(
        "large", sizing={"mode": "fraction", "fraction": 0.3, "max_position": 0.3}
    ),
    "split prices": made(
        "split", prices="split", sizing={"mode": "fraction", "fraction": 0.3, "max_position": 0.3}
    ),
    "total return prices": made("total", prices="total_return"),
    "same close": made("same-close", fill="same_close"),
    "IB fixed": made("ib-fixed", costs=costs({"model": "fixed", "value": 0.02}, {"model": "ib_fixed"})),
    "IB tiered": made(
        "ib-tiered", costs=costs({"model": "volume_share", "value": 50.0}, {"model": "ib_tiered"})
    ),
    "square root and percent": made(
        "root", costs=costs({"model": "square_root", "value": 0.3}, {"model": "percent", "value": 0.002})
    ),
    "no costs": made("free", costs=costs({"model": "none"}, {"model": "none"})),
    "held": made("held", strategies={"buy_and_hold": {}}, sizing=HALF),
    "held in fractions": made(
        "fractions", strategies={"buy_and_hold": {}}, sizing=HALF | {"whole_shares": False}, capital=997.13
    ),
    "two strategies": made(
        "two",
        strategies={"turtle": {"weight": 2.0}, "bollinger_breakout": {"weight": 1.0}},
    ),
    "poor": made("poor", capital=180.0, sizing={"max_position": 0.9, "mode": "fraction", "fraction": 0.9}),
}


@dataclass(frozen=True)
class Kept:
    """A walked book and the market it was walked through."""

    book: BookConfig
    market: Market

    def table(self, name: str) -> pl.DataFrame:
        return rows(self.market.lake, name, self.book.name)


@pytest.fixture(scope="module")
def walked_kinds(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Kept]:
    """Every kind of book, walked in one lake."""
    found = market(tmp_path_factory.mktemp("kinds"))
    found.ingest(*KINDS.values())
    for config in KINDS.values():
        backfill(found.lake, config, START, END, f"walk {config.name}")
    return {kind: Kept(config, found) for kind, config in KINDS.items()}


@pytest.fixture(params=list(KINDS))
def kept(request: pytest.FixtureRequest, walked_kinds: Mapping[str, Kept]) -> Kept:
    """Each kind of book in turn."""
    return walked_kinds[request.param]


@dataclass
class Bookkeeper:
    """Holdings and cash in cents, by hand."""

    cash: int
    units: dict[str, float]
    ratio: dict[str, float]
    dividends: int = 0

    def open_day(self, actions: list[dict[str, Any]], prices: str) -> None:
        """Splits first, then dividends on what is held."""
        for action in (each for each in actions if each["action"] == "split"):
            symbol, value = action["symbol"], action["value"]
            self.ratio[symbol] *= value
            if prices == "raw":
                self.units[symbol] *= value
        for action in (each for each in actions if "dividend" in each["action"]):
            if prices == "total_return":
                continue
            symbol = action["symbol"]
            shares = self.units[symbol] * (1.0 if prices == "raw" else self.ratio[symbol])
            paid = round(shares * action["value"] * 100)
            self.cash += paid
            self.dividends += paid

    def fill(self, row: Mapping[str, Any]) -> None:
        sign = 1 if row["side"] == "BUY" else -1
        self.units[row["symbol"]] += sign * row["quantity"]
        self.cash -= sign * round(row["quantity"] * row["price"] * 100) + round(row["commission"] * 100)


def days(kept: Kept) -> Iterator[tuple[date, Bookkeeper]]:
    """The book after every session, by hand."""
    actions: dict[date, list[dict[str, Any]]] = defaultdict(list)
    for row in delta.read(kept.market.lake, CorporateActions).sort("ex_date").collect().to_dicts():
        actions[row["ex_date"]].append(row)
    fills: dict[date, list[dict[str, Any]]] = defaultdict(list)
    for row in kept.table("fills").sort("executed_at", "execution_id").to_dicts():
        fills[row["session"]].append(row)
    keeper = Bookkeeper(round(kept.book.capital * 100), defaultdict(float), defaultdict(lambda: 1.0))
    for day in days_of(START, END):
        keeper.open_day(actions[day], kept.book.prices)
        for row in fills[day]:
            keeper.fill(row)
        yield day, keeper


def test_every_kind_has_traded(walked_kinds: Mapping[str, Kept]) -> None:
    for kind, kept in walked_kinds.items():
        assert kept.table("fills").height >= 2, kind
        assert kept.table("portfolio").height == len(days_of(START, END)), kind


def test_holdings_of_every_session(kept: Kept) -> None:
    stored: dict[date, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for row in kept.table("positions").to_dicts():
        stored[row["session"]][row["symbol"]] += row["quantity"]
    for day, keeper in days(kept):
        held = {symbol: units for symbol, units in keeper.units.items() if abs(units) > 1e-9}
        assert held.keys() == stored[day].keys(), day
        for symbol, units in held.items():
            assert stored[day][symbol] == pytest.approx(units, rel=1e-12), (day, symbol)


def test_cash_of_every_session_to_the_cent(kept: Kept) -> None:
    stored = {row["session"]: row for row in kept.table("portfolio").to_dicts()}
    for day, keeper in days(kept):
        row = stored[day]
        assert round((row["cash"] + row["receivables"]) * 100) == keeper.cash, day
        assert round(row["dividends"] * 100) == keeper.dividends, day


def test_equity_is_cash_and_the_closes_of_the_bars(kept: Kept) -> None:
    """Holdings times raw closes; a book on split prices counts the splits that came since."""
    if kept.book.prices == "total_return":
        pytest.skip("its prices are no bars")
    closes = {
        (row["session"], row["symbol"]): row["close"]
        for row in delta.read(kept.market.lake, Bars).collect().iter_rows(named=True)
    }
    stored = {row["session"]: row["equity"] for row in kept.table("portfolio").to_dicts()}
    for day, keeper in days(kept):
        value = 0.0
        for symbol, units in keeper.units.items():
            factor = keeper.ratio[symbol] if kept.book.prices == "split" else 1.0
            value += round(units * closes[day, symbol] * factor * 100) / 100 if units else 0.0
        assert stored[day] == pytest.approx(keeper.cash / 100 + value, abs=0.011), day


def test_money_adds_up_on_every_row(kept: Kept) -> None:
    """In whole cents: no rounding hides a difference."""

    def cents(value: float) -> int:
        assert value * 100 == pytest.approx(round(value * 100), abs=1e-5)
        return round(value * 100)

    positions = (
        kept.table("positions").group_by("session").agg(pl.col("market_value", "unrealised_pnl").sum())
    )
    by_session = {row["session"]: row for row in positions.to_dicts()}
    nothing = {"market_value": 0.0, "unrealised_pnl": 0.0}
    realised = 0
    for row in kept.table("portfolio").to_dicts():
        held = by_session.get(row["session"], nothing)
        assert cents(row["positions_value"]) == cents(held["market_value"])
        assert cents(row["unrealised_pnl"]) == cents(held["unrealised_pnl"])
        assert cents(row["cash"]) + cents(row["positions_value"]) + cents(row["receivables"]) == cents(
            row["equity"]
        )
        earned = cents(row["realised_pnl"]) + cents(row["unrealised_pnl"]) + cents(row["dividends"])
        assert cents(row["deposits"]) + earned == cents(row["equity"])
        realised += cents(row["realised_today"])
        assert realised == cents(row["realised_pnl"])
        assert cents(row["cash"]) >= 0


def test_round_trips_are_the_realised_profit(kept: Kept) -> None:
    trades, portfolio = kept.table("trades"), kept.table("portfolio")
    assert round(trades["pnl"].sum() * 100) == round(portfolio["realised_pnl"][-1] * 100)
    fills = kept.table("fills")
    assert round(fills["realised_pnl"].sum() * 100) == round(portfolio["realised_pnl"][-1] * 100)
    assert round(fills["commission"].sum() * 100) == round(portfolio["commissions"][-1] * 100)
    for row in trades.to_dicts():
        assert row["opened"] <= row["session"]
        assert row["mae"] <= 0.0 <= row["mfe"]
        assert row["mae"] - 1e-9 <= row["trade_return"] + 0.02, "no exit below the worst price, costs aside"
        sign = 1.0 if row["direction"] == "long" else -1.0
        won = sign * (row["exit_price"] - row["entry_price"]) * row["quantity"]
        assert row["pnl"] == pytest.approx(won - row["commissions"], abs=0.02)


def test_no_execution_beyond_its_bar_and_none_without_an_order(kept: Kept) -> None:
    """Prices lie within the bar, worse by the slippage at most; every fill has its approved order."""
    if kept.book.prices != "raw":
        pytest.skip("its prices are no bars")
    bars = {
        (row["session"], row["symbol"]): row
        for row in delta.read(kept.market.lake, Bars).collect().iter_rows(named=True)
    }
    approved = {
        row["order_ref"]: row
        for row in kept.table("orders").filter(pl.col("status") == "approved").to_dicts()
    }
    filled: dict[str, float] = defaultdict(float)
    for row in kept.table("fills").to_dicts():
        bar, order = bars[row["session"], row["symbol"]], approved[row["order_ref"]]
        per_unit = row["slippage"] / row["quantity"]
        sign = 1.0 if row["side"] == "BUY" else -1.0
        before = row["price"] - sign * per_unit
        assert bar["low"] - 0.02 <= before <= bar["high"] + 0.02, row
        same = kept.book.fill == "same_close" and order["order_type"] == "market_on_close"
        assert row["session"] > order["session"] or same
        if order["order_type"] == "market":
            assert before == pytest.approx(bar["open"], abs=0.02)
        if same:
            assert before == pytest.approx(bar["close"], abs=0.02)
        filled[row["order_ref"]] += row["quantity"]
    splits = {"AAPL": 2.0}
    for ref, quantity in filled.items():
        order = approved[ref]
        assert quantity <= order["quantity"] * splits.get(order["symbol"], 1.0) + 1e-9


COMMISSIONS = {
    "IB fixed": lambda q, p: min(max(0.005 * q, 1.0), 0.01 * q * p),
    "IB tiered": lambda q, p: min(max(0.0035 * q, 0.35), 0.01 * q * p),
    "square root and percent": lambda q, p: 0.002 * q * p,
    "no costs": lambda q, p: 0.0,
    "momentum": lambda q, p: 0.0,
}


@pytest.mark.parametrize("kind", COMMISSIONS)
def test_commissions_are_those_of_the_schedule(walked_kinds: Mapping[str, Kept], kind: str) -> None:
    fills = walked_kinds[kind].table("fills")
    whole = fills.group_by("order_ref").agg(
        pl.col("quantity", "commission").sum(), pl.col("price").mean(), n=pl.len()
    )
    single = whole.filter(pl.col("n") == 1)
    assert single.height > 10
    for row in single.to_dicts():
        expected = COMMISSIONS[kind](row["quantity"], row["price"])
        assert row["commission"] == pytest.approx(expected, abs=0.0051), row


SLIPPAGES = {
    "momentum": lambda price, share: price * 0.001,
    "IB fixed": lambda price, share: 0.02,
    "IB tiered": lambda price, share: price * 50.0 * min(share, 0.1) ** 2,
    "no costs": lambda price, share: 0.0,
}


@pytest.mark.parametrize("kind", SLIPPAGES)
def test_slippage_of_market_orders_is_that_of_the_model(walked_kinds: Mapping[str, Kept], kind: str) -> None:
    kept = walked_kinds[kind]
    bars = {
        (row["session"], row["symbol"]): row
        for row in delta.read(kept.market.lake, Bars).collect().iter_rows(named=True)
    }
    types = dict(kept.table("orders").select("order_ref", "order_type").iter_rows())
    looked = 0
    for row in kept.table("fills").to_dicts():
        if types[row["order_ref"]] != "market":
            continue
        bar = bars[row["session"], row["symbol"]]
        sign = 1.0 if row["side"] == "BUY" else -1.0
        expected = bar["open"] + sign * SLIPPAGES[kind](bar["open"], row["quantity"] / bar["volume"])
        assert row["price"] == pytest.approx(expected, rel=1e-9)
        looked += 1
    assert looked > 10


def test_figures_are_those_of_an_independent_library(kept: Kept) -> None:
    """The rows of ``performance`` against empyrical on the equity of ``portfolio``."""
    portfolio = kept.table("portfolio")
    equity = np.concatenate([[kept.book.capital], portfolio["equity"].to_numpy()])
    returns = equity[1:] / equity[:-1] - 1.0
    found = {
        row["measure"]: row["value"]
        for row in delta.read(kept.market.lake, "performance", where=pl.col("book") == kept.book.name)
        .collect()
        .to_dicts()
    }
    assert found["total_return"] / 100 == pytest.approx(empyrical.cum_returns_final(returns), abs=1e-9)
    assert found["annual_return"] / 100 == pytest.approx(empyrical.annual_return(returns), abs=1e-9)
    assert found["annual_volatility"] / 100 == pytest.approx(empyrical.annual_volatility(returns), abs=1e-9)
    assert found["sharpe_ratio"] == pytest.approx(empyrical.sharpe_ratio(returns), abs=1e-7)
    assert found["sortino_ratio"] == pytest.approx(empyrical.sortino_ratio(returns), abs=1e-7)
    assert found["max_drawdown"] / 100 == pytest.approx(empyrical.max_drawdown(returns), abs=1e-9)
    assert found["calmar_ratio"] == pytest.approx(empyrical.calmar_ratio(returns), abs=1e-7)
    trades = kept.table("trades")
    assert found["trades"] == trades.height
    if trades.height:
        pnl = trades["pnl"].to_numpy()
        assert found["win_rate"] / 100 == pytest.approx((pnl > 0).mean())
        lost = -pnl[pnl < 0].sum()
        factor = pnl[pnl > 0].sum() / lost if lost else math.nan
        assert found["profit_factor"] == (pytest.approx(factor) if lost else None)
        assert found["expectancy"] == pytest.approx(pnl.mean())
    else:
        assert found["win_rate"] is None
    assert found["average_exposure"] / 100 == pytest.approx(portfolio["exposure"].mean())


def test_the_split_and_the_special_dividend_were_met(walked_kinds: Mapping[str, Kept]) -> None:
    """What the bookkeeper checks did happen to these books."""
    held = walked_kinds["held"]
    positions = held.table("positions").filter(pl.col("symbol") == "AAPL").sort("session")
    units = dict(positions.select("session", "quantity").iter_rows())
    assert units[date(2005, 2, 28)] == 2 * units[date(2005, 2, 25)]
    cost = dict(positions.select("session", "average_cost").iter_rows())
    assert cost[date(2005, 2, 28)] == pytest.approx(cost[date(2005, 2, 25)] / 2)
    basis = dict(positions.select("session", "cost_basis").iter_rows())
    assert basis[date(2005, 2, 28)] == basis[date(2005, 2, 25)]
    special = held.table("portfolio").sort("session").select("session", pl.col("dividends").diff())
    largest = special.sort("dividends", nulls_last=True, descending=True).row(0)
    assert largest[0] == date(2004, 11, 15)
    total = walked_kinds["total return prices"].table("portfolio")
    assert set(total["dividends"]) == {0.0}


def test_prices_of_three_kinds_earn_nearly_the_same(
    walked_kinds: Mapping[str, Kept], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A split makes no profit: the same positions on raw and on split prices end alike."""
    raw = walked_kinds["momentum with large positions"].table("portfolio")["equity"]
    split = walked_kinds["split prices"].table("portfolio")["equity"]
    assert split[-1] == pytest.approx(raw[-1], rel=0.01)
    assert np.abs(split.to_numpy() / raw.to_numpy() - 1.0).max() < 0.02


def test_orders_are_within_the_limits_of_the_book(kept: Kept) -> None:
    """Every approved entry of a sized book: the cap, the floor, and the risk that it says."""
    if kept.book.sizing.mode == "target_weight":
        pytest.skip("its size is its weight")
    equity = dict(kept.table("portfolio").select("session", "equity").iter_rows())
    weights = [strategy.weight for strategy in kept.book.strategies.values()]
    entries = kept.table("orders").filter(pl.col("purpose") == "entry", pl.col("status") == "approved")
    for row in entries.to_dicts():
        value = row["quantity"] * row["reference_price"]
        cap = kept.book.sizing.max_position * equity[row["session"]]
        assert value <= cap * (1 + 1e-9), row
        assert row["quantity"] == math.floor(row["quantity"])
        assert row["actual_risk"] <= row["intended_risk"] * (1 + 1e-9)
        if len(weights) == 1:
            assert value >= kept.book.sizing.min_position * equity[row["session"]] * (1 - 1e-9)
