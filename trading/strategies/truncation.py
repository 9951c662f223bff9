"""Proof that a strategy does not look ahead: cut the future off, and nothing before may change."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import numpy as np
import polars as pl

from trading.history import History, until
from trading.strategies.base import Strategy

DIFFERENCES = pl.Schema(
    {
        "cut": pl.Date(),
        "table": pl.String(),
        "session": pl.Date(),
        "symbol": pl.String(),
        "column": pl.String(),
        "with_future": pl.String(),
        "without_future": pl.String(),
    }
)


def truncation_differences(
    strategy: Strategy, history: History, cuts: Iterable[date], anchor: date | None = None
) -> pl.DataFrame:
    """Compare what a strategy says with and without the bars after a session.

    Parameters
    ----------
    strategy : Strategy
        Any strategy; it is run once on the whole history and once per cut.
    history : History
        Bars.
    cuts : iterable of date
        Last sessions to be known; each is compared on all sessions up to it, bit for bit.
    anchor : date, optional
        As for :meth:`trading.strategies.base.Strategy.research`.

    Returns
    -------
    polars.DataFrame
        ``cut, table, session, symbol, column, with_future, without_future``: one row per value that
        changed, with column ``(row)`` where a whole row appears or vanishes. Empty: no look-ahead was found.
    """
    whole = strategy.research(history, slice(None), anchor)
    found = [pl.DataFrame(schema=DIFFERENCES)]
    for cut in cuts:
        early = until(history, cut)
        if anchor is not None and not np.any(early.sessions >= np.datetime64(anchor, "D")):
            continue
        part = strategy.research(early, slice(None), anchor)
        for table, keys in (
            ("signals", ["session", "symbol", "action"]),
            ("candidates", ["session", "symbol"]),
        ):
            known = getattr(whole, table).filter(pl.col("session") <= cut)
            found.append(_differences(known, getattr(part, table), keys, cut, table))
    return pl.concat(found)


def _differences(
    known: pl.DataFrame, alone: pl.DataFrame, keys: list[str], cut: date, table: str
) -> pl.DataFrame:
    if known.equals(alone):
        return pl.DataFrame(schema=DIFFERENCES)
    columns = [column for column in known.columns if column not in keys]
    present = pl.lit("present")
    sides = [
        frame.select(
            *keys, present.alias("(row)"), *(pl.col(name).cast(pl.String) for name in columns)
        ).unpivot(index=keys, variable_name="column", value_name=value)
        for frame, value in ((known, "with_future"), (alone, "without_future"))
    ]
    changed = (
        sides[0]
        .join(sides[1], on=[*keys, "column"], how="full", coalesce=True)
        .filter(pl.col("with_future").ne_missing(pl.col("without_future")))
    )
    return (
        changed.with_columns(cut=pl.lit(cut), table=pl.lit(table))
        .select(DIFFERENCES.names())
        .sort("session", "symbol", "column")
    )
