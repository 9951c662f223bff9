"""What the parts of one reckoning share: intents, where they stand, the view, and what may be sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from trading.book import PlacementConfig
from trading.placement.checks import Moment, Verdict, check, quote_of, sending_times
from trading.placement.executions import Report
from trading.placement.intents import ENDED, Event, Intent, Standing, next_order_id, standings
from trading.placement.steps import Part, Send
from trading.placement.view import Found, View, find


class Ledger(NamedTuple):
    """What is durable: events and reports of executions."""

    events: Sequence[Event] = ()
    executions: Sequence[Report] = ()


@dataclass(frozen=True, slots=True)
class PlacingPolicy:
    """By which rules orders are placed.

    Attributes
    ----------
    client_id : int
        The one API client that writes.
    spacing : timedelta
        Least time between the two looks that confirm that an order is missing.
    max_sends : int
        Times an order may be sent, always under the same id.
    blocked : str
        Why nothing but cancels may be sent now: halted, read-only, near the gateway's restart; empty: go.
    halted : bool
        Whether that is a halt and nothing else: changes that only take risk off pass.
    multipliers : mapping
        Units of the underlying in one contract, where not 1.
    first_id : int
        Order ids below it have been reserved by orders that are not looked at any more.
    market_open : bool
        Whether the calendar's session is open.
    """

    client_id: int
    limits: PlacementConfig = field(default_factory=PlacementConfig)
    spacing: timedelta = timedelta(seconds=30)
    max_sends: int = 3
    blocked: str = ""
    halted: bool = False
    multipliers: Mapping[str, float] = field(default_factory=dict)
    first_id: int = 1
    market_open: bool = True


class Desk:
    """One reckoning."""

    def __init__(
        self, intents: Sequence[Intent], ledger: Ledger, view: View, now: datetime, policy: PlacingPolicy
    ) -> None:
        self.intents = {intent.order_ref: intent for intent in intents}
        self.ledger = ledger
        self.view = view
        self.now = now
        self.policy = policy
        self.standing = standings(ledger.events)
        self._sent = sending_times(ledger.events)
        self._next_id = next_order_id(max(view.next_id, policy.first_id), self.standing, policy.client_id)
        self._found: dict[str, Found] = {}

    def of(self, order_ref: str) -> Standing:
        """Where an order stands in the ledger."""
        return self.standing.get(order_ref) or Standing()

    def found(self, order_ref: str) -> Found:
        """What the view has of an order."""
        if order_ref not in self._found:
            perm_ids = self.of(order_ref).perm_ids
            self._found[order_ref] = find(self.view, order_ref, perm_ids, self.ledger.executions)
        return self._found[order_ref]

    def ended(self, order_ref: str) -> bool:
        """Whether nothing more is expected of an order."""
        return self.of(order_ref).state in ENDED

    def executed(self, order_ref: str) -> float:
        """Units executed."""
        return self.found(order_ref).executed

    @cached_property
    def unresolved(self) -> dict[str, str]:
        """Symbols in which an order waits for a person, with its reference."""
        return {
            intent.symbol: ref
            for ref, intent in self.intents.items()
            if self.of(ref).state == "UNRESOLVED" and not self.found(ref).anything
        }

    def may_send(self, unit: Sequence[Intent]) -> Verdict:
        """Whether a unit may leave now."""
        if self.policy.blocked:
            return Verdict("wait", self.policy.blocked)
        symbol = unit[0].symbol
        waits = self.unresolved.get(symbol)
        if waits is not None and waits not in {intent.order_ref for intent in unit}:
            return Verdict("wait", f"order {waits} in {symbol} is unresolved")
        if symbol in self.view.unknown:
            return Verdict("refuse", f"the broker has no single contract for {symbol}")
        if self.policy.limits.hours == "regular" and not self.policy.market_open:
            return Verdict("wait", "the market is closed")
        others = [(other, self.of(ref)) for ref, other in self.intents.items() if other.kind == "submit"]
        for intent in unit:
            moment = Moment(
                self.now,
                self.policy.limits,
                quote_of(self.view.quotes, intent.symbol),
                self._sent,
                self.policy.multipliers.get(intent.symbol, 1.0),
            )
            verdict = check(intent, moment, others)
            if verdict.outcome != "pass":
                return verdict
        return Verdict("pass")

    def take_ids(self, refs: Sequence[str]) -> dict[str, int]:
        """Ids that nobody has; for what follows in this reckoning the orders count as sent."""
        ids = dict(zip(refs, range(self._next_id, self._next_id + len(refs)), strict=True))
        self._next_id += len(refs)
        self._sent.extend([self.now] * len(refs))
        self.standing |= {ref: Standing("RESERVED", order_id=number) for ref, number in ids.items()}
        return ids


def send(
    unit: Sequence[Intent],
    ids: Mapping[str, int],
    *,
    alone: Mapping[str, float] | None = None,
    held: bool = True,
    again: bool = False,
) -> Send:
    """Step that sends a unit.

    Parameters
    ----------
    ids : mapping
        Order ids of the unit and of parents that are at the broker already.
    alone : mapping
        Children that go without their parent, which has filled already: reference to units.
    held : bool
        Whether the broker is to hold the unit until its last part; False where the parent works already.
    """
    last, apart = len(unit) - 1, alone or {}
    return Send(
        tuple(
            Part(
                intent.order_ref,
                ids[intent.order_ref],
                None if intent.order_ref in apart else ids.get(intent.parent_ref or ""),
                not held or number == last,
                apart.get(intent.order_ref),
            )
            for number, intent in enumerate(unit)
        ),
        again,
    )
