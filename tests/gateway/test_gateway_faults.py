"""Every fault that the desk must live with, as the client sees it."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest
from ib_async import IB, LimitOrder, MarketOrder, Stock

from resources.gateway.service.faults import ACTIONS, NOTICES, SCENARIOS, FaultError, Faults

STOCK = Stock("AAPL", "SMART", "USD")


def market(quantity: float = 10, **fields: object) -> MarketOrder:
    return MarketOrder("BUY", quantity, tif="DAY", account="SIM000001", **fields)


def limit(price: float = 90.0, **fields: object) -> LimitOrder:
    return LimitOrder("BUY", 10, price, tif="GTC", account="SIM000001", **fields)


async def broker_orders(desk) -> list[dict]:
    return (await desk.do("orders"))["orders"]


def codes_of(client: IB) -> list[int]:
    codes: list[int] = []
    client.errorEvent += lambda number, code, text, contract: codes.append(code)
    return codes


@pytest.mark.parametrize(
    "name",
    [
        "silent",
        "hang_up",
        "old_version",
        "malformed_version",
        "client_id_in_use",
        "no_accounts",
        "no_next_id",
    ],
)
def test_a_connection_that_never_becomes_ready(play, decoder_log, name):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        await desk.do("fault", name=name)
        client = IB()
        with pytest.raises((TimeoutError, ConnectionError)):
            await client.connectAsync("127.0.0.1", desk.gateway.port, clientId=1, timeout=0.3)
        assert not client.isConnected()
        decoder_log.clear()
        again = await desk.connect(1)
        assert again.isConnected(), "the fault struck once"

    play(scenario)


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("no_positions_end", "positions"),
        ("no_open_orders_end", "open orders"),
        ("no_completed_orders_end", "completed orders"),
        ("no_executions_end", "executions"),
        ("no_account_end", "account updates"),
    ],
)
def test_a_missing_end_is_a_timeout_of_that_request(play, name, missing):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        await desk.do("fault", name=name)
        with pytest.raises(ConnectionError, match=missing):
            await desk.connect(1, timeout=0.3)

    play(scenario)


def test_a_late_next_id_only_delays(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        await desk.do("fault", name="late_next_id", delay=0.05)
        assert (await desk.connect(1)).isConnected()

    play(scenario)


def test_a_login_to_a_port_that_somebody_has_taken_says_so(play):
    async def scenario(desk):
        await desk.do("logout")
        with socket.create_server(("127.0.0.1", desk.gateway.port)):
            answer = await desk.gateway.control.carry_out({"command": "login"})
            assert not answer["ok"]
            assert answer["error"].startswith("login: ")
        await desk.do("login")
        assert (await desk.connect(1)).isConnected()

    play(scenario)


def test_gateway_that_is_logged_out_refuses_connections_until_login(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        await desk.script("logout")
        with contextlib.suppress(Exception):
            await asyncio.wait_for(client.reqCurrentTimeAsync(), 1)
        assert not client.isConnected()
        with pytest.raises(ConnectionRefusedError):
            await IB().connectAsync("127.0.0.1", desk.gateway.port, clientId=1, timeout=1)
        await desk.script("login")
        assert (await desk.connect(1)).isConnected()

    play(scenario)


@pytest.mark.parametrize(
    ("name", "orders", "connected"),
    [
        ("order_lost", 0, True),
        ("drop_before_delivery", 0, False),
        ("drop_before_ack", 1, False),
        ("drop_after_ack", 1, False),
        ("accepted_twice", 2, True),
        ("rejected", 0, True),
        ("order_swallowed", 0, True),
    ],
)
def test_an_order_that_is_lost_dropped_doubled_or_swallowed(play, name, orders, connected):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        await desk.do("fault", name=name)
        trade = client.placeOrder(STOCK, limit(orderRef="R1"))
        with contextlib.suppress(ConnectionError):
            await desk.settle(client)
        found = await broker_orders(desk)
        assert [row["orderRef"] for row in found] == ["R1"] * orders
        assert len({row["permId"] for row in found}) == orders
        assert client.isConnected() == connected
        if name == "drop_before_ack":
            assert trade.orderStatus.status == "PendingSubmit"
        if not connected:
            again = await desk.connect(1)
            assert [t.order.orderRef for t in again.openTrades()] == ["R1"] * orders

    play(scenario)


@pytest.mark.parametrize(("name", "next_id"), [("order_swallowed", 0), ("order_swallowed_id_burnt", 1)])
def test_a_swallowed_order_surfaces_later(play, name, next_id):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        await desk.do("fault", name=name)
        trade = client.placeOrder(STOCK, market(orderRef="R1"))
        await desk.settle(client)
        assert await broker_orders(desk) == []
        client.disconnect()
        again = await desk.connect(1)
        first = again.client.getReqId()
        assert (first > trade.order.orderId) == bool(next_id)
        await desk.do("release")
        [row] = await broker_orders(desk)
        assert (row["orderRef"], row["status"], row["orderId"]) == ("R1", "Filled", trade.order.orderId)

    play(scenario)


@pytest.mark.parametrize(
    ("name", "code", "status"),
    [
        ("duplicate_id", 103, "Cancelled"),
        ("modify_filled", 104, "Cancelled"),
        ("tif_preset", 10349, "Cancelled"),
        ("held_message", 399, "ValidationError"),
    ],
)
def test_messages_that_make_the_client_misjudge_a_live_order(play, name, code, status):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        codes = codes_of(client)
        await desk.do("fault", name=name)
        trade = client.placeOrder(STOCK, limit())
        await desk.settle(client)
        assert codes == [code]
        assert trade.orderStatus.status == status
        [row] = await broker_orders(desk)
        assert row["status"] == "Submitted", "the order lives"
        await desk.do("price", symbol="AAPL", price=89.0)
        assert trade.orderStatus.status == "Filled"

    play(scenario)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("rejected", 201),
        ("bad_tick", 110),
        ("no_definition", 200),
        ("validation_error", 321),
        ("size_zero", 434),
        ("read_only", 321),
    ],
)
def test_injected_refusals(play, name, code):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        codes = codes_of(client)
        await desk.do("fault", name=name)
        client.placeOrder(STOCK, limit())
        await desk.settle(client)
        assert codes == [code]
        assert await broker_orders(desk) == []

    play(scenario)


@pytest.mark.parametrize(
    ("name", "code"),
    [("cancel_not_possible", 161), ("cancel_not_found", 10147), ("cancel_wrong_state", 10148)],
)
def test_a_cancel_that_fails_leaves_the_order_working(play, name, code):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        codes = codes_of(client)
        trade = client.placeOrder(STOCK, limit())
        await desk.settle(client)
        await desk.do("fault", name=name)
        client.cancelOrder(trade.order)
        await desk.settle(client)
        assert codes == [code]
        assert trade.orderStatus.status == "Cancelled", "so the client believes"
        await desk.do("price", symbol="AAPL", price=89.0)
        assert trade.filled() == 10.0

    play(scenario)


def test_cancel_and_fill_race_both_ways(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        codes = codes_of(client)
        await desk.do("fault", name="fill_before_cancel")
        first = client.placeOrder(STOCK, limit())
        client.cancelOrder(first.order)
        await desk.settle(client)
        assert first.filled() == 10.0
        assert codes == [10148]
        await desk.do("fault", name="fill_after_cancel")
        second = client.placeOrder(STOCK, limit())
        client.cancelOrder(second.order)
        await desk.settle(client)
        assert second.orderStatus.status == "Cancelled"
        assert second.filled() == 10.0
        assert (await desk.do("positions"))["positions"] == {"AAPL": 20.0}

    play(scenario)


def test_inactive_held_partial_and_partially_cancelled_orders(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        trades = []
        for name in ("inactive", "held", "partial", "partial_then_cancel"):
            await desk.do("fault", name=name)
            trades.append(client.placeOrder(STOCK, market(orderRef=name)))
            await desk.settle(client)
        rows = {row["orderRef"]: row for row in await broker_orders(desk)}
        assert (rows["inactive"]["status"], rows["inactive"]["filled"]) == ("Inactive", 0)
        assert (rows["held"]["status"], rows["held"]["filled"]) == ("PreSubmitted", 0)
        assert (rows["partial"]["status"], rows["partial"]["filled"]) == ("Submitted", 5.0)
        assert (rows["partial_then_cancel"]["status"], rows["partial_then_cancel"]["filled"]) == (
            "Cancelled",
            5.0,
        )
        await desk.do("release")
        assert trades[1].orderStatus.status == "Filled"

    play(scenario)


def test_only_an_execution_tells_of_an_order(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        await desk.do("fault", name="no_order_messages")
        trade = client.placeOrder(STOCK, market())
        await desk.settle(client)
        assert trade.filled() == 10.0
        assert trade.orderStatus.status == "PendingSubmit"

    play(scenario)


@pytest.mark.parametrize(
    "name",
    [
        "duplicate_status",
        "duplicate_executions",
        "execution_before_order",
        "status_before_execution",
        "dribble",
    ],
)
def test_duplicates_disorder_and_single_bytes_do_no_harm(play, name):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        await desk.do("fault", name=name)
        trade = client.placeOrder(STOCK, market())
        await desk.settle(client)
        assert trade.filled() == 10.0
        assert len(client.fills()) == 1
        assert (await desk.do("positions"))["positions"] == {"AAPL": 10.0}

    play(scenario)


@pytest.mark.parametrize(
    ("name", "commission"),
    [
        ("commission_never", 0.0),
        ("commission_before_execution", 0.0),
        ("commission_negative", -1.0),
        ("commission_unset", 1.7976931348623157e308),
    ],
)
def test_commissions_that_come_early_never_or_wrong(play, name, commission):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        await desk.do("fault", name=name)
        trade = client.placeOrder(STOCK, market())
        await desk.settle(client)
        assert trade.fills[0].commissionReport.commission == commission

    play(scenario)


def test_a_delayed_commission_arrives(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        await desk.do("fault", name="commission_delayed", delay=0.05)
        arrived = asyncio.Event()
        trade = client.placeOrder(STOCK, market())
        trade.commissionReportEvent += lambda *_: arrived.set()
        await desk.settle(client)
        assert not arrived.is_set()
        await asyncio.wait_for(arrived.wait(), 2)

    play(scenario)


@pytest.mark.parametrize("name", ["half_frame", "reset", "close"])
def test_a_connection_that_breaks_mid_frame_ends_cleanly(play, name):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        await desk.script("fault", name=name)
        client.placeOrder(STOCK, market(orderRef="R1"))
        with pytest.raises((ConnectionError, TimeoutError)):
            await asyncio.wait_for(client.reqCurrentTimeAsync(), 1)
        assert not client.isConnected()
        again = await desk.connect(1)
        assert [fill.execution.orderRef for fill in again.fills()] == ["R1"]

    play(scenario)


def test_an_announced_frame_that_never_comes_hangs_and_does_not_crash(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        await desk.script("fault", name="oversize")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.reqCurrentTimeAsync(), 0.2)

    play(scenario)


def test_too_many_messages_end_the_connection(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        codes = codes_of(client)
        for _ in range(60):
            client.client.reqIds(1)
        with pytest.raises((ConnectionError, TimeoutError)):
            await asyncio.wait_for(client.reqCurrentTimeAsync(), 1)
        assert 100 in codes
        assert (await desk.connect(1)).isConnected()

    play(scenario)


@pytest.mark.parametrize("name", sorted(NOTICES))
def test_notices_reach_every_client_and_end_no_connection(play, name):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        clients = [await desk.connect(1), await desk.connect(2)]
        codes = [codes_of(client) for client in clients]
        await desk.do("notice", name=name)
        assert codes == [[NOTICES[name][0]]] * 2
        assert all(client.isConnected() for client in clients)

    play(scenario)


def test_ids_roll_back_at_a_restart(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        first = client.placeOrder(STOCK, limit(orderRef="R1"))
        await desk.settle(client)
        await desk.script("restart", roll_back=3)
        with contextlib.suppress(Exception):
            await desk.settle(client)
        reader = desk.gateway.hub.next_order_id(1)
        assert reader <= first.order.orderId
        again = await desk.connect(1)
        codes = codes_of(again)
        again.client.placeOrder(first.order.orderId, STOCK, market(orderRef="R2"))
        await desk.settle(again)
        rows = await broker_orders(desk)
        assert len(rows) == 1, "the id of a live order changes that order, it places no other"
        assert codes == []

    play(scenario)


def test_midnight_hides_what_was_done_and_keeps_positions(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        client.placeOrder(STOCK, market())
        await desk.settle(client)
        await desk.do("purge")
        client.disconnect()
        again = await desk.connect(1)
        assert again.fills() == []
        assert await again.reqCompletedOrdersAsync(False) == []
        assert again.positions()[0].position == 10.0

    play(scenario)


@pytest.mark.parametrize("style", ["zone", "utc", "bare"])
def test_execution_times_in_every_spelling(play, style):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        client.TimezoneTWS = "UTC" if style == "utc" else "US/Eastern"
        trade = client.placeOrder(STOCK, market())
        await desk.settle(client)
        now = desk.gateway.hub.broker.clock.now()
        assert abs((trade.fills[0].execution.time - now).total_seconds()) < 5

    play(scenario, execution_time=style)


def test_every_scenario_is_complete_and_wrong_faults_say_what_is_allowed():
    faults = Faults()
    for name, scenario in SCENARIOS.items():
        assert scenario["do"] in ACTIONS[scenario["on"]], name
        faults.add({"name": name})
    with pytest.raises(FaultError, match="no fault is called 'x'; known are absent_greeks"):
        faults.add({"name": "x"})
    with pytest.raises(FaultError, match="not on 'nowhere'"):
        faults.add({"on": "nowhere", "do": "lose"})
    with pytest.raises(FaultError, match="on reply a fault can do mute"):
        faults.add({"on": "reply", "do": "lose"})
    with pytest.raises(FaultError, match="could not convert"):
        faults.add({"name": "slow", "delay": "long"})


def test_faults_skip_repeat_and_draw_from_their_seed():
    faults = Faults(seed=1)
    faults.add(
        {"on": "request", "do": "lose", "what": "placeOrder", "skip": 1, "times": 2, "where": {"tif": "DAY"}}
    )
    struck = [
        faults.take("request", "placeOrder", {"tif": tif}) is not None
        for tif in ("DAY", "GTC", "DAY", "DAY", "DAY")
    ]
    assert struck == [False, False, True, True, False]

    def draws(seed: int) -> list[bool]:
        drawn = Faults(seed)
        drawn.add({"on": "request", "do": "lose", "chance": 0.5, "times": -1})
        return [drawn.take("request", "any", {}) is not None for _ in range(64)]

    assert draws(7) == draws(7)
    assert draws(7) != draws(8)
    assert 16 < sum(draws(7)) < 48
