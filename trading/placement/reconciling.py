"""The decision of placing: what is intended, what is durable and what the broker says, into steps.

No clock and no connection: whoever carries the steps out looks again and asks again, until only waits
are left. The rules are those that survive every loss of a message, a connection or a process:

- an order id is durable before the order leaves, and is its id for ever;
- what was sent and is not confirmed is unknown, and is looked for in open orders, completed orders and
  executions by its reference, never by its order id;
- only what two looks have missed is sent again, under the same id, on a fresh connection; a market order
  and one whose time has passed never are;
- what the broker says outside of a look is provisional.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from trading.placement.desk import Desk, Ledger, PlacingPolicy, send
from trading.placement.doubting import protected, resolve
from trading.placement.executions import Report, unrecorded
from trading.placement.intents import DUST, Intent, Standing, has_parent, units
from trading.placement.observing import in_doubt, observe
from trading.placement.requesting import cancel, modify
from trading.placement.steps import Alarm, Book, Note, Reserve, Step, Wait
from trading.placement.view import View


def next_steps(
    intents: Sequence[Intent], ledger: Ledger, view: View, now: datetime, policy: PlacingPolicy
) -> list[Step]:
    """Steps that bring the broker to what is intended and the ledger to what the broker has done.

    Parameters
    ----------
    intents : sequence of Intent
        Approved orders that may still need something, and those that ended today.
    view : View
        A complete look that knows the looks before (:func:`trading.placement.view.remember`).

    Returns
    -------
    list of Step
        In the order to be carried out; empty when nothing is left to do.
    """
    desk = Desk(intents, ledger, view, now, policy)
    grouped = units(intents)
    steps: list[Step] = []
    fresh = unrecorded(view.executions, ledger.executions)
    if fresh:
        steps.append(Book(tuple(fresh)))
        steps += [_told_again(report) for report in fresh if report.revision > 1]
    for unit in grouped:
        for intent in unit:
            steps += observe(desk, intent)
    cancelled: set[str] = set()
    for intent in intents:
        if intent.kind == "cancel":
            asked = cancel(desk, intent)
            cancelled |= {step.order_ref for step in asked if isinstance(step, Note)}
            steps += asked
    for unit in grouped:
        steps += resolve(desk, unit)
    for changes in _changes(intents):
        steps += modify(desk, changes)
    looked_for = any(in_doubt(desk, intent.order_ref) for unit in grouped for intent in unit)
    for unit in grouped:
        if not cancelled & {intent.order_ref for intent in unit}:
            steps += _place(desk, unit, looked_for=looked_for)
    return [*steps, *_calls_for_a_person(desk, steps)]


def _calls_for_a_person(desk: Desk, steps: Sequence[Step]) -> list[Step]:
    """An alarm for every order that becomes unresolved."""
    return [
        Alarm(
            step.order_ref,
            f"order {step.order_ref} in {desk.intents[step.order_ref].symbol} is unresolved, and no new one "
            f"of the book in it is sent until a person settles it: {step.message}",
            urgent=True,
        )
        for step in steps
        if isinstance(step, Note)
        and step.state == "UNRESOLVED"
        and desk.of(step.order_ref).state != "UNRESOLVED"
    ]


def _told_again(report: Report) -> Alarm:
    """Tell a person that the broker has taken an execution back, or changed it."""
    what = f"{report.side} {report.symbol}, execution {report.root}"
    if not report.quantity:
        return Alarm(report.order_ref, f"the broker has taken back {what}")
    return Alarm(
        report.order_ref, f"the broker has corrected {what}: {report.quantity:g} at {report.price:g}"
    )


def doubts(
    intents: Sequence[Intent], ledger: Ledger, view: View, policy: PlacingPolicy
) -> dict[str, Standing]:
    """Orders that a view leaves in doubt, with where they stand: what to look for in the next view."""
    desk = Desk(intents, ledger, view, view.at, policy)
    submits = [intent.order_ref for intent in intents if intent.kind == "submit"]
    return {ref: desk.of(ref) for ref in submits if in_doubt(desk, ref)}


def _changes(intents: Sequence[Intent]) -> list[list[Intent]]:
    by_target: dict[str, list[Intent]] = {}
    for intent in intents:
        if intent.kind == "modify":
            by_target.setdefault(intent.target_ref or "", []).append(intent)
    return [sorted(changes, key=lambda one: one.session) for changes in by_target.values()]


def _place(  # noqa: PLR0911 - a list of cases
    desk: Desk, unit: Sequence[Intent], *, looked_for: bool
) -> list[Step]:
    """Steps for the members of a unit that have never been sent.

    Parameters
    ----------
    looked_for : bool
        Whether an order sent before is in doubt: new ids would make it impossible to send that one again,
        as a broker takes only rising ids.
    """
    new = [
        one
        for one in unit
        if desk.of(one.order_ref).state == "PLANNED" and not desk.found(one.order_ref).anything
    ]
    if not new:
        return []
    refs = tuple(intent.order_ref for intent in new)
    if looked_for:
        return [Wait(refs, "an order sent before is being looked for")]
    parent = unit[0]
    alone: dict[str, float] = {}
    if parent not in new and new[0].parent_ref == parent.order_ref:
        if desk.ended(parent.order_ref) and desk.executed(parent.order_ref) <= DUST:
            return [_never(one, "EXPIRED", "its parent has ended without a fill") for one in new]
        if not desk.found(parent.order_ref).live and desk.executed(parent.order_ref) <= DUST:
            return [Wait(refs, "its parent is being looked for")]
        if not desk.found(parent.order_ref).live:
            alone = {one.order_ref: protected(desk, one) for one in new}
    verdict = desk.may_send(new)
    if verdict.outcome == "wait":
        return [Wait(refs, verdict.reason, blocked=True)]
    if verdict.outcome == "refuse":
        return [_never(one, _refusal(verdict.reason), verdict.reason) for one in new]
    ids = desk.take_ids(refs)
    known = {one.order_ref: number for one in unit if (number := desk.of(one.order_ref).order_id) is not None}
    return [
        Reserve(tuple(ids.items())),
        send(new, known, alone=alone, held=parent in new and has_parent(unit)),
    ]


def _refusal(reason: str) -> str:
    return "EXPIRED" if reason.startswith("valid until") else "REJECTED"


def _never(intent: Intent, state: str, reason: str) -> Note:
    return Note(intent.order_ref, state, reason, remaining=intent.quantity)  # type: ignore[arg-type]
