"""The broker in process does what the gateway does, order by order and price by price."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.brokers.base import Broker, ConnectionFailedError, NoViewError, Outgoing
from resources.brokers.contracts import order_of
from resources.brokers.simulated import SimulatedBroker
from tests.gateway.wire import Wire
from trading.placement import Intent, Part

from .conftest import ThreadGateway
from .world import GATEWAY, entry

Told = tuple[float, list[tuple[float, float]], str]
"""Units filled, the fills, and what became of the order."""
_numbers = itertools.count(1)
_CLASSES: dict[str, dict[str, Any]] = {
    "market": {},
    "limit": {"order_type": "limit", "limit_price": 99.0},
    "limit to sell": {"side": "SELL", "order_type": "limit", "limit_price": 101.0},
    "stop": {"side": "SELL", "order_type": "stop", "stop_price": 97.0},
    "stop to buy": {"order_type": "stop", "stop_price": 103.0},
    "stop limit": {"order_type": "stop_limit", "stop_price": 102.0, "limit_price": 103.0},
    "trailing stop": {"side": "SELL", "order_type": "trailing_stop", "trail_percent": 0.05},
    "trailing stop to buy": {"order_type": "trailing_stop", "trail_percent": 0.05},
    "on close": {"order_type": "market_on_close", "time_in_force": "day"},
    "at once": {"order_type": "limit", "limit_price": 99.0, "time_in_force": "ioc"},
    "at once, at the market": {"time_in_force": "fok"},
    "for the day": {"order_type": "limit", "limit_price": 90.0, "time_in_force": "day"},
}
PATHS = {
    "up": [101.0, 103.5, 108.0, 104.0],
    "down": [99.5, 98.0, 96.0, 92.0],
    "up and down": [104.0, 110.0, 104.0, 95.0],
    "down and up": [96.0, 90.0, 94.6, 102.5],
    "flat": [100.0, 100.0],
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreadGateway]:
    """A gateway for all tests of the module."""
    chosen = replace(GATEWAY, max_messages=0, capital=1e9)
    running = ThreadGateway(tmp_path_factory.mktemp("gateway"), chosen)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def wire(shared: ThreadGateway) -> Iterator[Wire]:
    """A client of the gateway."""
    found = Wire(shared.port, 17)
    yield found
    found.close()


def at_gateway(
    gateway: ThreadGateway, wire: Wire, units: list[tuple[Intent, int | None]], path: list[float]
) -> list[Told]:
    """What the gateway makes of orders; each is given with the place of its parent."""
    symbol = f"P{next(_numbers)}"
    gateway.ask("instruments", rows=[{"symbol": symbol, "asset_class": "stock", "exchange": "XNAS"}])
    gateway.ask("price", symbol=symbol, price=100.0)
    ids: list[int] = []
    for place, (intent, parent) in enumerate(units):
        last = place == len(units) - 1 or (parent is None and all(other is None for _, other in units))
        order = order_of(
            intent, Part(intent.order_ref, 0, None if parent is None else ids[parent], transmit=last), "SIM000001", 0.01
        )  # fmt: skip
        fields = {
            name: getattr(order, name)
            for name in ("action", "totalQuantity", "orderType", "tif", "orderRef", "transmit", "parentId", "ocaGroup", "ocaType")
        }  # fmt: skip
        prices = {
            "lmtPrice": intent.limit_price,
            "auxPrice": intent.stop_price,
            "trailingPercent": intent.trail_percent and intent.trail_percent * 100,
        }
        ids.append(wire.place(symbol, **fields, **prices))
    for price in path:
        gateway.ask("price", symbol=symbol, price=price)
    gateway.ask("end_day")
    wire.settle()
    told = [
        (float(wire.all_of("orderStatus", one)[-1]["filled"]), wire.fills(one), wire.status(one))
        for one in ids
    ]
    wire.ask("reqGlobalCancel")
    return told


def in_process(units: list[tuple[Intent, int | None]], path: list[float]) -> list[Told]:
    """What the broker in process makes of them."""
    broker = SimulatedBroker(prices={"AAPL": 100.0})

    async def place() -> None:
        await broker.connect()
        for number, (intent, parent) in enumerate(units, start=1):
            last = number == len(units) or all(other is None for _, other in units)
            part = Part(intent.order_ref, number, None if parent is None else parent + 1, transmit=last)
            await broker.place([Outgoing(intent, part)])

    asyncio.run(place())
    for price in path:
        broker.tell("AAPL", price)
    broker.end_day()
    return [
        (
            order.filled,
            [(one.quantity, one.price) for one in broker.reports if one.order_ref == order.intent.order_ref],
            order.status,
        )
        for order in broker.orders
    ]


def alike(one: list[Told], other: list[Told]) -> None:
    waiting = {"PreSubmitted": "Submitted"}
    assert [(filled, fills, waiting.get(status, status)) for filled, fills, status in one] == [
        (filled, fills, waiting.get(status, status)) for filled, fills, status in other
    ]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", _CLASSES)
def test_an_order_fares_alike(shared: ThreadGateway, wire: Wire, name: str, path: str) -> None:
    order = entry("D1", **{"time_in_force": "gtc", **_CLASSES[name]})
    alike(in_process([(order, None)], PATHS[path]), at_gateway(shared, wire, [(order, None)], PATHS[path]))


def bracket_of(child: dict[str, Any], parent: dict[str, Any]) -> list[tuple[Intent, int | None]]:
    exits = {"side": "SELL", "parent_ref": "DE", "oca_group": "OD", "time_in_force": "gtc"}
    return [
        (entry("DE", time_in_force="gtc", **parent), None),
        (entry("DS", **{**exits, **child}), 0),
        (entry("DT", **exits, order_type="limit", limit_price=107.0), 0),
    ]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("parent", ["market", "limit", "stop to buy"])
@pytest.mark.parametrize("child", ["stop", "trailing stop"])
def test_a_bracket_fares_alike(shared: ThreadGateway, wire: Wire, child: str, parent: str, path: str) -> None:
    units = bracket_of(_CLASSES[child], _CLASSES[parent])
    alike(in_process(units, PATHS[path]), at_gateway(shared, wire, units, PATHS[path]))


@settings(max_examples=30, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(sorted(_CLASSES)), min_size=1, max_size=3),
    grouped=st.booleans(),
    path=st.lists(st.integers(88, 112).map(float), max_size=6),
)
def test_orders_and_groups_fare_alike_along_any_prices(
    shared: ThreadGateway, wire: Wire, kinds: list[str], grouped: bool, path: list[float]
) -> None:
    units: list[tuple[Intent, int | None]] = [
        (
            entry(
                f"D{number}",
                **{"time_in_force": "gtc", **_CLASSES[kind], "oca_group": "OG" if grouped else None},
            ),
            None,
        )
        for number, kind in enumerate(kinds)
    ]
    alike(in_process(units, path), at_gateway(shared, wire, units, path))


# ---------------------------------------------------------------------------------------- of its own


def connected(**options: Any) -> SimulatedBroker:
    broker = SimulatedBroker(prices={"AAPL": 100.0}, **options)
    asyncio.run(broker.connect())
    return broker


def place(broker: SimulatedBroker, *orders: tuple[Intent, Part]) -> None:
    asyncio.run(broker.place([Outgoing(*order) for order in orders]))


def test_parts_of_an_entry_release_parts_of_its_exit() -> None:
    broker = connected()
    limit = {"order_type": "limit", "limit_price": 90.0}
    stop = entry("DS", side="SELL", order_type="stop", stop_price=85.0, time_in_force="gtc")
    place(
        broker,
        (entry("DE", **limit), Part("DE", 1, None, transmit=False)),
        (stop, Part("DS", 2, 1, transmit=True)),
    )
    parent, child = broker.orders
    broker.fill(parent, 4.0, 90.0)
    broker.prices["AAPL"] = 84.0
    broker._meet(child)
    assert (child.filled, child.status) == (4.0, "Submitted")
    broker.fill(parent, 6.0, 84.0)
    assert (child.filled, child.status, broker.positions()) == (10.0, "Filled", {})


def test_a_cancelled_entry_leaves_the_exit_of_what_it_had_filled() -> None:
    broker = connected()
    place(
        broker,
        (entry("DE", order_type="limit", limit_price=90.0), Part("DE", 1, None, transmit=False)),
        (entry("DS", side="SELL", order_type="stop", stop_price=85.0), Part("DS", 2, 1, transmit=True)),
    )
    broker.fill(broker.orders[0], 4.0, 90.0)
    asyncio.run(broker.cancel(1))
    broker.tell("AAPL", 84.0)
    assert [(one.status, one.filled) for one in broker.orders] == [("Cancelled", 4.0), ("Filled", 4.0)]


def test_a_part_of_a_group_is_taken_off_the_others() -> None:
    broker = connected()
    for number, price in ((1, 90.0), (2, 85.0)):
        intent = entry(f"D{number}", order_type="limit", limit_price=price, oca_group="O")
        place(broker, (intent, Part(intent.order_ref, number, None, transmit=True)))
    first, second = broker.orders
    broker.fill(first, 4.0, 90.0)
    assert (second.intent.quantity, second.status) == (6.0, "Submitted")
    broker.fill(first, 6.0, 90.0)
    assert second.status == "Cancelled"


@pytest.mark.parametrize(
    ("fate", "orders", "up", "noticed"),
    [
        ("deliver", 1, True, False),
        ("lose", 0, True, False),
        ("drop_before", 0, False, False),
        ("drop_after", 1, False, False),
        ("refuse", 0, True, True),
    ],
)
def test_the_fate_of_a_message(fate: Any, orders: int, up: bool, noticed: bool) -> None:
    broker = connected(fate=lambda message, ref: fate if message == "place" else "deliver")
    order = (entry("D1", order_type="limit", limit_price=90.0), Part("D1", 1, None, transmit=True))
    if up:
        place(broker, order)
    else:
        with pytest.raises(ConnectionFailedError):
            place(broker, order)
    assert (len(broker.orders), broker.connected()) == (orders, up)
    asyncio.run(broker.connect()) if not up else None
    view = asyncio.run(broker.look(["AAPL", "NONE"], money=True))
    assert (len(view.open), bool(view.notices)) == (orders, noticed)
    assert (view.quotes, view.unknown, view.cash) == ({"AAPL": 100.0}, {"NONE"}, {"USD": 1_000_000.0})


def test_a_look_that_fails_is_none_and_hangs_up() -> None:
    broker = connected(fate=lambda message, ref: "lose" if message == "look" else "deliver")
    with pytest.raises(NoViewError):
        asyncio.run(broker.look())
    assert broker.trouble() == "not connected"
    for call in (broker.heartbeat, broker.executions, broker.look):
        with pytest.raises(ConnectionFailedError):
            asyncio.run(call())


def test_ids_that_were_used_are_refused_and_next_ids_grow() -> None:
    broker = connected()
    place(broker, (entry("D1"), Part("D1", 5, None, transmit=True)))
    place(broker, (entry("D2"), Part("D2", 5, None, transmit=True)))
    place(broker, (entry("D3", side="SELL"), Part("D3", 6, 99, transmit=True)))
    view = asyncio.run(broker.look())
    assert {ref: notice.code for ref, notice in view.notices.items()} == {"D2": 103, "D3": 135}
    assert view.next_id == 7
    assert [one.order_ref for one in view.completed] == ["D1"]


def test_both_are_brokers() -> None:
    def takes(broker: Broker) -> str:
        return broker.account

    assert takes(SimulatedBroker()) == "SIM000001"
