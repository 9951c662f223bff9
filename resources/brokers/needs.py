"""Whether a book's orders need a run of placing: quick to import, for sensors and the stages."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from delta import Lake, pin
from delta.contracts import BrokerSnapshots, OrderEvents, Orders, Portfolio
from resources.brokers.halts import halted
from resources.brokers.rows import intent_of, last_states
from resources.calendar import last_closed_session, session_close
from trading.book import BookConfig
from trading.placement import reduces_risk

SOURCE = "broker"
"""Who says so in ``order_events`` of orders placed at a gateway."""
DOUBTFUL = ("RESERVED", "SENT", "UNKNOWN")
LAST_SWEEP = time(23, 10)
"""In the gateway's zone: before its restart and its midnight."""


def places_at_broker(book: BookConfig) -> bool:
    """Whether a book's orders go to a gateway; those of other paper books fill in process."""
    return book.mode != "backtest" and book.placement.broker == "ib"


def placing_needed(lake: Lake, book: BookConfig, now: datetime) -> str:
    """Why a book's orders need a run of placing now; empty when they do not.

    Returns
    -------
    str
        ``new``: approved orders that were never sent; ``doubt``: orders in no known state; ``sweep``: a
        session has closed since the last look of a book that has decided one, with orders or without: a
        broker forgets at midnight what was done by hand.
    """
    pins = pin(lake, [Orders, OrderEvents, BrokerSnapshots, Portfolio])
    here = {"book": book.name}
    orders = pins.read(Orders, where=here | {"status": "approved"}).collect()
    states = last_states(pins.read(OrderEvents, where=here | {"source": SOURCE}).collect())
    newest = orders.filter(pl.col("session") == pl.col("session").max())
    planned = newest.join(states, on="order_ref", how="anti")
    if halted(lake, book.name):
        planned = planned.filter(_passes_a_halt(orders))
    if not planned.is_empty():
        return "new"
    if not states.filter(pl.col("state").is_in(DOUBTFUL)).is_empty():
        return "doubt"
    decided = pins.read(Portfolio, where=here, columns=["session"]).head(1).collect()
    if states.is_empty() and decided.is_empty():
        return ""
    looked = (
        pins.read(BrokerSnapshots, where=here, columns=["known_at"])
        .select(pl.col("known_at").max())
        .collect()
    ).item()
    return "sweep" if looked is None or looked < sweep_due(book, now) else ""


def _passes_a_halt(orders: pl.DataFrame) -> pl.Expr:
    """Cancels, and modifies that take risk off the order as it was decided."""
    known = {intent.order_ref: intent for intent in map(intent_of, orders.iter_rows(named=True))}
    changes = [
        (one, known[one.target_ref])
        for one in known.values()
        if one.kind == "modify" and one.target_ref in known
    ]
    reducing = [
        one.order_ref
        for one, target in changes
        if reduces_risk(target, one, (target.limit_price, target.stop_price))
    ]
    return (pl.col("intent") == "cancel") | pl.col("order_ref").is_in(reducing)


def sweep_due(book: BookConfig, now: datetime) -> datetime:
    """Time after which the broker must have been looked at.

    The last close of the book's calendar; and late in the gateway's evening, as after its midnight it no
    longer tells what it has executed.
    """
    zone = ZoneInfo(book.placement.restart_timezone)
    local = now.astimezone(zone)
    evening = datetime.combine(local.date(), LAST_SWEEP, zone)
    if evening > local:
        evening -= timedelta(days=1)
    return max(session_close(book.calendar, last_closed_session(book.calendar, now)), evening)
