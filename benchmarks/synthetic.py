"""A synthetic market of any size, the same for the same seed: prices, corporate actions, sectors.

Returns are a market factor, a sector factor and noise, so that the correlation gate has something to find;
volume surges on large moves. Raw prices are in cents and fall on the ex dates of splits and dividends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from delta import Lake, Provenance, write
from delta.contracts import Bars, CorporateActions, Instruments, Sessions
from resources.calendar import sessions

CALENDAR = "XNYS"
LAST = date(2019, 12, 31)
SECTORS = (
    "communication",
    "consumer",
    "energy",
    "financials",
    "health",
    "industrials",
    "materials",
    "property",
    "staples",
    "technology",
    "utilities",
)
FIELDS = ("open", "high", "low", "close", "volume")
BLOCK = 252
"""Sessions written to the lake in one commit."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Market:
    """Prices of N symbols over T sessions.

    Attributes
    ----------
    sessions : DataFrame
        Rows of the table ``sessions``.
    open, high, low, close, volume : arrays, shape (T, N)
        Raw prices and units.
    splits, dividends : arrays, shape (T, N)
        New shares per old on the ex date (1 on other days), cash per share (0 on other days).
    """

    symbols: tuple[str, ...]
    sessions: pl.DataFrame
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    splits: Floats
    dividends: Floats


def market(symbols: int, length: int, *, seed: int = 7, last: date = LAST) -> Market:
    """Make a market of ``symbols`` names over the ``length`` sessions up to ``last``."""
    random = np.random.default_rng(seed)
    calendar = sessions(CALENDAR, last - timedelta(days=length * 3 // 2 + 30), last).tail(length)
    sector = np.arange(symbols) % len(SECTORS)
    moves = random.normal(0.0, 0.013, (length, symbols))
    moves += random.normal(0.0003, 0.007, (length, 1)) * random.uniform(0.6, 1.4, symbols)
    moves += random.normal(0.0, 0.006, (length, len(SECTORS)))[:, sector]
    splits = np.where(random.random((length, symbols)) < 0.04 / 252, 2.0, 1.0)
    splits[0] = 1.0
    close = np.cumsum(moves, axis=0)
    close -= np.log(np.cumprod(splits, axis=0))
    np.exp(close, out=close)
    close *= random.uniform(20.0, 200.0, symbols)
    np.round(np.maximum(close, 0.05, out=close), 2, out=close)
    payer = random.random(symbols) < 0.6
    quarter = (np.arange(length)[:, None] + random.integers(0, 63, symbols)) % 63 == 62
    dividends = np.where(quarter & payer & (splits == 1.0), np.round(close * 0.004, 2), 0.0)
    opened = np.round(close * np.exp(random.normal(0.0, 0.006, close.shape) - moves * 0.4), 2)
    np.maximum(opened, 0.05, out=opened)
    reach = np.abs(random.normal(0.0, 0.007, close.shape))
    high = np.round(np.maximum(opened, close) * (1.0 + reach), 2)
    low = np.round(np.minimum(opened, close) * (1.0 - reach[::-1]), 2)
    np.maximum(low, 0.01, out=low)
    volume = random.lognormal(0.0, 0.35, close.shape) * (1.0 + 18.0 * np.abs(moves))
    volume = np.round(volume * random.uniform(2e5, 5e6, symbols))
    names = tuple(f"S{index:05d}" for index in range(symbols))
    return Market(names, calendar, opened, high, low, close, volume, splits, dividends)


def instruments(made: Market) -> pl.DataFrame:
    """Rows of the table ``instruments``."""
    count = len(made.symbols)
    first: datetime = made.sessions["closes_at"][0]
    return _conformed(
        pl.DataFrame(
            {
                "symbol": made.symbols,
                "ticker": made.symbols,
                "sector": [SECTORS[index % len(SECTORS)] for index in range(count)],
            }
        ).with_columns(
            asset_class=pl.lit("stock"),
            exchange=pl.lit(CALENDAR),
            calendar=pl.lit(CALENDAR),
            currency=pl.lit("USD"),
            market_cap=pl.lit(None),
            multiplier=pl.lit(1.0),
            valid_from=pl.lit(made.sessions["session"][0]),
            valid_to=pl.lit(None),
            predecessor=pl.lit(None),
            source=pl.lit("synthetic"),
            known_at=pl.lit(first),
        ),
        Instruments,
    )


def corporate_actions(made: Market) -> pl.DataFrame:
    """Rows of the table ``corporate_actions``."""
    parts = []
    for action, values, usual in (("split", made.splits, 1.0), ("cash_dividend", made.dividends, 0.0)):
        days, names = np.nonzero(values != usual)
        parts.append(
            pl.DataFrame(
                {
                    "symbol": pl.Series(made.symbols, dtype=pl.String).gather(names),
                    "ex_date": made.sessions["session"].gather(days),
                    "known_at": made.sessions["closes_at"].gather(days),
                    "value": values[days, names],
                }
            ).with_columns(action=pl.lit(action))
        )
    return _conformed(
        pl.concat(parts).with_columns(
            pay_date=pl.when(pl.col("action") == "cash_dividend").then(
                pl.col("ex_date") + timedelta(days=14)
            ),
            new_symbol=pl.lit(None),
            currency=pl.lit("USD"),
            source=pl.lit("synthetic"),
        ),
        CorporateActions,
    )


def bars(made: Market, first: int, end: int, known_at: datetime | None = None) -> pl.DataFrame:
    """Rows of the table ``bars`` of the sessions ``first:end``, by session and symbol.

    Parameters
    ----------
    known_at : datetime, optional
        When the desk learned them; the close of the last of these sessions by default, as if they had
        been fetched in one go.
    """
    count, days = len(made.symbols), made.sessions[first:end]
    session = np.repeat(np.arange(days.height), count)
    symbol = np.tile(np.arange(count), days.height)
    return _conformed(
        pl.DataFrame(
            {
                "symbol": pl.Series(made.symbols, dtype=pl.String).gather(symbol),
                "session": days["session"].gather(session),
                "closes_at": days["closes_at"].gather(session),
                **{name: getattr(made, name)[first:end].reshape(-1) for name in FIELDS},
            }
        ).with_columns(
            timeframe=pl.lit("1d"),
            source=pl.lit("synthetic"),
            known_at=pl.lit(known_at or days["closes_at"][-1]),
            flags=pl.lit([], pl.List(pl.String)),
        ),
        Bars,
    )


def blocks(length: int, block: int = BLOCK) -> Iterator[tuple[int, int]]:
    """Bounds of the blocks of sessions that are written together."""
    for first in range(0, length, block):
        yield first, min(first + block, length)


def fill(lake: Lake, made: Market, end: int | None = None) -> int:
    """Write a market, up to the session at ``end``, to an empty lake; returns the number of bars."""
    by = Provenance("synthetic", "benchmarks", "0")
    length = made.sessions.height if end is None else end
    last = made.sessions["session"][length - 1]
    write(lake, Instruments, instruments(made), None, by)
    write(lake, CorporateActions, corporate_actions(made).filter(pl.col("ex_date") <= last), None, by)
    write(lake, Sessions, made.sessions.head(length), {"calendar": CALENDAR}, by)
    return sum(write(lake, Bars, bars(made, a, b), None, by).rows for a, b in blocks(length))


def _conformed(
    frame: pl.DataFrame, table: type[Bars] | type[CorporateActions] | type[Instruments]
) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(dtype) for name, dtype in table.schema().items())
