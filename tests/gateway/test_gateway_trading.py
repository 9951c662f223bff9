"""The unmodified client connects and trades over a real socket."""

from __future__ import annotations

import asyncio

import pytest
from ib_async import LimitOrder, MarketOrder, Order, Stock, StopLimitOrder, StopOrder

STOCK = Stock("AAPL", "SMART", "USD")


def day(order: Order, **fields: object) -> Order:
    order.tif = "DAY"
    order.account = "SIM000001"
    for name, value in fields.items():
        setattr(order, name, value)
    return order


def test_connect_tells_the_account_and_qualifies_a_contract(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(7)
        values = {(row.tag, row.currency): row.value for row in client.accountValues()}
        assert client.managedAccounts() == ["SIM000001"]
        assert values["NetLiquidation", "USD"] == "1000000.00"
        assert client.client.serverVersion() == 178
        [contract] = await client.qualifyContractsAsync(Stock("AAPL", "SMART", "USD"))
        assert contract.primaryExchange == "NASDAQ"
        assert contract.conId > 0
        assert await client.qualifyContractsAsync(Stock("NONE", "SMART", "USD")) == [None]

    play(scenario)


def test_market_order_fills_and_moves_position_and_cash(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect()
        trade = client.placeOrder(STOCK, day(MarketOrder("BUY", 10), orderRef="R1"))
        await desk.settle(client)
        assert trade.orderStatus.status == "Filled"
        assert trade.orderStatus.avgFillPrice == 100.0
        [fill] = trade.fills
        assert (fill.execution.side, fill.execution.shares, fill.execution.orderRef) == ("BOT", 10.0, "R1")
        assert fill.commissionReport.execId == fill.execution.execId
        [position] = client.positions()
        assert (position.position, position.avgCost) == (10.0, 100.0)
        [item] = client.portfolio()
        assert item.marketValue == 1000.0
        await desk.do("price", symbol="AAPL", price=110.0)
        [item] = client.portfolio()
        assert item.unrealizedPNL == 100.0

    play(scenario)


@pytest.mark.parametrize(
    ("order", "prices", "fill"),
    [
        (LimitOrder("BUY", 10, 99.0), [99.5, 98.5], 98.5),
        (LimitOrder("SELL", 10, 101.0), [100.5, 101.0], 101.0),
        (StopOrder("SELL", 10, 95.0), [96.0, 94.0], 94.0),
        (StopOrder("BUY", 10, 105.0), [104.0, 106.0], 106.0),
        (StopLimitOrder("BUY", 10, 106.0, 105.0), [104.0, 107.0, 105.5], 105.5),
    ],
)
def test_resting_orders_wait_for_their_price(play, order, prices, fill):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect()
        trade = client.placeOrder(STOCK, day(order))
        await desk.settle(client)
        assert trade.orderStatus.status in {"Submitted", "PreSubmitted"}
        for price in prices[:-1]:
            await desk.do("price", symbol="AAPL", price=price)
            assert not trade.isDone()
        await desk.do("price", symbol="AAPL", price=prices[-1])
        assert trade.orderStatus.status == "Filled"
        assert trade.orderStatus.avgFillPrice == fill

    play(scenario)


def test_bracket_lives_only_once_whole_and_its_exits_cancel_each_other(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect()
        bracket = client.bracketOrder("BUY", 10, 99.0, 110.0, 90.0)
        parent = client.placeOrder(STOCK, day(bracket.parent))
        await desk.settle(client)
        await desk.do("price", symbol="AAPL", price=98.0)
        assert not parent.fills, "an order that is not transmitted does not trade"
        await desk.do("price", symbol="AAPL", price=100.0)
        target = client.placeOrder(STOCK, day(bracket.takeProfit))
        stop = client.placeOrder(STOCK, day(bracket.stopLoss))
        await desk.settle(client)
        assert [t.orderStatus.status for t in (parent, target, stop)] == [
            "Submitted",
            "PreSubmitted",
            "PreSubmitted",
        ]
        await desk.do("price", symbol="AAPL", price=111.0)
        assert not target.fills, "an exit does not trade before its entry"
        await desk.do("price", symbol="AAPL", price=99.0)
        assert [t.orderStatus.status for t in (parent, target, stop)] == [
            "Filled",
            "Submitted",
            "PreSubmitted",
        ]
        await desk.do("price", symbol="AAPL", price=89.0)
        assert [t.orderStatus.status for t in (parent, target, stop)] == ["Filled", "Cancelled", "Filled"]
        assert client.positions() == []

    play(scenario)


def test_cancelling_the_parent_cancels_the_children(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect()
        trades = [
            client.placeOrder(STOCK, day(order))
            for order in client.bracketOrder("BUY", 10, 99.0, 110.0, 90.0)
        ]
        client.cancelOrder(trades[0].order)
        await desk.settle(client)
        assert {trade.orderStatus.status for trade in trades} == {"Cancelled"}
        assert await client.reqAllOpenOrdersAsync() == []

    play(scenario)


@pytest.mark.parametrize(("oca_type", "left"), [(1, None), (2, 6.0), (3, 6.0)])
def test_groups_cancel_or_reduce(play, oca_type, left):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect()
        first = client.placeOrder(STOCK, day(LimitOrder("BUY", 10, 99.0), ocaGroup="G", ocaType=oca_type))
        other = client.placeOrder(STOCK, day(LimitOrder("BUY", 10, 95.0), ocaGroup="G", ocaType=oca_type))
        await desk.settle(client)
        await desk.do("price", symbol="AAPL", price=98.0, size=4)
        assert first.orderStatus.filled == 4.0
        if left is None:
            assert other.orderStatus.status == "Cancelled"
        else:
            assert other.orderStatus.remaining == left
            await desk.do("price", symbol="AAPL", price=98.0)
            assert other.orderStatus.status == "Cancelled"

    play(scenario)


def test_open_completed_and_executed_orders_are_told_to_another_client(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        first = await desk.connect(1)
        first.placeOrder(STOCK, day(MarketOrder("BUY", 10), orderRef="done"))
        first.placeOrder(STOCK, day(LimitOrder("BUY", 5, 90.0), orderRef="open"))
        await desk.settle(first)
        other = await desk.connect(0)
        assert other.openTrades() == []
        [trade] = await other.reqAllOpenOrdersAsync()
        assert (trade.order.orderRef, trade.order.clientId) == ("open", 1)
        [completed] = await other.reqCompletedOrdersAsync(False)
        assert (completed.order.orderRef, completed.order.filledQuantity) == ("done", 10.0)
        [fill] = await other.reqExecutionsAsync()
        assert fill.execution.orderRef == "done"
        assert other.client.getReqId() > trade.order.orderId

    play(scenario)


def test_what_if_answers_margins_and_places_nothing(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect()
        state = await asyncio.wait_for(client.whatIfOrderAsync(STOCK, day(LimitOrder("BUY", 100, 100.0))), 3)
        assert float(state.initMarginChange) == 5000.0
        assert float(state.maintMarginChange) == 2500.0
        assert await client.reqAllOpenOrdersAsync() == []

    play(scenario)


def test_global_cancel_reaches_every_client(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        first, second = await desk.connect(1), await desk.connect(2)
        trades = [client.placeOrder(STOCK, day(LimitOrder("BUY", 5, 90.0))) for client in (first, second)]
        await desk.settle(first)
        await desk.settle(second)
        first.reqGlobalCancel()
        await desk.settle(first)
        await desk.settle(second)
        assert [trade.orderStatus.status for trade in trades] == ["Cancelled", "Cancelled"]

    play(scenario)


def test_change_of_price_and_quantity_keeps_the_order(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect()
        order = day(LimitOrder("BUY", 10, 90.0))
        trade = client.placeOrder(STOCK, order)
        await desk.settle(client)
        perm_id = trade.orderStatus.permId
        order.lmtPrice, order.totalQuantity = 101.0, 4
        client.placeOrder(STOCK, order)
        await desk.settle(client)
        assert (trade.orderStatus.status, trade.orderStatus.filled) == ("Filled", 4.0)
        assert trade.orderStatus.permId == perm_id

    play(scenario)


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (LimitOrder("BUY", 0, 100.0), 434),
        (LimitOrder("BUY", 10, 100.001), 110),
        (LimitOrder("BUY", 10, 100.0, parentId=99), 135),
        (LimitOrder("BUY", 10, 100.0, account="U123"), 321),
        (Order(action="BUY", totalQuantity=10, orderType="NONSENSE", tif="DAY"), 387),
        (Order(action="HOLD", totalQuantity=10, orderType="MKT", tif="DAY"), 321),
        (Order(action="BUY", totalQuantity=10, orderType="STP", tif="DAY"), 321),
        (Order(action="BUY", totalQuantity=10, orderType="MKT", tif="XXX"), 321),
        (MarketOrder("BUY", 10, algoStrategy="Magic"), 442),
        (MarketOrder("BUY", 10_000_000), 201),
        (MarketOrder("BUY", 10, goodAfterTime="yesterday"), 337),
    ],
)
def test_refusals_have_their_code_and_leave_nothing_behind(play, order, code):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect()
        codes = []
        client.errorEvent += lambda number, found, text, contract: codes.append(found)
        client.placeOrder(STOCK, order)
        await desk.settle(client)
        assert codes == [code]
        answer = await desk.do("orders")
        assert answer["orders"] == []

    play(scenario)


def test_unknown_contract_and_cancels_that_find_nothing(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect()
        codes = []
        client.errorEvent += lambda number, found, text, contract: codes.append(found)
        client.placeOrder(Stock("NONE", "SMART", "USD"), day(MarketOrder("BUY", 1)))
        filled = client.placeOrder(STOCK, day(MarketOrder("BUY", 1)))
        await desk.settle(client)
        client.client.cancelOrder(999)
        client.client.cancelOrder(filled.order.orderId)
        client.client.placeOrder(filled.order.orderId, STOCK, filled.order)
        await desk.settle(client)
        assert codes == [200, 10147, 10148, 104]

    play(scenario)


def test_a_second_client_with_the_same_id_is_refused(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        await desk.connect(5)
        codes = []
        from ib_async import IB

        second = IB()
        second.errorEvent += lambda number, found, text, contract: codes.append(found)
        with pytest.raises((TimeoutError, ConnectionError)):
            await second.connectAsync("127.0.0.1", desk.gateway.port, clientId=5, timeout=0.3)
        assert codes == [326]

    play(scenario)


def test_read_only_gateway_refuses_orders(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect()
        codes = []
        client.errorEvent += lambda number, found, text, contract: codes.append(found)
        client.placeOrder(STOCK, day(MarketOrder("BUY", 1)))
        await desk.settle(client)
        assert codes == [321]

    play(scenario, read_only=True)
