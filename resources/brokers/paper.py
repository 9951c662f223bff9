"""The simulated broker of a paper book: takes approved orders and says that it has them.

Its fills come with the next session's bar, through the same market as a backtest's. What this module adds
is the record that an order has left the desk: without it the order never reaches the market.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from delta import ContractError, Lake, Provenance, pin, write
from delta.contracts import OrderEvents, Orders

SOURCE = "broker"


def waiting_orders(lake: Lake, book: str) -> pl.DataFrame:
    """Approved orders of a book's newest session that no event is recorded of yet, oldest first."""
    pins = pin(lake, [Orders, OrderEvents])
    here = {"book": book}
    newest = pins.read(Orders, where=here).select(pl.col("session").max())
    orders = (
        pins.read(Orders, where=here | {"status": "approved", "intent": "submit"})
        .join(newest, on="session", how="semi")
        .filter(pl.col("order_type") != "market_on_close")
    )
    events = pins.read(OrderEvents, where=here, columns=["order_ref"])
    return orders.join(events, on="order_ref", how="anti").sort("order_ref").collect()


def place(lake: Lake, book: str, *, now: datetime, run_id: str, code_version: str) -> pl.DataFrame:
    """Acknowledge every waiting order whose time has not run out; the others expire.

    Placing twice changes nothing: an order's first event can be written only once.

    Returns
    -------
    DataFrame
        Events written.
    """
    waiting = waiting_orders(lake, book)
    if waiting.is_empty():
        return OrderEvents.schema().to_frame()
    late = pl.col("valid_until") < pl.lit(now)
    events = waiting.select(
        "book",
        "session",
        "order_ref",
        pl.lit(1, pl.Int64).alias("sequence"),
        pl.when(late).then(pl.lit("EXPIRED")).otherwise(pl.lit("ACKED")).alias("state"),
        pl.lit(now, OrderEvents.schema()["at"]).alias("at"),
        *(pl.lit(None, pl.Int64).alias(name) for name in ("client_id", "order_id", "perm_id")),
        pl.lit(0.0).alias("filled"),
        pl.col("quantity").alias("remaining"),
        pl.lit(None, pl.Float64).alias("average_price"),
        pl.lit(None, pl.Int64).alias("code"),
        pl.when(late).then(pl.lit("valid_until has passed")).otherwise(pl.lit("")).alias("message"),
        pl.lit(SOURCE).alias("source"),
        pl.lit(run_id).alias("run_id"),
    )
    try:
        write(lake, OrderEvents, events, None, Provenance(run_id, "place_orders", code_version))
    except ContractError:
        if waiting_orders(lake, book).is_empty():  # another run placed them in between
            return OrderEvents.schema().to_frame()
        raise
    return events
