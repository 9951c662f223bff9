"""A lake with approved orders, and a gateway to place them at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

import delta
from delta import Lake, Provenance, Table
from delta.contracts import Executions, Instruments, OrderEvents, Orders, Portfolio
from resources.brokers.base import Pace
from resources.brokers.placing import Outcome
from resources.brokers.session import place_book
from resources.config import DeskConfig
from resources.gateway.settings import Settings
from trading.book import BookConfig, CostConfig, CostsConfig, SlippageConfig
from trading.placement import Intent
from trading.state import new_state, to_json

FREE = CostConfig(slippage=SlippageConfig(model="none", value=0.0))
NO_COSTS = CostsConfig(stock=FREE, crypto=FREE, fx=FREE, option=FREE)
SESSION = date(2026, 11, 19)
NOW = datetime(2026, 11, 20, 16, tzinfo=UTC)
"""In the session after the decision, by day in New York."""
PACE = Pace(connect=2, request=2, quote=1, poll=0.01, follow=2, patience=20, backoff=(0.02, 0.05), messages=0)
BY = Provenance("test", "test", "0")
SYMBOLS = ("AAPL", "MSFT", "IBM")
ROWS = [
    {"symbol": symbol, "asset_class": "stock", "exchange": "XNAS", "currency": "USD", "name": symbol}
    for symbol in SYMBOLS
]
GATEWAY = Settings(costs=NO_COSTS, max_messages=0)


def entry(ref: str = "DENTRY", symbol: str = "AAPL", **changes: Any) -> Intent:
    """A market order at the open."""
    intent = Intent(
        ref,
        SESSION,
        symbol,
        "BUY",
        "market",
        10.0,
        purpose="entry",
        strategy="momentum",
        reference_price=100.0,
        decided_at=NOW - timedelta(hours=19),
    )
    return replace(intent, **changes)


def bracket(ref: str = "D1", symbol: str = "AAPL", **changes: Any) -> list[Intent]:
    """An entry with a stop and a target in one group."""
    parent = replace(entry(f"{ref}E", symbol), **changes)
    child = replace(
        parent,
        side="SELL",
        parent_ref=parent.order_ref,
        oca_group=f"O{ref}",
        time_in_force="gtc",
        limit_price=None,
    )
    return [
        parent,
        replace(child, order_ref=f"{ref}S", purpose="stop_loss", order_type="stop", stop_price=92.337),
        replace(child, order_ref=f"{ref}T", purpose="profit_target", order_type="limit", limit_price=115.0),
    ]


def paper_book(name: str = "paper", **placement: Any) -> BookConfig:
    """A paper book whose orders go to a gateway."""
    return BookConfig.model_validate(
        {
            "name": name,
            "mode": "paper",
            "start": SESSION,
            "strategies": {"buy_and_hold": {}},
            "placement": {"broker": "ib", "look_seconds": 0.05, "follow_seconds": 2.0, **placement},
        }
    )


def order_rows(book: str, intents: Iterable[Intent], **changes: Any) -> pl.DataFrame:
    """Rows of ``orders``."""
    rows = [
        {
            "book": book,
            **{name: getattr(intent, name) for name in Intent.__slots__ if name != "kind"},
            "intent": intent.kind,
            "status": "approved",
            "reason": "test",
            "gates": "[]",
            "intended_quantity": intent.quantity,
            "intended_risk": 0.0,
            "actual_risk": 0.0,
            "decided_at": intent.decided_at or NOW,
            **changes,
        }
        for intent in intents
    ]
    return pl.DataFrame(rows, schema=Orders.schema())


@dataclass
class World:
    """A lake, a book in it, and a desk that knows the gateway's port."""

    lake: Lake
    book: BookConfig
    desk: DeskConfig

    def approve(self, *intents: Intent, **changes: Any) -> None:
        """Add approved orders."""
        self.write(Orders, order_rows(self.book.name, intents, **changes))

    def write(self, table: type[Table], frame: pl.DataFrame) -> None:
        """Append rows."""
        delta.write(self.lake, table, frame, None, BY)

    def read(self, table: type[Table]) -> pl.DataFrame:
        """All rows of a table."""
        return delta.read(self.lake, table).collect()

    def place(
        self, now: datetime = NOW, pace: Pace = PACE, *, patience: float | None = None, **options: Any
    ) -> Outcome:
        """One run of placing."""
        pace = replace(pace, patience=patience or pace.patience)
        return place_book(
            self.lake, self.desk, self.book, now=now, run_id="run", code_version="0", pace=pace, **options
        )

    def states(self) -> dict[str, str]:
        """State of every order."""
        events = self.read(OrderEvents).sort("sequence")
        return dict(zip(events["order_ref"], events["state"], strict=True))

    def executed(self) -> dict[str, float]:
        """Units executed by order."""
        rows = self.read(Executions).filter(pl.col("report") == "execution")
        return dict(rows.group_by("order_ref").agg(pl.col("quantity").sum()).iter_rows())


def make_world(
    folder: Path, port: int, *, book: BookConfig | None = None, capital: float = 100_000.0
) -> World:
    """A lake with instruments and the book's first portfolio."""
    chosen = book or paper_book()
    lake = delta.create_lake(folder / "lake")
    desk = DeskConfig.model_validate(
        {"lake": str(folder / "lake"), "broker": {"port": port, "client_id": 17, "connect_timeout": 2.0}}
    )
    world = World(lake, chosen, desk)
    described = [
        {
            "symbol": symbol,
            "ticker": symbol,
            "asset_class": "stock",
            "exchange": "XNAS",
            "calendar": "XNYS",
            "currency": "USD",
            "multiplier": 1.0,
            "valid_from": date(2000, 1, 3),
            "source": "test",
            "known_at": NOW - timedelta(days=30),
        }
        for symbol in SYMBOLS
    ]
    world.write(Instruments, pl.DataFrame(described, schema=Instruments.schema()))
    world.write(Portfolio, first_portfolio(chosen.name, capital))
    return world


def first_portfolio(book: str, capital: float) -> pl.DataFrame:
    """A book before its first order."""
    zeros = dict.fromkeys(
        (
            "positions_value",
            "receivables",
            "unrealised_pnl",
            "realised_pnl",
            "realised_today",
            "dividends",
            "commissions",
            "exposure",
            "daily_return",
            "turnover",
        ),
        0.0,
    )
    row = {
        "book": book,
        "session": SESSION,
        "cash": capital,
        "equity": capital,
        "deposits": capital,
        "position_count": 0,
        "known_at": NOW - timedelta(hours=19),
        "config_hash": "",
        "state": to_json(new_state(capital)),
        **zeros,
    }
    return pl.DataFrame([row], schema=Portfolio.schema())
