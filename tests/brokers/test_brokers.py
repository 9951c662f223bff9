"""Brokers behind the one protocol: the gateway's client and the one in process do the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from ib_async import Forex, Option, Stock

from resources.brokers.base import Broker, BrokerError, ConnectionFailedError, Instrument, NoViewError, Pace
from resources.brokers.contracts import contract_of, order_of, to_tick
from resources.brokers.ib import IBBroker
from resources.brokers.journal import MemoryJournal
from resources.brokers.lease import NoLease
from resources.brokers.placing import Outcome, Placing
from resources.brokers.simulated import SimulatedBroker
from trading.placement import Intent, Part, PlacingPolicy

from .conftest import Gateway
from .world import PACE, SYMBOLS, bracket, entry

STOCKS = {symbol: Instrument(symbol, symbol, "stock", exchange="XNAS") for symbol in SYMBOLS}


def client(gateway: Gateway, **options: Any) -> IBBroker:
    return IBBroker(STOCKS, port=gateway.port, pace=options.pop("pace", PACE), **options)


def placing(broker: Broker, journal: MemoryJournal, **options: Any) -> Placing:
    policy = PlacingPolicy(17, spacing=timedelta(seconds=0.05))
    return Placing(broker, journal, NoLease(), policy, PACE, lambda: datetime.now(UTC), **options)


def story(orders: list[Intent], broker: Broker, move: Callable[[float], None]) -> tuple[Any, ...]:
    """What two runs leave behind, with a price move between them."""
    journal = MemoryJournal(orders=list(orders))

    async def run() -> list[Outcome]:
        first = await placing(broker, journal).run()
        move(91.0)
        return [first, await placing(broker, journal).run()]

    outcomes = asyncio.run(run())
    events = [(event.order_ref, event.state, event.filled, event.remaining) for event in journal.events]
    reports = [(one.order_ref, one.side, one.quantity, one.price) for one in journal.reports]
    return events, reports, [outcome.sent for outcome in outcomes], journal.halt


def test_both_brokers_tell_the_same_story(gateway: Gateway) -> None:
    orders = [*bracket("D1"), *bracket("D2", "MSFT", order_type="limit", limit_price=95.0)]
    simulated = SimulatedBroker(prices=dict.fromkeys(SYMBOLS, 100.0))

    def at_gateway(price: float) -> None:
        for symbol in SYMBOLS:
            gateway.ask("price", symbol=symbol, price=price)

    def in_process(price: float) -> None:
        for symbol in SYMBOLS:
            simulated.tell(symbol, price)

    one = story(orders, client(gateway), at_gateway)
    other = story(orders, simulated, in_process)
    assert sorted(one[0]) == sorted(other[0])
    assert sorted(one[1]) == sorted(other[1])
    assert one[2:] == other[2:]


def connected(gateway: Gateway, ask: Callable[[IBBroker], Awaitable[Any]], **options: Any) -> Any:
    async def run() -> Any:
        broker = client(gateway, **options)
        await broker.connect()
        try:
            return await ask(broker)
        finally:
            await broker.disconnect()

    return asyncio.run(run())


def test_a_look_is_complete(gateway: Gateway) -> None:
    view = connected(gateway, lambda broker: broker.look(["AAPL", "NOPE"], money=True))
    assert (view.connection, view.open, view.completed, view.executions) == (1, (), (), ())
    assert view.quotes == {"AAPL": 100.0}
    assert view.ticks == {"AAPL": 0.01}
    assert view.unknown == {"NOPE"}
    assert view.cash == {"USD": 1_000_000.0}


@pytest.mark.parametrize(
    "fault", ["no_open_orders_end", "no_completed_orders_end", "no_executions_end", "no_positions_end"]
)
def test_a_source_that_fails_is_no_look_at_all(gateway: Gateway, fault: str) -> None:
    async def look(broker: IBBroker) -> bool:
        gateway.ask("fault", name=fault)
        with pytest.raises(NoViewError):
            await broker.look()
        return broker.connected()

    assert connected(gateway, look, pace=replace(PACE, request=0.2)) is False


def test_a_process_has_one_connection(gateway: Gateway) -> None:
    async def another(broker: IBBroker) -> None:
        with pytest.raises(ConnectionFailedError, match="one at a time"):
            await client(gateway, client_id=18).connect()
        await broker.heartbeat()

    connected(gateway, another)


def test_nobody_listens() -> None:
    async def run() -> None:
        await IBBroker({}, port=1, pace=PACE).connect()

    with pytest.raises(ConnectionFailedError, match="is the gateway up"):
        asyncio.run(run())


def test_bars_and_chains(gateway: Gateway) -> None:
    days = [date(2026, 11, day) for day in (16, 17, 18)]
    rows = [
        {"symbol": "AAPL", "timeframe": "1d", "session": day.isoformat(), "open": 99.0, "high": 101.0,
         "low": 98.0, "close": 100.0 + number, "volume": 1000.0}
        for number, day in enumerate(days)
    ]  # fmt: skip
    gateway.ask("bars", rows=rows)
    end = datetime(2026, 11, 19, tzinfo=UTC)
    bars = connected(gateway, lambda broker: broker.historical_bars("AAPL", end, "1 W", "1 day"))
    assert bars["close"].to_list() == [100.0, 101.0, 102.0]
    chains = connected(gateway, lambda broker: broker.chains("AAPL"))
    assert set(chains.columns) == {"exchange", "trading_class", "multiplier", "expiry", "strike"}
    with pytest.raises(BrokerError, match="ask a data provider"):
        asyncio.run(SimulatedBroker().chains("AAPL"))


def test_the_pause_between_connections_grows() -> None:
    class Refusing(SimulatedBroker):
        tries = 0

        async def connect(self) -> None:
            self.tries += 1
            if self.tries < 8:
                raise ConnectionFailedError("refused")
            await super().connect()

    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    broker = Refusing(prices={"AAPL": 100.0})
    job = placing(broker, MemoryJournal(orders=[entry("D1")]), sleep=sleep)
    job.pace = Pace(patience=60.0, follow=0.0)
    outcome = asyncio.run(job.run())
    assert slept[:7] == [2.0, 5.0, 10.0, 30.0, 60.0, 60.0, 60.0]
    assert outcome.states == {"D1": "FILLED"}


# ------------------------------------------------------------------------------------------------- contracts


@pytest.mark.parametrize(
    ("instrument", "expected"),
    [
        (Instrument("FB.1", "FB", "stock", exchange="XNAS"), Stock("FB", "SMART", "USD", primaryExchange="NASDAQ")),
        (Instrument("SPY", "SPY", "etf", exchange="ARCX"), Stock("SPY", "SMART", "USD", primaryExchange="ARCA")),
        (Instrument("EURUSD", "EURUSD", "fx"), Forex("EURUSD")),
        (
            Instrument("SPY   261218C00450000", "SPY", "option"),
            Option("SPY", "20261218", 450.0, "C", "SMART", currency="USD"),
        ),
    ],
)  # fmt: skip
def test_contracts(instrument: Instrument, expected: Any) -> None:
    assert contract_of(instrument) == expected


@pytest.mark.parametrize(
    ("price", "tick", "expected"),
    [(92.337, 0.01, 92.34), (1.234567, 0.00005, 1.23455), (4501.1, 0.25, 4501.0)],
)
def test_prices_on_the_step(price: float, tick: float, expected: float) -> None:
    assert to_tick(price, tick) == pytest.approx(expected)


def test_an_order_names_time_in_force_account_and_reference() -> None:
    order = order_of(
        entry("DREF", order_type="stop_limit", stop_price=101.004, limit_price=101.5, time_in_force="gtd",
              good_till=date(2026, 12, 1), oca_group="O1"),
        Part("DREF", 7, 6, transmit=False), "DU1", 0.01,
    )  # fmt: skip
    assert (order.orderId, order.parentId, order.transmit) == (7, 6, False)
    assert (order.orderType, order.auxPrice, order.lmtPrice) == ("STP LMT", 101.0, 101.5)
    assert (order.tif, order.goodTillDate) == ("GTD", "20261201 23:59:59 UTC")
    assert (order.account, order.orderRef, order.ocaGroup) == ("DU1", "DREF", "O1")
