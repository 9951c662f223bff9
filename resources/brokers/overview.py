"""Approved orders and where they stand, for people."""

from __future__ import annotations

from datetime import date

import polars as pl

from delta import Lake, pin
from delta.contracts import OrderEvents, Orders

WORKING = ("PLANNED", "RESERVED", "SENT", "ACKED", "PARTIAL", "UNKNOWN", "UNRESOLVED")
COLUMNS = (
    "book",
    "session",
    "order_ref",
    "intent",
    "symbol",
    "purpose",
    "side",
    "order_type",
    "quantity",
    "limit_price",
    "stop_price",
    "state",
    "filled",
    "average_price",
    "order_id",
    "perm_id",
    "message",
)


def order_overview(
    lake: Lake, *, book: str | None = None, session: date | None = None, everything: bool = False
) -> pl.DataFrame:
    """Approved orders with their last event.

    Parameters
    ----------
    session : date, optional
        Session of the decision; else the newest one of each book, and whatever still works.
    everything : bool
        Every order there ever was.
    """
    pins = pin(lake, [Orders, OrderEvents])
    where = pl.col("status") == "approved"
    if book is not None:
        where &= pl.col("book") == book
    if session is not None:
        where &= pl.col("session") == session
    orders = pins.read(Orders, where=where).collect()
    here = pl.lit(value=True) if book is None else pl.col("book") == book
    events = pins.read(OrderEvents, where=here).collect().sort("sequence")
    key = ["book", "order_ref"]
    ids = events.group_by(key).agg(pl.col("order_id", "perm_id").drop_nulls().last())
    last = events.group_by(key).last().select(*key, "state", "filled", "average_price", "message")
    rows = (
        orders.join(last, on=key, how="left")
        .join(ids, on=key, how="left")
        .with_columns(pl.col("state").fill_null("PLANNED"), pl.col("filled").fill_null(0.0))
    )
    if session is None and not everything:
        newest = pl.col("session") == pl.col("session").max().over("book")
        fresh = pl.col("state") != "PLANNED"
        rows = rows.filter(newest | (pl.col("state").is_in(WORKING) & fresh & (pl.col("intent") == "submit")))
    return rows.select(COLUMNS).sort("book", "session", "order_ref")
