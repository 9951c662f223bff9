"""What a run of sessions leaves behind: rows of the book's tables, collected while the days go by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import polars as pl

INSTANT = pl.Datetime("us", "UTC")
_TEXT, _NUMBER, _COUNT, _DATE, _FLAG = pl.String(), pl.Float64(), pl.Int64(), pl.Date(), pl.Boolean()

SCHEMAS: dict[str, dict[str, pl.DataType]] = {
    "orders": {
        "book": _TEXT,
        "session": _DATE,
        "order_ref": _TEXT,
        "intent": _TEXT,
        "target_ref": _TEXT,
        "strategy": _TEXT,
        "symbol": _TEXT,
        "purpose": _TEXT,
        "side": _TEXT,
        "order_type": _TEXT,
        "quantity": _NUMBER,
        "limit_price": _NUMBER,
        "stop_price": _NUMBER,
        "trail_percent": _NUMBER,
        "time_in_force": _TEXT,
        "good_till": _DATE,
        "parent_ref": _TEXT,
        "oca_group": _TEXT,
        "status": _TEXT,
        "reason": _TEXT,
        "gates": _TEXT,
        "reference_price": _NUMBER,
        "intended_quantity": _NUMBER,
        "intended_risk": _NUMBER,
        "actual_risk": _NUMBER,
        "valid_until": INSTANT,
        "decided_at": INSTANT,
    },
    "order_events": {
        "book": _TEXT,
        "session": _DATE,
        "order_ref": _TEXT,
        "sequence": _COUNT,
        "state": _TEXT,
        "at": INSTANT,
        "client_id": _COUNT,
        "order_id": _COUNT,
        "perm_id": _COUNT,
        "filled": _NUMBER,
        "remaining": _NUMBER,
        "average_price": _NUMBER,
        "code": _COUNT,
        "message": _TEXT,
        "source": _TEXT,
        "run_id": _TEXT,
    },
    "fills": {
        "book": _TEXT,
        "session": _DATE,
        "execution_id": _TEXT,
        "order_ref": _TEXT,
        "strategy": _TEXT,
        "symbol": _TEXT,
        "purpose": _TEXT,
        "side": _TEXT,
        "quantity": _NUMBER,
        "price": _NUMBER,
        "commission": _NUMBER,
        "slippage": _NUMBER,
        "realised_pnl": _NUMBER,
        "currency": _TEXT,
        "price_currency": _TEXT,
        "rate": _NUMBER,
        "executed_at": INSTANT,
    },
    "positions": {
        "book": _TEXT,
        "session": _DATE,
        "strategy": _TEXT,
        "symbol": _TEXT,
        "quantity": _NUMBER,
        "average_cost": _NUMBER,
        "cost_basis": _NUMBER,
        "price": _NUMBER,
        "market_value": _NUMBER,
        "unrealised_pnl": _NUMBER,
        "opened": _DATE,
        "sessions_held": _COUNT,
        "entry_price": _NUMBER,
        "stop": _NUMBER,
        "target": _NUMBER,
        "highest_high": _NUMBER,
        "trailing": _FLAG,
        "stale": _FLAG,
        "sector": _TEXT,
        "currency": _TEXT,
        "price_currency": _TEXT,
        "rate": _NUMBER,
    },
    "portfolio": {
        "book": _TEXT,
        "session": _DATE,
        "cash": _NUMBER,
        "positions_value": _NUMBER,
        "receivables": _NUMBER,
        "equity": _NUMBER,
        "unrealised_pnl": _NUMBER,
        "realised_pnl": _NUMBER,
        "realised_today": _NUMBER,
        "dividends": _NUMBER,
        "commissions": _NUMBER,
        "deposits": _NUMBER,
        "exposure": _NUMBER,
        "position_count": _COUNT,
        "daily_return": _NUMBER,
        "turnover": _NUMBER,
        "known_at": INSTANT,
        "config_hash": _TEXT,
        "state": _TEXT,
    },
    "trades": {
        "book": _TEXT,
        "session": _DATE,
        "trade_id": _TEXT,
        "strategy": _TEXT,
        "symbol": _TEXT,
        "direction": _TEXT,
        "quantity": _NUMBER,
        "opened": _DATE,
        "entry_price": _NUMBER,
        "exit_price": _NUMBER,
        "commissions": _NUMBER,
        "pnl": _NUMBER,
        "trade_return": _NUMBER,
        "mae": _NUMBER,
        "mfe": _NUMBER,
        "sessions_held": _COUNT,
        "exit_reason": _TEXT,
    },
}
"""Columns of the collected tables, in the order of their rows; the same as the tables' contracts."""


@dataclass(slots=True)
class Journal:
    """Rows by table, each a tuple in the order of ``SCHEMAS``."""

    orders: list[tuple[Any, ...]] = field(default_factory=list)
    order_events: list[tuple[Any, ...]] = field(default_factory=list)
    fills: list[tuple[Any, ...]] = field(default_factory=list)
    positions: list[tuple[Any, ...]] = field(default_factory=list)
    portfolio: list[tuple[Any, ...]] = field(default_factory=list)
    trades: list[tuple[Any, ...]] = field(default_factory=list)

    def frames(self) -> dict[str, pl.DataFrame]:
        """Collected rows as frames by table name."""
        return {
            table: pl.DataFrame(getattr(self, table), schema=schema, orient="row")
            for table, schema in SCHEMAS.items()
        }
