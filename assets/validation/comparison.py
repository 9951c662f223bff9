"""What two ways through the same sessions left behind, row by row, and why rows differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import polars as pl

from assets.stage import frame_of
from delta import Lake, Table, pin
from delta.contracts import Fills, OrderEvents, Orders, Portfolio, Positions, Trades

COMPARED: tuple[type[Table], ...] = (Orders, Fills, Positions, Trades, Portfolio)
EXCLUDED: Mapping[str, tuple[str, ...]] = {
    "fills": ("execution_id", "executed_at"),
    "trades": ("trade_id",),
    "portfolio": ("state",),
}
"""Columns that belong to the broker: its ids and times, and the state that names them."""
UNCOMPARED: Mapping[str, tuple[str, ...]] = {"order_states": ("message",)}
"""Columns that are only there to explain."""
KEYS: Mapping[str, tuple[str, ...]] = {
    "orders": ("session", "order_ref"),
    "fills": ("session", "order_ref", "symbol", "side", "number"),
    "positions": ("session", "strategy", "symbol"),
    "trades": ("session", "strategy", "symbol", "opened", "number"),
    "portfolio": ("session",),
    "order_states": ("session", "order_ref"),
    "account": ("session", "item"),
}
"""Columns that name a row of each table; ``number`` counts rows that share the others."""
CENT = 0.01
SCHEMA = {
    "table": pl.String,
    "session": pl.Date,
    "row": pl.String,
    "column": pl.String,
    "backfill": pl.String,
    "gateway": pl.String,
    "cause": pl.String,
}


Frames = Mapping[str, pl.DataFrame]
"""Rows by table."""


def compared_frames(lake: Lake, book: str, first: date, last: date) -> Frames:
    """Rows of a book and range in a lake, in the compared columns."""
    pins = pin(lake, [*COMPARED, OrderEvents])
    here = {"book": book, "session": (first, last)}
    frames = {table.name: pins.read(table, where=here).collect() for table in COMPARED}
    events = pins.read(OrderEvents, where={"book": book}).collect()
    return {**decided_frames(frames), "order_states": order_states(events)}


def decided_frames(frames: Frames) -> Frames:
    """Rows of the decided tables in the compared columns, each named by its key."""
    found = {}
    for table in COMPARED:
        rows = frame_of(table, frames[table.name]).sort(_stable(table))
        found[table.name] = _numbered(table.name, rows.drop(*EXCLUDED.get(table.name, ())))
    return found


def account_rows(held: Iterable[tuple[date, str, float]]) -> pl.DataFrame:
    """What an account holds each evening: units by symbol, cash by currency."""
    schema = {"session": pl.Date, "item": pl.String, "amount": pl.Float64}
    return pl.DataFrame(list(held), schema=schema, orient="row").sort("session", "item")


def expected_account(frames: Frames, currency: str) -> pl.DataFrame:
    """What the account should hold by positions and cash of the ledger."""
    units = frames["positions"].group_by("session", "symbol").agg(pl.col("quantity").sum())
    cash = frames["portfolio"].select("session", "cash")
    return account_rows(
        [*units.iter_rows(), *((session, f"cash {currency}", amount) for session, amount in cash.iter_rows())]
    )


def order_states(events: pl.DataFrame) -> pl.DataFrame:
    """How every order ended, and how much of it was filled; orders that still work are left out.

    A broker says of a day order that it was cancelled, the simulated market that it expired: one state.
    """
    last = events.sort("sequence").group_by("order_ref").last()
    ended = last.filter(pl.col("state").is_in(["FILLED", "CANCELLED", "EXPIRED", "REJECTED"]))
    state = pl.when(pl.col("state") == "EXPIRED").then(pl.lit("CANCELLED")).otherwise(pl.col("state"))
    return ended.select(
        pl.lit(None, pl.Date).alias("session"), "order_ref", state.alias("state"), "filled", "message"
    ).sort("order_ref")


def compared_rows(frames: Frames) -> dict[str, int]:
    """Number of rows by table."""
    return {name: frame.height for name, frame in frames.items()}


def differences(backfill: Frames, gateway: Frames) -> pl.DataFrame:
    """Every value that differs, bit by bit, in the order of sessions, with its probable cause.

    Returns
    -------
    DataFrame
        table, session, row (its key), column (empty: the whole row), both values as text, cause.
    """
    found: list[dict[str, Any]] = []
    for name, left in backfill.items():
        found += _of_table(name, left, gateway[name])
    found.sort(key=lambda one: (one["session"] or date.max, list(KEYS).index(one["table"]), one["row"]))
    first = next((one["session"] for one in found if one["table"] in ("fills", "orders")), None)
    told = gateway.get("order_states", pl.DataFrame())
    states = {row["order_ref"]: row for row in told.iter_rows(named=True)}
    for one in found:
        one["cause"] = _cause(one, first, states)
    return pl.DataFrame([{name: one[name] for name in SCHEMA} for one in found], schema=SCHEMA)


def _stable(table: type[Table]) -> list[str]:
    """Order that does not depend on what is excluded."""
    left_out = {*EXCLUDED.get(table.name, ())}
    nested = {name for name, dtype in table.schema().items() if dtype.is_nested()}
    key = [name for name in table.key if name not in left_out]
    return [*key, *(n for n in table.schema() if n not in left_out and n not in nested and n not in key)]


def _numbered(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    key = [column for column in KEYS[name] if column != "number"]
    if "number" not in KEYS[name]:
        return frame
    return frame.with_columns(pl.int_range(pl.len()).over(key).alias("number"))


def _of_table(name: str, left: pl.DataFrame, right: pl.DataFrame) -> list[dict[str, Any]]:
    ours = {_identity(name, row): row for row in left.iter_rows(named=True)}
    theirs = {_identity(name, row): row for row in right.iter_rows(named=True)}
    found = []
    for identity in {**ours, **theirs}:
        mine, other = ours.get(identity), theirs.get(identity)
        row = mine or other or {}
        shown_row = " ".join(map(str, identity[1:]))
        one = {"table": name, "session": row["session"], "row": shown_row, "ref": row.get("order_ref")}
        if mine is None or other is None:
            shown = ("", "there") if mine is None else ("there", "")
            found.append({**one, "column": "", "backfill": shown[0], "gateway": shown[1], "values": shown})
            continue
        found += [
            {
                **one,
                "column": column,
                "backfill": str(mine[column]),
                "gateway": str(other[column]),
                "values": (mine[column], other[column]),
            }
            for column in mine
            if mine[column] != other[column] and column not in UNCOMPARED.get(name, ())
        ]
    return found


def _identity(name: str, row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[column] for column in KEYS[name])


def _cause(  # noqa: PLR0911 - a list of cases
    one: Mapping[str, Any], first: date | None, states: Mapping[str, Mapping[str, Any]]
) -> str:
    table, column = one["table"], one["column"]
    if table == "fills" and not column:
        if not one["backfill"]:
            return "execution that the backfill does not have"
        ended = states.get(one["ref"])
        why = f": order {ended['state']} {ended['message']}".rstrip() if ended else ""
        return f"missing execution{why}"
    if table == "order_states":
        why = f": {states[one['ref']]['message']}" if one["ref"] in states else ""
        return f"order state{why}" if column in ("", "state") else "missing execution"
    if one["session"] and first and one["session"] > first:
        return f"follows from a difference of {first}"
    before, after = one["values"]
    if isinstance(before, float) and isinstance(after, float) and abs(before - after) < CENT:
        return "rounding"
    if column in ("commission", "commissions"):
        return "commission"
    if table == "fills" and column in ("price", "slippage"):
        return "slippage"
    if table == "fills" and column == "quantity":
        return "partial execution"
    return "decision" if table == "orders" else "follows from the session's fills"
