"""A broker in this process: the pair of the gateway's client, for trials and for a desk without a gateway.

Orders meet the last price that was told, by the rules of the desk's own market. What goes wrong is up to
the caller: ``fate`` says of every message what becomes of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time
from functools import partial
from typing import Literal

import polars as pl

from resources.brokers.base import BrokerError, ConnectionFailedError, NoViewError, Outgoing
from trading.matching import at_price, better, stop_reached
from trading.orders import Order
from trading.placement import BrokerOrder, Intent, Notice, Part, Report, View

Fate = Literal["deliver", "lose", "drop_before", "drop_after", "refuse"]
"""Of a message: delivered; lost; the connection ends before or after delivery; refused with 201."""


@dataclass
class Resting:
    """An order at the broker."""

    intent: Intent
    part: Part
    perm_id: int
    filled: float = 0.0
    status: str = "Submitted"
    transmitted: bool = True
    works: Order | None = None

    @property
    def done(self) -> bool:
        """Whether nothing more can happen to it."""
        return self.status in {"Filled", "Cancelled"}


@dataclass
class SimulatedBroker:
    """A broker that keeps its state from one connection to the next.

    Parameters
    ----------
    fate : callable
        Told the message (``place``, ``cancel``, ``modify``, ``look``) and the order's reference.
    """

    account: str = "SIM000001"
    cash: float = 1_000_000.0
    prices: dict[str, float] = field(default_factory=dict)
    fate: Callable[[str, str], Fate] = lambda _, __: "deliver"
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    client_id: int = 17
    orders: list[Resting] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    next_id: int = 1
    _connection: int = 0
    _up: bool = False
    _notices: dict[str, Notice] = field(default_factory=dict)

    # ---------------------------------------------------------------------------------------- connection

    @property
    def connection(self) -> int:
        """Number of the present connection."""
        return self._connection

    async def connect(self) -> None:
        """Connect."""
        self._up = True
        self._connection += 1
        self._notices = {}

    async def disconnect(self) -> None:
        """Hang up."""
        self._up = False

    def connected(self) -> bool:
        """Whether there is a connection."""
        return self._up

    def trouble(self) -> str:
        """Nothing but a lost connection troubles it."""
        return "" if self._up else "not connected"

    async def heartbeat(self) -> None:
        """Round trip."""
        self._reach()

    # ---------------------------------------------------------------------------------------------- looks

    async def look(self, symbols: Iterable[str] = (), *, money: bool = False) -> View:
        """Complete view, or none."""
        self._reach()
        if self.fate("look", "") != "deliver":
            self._up = False
            raise NoViewError("open orders: no answer")
        wanted = set(symbols)
        now = self.clock()
        told = [self._told(order) for order in self.orders]
        return View(
            connection=self._connection,
            at=now,
            next_id=self.next_id,
            day_began=datetime.combine(now.date(), time(), UTC),
            open=tuple(one for one in told if one.status not in {"Filled", "Cancelled"}),
            completed=tuple(one for one in told if one.status in {"Filled", "Cancelled"}),
            executions=tuple(self.reports),
            positions=self.positions(),
            cash={"USD": self.cash} if money else {},
            notices=dict(self._notices),
            quotes={symbol: price for symbol, price in self.prices.items() if symbol in wanted},
            unknown=frozenset(wanted - set(self.prices)),
        )

    async def executions(self) -> list[Report]:
        """All executions."""
        self._reach()
        return list(self.reports)

    def positions(self) -> dict[str, float]:
        """Units held."""
        held: dict[str, float] = {}
        for report in self.reports:
            sign = 1 if report.side == "BUY" else -1
            held[report.symbol] = held.get(report.symbol, 0.0) + sign * report.quantity
        return {symbol: quantity for symbol, quantity in held.items() if quantity}

    def _told(self, order: Resting) -> BrokerOrder:
        intent = order.intent
        status = order.status if order.transmitted or order.done else "ApiPending"
        return BrokerOrder(
            intent.order_ref,
            order.perm_id,
            intent.symbol,
            intent.side,
            intent.quantity,
            status,
            order.part.order_id,
            self.client_id,
            order.filled,
            intent.limit_price,
            intent.stop_price,
            parent_id=order.part.parent_id or 0,
        )

    # --------------------------------------------------------------------------------------------- orders

    async def place(self, orders: Sequence[Outgoing]) -> None:
        """Take orders, each as its fate has it."""
        for outgoing in orders:
            self._deliver("place", outgoing.intent.order_ref, partial(self._take, outgoing))

    async def modify(self, order: Outgoing) -> None:
        """Take other prices."""
        self._deliver("modify", order.intent.order_ref, lambda: self._take(order))

    async def cancel(self, order_id: int) -> None:
        """Cancel an order that works."""
        self._deliver("cancel", "", lambda: self._cancel(order_id))

    def _deliver(self, message: str, ref: str, action: Callable[[], None]) -> None:
        self._reach()
        fate = self.fate(message, ref)
        if fate in {"deliver", "drop_after"}:
            action()
        if fate == "refuse" and ref:
            self._notices[ref] = Notice(201, "Order rejected - reason:simulated")
        if fate in {"drop_before", "drop_after"}:
            self._up = False
            raise ConnectionFailedError("the connection is gone")

    def _take(self, outgoing: Outgoing) -> None:
        intent, part = outgoing
        intent = intent if part.quantity is None else replace(intent, quantity=part.quantity)
        known = next((one for one in self.orders if one.part.order_id == part.order_id), None)
        self.next_id = max(self.next_id, part.order_id + 1)
        if known is not None:
            if known.done:
                self._notices[intent.order_ref] = Notice(103, "Duplicate order id")
                return
            known.intent, known.works = intent, _as_order(intent)
        else:
            parent = self._by_id(part.parent_id)
            if part.parent_id and (parent is None or (parent.done and not parent.filled)):
                self._notices[intent.order_ref] = Notice(135, "Can't find order with id")
                return
            known = Resting(intent, part, 1000 + len(self.orders), transmitted=False)
            known.works = _as_order(intent)
            self.orders.append(known)
        if part.transmit:
            self._transmit(known)

    def _transmit(self, order: Resting) -> None:
        family = order.part.parent_id or order.part.order_id
        for one in self.orders:
            if family in {one.part.order_id, one.part.parent_id}:
                one.transmitted = True
        for one in list(self.orders):
            self._meet(one)

    def _by_id(self, order_id: int | None) -> Resting | None:
        return next((one for one in self.orders if one.part.order_id == order_id), None)

    def _cancel(self, order_id: int) -> None:
        order = self._by_id(order_id)
        if order is not None and not order.done:
            self._end(order)

    def _end(self, order: Resting) -> None:
        order.status = "Cancelled"
        for child in self._children(order):
            if child.done:
                continue
            if order.filled:  # the child goes on with what its parent has filled
                child.intent = replace(child.intent, quantity=min(child.intent.quantity, order.filled))
            else:
                self._end(child)

    def _children(self, order: Resting) -> list[Resting]:
        return [one for one in self.orders if one.part.parent_id == order.part.order_id]

    def _available(self, order: Resting) -> float:
        """Units that may trade now: of a child no more than its parent has filled."""
        parent = self._by_id(order.part.parent_id)
        units = order.intent.quantity
        return (units if parent is None else min(units, parent.filled)) - order.filled

    # --------------------------------------------------------------------------------------------- market

    def tell(self, symbol: str, price: float) -> None:
        """A new price: every order that it concerns meets it."""
        self.prices[symbol] = price
        for order in list(self.orders):
            if order.intent.symbol == symbol:
                self._meet(order)

    def fill(self, order: Resting, quantity: float, price: float) -> None:
        """Fill an order, all of it or a part."""
        intent = order.intent
        order.filled += quantity
        number = len(self.reports) + 1
        self.reports.append(
            Report(
                f"sim.{number:08d}.01",
                1,
                intent.order_ref,
                order.perm_id,
                intent.symbol,
                intent.side,
                quantity,
                price,
                self.clock(),
                1.0,
                order_id=order.part.order_id,
                client_id=self.client_id,
            )
        )
        self.cash -= (1 if intent.side == "BUY" else -1) * quantity * price + 1.0
        whole = order.filled >= intent.quantity
        if whole:
            order.status = "Filled"
        group = intent.oca_group
        for other in [one for one in self.orders if group and one.intent.oca_group == group]:
            if other is not order and not other.done:
                self._reduce(other, quantity, whole=whole)
        for child in self._children(order):
            self._meet(child)

    def _reduce(self, order: Resting, quantity: float, *, whole: bool) -> None:
        """Take what another order of the group has filled off an order."""
        left = order.intent.quantity - quantity
        if whole or left <= order.filled:
            self._end(order)
        else:
            order.intent = replace(order.intent, quantity=left)

    def end_day(self) -> None:
        """Close orders meet the last price; orders that are good for the day end."""
        for order in list(self.orders):
            price = self.prices.get(order.intent.symbol)
            closes = order.intent.order_type == "market_on_close"
            if closes and not order.done and price is not None and self._available(order) > 0:
                self.fill(order, self._available(order), price)
            if not order.done and order.intent.time_in_force in {"day", "opg"}:
                self._end(order)

    def _meet(self, order: Resting) -> None:
        price, works = self.prices.get(order.intent.symbol), order.works
        available = self._available(order)
        if price is None or works is None or order.done or not order.transmitted or available <= 0.0:
            return
        if works.order_type == "trailing_stop":
            works.anchor = better(works.side, works.anchor, price)
        if works.order_type == "stop_limit" and works.stop_price is not None:
            works.triggered = works.triggered or stop_reached(works.side, works.stop_price, price)
        if works.order_type != "market_on_close" and at_price(works, price) is not None:
            self.fill(order, available, price)
        elif works.time_in_force in {"ioc", "fok"}:
            self._end(order)

    # ----------------------------------------------------------------------------------------------- data

    async def historical_bars(self, symbol: str, end: datetime, duration: str, bar_size: str) -> pl.DataFrame:
        """No bars of the past."""
        del symbol, end, duration, bar_size
        raise BrokerError("the simulated broker has no bars; ask a data provider")

    async def chains(self, symbol: str, *, low: float = 0.0, high: float = math.inf) -> pl.DataFrame:
        """No option chains."""
        del symbol, low, high
        raise BrokerError("the simulated broker has no option chains; ask a data provider")

    def _reach(self) -> None:
        if not self._up:
            raise ConnectionFailedError("not connected")


def _as_order(intent: Intent) -> Order:
    """Order as the desk's market knows it."""
    return Order(
        intent.order_ref,
        intent.session,
        intent.strategy,
        intent.symbol,
        "stock",
        intent.purpose,
        intent.side,
        intent.order_type,
        intent.quantity,
        intent.limit_price,
        intent.stop_price,
        intent.trail_percent,
        intent.time_in_force,
    )
