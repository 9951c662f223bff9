"""Scale orders: one level works at a time, and the next one, at a better price, when it has filled."""

from __future__ import annotations

from resources.gateway.orders.matching import release
from resources.gateway.orders.ticket import Ticket
from resources.gateway.wire.layout.fields import Values

NOT_SIMULATED = (
    "scaleProfitOffset",
    "scalePriceAdjustValue",
    "scalePriceAdjustInterval",
    "scaleAutoReset",
    "scaleInitPosition",
    "scaleInitFillQty",
    "scaleRandomPercent",
    "scaleTable",
)
"""Fields of a scale order that the gateway refuses rather than ignores."""


def is_scaled(order: Values) -> bool:
    """Whether an order is one of several levels."""
    return (order.get("scalePriceIncrement") or 0) > 0


def begin(ticket: Ticket) -> None:
    """Let the first level of a scale order work alone."""
    if is_scaled(ticket.order):
        release(ticket, float(ticket.order["scaleInitLevelSize"]))
        ticket.scheduled = 1


def next_level(ticket: Ticket) -> None:
    """Let the next level work once the one before has filled: lower to buy, higher to sell."""
    work, order = ticket.work, ticket.order
    level_works = work.live and work.quantity > 0.0
    if ticket.done or not is_scaled(order) or level_works or work.quantity + work.held <= 0.0:
        return
    away = order["scalePriceIncrement"] * ticket.scheduled * (-1 if work.side == "BUY" else 1)
    work.limit_price = round(order["lmtPrice"] + away, 8)
    release(ticket, float(order.get("scaleSubsLevelSize") or order["scaleInitLevelSize"]))
    ticket.scheduled += 1
