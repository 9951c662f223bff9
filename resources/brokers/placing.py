"""Placing carried out: looks at the broker, lets the pure part decide, does what it says, and looks again.

Everything that must survive is in the journal before it happens; whatever this process knows besides may
be lost at any point (see ``resources.brokers.crash``).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from resources.brokers import crash
from resources.brokers.base import Broker, BrokerError, ConnectionFailedError, Outgoing, Pace
from resources.brokers.journal import Expected, Journal
from resources.brokers.lease import Lease
from trading.placement import (
    ENDED,
    Alarm,
    Book,
    Cancel,
    Change,
    Event,
    Intent,
    Ledger,
    Note,
    Part,
    PlacingPolicy,
    Reconnect,
    Report,
    Reserve,
    Send,
    Standing,
    Step,
    View,
    Wait,
    changed,
    doubts,
    newest,
    next_steps,
    remember,
    standings,
)

log = logging.getLogger("desk.placing")

COMMISSION_COMES = timedelta(days=2)
"""Time within which a broker tells a commission; until then cash is not compared."""

Decide = Callable[[Sequence[Intent], Ledger, View, datetime, PlacingPolicy], list[Step]]


class Outcome(NamedTuple):
    """What a run of placing left behind.

    Attributes
    ----------
    states : mapping
        Order reference to state.
    sent : int
        Orders sent by this run, changes and cancels not counted.
    executions : int
        Reports of executions recorded.
    settled : bool
        Whether every order is in a known state: done, working, unresolved, or held back for a reason.
    waiting : tuple of str
        Why orders are held back.
    frozen : str
        Why the book was frozen; empty: it was not.
    """

    states: dict[str, str]
    sent: int = 0
    executions: int = 0
    settled: bool = False
    waiting: tuple[str, ...] = ()
    frozen: str = ""


@dataclass
class Placing:
    """One run of placing.

    Parameters
    ----------
    policy : PlacingPolicy
        Rules; ``blocked`` is filled in before every decision.
    clock : callable
        Time of the desk.
    blocked : callable
        Why nothing may be sent now, apart from halts and the connection; empty: go.
    decide : callable
        The pure part.
    reach : callable
        Told the names of the points that a run passes.
    """

    broker: Broker
    journal: Journal
    lease: Lease
    policy: PlacingPolicy
    pace: Pace
    clock: Callable[[], datetime]
    blocked: Callable[[], str] = lambda: ""
    decide: Decide = next_steps
    reach: Callable[[str], None] = crash.reach
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _intents: list[Intent] = field(default_factory=list)
    _ledger: Ledger = field(default_factory=Ledger)
    _notes: list[Event] = field(default_factory=list)
    _sent: int = 0
    _booked: int = 0
    _waiting: tuple[str, ...] = ()
    _frozen: str = ""
    _difference: str = ""
    _cancelled: Counter[str] = field(default_factory=Counter)

    async def run(self) -> Outcome:
        """Bring every order into a known state, or as far as the time allows.

        Raises
        ------
        BrokerError
            When the broker cannot be reached in time, or the account is refused.
        SupersededError, LeaseError
            When another run places the same orders.
        """
        self.lease.acquire()
        try:
            self._load()
            settled = await self._follow()
            return Outcome(
                {ref: standing.state for ref, standing in standings(self._ledger.events).items()},
                self._sent,
                self._booked,
                settled,
                self._waiting,
                self._frozen,
            )
        finally:
            await self.broker.disconnect()
            self.lease.release()

    def _load(self) -> None:
        self._intents = self.journal.intents()
        self._ledger = self.journal.ledger()
        self.policy = replace(self.policy, first_id=self.journal.first_id(self.policy.client_id))

    # --------------------------------------------------------------------------------------------- rounds

    async def _follow(self) -> bool:
        """Look and act until nothing is expected any more."""
        began = time.monotonic()
        view: View | None = None
        last: ConnectionFailedError | None = None
        failures = 0
        while time.monotonic() - began < self.pace.patience:
            try:
                if not self.broker.connected():
                    await self._connect(failures)
                view = await self._look(view)
                busy = await self._round(view)
                if not busy and not self.broker.trouble() and await self._finish(began):
                    return True
                failures = 0
            except ConnectionFailedError as error:
                failures, last = failures + 1, error
                log.warning("placing: %s", error)
                self._flush()
                await self.broker.disconnect()
                continue
            await self.sleep(self._pause(view))
        if view is None:
            raise last or BrokerError("the broker could not be reached in time")
        return False

    async def _connect(self, failures: int) -> None:
        if failures:
            await self.sleep(self.pace.backoff[min(failures, len(self.pace.backoff)) - 1])
        self.lease.keep()
        await self.broker.connect()
        self.reach("connected")

    async def _look(self, previous: View | None) -> View:
        self.lease.keep()
        view = await self.broker.look(self._symbols())
        self.reach("looked")
        lost = doubts(self._intents, self._ledger, view, self.policy)
        return remember(previous, view, lost, self.policy.spacing)

    def _symbols(self) -> list[str]:
        """Symbols of orders that may be sent."""
        standing = standings(self._ledger.events)
        return [
            intent.symbol
            for intent in self._intents
            if standing.get(intent.order_ref, Standing()).state not in ENDED
        ]

    async def _round(self, view: View) -> bool:
        """Carry out the steps of one view; whether another look is needed soon."""
        policy = replace(self.policy, blocked=self._blocked(), halted=not self._barred())
        steps = self.decide(self._intents, self._ledger, view, self.clock(), policy)
        self._waiting = tuple(sorted({s.reason for s in steps if isinstance(s, Wait) and s.blocked}))
        for step in steps:
            await self._carry_out(step)
        self._flush()
        return any(self._calls_for_a_look(step) for step in steps)

    def _calls_for_a_look(self, step: Step) -> bool:
        """Whether a step leaves something that only another look can tell."""
        match step:
            case Wait(_, _, blocked):
                return not blocked
            case Cancel(order_ref, _, "", _):
                return not self._given_up(order_ref)
            case Alarm():
                return False
        return True

    def _pause(self, view: View) -> float:
        """Seconds to the next look: soon, or when the orders that are missing have been so long enough."""
        if any(absence.confirmed is None and absence.looks >= 2 for absence in view.absences.values()):
            return max(self.policy.spacing.total_seconds() / 2, self.pace.poll)
        return self.pace.poll

    async def _finish(self, began: float) -> bool:
        """Whether the run is over: nothing should fill at once any more, and a last look is consistent."""
        if self._fills_soon() and time.monotonic() - began < self.pace.follow:
            return False
        self.reach("settled")
        view = await self.broker.look(money=True)
        steps = self.decide(
            self._intents, self._ledger, view, self.clock(), replace(self.policy, blocked="-")
        )
        if any(self._calls_for_a_look(step) for step in steps if not isinstance(step, Wait)):
            return False  # something has happened since: act on it first
        if not self._agrees(view):
            return False
        self.reach("finished")
        return True

    def _fills_soon(self) -> bool:
        standing = standings(self._ledger.events)
        return self.policy.market_open and any(
            intent.order_type == "market" and standing[intent.order_ref].state in {"ACKED", "PARTIAL"}
            for intent in self._intents
            if intent.kind == "submit" and intent.order_ref in standing
        )

    # ---------------------------------------------------------------------------------------------- steps

    async def _carry_out(self, step: Step) -> None:
        match step:
            case Note():
                self._note(step)
            case Book(reports):
                self._book(reports)
            case Reserve(ids):
                await self._reserve(ids)
            case Send():
                await self._send(step)
            case Change():
                await self._change(step)
            case Cancel(order_ref, order_id, intent_ref):
                await self._cancel(order_ref, order_id, intent_ref)
            case Reconnect():
                await self.broker.disconnect()
            case Alarm():
                self._alarm(step)
            case Wait():
                pass

    def _note(self, step: Note) -> None:
        self._record(
            step.order_ref,
            Event(
                step.order_ref,
                0,
                step.state,
                self.clock(),
                perm_id=step.perm_id,
                filled=step.filled,
                remaining=step.remaining,
                average_price=step.average_price,
                code=step.code,
                message=step.message,
            ),
        )

    def _record(self, ref: str, event: Event) -> None:
        """Put an event behind the order's others; durable with the next flush."""
        standing = self._standing(ref)
        self._notes.append(
            event._replace(
                sequence=standing.sequence + 1,
                order_id=event.order_id if event.order_id is not None else standing.order_id,
                client_id=event.client_id if event.client_id is not None else standing.client_id,
            )
        )

    def _standing(self, ref: str) -> Standing:
        mine = [event for event in (*self._ledger.events, *self._notes) if event.order_ref == ref]
        return standings(mine).get(ref, Standing())

    def _flush(self) -> None:
        """Make the events noted durable."""
        if not self._notes:
            return
        events, self._notes = self._notes, []
        self.journal.append(events)
        self._ledger = self._ledger._replace(events=(*self._ledger.events, *events))
        self.reach("noted")

    def _book(self, reports: Sequence[Report]) -> None:
        self.journal.book(self.broker.account, reports)
        self._ledger = self._ledger._replace(executions=(*self._ledger.executions, *reports))
        self._booked += len(reports)
        self.reach("booked")

    async def _reserve(self, ids: Sequence[tuple[str, int]]) -> None:
        await self._prove()
        now = self.clock()
        left = {intent.order_ref: intent.quantity for intent in self._intents}
        for ref, order_id in ids:
            event = Event(
                ref, 0, "RESERVED", now, self.policy.client_id, order_id, remaining=left.get(ref, 0.0)
            )
            self._record(ref, event)
        self._flush()
        self.reach("reserved")

    async def _send(self, step: Send) -> None:
        """Send a unit: the halt and the lease are looked at once more, with nothing but the wire after it."""
        if step.again:
            await self._prove()
        why = self._blocked()
        if why:
            raise _StoppedError(f"{why}; nothing more is sent")
        known = {intent.order_ref: intent for intent in self._intents}
        for part in step.parts:
            await self.broker.place([Outgoing(known[part.order_ref], part)])
            self.reach("part_sent")
        self._sent += len(step.parts)
        self.reach("sent")
        for part in step.parts:
            left = known[part.order_ref].quantity
            self._record(part.order_ref, Event(part.order_ref, 0, "SENT", self.clock(), remaining=left))

    async def _change(self, step: Change) -> None:
        if self._barred() if step.reduces else self._blocked():
            return
        ref, target_ref = step.order_ref, step.target_ref
        known = {intent.order_ref: intent for intent in self._intents}
        wanted = replace(changed(known[target_ref], known[ref]), order_ref=target_ref)
        part = Part(target_ref, step.order_id, step.parent_id, transmit=True, quantity=step.quantity)
        await self.broker.modify(Outgoing(wanted, part))
        self._record(ref, Event(ref, 0, "SENT", self.clock(), remaining=step.quantity))
        self.reach("requested")

    async def _cancel(self, order_ref: str, order_id: int, intent_ref: str) -> None:
        if self.policy.limits.read_only:
            return
        if not intent_ref:
            if self._given_up(order_ref):
                self._freeze(f"order {order_ref} is at the broker once too often and cannot be cancelled")
                return
            self._cancelled[order_ref] += 1
        await self.broker.cancel(order_id)
        if intent_ref:
            self._record(intent_ref, Event(intent_ref, 0, "SENT", self.clock()))
        self.reach("requested")

    def _given_up(self, order_ref: str) -> bool:
        """Whether cancels of an order that must not be there have been tried often enough."""
        return self._cancelled[order_ref] >= self.policy.max_sends

    def _alarm(self, step: Alarm) -> None:
        log.warning("placing: %s", step.message)
        if step.freeze:
            self._freeze(step.message)
        else:
            self.journal.alarm(step.order_ref, step.message, "error" if step.urgent else "warning")

    def _freeze(self, reason: str) -> None:
        if not self.journal.halted():
            self.journal.freeze(reason)
        self._frozen = self._frozen or reason

    # --------------------------------------------------------------------------------------------- safety

    def _blocked(self) -> str:
        """Why nothing but cancels, and changes that take risk off, may be sent now."""
        return self._barred() or self.journal.halted()

    def _barred(self) -> str:
        """Why not even those changes may be sent now."""
        if self.policy.limits.read_only:
            return "read-only"
        return self.blocked() or self.broker.trouble() or self.lease.lost()

    async def _prove(self) -> None:
        """Prove the connection by a round trip, and the lease by its row, right before something is sent."""
        await self.broker.heartbeat()
        self.lease.keep()
        trouble = self.broker.trouble()
        if trouble:
            raise ConnectionFailedError(trouble)
        self.reach("checked")

    def _agrees(self, view: View) -> bool:
        """Hold the broker's positions and cash against the ledger's, keep them, freeze when they differ.

        A difference counts when two looks in a row have it: an execution may fall between two answers.
        """
        expected = self.journal.expected(self.broker.account)
        difference = ""
        if expected is not None:
            pending = any(
                one.commission is None and view.at - one.executed_at < COMMISSION_COMES
                for one in newest(self._ledger.executions).values()
            )
            tolerance = self.policy.limits.cash_tolerance
            difference = compare(expected, view, tolerance, cash=not pending and bool(view.cash))
        if difference != self._difference:
            self._difference = difference
            return False if difference else self._keep(view, expected)
        if difference:
            self._freeze(difference)
        return self._keep(view, expected)

    def _keep(self, view: View, expected: Expected | None) -> bool:
        self.journal.snapshot(self.broker.account, view, _offset(expected, view) if expected else {})
        return True


class _StoppedError(ConnectionFailedError):
    """A reason to stop has come up between the reservation and the wire."""


def compare(expected: Expected, view: View, tolerance: float, *, cash: bool) -> str:
    """What differs between the ledger and the broker, in words; empty when nothing does."""
    texts = []
    for symbol in sorted({*expected.positions, *view.positions}):
        ours, theirs = expected.positions.get(symbol, 0.0), view.positions.get(symbol, 0.0)
        if abs(ours - theirs) > 1e-6:
            texts.append(f"{symbol}: {ours:g} by the ledger, {theirs:g} at the broker")
    if cash and expected.offset is not None:
        for currency, offset in sorted(expected.offset.items()):
            theirs = view.cash.get(currency, 0.0) - offset
            ours = expected.cash.get(currency, 0.0)
            if abs(ours - theirs) > tolerance:
                texts.append(f"cash: {ours:.2f} {currency} by the ledger, {theirs:.2f} at the broker")
    return "the broker differs from the ledger: " + "; ".join(texts) if texts else ""


def _offset(expected: Expected, view: View) -> dict[str, float]:
    if expected.offset is not None:
        return dict(expected.offset)
    return {currency: cash - expected.cash.get(currency, 0.0) for currency, cash in view.cash.items()}
