"""What survives: the state after any kill is that after the last commit, and nothing was told before it."""

from __future__ import annotations

import copy
import os
import random
import signal
import struct
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from resources.gateway.broker import Broker
from resources.gateway.instruments.database import Instruments
from resources.gateway.journal import Journal, JournalError
from resources.gateway.market.clock import SimulatedClock
from resources.gateway.market.prices import Tape
from resources.gateway.orders.ticket import to_record
from resources.gateway.process import address, control, start, stop
from resources.gateway.service.control import COMMANDS
from resources.gateway.service.hub import Hub
from resources.gateway.service.server import Server
from resources.gateway.service.session import Session
from resources.gateway.settings import Settings

from .conftest import NO_COSTS
from .wire import STOCK, Wire, named

START = datetime(2024, 1, 2, 15, 0, tzinfo=UTC)
SETTINGS = Settings(costs=NO_COSTS, start=START, pacing=False, capital=1e8)
CALL = "AAPL  240216C00100000"


def broker_on(path: Path) -> Broker:
    known = Instruments()
    for symbol in ("AAPL", "MSFT"):
        known.add({**STOCK, "symbol": symbol})
    return Broker(SETTINGS, known, SimulatedClock(START), Journal(path, sync=False))


def state(broker: Broker) -> dict[str, Any]:
    """Everything that a restart must find."""
    kept = {
        number: copy.deepcopy(to_record(ticket))
        for number, ticket in broker.book.tickets.items()
        if "transmit" not in ticket.waits
    }
    return {
        "tickets": kept,
        "executions": copy.deepcopy(broker.executions),
        "cents": dict(broker.account.cents),
        "positions": {number: asdict(held) for number, held in broker.account.positions.items()},
        "ids": dict(broker.book.last_order_id),
        "day": (broker.opening_equity, broker.opening_bookings),
        "now": broker.clock.now(),
        "prices": {symbol: quote.last for symbol in ("AAPL", "MSFT") if (quote := broker.quotes.get(symbol))},
        "next": broker.next_execution(),
    }


class World:
    """A gateway without its sockets, and what it had made durable after every step."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.broker = broker_on(path)
        self.hub = Hub(SETTINGS, self.broker, Tape())
        self.server = Server(self.hub)
        self.session = Session(version=178, client_id=1)
        self.hub.sessions.append(self.session)
        self.steps: list[tuple[int, dict[str, Any]]] = []
        self.done()

    def done(self) -> None:
        self.hub.distribute()
        self.session.take()
        count = self.broker._execution_count
        self.steps.append((self.path.stat().st_size if self.path.exists() else 0, state(self.broker)))
        self.broker._execution_count = count  # looking took a number

    def request(self, name: str, **values: Any) -> None:
        self.hub.dispatch(self.session, name, values)
        self.done()

    def command(self, name: str, **arguments: Any) -> None:
        with suppress(KeyError, ValueError, RuntimeError):
            COMMANDS[name](self.server, arguments)
        self.done()


def random_step(world: World, chance: random.Random, number: int) -> None:
    """One thing that may happen at a broker."""
    kind = chance.choice(["place", "place", "place", "price", "price", "cancel", "change", "happening"])
    symbol = chance.choice(["AAPL", "AAPL", "MSFT"])
    if kind == "place":
        world.request("placeOrder", **_order(chance, symbol, number))
    elif kind == "price":
        size = chance.choice([3.0, 7.0, float("inf")])
        world.command(
            "price", symbol=symbol, price=chance.choice([94.0, 97.5, 100.0, 103.0, 108.0]), size=size
        )
    elif kind == "cancel":
        world.request("cancelOrder", orderId=chance.randrange(1, number + 1))
    elif kind == "change":
        known = [ticket for ticket in world.broker.book.active() if ticket.client_id == 1]
        if known:
            ticket = chance.choice(known)
            changed = {**ticket.contract, **ticket.order, "orderId": ticket.order_id, "transmit": True}
            changed["lmtPrice"] = 96.0 if changed.get("lmtPrice") else None
            world.request("placeOrder", **changed)
    else:
        _happen(world, chance, symbol)


def _order(chance: random.Random, symbol: str, number: int) -> dict[str, Any]:
    fields = chance.choice(
        [
            {"orderType": "MKT"},
            {"orderType": "LMT", "lmtPrice": 97.0},
            {"orderType": "STP", "auxPrice": 103.0},
            {"orderType": "STP LMT", "auxPrice": 102.0, "lmtPrice": 104.0},
            {"orderType": "TRAIL", "trailingPercent": 3.0, "action": "SELL"},
            {"orderType": "TRAIL", "auxPrice": 3.0, "action": "SELL"},
            {"orderType": "TRAIL LIMIT", "auxPrice": 3.0, "lmtPriceOffset": 1.0, "action": "SELL"},
            {"orderType": "MIT", "auxPrice": 95.0},
            {"orderType": "MKT", "goodAfterTime": f"{START + timedelta(hours=1):%Y%m%d %H:%M:%S} UTC"},
            {"orderType": "LMT", "lmtPrice": 97.0, "ocaGroup": "G", "ocaType": chance.choice([1, 2, 3])},
            {"orderType": "LMT", "lmtPrice": 97.0, "transmit": chance.random() < 0.5},
            {
                "orderType": "LMT",
                "lmtPrice": 110.0,
                "action": "SELL",
                "parentId": chance.randrange(1, number + 1),
                "autoCancelParent": chance.random() < 0.5,
            },
            {
                "action": "SELL",
                "orderType": chance.choice(["MKT", "LMT"]),
                "lmtPrice": chance.choice([None, 103.0]),
                "parentId": chance.randrange(1, number + 1),
                "hedgeType": chance.choice(["P", "B"]),
                "hedgeParam": "0.7",
            },
            {
                "orderType": "LMT",
                "lmtPrice": 100.0,
                "scaleInitLevelSize": 3,
                "scaleSubsLevelSize": 2,
                "scalePriceIncrement": 2.0,
                "scaleProfitOffset": 3.0,
                "scaleAutoReset": chance.random() < 0.5,
                "scalePriceAdjustValue": 0.5,
                "scalePriceAdjustInterval": 60,
            },
        ]
    )
    return {
        "orderId": number, "symbol": symbol, "secType": "STK", "exchange": "SMART", "currency": "USD", "action": "BUY",
        "totalQuantity": float(chance.choice([5, 10])), "tif": chance.choice(["DAY", "GTC", "IOC"]), "transmit": True,
        "orderRef": f"R{number}", **fields,
    }  # fmt: skip


def _happen(world: World, chance: random.Random, symbol: str) -> None:
    executions = [record["execId"] for record in world.broker.executions]
    name, arguments = chance.choice(
        [
            ("trade", {"symbol": symbol, "quantity": 5, "price": 99.0}),
            (
                "order",
                {"symbol": symbol, "order": {"totalQuantity": 2, "orderType": "LMT", "lmtPrice": 97.0}},
            ),
            ("pay", {"amount": 12.34}),
            ("pay", {"amount": -3.21, "currency": "EUR"}),
            ("split", {"symbol": symbol, "ratio": 2.0}),
            ("correct", {"execId": chance.choice(executions or ["none"]), "price": 98.0}),
            ("bust", {"execId": chance.choice(executions or ["none"])}),
            ("advance", {"seconds": chance.choice([60, 3600])}),
            ("end_day", {}),
            ("purge", {}),
            ("instruments", {"rows": [{"symbol": CALL, "asset_class": "option"}]}),
            ("assign", {"symbol": CALL, "quantity": 1}),
        ]
    )
    world.command(name, **arguments)


@settings(max_examples=12, deadline=None, phases=[Phase.generate])
@given(seed=st.integers(0, 10**9), cut=st.floats(0, 1))
def test_a_restart_finds_the_state_of_the_last_commit(tmp_path_factory: Any, seed: int, cut: float) -> None:
    folder = tmp_path_factory.mktemp("state")
    world, chance = World(folder / "journal.jsonl"), random.Random(seed)
    for number in range(1, 30):
        random_step(world, chance, number)
    content = world.path.read_bytes()
    for place in {
        len(content),
        int(cut * len(content)),
        *(size for size, _ in world.steps[:: len(world.steps) // 3]),
    }:
        path = folder / f"cut{place}.jsonl"
        path.write_bytes(content[:place])
        whole = [kept for size, kept in world.steps if size <= place]
        if not whole:
            continue  # cut within the very first commit: a new account
        assert state(broker_on(path)) == whole[-1], place


def test_the_state_after_a_kill_at_any_byte_of_a_commit_is_that_before_it(tmp_path: Path) -> None:
    world = World(tmp_path / "journal.jsonl")
    world.command("price", symbol="AAPL", price=100.0)
    before, after = len(world.path.read_bytes()), None
    world.request("placeOrder", **{**_order(random.Random(1), "AAPL", 1), "orderType": "MKT", "transmit": True,
                                   "action": "BUY", "goodAfterTime": "", "parentId": 0, "tif": "GTC"})  # fmt: skip
    content = world.path.read_bytes()
    after = len(content)
    assert world.broker.executions
    for place in range(before, after, 7):
        path = tmp_path / f"cut{place}.jsonl"
        path.write_bytes(content[:place])
        found = broker_on(path)
        assert (found.executions, found.book.tickets, found.account.held()) == ([], {}, {})
    whole = broker_on(world.path)
    assert (len(whole.executions), len(whole.book.tickets), len(whole.account.held())) == (1, 1, 1)


def test_nothing_is_told_before_it_is_durable(tmp_path: Path) -> None:
    world = World(tmp_path / "journal.jsonl")
    chance = random.Random(7)
    for number in range(1, 40):
        symbol = chance.choice(["AAPL", "MSFT"])
        world.command(
            "price", symbol=symbol, price=chance.choice([94.0, 97.5, 103.0]), size=chance.choice([3.0, 1e9])
        )
        world.hub.dispatch(world.session, "placeOrder", _order(chance, symbol, number))
        world.hub.distribute()
        told = world.session.take()
        copy = tmp_path / f"copy{number}.jsonl"
        copy.write_bytes(world.path.read_bytes())
        found = broker_on(copy)
        known = {record["execId"] for record in found.executions}
        for name, values, _ in told:
            if name == "execDetails":
                assert values["execId"] in known
            if name == "orderStatus" and values["status"] != "ApiPending":
                ticket = found.book.tickets[values["permId"]]
                assert ticket.order_id == values["orderId"]
                assert ticket.filled >= values["filled"]


TRAILS: dict[str, tuple[dict[str, Any], list[float]]] = {
    "percent": ({"trailingPercent": 5.0}, [120.0, 115.0]),
    "amount": ({"auxPrice": 5.0}, [120.0, 116.0]),
    "with a limit": ({"orderType": "TRAIL LIMIT", "auxPrice": 5.0, "lmtPriceOffset": 10.0}, [120.0, 116.0]),
}


@pytest.mark.parametrize("name", TRAILS)
def test_a_trailing_stop_remembers_how_far_it_had_come(tmp_path: Path, name: str) -> None:
    fields, prices = TRAILS[name]
    world = World(tmp_path / "journal.jsonl")
    world.command("price", symbol="AAPL", price=100.0)
    order = {**_order(random.Random(1), "AAPL", 1), "action": "SELL", "orderType": "TRAIL", "tif": "GTC",
             "lmtPrice": None, "goodAfterTime": "", "parentId": 0, "ocaGroup": "", "transmit": True}  # fmt: skip
    order = {**order, "auxPrice": None, "trailingPercent": None, **fields}
    world.request("placeOrder", **order)
    for price in prices:
        world.command("price", symbol="AAPL", price=price)
    again = World(tmp_path / "journal.jsonl")
    assert state(again.broker)["tickets"] == world.steps[-1][1]["tickets"]
    again.command("price", symbol="AAPL", price=113.5)
    [ticket] = again.broker.book.tickets.values()
    assert ticket.status == "Filled", "five below 120, not below 100"


def test_an_exit_remembers_how_much_of_it_works(tmp_path: Path) -> None:
    world = World(tmp_path / "journal.jsonl")
    world.command("price", symbol="AAPL", price=100.0)
    order = {**_order(random.Random(1), "AAPL", 1), "action": "BUY", "orderType": "LMT", "lmtPrice": 90.0,
             "totalQuantity": 5.0, "tif": "GTC", "goodAfterTime": "", "parentId": 0, "ocaGroup": "",
             "transmit": True}  # fmt: skip
    world.request("placeOrder", **order)
    world.request("placeOrder", **{**order, "orderId": 2, "action": "SELL", "lmtPrice": 110.0, "parentId": 1})
    world.command("price", symbol="AAPL", price=90.0, size=1)
    world.command("price", symbol="AAPL", price=90.0)
    again = World(tmp_path / "journal.jsonl")
    assert state(again.broker)["tickets"] == world.steps[-1][1]["tickets"]
    again.command("price", symbol="AAPL", price=110.0)
    assert [ticket.filled for ticket in again.broker.book.tickets.values()] == [5, 5]


def test_orders_that_were_not_transmitted_are_gone_and_their_ids_stay_used(tmp_path: Path) -> None:
    world = World(tmp_path / "journal.jsonl")
    order = {**_order(random.Random(1), "AAPL", 5), "orderType": "LMT", "lmtPrice": 90.0, "transmit": False,
             "parentId": 0}  # fmt: skip
    world.request("placeOrder", **order)
    assert world.broker.book.find(1, 5) is not None
    again = broker_on(world.path)
    assert (again.book.tickets, again.book.last_order_id) == ({}, {1: 5})


@settings(max_examples=60, deadline=None)
@given(
    commits=st.lists(
        st.lists(
            st.dictionaries(
                st.text(max_size=4),
                st.one_of(st.integers(), st.text(max_size=9), st.floats(allow_nan=False)),
                max_size=3,
            ),
            min_size=1,
            max_size=4,
        ),
        max_size=6,
    ),
    cut=st.floats(0, 1),
)
def test_a_journal_gives_back_whole_commits(tmp_path_factory: Any, commits: list[Any], cut: float) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    journal, sizes = Journal(path, sync=False), []
    for commit in commits:
        for record in commit:
            journal.append("kind", {"content": record})
        journal.commit()
        sizes.append(path.stat().st_size)
    journal.close()
    content = path.read_bytes()
    place = int(cut * len(content))
    path.write_bytes(content[:place])
    whole = sum(size <= place for size in sizes)
    again = Journal(path, sync=False)
    assert [record["content"] for record in again.records] == [
        record for commit in commits[:whole] for record in commit
    ]
    again.append("kind", {"content": {"after": 1}})
    again.close()
    assert Journal(path, sync=False).records[-1]["content"] == {"after": 1}


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 0.6), flip=st.integers(1, 255))
def test_damage_before_the_end_is_told(tmp_path_factory: Any, place: float, flip: int) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    journal = Journal(path, sync=False)
    for number in range(5):
        journal.append("n", {"number": number, "text": "a longer text than that"})
        journal.commit()
    journal.close()
    content = bytearray(path.read_bytes())
    at = int(place * len(content))
    content[at] ^= flip
    path.write_bytes(content)
    with pytest.raises(JournalError, match=r"line \d is damaged"):
        Journal(path, sync=False)


def test_a_journal_of_single_records_is_read_too(tmp_path: Path) -> None:
    import zlib

    path = tmp_path / "journal.jsonl"
    lines = [b'{"kind":"price","symbol":"AAPL","price":5.0,"at":"2024-01-02T15:00:00+00:00"}']
    path.write_bytes(b"".join(b"%08x %s\n" % (zlib.crc32(line), line) for line in lines))
    assert [record["symbol"] for record in Journal(path).records] == ["AAPL"]


# ------------------------------------------------------------------------------------- the real thing


def acknowledged(client: Wire, symbol: str, chance: random.Random) -> set[str]:
    """Place orders until the gateway is gone; the references of those that it acknowledged."""
    number = 1000
    with suppress(OSError, struct.error):
        while True:
            number += 1
            client.place(
                symbol, orderRef=f"{client.client_id}-{number}", totalQuantity=float(chance.randrange(1, 5))
            )
    return {row["orderRef"] for row in client.all_of("openOrder") if row["clientId"] == client.client_id}


def test_what_was_acknowledged_survives_kills_in_the_middle_of_orders(tmp_path: Path) -> None:
    folder = tmp_path / "gateway"
    acked: set[str] = set()
    chance = random.Random(3)
    try:
        for round_number, when in enumerate(("after", "signal")):
            where = start(folder, SETTINGS)
            with control(folder) as channel:
                channel.ask("instruments", rows=[{**STOCK, "symbol": "AAPL"}])
                channel.ask("price", symbol="AAPL", price=100.0)
                if when == "after":
                    channel.ask("fault", name="kill_after_order", skip=chance.randrange(3, 12))
                told = {
                    record["orderRef"]: record["shares"] for record in channel.ask("executions")["executions"]
                }
                assert acked <= set(told), "all that was acknowledged is there"
                assert len(told) == len(channel.ask("executions")["executions"])
                held = channel.ask("positions")
                assert sum(told.values()) == held["positions"].get("AAPL", 0.0)
                assert held["cash"]["USD"] == 1e8 - 100.0 * sum(told.values())
                client = Wire(where.port, 1 + round_number)
                if when == "signal":
                    for number in range(5):
                        client.place("AAPL", orderRef=f"last-{number}")
                    os.kill(address(folder).pid, signal.SIGKILL)  # type: ignore[union-attr]
                    channel.wait_for_end()
                acked |= acknowledged(client, "AAPL", chance)
                channel.wait_for_end()
                client.close()
        where = start(folder, SETTINGS)
        last = Wire(where.port, 9)
        told_at_last = named(last.ask("reqExecutions"), "execDetails")
        assert acked | {f"last-{number}" for number in range(5)} <= {row["orderRef"] for row in told_at_last}
        assert len(acked) > 6
        last.close()
    finally:
        stop(folder)


def test_the_account_is_the_same_over_a_restart(play: Any, tmp_path: Path) -> None:
    from ib_async import IB, LimitOrder, MarketOrder, Stock

    stock = Stock("AAPL", "SMART", "USD")
    seen: list[Any] = []

    def look(client: IB) -> Any:
        values = {(row.tag, row.currency): row.value for row in client.accountValues()}
        portfolio = [
            (item.position, item.marketPrice, item.averageCost, item.realizedPNL)
            for item in client.portfolio()
        ]
        trades = [
            (trade.order.orderRef, trade.order.permId, trade.orderStatus.status)
            for trade in client.openTrades()
        ]
        return values, portfolio, trades, [fill.execution.execId for fill in client.fills()]

    async def before(desk: Any) -> None:
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        for side, units in (("BUY", 10), ("SELL", 4)):
            client.placeOrder(stock, MarketOrder(side, units, tif="DAY"))
        client.placeOrder(stock, LimitOrder("BUY", 5, 90.0, tif="GTC", orderRef="open"))
        await desk.settle(client)
        await desk.do("price", symbol="AAPL", price=110.0)
        again = await desk.connect(2)
        await again.reqAllOpenOrdersAsync()
        seen.append(look(again))

    async def after(desk: Any) -> None:
        client = await desk.connect(2)
        await client.reqAllOpenOrdersAsync()
        seen.append(look(client))

    for scenario in (before, after):
        play(scenario, state=tmp_path / "kept", start=START)
    assert seen[0] == seen[1]
