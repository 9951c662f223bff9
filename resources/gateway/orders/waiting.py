"""Orders that wait: for a time, a touch, conditions, the close, or their algorithm's schedule."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from resources.gateway.orders.conditions import met
from resources.gateway.orders.ticket import Ticket
from resources.gateway.orders.translate import trail_amount
from resources.gateway.wire.layout.fields import Values
from resources.gateway.wire.times import read_time
from trading.matching import better

if TYPE_CHECKING:
    from resources.gateway.broker import Broker

_TOUCHED = {"MIT": "market", "LIT": "limit"}


def first_waits(broker: Broker, ticket: Ticket) -> list[str]:
    """What a new order has to wait for."""
    order = ticket.order
    waits = ["held"] if (ticket.client_id, ticket.order_id) in broker.held_ids else []
    if (
        order.get("goodAfterTime")
        and read_time(order["goodAfterTime"], broker.clock.now()) > broker.clock.now()
    ):
        waits.append("time")
    if order.get("conditions") and not order.get("conditionsCancelOrder") and not met(broker, ticket):
        waits.append("condition")
    if ticket.order_type in _TOUCHED:
        waits.append("touch")
    if ticket.order_type == "LOC":
        waits.append("close")
    if order.get("algoStrategy") in {"Twap", "Vwap"}:
        waits.append("schedule")
    return waits


def wake(broker: Broker, ticket: Ticket, price: float | None) -> bool:
    """End the waits that the time and the price end; whether the market may see the order now.

    Parameters
    ----------
    price : float, optional
        Price of the instrument at this moment.
    """
    waited = bool(ticket.waits)
    if (
        "time" in ticket.waits
        and read_time(ticket.order["goodAfterTime"], broker.clock.now()) <= broker.clock.now()
    ):
        ticket.waits.remove("time")
    if "condition" in ticket.waits and met(broker, ticket):
        ticket.waits.remove("condition")
    ready = ticket.work.live and not {"time", "condition", "transmit", "held"} & set(ticket.waits)
    if "touch" in ticket.waits and ready and price is not None and touched(ticket, price):
        ticket.waits.remove("touch")
    return waited and not ticket.waits


def touched(ticket: Ticket, price: float) -> bool:
    """Whether a price is at or beyond the one that an if-touched order waits for."""
    level = float(ticket.order["auxPrice"])
    return price <= level if ticket.work.side == "BUY" else price >= level


def to_be_cancelled(broker: Broker, ticket: Ticket) -> bool:
    """Whether the conditions of an order ask to cancel it now."""
    order = ticket.order
    return bool(order.get("conditions") and order.get("conditionsCancelOrder") and met(broker, ticket))


def trail(ticket: Ticket, price: float) -> None:
    """Move a trailing order of the gateway's own on: a fixed amount, or one with a limit."""
    order = ticket.order
    moves = ticket.order_type == "TRAIL LIMIT" or (
        ticket.order_type == "TRAIL" and not order.get("trailingPercent")
    )
    work = ticket.work
    if not moves or work.triggered or not work.live:
        return
    ticket.best = better(work.side, ticket.best, price)
    distance = trail_amount(order, ticket.best)
    first = order.get("trailStopPrice")
    if work.side == "SELL":
        level = ticket.best - distance
        work.stop_price = level if first is None else max(level, first)
    else:
        level = ticket.best + distance
        work.stop_price = level if first is None else min(level, first)
    if ticket.order_type == "TRAIL LIMIT":
        offset = order.get("lmtPriceOffset")
        if offset is None:
            offset = abs((order.get("lmtPrice") or work.stop_price) - (first or work.stop_price))
        work.limit_price = work.stop_price + (offset if work.side == "BUY" else -offset)


def adjust(ticket: Ticket, price: float) -> bool:
    """Turn an adjustable stop into what it becomes once the trigger price is reached; whether it did."""
    order = ticket.order
    kind, trigger = order.get("adjustedOrderType"), order.get("triggerPrice")
    if not kind or trigger is None:
        return False
    reached = price >= trigger if ticket.work.side == "SELL" else price <= trigger
    if not reached:
        return False
    order["adjustedOrderType"] = ""
    order["orderType"] = kind
    work = ticket.work
    if kind in {"STP", "STP LMT"}:
        order["auxPrice"] = work.stop_price = order.get("adjustedStopPrice")
        work.order_type = "stop" if kind == "STP" else "stop_limit"
        order["lmtPrice"] = work.limit_price = order.get("adjustedStopLimitPrice")
    elif kind in {"TRAIL", "TRAIL LIMIT"}:
        amount = order.get("adjustedTrailingAmount")
        order["trailingPercent" if order.get("adjustableTrailingUnit") else "auxPrice"] = amount
        order["trailStopPrice"] = order.get("adjustedStopPrice")
        work.order_type = "stop" if kind == "TRAIL" else "stop_limit"
        if kind == "TRAIL" and order.get("adjustableTrailingUnit"):
            work.order_type, work.trail_percent = "trailing_stop", (amount or 0.0) / 100
            work.stop_price, work.anchor = order["trailStopPrice"], price
    return True


def due(ticket: Ticket, now: datetime, opens_at: datetime, closes_at: datetime) -> float:
    """Quantity that an algorithm's schedule lets go now, beyond what it has let go before."""
    parameters = algorithm(ticket.order)
    start = _parameter_time(parameters.get("startTime"), now) or opens_at
    end = _parameter_time(parameters.get("endTime"), now) or closes_at
    start, end = max(start, opens_at), min(end, closes_at)
    if end <= start or now < start:
        return 0.0
    share = min((now - start) / (end - start), 1.0)
    whole = ticket.total == int(ticket.total)
    target = ticket.total * share
    target = float(int(target + 1e-9)) if whole and share < 1.0 else target
    return max(target - ticket.scheduled, 0.0)


def algorithm(order: Values) -> dict[str, str]:
    """Parameters of an algorithm by name."""
    return {entry["tag"]: entry["value"] for entry in order.get("algoParams") or ()}


def _parameter_time(text: str | None, now: datetime) -> datetime | None:
    return read_time(text, now) if text else None
