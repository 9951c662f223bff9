"""Cancels and modifies of working orders: sent until a look confirms them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trading.placement.checks import OPENING
from trading.placement.desk import Desk
from trading.placement.intents import CARRIED_OUT, DUST, Intent, changed
from trading.placement.observing import REFUSED, in_doubt
from trading.placement.steps import Cancel, Change, Note, Reserve, Step, Wait
from trading.placement.view import BrokerOrder

TICK = 0.01
"""Price step of what has no other one."""


def cancel(desk: Desk, intent: Intent) -> list[Step]:
    """Steps of a cancel: halts do not hold it up."""
    return _if_open(desk, intent, _cancel)


def _if_open(desk: Desk, intent: Intent, steps: Callable[[Desk, Intent], list[Step]]) -> list[Step]:
    """Steps of a request that is not carried out; of an unresolved one only what a look has settled."""
    state = desk.of(intent.order_ref).state
    if state == "UNRESOLVED":
        return [s for s in steps(desk, intent) if isinstance(s, Note) and s.state != "UNRESOLVED"]
    return [] if state in CARRIED_OUT else steps(desk, intent)


def _cancel(desk: Desk, intent: Intent) -> list[Step]:  # noqa: PLR0911 - a list of cases
    ref, target_ref = intent.order_ref, intent.target_ref or ""
    if target_ref not in desk.intents:
        return [Note(ref, "EXPIRED", "the order it would cancel is not known or ended long ago")]
    target, standing, found = desk.intents[target_ref], desk.of(target_ref), desk.found(target_ref)
    if found.live:
        return _ask(desk, intent, found.live[0], lambda number: Cancel(target_ref, number, ref, "asked for"))
    if standing.state == "PLANNED" and not found.anything:
        unsent = Note(target_ref, "CANCELLED", "cancelled before it was sent", remaining=target.quantity)
        return [unsent, Note(ref, "ACKED", "before it was sent")]
    if found.executed >= found.wanted(target.quantity) - DUST or standing.state == "FILLED":
        return [Note(ref, "EXPIRED", "the order was filled before it could be cancelled")]
    if in_doubt(desk, target_ref):
        return [Wait((ref,), "the order is being looked for")]
    if standing.state == "UNRESOLVED":
        return [Note(ref, "UNRESOLVED", "the order it would cancel is unresolved")]
    return [Note(ref, "ACKED", "the order is gone")]


def modify(desk: Desk, changes: Sequence[Intent]) -> list[Step]:
    """Steps of the modifies of one order, oldest first: only the newest counts."""
    *older, intent = changes
    steps: list[Step] = [
        Note(one.order_ref, "EXPIRED", "a later change of the order took its place")
        for one in older
        if desk.of(one.order_ref).state not in CARRIED_OUT
    ]
    return [*steps, *_if_open(desk, intent, _modify)]


def _modify(desk: Desk, intent: Intent) -> list[Step]:  # noqa: PLR0911 - a list of cases
    ref, target_ref = intent.order_ref, intent.target_ref or ""
    target, found = desk.intents.get(target_ref), desk.found(target_ref)
    if target is None or desk.ended(target_ref):
        return [Note(ref, "EXPIRED", "the order has ended")]
    if not found.live and desk.of(target_ref).state == "UNRESOLVED":
        return [Note(ref, "UNRESOLVED", "the order it would change is unresolved")]
    if not found.live:
        return [Wait((ref,), "the order is not at the broker yet")]
    order = found.live[0]
    total = _total(desk, target, intent, order)
    same = abs(total - order.quantity) <= DUST
    if same and equal(changed(target, intent), order, desk.view.ticks.get(intent.symbol, TICK)):
        return [Note(ref, "ACKED", "the broker has the change")]
    notice = desk.view.notices.get(target_ref)
    if desk.of(ref).sends and notice is not None and notice.code in REFUSED:
        return [Note(ref, "REJECTED", notice.text, code=notice.code)]
    if intent.valid_until is not None and desk.now > intent.valid_until:
        return [Note(ref, "EXPIRED", "its time has passed")]
    reduces = reduces_risk(
        target, intent, (order.limit_price, order.stop_price), more=(total - order.quantity)
    )
    if desk.policy.blocked and not (desk.policy.halted and reduces):
        return [Wait((ref,), desk.policy.blocked, blocked=True)]
    parent_id = order.parent_id or None
    return _ask(
        desk, intent, order, lambda number: Change(ref, target_ref, number, total, parent_id, reduces)
    )


def reduces_risk(
    target: Intent, intent: Intent, prices: tuple[float | None, float | None], *, more: float = 0.0
) -> bool:
    """Whether a modify of a working order can only lower what the book may lose.

    An exit comes nearer to the market, for no fewer units; an order that opens goes farther from it, for no
    more.

    Parameters
    ----------
    prices : tuple
        Limit and stop as they work now.
    more : float
        Units that the order has more afterwards.
    """
    opens = target.purpose in OPENING
    buys = target.side == "BUY"
    limit, stop = prices
    limit_up, stop_up = _moved(limit, intent.limit_price), _moved(stop, intent.stop_price)
    if limit_up is None or stop_up is None or (more > DUST if opens else more < -DUST):
        return False
    nearer = (limit_up, -stop_up) if buys else (-limit_up, stop_up)
    return all(move <= DUST for move in nearer) if opens else all(move >= -DUST for move in nearer)


def _moved(old: float | None, new: float | None) -> float | None:
    """How far a price goes up; None where that cannot be told."""
    if new is None:
        return 0.0
    return None if old is None else new - old


def _total(desk: Desk, target: Intent, intent: Intent, order: BrokerOrder) -> float:
    """Quantity of an order as a modify wants it, what has been filled of it included.

    A group may have taken from the order since the modify was decided: it never gets more than it has,
    unless more is wanted than it was placed with, and never more than is held.
    """
    executed = desk.executed(target.order_ref)
    wanted = executed + intent.quantity
    if wanted > order.quantity and intent.quantity > target.quantity + DUST:
        held = abs(desk.view.positions.get(intent.symbol, 0.0))
        return max(order.quantity, min(wanted, executed + held))
    return min(order.quantity, wanted)


def equal(wanted: Intent, order: BrokerOrder, tick: float) -> bool:
    """Whether a working order has the prices that are wanted, to the price step."""
    return _same(wanted.limit_price, order.limit_price, tick) and _same(
        wanted.stop_price, order.stop_price, tick
    )


def _same(wanted: float | None, given: float | None, tick: float) -> bool:
    return wanted is None or (given is not None and abs(wanted - given) <= tick * 0.51)


def _ask(desk: Desk, intent: Intent, order: BrokerOrder, step: object) -> list[Step]:
    """Send a request, again when it has not been confirmed for a while, and give up in the end."""
    ref, standing = intent.order_ref, desk.of(intent.order_ref)
    assert callable(step)  # noqa: S101 - for the type checker
    recent = standing.at is not None and desk.now - standing.at < desk.policy.spacing
    if standing.sends and recent:
        return [Wait((ref,), "asked the broker, not confirmed yet")]
    if standing.sends >= desk.policy.max_sends:
        return [Note(ref, "UNRESOLVED", f"asked {standing.sends} times, never confirmed")]
    number = order.order_id or desk.of(intent.target_ref or "").order_id
    if not number or (order.client_id and order.client_id != desk.policy.client_id):
        return [Note(ref, "UNRESOLVED", "another client placed the order, only it can change it")]
    durable: list[Step] = [] if standing.order_id is not None else [Reserve(((ref, number),))]
    return [*durable, step(number), Wait((ref,), "asked the broker")]
