"""A person says how an order has ended that the desk could not find out about."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal, NamedTuple

import polars as pl

from delta import ContractError, Lake, Provenance, pin, write
from delta.contracts import Executions, OrderEvents, Orders
from resources.brokers.base import BrokerError
from resources.brokers.journal import SupersededError
from resources.brokers.lease import Lease
from resources.brokers.needs import SOURCE
from resources.brokers.rows import event_of, intent_of, report_of
from trading.placement import DUST, Event, Intent, Standing, State, newest, standings

End = Literal["filled", "cancelled", "rejected", "expired", "done"]
STATES: dict[End, State] = {
    "filled": "FILLED",
    "cancelled": "CANCELLED",
    "rejected": "REJECTED",
    "expired": "EXPIRED",
    "done": "ACKED",
}
"""How an order may have ended, and the state that says so; ``done`` is for changes and cancels."""
STEP = "settle"


class SettleError(BrokerError):
    """An order that cannot be settled like that; the message says why and what to do."""


class Settled(NamedTuple):
    """What was recorded of an order."""

    book: str
    order_ref: str
    symbol: str
    state: State
    filled: float
    remaining: float
    message: str


def settle(
    lake: Lake,
    order_ref: str,
    end: End,
    reason: str,
    person: str,
    lease: Lease,
    *,
    clock: Callable[[], datetime],
    filled: float | None = None,
    code_version: str = "",
) -> Settled:
    """Record the end of an unresolved order.

    Parameters
    ----------
    end : str
        A key of :data:`STATES`.
    filled : float, optional
        Units that were executed, says the statement; else what the desk has recorded, or all of a filled
        order.

    Raises
    ------
    SettleError
        When the order is not known or not unresolved, or the end contradicts its executions.
    LeaseError
        When a run of placing is at work.
    """
    if not reason.strip():
        raise SettleError("settling an order needs a reason: --reason TEXT")
    lease.acquire()
    try:
        book, intent, standing, executed = _order(lake, order_ref)
        if standing.state != "UNRESOLVED":
            raise SettleError(
                f"order {intent.order_ref} is {standing.state}, not UNRESOLVED: {_advice(standing)}"
            )
        if intent.kind == "submit":
            units = _units(intent, end, executed, filled)
        else:
            units = _nothing(intent, end, filled)
        message = f"settled by {person}: {reason.strip()}"
        left = 0.0 if end == "filled" or intent.kind != "submit" else max(intent.quantity - units, 0.0)
        event = Event(
            intent.order_ref,
            standing.sequence + 1,
            STATES[end],
            clock(),
            standing.client_id,
            standing.order_id,
            filled=units,
            remaining=left,
            message=message,
        )
        _append(lake, book, intent, event, code_version)
        return Settled(book, intent.order_ref, intent.symbol, event.state, units, left, message)
    finally:
        lease.release()


def _order(lake: Lake, order_ref: str) -> tuple[str, Intent, Standing, float]:
    """Book, intent, standing and executed units of an order, by its reference or the start of it."""
    pins = pin(lake, [Orders, OrderEvents, Executions])
    where = pl.col("order_ref").str.starts_with(order_ref) & (pl.col("status") == "approved")
    rows = pins.read(Orders, where=where).collect()
    exact = rows.filter(pl.col("order_ref") == order_ref)
    rows = rows if exact.is_empty() else exact
    if not order_ref or rows.is_empty():
        raise SettleError(f"no approved order is called {order_ref!r}; desk orders --all shows them")
    if rows.height > 1:
        named = ", ".join(sorted(rows["order_ref"])[:4])
        raise SettleError(f"{order_ref!r} is the start of {rows.height} orders: {named}; give more of it")
    row = rows.row(0, named=True)
    mine = pl.col("order_ref") == row["order_ref"]
    events = pins.read(OrderEvents, where=mine & (pl.col("source") == SOURCE)).collect()
    told = pins.read(Executions, where=mine).sort("known_at").collect()
    reports = newest(report_of(each) for each in told.iter_rows(named=True)).values()
    executed = sum(report.quantity for report in reports if not report.leg)
    standing = standings(event_of(each) for each in events.iter_rows(named=True)).get(row["order_ref"])
    return row["book"], intent_of(row), standing or Standing(), executed


def _units(intent: Intent, end: End, executed: float, filled: float | None) -> float:
    """Units executed of an order that ended so; refuses what its executions contradict."""
    name, wanted = f"order {intent.order_ref}", intent.quantity
    units = filled if filled is not None else (wanted if end == "filled" else executed)
    if end == "done":
        raise SettleError(f"{name} is neither a change nor a cancel: filled, cancelled, rejected or expired")
    if units < executed - DUST:
        raise SettleError(f"{name}: {executed:g} executed are recorded, it cannot have filled {units:g}")
    if end == "filled" and units < wanted - DUST:
        raise SettleError(f"{name}: {units:g} of {wanted:g} filled is not filled; cancelled or expired")
    if end != "filled" and units >= wanted - DUST:
        raise SettleError(f"{name}: all {wanted:g} are executed; it is filled, not {end}")
    if end == "rejected" and units > DUST:
        raise SettleError(f"{name}: {units:g} executed, so it was not rejected; cancelled or expired")
    return units


def _nothing(intent: Intent, end: End, filled: float | None) -> float:
    if end not in ("done", "rejected", "expired") or filled:
        raise SettleError(
            f"{intent.order_ref} is a {intent.kind} of order {intent.target_ref}: done, rejected or expired"
        )
    return 0.0


def _advice(standing: Standing) -> str:
    if standing.state == "UNKNOWN":
        return "the next look finds out, or makes it UNRESOLVED"
    return "only an order that the desk has given up looking for is settled by hand"


def _append(lake: Lake, book: str, intent: Intent, event: Event, code_version: str) -> None:
    row = {"book": book, "session": intent.session, **event._asdict(), "source": SOURCE, "run_id": STEP}
    frame = pl.DataFrame([row], schema=OrderEvents.schema())
    try:
        write(lake, OrderEvents, frame, None, Provenance(STEP, STEP, code_version))
    except ContractError as error:
        raise SupersededError(f"order {event.order_ref} has just changed; look again: desk orders") from error
