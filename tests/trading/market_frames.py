"""Small frames of market data made by hand, for the tests of this folder and of the ingest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from delta.contracts import CorporateActions, Instruments, Sessions
from resources.providers.base import BARS, CORPORATE_ACTIONS, INSTRUMENTS

START = date(2020, 1, 1)


def day(number: int) -> date:
    """Sessions of these tests are every day of the week."""
    return START + timedelta(days=number)


def close_of(session: date) -> datetime:
    return datetime(session.year, session.month, session.day, 21, tzinfo=UTC)


def calendar_frame(count: int, name: str = "TEST") -> pl.DataFrame:
    days = [day(number) for number in range(count)]
    rows = [(name, each, close_of(each) - timedelta(hours=6), close_of(each), False) for each in days]
    return pl.DataFrame(rows, schema=Sessions.schema(), orient="row")


def bars_frame(closes: Sequence[float | None], symbol: str = "A", **changed: Any) -> pl.DataFrame:
    """One bar a day with a small range around the close; None leaves the day out."""
    rows = [
        (
            symbol,
            "1d",
            day(i),
            close_of(day(i)),
            close,
            close * 1.01,
            close * 0.99,
            close,
            1000.0 + i % 7,
            "test",
        )
        for i, close in enumerate(closes)
        if close is not None
    ]
    return pl.DataFrame(rows, schema=BARS, orient="row").with_columns(**changed)


def actions_frame(*rows: tuple[str, int, str, float | None], new_symbol: str | None = None) -> pl.DataFrame:
    """Rows of symbol, day number, action and value."""
    whole = [
        (symbol, day(n), action, value, None, new_symbol, "USD", "test") for symbol, n, action, value in rows
    ]
    return pl.DataFrame(whole, schema=CORPORATE_ACTIONS, orient="row")


def instruments_frame(*symbols: str, asset_class: str = "stock", calendar: str = "TEST") -> pl.DataFrame:
    rows = [
        (name, name, asset_class, "XXXX", calendar, "USD", "Energy", None, 1.0, START, None, None, "test")
        for name in symbols
    ]
    return pl.DataFrame(rows, schema=INSTRUMENTS, orient="row")


NO_ACTIONS = CorporateActions.schema().to_frame()
NO_INSTRUMENTS = Instruments.schema().to_frame()
