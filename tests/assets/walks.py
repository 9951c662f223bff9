"""Books over real prices in lakes of their own, walked by the stage functions that Dagster calls."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

import delta
from assets.desk import walk
from assets.market_data import update_market, wanted
from assets.reports import report
from assets.research import research
from assets.stage import CODE_VERSION
from delta import Lake
from delta.contracts import TABLES
from resources.brokers.paper import place
from resources.calendar import session_close, sessions
from resources.config import DeskConfig, load_book
from trading.book import BookConfig

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)
"""When the tests ingest: long after every session of the data has closed."""

COMPARED = ("candidates", "signals", "regimes", "orders", "fills", "positions", "trades", "portfolio")
"""Tables of a book that do not say which run wrote a row."""

DEMO = load_book(ROOT / "config/books/momentum-demo.toml")
EAGER = {
    "scanner": {
        "momentum_threshold": 40,
        "min_trend_strength": 40,
        "rsi_max": 90,
        "rescan_interval_days": 3,
    },
    "entry": {"mode": "strength", "rsi_max": 90, "strength_threshold": 40},
}
"""Momentum rules that a handful of names pass often."""


@dataclass(frozen=True)
class Market:
    """Where a test's prices come from, and the lake that holds them."""

    lake: Lake
    config: DeskConfig

    def copy(self, folder: Path) -> Market:
        """The same market in another folder, to be written to."""
        assert self.lake.path is not None
        shutil.copytree(self.lake.path, folder / "lake")
        return Market(delta.open_lake(folder / "lake"), self.config)

    def ingest(self, *books: BookConfig, now: datetime = NOW, refetch: bool = False) -> str:
        """Fetch what books need; the summary of what was written."""
        asked = wanted(self.lake, self.config, books, now)
        update = update_market(
            self.lake, self.config, asked, now=now, run_id=f"ingest {now}", refetch=refetch
        )
        return update.summary()


def market(root: Path, provider: str = "sample", **settings: Any) -> Market:
    """An empty lake and a desk that asks one provider for everything."""
    classes = ("stock", "etf", "crypto", "fx")
    order = {asset_class: {"default": (provider,)} for asset_class in classes}
    config = DeskConfig.model_validate(
        {"lake": str(root / "lake"), "data": {"order": order}, "providers": {provider: settings}}
    )
    return Market(delta.create_lake(root / "lake"), config)


def book(name: str, start: date, end: date | None = None, **changes: Any) -> BookConfig:
    """A paper book of its own."""
    fields: dict[str, Any] = {"name": name, "mode": "paper", "start": start, "end": end}
    return BookConfig.model_validate(fields | changes)


def changed(config: BookConfig, **changes: Any) -> BookConfig:
    """The same book with other fields."""
    return BookConfig.model_validate(config.model_dump(by_alias=True) | changes)


def backfill(lake: Lake, config: BookConfig, first: date, last: date, run_id: str = "backfill") -> None:
    """Walk a book through a range in one go, as a backfill does."""
    research(lake, config, first, last, run_id)
    walk(lake, config, first, last, run_id)
    report(lake, config, first, last, run_id)


def schedule(lake: Lake, config: BookConfig, days: Iterable[date], *, reports: bool = False) -> None:
    """Walk a book session by session, as the schedule and the order job do every evening."""
    for day in days:
        run_id = f"daily {day}"
        research(lake, config, day, day, run_id)
        walk(lake, config, day, day, run_id, scheduled=True)
        if reports:
            report(lake, config, day, day, run_id)
        after = session_close(config.calendar, day) + timedelta(minutes=5)
        place(lake, config.name, now=after, run_id=run_id, code_version=CODE_VERSION)


def days_of(first: date, last: date, calendar: str = "XNYS") -> list[date]:
    """Sessions of a calendar, the New York exchange's by default."""
    return list(sessions(calendar, first, last)["session"])


def rows(lake: Lake, table: str, name: str, first: date = date.min, last: date = date.max) -> pl.DataFrame:
    """Rows of a book and range, ordered by key."""
    where = (pl.col("book") == name) & pl.col("session").is_between(first, last)
    return delta.read(lake, table, where=where).sort(list(TABLES[table].key)).collect()


def frames(
    lake: Lake, name: str, first: date = date.min, last: date = date.max
) -> Mapping[str, pl.DataFrame]:
    """All compared tables of a book and range."""
    return {table: rows(lake, table, name, first, last) for table in COMPARED}


def table_hash(frame: pl.DataFrame) -> str:
    """Hash of every value of a frame, in order; equal only for frames equal to the last bit."""
    return hashlib.sha256(f"{frame.schema}\n{frame.write_ndjson()}".encode()).hexdigest()


def hashes(lake: Lake, name: str, first: date = date.min, last: date = date.max) -> Mapping[str, str]:
    """Hash of each compared table of a book and range."""
    return {table: table_hash(frame) for table, frame in frames(lake, name, first, last).items()}
