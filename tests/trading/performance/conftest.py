"""Frames that the tests of performance build from equity and trades."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from importlib.resources import files

import polars as pl
import pytest

MONDAY = date(2024, 1, 1)


def weekdays(count: int, start: date = MONDAY) -> list[date]:
    days = (start + timedelta(days=offset) for offset in range(count * 2 + 7))
    return [day for day in days if day.weekday() < 5][:count]


@pytest.fixture(scope="session")
def book() -> Callable[..., pl.DataFrame]:
    """Portfolio rows of a book that began with ``capital`` and had this equity at each close."""

    def build(
        equity: Sequence[float | None],
        capital: float = 100.0,
        deposits: Sequence[float] | None = None,
        exposure: Sequence[float] | None = None,
        turnover: Sequence[float] | None = None,
        start: date = MONDAY,
    ) -> pl.DataFrame:
        count = len(equity)
        before = [capital, *equity][:count]
        returns = [
            now / then - 1 if now is not None and then else None
            for now, then in zip(equity, before, strict=True)
        ]
        return pl.DataFrame(
            {
                "session": weekdays(count, start),
                "equity": equity,
                "deposits": deposits or [capital] * count,
                "daily_return": returns,
                "exposure": exposure or [0.0] * count,
                "turnover": turnover or [0.0] * count,
                "commissions": [0.0] * count,
                "dividends": [0.0] * count,
            },
            schema_overrides={
                "session": pl.Date,
                **dict.fromkeys(("equity", "deposits", "daily_return", "exposure", "turnover"), pl.Float64),
            },
        )

    return build


@pytest.fixture(scope="session")
def round_trips() -> Callable[..., pl.DataFrame]:
    """Round trips of a cost of 1,000 each, closed one after the other."""

    def build(pnl: Sequence[float | None], held: Sequence[int] | None = None) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "session": weekdays(len(pnl)),
                "trade_id": [f"t{number:04}" for number in range(len(pnl))],
                "pnl": pnl,
                "trade_return": [None if value is None else value / 1000.0 for value in pnl],
                "sessions_held": held or [5] * len(pnl),
            },
            schema_overrides={
                "session": pl.Date,
                "trade_id": pl.String,
                "pnl": pl.Float64,
                "trade_return": pl.Float64,
                "sessions_held": pl.Int64,
            },
        )

    return build


@pytest.fixture(scope="session")
def closes() -> pl.DataFrame:
    """Adjusted daily closes of real companies: session, symbol, close."""
    packed = (files("bokeh_sampledata") / "_data" / "stocks.csv.gz").read_bytes()
    return (
        pl.read_csv(gzip.decompress(packed), try_parse_dates=True)
        .select(session="Date", symbol="Ticker", close="Adj Close")
        .sort("symbol", "session")
    )
