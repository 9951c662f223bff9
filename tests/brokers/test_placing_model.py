"""Placing as a state machine: whatever is lost, refused or killed, nothing is twice and nothing missing."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from resources.brokers import crash
from resources.brokers.base import BrokerError, Pace
from resources.brokers.journal import MemoryJournal
from resources.brokers.lease import NoLease
from resources.brokers.placing import Placing
from resources.brokers.simulated import SimulatedBroker
from trading.book import PlacementConfig
from trading.placement import ENDED, PlacingPolicy, newest, standings

from .world import NOW, bracket, entry

PACE = Pace(poll=0.0, follow=0.0, patience=30.0, backoff=(0.0,))
FATES = st.sampled_from(["deliver", "deliver", "lose", "drop_before", "drop_after", "refuse"])
PRICES = st.sampled_from([90.0, 96.0, 100.0, 103.0, 116.0])


class Killed(BaseException):
    """The end of the process."""


class PlacingMachine(RuleBasedStateMachine):
    """A desk, a broker with a mind of its own, and a clock that moves with every look."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.fates: list[str] = []
        self.broker = SimulatedBroker(prices={"AAPL": 100.0, "MSFT": 100.0}, clock=self.tick)
        self.broker.fate = self.fate
        self.journal = MemoryJournal(opening_cash={"USD": 1_000_000.0})
        self.count = 0

    def tick(self) -> Any:
        self.now += timedelta(seconds=1)
        return self.now

    def fate(self, message: str, ref: str) -> Any:
        del ref
        if not self.fates:
            return "deliver"
        chosen = self.fates.pop(0)
        return "deliver" if message == "look" and chosen == "refuse" else chosen

    def run(self, point: str | None = None, count: int = 1) -> None:
        """One run of the job on a connection of its own; it may be killed at a point."""
        reached: Counter[str] = Counter()

        def reach(name: str) -> None:
            reached[name] += 1
            if name == point and reached[name] == count:
                raise Killed

        limits = PlacementConfig(orders_per_minute=100_000, orders_per_day=100_000)
        policy = PlacingPolicy(17, limits, timedelta(seconds=1))
        placing = Placing(
            self.broker, self.journal, NoLease(), policy, PACE, self.tick, reach=reach, sleep=self.no_sleep
        )
        try:
            asyncio.run(placing.run())
        except (Killed, BrokerError):
            asyncio.run(self.broker.disconnect())

    async def no_sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(
        symbol=st.sampled_from(["AAPL", "MSFT"]),
        kind=st.sampled_from(["market", "away", "near"]),
        alone=st.booleans(),
    )
    def approve(self, symbol: str, kind: str, alone: bool) -> None:
        self.count += 1
        limit = {"market": None, "away": 95.0, "near": 104.0}[kind]
        changes = {
            "order_type": "limit" if limit else "market",
            "limit_price": limit,
            "quantity": float(self.count),
        }
        ref = f"D{self.count}"
        self.journal.orders += (
            [entry(f"{ref}E", symbol, **changes)] if alone else bracket(ref, symbol, **changes)
        )

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        submits = [one for one in self.journal.orders if one.kind == "submit"]
        if submits:
            target = data.draw(st.sampled_from(submits))
            self.count += 1
            self.journal.orders.append(
                entry(f"C{self.count}", target.symbol, kind="cancel", target_ref=target.order_ref)
            )

    @rule(symbol=st.sampled_from(["AAPL", "MSFT"]), price=PRICES)
    def trade(self, symbol: str, price: float) -> None:
        self.broker.tell(symbol, price)

    @rule(
        fates=st.lists(FATES, max_size=8),
        point=st.sampled_from([None, *crash.POINTS]),
        count=st.integers(1, 3),
    )
    def place(self, fates: list[str], point: str | None, count: int) -> None:
        self.fates = list(fates)
        self.run(point, count)
        self.fates = []

    @invariant()
    def each_intent_has_at_most_one_broker_order(self) -> None:
        counts = Counter(order.intent.order_ref for order in self.broker.orders)
        assert all(count == 1 for count in counts.values()), counts

    @invariant()
    def nothing_is_at_the_broker_without_its_reservation(self) -> None:
        reserved = {
            (event.order_ref, event.order_id) for event in self.journal.events if event.state == "RESERVED"
        }
        sent = {(order.intent.order_ref, order.part.order_id) for order in self.broker.orders}
        assert sent <= reserved
        submits = [pair for pair in reserved if not pair[0].startswith("C")]
        assert len({ref for ref, _ in submits}) == len(submits) == len({number for _, number in submits})

    @invariant()
    def no_position_is_sold_twice(self) -> None:
        assert all(quantity > 0 for quantity in self.broker.positions().values())

    def teardown(self) -> None:
        """Two calm runs: the ledger equals the broker, and the second has nothing to do."""
        self.fates = []
        self.run()
        events = len(self.journal.events)
        self.run()
        assert len(self.journal.events) == events
        assert newest(self.journal.reports) == newest(self.broker.reports)
        assert not self.journal.halt
        live = {order.intent.order_ref for order in self.broker.orders if not order.done}
        for ref, standing in standings(self.journal.events).items():
            if ref.startswith("C"):
                continue
            assert standing.state in ENDED | {"ACKED", "PARTIAL", "UNRESOLVED"}, (ref, standing)
            assert (ref in live) == (standing.state in {"ACKED", "PARTIAL"}), (ref, standing)


TestPlacing = PlacingMachine.TestCase
TestPlacing.settings = settings(
    max_examples=60, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
