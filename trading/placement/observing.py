"""What a view tells of the orders that it has: adopted, filled, cancelled, refused, doubled."""

from __future__ import annotations

from trading.placement.checks import OPENING
from trading.placement.desk import Desk
from trading.placement.intents import DUST, ENDED, Intent, Standing, State
from trading.placement.steps import Alarm, Cancel, Note, Step
from trading.placement.view import BrokerOrder, Found

REFUSED = frozenset({110, 135, 200, 201, 203, 320, 321, 322, 382, 387, 388, 403, 434, 436, 460, 463})
"""Codes by which a broker refuses a new order; provisional until a look confirms that it is not there."""
CONSUMED = frozenset({103, 104})
"""Codes by which a broker says that it has seen the id: never a reason for another id."""


def observe(desk: Desk, intent: Intent) -> list[Step]:
    """Events that bring an order's standing up to what the view has of it."""
    ref = intent.order_ref
    standing, found = desk.of(ref), desk.found(ref)
    if not found.anything:
        return []
    steps = _extras(intent, standing, found)
    state, text = _state(desk, intent, standing, found)
    if state is None:
        return steps
    perm_id = _perm_id(found)
    news = (
        state != standing.state
        or abs(found.executed - standing.filled) > DUST
        or (perm_id is not None and perm_id not in standing.perm_ids)
    )
    if news:
        steps.append(_note(desk, intent, found, state, _worded(standing, state, text), perm_id))
    return steps


def in_doubt(desk: Desk, ref: str) -> bool:
    """Whether an order that may have been sent is neither working nor done as far as the view tells."""
    standing, found, intent = desk.of(ref), desk.found(ref), desk.intents[ref]
    if standing.order_id is None or standing.state in ENDED or standing.state == "UNRESOLVED":
        return False
    if found.executed >= found.wanted(intent.quantity) - DUST:
        return False
    return found.lacking if found.done and not found.live else not found.live


def _state(  # noqa: PLR0911 - a list of cases
    desk: Desk, intent: Intent, standing: Standing, found: Found
) -> tuple[State | None, str]:
    """State that the view gives an order; None where it must be looked at again."""
    if found.executed >= found.wanted(intent.quantity) - DUST:
        return "FILLED", ""
    if found.live:
        if standing.state in ENDED and intent.purpose in OPENING:
            return (standing.state if found.executed > standing.filled + DUST else None), ""
        if found.live[0].status == "Inactive" and _code(desk, intent) in REFUSED:
            return "REJECTED", _text(desk, intent, found.live[0])
        return ("PARTIAL" if found.executed > DUST else "ACKED"), ""
    if found.done and not found.lacking:
        return _end(desk, intent, found)
    if found.executed > standing.filled + DUST:
        return (standing.state if standing.state in ENDED else "PARTIAL"), ""
    return None, ""


def _end(desk: Desk, intent: Intent, found: Found) -> tuple[State, str]:
    last = found.done[-1]
    if any(order.status == "Filled" for order in found.done):
        return "FILLED", ""
    refused = last.status == "Inactive" or (not found.executed and _code(desk, intent) in REFUSED)
    return ("REJECTED" if refused else "CANCELLED"), _text(desk, intent, last)


def _extras(intent: Intent, standing: Standing, found: Found) -> list[Step]:
    """Cancel what is live and must not be: a twin, more than was wanted, what was given up."""
    ref, wanted = intent.order_ref, found.wanted(intent.quantity)
    steps: list[Step] = []
    if found.executed > wanted + DUST:
        text = f"order {ref}: {found.executed:g} executed, {wanted:g} intended"
        if standing.state != "FILLED" or abs(found.executed - standing.filled) > DUST:
            steps.append(Alarm(ref, text, freeze=not found.corrected))
    if found.executed >= wanted - DUST:
        too_many, why = found.live, "the order is filled already"
    elif standing.state in ENDED and intent.purpose in OPENING:
        too_many, why = found.live, f"the order had ended as {standing.state}"
    else:
        too_many, why = found.live[1:], "the broker has the order twice"
    for order in too_many:
        if order.status == "PendingCancel":
            continue
        order_id = order.order_id or standing.order_id
        if order_id:
            steps.append(Cancel(ref, order_id, reason=why))
        steps.append(Alarm(ref, f"order {ref}, broker's id {order.perm_id}: {why}"))
    return steps


def _note(desk: Desk, intent: Intent, found: Found, state: State, text: str, perm_id: int | None) -> Note:
    left = max(found.wanted(intent.quantity) - found.executed, 0.0)
    code = _code(desk, intent) if state in {"REJECTED", "CANCELLED"} else None
    return Note(
        intent.order_ref,
        state,
        text,
        found.executed,
        0.0 if state == "FILLED" else left,
        found.average_price,
        perm_id,
        code,
    )


def _worded(standing: Standing, state: State, text: str) -> str:
    if text:
        return text
    if standing.state in ENDED and state != standing.state:
        return f"at the broker after all, after {standing.state}"
    if standing.state in ENDED:
        return f"filled after {standing.state}"
    return "found at the broker" if standing.state in {"UNKNOWN", "UNRESOLVED", "PLANNED"} else ""


def _perm_id(found: Found) -> int | None:
    orders = (*found.live, *found.done)
    return orders[0].perm_id if orders else None


def _code(desk: Desk, intent: Intent) -> int | None:
    notice = desk.view.notices.get(intent.order_ref)
    return notice.code if notice else desk.of(intent.order_ref).code


def _text(desk: Desk, intent: Intent, order: BrokerOrder) -> str:
    notice = desk.view.notices.get(intent.order_ref)
    return (notice.text if notice else "") or order.text or order.status
