"""Scale orders beyond the ladder: profit orders, restored sizes, positions, random sizes, moving prices."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ib_async import LimitOrder, Stock

from resources.gateway.instruments.database import con_id
from resources.gateway.orders.scaling import MOST_COMPONENTS

from .test_gateway_durable import World
from .wire import STOCK, Floor, Wire

SCALE: dict[str, Any] = {
    "orderType": "LMT",
    "lmtPrice": 99.0,
    "totalQuantity": 20.0,
    "scaleInitLevelSize": 4,
    "scaleSubsLevelSize": 4,
    "scalePriceIncrement": 1.0,
    "scaleProfitOffset": 2.0,
}


@pytest.fixture
def client(floor: Floor) -> Wire:
    return floor.client()


def profits(client: Wire, *, working: bool = True) -> list[tuple[float, float]]:
    """Units and limits of the profit orders that work, or of all, as they were told last."""
    told = {row["permId"]: row for row in client.all_of("openOrder", 0)}
    done = {
        row["permId"] for row in client.all_of("orderStatus", 0) if row["status"] in {"Filled", "Cancelled"}
    }
    return [
        (row["totalQuantity"], row["lmtPrice"])
        for number, row in told.items()
        if not (working and number in done)
    ]


@pytest.mark.parametrize(
    ("fields", "prices", "expected"),
    [
        # fields; prices after 100; profit orders: units and limit
        ({}, [99.0], [(4, 101)]),
        ({}, [98.5], [(4, 101)]),  # by the price of the component, not of its fill
        ({}, [99.0, 98.0], [(4, 101), (4, 100)]),
        ({}, [(99.0, 3), 99.0], [(3, 101), (1, 101)]),
        ({"scaleInitLevelSize": 8}, [99.0], [(4, 101), (4, 100)]),
        ({"scaleInitLevelSize": 8}, [(99.0, 6), 99.0], [(4, 101), (2, 100), (2, 100)]),
        ({"scaleInitLevelSize": 12}, [99.0], [(4, 101), (4, 100), (4, 99)]),
        ({"action": "SELL", "lmtPrice": 101.0}, [101.0, 102.0], [(4, 99), (4, 100)]),
        ({"orderType": "REL", "auxPrice": 0.01}, [99.0, 98.0], [(4, 101), (4, 100)]),
    ],
)
def test_what_a_component_fills_is_offered_for_its_profit(
    floor: Floor, client: Wire, fields: dict[str, Any], prices: list[Any], expected: list[tuple[float, float]]
) -> None:
    number = client.place(floor.symbol, orderRef="ladder", **{**SCALE, **fields})
    assert profits(client) == [], "nothing is offered before anything has filled"
    for entry in prices:
        price, size = entry if isinstance(entry, tuple) else (entry, float("inf"))
        floor.price(price, size=size)
    assert profits(client) == expected
    rows = client.all_of("openOrder", 0)
    assert {(row["parentId"], row["orderRef"], row["clientId"]) for row in rows} == {
        (number, "ladder", client.client_id)
    }


def test_a_profit_order_trades_and_the_ladder_goes_on(floor: Floor, client: Wire) -> None:
    number = client.place(floor.symbol, **{**SCALE, "totalQuantity": 8.0})
    for price in (99.0, 101.0, 98.0):
        floor.price(price)
    assert client.status(number) == "Filled", "a profit does not restore the size unless that is asked for"
    assert client.fills(number) == [(4, 99), (4, 98)]
    assert client.fills(0) == [(4, 101)]
    assert floor.held() == 4
    floor.price(100.0)
    assert floor.held() == 0, "the profit orders outlive the scale order that has filled"


def test_a_profit_restores_the_size_at_its_price_level(floor: Floor, client: Wire) -> None:
    number = client.place(floor.symbol, scaleAutoReset=True, **SCALE)
    for price in (99.0, 101.0, 99.0):
        floor.price(price)
    assert client.fills(number) == [(4, 99), (4, 99)], "the component at 98 was taken back for that at 99"
    assert client.all_of("openOrder", number)[-1]["totalQuantity"] == 24
    floor.price(97.0)
    assert client.fills(number)[2:] == [(4, 97), (4, 97)]
    floor.price(99.0)
    assert client.fills(0) == [(4, 101), (4, 99)], "that of the lowest component"
    floor.price(97.0)
    assert client.fills(number)[4:] == [(4, 97)]


def test_a_ladder_that_has_filled_waits_for_its_profits(floor: Floor, client: Wire) -> None:
    number = client.place(floor.symbol, **{**SCALE, "totalQuantity": 4.0, "scaleAutoReset": True})
    for _ in range(3):
        floor.price(99.0)
        assert client.status(number) == "PreSubmitted"
        floor.price(101.0)
        assert client.status(number) == "Submitted"
    assert client.fills(number) == [(4, 99)] * 3
    assert client.fills(0) == [(4, 101)] * 3
    client.cancel(number)
    assert client.status(number) == "Cancelled"
    assert floor.held() == 0


@pytest.mark.parametrize("prices", [[99.0], [99.0, 98.0, 97.0, 96.0, 95.0]])
def test_a_cancelled_scale_order_takes_its_profit_orders_along(
    floor: Floor, client: Wire, prices: list[float]
) -> None:
    number = client.place(floor.symbol, scaleAutoReset=True, **SCALE)
    for price in prices:
        floor.price(price)
    assert len(profits(client)) == len(prices)
    client.cancel(number)
    assert (client.status(number), profits(client)) == ("Cancelled", [])
    assert client.codes().count(202) == 1, "told of the one that the client knows by an id"
    assert all(row["status"] != "Submitted" for row in floor.orders())


def test_the_end_of_the_day_ends_a_ladder_that_waits_for_its_profits(floor: Floor, client: Wire) -> None:
    number = client.place(
        floor.symbol, **{**SCALE, "totalQuantity": 4.0, "scaleAutoReset": True, "tif": "DAY"}
    )
    floor.price(99.0)
    floor.ask("end_day")
    assert client.status(number) == "Filled"
    assert profits(client) == []


RESTARTS: dict[str, tuple[dict[str, Any], list[tuple[float, float]], tuple[float, float]]] = {
    # fields; profit orders; units and price of the first fill of the scale order at 99 and then 97
    "after two components": ({"scaleInitPosition": 8}, [(4, 101), (4, 100)], (4, 97)),
    "within the second component": ({"scaleInitPosition": 6}, [(4, 101), (2, 100)], (2, 97)),
    "within a large first component": (
        {"scaleInitLevelSize": 8, "scaleInitPosition": 2, "scaleInitFillQty": 5}, [(4, 101), (1, 100)], (3, 99),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RESTARTS)
def test_a_ladder_goes_on_from_an_initial_position(floor: Floor, client: Wire, name: str) -> None:
    fields, offered, first = RESTARTS[name]
    number = client.place(floor.symbol, scaleAutoReset=True, **{**SCALE, **fields})
    assert profits(client) == offered
    floor.price(99.0)
    floor.price(97.0)
    assert client.fills(number)[0] == first
    total = SCALE["totalQuantity"] - sum(units for units, _ in offered)
    assert client.all_of("openOrder", number)[0]["totalQuantity"] == total


def test_a_price_beyond_all_components_fills_them_all(floor: Floor, client: Wire) -> None:
    terms = {**SCALE, "scaleInitLevelSize": 1, "scaleSubsLevelSize": 1, "scalePriceIncrement": 0.01}
    number = client.place(
        floor.symbol, **{**terms, "totalQuantity": float(MOST_COMPONENTS), "scaleProfitOffset": None}
    )
    floor.price(50.0)
    assert (client.status(number), floor.held()) == ("Filled", MOST_COMPONENTS)
    more = client.place(floor.symbol, **{**terms, "totalQuantity": MOST_COMPONENTS + 1.0})
    assert client.codes(more) == [321]


def test_random_sizes_are_round_lots_around_the_size(floor: Floor, client: Wire) -> None:
    sizes = {"scaleInitLevelSize": 400, "scaleSubsLevelSize": 400, "scaleRandomPercent": True}
    terms = {**SCALE, **sizes, "totalQuantity": 6000.0, "scaleProfitOffset": None}
    number = client.place(floor.symbol, **terms)
    floor.price(50.0)
    filled = [units for units, _ in client.fills(number)]
    assert sum(filled) == 6000
    assert set(filled[:-1]) <= {200, 300, 400, 500, 600}
    assert len(set(filled)) > 1
    assert client.status(number) == "Filled"


@pytest.mark.parametrize(("value", "price"), [(0.5, 100.0), (-0.5, 98.0)])
def test_the_price_moves_with_the_time(floor: Floor, client: Wire, value: float, price: float) -> None:
    terms = {**SCALE, "scalePriceAdjustValue": value, "scalePriceAdjustInterval": 60}
    number = client.place(floor.symbol, **terms)
    floor.price(price + 0.01)
    floor.ask("advance", seconds=119)
    assert client.fills(number) == ([] if value > 0 else [(4, 98.01)])
    floor.ask("advance", seconds=1)
    floor.price(price)
    assert client.fills(number)[:1] == [(4, price if value > 0 else 98.01)]
    assert profits(client)[0] == (4, price + 2.0 if value > 0 else 101.0)


def test_client_zero_does_not_bind_the_profit_orders_of_others(floor: Floor, client: Wire) -> None:
    client.place(floor.symbol, **SCALE)
    floor.price(99.0)
    master = floor.client(0)
    master.ask("reqAutoOpenOrders", bind=True)
    assert not [row for row in master.all_of("orderBound") if row["clientId"] == 0]
    assert [row["clientId"] for row in floor.orders()] == [client.client_id] * 2
    master.ask("reqAutoOpenOrders", bind=False)


def test_a_split_leaves_the_ladder_and_its_profits_where_they_were(floor: Floor, client: Wire) -> None:
    number = client.place(floor.symbol, scaleAutoReset=True, **SCALE)
    floor.price(99.0)
    floor.ask("split", symbol=floor.symbol, ratio=2.0)
    assert profits(client) == [(8, 50.5)]
    floor.price(50.5)
    floor.price(49.5)
    assert client.fills(number) == [(4, 99), (8, 49.5)]
    assert profits(client) == [(8, 50.5)]


def test_the_unmodified_client_sees_profits_and_a_restart_goes_on_with_them(play: Any, tmp_path: Any) -> None:
    order = LimitOrder("BUY", 4, 99.0, tif="GTC", scaleInitLevelSize=4, scaleSubsLevelSize=4)
    order.scalePriceIncrement, order.scaleProfitOffset, order.scaleAutoReset = 1.0, 2.0, True

    async def before(desk: Any) -> None:
        await desk.market({**STOCK, "symbol": "AAPL"}, AAPL=100.0)
        client = await desk.connect(1)
        client.placeOrder(Stock("AAPL", "SMART", "USD"), order)
        await desk.do("price", symbol="AAPL", price=99.0)
        assert sorted(trade.order.action for trade in client.openTrades()) == ["BUY", "SELL"]

    async def after(desk: Any) -> None:
        client = await desk.connect(1)
        assert sorted(trade.order.action for trade in client.openTrades()) == ["BUY", "SELL"]
        await desk.do("price", symbol="AAPL", price=101.0)
        await desk.do("price", symbol="AAPL", price=99.0)
        sold = [fill for fill in client.fills() if fill.execution.side == "SLD"]
        assert [(fill.execution.shares, fill.execution.price) for fill in sold] == [(4, 101)]
        assert [row.position for row in client.positions()] == [4]
        assert [fill.commissionReport.execId for fill in sold] == [sold[0].execution.execId]

    start = datetime(2024, 1, 2, 15, tzinfo=UTC)
    play(before, state=tmp_path / "kept", start=start)
    play(after, state=tmp_path / "kept", start=start)


@settings(max_examples=30, deadline=None)
@given(
    prices=st.lists(
        st.tuples(
            st.sampled_from([94.0, 95.5, 97.0, 98.0, 99.0, 100.0, 101.0, 103.0]),
            st.sampled_from([1.0, 3.0, math.inf]),
        ),
        min_size=1,
        max_size=25,
    ),
    first=st.sampled_from([2, 4, 6]),
    later=st.sampled_from([2, 3]),
    restored=st.booleans(),
    side=st.sampled_from(["BUY", "SELL"]),
)
def test_what_a_ladder_holds_is_what_it_offers(
    tmp_path_factory: Any,
    prices: list[tuple[float, float]],
    first: int,
    later: int,
    restored: bool,
    side: str,
) -> None:
    world = World(tmp_path_factory.mktemp("world") / "journal.jsonl")
    world.command("price", symbol="AAPL", price=100.0)
    order = {"orderId": 1, "symbol": "AAPL", "secType": "STK", "exchange": "SMART", "currency": "USD", "tif": "GTC",
             "transmit": True, "action": side, **SCALE, "scaleInitLevelSize": first, "scaleSubsLevelSize": later,
             "scaleAutoReset": restored}  # fmt: skip
    world.request("placeOrder", **{**order, "lmtPrice": 99.0 if side == "BUY" else 98.0})
    sign = 1 if side == "BUY" else -1
    for price, size in prices:
        world.command("price", symbol="AAPL", price=price, size=size)
        scale, *offers = world.broker.book.tickets.values()
        held = sign * sum(world.broker.holders(con_id("stock:AAPL")).values())
        assert sum(ticket.remaining for ticket in offers if not ticket.done) == held
        sold = sum(ticket.filled for ticket in offers)
        assert scale.filled - sold == held
        assert 0 <= held <= SCALE["totalQuantity"]
        assert scale.filled + scale.work.quantity + scale.work.held == 20 + (sold if restored else 0)
        assert scale.done == (not restored and scale.filled == 20)
