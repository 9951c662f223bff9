"""Orders that close a position never close more than there is of it, and its stop and target all of it.

A fill of one takes its quantity off the others of its group. What is left for this module are changes that
come from outside: an execution taken back or corrected, a trade by hand, an assignment.
"""

from __future__ import annotations

from collections.abc import Sequence

from trading.decision.desk import Desk, order_row
from trading.orders import Order
from trading.state import Key

CLOSING = frozenset({"exit", "stop_loss", "profit_target", "trailing_stop"})
"""Purposes of orders that only ever close."""
DUST = 1e-6


def fit(desk: Desk) -> None:
    """Decide what must become of the closing orders: cancels, and the quantities that are to work.

    Orders whose parent has not filled wait with it and are left alone.
    """
    closing: dict[Key, list[Order]] = {}
    for order in desk.state.working:
        if order.purpose in CLOSING and order.live and order.quantity > 0.0:
            closing.setdefault((order.strategy, order.symbol), []).append(order)
    opening = {(o.strategy, o.symbol) for o in desk.state.working if o.purpose not in CLOSING}
    for key, orders in closing.items():
        groups: dict[str, list[Order]] = {}
        for order in orders:
            groups.setdefault(order.oca_group or order.order_ref, []).append(order)
        left = _closable(desk, key, orders[0])
        for group in groups.values():
            alone = len(groups) == 1 and key not in opening
            left -= _fit_group(desk, group, left, grows=alone and _is_planned(desk, key, group))


def _closable(desk: Desk, key: Key, order: Order) -> float:
    """Units that an order of this side may close."""
    position = desk.state.ledger.positions.get(key)
    if position is None or (position.quantity > 0.0) != (order.side == "SELL"):
        return 0.0
    return abs(position.quantity)


def _is_planned(desk: Desk, key: Key, group: Sequence[Order]) -> bool:
    plan = desk.state.plans.get(key)
    return plan is not None and any(order.order_ref in (plan.stop_ref, plan.target_ref) for order in group)


def _fit_group(desk: Desk, group: Sequence[Order], left: float, *, grows: bool) -> float:
    """Fit the orders of which only one fills; the units that they may close together."""
    taken = 0.0
    for order in group:
        if order.held > 0.0:  # its parent still fills
            taken = max(taken, order.quantity)
        elif left <= DUST:
            _cancel(desk, order)
        else:
            if order.quantity > left + DUST or (grows and order.quantity < left - DUST):
                desk.decided.sizes[order.order_ref] = left
            taken = max(taken, min(order.quantity, left))
    return taken


def _cancel(desk: Desk, order: Order) -> None:
    desk.decided.cancels.append(order.order_ref)
    desk.decided.rows.append(
        order_row(
            desk,
            ref=desk.reference(order.strategy, order.symbol, "cancel"),
            intent="cancel",
            target=order.order_ref,
            order=order,
            reason="nothing is held that it could close",
        )
    )


def resize(desk: Desk) -> None:
    """Ask for the quantities that differ, where no change of a price carries them already."""
    carried = {ref for ref, _, _ in desk.decided.changes}
    for order in desk.state.working:
        size = desk.decided.sizes.get(order.order_ref)
        if size is None or order.order_ref in carried:
            continue
        desk.decided.rows.append(
            order_row(
                desk,
                ref=desk.reference(order.strategy, order.symbol, order.purpose),
                intent="modify",
                target=order.order_ref,
                order=order,
                quantity=size,
                reason="fitted to what is held",
            )
        )
