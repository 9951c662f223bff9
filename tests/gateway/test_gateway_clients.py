"""Several clients: whose ids, orders and messages are whose; what each may ask for and change."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from ib_async import MarketOrder, Stock

from resources.gateway.market.clock import RealClock
from resources.gateway.wire.times import day_around

from .wire import ACCOUNT, STOCK, Floor, Wire, named, stamp


@pytest.fixture
def client(floor: Floor) -> Wire:
    return floor.client()


def limit(client: Wire, symbol: str, **fields: Any) -> int:
    return client.place(symbol, orderType="LMT", lmtPrice=90.0, **fields)


# ---------------------------------------------------------------------------------------------------- ids


def test_each_client_has_its_own_order_ids(floor: Floor) -> None:
    first, second = floor.client(), floor.client()
    assert limit(first, floor.symbol, order_id=500) == limit(second, floor.symbol, order_id=500)
    assert len({row["permId"] for row in floor.orders()}) == 2
    assert named(first.ask("reqIds", count=1), "nextValidId") == [{"orderId": 501}]
    fresh = floor.client()
    assert named(fresh.ask("reqIds", count=1), "nextValidId") == [{"orderId": 1}]


def test_a_client_that_comes_back_is_told_an_id_above_all_it_used(floor: Floor) -> None:
    first = floor.client()
    limit(first, floor.symbol, order_id=40)
    first.cancel(40)
    first.place("NOWHERE", order_id=41)
    first.close()
    again = reconnected(floor, first.client_id)
    assert again.all_of("nextValidId")[-1]["orderId"] == 41, "an order that was refused has used none"


def reconnected(floor: Floor, client_id: int) -> Wire:
    """A client of an id whose last connection may not have been seen to end yet."""
    for _ in range(200):
        with suppress(OSError):
            return floor.client(client_id)
    raise AssertionError("the client id stays in use")


def test_ids_that_a_client_has_used_are_refused_where_that_is_asked_for(play: Any) -> None:
    from ib_async import LimitOrder, Stock

    async def scenario(desk: Any) -> None:
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        codes: list[int] = []
        client.errorEvent += lambda number, code, text, contract: codes.append(code)
        stock = Stock("AAPL", "SMART", "USD")
        for number in (10, 9, 10, 11):
            client.client.placeOrder(number, stock, LimitOrder("BUY", 1, 90.0, tif="GTC"))
            await desk.settle(client)
        assert codes == [103]
        assert sorted(row["orderId"] for row in (await desk.do("orders"))["orders"]) == [10, 11]

    play(scenario, strict_ids=True)


@pytest.mark.parametrize("ended", ["Cancelled", "Filled"])
def test_the_id_of_an_order_that_has_ended_is_refused(floor: Floor, client: Wire, ended: str) -> None:
    number = limit(client, floor.symbol)
    if ended == "Filled":
        floor.price(90.0)
    else:
        client.cancel(number)
    limit(client, floor.symbol, order_id=number)
    assert client.codes(number)[-1] == (104 if ended == "Filled" else 103)
    assert len(floor.orders()) == 1


def test_ids_roll_back_for_one_client_or_for_all(floor: Floor) -> None:
    first, second = floor.client(), floor.client()
    for one in (first, second):
        limit(one, floor.symbol, order_id=100)
    floor.ask("shift_ids", by=30, client=first.client_id)
    told = [named(one.ask("reqIds", count=1), "nextValidId")[0]["orderId"] for one in (first, second)]
    assert told == [71, 101]
    floor.ask("shift_ids", by=0, client=first.client_id)
    floor.ask("shift_ids", by=5)
    assert named(second.ask("reqIds", count=1), "nextValidId") == [{"orderId": 96}]
    floor.ask("shift_ids", by=0)


# --------------------------------------------------------------------------------------- connections


def test_a_client_id_is_free_again_once_its_connection_has_ended(floor: Floor) -> None:
    first = floor.client()
    with pytest.raises(ConnectionError):
        floor.client(first.client_id)
    first.close()
    assert reconnected(floor, first.client_id).codes() == [2104, 2106, 2158]


def test_no_more_clients_than_there_may_be(play: Any) -> None:
    async def scenario(desk: Any) -> None:
        for number in range(3):
            await desk.connect(number)
        with pytest.raises((TimeoutError, ConnectionError)):
            await desk.connect(9, timeout=0.3)
        desk.clients[0].disconnect()
        while len(desk.gateway.hub.sessions) == 3:
            await desk.settle(desk.clients[1])
        assert (await desk.connect(9)).isConnected()

    play(scenario, max_clients=3)


def test_clients_come_and_go_without_the_orders(floor: Floor) -> None:
    first = floor.client()
    number = limit(first, floor.symbol, orderRef="stays")
    first.close()
    floor.clients.remove(first)
    floor.price(89.0)
    again = reconnected(floor, first.client_id)
    [told] = named(again.ask("reqExecutions", clientId=first.client_id), "execDetails")
    assert (told["orderRef"], told["orderId"]) == ("stays", number)


# ------------------------------------------------------------------------------------------- what is told


def test_messages_of_orders_go_to_their_client_alone(floor: Floor) -> None:
    first, second = floor.client(), floor.client()
    seen = len(second.seen)
    number = limit(first, floor.symbol)
    floor.price(90.0)
    assert first.fills(number) == [(10, 90)]
    assert second.seen[seen:] == []


def test_open_orders_are_one_s_own_and_all_are_all(floor: Floor) -> None:
    first, second = floor.client(), floor.client()
    mine, theirs = limit(first, floor.symbol, orderRef="mine"), limit(second, floor.symbol, orderRef="theirs")
    held = limit(first, floor.symbol, orderRef="held", transmit=False)
    own = named(first.ask("reqOpenOrders"), "openOrder")
    assert [row["orderRef"] for row in own] == ["mine", "held"]
    told = first.ask("reqAllOpenOrders")
    everyone = [row for row in named(told, "openOrder") if row["symbol"] == floor.symbol]
    assert {row["orderRef"]: row["clientId"] for row in everyone} == {
        "mine": first.client_id, "theirs": second.client_id, "held": first.client_id,
    }  # fmt: skip
    assert {row["orderId"] for row in everyone} == {mine, theirs, held}
    assert told[-1] == ("openOrderEnd", {})
    assert len(named(told, "orderStatus")) == len(named(told, "openOrder"))


def test_completed_orders_name_neither_id_nor_client_and_are_everybody_s(floor: Floor) -> None:
    first, second = floor.client(), floor.client()
    first.place(floor.symbol, orderRef="filled")
    first.cancel(limit(first, floor.symbol, orderRef="cancelled"))
    floor.ask("trade", symbol=floor.symbol, quantity=1, price=100.0, reference="by hand")
    limit(first, floor.symbol, orderRef="open")
    told = [
        row for row in named(second.ask("reqCompletedOrders", apiOnly=False), "completedOrder")
        if row["symbol"] == floor.symbol
    ]  # fmt: skip
    assert {row["orderRef"]: (row["status"], row["filledQuantity"]) for row in told} == {
        "filled": ("Filled", 10), "cancelled": ("Cancelled", 0), "by hand": ("Filled", 1),
    }  # fmt: skip
    assert all(row["completedTime"].endswith("US/Eastern") and row["completedStatus"] for row in told)
    assert "orderId" not in told[0]
    assert "clientId" not in told[0]
    only = named(second.ask("reqCompletedOrders", apiOnly=True), "completedOrder")
    assert {row["orderRef"] for row in only if row["symbol"] == floor.symbol} == {"filled", "cancelled"}


def test_the_children_of_completed_brackets_name_their_parent(floor: Floor, client: Wire) -> None:
    parent = limit(client, floor.symbol, transmit=False)
    client.place(
        floor.symbol, action="SELL", orderType="LMT", lmtPrice=110.0, parentId=parent, orderRef="child"
    )
    perm_id = client.all_of("openOrder", parent)[-1]["permId"]
    client.cancel(parent)
    told = named(client.ask("reqCompletedOrders", apiOnly=True), "completedOrder")
    assert [
        row["parentPermId"] for row in told if row["orderRef"] == "child" and row["symbol"] == floor.symbol
    ] == [perm_id]


@pytest.fixture
def traded(floor: Floor) -> dict[str, Any]:
    """Four executions: of two clients, both sides, a stock and an option, an hour apart."""
    first, second = floor.client(), floor.client()
    began = floor.next_day()
    first.place(floor.symbol, orderRef="one")
    second.place(floor.symbol, orderRef="two", action="SELL")
    floor.at(began + timedelta(hours=1))
    day = f"{began + timedelta(days=40):%y%m%d}"
    option = f"{floor.symbol:<6}{day}C00100000"
    floor.ask("instruments", rows=[{"symbol": option, "asset_class": "option"}])
    first.place(
        floor.symbol,
        orderRef="three",
        secType="OPT",
        lastTradeDate=f"20{day}",
        strike=100.0,
        right="C",
        totalQuantity=1.0,
    )
    second.place(floor.symbol, orderRef="four", exchange="NASDAQ")
    return {"first": first.client_id, "second": second.client_id, "began": began, "asking": first}


FILTERS: dict[str, tuple[Any, set[str]]] = {
    "nothing": (lambda t: {}, {"one", "two", "three", "four"}),
    "client": (lambda t: {"clientId": t["first"]}, {"one", "three"}),
    "all clients": (lambda t: {"clientId": 0}, {"one", "two", "three", "four"}),
    "account": (lambda t: {"account": ACCOUNT}, {"one", "two", "three", "four"}),
    "account of another": (lambda t: {"account": "DU999"}, set()),
    "kind": (lambda t: {"secType": "OPT"}, {"three"}),
    "buys": (lambda t: {"side": "BUY"}, {"one", "three", "four"}),
    "sales": (lambda t: {"side": "SELL"}, {"two"}),
    "buys in the words of executions": (lambda t: {"side": "BOT"}, {"one", "three", "four"}),
    "exchange": (lambda t: {"exchange": "NASDAQ"}, {"four"}),
    "since": (lambda t: {"time": stamp(t["began"] + timedelta(minutes=30))}, {"three", "four"}),
    "since, in the new spelling": (
        lambda t: {"time": f"{t['began'] + timedelta(hours=1):%Y%m%d-%H:%M:%S}"}, {"three", "four"},
    ),
    "since later": (lambda t: {"time": stamp(t["began"] + timedelta(hours=2))}, set()),
    "several": (lambda t: {"clientId": t["second"], "side": "BUY", "secType": "STK"}, {"four"}),
    "another symbol": (lambda t: {"symbol": "NOWHERE"}, set()),
}  # fmt: skip


@pytest.mark.parametrize("name", FILTERS)
def test_executions_that_pass_a_filter(floor: Floor, traded: dict[str, Any], name: str) -> None:
    wanted, expected = FILTERS[name]
    asking: Wire = traded["asking"]
    told = asking.ask("reqExecutions", **{"symbol": floor.symbol, **wanted(traded)})
    rows = [row for row in named(told, "execDetails") if row["symbol"] == floor.symbol]
    assert {row["orderRef"] for row in rows} == expected
    assert told[-1][0] == "execDetailsEnd"
    reports = {row["execId"] for row in named(told, "commissionReport")}
    assert {row["execId"] for row in rows} <= reports
    assert {row["reqId"] for row in rows} <= {told[-1][1]["reqId"]}


def test_a_filter_with_nonsense_for_a_time_is_refused(floor: Floor, client: Wire) -> None:
    number = client.request_id()
    client.ask("reqExecutions", reqId=number, time="since the war")
    assert client.codes(number) == [321]


# ---------------------------------------------------------------------------------------- who may do what


def test_an_order_of_another_client_is_neither_changed_nor_cancelled(floor: Floor) -> None:
    first, second = floor.client(), floor.client()
    number = limit(first, floor.symbol, order_id=700)
    second.cancel(number)
    assert second.codes()[-1] == 10147
    limit(second, floor.symbol, order_id=700, totalQuantity=1.0)
    assert [row["total"] for row in floor.orders()] == [10, 1], "an order of its own"
    assert first.status(number) == "Submitted"


def test_a_global_cancel_reaches_every_order_of_every_client(floor: Floor) -> None:
    first, second = floor.client(), floor.client()
    numbers = [limit(one, floor.symbol) for one in (first, second)]
    held = limit(first, floor.symbol, transmit=False)
    waiting = first.place(floor.symbol, goodAfterTime="20990101 10:00:00 UTC")
    child = first.place(floor.symbol, action="SELL", orderType="LMT", lmtPrice=110.0, parentId=numbers[0])
    hand = floor.ask(
        "order", symbol=floor.symbol, order={"totalQuantity": 5, "orderType": "LMT", "lmtPrice": 90.0}
    )
    second.ask("reqGlobalCancel")
    first.settle()
    assert [first.status(one) for one in (numbers[0], held, waiting, child)] == ["Cancelled"] * 4
    assert second.status(numbers[1]) == "Cancelled"
    assert {row["status"] for row in floor.orders()} == {"Cancelled"}
    assert hand["permId"] in {row["permId"] for row in floor.orders()}


READ_ONLY: list[tuple[str, dict[str, Any]]] = [
    (
        "placeOrder",
        {"orderId": 7, "symbol": "AAPL", "action": "BUY", "totalQuantity": 1.0, "orderType": "MKT"},
    ),
    ("cancelOrder", {"orderId": 7}),
    ("reqGlobalCancel", {}),
    ("exerciseOptions", {"reqId": 7, "symbol": "AAPL", "action": 1, "quantity": 1}),
]


def test_a_gateway_that_is_read_only_changes_nothing(play: Any) -> None:
    async def scenario(desk: Any) -> None:
        await desk.market(AAPL=100.0)
        await desk.do(
            "order", symbol="AAPL", order={"totalQuantity": 5, "orderType": "LMT", "lmtPrice": 90.0}
        )
        port = desk.gateway.port
        import asyncio

        def ask() -> list[int]:
            client = Wire(port, 3)
            for name, values in READ_ONLY:
                client.send(name, **values)
                client.settle()
            told = [row["orderRef"] for row in named(client.ask("reqAllOpenOrders"), "openOrder")]
            assert told == [""]
            client.close()
            return client.codes()[3:]

        assert await asyncio.to_thread(ask) == [321] * len(READ_ONLY)
        [row] = (await desk.do("orders"))["orders"]
        assert row["status"] == "Submitted"

    play(scenario, read_only=True)


# ------------------------------------------------------------------------------------ orders by hand


@pytest.fixture
def master(floor: Floor) -> Wire:
    """Client 0, which may take over the orders entered by hand."""
    return reconnected(floor, 0)


BY_HAND = {"totalQuantity": 5, "orderType": "LMT", "lmtPrice": 90.0, "orderRef": "by hand"}


def test_orders_by_hand_are_told_to_client_0_alone(floor: Floor, master: Wire, client: Wire) -> None:
    seen = len(client.seen)
    floor.ask("order", symbol=floor.symbol, order=BY_HAND)
    assert [row["orderId"] for row in master.all_of("openOrder") if row["symbol"] == floor.symbol] == [0]
    floor.price(89.0)
    assert [row["shares"] for row in master.all_of("execDetails") if row["symbol"] == floor.symbol] == [5]
    assert client.seen[seen:] == []


def test_open_orders_of_client_0_take_over_those_by_hand_under_negative_ids(
    floor: Floor, master: Wire
) -> None:
    perm_id = floor.ask("order", symbol=floor.symbol, order=BY_HAND)["permId"]
    told = master.ask("reqOpenOrders")
    [bound] = [row for row in named(told, "orderBound") if row["permId"] == perm_id]
    assert bound["orderId"] < 0
    number = bound["orderId"]
    master.place(floor.symbol, order_id=number, orderType="LMT", lmtPrice=95.0, totalQuantity=4.0)
    [row] = floor.orders()
    assert (row["total"], row["permId"], row["status"]) == (4, perm_id, "Submitted")
    master.cancel(number)
    assert master.status(number) == "Cancelled"


def test_automatic_binding_takes_over_those_there_are_and_those_to_come(floor: Floor, master: Wire) -> None:
    first = floor.ask("order", symbol=floor.symbol, order=BY_HAND)["permId"]
    master.ask("reqAutoOpenOrders", bind=True)
    second = floor.ask("order", symbol=floor.symbol, order=BY_HAND)["permId"]
    bound = {row["permId"]: row["orderId"] for row in master.all_of("orderBound")}
    assert 0 < bound[first] < bound[second]
    master.ask("reqAutoOpenOrders", bind=False)
    third = floor.ask("order", symbol=floor.symbol, order=BY_HAND)["permId"]
    assert third not in {row["permId"] for row in master.all_of("orderBound")}
    for perm_id in (first, second):
        master.cancel(bound[perm_id])
    assert {row["permId"]: row["status"] for row in floor.orders()} == {
        first: "Cancelled", second: "Cancelled", third: "Submitted",
    }  # fmt: skip
    master.ask("reqOpenOrders")


def test_other_clients_may_not_bind(client: Wire) -> None:
    client.ask("reqAutoOpenOrders", bind=True)
    assert client.codes()[-1] == 321


# --------------------------------------------------------------------------------------------- midnight


def test_after_midnight_the_day_is_no_longer_told_and_positions_stay(floor: Floor, client: Wire) -> None:
    client.place(floor.symbol, orderRef="today")
    working = limit(client, floor.symbol, orderRef="works on")
    floor.ask("purge")
    assert named(client.ask("reqExecutions", symbol=floor.symbol), "execDetails") == []
    assert named(client.ask("reqCompletedOrders", apiOnly=False), "completedOrder") == []
    assert [row["orderRef"] for row in named(client.ask("reqOpenOrders"), "openOrder")] == ["works on"]
    assert floor.held() == 10
    floor.price(89.0)
    [told] = named(client.ask("reqExecutions", symbol=floor.symbol), "execDetails")
    assert (told["orderRef"], told["orderId"]) == ("works on", working)


def told_of(client: Wire, symbol: str) -> tuple[int, int]:
    """Executions and completed orders of a symbol that the gateway still tells."""
    executions = named(client.ask("reqExecutions", symbol=symbol), "execDetails")
    completed = named(client.ask("reqCompletedOrders", apiOnly=False), "completedOrder")
    return len(executions), len([row for row in completed if row["symbol"] == symbol])


def test_a_day_ends_at_midnight_of_the_gateway_s_zone(floor: Floor, client: Wire) -> None:
    day = floor.next_day()
    new_york = ZoneInfo("America/New_York")
    midnight = datetime.combine(day.astimezone(new_york).date() + timedelta(days=1), time(), new_york)
    client.place(floor.symbol)
    client.cancel(limit(client, floor.symbol))
    resting = limit(client, floor.symbol)
    floor.at(midnight - timedelta(seconds=1))
    assert told_of(client, floor.symbol) == (1, 2)
    floor.at(midnight)
    assert told_of(client, floor.symbol) == (0, 0)
    assert floor.held() == 10
    floor.price(89.0)
    floor.at(midnight + timedelta(hours=23))
    assert (client.status(resting), told_of(client, floor.symbol)) == ("Filled", (1, 1))
    [done] = named(client.ask("reqExecutions", symbol=floor.symbol), "execDetails")
    floor.at(midnight + timedelta(hours=24))
    assert told_of(client, floor.symbol) == (0, 0)
    floor.ask("correct", execId=done["execId"], price=88.0)
    assert told_of(client, floor.symbol) == (1, 0), "a correction is news, of whatever day the execution was"
    floor.at(midnight + timedelta(hours=48))
    assert told_of(client, floor.symbol) == (0, 0)


class Shifted(RealClock):
    """The machine's clock, ahead by what a test wants."""

    shift = timedelta()

    def now(self) -> datetime:
        return super().now() + self.shift


def test_the_day_ends_under_the_machine_s_clock_too(play: Any) -> None:
    async def scenario(desk: Any) -> None:
        clock = desk.gateway.hub.broker.clock = Shifted()
        local = clock.now().astimezone(ZoneInfo("America/New_York"))
        evening = local.replace(hour=23, minute=59, second=0) + timedelta(days=1)
        clock.shift = evening - local
        await desk.market({**STOCK, "symbol": "AAPL"}, AAPL=100.0)
        client = await desk.connect(1)
        client.placeOrder(Stock("AAPL", "SMART", "USD"), MarketOrder("BUY", 10, tif="DAY"))
        await desk.do("check_time")
        assert len(await client.reqExecutionsAsync()) == 1
        clock.shift += timedelta(minutes=2)
        await desk.do("check_time")  # what the gateway's own tick does every second
        assert (await client.reqExecutionsAsync(), await client.reqCompletedOrdersAsync(False)) == ([], [])
        assert [row.position for row in client.positions()] == [10]

    play(scenario)


@pytest.mark.parametrize(("later", "kept"), [(timedelta(hours=8), 1), (timedelta(hours=9), 0)])
def test_a_gateway_that_was_down_at_midnight_ends_the_day_when_it_starts(
    play: Any, tmp_path: Path, later: timedelta, kept: int
) -> None:
    started = datetime(2024, 1, 2, 20, 0, tzinfo=UTC)  # nine hours before midnight in New York

    async def before(desk: Any) -> None:
        await desk.market({**STOCK, "symbol": "AAPL"}, AAPL=100.0)
        client = await desk.connect(1)
        client.placeOrder(Stock("AAPL", "SMART", "USD"), MarketOrder("BUY", 10, tif="DAY"))
        await desk.settle(client)

    def after(count: int) -> Callable[[Any], Any]:
        async def scenario(desk: Any) -> None:
            client = await desk.connect(1)
            assert len(client.fills()) == count
            assert len(await client.reqCompletedOrdersAsync(False)) == count
            assert [row.position for row in client.positions()] == [10]

        return scenario

    play(before, state=tmp_path / "kept", start=started)
    play(after(kept), state=tmp_path / "kept", start=started + later)
    play(after(kept), state=tmp_path / "kept", start=started + later)
    play(after(0), state=tmp_path / "kept")


@pytest.mark.parametrize(
    ("now", "before", "after"),
    [
        ("2024-01-03T04:59:59", "2024-01-02T05:00", "2024-01-03T05:00"),
        ("2024-01-03T05:00:00", "2024-01-03T05:00", "2024-01-04T05:00"),
        ("2024-03-10T12:00:00", "2024-03-10T05:00", "2024-03-11T04:00"),
        ("2024-11-03T12:00:00", "2024-11-03T04:00", "2024-11-04T05:00"),
    ],
)
def test_midnights_around_a_time(now: str, before: str, after: str) -> None:
    wanted = tuple(datetime.fromisoformat(f"{text}+00:00") for text in (before, after))
    assert day_around(datetime.fromisoformat(f"{now}+00:00")) == wanted
