"""Signals as the decision reads them: one small tuple each, grouped by session and best first."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import NamedTuple

import polars as pl


class Signal(NamedTuple):
    """What a strategy asks of one symbol at the close of one session; prices are raw.

    ``rank`` is the symbol's place among the strategy's candidates of the session, None without a scan.
    """

    strategy: str
    symbol: str
    action: str
    strength: float
    confidence: float
    price: float
    stop: float | None
    target: float | None
    weight: float | None
    max_hold: int | None
    reason: str
    rank: int | None
    score: float | None


_ROWS = 16_384
"""Rows that are turned into tuples at a time."""


def signals_by_session(signals: pl.DataFrame, candidates: pl.DataFrame) -> dict[date, list[Signal]]:
    """Group signals by session.

    Parameters
    ----------
    signals, candidates : DataFrame
        Rows of the two tables for one book.

    Returns
    -------
    dict
        Session to signals: by strategy, then candidate rank, then strength (strongest first), then symbol.
    """
    ranked = signals.join(
        candidates.select("session", "strategy", "symbol", "rank", "score"),
        on=["session", "strategy", "symbol"],
        how="left",
    ).sort(
        ["session", "strategy", "rank", "strength", "symbol", "action"],
        descending=[False, False, False, True, False, False],
        nulls_last=True,
    )
    grouped: dict[date, list[Signal]] = defaultdict(list)
    rows = ranked.select(Signal._fields).iter_rows(buffer_size=_ROWS)
    for session, row in zip(ranked["session"], rows, strict=True):
        grouped[session].append(Signal._make(row))
    return dict(grouped)


class Candidate(NamedTuple):
    """A name of a strategy's scan, best first."""

    symbol: str
    rank: int
    score: float


def candidates_by_session(candidates: pl.DataFrame) -> dict[date, dict[str, list[Candidate]]]:
    """Group candidates by session, then by strategy, best first."""
    grouped: dict[date, dict[str, list[Candidate]]] = {}
    ordered = candidates.sort("session", "strategy", "rank")
    rows = ordered.select(Candidate._fields).iter_rows(buffer_size=_ROWS)
    for session, strategy, row in zip(ordered["session"], ordered["strategy"], rows, strict=True):
        grouped.setdefault(session, {}).setdefault(strategy, []).append(Candidate._make(row))
    return grouped
