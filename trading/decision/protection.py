"""Protective orders of open positions: stops and targets follow the fill, trailing stops rise."""

from __future__ import annotations

from trading.decision.desk import Desk, order_row
from trading.orders import Order, Side
from trading.state import Key, Plan

_AGAIN = "held again: its exit was taken back"


def protect(desk: Desk) -> None:
    """Move stops and targets to the price of the fill, and let trailing stops take over and rise."""
    for key, position in desk.state.ledger.positions.items():
        plan = desk.state.plans.get(key)
        rules = desk.policy.strategies.get(key[0])
        if plan is None or rules is None:
            continue
        rule = rules.exit_rule(desk.instrument(key[1]).asset_class)
        if rule.follow_fill and not plan.anchored and position.entry_price > 0:
            factor = position.entry_price / plan.reference
            plan.anchored, plan.reference = True, position.entry_price
            if plan.stop is not None and plan.stop_ref:
                plan.stop = desk.level(key[1], plan.stop * factor)
                change(desk, key, plan.stop_ref, "stop_loss", plan.stop, "moved to the price of the fill")
            if plan.target is not None and plan.target_ref:
                plan.target = desk.level(key[1], plan.target * factor)
                change(
                    desk, key, plan.target_ref, "profit_target", plan.target, "moved to the price of the fill"
                )
        if rule.trailing_activation is not None and rule.trailing_distance is not None and plan.stop_ref:
            trail(desk, key, plan, rule.trailing_activation, rule.trailing_distance)


def restore(desk: Desk) -> None:
    """Put the stop and the target of a position to work anew whose exit was taken back."""
    for key, position in desk.state.ledger.positions.items():
        if key in desk.state.plans:
            side: Side = "SELL" if position.quantity > 0 else "BUY"
            attach(desk, key, side, abs(position.quantity), _AGAIN, position.price)


def attach(
    desk: Desk,
    key: Key,
    side: Side,
    quantity: float,
    reason: str,
    price: float,
    *,
    parent_ref: str | None = None,
) -> None:
    """Approve the stop and the target of a plan that have no order yet, in one group.

    Parameters
    ----------
    price : float
        Price on which they are decided.
    parent_ref : str, optional
        Entry that they wait for; without one they work at once.
    """
    plan, instrument = desk.state.plans[key], desk.instrument(key[1])
    levels = (("stop_loss", plan.stop, plan.stop_ref), ("profit_target", plan.target, plan.target_ref))
    for purpose, level, ref in levels:
        if level is None or ref is not None:
            continue
        reference = desk.reference(*key, purpose)
        plan.oca_group = plan.oca_group or "O" + reference[1:]
        order = Order(
            order_ref=reference,
            session=desk.day.times.session,
            strategy=key[0],
            symbol=key[1],
            asset_class=instrument.asset_class,
            purpose=purpose,
            side=side,
            order_type="stop" if purpose == "stop_loss" else "limit",
            quantity=quantity,
            stop_price=level if purpose == "stop_loss" else None,
            limit_price=level if purpose == "profit_target" else None,
            time_in_force="gtc",
            parent_ref=parent_ref,
            oca_group=plan.oca_group,
            reason=reason,
            live=parent_ref is None,
            multiplier=instrument.multiplier,
        )
        if purpose == "stop_loss":
            plan.stop_ref = reference
        else:
            plan.target_ref = reference
        desk.decided.orders.append(order)
        desk.decided.rows.append(order_row(desk, ref=reference, order=order, reason=reason, price=price))


def trail(desk: Desk, key: Key, plan: Plan, activation: float, distance: float) -> None:
    """Let the trailing stop take over once the best price has gone far enough, and never let it back off."""
    position = desk.state.ledger.positions[key]
    if position.quantity > 0:
        active = position.high >= position.entry_price * (1 + activation)
        level = desk.level(key[1], position.high * (1 - distance))
        better = plan.stop is None or level > plan.stop
    else:
        active = position.low <= position.entry_price * (1 - activation)
        level = desk.level(key[1], position.low * (1 + distance))
        better = plan.stop is None or level < plan.stop
    if active and better and plan.stop_ref:
        plan.trailing, plan.stop = True, level
        change(desk, key, plan.stop_ref, "trailing_stop", level, "trailing stop moved with the best price")


def change(desk: Desk, key: Key, target: str, purpose: str, price: float, reason: str) -> None:
    """Ask for a new price of a working protective order."""
    working = next((order for order in desk.state.working if order.order_ref == target), None)
    if working is None:
        return
    strategy, symbol = key
    stop = None if purpose == "profit_target" else price
    limit = price if purpose == "profit_target" else None
    desk.decided.changes.append((target, price, purpose))
    desk.decided.rows.append(
        order_row(
            desk,
            ref=desk.reference(strategy, symbol, purpose),
            intent="modify",
            target=target,
            order=working,
            purpose=purpose,
            prices=(limit, stop),
            quantity=desk.decided.sizes.get(target, working.quantity + working.held),
            reason=reason,
        )
    )
