"""A connection cut at any byte, either way, and a journal that cannot write: one broker order, one ledger."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from delta.errors import LakeFullError
from resources.brokers.base import Instrument, Pace
from resources.brokers.ib import IBBroker
from resources.brokers.journal import MemoryJournal
from resources.brokers.lease import NoLease
from resources.brokers.placing import Placing
from resources.gateway.running import RunningGateway, running_gateway
from tests.brokers.world import GATEWAY, ROWS, SYMBOLS, bracket, entry
from trading.placement import Event, Intent, PlacingPolicy, newest, standings

PACE = Pace(connect=3, request=3, quote=1, poll=0.004, follow=0.05, patience=10, backoff=(0.005,), messages=0)
SPACING = timedelta(seconds=0.01)


@dataclass
class Proxy:
    """Between the client and the gateway; it cuts the first connection after so many bytes one way."""

    port: int
    gateway_port: int
    cut_after: int | None = None
    of_client: bool = True
    seen: Counter[str] = field(default_factory=Counter)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cut, self.cut_after = self.cut_after, None
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self.gateway_port)
        ways = (
            self.pump(reader, upstream_writer, cut if self.of_client else None, "client"),
            self.pump(upstream_reader, writer, None if self.of_client else cut, "gateway"),
        )
        tasks = [asyncio.ensure_future(way) for way in ways]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for end in (writer, upstream_writer):
            end.close()
        for task in tasks:
            task.cancel()

    async def pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: int | None, way: str
    ) -> None:
        left = cut
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                self.seen[way] += len(data)
                piece = data if left is None else data[:left]
                writer.write(piece)
                await writer.drain()
                left = None if left is None else left - len(piece)
                if left == 0:
                    return


def orders() -> list[Intent]:
    return [*bracket("D1"), entry("D2", "MSFT", order_type="limit", limit_price=95.0)]


async def place(port: int, journal: MemoryJournal) -> None:
    broker = IBBroker({name: Instrument(name, name, "stock") for name in SYMBOLS}, port=port, pace=PACE)
    policy = PlacingPolicy(17, spacing=SPACING)
    await Placing(broker, journal, NoLease(), policy, PACE, lambda: datetime.now(UTC)).run()


async def do(gateway: RunningGateway, command: str, **arguments: Any) -> dict[str, Any]:
    answer = await gateway.control.carry_out({"command": command, **arguments})
    assert answer["ok"], answer
    return answer


@contextlib.asynccontextmanager
async def market() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        async with running_gateway(GATEWAY, Path(folder)) as gateway:
            await do(gateway, "instruments", rows=ROWS)
            for symbol in SYMBOLS:
                await do(gateway, "price", symbol=symbol, price=100.0)
            yield gateway


async def reckon(gateway: RunningGateway, journal: MemoryJournal, where: object) -> None:
    found = (await do(gateway, "orders"))["orders"]
    assert max(Counter(row["orderRef"] for row in found).values(), default=0) <= 1, where
    theirs = {row["execId"].rpartition(".")[0] for row in (await do(gateway, "executions"))["executions"]}
    assert set(newest(journal.reports)) == theirs, where
    live = {row["orderRef"] for row in found if row["status"] not in {"Filled", "Cancelled"}}
    states = {ref: standing.state for ref, standing in standings(journal.events).items()}
    assert live == {ref for ref, state in states.items() if state == "ACKED"}, where
    assert set(states.values()) <= {"FILLED", "ACKED", "EXPIRED", "CANCELLED", "UNRESOLVED"}, (where, states)
    assert not journal.halt, where


async def one_cut(of_client: bool, after: int | None) -> Counter[str]:
    async with market() as gateway:
        proxy = Proxy(0, gateway.port, after, of_client)
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
        journal = MemoryJournal(orders=orders(), opening_cash={"USD": 1_000_000.0})
        try:
            await place(server.sockets[0].getsockname()[1], journal)
            await place(gateway.port, journal)
            await reckon(gateway, journal, (of_client, after))
        finally:
            server.close()
        return proxy.seen


def cuts(of_client: bool, places: Sequence[int]) -> None:
    async def run() -> None:
        for after in places:
            await one_cut(of_client, after)

    asyncio.run(run())


@pytest.mark.slow
@pytest.mark.parametrize("of_client", [True, False])
@pytest.mark.parametrize("part", range(2))
def test_a_connection_cut_anywhere(of_client: bool, part: int) -> None:
    total = asyncio.run(one_cut(of_client, None))["client" if of_client else "gateway"]
    places = range(1 + 7 * part, total, max(total // 40, 1))
    assert len(places) >= 38, "cuts from the handshake to the last look"
    cuts(of_client, places)


def test_the_orders_themselves_cut_at_every_few_bytes() -> None:
    """Of the client's bytes only those from the first order on, which no sampling may miss."""

    async def first_order() -> int:
        async with market() as gateway:
            proxy = Proxy(0, gateway.port)
            server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
            reached: list[int] = []
            journal = MemoryJournal(orders=orders(), opening_cash={"USD": 1_000_000.0})
            broker = IBBroker(
                {name: Instrument(name, name, "stock") for name in SYMBOLS},
                port=server.sockets[0].getsockname()[1],
                pace=PACE,
            )

            def reach(point: str) -> None:
                if point == "reserved" and not reached:
                    reached.append(proxy.seen["client"])

            policy = PlacingPolicy(17, spacing=SPACING)
            await Placing(
                broker, journal, NoLease(), policy, PACE, lambda: datetime.now(UTC), reach=reach
            ).run()
            server.close()
            return reached[0]

    begin = asyncio.run(first_order())
    cuts(True, range(begin - 4, begin + 1300, 37))


class FullDisk(MemoryJournal):
    """A journal on a disk that is full at the given write."""

    fails_at = 0
    writes = 0

    def append(self, events: Sequence[Event]) -> None:
        self.write()
        super().append(events)

    def book(self, account: str, reports: Any) -> None:
        self.write()
        super().book(account, reports)

    def write(self) -> None:
        self.writes += 1
        if self.writes == self.fails_at:
            raise LakeFullError("no room left to write")


@pytest.mark.parametrize("fails_at", range(1, 8))
def test_a_disk_that_is_full_at_any_write(fails_at: int) -> None:
    async def run() -> None:
        async with market() as gateway:
            journal = FullDisk(orders=orders(), opening_cash={"USD": 1_000_000.0})
            journal.fails_at = fails_at
            with contextlib.suppress(LakeFullError):
                await place(gateway.port, journal)
            assert journal.writes >= min(fails_at, 4)
            await place(gateway.port, journal)
            await reckon(gateway, journal, fails_at)

    asyncio.run(run())
