"""A gateway that is always open while the lake learns: bars fill what waits, actions are booked, days end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ib_async import LimitOrder, MarketOrder, Order, Stock, StopOrder, Trade

from delta import Lake, Provenance, create_lake, write
from delta.contracts import Bars, CorporateActions, Instruments, Sessions
from resources.gateway.market.feed import lake_tape
from resources.gateway.running import running_gateway
from resources.gateway.settings import Settings

from .conftest import NO_COSTS, Desk

STOCK = Stock("AAPL", "SMART", "USD")
EVENING = datetime(2024, 1, 3, 21, 6, tzinfo=UTC)
"""Six minutes after the close of the session that is known at the start."""
DAYS = [date(2024, 1, number) for number in (2, 3, 4, 5, 8, 9)]
ORIGIN = Provenance("run", "test", "1")


def _frame(table: Any, rows: list[dict[str, Any]]) -> pl.DataFrame:
    blank = dict.fromkeys(table.schema().names())
    return pl.DataFrame([{**blank, **row} for row in rows], schema=table.schema())


class Market(Desk):
    """A gateway on a lake that the test writes to, and the clock that it moves."""

    lake: Lake

    def learn(self, session: date, prices: tuple[float, float, float, float], **further: Any) -> None:
        """Write the daily bar of a session."""
        names = dict(zip(("open", "high", "low", "close"), prices, strict=True))
        closes_at = datetime(session.year, session.month, session.day, 21, tzinfo=UTC)
        row = {
            "symbol": "AAPL", "timeframe": "1d", "session": session, "closes_at": closes_at, "volume": 1e6,
            "source": "test", "known_at": closes_at, "flags": [], **names, **further,
        }  # fmt: skip
        write(self.lake, Bars, _frame(Bars, [row]), None, ORIGIN)

    def act(self, ex_date: date, action: str, value: float, **further: Any) -> None:
        """Write a corporate action."""
        row = {
            "symbol": "AAPL", "ex_date": ex_date, "action": action, "value": value, "currency": "USD",
            "withdrawn": False, "source": "test", "known_at": EVENING, **further,
        }  # fmt: skip
        write(self.lake, CorporateActions, _frame(CorporateActions, [row]), None, ORIGIN)

    async def evening(self, session: date) -> None:
        """Move to six minutes after a close and look."""
        await self.do("advance", to=datetime(session.year, session.month, session.day, 21, 6, tzinfo=UTC))
        await self.do("check_time")

    async def account(self) -> tuple[dict[str, float], float]:
        """Positions and cash."""
        found = await self.do("positions")
        return found["positions"], found["cash"]["USD"]


Play = Callable[[Callable[[Market], Awaitable[None]]], None]


@pytest.fixture
def market(tmp_path: Path, decoder_log: list[str]) -> Iterator[Play]:
    """Run a scenario at a gateway on a lake of its own."""
    lake = create_lake(str(tmp_path / "lake"))
    stock = {
        "symbol": "AAPL", "ticker": "AAPL", "asset_class": "stock", "exchange": "XNAS", "calendar": "XNYS",
        "currency": "USD", "multiplier": 1.0, "valid_from": date(2000, 1, 1), "source": "test",
        "known_at": datetime(2024, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    write(lake, Instruments, _frame(Instruments, [stock]), None, ORIGIN)
    hours = [
        {
            "calendar": "XNYS", "session": day, "half_day": False,
            "opens_at": datetime(day.year, day.month, day.day, 14, 30, tzinfo=UTC),
            "closes_at": datetime(day.year, day.month, day.day, 21, tzinfo=UTC),
        }
        for day in DAYS
    ]  # fmt: skip
    write(lake, Sessions, _frame(Sessions, hours), None, ORIGIN)

    def run(scenario: Callable[[Market], Awaitable[None]]) -> None:
        async def main() -> None:
            tape, rows = lake_tape(str(tmp_path / "lake"))
            settings = Settings(costs=NO_COSTS, start=EVENING, lake=str(tmp_path / "lake"))
            async with AsyncExitStack() as stack:
                gateway = await stack.enter_async_context(
                    running_gateway(settings, tmp_path / "state", tape=tape, instruments=rows)
                )
                desk = Market(gateway)
                desk.lake = lake
                try:
                    await asyncio.wait_for(scenario(desk), 30)
                finally:
                    for client in desk.clients:
                        client.disconnect()

        asyncio.run(main())
        assert not decoder_log

    return run


def _order(order: Order, **fields: Any) -> Order:
    order.account = "SIM000001"
    order.tif = fields.pop("tif", "GTC")
    for name, value in fields.items():
        setattr(order, name, value)
    return order


BEFORE: dict[str, tuple[Order, float | None]] = {
    # an order placed the evening before; its price in the bar of the session: 98, high 104, low 95, close 103
    "a stop within the bar": (StopOrder("SELL", 10, 96.0), 96.0),
    "a stop that the open has passed": (StopOrder("SELL", 10, 99.0), 98.0),
    "a stop below the bar": (StopOrder("SELL", 10, 94.0), None),
    "a limit within the bar": (LimitOrder("SELL", 10, 103.5), 103.5),
    "a limit above the bar": (LimitOrder("SELL", 10, 104.5), None),
    "an if-touched order": (Order(action="SELL", totalQuantity=10, orderType="MIT", auxPrice=103.8), 103.8),
    "a trailing stop": (Order(action="SELL", totalQuantity=10, orderType="TRAIL", auxPrice=4.0), 96.0),
    "at the close": (Order(action="SELL", totalQuantity=10, orderType="LOC", lmtPrice=90.0), 103.0),
}


def test_what_rests_is_worked_through_the_bar_that_arrives(market: Play) -> None:
    async def scenario(desk: Market) -> None:
        desk.learn(DAYS[1], (100, 101, 99, 100))
        client = await desk.connect()
        bought = client.placeOrder(STOCK, _order(MarketOrder("BUY", 80)))
        await desk.settle(client)
        assert bought.orderStatus.avgFillPrice == 100.0
        await desk.do("check_time")
        rests = {name: client.placeOrder(STOCK, _order(order)) for name, (order, _) in BEFORE.items()}
        await desk.settle(client)
        desk.learn(DAYS[2], (98, 104, 95, 103))
        await desk.do("check_time")
        assert not any(trade.fills for trade in rests.values()), "the bar has not closed yet"
        await desk.evening(DAYS[2])
        await desk.do("check_time")
        paid = {name: [fill.execution.price for fill in trade.fills] for name, trade in rests.items()}
        assert paid == {name: [price] if price else [] for name, (_, price) in BEFORE.items()}

    market(scenario)


def test_an_order_meets_nothing_of_a_bar_that_was_over(market: Play) -> None:
    async def scenario(desk: Market) -> None:
        desk.learn(DAYS[1], (100, 101, 99, 100))
        client = await desk.connect()
        client.placeOrder(STOCK, _order(MarketOrder("BUY", 10)))
        await desk.settle(client)
        await desk.do("check_time")
        await desk.do("advance", to=datetime(2024, 1, 4, 18, 0, tzinfo=UTC))
        within = client.placeOrder(STOCK, _order(LimitOrder("BUY", 1, 96.0)))
        at_close = client.placeOrder(STOCK, _order(StopOrder("BUY", 1, 102.0)))
        await desk.settle(client)
        await desk.do("advance", to=datetime(2024, 1, 4, 21, 3, tzinfo=UTC))
        after = client.placeOrder(STOCK, _order(LimitOrder("BUY", 1, 96.5), tif="DAY"))
        expires = client.placeOrder(STOCK, _order(LimitOrder("BUY", 1, 50.0), tif="DAY"))
        await desk.settle(client)
        desk.learn(DAYS[2], (98, 104, 95, 103))
        await desk.evening(DAYS[2])
        assert not within.fills, "the low may have come before it"
        assert at_close.orderStatus.avgFillPrice == 103.0
        assert after.orderStatus.status == expires.orderStatus.status == "Submitted", "they are of tomorrow"
        desk.learn(DAYS[3], (100, 101, 96, 98))
        await desk.evening(DAYS[3])
        assert (within.orderStatus.avgFillPrice, after.orderStatus.avgFillPrice) == (96.0, 96.5)
        assert expires.orderStatus.status == "Cancelled"

    market(scenario)


def test_a_market_order_meets_the_newest_close_whoever_asked_before(market: Play) -> None:
    async def scenario(desk: Market) -> None:
        desk.learn(DAYS[1], (100, 101, 99, 100))
        client = await desk.connect()
        trades: list[Trade] = []
        for session, close in zip(DAYS[1:4], (100.0, 103.0, 97.0), strict=True):
            if session != DAYS[1]:
                desk.learn(session, (98, 104, 95, close))
            await desk.do("advance", to=EVENING + (session - DAYS[1]))
            await desk.do("check_time")
            trades.append(client.placeOrder(STOCK, _order(MarketOrder("BUY", 1))))
            await desk.settle(client)
            trades.append(client.placeOrder(STOCK, _order(MarketOrder("SELL", 1))))
            await desk.settle(client)
        assert [trade.orderStatus.avgFillPrice for trade in trades] == [100, 100, 103, 103, 97, 97]

    market(scenario)


def test_actions_are_booked_once_whenever_they_become_known(market: Play) -> None:
    async def scenario(desk: Market) -> None:
        desk.learn(DAYS[1], (100, 101, 99, 100))
        desk.act(DAYS[1], "cash_dividend", 9.0)
        client = await desk.connect()
        client.placeOrder(STOCK, _order(MarketOrder("BUY", 10)))
        await desk.settle(client)
        await desk.do("check_time")
        stop = client.placeOrder(STOCK, _order(StopOrder("SELL", 10, 80.0)))
        await desk.settle(client)
        assert await desk.account() == ({"AAPL": 10.0}, 999_000.0), "what was before the purchase is past"

        desk.act(DAYS[2], "split", 2.0)
        desk.act(DAYS[3], "cash_dividend", 0.5, pay_date=DAYS[4])
        await desk.evening(DAYS[1])
        assert (await desk.account())[0] == {"AAPL": 10.0}
        await desk.do("advance", to=datetime(2024, 1, 4, 10, 0, tzinfo=UTC))
        await desk.do("check_time")
        assert (await desk.account())[0] == {"AAPL": 20.0}, "before the session opens"
        assert (stop.order.totalQuantity, stop.order.auxPrice) == (20.0, 40.0)
        profit = client.reqPnL("SIM000001")
        await desk.settle(client)
        assert profit.dailyPnL == 0.0, "a split earns nothing"

        desk.learn(DAYS[2], (49, 52, 45, 51))
        await desk.evening(DAYS[2])
        assert not stop.isDone()
        desk.learn(DAYS[3], (51, 52, 50, 51))
        await desk.evening(DAYS[3])
        assert (await desk.account())[1] == 999_000.0, "owed, not paid"
        desk.learn(DAYS[4], (51, 52, 50, 51))
        desk.act(DAYS[4], "special_dividend", 1.0)  # known after the close of its ex date
        await desk.do("advance", to=datetime(2024, 1, 8, 18, 0, tzinfo=UTC))
        client.placeOrder(STOCK, _order(MarketOrder("BUY", 5)))  # bought on the ex date: has no part in it
        await desk.settle(client)
        await desk.evening(DAYS[4])
        positions, cash = await desk.account()
        assert (positions, cash) == ({"AAPL": 25.0}, 999_000.0 + 20 * 0.5 - 5 * 51.0 + 20 * 1.0)
        await desk.do("advance", to=datetime(2024, 1, 9, 12, 0, tzinfo=UTC))
        await desk.do("check_time")
        assert await desk.account() == (positions, cash)

    market(scenario)


def test_bars_that_came_while_the_gateway_was_down_are_traded_through(market: Play) -> None:
    placed: list[int] = []

    async def first(desk: Market) -> None:
        desk.learn(DAYS[1], (100, 101, 99, 100))
        client = await desk.connect()
        client.placeOrder(STOCK, _order(MarketOrder("BUY", 10)))
        stop = client.placeOrder(STOCK, _order(StopOrder("SELL", 10, 96.0)))
        await desk.settle(client)
        await desk.do("check_time")
        placed.append(stop.orderStatus.permId)

    async def then(desk: Market) -> None:
        desk.learn(DAYS[2], (98, 104, 95, 103))
        desk.act(DAYS[3], "split", 2.0)
        await desk.do("advance", to=EVENING + timedelta(days=1))
        client = await desk.connect()
        await desk.do("check_time")
        [fill] = [one for one in client.fills() if one.execution.permId == placed[0]]
        assert (fill.execution.price, fill.execution.shares) == (96.0, 10)
        assert (await desk.account())[0] == {}

    market(first)
    market(then)


def test_the_schedule_of_an_algorithm_goes_on_with_the_time(market: Play) -> None:
    from ib_async import TagValue

    async def scenario(desk: Market) -> None:
        desk.learn(DAYS[1], (100, 101, 99, 100))
        client = await desk.connect()
        await desk.do("advance", to=datetime(2024, 1, 4, 14, 0, tzinfo=UTC))
        twap = client.placeOrder(
            STOCK,
            _order(
                MarketOrder("BUY", 13),
                algoStrategy="Twap",
                algoParams=[TagValue("strategyType", "Marketable")],
            ),
        )
        await desk.settle(client)
        assert not twap.fills
        for hour, filled in ((16, 3), (18, 7), (20, 11)):  # 1.5, 3.5 and 5.5 of the 6.5 hours
            await desk.do("advance", to=datetime(2024, 1, 4, hour, 0, tzinfo=UTC), schedule=False)
            await desk.do("check_time")
            assert twap.filled() == filled

    market(scenario)
