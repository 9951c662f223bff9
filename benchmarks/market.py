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


def files(folder: Path, made: Market, first: int) -> None:
    """One Parquet file a symbol from the session at ``first`` on, with splits and dividends, as a provider."""
    ex = made.actions.select("symbol", "value", session="ex_date", action="action")
    values = {name: ex.filter(pl.col("action") == kind) for name, kind in _COLUMNS.items()}
    late = made.bars.filter(pl.col("session") >= made.sessions["session"][first])
    for name, found in values.items():
        late = late.join(
            found.select("symbol", "session", pl.col("value").alias(name)),
            on=["symbol", "session"],
            how="left",
        )
    late = late.with_columns(pl.col("split").fill_null(1.0), pl.col("dividend").fill_null(0.0))
    for (symbol,), frame in late.group_by("symbol"):
        frame.drop("symbol").sort("session").rename({"session": "date"}).write_parquet(
            folder / f"{symbol}.parquet"
        )


def blocks(length: int, block: int = BLOCK) -> Iterator[tuple[int, int]]:
    """Bounds of the blocks of sessions that are written together."""
    for first in range(0, length, block):
        yield first, min(first + block, length)


_COLUMNS = {"split": "split", "dividend": "cash_dividend"}
_CONSTANT = {"timeframe": "1d", "source": "files"}


def _conformed(frame: pl.DataFrame, table: type[Table], known_at: datetime) -> pl.DataFrame:
    """Frame with the columns that a table has besides, in its types."""
    added = {
        **{name: pl.lit(value) for name, value in _CONSTANT.items()},
        "known_at": pl.lit(known_at),
        "flags": pl.lit([], pl.List(pl.String)),
    }
    missing = {name: value for name, value in added.items() if name not in frame.columns}
    return frame.with_columns(**missing, **_source(frame)).select(
        pl.col(name).cast(dtype) for name, dtype in table.schema().items()
    )


def _source(frame: pl.DataFrame) -> dict[str, pl.Expr]:
    return {"source": pl.lit(_CONSTANT["source"])} if "source" in frame.columns else {}
