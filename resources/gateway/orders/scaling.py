"""Scale orders: one component works at a time, and the next one, at a better price, when it has filled.

As the broker documents its ScaleTrader: what a component fills is offered again by a profit order at the
price of the component and the profit offset, in portions of the subsequent size, as if a larger first
component had been so many components; with the size restored, what a profit order fills goes back to its
price level, and the component below is taken back; an initial position counts as the components that it
fills; random sizes lie within 55 % of the size, in round lots, and do not go with profit orders; the price
moves by a step in each interval.

Chosen where the documentation is silent: a profit order is an order of its own, with the client and the
reference of the scale order, its own permanent id and no order id, and ends when the scale order is
cancelled; a fill in parts is offered in as many; the total of a scale order grows by what is restored, as
the quantity filled never shrinks; the total of one that begins with a position is what it does not hold
yet; the first step of the price comes one interval after the order, and its sign is that of the value.
"""

from __future__ import annotations

import random
from datetime import datetime
from typing import TYPE_CHECKING

from resources.gateway.orders.attached import attach, is_attached
from resources.gateway.orders.matching import release
from resources.gateway.orders.ticket import Ticket
from resources.gateway.orders.translate import is_hedge
from resources.gateway.wire.layout.fields import Values

if TYPE_CHECKING:
    from resources.gateway.broker import Broker

MOST_COMPONENTS = 1000
"""Components that a scale order may have."""
_SPREAD = 0.55
_ROUND_LOT = 100
_LEAST = 1e-9


def is_scaled(order: Values) -> bool:
    """Whether an order is one of several components."""
    return (order.get("scalePriceIncrement") or 0) > 0


def is_profit(ticket: Ticket) -> bool:
    """Whether a ticket is the profit order of a scale order."""
    return is_attached(ticket) and not is_hedge(ticket.order)


def misfit(order: Values) -> str:
    """What is wrong with the terms of a scale order; empty: nothing."""
    total, first = order.get("totalQuantity") or 0, order.get("scaleInitLevelSize") or 0
    if order["orderType"] not in {"LMT", "REL"} or order.get("lmtPrice") is None or order.get("parentId"):
        return "A scale order is a LMT or REL order with a price and without a parent."
    if first <= 0 or (order.get("scaleSubsLevelSize") or first) <= 0:
        return "A scale order needs the size of its first level."
    if total > MOST_COMPONENTS * min(first, _subsequent(order)):
        return f"A scale order has {MOST_COMPONENTS} components at most."
    if order.get("scaleTable"):
        return "The simulated gateway does not simulate scaleTable."
    return _misfit_of_profit(order) or _misfit_of_price(order)


def _misfit_of_profit(order: Values) -> str:
    position, filled = order.get("scaleInitPosition") or 0, order.get("scaleInitFillQty") or 0
    profit, restores = order.get("scaleProfitOffset") or 0, bool(order.get("scaleAutoReset"))
    if profit < 0 or (restores and not profit):
        return "The profit offset of a scale order is above 0; its size is restored after a profit only."
    if profit and order.get("scaleRandomPercent"):
        return "Random sizes of a scale order do not go with profit orders."
    if (position or filled) and not restores:
        return "An initial position needs profit orders and the restored size."
    if not 0 <= position < order["totalQuantity"]:
        return "The initial position of a scale order must be below its size."
    if filled and not position <= filled <= min(order["scaleInitLevelSize"], order["totalQuantity"]):
        return "The filled quantity lies between the initial position and the size of the first level."
    return ""


def _misfit_of_price(order: Values) -> str:
    interval = order.get("scalePriceAdjustInterval") or 0
    if interval < 0 or bool(order.get("scalePriceAdjustValue")) != bool(interval):
        return "The price of a scale order moves by a value in an interval of seconds: give both."
    return ""


def begin(ticket: Ticket, seed: int = 0) -> None:
    """Let the first component of a scale order work, or the one that its initial position has come to."""
    order, work = ticket.order, ticket.work
    if not is_scaled(order):
        return
    ticket.scheduled = 1
    size = _size(ticket, seed)
    done = _held_before(order) if not ticket.filled else 0.0
    work.quantity, work.held = work.quantity + work.held - done, 0.0
    order["totalQuantity"] = ticket.filled + work.quantity
    while done >= size:
        done -= size
        ticket.scheduled += 1
        size = _size(ticket, seed)
    _work(ticket, size - done, size)


def next_level(ticket: Ticket, seed: int = 0) -> None:
    """Let the next component work once the one before has filled: lower to buy, higher to sell."""
    work = ticket.work
    level_works = work.live and work.quantity > 0.0
    if ticket.done or not is_scaled(ticket.order) or level_works or work.quantity + work.held <= 0.0:
        return
    ticket.scheduled += 1
    size = _size(ticket, seed)
    _work(ticket, size, size)


def reprice(broker: Broker) -> list[Ticket]:
    """Move the prices of scale orders whose interval has passed; those that have moved."""
    moved = []
    for ticket in broker.book.active():
        if not (is_scaled(ticket.order) and ticket.order.get("scalePriceAdjustInterval")):
            continue
        since = (broker.clock.now() - datetime.fromisoformat(ticket.created)).total_seconds()
        steps = int(since / ticket.order["scalePriceAdjustInterval"])
        if steps != ticket.price_steps:
            ticket.price_steps = steps
            ticket.work.limit_price = _price(ticket)
            moved.append(ticket)
    return moved


def executed(broker: Broker, ticket: Ticket, quantity: float) -> None:
    """Offer what a component has filled for its profit, and restore what a profit order has filled."""
    if is_profit(ticket):
        scale = broker.book.tickets[ticket.parent_perm_id]
        if scale.order.get("scaleAutoReset") and not scale.done:
            _restore(scale, quantity, ticket.scheduled)
    elif is_scaled(ticket.order) and ticket.order.get("scaleProfitOffset"):
        outstanding = ticket.work.quantity if ticket.work.live else 0.0
        before = ticket.level_size - outstanding - quantity
        _take_profit(broker, ticket, int(ticket.scheduled), max(before, 0.0), quantity)


def offer_position(broker: Broker, ticket: Ticket) -> None:
    """Offer the initial position of a new scale order for its profit, as if its components had filled."""
    order = ticket.order
    left = _held_before(order)
    if not is_scaled(order) or left <= 0 or "transmit" in ticket.waits or _profits(broker, ticket):
        return
    level = 1
    while left > _LEAST:
        size = min(left, float(order["scaleInitLevelSize"] if level == 1 else _subsequent(order)))
        _take_profit(broker, ticket, level, 0.0, size)
        left -= size
        level += 1


def waits_for_profit(broker: Broker, ticket: Ticket) -> bool:
    """Whether a scale order that has filled may yet get size back."""
    return bool(ticket.order.get("scaleAutoReset")) and any(
        not profit.done for profit in _profits(broker, ticket)
    )


def _profits(broker: Broker, scale: Ticket) -> list[Ticket]:
    return [other for other in broker.book.followers(scale) if is_profit(other)]


def _held_before(order: Values) -> float:
    """Units that a scale order counts as filled from the beginning."""
    return float(order.get("scaleInitFillQty") or order.get("scaleInitPosition") or 0)


def _subsequent(order: Values) -> float:
    return float(order.get("scaleSubsLevelSize") or order["scaleInitLevelSize"])


def _size(ticket: Ticket, seed: int) -> float:
    """Size of the present component."""
    order = ticket.order
    size = float(order["scaleInitLevelSize"]) if ticket.scheduled == 1 else _subsequent(order)
    if not order.get("scaleRandomPercent"):
        return size
    chance = random.Random(f"{seed}:{ticket.perm_id}:{ticket.scheduled:g}")  # noqa: S311 - no secret
    lot = _ROUND_LOT if size >= _ROUND_LOT else 1
    return max(round(size * chance.uniform(1 - _SPREAD, 1 + _SPREAD) / lot), 1) * float(lot)


def _start(ticket: Ticket) -> float:
    """Price of the first component as it has moved until now."""
    order = ticket.order
    return float(order["lmtPrice"]) + (order.get("scalePriceAdjustValue") or 0.0) * ticket.price_steps


def _price(ticket: Ticket) -> float:
    """Price of the present component."""
    order = ticket.order
    start = _start(ticket)
    away = float(order["scalePriceIncrement"]) * (ticket.scheduled - 1)
    return round(start - away if ticket.work.side == "BUY" else start + away, 8)


def _work(ticket: Ticket, quantity: float, size: float) -> None:
    """Let so many units of a component of a size work, or what there is left of them."""
    release(ticket, quantity)
    ticket.level_size = size - (quantity - ticket.work.quantity)
    ticket.work.limit_price = _price(ticket)


def _restore(scale: Ticket, quantity: float, level: float) -> None:
    """Put size back to its price level; what works at one farther away is taken back for it."""
    work = scale.work
    idle = work.quantity + work.held <= 0.0
    outstanding = work.quantity if work.live else 0.0
    work.held, work.quantity = work.held + quantity + work.quantity - outstanding, outstanding
    if idle or level < scale.scheduled:
        scale.scheduled = level
        _work(scale, quantity, quantity)
    elif level == scale.scheduled:
        _work(scale, outstanding + quantity, scale.level_size + quantity)


def _take_profit(broker: Broker, ticket: Ticket, level: int, before: float, quantity: float) -> None:
    """Offer so many units of a component, of which some were filled before, in portions."""
    portion = _subsequent(ticket.order) if level == 1 else quantity + before
    left = quantity
    while left > _LEAST:
        part = int(before / portion + _LEAST)
        units = min(left, portion * (part + 1) - before)
        _place_profit(broker, ticket, level + part, units)
        before += units
        left -= units


def _place_profit(broker: Broker, scale: Ticket, level: int, units: float) -> None:
    order = scale.order
    sign = 1 if scale.work.side == "BUY" else -1
    price = _start(scale) + sign * (order["scaleProfitOffset"] - order["scalePriceIncrement"] * (level - 1))
    terms = {"action": "SELL" if sign > 0 else "BUY", "orderType": "LMT", "lmtPrice": round(price, 8)}
    profit = attach(broker, scale, broker.instrument_of(scale), {**terms, "totalQuantity": units})
    profit.scheduled = level
    profit.status = profit.working_status()
    broker.book.put(profit)
    broker.save(profit)
    broker.report(profit)
