"""Orders that may have been sent and that no look finds: wait, send again, expire, or ask a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from trading.placement.desk import Desk, send
from trading.placement.intents import DUST, Intent, has_parent
from trading.placement.observing import CONSUMED, REFUSED, in_doubt
from trading.placement.steps import Cancel, Note, Reconnect, Step, Wait
from trading.placement.view import UNTRANSMITTED


class Fate(NamedTuple):
    """What becomes of a missing order: it waits, is sent again (``alone``: without its parent), or ends."""

    end: Literal["wait", "send", "alone", "EXPIRED", "REJECTED", "UNRESOLVED"]
    reason: str = ""


def resolve(desk: Desk, unit: Sequence[Intent]) -> list[Step]:
    """Steps for the members of a unit that are missing."""
    missing = [intent for intent in unit if in_doubt(desk, intent.order_ref)]
    if not missing:
        return []
    fates: dict[str, Fate] = {}
    for intent in missing:
        fates[intent.order_ref] = _fate(desk, intent, fates)
    steps: list[Step] = [step for intent in missing for step in _doubts(desk, intent)]
    for intent in missing:
        fate = fates[intent.order_ref]
        if fate.end in {"EXPIRED", "REJECTED", "UNRESOLVED"}:
            steps.append(_ending(desk, intent, fate))
    waiting = tuple(ref for ref, fate in fates.items() if fate.end == "wait")
    again = [intent for intent in missing if fates[intent.order_ref].end in {"send", "alone"}]
    if waiting:
        return [*steps, Wait((*waiting, *(i.order_ref for i in again)), "looking for it once more")]
    return [*steps, *_send_again(desk, unit, again, fates)] if again else steps


def _doubts(desk: Desk, intent: Intent) -> list[Step]:
    """Record once that an order's outcome is unknown, with what the broker said of it."""
    ref = intent.order_ref
    standing, absence = desk.of(ref), desk.view.absences.get(ref)
    notice = desk.view.notices.get(ref)
    told = notice is not None and notice.code != standing.code
    if absence is None or absence.looks < 2 or (standing.state == "UNKNOWN" and not told):
        return []
    found = desk.found(ref)
    return [
        Note(
            ref,
            "UNKNOWN",
            notice.text if notice else "sent, perhaps, and not found",
            found.executed,
            max(intent.quantity - found.executed, 0.0),
            found.average_price,
            code=notice.code if notice else None,
        )
    ]


def _fate(desk: Desk, intent: Intent, fates: dict[str, Fate]) -> Fate:  # noqa: PLR0911 - a list of cases
    ref = intent.order_ref
    standing, absence, found = desk.of(ref), desk.view.absences.get(ref), desk.found(ref)
    if absence is None:
        return Fate("wait")
    notice = desk.view.notices.get(ref)
    code = notice.code if notice else standing.code
    if code in REFUSED and absence.looks >= 2 and not found.anything and not standing.perm_ids:
        return Fate("REJECTED", notice.text if notice else standing.message)
    if absence.confirmed is None:
        return Fate("wait")
    if found.lacking:
        return Fate("UNRESOLVED", "the broker says that it was filled and tells no execution")
    if found.executed > DUST:
        return Fate("UNRESOLVED", f"{found.executed:g} executed, and the rest is nowhere")
    if standing.perm_ids:
        return Fate("UNRESOLVED", "the broker had it and no longer tells of it")
    if standing.reserved_at is not None and standing.reserved_at < desk.view.day_began:
        return Fate("UNRESOLVED", "older than what the broker tells; the account's statement decides")
    if code in CONSUMED:
        return Fate("UNRESOLVED", f"the broker has seen its id (message {code}) and tells of no such order")
    if intent.valid_until is not None and desk.now > intent.valid_until:
        return Fate("EXPIRED", "not at the broker, and its time has passed")
    if intent.order_type in {"market", "market_on_close"}:
        return Fate("EXPIRED", "not at the broker; a market order is not sent again")
    if standing.sends >= desk.policy.max_sends:
        return Fate("UNRESOLVED", f"sent {standing.sends} times and never found")
    return _with_parent(desk, intent, fates)


def _with_parent(  # noqa: PLR0911 - a list of cases
    desk: Desk, intent: Intent, fates: dict[str, Fate]
) -> Fate:
    """A child goes only with its parent, or to protect a position that is there."""
    parent = desk.intents.get(intent.parent_ref or "")
    if parent is None:
        return Fate("send")
    ahead = fates.get(parent.order_ref)
    if ahead is not None:
        if ahead.end in {"wait", "send"}:
            return Fate(ahead.end)
        return Fate("EXPIRED", "its parent never reached the broker")
    if desk.found(parent.order_ref).live:
        return Fate("send")
    if desk.executed(parent.order_ref) <= DUST:
        return Fate("EXPIRED", "its parent has ended without a fill")
    held = desk.view.positions.get(intent.symbol, 0.0) * (1 if intent.side == "SELL" else -1)
    if held < protected(desk, intent) - DUST:
        return Fate("EXPIRED", "the position that it would protect is gone")
    return Fate("alone")


def protected(desk: Desk, child: Intent) -> float:
    """Units that a child may close: what its parent has filled, and no more than was intended."""
    return min(child.quantity, desk.executed(child.parent_ref or ""))


def _ending(desk: Desk, intent: Intent, fate: Fate) -> Note:
    assert fate.end in {"EXPIRED", "REJECTED", "UNRESOLVED"}  # noqa: S101 - for the type checker
    found = desk.found(intent.order_ref)
    notice = desk.view.notices.get(intent.order_ref)
    return Note(
        intent.order_ref,
        fate.end,
        fate.reason,
        found.executed,
        max(intent.quantity - found.executed, 0.0),
        found.average_price,
        code=notice.code if notice else None,
    )


def _send_again(
    desk: Desk, unit: Sequence[Intent], again: Sequence[Intent], fates: dict[str, Fate]
) -> list[Step]:
    refs = tuple(intent.order_ref for intent in again)
    stranded = _stranded_parent(desk, unit)
    if stranded is not None:
        return stranded
    verdict = desk.may_send(again)
    if verdict.outcome == "wait":
        return [Wait(refs, verdict.reason, blocked=True)]
    if verdict.outcome == "refuse":
        return [_ending(desk, intent, Fate("EXPIRED", verdict.reason)) for intent in again]
    if any(desk.view.absences[ref].confirmed == desk.view.connection for ref in refs):
        return [Reconnect(refs)]
    ids = {one.order_ref: number for one in unit if (number := desk.of(one.order_ref).order_id) is not None}
    alone = {one.order_ref: protected(desk, one) for one in again if fates[one.order_ref].end == "alone"}
    return [send(again, ids, alone=alone, held=_held(desk, unit, again), again=True)]


def _held(desk: Desk, unit: Sequence[Intent], again: Sequence[Intent]) -> bool:
    """Whether the broker holds the unit until its last part: the parent is on its way, or waits for it."""
    parent = unit[0]
    if not has_parent(unit):
        return False
    if parent in again:
        return True
    return any(order.status == UNTRANSMITTED for order in desk.found(parent.order_ref).live)


def _stranded_parent(desk: Desk, unit: Sequence[Intent]) -> list[Step] | None:
    """Cancel a parent that was never let go and must not go any more: its last part was lost."""
    parent = unit[0]
    live = [order for order in desk.found(parent.order_ref).live if order.status == UNTRANSMITTED]
    late = parent.valid_until is not None and desk.now > parent.valid_until
    if not live or not (late or parent.order_type == "market"):
        return None
    refs = tuple(intent.order_ref for intent in unit)
    cancels = [
        Cancel(
            parent.order_ref, order.order_id or desk.of(parent.order_ref).order_id or 0, reason="never let go"
        )
        for order in live
    ]
    return [*cancels, Wait(refs, "the unit was never let go and is taken back")]
