"""Exits decided on the close: the strategy asks for one, or the time of a position is up."""

from __future__ import annotations

from collections.abc import Mapping

from trading.decision.desk import Desk, place
from trading.orders import Side
from trading.state import Key


def leave(desk: Desk, closing: Mapping[Key, str]) -> None:
    """Leave positions whose strategy asks for it or whose time is up; never shown to a gate."""
    leaving = {(o.strategy, o.symbol) for o in desk.state.working if o.purpose == "exit"}
    ledger = desk.state.ledger
    for key, position in ledger.positions.items():
        plan = desk.state.plans.get(key)
        reason = closing.get(key)
        if (
            reason is None
            and plan
            and plan.max_hold
            and ledger.session_number - position.opened_at >= plan.max_hold
        ):
            reason = "time"
        if reason is None or key in leaving:
            continue
        side: Side = "SELL" if position.quantity > 0 else "BUY"
        group = plan.oca_group if plan else None
        place(desk, key, "exit", side, abs(position.quantity), reason, position.price, oca_group=group)
