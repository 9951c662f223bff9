"""Made-up market data of any size for benchmarks: geometric random walks with sectors and volume.

Deterministic in its arguments. Run as a program it prints how long it takes:
``python benchmarks/synthetic.py 500 2520``.
"""

from __future__ import annotations

import sys
import time
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from delta.contracts import Instruments
from resources.providers.base import CORPORATE_ACTIONS

SECTORS = (
    "Energy",
    "Materials",
    "Industrials",
    "Consumer Discretionary",
    "Consumer Staples",
    "Health Care",
    "Financials",
    "Information Technology",
    "Communication Services",
    "Utilities",
    "Real Estate",
)
START = date(2000, 1, 3)
BLOCK = 256
"""Symbols made at a time, so that the working arrays stay small."""
MARKET, SECTOR, OWN = 0.008, 0.006, 0.014
"""Daily deviations of the parts that a symbol's return is made of."""
DIVIDEND_EVERY = 63


def weekdays(count: int, start: date = START) -> pl.Series:
    """Monday to Friday, holidays ignored."""
    first = np.datetime64(start, "D")
    days = np.busday_offset(first, np.arange(count), roll="forward")
    return pl.Series("session", days.astype("datetime64[D]"))


def names(count: int) -> list[str]:
    """Symbols ``S00000`` onwards, sorted."""
    return [f"S{i:05d}" for i in range(count)]


def synthetic(symbols: int, sessions: int, seed: int = 7) -> pl.DataFrame:
    """Daily bars of ``symbols x sessions``, one symbol after the other.

    Parameters
    ----------
    symbols, sessions : int
        Size.
    seed : int
        Same seed, same bars.

    Returns
    -------
    polars.DataFrame
        ``symbol, session, open, high, low, close, volume``: raw, without splits; prices to the cent and
        above 1, volume in whole units.
    """
    generator = np.random.default_rng(seed)
    days = weekdays(sessions)
    market = generator.normal(0.0005, MARKET, sessions).astype(np.float32)
    sectors = generator.normal(0, SECTOR, (len(SECTORS), sessions)).astype(np.float32)
    values = {name: np.empty((symbols, sessions)) for name in ("open", "high", "low", "close", "volume")}
    for start in range(0, symbols, BLOCK):
        rows = slice(start, min(start + BLOCK, symbols))
        _fill(values, rows, generator, market + sectors[np.arange(rows.start, rows.stop) % len(SECTORS)])
    code = np.repeat(np.arange(symbols, dtype=np.uint32), sessions)
    return pl.DataFrame(
        {
            "symbol": pl.Series(names(symbols)).gather(code),
            "session": pl.concat([days] * symbols),
            **{name: array.ravel() for name, array in values.items()},
        }
    )


def described(symbols: int, start: date = START) -> pl.DataFrame:
    """Instruments of the bars: the sector of symbol i is ``SECTORS[i % 11]``."""
    rows = [
        (
            name,
            name,
            "stock",
            "XNYS",
            "XNYS",
            "USD",
            SECTORS[i % len(SECTORS)],
            None,
            1.0,
            start,
            None,
            None,
            "made",
        )
        for i, name in enumerate(names(symbols))
    ]
    schema = {name: dtype for name, dtype in Instruments.schema().items() if name != "known_at"}
    return pl.DataFrame(rows, schema=schema, orient="row")


def with_actions(bars: pl.DataFrame, seed: int = 7) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Make some symbols split and pay: the raw bars after it, and the corporate actions.

    Every seventh symbol splits 2 for 1 half way, every third pays a quarterly dividend of half a percent.
    """
    sizes = bars.group_by("symbol", maintain_order=True).len()
    symbols, sessions = sizes["symbol"], int(sizes["len"][0])
    days = bars["session"].head(sessions)
    half = sessions // 2
    number = np.repeat(np.arange(len(symbols)), sessions)
    after = (number % 7 == seed % 7) & (np.tile(np.arange(sessions), len(symbols)) >= half)
    factor = pl.Series(np.where(after, 2.0, 1.0))
    prices = [(pl.col(name) / factor).round(4) for name in ("open", "high", "low", "close")]
    raw = bars.with_columns(*prices, volume=pl.col("volume") * factor)
    rows: list[tuple[str, date, str, float]] = []
    close = raw["close"].to_numpy().reshape(len(symbols), sessions)
    for i, symbol in enumerate(symbols):
        if i % 7 == seed % 7:
            rows.append((symbol, days[half], "split", 2.0))
        if i % 3 == 0:
            paid = range(DIVIDEND_EVERY, sessions, DIVIDEND_EVERY)
            rows.extend(
                (symbol, days[t], "cash_dividend", round(close[i, t - 1] * 0.005 + 0.01, 2)) for t in paid
            )
    whole = [(symbol, day, action, value, None, None, "USD", "made") for symbol, day, action, value in rows]
    return raw, pl.DataFrame(whole, schema=CORPORATE_ACTIONS, orient="row")


def _fill(
    values: dict[str, NDArray[np.float64]],
    rows: slice,
    generator: np.random.Generator,
    common: NDArray[np.float32],
) -> None:
    """Prices and volume of one block of symbols."""
    shape = common.shape
    own = generator.standard_normal(shape, dtype=np.float32) * np.float32(OWN)
    path = np.cumsum(common + own - np.float32(0.5 * OWN**2), axis=1, dtype=np.float64)
    close = np.exp(np.log(generator.uniform(8, 200, (shape[0], 1))) + path)
    np.clip(np.round(close, 2), 1.0, None, out=close)
    gap = generator.standard_normal(shape, dtype=np.float32) * np.float32(0.004)
    opening = np.empty_like(close)
    opening[:, 0] = close[:, 0]
    np.clip(np.round(close[:, :-1] * (1 + gap[:, 1:]), 2), 1.0, None, out=opening[:, 1:])
    reach = np.abs(gap) + np.abs(own) * np.float32(0.5)
    values["open"][rows], values["close"][rows] = opening, close
    values["high"][rows] = np.round(np.maximum(opening, close) * (1 + reach), 2)
    np.maximum(np.round(np.minimum(opening, close) * (1 - reach), 2), 0.01, out=values["low"][rows])
    busy = np.exp(generator.uniform(11, 16, (shape[0], 1))) * (0.5 + 30 * np.abs(own))
    values["volume"][rows] = np.floor(busy) + 100


def main() -> None:
    """Print size and time."""
    symbols, sessions = int(sys.argv[1]), int(sys.argv[2])
    start = time.perf_counter()
    bars = synthetic(symbols, sessions)
    print(f"{bars.height} bars in {time.perf_counter() - start:.2f} s, {bars.estimated_size('mb'):.0f} MB")


if __name__ == "__main__":
    main()
