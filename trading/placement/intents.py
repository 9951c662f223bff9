"""What is to be placed, and what the ledger knows of it: intents, their events and their units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal, NamedTuple

from trading.orders import OrderType, Side, TimeInForce

State = Literal[
    "PLANNED",
    "RESERVED",
    "SENT",
    "ACKED",
    "PARTIAL",
    "FILLED",
    "CANCELLED",
    "REJECTED",
    "EXPIRED",
    "UNKNOWN",
    "UNRESOLVED",
]
ENDED: frozenset[str] = frozenset({"FILLED", "CANCELLED", "REJECTED", "EXPIRED"})
"""States in which nothing more is expected of a submit; only a late fill changes them."""
CARRIED_OUT: frozenset[str] = frozenset({"ACKED", "REJECTED", "EXPIRED", "UNRESOLVED"})
"""States in which a modify or a cancel is done; ``ACKED``: a snapshot has confirmed it."""
DUST = 1e-9
"""Less than this is no quantity."""


@dataclass(frozen=True, slots=True)
class Intent:
    """One approved row of the ``orders`` table, as placing reads it.

    Attributes
    ----------
    kind : str
        submit, modify or cancel; the last two name their ``target_ref``.
    reference_price : float
        Raw close at the decision.
    valid_until : datetime, optional
        Never sent after this time.
    """

    order_ref: str
    session: date
    symbol: str
    side: Side
    order_type: OrderType
    quantity: float
    kind: Literal["submit", "modify", "cancel"] = "submit"
    target_ref: str | None = None
    strategy: str = ""
    purpose: str = "entry"
    limit_price: float | None = None
    stop_price: float | None = None
    trail_percent: float | None = None
    time_in_force: TimeInForce = "day"
    good_till: date | None = None
    parent_ref: str | None = None
    oca_group: str | None = None
    reference_price: float = 0.0
    valid_until: datetime | None = None
    decided_at: datetime | None = None


class Event(NamedTuple):
    """One row of ``order_events`` of an order; see the table for the columns."""

    order_ref: str
    sequence: int
    state: State
    at: datetime
    client_id: int | None = None
    order_id: int | None = None
    perm_id: int | None = None
    filled: float = 0.0
    remaining: float = 0.0
    average_price: float | None = None
    code: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an order stands: its events folded.

    Attributes
    ----------
    order_id, client_id : int, optional
        API id reserved for it, and the client that may use it; never changed once given.
    perm_ids : set of int
        Ids that the broker has given it; more than one after a broker's mistake.
    sends : int
        Times it was sent.
    reserved_at, at : datetime, optional
        When its id was reserved, and when it got its present state.
    """

    state: State = "PLANNED"
    sequence: int = 0
    order_id: int | None = None
    client_id: int | None = None
    perm_ids: frozenset[int] = frozenset()
    filled: float = 0.0
    sends: int = 0
    reserved_at: datetime | None = None
    code: int | None = None
    message: str = ""
    at: datetime | None = None

    def after(self, event: Event) -> Standing:
        """Standing after one more event."""
        return Standing(
            event.state,
            event.sequence,
            self.order_id if self.order_id is not None else event.order_id,
            self.client_id if self.client_id is not None else event.client_id,
            self.perm_ids | {event.perm_id} if event.perm_id else self.perm_ids,
            max(self.filled, event.filled) if event.state != "FILLED" else event.filled,
            self.sends + (event.state == "SENT"),
            event.at if event.state == "RESERVED" and self.reserved_at is None else self.reserved_at,
            event.code if event.code is not None else self.code,
            event.message or self.message,
            event.at,
        )


def standings(events: Iterable[Event]) -> dict[str, Standing]:
    """Standing of every order that has events."""
    result: dict[str, Standing] = {}
    for event in sorted(events, key=lambda event: event.sequence):
        result[event.order_ref] = result.get(event.order_ref, Standing()).after(event)
    return result


def units(intents: Sequence[Intent]) -> list[tuple[Intent, ...]]:
    """Submits that go to the broker together: a parent with its children, or a group decided together.

    The parent comes first; units come in the order of their first member.
    """
    submits = [intent for intent in intents if intent.kind == "submit"]
    known = {intent.order_ref for intent in submits}
    parents = {intent.parent_ref for intent in submits}
    result: dict[str, list[Intent]] = {}
    for intent in submits:
        result.setdefault(_unit_of(intent, known, parents), []).append(intent)
    return [tuple(sorted(unit, key=lambda one: one.parent_ref in known)) for unit in result.values()]


def _unit_of(intent: Intent, known: set[str], parents: set[str | None]) -> str:
    if intent.parent_ref in known:
        return str(intent.parent_ref)
    if intent.oca_group and intent.parent_ref is None and intent.order_ref not in parents:
        return f"{intent.oca_group} {intent.session}"
    return intent.order_ref


def has_parent(unit: Sequence[Intent]) -> bool:
    """Whether the broker holds a unit until its last part: a parent with children, not a mere group."""
    return any(intent.parent_ref == unit[0].order_ref for intent in unit[1:])


def changed(target: Intent, change: Intent) -> Intent:
    """A working order as a modify wants it."""
    return replace(
        target,
        limit_price=change.limit_price if change.limit_price is not None else target.limit_price,
        stop_price=change.stop_price if change.stop_price is not None else target.stop_price,
        purpose=change.purpose,
    )


def next_order_id(view_next: int, known: Mapping[str, Standing], client_id: int) -> int:
    """First order id that this client has never reserved and that the broker has not given either.

    A gateway's own next id may fall back after its restart; ids in the ledger never do.
    """
    reserved = (
        standing.order_id
        for standing in known.values()
        if standing.order_id is not None and standing.client_id == client_id
    )
    return max(view_next, max(reserved, default=0) + 1)
