"""Versions of corporate actions: which of them stand, and what a new word about them changes.

An action that was learned wrongly is never overwritten. A later version with the same symbol, ex date and
kind gives other figures, or says that the action never was (``withdrawn``); reading as of an earlier time
leaves the later versions out.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, NamedTuple

import polars as pl

from trading.history import newest

KEY = ("symbol", "ex_date", "action")
FIGURES = ("value", "pay_date", "new_symbol", "currency")
BY_HAND = "person"
"""Source of what a person tells; no provider changes it."""


class ActionChanges(NamedTuple):
    """What new words about corporate actions change.

    Attributes
    ----------
    rows : polars.DataFrame
        Versions to write, in the columns of ``corporate_actions`` without ``known_at``.
    corrected : polars.DataFrame
        Those that replace a version: other figures, or a withdrawal.
    unchanged : int
        Actions told as they are known.
    refused : polars.DataFrame
        Actions told that do not stand over what is known: ``symbol, ex_date, action, reason``.
    """

    rows: pl.DataFrame
    corrected: pl.DataFrame
    unchanged: int
    refused: pl.DataFrame


REFUSED = pl.Schema(
    {"symbol": pl.String(), "ex_date": pl.Date(), "action": pl.String(), "reason": pl.String()}
)


def standing(rows: pl.DataFrame, as_of: datetime | None = None) -> pl.DataFrame:
    """Newest version of every action known at a time, without those that were withdrawn by then.

    Parameters
    ----------
    rows : polars.DataFrame
        Rows of the table ``corporate_actions``: every version.
    as_of : datetime, optional
        Only what was known by then; None: everything known.
    """
    return newest(rows, KEY, as_of).filter(pl.col("withdrawn").not_())


def changes(told: pl.DataFrame, known: pl.DataFrame, *, overrule: bool = False) -> ActionChanges:
    """What actions that are told change among the known ones.

    Parameters
    ----------
    told : polars.DataFrame
        Actions in the columns of the table without ``known_at``; one row an action. ``reason`` may be null:
        a version that replaces another then says what differs.
    known : polars.DataFrame
        Newest version of every action known, withdrawn ones included.
    overrule : bool
        Let the source correct what another provider told. What a person told only a person changes.
    """
    concerned = known.join(told, on=list(KEY), how="semi")
    before = {tuple(row[name] for name in KEY): row for row in concerned.iter_rows(named=True)}
    rows: list[dict[str, Any]] = []
    replaced: list[bool] = []
    refused: list[tuple[Any, ...]] = []
    for row in told.iter_rows(named=True):
        old = before.get(tuple(row[name] for name in KEY))
        if old is None:
            rows.append(row)
            replaced.append(False)
            continue
        differs = _difference(row, old)
        if not differs and not (row["reason"] and row["reason"] != old["reason"]):
            continue
        if _stands_over(row, old, overrule=overrule):
            rows.append({**row, "reason": row["reason"] or f"{row['source']} tells {differs}"})
            replaced.append(True)
        elif old["source"] == BY_HAND:
            reason = (
                f"{row['source']} tells {differs}; what a person told on {old['known_at']:%Y-%m-%d} stands"
            )
            refused.append((*(row[name] for name in KEY), reason))
    frame = pl.DataFrame(rows, schema=told.schema)
    unchanged = told.height - frame.height - len(refused)
    return ActionChanges(
        frame, frame.filter(pl.Series(replaced, dtype=pl.Boolean)), unchanged, _refused(refused)
    )


def no_longer_told(told: pl.DataFrame, known: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """Known actions that their own source has left out of an answer which reaches over their ex date.

    Parameters
    ----------
    told : polars.DataFrame
        ``symbol, ex_date, action`` of the answer.
    known : polars.DataFrame
        Newest version of every action known.
    bars : polars.DataFrame
        ``symbol, session, source`` of the answer: daily bars.

    Returns
    -------
    polars.DataFrame
        Withdrawals of them in the columns of the table without ``known_at``. Of a symbol that lost more than
        one action, and more than are still told, none: that is a gap in the answer, not a correction.
    """
    reach = bars.group_by("symbol", "source").agg(first=pl.col("session").min(), last=pl.col("session").max())
    # On its first bar an answer cannot tell what came between it and the bar before.
    covered = (
        known.filter(pl.col("withdrawn").not_(), pl.col("source") != BY_HAND)
        .join(reach, on=["symbol", "source"], maintain_order="left")
        .filter(pl.col("ex_date") > pl.col("first"), pl.col("ex_date") <= pl.col("last"))
        .join(told.select(KEY).with_columns(told=pl.lit(value=True)), on=list(KEY), how="left")
        .with_columns(pl.col("told").fill_null(value=False))
    )
    gone = pl.col("told").not_().sum().over("symbol")
    left = pl.col("told").sum().over("symbol")
    columns = [name for name in known.columns if name != "known_at"]
    return (
        covered.filter(pl.col("told").not_(), gone <= pl.max_horizontal(left, 1))
        .with_columns(
            withdrawn=pl.lit(value=True), reason=pl.format("{} does not tell it any more", "source")
        )
        .select(columns)
    )


def _stands_over(row: dict[str, Any], old: dict[str, Any], *, overrule: bool) -> bool:
    if row["source"] == BY_HAND:
        return True
    return old["source"] != BY_HAND and (overrule or row["source"] == old["source"])


def _difference(row: dict[str, Any], old: dict[str, Any]) -> str:
    """What differs in words, empty where nothing does."""
    if row["withdrawn"] != old["withdrawn"]:
        return "that it never was" if row["withdrawn"] else "that it was, withdrawn before"
    parts = [
        f"{name} {_shown(row[name])}, known was {_shown(old[name])}"
        for name in FIGURES
        if row[name] != old[name]
    ]
    return "; ".join(parts)


def _shown(value: float | str | date | None) -> str:
    return "nothing" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _refused(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=REFUSED, orient="row")
