"""Whether a book's orders need a run of placing: quick to import, for sensors and the stages."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from delta import Lake, pin
from delta.contracts import BrokerSnapshots, OrderEvents, Orders
from resources.brokers.rows import last_states
from resources.calendar import last_closed_session, session_close
from trading.book import BookConfig

SOURCE = "broker"
"""Who says so in ``order_events`` of orders placed at a gateway."""
DOUBTFUL = ("RESERVED", "SENT", "UNKNOWN")


def places_at_broker(book: BookConfig) -> bool:
    """Whether a book's orders go to a gateway; those of other paper books fill in process."""
    return book.mode != "backtest" and book.placement.broker == "ib"


def placing_needed(lake: Lake, book: BookConfig, now: datetime) -> str:
    """Why a book's orders need a run of placing now; empty when they do not.

    Returns
    -------
    str
        ``new``: approved orders that were never sent; ``doubt``: orders in no known state; ``sweep``: a
        session has closed since the last look, and orders work or worked.
    """
    pins = pin(lake, [Orders, OrderEvents, BrokerSnapshots])
    here = pl.col("book") == book.name
    orders = pins.read(Orders, where=here & (pl.col("status") == "approved")).collect()
    if orders.is_empty():
        return ""
    states = last_states(pins.read(OrderEvents, where=here & (pl.col("source") == SOURCE)).collect())
    newest = orders.filter(pl.col("session") == pl.col("session").max())
    if not newest.join(states, on="order_ref", how="anti").is_empty():
        return "new"
    if not states.filter(pl.col("state").is_in(DOUBTFUL)).is_empty():
        return "doubt"
    closed = session_close(book.calendar, last_closed_session(book.calendar, now))
    looked = (
        pins.read(BrokerSnapshots, where=here, columns=["known_at"])
        .select(pl.col("known_at").max())
        .collect()
    ).item()
    return "sweep" if not states.is_empty() and (looked is None or looked < closed) else ""
