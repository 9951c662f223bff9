"""Corporate actions as a person tells them: new ones, corrections of wrong ones, and withdrawals.

Nothing is overwritten: each is a new version of the action with its reason, known from the time it is told.
What has been decided before stays as it was decided; what is decided from then on sees the new version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl

from assets.observations import ObservationUpdate, Observing
from delta.contracts import Bars, CorporateActions, Instruments
from trading.corporate_actions import BY_HAND, KEY, changes
from trading.quality import check_actions


class ActionError(ValueError):
    """A correction that corrects nothing; the message says what is known."""


def record_actions(desk: Observing, rows: pl.DataFrame, *, reason: str | None = None) -> ObservationUpdate:
    """Corporate actions that a person tells, such as spin-offs that no provider has.

    Parameters
    ----------
    rows : polars.DataFrame
        ``symbol, ex_date, action`` and what the action needs of ``value, pay_date, new_symbol, currency``;
        ``withdrawn`` and ``reason`` where it replaces what is known. They stand over what a provider says of
        the same symbol, day and action.
    reason : str, optional
        Reason of rows that give none.
    """
    usual: dict[str, Any] = {"currency": "USD", "source": BY_HAND, "withdrawn": False}
    schema = {name: dtype for name, dtype in CorporateActions.schema().items() if name != "known_at"}
    frame = (
        rows.with_columns(
            pl.lit(usual.get(name), dtype).alias(name)
            for name, dtype in schema.items()
            if name not in rows.columns
        )
        .select(pl.col(name).cast(dtype) for name, dtype in schema.items())
        .with_columns(pl.col("reason").fill_null(pl.lit(reason)), pl.col("withdrawn").fill_null(value=False))
    )
    here = pl.col("symbol").is_in(frame["symbol"].unique().to_list())
    known = desk.known(CorporateActions, here)
    unexplained = _unexplained(frame, known)
    failed = {
        f"{symbol} {day}": f"{symbol}: {action} of {day} is known otherwise; give the reason (--reason)"
        for symbol, day, action in unexplained.select(KEY).iter_rows()
    }
    explained = frame.join(unexplained, on=list(KEY), how="anti", maintain_order="left")
    said = explained.filter("withdrawn")
    good, bad = check_actions(
        explained.filter(pl.col("withdrawn").not_()), desk.known(Bars, here & (pl.col("timeframe") == "1d"))
    )
    changed = changes(pl.concat([said, good]), known)
    result = desk.write(CorporateActions, changed.rows, here, refetch=True)
    failed |= {
        f"{row['symbol']} {row['session']}": f"{row['symbol']}: {row['rule']}: {row['reason']}"
        for row in bad.iter_rows(named=True)
    }
    return ObservationUpdate(replace(result, unchanged=result.unchanged + changed.unchanged), failed)


def correct_action(
    desk: Observing,
    symbol: str,
    ex_date: date,
    action: str,
    *,
    reason: str,
    right: Mapping[str, Any] | None = None,
) -> ObservationUpdate:
    """Correct a corporate action that was learned wrongly, or withdraw it.

    Parameters
    ----------
    symbol, ex_date, action
        The action as it is known.
    reason : str
        Kept with the new version.
    right : mapping, optional
        What is right: of ``value, pay_date, new_symbol, currency, ex_date``; nothing: the action never was.
        Another ``ex_date`` withdraws the action on the old day and tells it on the new one in one commit.

    Raises
    ------
    ActionError
        When no such action stands.
    """
    known = desk.known(CorporateActions, pl.col("symbol") == symbol)
    stands = known.filter(pl.col("withdrawn").not_())
    old = stands.filter(pl.col("ex_date") == ex_date, pl.col("action") == action)
    if old.is_empty():
        listed = ", ".join(f"{kind} of {day}" for day, kind in stands.select("ex_date", "action").iter_rows())
        raise ActionError(f"{symbol}: no {action} of {ex_date} stands; known are: {listed or 'none'}")
    said = old.drop("known_at").with_columns(source=pl.lit(BY_HAND), reason=pl.lit(reason))
    told = said.with_columns(
        pl.lit(value, said.schema[name]).alias(name) for name, value in (right or {}).items()
    )
    gone = said.with_columns(withdrawn=pl.lit(value=True))
    if not right:
        update = record_actions(desk, gone)
        if action == "delisting":
            _reopen(desk, symbol, ex_date)
        return update
    moved = told["ex_date"].item() != ex_date
    return record_actions(desk, pl.concat([gone, told]) if moved else told)


def _unexplained(frame: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Rows without a reason that would replace what is known."""
    silent = frame.filter(pl.col("reason").is_null())
    return changes(silent, known).corrected


def _reopen(desk: Observing, symbol: str, ex_date: date) -> None:
    """Let the listing go on that a delisting had ended, so that bars are asked for again."""
    listed = desk.known(Instruments, pl.col("symbol") == symbol).sort("valid_from").tail(1)
    ended = listed.filter(pl.col("valid_to") <= ex_date).drop("known_at")
    if not ended.is_empty():
        going_on = ended.with_columns(valid_to=pl.lit(None, pl.Date), source=pl.lit(BY_HAND))
        desk.write(Instruments, going_on, pl.col("symbol") == symbol, refetch=True)
