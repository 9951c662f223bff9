"""What happens at a broker unasked: manual trades, assignment, corrections, corporate actions, conditions."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest
from ib_async import (
    ComboLeg,
    Contract,
    ExecutionFilter,
    LimitOrder,
    MarketOrder,
    Option,
    Order,
    PriceCondition,
    Stock,
    StopOrder,
    TagValue,
    TimeCondition,
)

from delta import Provenance, create_lake, write
from delta.contracts import Bars, CorporateActions, Instruments, Sessions
from resources.gateway.instruments.database import con_id
from resources.gateway.journal import Journal
from resources.gateway.market.feed import lake_tape
from resources.gateway.running import running_gateway
from resources.gateway.settings import Settings

STOCK = Stock("AAPL", "SMART", "USD", conId=con_id("stock:AAPL"))
ROW = {"asset_class": "stock", "exchange": "XNAS", "currency": "USD"}
START = datetime(2024, 1, 2, 21, 0, tzinfo=UTC)
CALL = "AAPL  240216C00100000"


def day(order: Order, **fields: object) -> Order:
    order.tif = "GTC"
    for name, value in fields.items():
        setattr(order, name, value)
    return order


def bar(session: str, price: float, **fields: float) -> dict:
    row = {"symbol": "AAPL", "session": session, "open": price, "high": price, "low": price, "close": price}
    return {**row, "volume": 1e6, **fields}


def test_a_trade_by_hand_is_in_positions_and_executions_of_the_master_client(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(0)
        await desk.do("trade", symbol="AAPL", quantity=-7, price=101.5, reference="by hand")
        assert client.positions()[0].position == -7.0
        [fill] = await client.reqExecutionsAsync()
        assert (fill.execution.side, fill.execution.shares, fill.execution.orderRef) == (
            "SLD",
            7.0,
            "by hand",
        )

    play(scenario)


def test_orders_by_hand_are_bound_to_client_zero_and_can_be_cancelled_by_it(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        other = await desk.connect(1)
        answer = await desk.do(
            "order", symbol="AAPL", order={"totalQuantity": 5, "orderType": "LMT", "lmtPrice": 90.0}
        )
        assert other.openTrades() == []
        master = await desk.connect(0)
        await desk.settle(master)
        [trade] = [t for t in master.openTrades() if t.order.permId == answer["permId"]]
        assert trade.order.orderId != 0
        master.cancelOrder(trade.order)
        await desk.settle(master)
        [row] = (await desk.do("orders"))["orders"]
        assert row["status"] == "Cancelled"

    play(scenario)


@pytest.mark.parametrize(
    ("happening", "options", "shares", "cash"),
    [("assign", -2.0, -200.0, 20_000.0), ("exercise", 2.0, 200.0, -20_000.0)],
)
def test_assignment_and_exercise_move_the_underlying_at_the_strike(play, happening, options, shares, cash):
    async def scenario(desk):
        await desk.market(AAPL=105.0)
        await desk.do("instruments", rows=[{"symbol": CALL, "asset_class": "option"}])
        await desk.do("trade", symbol=CALL, quantity=options, price=0.0)
        client = await desk.connect(1)
        await desk.do(happening, symbol=CALL, quantity=2)
        answer = await desk.do("positions")
        assert answer["positions"] == {"AAPL": shares}
        assert answer["cash"]["USD"] == 1_000_000.0 + cash
        assert [position.position for position in client.positions()] == [shares]

    play(scenario)


def test_a_correction_replaces_and_a_bust_removes_an_execution(play, tmp_path):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        trade = client.placeOrder(STOCK, day(MarketOrder("BUY", 10)))
        await desk.settle(client)
        identity = trade.fills[0].execution.execId
        corrected = (await desk.do("correct", execId=identity, price=99.0))["execId"]
        assert corrected.endswith(".02")
        assert (await desk.do("positions"))["cash"]["USD"] == 999_010.0
        assert [fill.execution.execId for fill in trade.fills] == [identity, corrected]
        await desk.do("bust", execId=corrected)
        answer = await desk.do("positions")
        assert (answer["positions"], answer["cash"]["USD"]) == ({}, 1_000_000.0)

    play(scenario, state=tmp_path / "kept")

    async def restarted(desk):
        answer = await desk.do("positions")
        assert (answer["positions"], answer["cash"]["USD"]) == ({}, 1_000_000.0)
        [record] = (await desk.do("executions"))["executions"]
        assert (record["execId"][-3:], record["shares"]) == (".03", 0.0)

    play(restarted, state=tmp_path / "kept")


def test_splits_and_dividends_are_booked_before_their_session(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        client.placeOrder(STOCK, day(MarketOrder("BUY", 10)))
        stop = client.placeOrder(STOCK, day(StopOrder("SELL", 10, 80.0)))
        await desk.settle(client)
        await desk.do(
            "bars", rows=[bar("2024-01-03", 100.0), bar("2024-01-04", 50.0), bar("2024-01-05", 50.0)]
        )
        await desk.do(
            "actions",
            rows=[
                {"symbol": "AAPL", "ex_date": "2024-01-04", "action": "split", "value": 2.0},
                {
                    "symbol": "AAPL",
                    "ex_date": "2024-01-04",
                    "pay_date": "2024-01-05",
                    "action": "cash_dividend",
                    "value": 0.5,
                },
            ],
        )
        await desk.do("session", session="2024-01-03")
        assert (await desk.do("positions"))["positions"] == {"AAPL": 10.0}
        await desk.do("session", session="2024-01-04")
        answer = await desk.do("positions")
        assert (answer["positions"], answer["cash"]["USD"]) == ({"AAPL": 20.0}, 999_000.0)
        assert not stop.isDone(), "the stop was split with the position"
        assert (stop.order.totalQuantity, stop.order.auxPrice) == (20.0, 40.0)
        await desk.do("session", session="2024-01-05")
        assert (await desk.do("positions"))["cash"]["USD"] == 999_005.0
        assert client.positions()[0].avgCost == 50.0

    play(scenario, market="sessions", start=START)


def test_a_delisting_closes_the_position_and_ends_the_orders(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        await desk.do("trade", symbol="AAPL", quantity=10, price=100.0)
        order = client.placeOrder(STOCK, day(LimitOrder("SELL", 10, 120.0)))
        await desk.settle(client)
        await desk.do(
            "actions",
            rows=[{"symbol": "AAPL", "ex_date": "2024-01-03", "action": "delisting", "value": 30.0}],
        )
        await desk.do("session", session="2024-01-03")
        answer = await desk.do("positions")
        assert (answer["positions"], answer["cash"]["USD"]) == ({}, 999_300.0)
        assert order.orderStatus.status == "Cancelled"

    play(scenario, market="sessions", start=START)


def test_conditions_hold_an_order_back_or_cancel_it(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        above = PriceCondition(price=105.0, conId=STOCK.conId, exch="SMART", isMore=True)
        held = client.placeOrder(STOCK, day(MarketOrder("BUY", 1), conditions=[above]))
        cancelled = client.placeOrder(
            STOCK, day(LimitOrder("BUY", 1, 90.0), conditions=[above], conditionsCancelOrder=True)
        )
        timed = client.placeOrder(
            STOCK,
            day(MarketOrder("BUY", 1), conditions=[TimeCondition(time="20240102 22:00:00 UTC", isMore=True)]),
        )
        await desk.settle(client)
        assert [t.orderStatus.status for t in (held, cancelled, timed)] == [
            "PreSubmitted",
            "Submitted",
            "PreSubmitted",
        ]
        await desk.do("price", symbol="AAPL", price=106.0)
        assert [t.orderStatus.status for t in (held, cancelled, timed)] == [
            "Filled",
            "Cancelled",
            "PreSubmitted",
        ]
        assert held.orderStatus.avgFillPrice == 106.0
        await desk.do("advance", to="2024-01-02T22:00:00+00:00")
        assert timed.orderStatus.status == "Filled"

    play(scenario, start=START)


def test_time_releases_schedules_and_ends_orders_of_a_continuous_market(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        window = [
            TagValue("startTime", "20240103 15:00:00 UTC"),
            TagValue("endTime", "20240103 17:00:00 UTC"),
        ]
        sliced = client.placeOrder(STOCK, day(MarketOrder("BUY", 10), algoStrategy="Twap", algoParams=window))
        ending = day(LimitOrder("BUY", 1, 90.0), goodTillDate="20240103 16:00:00 UTC")
        ending.tif = "GTD"
        until = client.placeOrder(STOCK, ending)
        later = client.placeOrder(STOCK, day(MarketOrder("BUY", 1), goodAfterTime="20240103 16:30:00 UTC"))
        await desk.settle(client)
        filled = []
        for time in ("15:00", "15:30", "16:00", "16:30", "17:00"):
            await desk.do("advance", to=f"2024-01-03T{time}:00+00:00")
            filled.append(sliced.filled())
            assert until.isDone() == (time > "16:00")
            assert later.isDone() == (time >= "16:30")
        assert filled == [0.0, 2.0, 5.0, 7.0, 10.0]
        assert sliced.orderStatus.status == "Filled"

    play(scenario, start=START)


def test_the_end_of_a_continuous_day_fills_close_orders_and_ends_day_orders(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        closing = client.placeOrder(STOCK, Order(action="BUY", totalQuantity=1, orderType="MOC", tif="DAY"))
        limited = client.placeOrder(
            STOCK, Order(action="BUY", totalQuantity=1, orderType="LOC", lmtPrice=99.0, tif="DAY")
        )
        resting = client.placeOrder(STOCK, LimitOrder("BUY", 1, 90.0, tif="DAY"))
        lasting = client.placeOrder(STOCK, LimitOrder("BUY", 1, 90.0, tif="GTC"))
        await desk.settle(client)
        await desk.do("end_day")
        assert [t.orderStatus.status for t in (closing, limited, resting, lasting)] == [
            "Filled",
            "Cancelled",
            "Cancelled",
            "Submitted",
        ]

    play(scenario, start=START)


def test_an_option_of_a_made_up_chain_survives_a_restart(play, tmp_path):
    option = Option("AAPL", "20240216", 100.0, "C", "SMART", currency="USD")

    async def trade(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        [contract] = await client.qualifyContractsAsync(option)
        [ticker] = await client.reqTickersAsync(contract)
        filled = client.placeOrder(contract, day(MarketOrder("BUY", 2)))
        client.placeOrder(contract, day(LimitOrder("BUY", 2, 0.01)))
        await desk.settle(client)
        assert filled.orderStatus.avgFillPrice == ticker.last
        [position] = client.positions()
        assert position.avgCost == pytest.approx(ticker.last * 100)

    async def look(desk):
        client = await desk.connect(1)
        assert [position.contract.localSymbol for position in client.positions()] == [CALL]
        assert len(client.openTrades()) == 1

    play(trade, state=tmp_path / "kept", start=START)
    play(look, state=tmp_path / "kept", start=START)


def test_executions_of_other_clients_are_told_on_request(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        first, second = await desk.connect(1), await desk.connect(2)
        first.placeOrder(STOCK, day(MarketOrder("BUY", 1), orderRef="one"))
        second.placeOrder(STOCK, day(MarketOrder("BUY", 2), orderRef="two"))
        await desk.settle(first)
        await desk.settle(second)
        assert [fill.execution.orderRef for fill in second.fills()] == ["two"]
        fills = await second.reqExecutionsAsync()
        assert [fill.execution.orderRef for fill in fills] == ["one", "two"]
        filtered = await second.reqExecutionsAsync(ExecutionFilter(clientId=1))
        assert [fill.execution.orderRef for fill in filtered] == ["one"]

    play(scenario)


def test_a_combination_fills_with_its_legs(play):
    async def scenario(desk):
        await desk.market({**ROW, "symbol": "AAPL"}, {**ROW, "symbol": "MSFT"}, AAPL=100.0, MSFT=40.0)
        client = await desk.connect(1)
        legs = [
            ComboLeg(con_id("stock:AAPL"), 1, "BUY", "SMART"),
            ComboLeg(con_id("stock:MSFT"), 2, "SELL", "SMART"),
        ]
        pair = Contract(symbol="AAPL", secType="BAG", exchange="SMART", currency="USD", comboLegs=legs)
        trade = client.placeOrder(pair, day(LimitOrder("BUY", 5, 19.0)))
        await desk.settle(client)
        assert trade.orderStatus.status == "Submitted", "it costs 20"
        await desk.do("price", symbol="MSFT", price=40.5)
        assert trade.orderStatus.status == "Filled"
        assert (trade.filled(), trade.orderStatus.avgFillPrice) == (5.0, 19.0)
        assert [fill.contract.secType for fill in trade.fills] == ["BAG", "STK", "STK"]
        answer = await desk.do("positions")
        assert (answer["positions"], answer["cash"]["USD"]) == (
            {"AAPL": 5.0, "MSFT": -10.0},
            1_000_000.0 - 95.0,
        )
        await desk.do("fault", name="legs_only")
        half = client.placeOrder(pair, day(LimitOrder("BUY", 5, 1.0)))
        await desk.settle(client)
        assert half.filled() == 0.0
        assert (await desk.do("positions"))["positions"] == {"AAPL": 10.0, "MSFT": -10.0}

    play(scenario)


def test_an_adjustable_stop_becomes_another_once_triggered(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        await desk.do("trade", symbol="AAPL", quantity=10, price=100.0)
        order = day(
            StopOrder("SELL", 10, 90.0), adjustedOrderType="STP", triggerPrice=110.0, adjustedStopPrice=105.0
        )
        trade = client.placeOrder(STOCK, order)
        await desk.settle(client)
        await desk.do("price", symbol="AAPL", price=104.0)
        assert not trade.fills
        await desk.do("price", symbol="AAPL", price=111.0)
        await desk.do("price", symbol="AAPL", price=104.0)
        assert trade.orderStatus.avgFillPrice == 104.0

    play(scenario)


def test_a_gateway_on_a_lake_knows_its_instruments_bars_and_sessions(tmp_path):
    import asyncio

    from ib_async import IB

    lake = create_lake(str(tmp_path / "lake"))
    known = datetime(2024, 1, 1, tzinfo=UTC)
    closes = [datetime(2024, 1, number, 21, tzinfo=UTC) for number in (3, 4)]
    instruments = pl.DataFrame(
        {
            "symbol": ["AAPL"],
            "ticker": ["AAPL"],
            "asset_class": ["stock"],
            "exchange": ["XNAS"],
            "calendar": ["XNYS"],
            "currency": ["USD"],
            "sector": ["Technology"],
            "market_cap": [None],
            "multiplier": [1.0],
            "valid_from": [date(2000, 1, 1)],
            "valid_to": [None],
            "predecessor": [None],
            "source": ["test"],
            "known_at": [known],
        },
        schema=Instruments.schema(),
    )
    rows = pl.DataFrame(
        {
            "symbol": ["AAPL"] * 3,
            "timeframe": ["1d"] * 3,
            "session": [date(2024, 1, 3), date(2024, 1, 3), date(2024, 1, 4)],
            "closes_at": [closes[0], closes[0], closes[1]],
            "open": [10.0, 100.0, 110.0],
            "high": [10.0, 105.0, 112.0],
            "low": [10.0, 99.0, 108.0],
            "close": [10.0, 104.0, 111.0],
            "volume": [1e6] * 3,
            "source": ["test"] * 3,
            "known_at": [known, known.replace(day=5), known],
            "flags": [[]] * 3,
        },
        schema=Bars.schema(),
    )
    sessions = pl.DataFrame(
        {
            "calendar": ["XNYS"] * 2,
            "session": [moment.date() for moment in closes],
            "opens_at": [moment.replace(hour=14, minute=30) for moment in closes],
            "closes_at": closes,
            "half_day": [False] * 2,
        },
        schema=Sessions.schema(),
    )
    actions = pl.DataFrame(
        {
            "symbol": ["AAPL"],
            "ex_date": [date(2024, 1, 4)],
            "action": ["cash_dividend"],
            "value": [1.0],
            "pay_date": [None],
            "new_symbol": [None],
            "currency": ["USD"],
            "withdrawn": [False],
            "reason": [None],
            "source": ["test"],
            "known_at": [known],
        },
        schema=CorporateActions.schema(),
    )
    origin = Provenance("run", "test", "1")
    for table, frame in (
        (Instruments, instruments),
        (Bars, rows),
        (Sessions, sessions),
        (CorporateActions, actions),
    ):
        write(lake, table, frame, None, origin)

    async def main() -> None:
        tape, instrument_rows = lake_tape(str(tmp_path / "lake"))
        chosen = Settings(market="sessions", start=START)
        async with running_gateway(
            chosen, tmp_path / "state", tape=tape, instruments=instrument_rows
        ) as gateway:
            client = IB()
            await client.connectAsync("127.0.0.1", gateway.port, clientId=1, timeout=5, raiseSyncErrors=True)
            [contract] = await client.qualifyContractsAsync(Stock("AAPL", "SMART", "USD"))
            trade = client.placeOrder(contract, day(MarketOrder("BUY", 10)))
            await client.reqCurrentTimeAsync()
            answer = await gateway.control.carry_out({"command": "session", "session": "2024-01-04"})
            assert answer["sessions"] == ["2024-01-03", "2024-01-04"]
            await client.reqCurrentTimeAsync()
            assert trade.orderStatus.avgFillPrice == pytest.approx(100.0 * 1.001), (
                "the row learned last counts"
            )
            assert trade.fills[0].execution.time == closes[0].replace(hour=14, minute=30)
            cash = (await gateway.control.carry_out({"command": "positions"}))["cash"]["USD"]
            assert cash == pytest.approx(1_000_000 - 1001.0 + 10.0)
            client.disconnect()

    asyncio.run(main())
    kinds = {record["kind"] for record in Journal(tmp_path / "state" / "journal.jsonl").records}
    assert {"ticket", "execution", "booking", "session", "clock"} <= kinds
