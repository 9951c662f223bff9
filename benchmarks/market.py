"""A synthetic market on the sessions of a real calendar, in a lake or as files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.synthetic import described, synthetic, with_actions
from delta import Lake, Provenance, Table, write
from delta.contracts import Bars, CorporateActions, Instruments, Sessions
from resources.calendar import sessions

CALENDAR = "XNYS"
LAST = date(2019, 12, 31)
BLOCK = 252
"""Sessions written to the lake in one commit."""


@dataclass(frozen=True)
class Market:
    """Prices of N symbols over T sessions.

    Attributes
    ----------
    sessions : DataFrame
        Rows of the table ``sessions``.
    bars : DataFrame
        ``symbol, session, open, high, low, close, volume``: N x T rows, one symbol after the other.
    actions, instruments : DataFrame
        Columns of the tables without ``known_at``.
    """

    symbols: tuple[str, ...]
    sessions: pl.DataFrame
    bars: pl.DataFrame
    actions: pl.DataFrame
    instruments: pl.DataFrame


def market(symbols: int, length: int, *, seed: int = 7, last: date = LAST, actions: bool = True) -> Market:
    """Make a market of ``symbols`` names over the ``length`` sessions up to ``last``.

    Parameters
    ----------
    actions : bool
        Whether some of them split and pay dividends.
    """
    calendar = sessions(CALENDAR, last - timedelta(days=length * 3 // 2 + 30), last).tail(length)
    made = synthetic(symbols, length, seed)
    days = pl.concat([calendar["session"]] * symbols)
    bars, events = with_actions(made.with_columns(days.alias("session")), seed)
    events = events.with_columns(pl.lit(_CONSTANT["source"]).alias("source"))
    if not actions:
        bars, events = made.with_columns(days.alias("session")), events.clear()
    instruments = described(symbols, calendar["session"][0])
    return Market(tuple(instruments["symbol"]), calendar, bars, events, instruments)


def rows(made: Market, first: int, end: int) -> pl.DataFrame:
    """Rows of the table ``bars`` of the sessions ``first:end``, known since the close of the last of them."""
    length, count = made.sessions.height, len(made.symbols)
    picked = (np.arange(count)[None, :] * length + np.arange(first, end)[:, None]).ravel()
    closes = pl.Series(np.repeat(np.arange(first, end), count))
    return _conformed(
        made.bars[picked].with_columns(made.sessions["closes_at"].gather(closes).alias("closes_at")),
        Bars,
        made.sessions["closes_at"][end - 1],
    )


def fill(lake: Lake, made: Market, end: int | None = None) -> int:
    """Write a market up to the session at ``end`` as if it had been fetched year by year; counts the bars."""
    by = Provenance("synthetic", "benchmarks", "0")
    length = made.sessions.height if end is None else end
    known = made.sessions["closes_at"][0]
    write(lake, Instruments, _conformed(made.instruments, Instruments, known), None, by)
    there = pl.col("ex_date") <= made.sessions["session"][length - 1]
    write(lake, CorporateActions, _conformed(made.actions.filter(there), CorporateActions, known), None, by)
    write(lake, Sessions, made.sessions.head(length), {"calendar": CALENDAR}, by)
    return sum(write(lake, Bars, rows(made, a, b), None, by).rows for a, b in blocks(length))


def files(folder: Path, made: Market) -> None:
    """One Parquet file a symbol with splits and dividends, for the provider ``files``."""
    whole = made.bars
    for name, (action, usual) in _COLUMNS.items():
        values = made.actions.filter(pl.col("action") == action).select(
            "symbol", pl.col("ex_date").alias("session"), pl.col("value").alias(name)
        )
        whole = whole.join(values, on=["symbol", "session"], how="left", maintain_order="left")
        whole = whole.with_columns(pl.col(name).fill_null(usual))
    for symbol, bars in zip(made.symbols, whole.iter_slices(made.sessions.height), strict=True):
        bars.drop("symbol").rename({"session": "date"}).write_parquet(folder / f"{symbol}.parquet")


def blocks(length: int, block: int = BLOCK) -> Iterator[tuple[int, int]]:
    """Bounds of the blocks of sessions that are written together."""
    for first in range(0, length, block):
        yield first, min(first + block, length)


_COLUMNS = {"split": ("split", 1.0), "dividend": ("cash_dividend", 0.0)}
_CONSTANT = {"timeframe": "1d", "source": "files"}


def _conformed(frame: pl.DataFrame, table: type[Table], known_at: datetime) -> pl.DataFrame:
    """Frame with the columns that a table has besides, in its types."""
    added = {
        **{name: pl.lit(value) for name, value in _CONSTANT.items()},
        "known_at": pl.lit(known_at),
        "flags": pl.lit([], pl.List(pl.String)),
        "withdrawn": pl.lit(value=False),
        "reason": pl.lit(None, pl.String),
    }
    missing = {name: value for name, value in added.items() if name not in frame.columns}
    return frame.with_columns(**missing).select(
        pl.col(name).cast(dtype) for name, dtype in table.schema().items()
    )
