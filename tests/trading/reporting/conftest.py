"""One session of a book with everything in it that a daily report can tell, and a longer run."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from delta.contracts import TABLES

BOOK = "momentum"
SESSION = date(2024, 3, 5)
CLOSE = datetime(2024, 3, 5, 21, tzinfo=UTC)


def frame(table: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows of a table; columns that a row leaves out are null."""
    schema = TABLES[table].schema()
    whole = [{name: row.get(name) for name in schema} for row in rows]
    return pl.DataFrame(whole, schema=schema, orient="row")


@dataclass(frozen=True)
class Day:
    """Frames of one session, in the names of ``daily_report``."""

    frames: dict[str, pl.DataFrame]

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        return {name: found for name, found in self.frames.items() if name != "portfolio"}

    @property
    def portfolio(self) -> pl.DataFrame:
        return self.frames["portfolio"]


def portfolio_rows() -> list[dict[str, Any]]:
    equities = {1: 100_000.0, 4: 102_000.0, 5: 99_450.0}
    before, rows = 100_000.0, []
    for number, equity in equities.items():
        rows.append(
            {
                "book": BOOK,
                "session": date(2024, 3, number),
                "cash": equity - 23_000.0,
                "positions_value": 23_000.0,
                "receivables": 0.0,
                "equity": equity,
                "unrealised_pnl": 310.0,
                "realised_pnl": equity - 100_310.0,
                "realised_today": -150.0 if number == 5 else 0.0,
                "dividends": 0.0,
                "commissions": 12.0,
                "deposits": 100_000.0,
                "exposure": 23_000.0 / equity,
                "position_count": 3,
                "daily_return": equity / before - 1,
                "turnover": 0.05,
                "known_at": CLOSE,
                "config_hash": "abc123def456",
                "state": "{}",
            }
        )
        before = equity
    return rows


def position(symbol: str, **values: Any) -> dict[str, Any]:
    return {
        "book": BOOK,
        "session": SESSION,
        "strategy": "momentum",
        "symbol": symbol,
        "quantity": 50.0,
        "average_cost": 100.0,
        "cost_basis": 5_000.0,
        "price": 110.0,
        "market_value": 5_500.0,
        "unrealised_pnl": 500.0,
        "opened": date(2024, 2, 20),
        "sessions_held": 10,
        "entry_price": 100.0,
        "stop": 92.0,
        "target": 120.0,
        "highest_high": 112.0,
        "trailing": False,
        "stale": False,
        "sector": "Technology",
        "currency": "USD",
    } | values


def order(symbol: str, purpose: str, **values: Any) -> dict[str, Any]:
    return {
        "book": BOOK,
        "session": SESSION,
        "order_ref": f"{symbol}-{purpose}",
        "intent": "submit",
        "strategy": "momentum",
        "symbol": symbol,
        "purpose": purpose,
        "side": "BUY" if purpose == "entry" else "SELL",
        "order_type": "market",
        "quantity": 40.0,
        "time_in_force": "day",
        "status": "approved",
        "reason": "breakout",
        "gates": "[]",
        "reference_price": 50.0,
        "intended_quantity": 60.0,
        "intended_risk": 240.0,
        "actual_risk": 160.0,
        "decided_at": CLOSE,
    } | values


def signal(symbol: str, **values: Any) -> dict[str, Any]:
    return {
        "book": BOOK,
        "session": SESSION,
        "strategy": "momentum",
        "symbol": symbol,
        "action": "BUY",
        "direction": "long",
        "strength": 85.0,
        "confidence": 0.8,
        "price": 50.0,
        "timeframe": "1d",
        "reason": "breakout",
        "indicators": json.dumps({"score": 82.0}),
        "known_at": CLOSE,
    } | values


GATES = [
    {"gate": "daily_loss", "passed": True, "figure": -0.025, "limit": -0.03},
    {"gate": "portfolio_exposure", "passed": False, "figure": 0.281, "limit": 0.25},
    {"gate": "sector_exposure", "passed": False, "figure": 0.171, "limit": 0.15, "note": "Technology"},
]


@pytest.fixture(scope="session")
def day() -> Day:
    fill = {
        "book": BOOK,
        "session": SESSION,
        "strategy": "momentum",
        "quantity": 50.0,
        "commission": 1.0,
        "slippage": 5.0,
        "realised_pnl": 0.0,
        "currency": "USD",
        "executed_at": datetime(2024, 3, 5, 14, 30, tzinfo=UTC),
    }
    return Day(
        {
            "portfolio": frame("portfolio", portfolio_rows()),
            "positions": frame(
                "positions",
                [
                    position("AAPL", trailing=True, stop=108.5),
                    position("MSFT", price=118.0, market_value=5_900.0, unrealised_pnl=900.0),
                    position(
                        "XOM",
                        quantity=100.0,
                        cost_basis=12_690.0,
                        price=116.0,
                        market_value=11_600.0,
                        unrealised_pnl=-1_090.0,
                        stop=114.0,
                        target=None,
                        sector=None,
                        stale=True,
                    ),
                ],
            ),
            "orders": frame(
                "orders",
                [
                    order("NVDA", "entry"),
                    order("NVDA", "stop_loss", stop_price=46.0, parent_ref="NVDA-entry", order_type="stop"),
                    order("NVDA", "profit_target", limit_price=60.0, parent_ref="NVDA-entry"),
                    order("XOM", "exit", reason="momentum_failure", quantity=100.0),
                    order("META", "entry", status="rejected", gates=json.dumps(GATES)),
                    order(
                        "AAPL",
                        "trailing_stop",
                        intent="modify",
                        target_ref="AAPL-stop_loss",
                        stop_price=108.5,
                        reason="trailing stop moved with the best price",
                    ),
                    order("MSFT", "entry", session=date(2024, 3, 4), reason="breakout"),
                ],
            ),
            "fills": frame(
                "fills",
                [
                    fill
                    | {
                        "execution_id": "e1",
                        "order_ref": "MSFT-entry",
                        "symbol": "MSFT",
                        "purpose": "entry",
                        "side": "BUY",
                        "price": 117.0,
                    },
                    fill
                    | {
                        "execution_id": "e2",
                        "order_ref": "IBM-stop",
                        "symbol": "IBM",
                        "purpose": "stop_loss",
                        "side": "SELL",
                        "price": 97.0,
                        "realised_pnl": -150.0,
                    },
                    fill
                    | {
                        "execution_id": "e3",
                        "order_ref": "",
                        "symbol": "GE",
                        "purpose": "manual",
                        "side": "BUY",
                        "price": 160.0,
                    },
                ],
            ),
            "signals": frame(
                "signals",
                [
                    signal("NVDA"),
                    signal("META", strength=91.0),
                    signal("ORCL", strength=72.0),
                    signal("XOM", action="CLOSE", indicators=json.dumps({"score": 41.0})),
                ],
            ),
            "trades": frame(
                "trades",
                [
                    {
                        "book": BOOK,
                        "session": SESSION,
                        "trade_id": f"t{lot}",
                        "strategy": "momentum",
                        "symbol": "IBM",
                        "direction": "long",
                        "quantity": 25.0,
                        "opened": date(2024, 2, 27),
                        "entry_price": 100.0,
                        "exit_price": 97.0,
                        "commissions": 0.5,
                        "pnl": -75.0,
                        "trade_return": -0.03,
                        "mae": -0.04,
                        "mfe": 0.02,
                        "sessions_held": 5,
                        "exit_reason": "stop_loss",
                    }
                    for lot in (1, 2)
                ],
            ),
            "regimes": frame(
                "regimes",
                [
                    {
                        "book": BOOK,
                        "session": SESSION,
                        "benchmark": "SPY",
                        "regime": "sideways",
                        "bull_points": 0.5,
                        "bear_points": 0.3,
                        "size_multiplier": 0.75,
                        "max_positions": 6,
                        "known_at": CLOSE,
                    }
                ],
            ),
            "candidates": frame(
                "candidates",
                [
                    {
                        "book": BOOK,
                        "session": SESSION,
                        "strategy": "momentum",
                        "symbol": symbol,
                        "rank": rank,
                        "score": 90.0 - rank,
                        "trend_strength": 100.0,
                        "close": 50.0,
                        "dollar_volume": 25_000_000.0,
                        "rsi": 61.5,
                        "scan": "full",
                        "known_at": CLOSE,
                    }
                    for rank, symbol in enumerate(("NVDA", "META"), start=1)
                ],
            ),
        }
    )


@dataclass(frozen=True)
class Run:
    """Frames of a run over some years."""

    portfolio: pl.DataFrame
    trades: pl.DataFrame
    benchmark: pl.DataFrame


@pytest.fixture(scope="session")
def run() -> Run:
    """A run of 600 sessions whose equity swings, with a trade every ten sessions."""
    days = [date(2021, 11, 1) + timedelta(days=offset) for offset in range(840)]
    days = [session for session in days if session.weekday() < 5][:600]
    before, rows = 100_000.0, []
    for number, session in enumerate(days):
        equity = round(100_000 * math.exp(0.0004 * number + 0.08 * math.sin(number / 40)), 2)
        rows.append(
            portfolio_rows()[0]
            | {
                "session": session,
                "equity": equity,
                "daily_return": equity / before - 1,
                "exposure": 0.12 + 0.1 * math.sin(number / 15),
            }
        )
        before = equity
    symbols = ("AAPL", "MSFT", "XOM", "IBM", "GE")
    reasons = ("profit_target", "stop_loss", "trailing_stop", "momentum_failure", "time")
    trades = [
        {
            "book": BOOK,
            "session": days[number],
            "trade_id": f"t{number:05}",
            "strategy": "momentum",
            "symbol": symbols[number // 10 % 5],
            "direction": "long",
            "quantity": 40.0,
            "opened": days[number - 8],
            "entry_price": 100.0,
            "exit_price": 100.0 + (number * 7 % 31 - 12),
            "commissions": 1.0,
            "pnl": 40.0 * (number * 7 % 31 - 12),
            "trade_return": (number * 7 % 31 - 12) / 100,
            "mae": -0.03,
            "mfe": 0.08,
            "sessions_held": 8,
            "exit_reason": reasons[number // 10 % 5],
        }
        for number in range(10, 600, 10)
    ]
    closes = [400.0 * math.exp(0.0003 * number + 0.05 * math.sin(number / 25)) for number in range(601)]
    return Run(
        frame("portfolio", rows),
        frame("trades", trades),
        pl.DataFrame({"session": [days[0] - timedelta(days=3), *days], "close": closes}),
    )
