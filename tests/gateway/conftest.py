"""A gateway in the test's own event loop, and clients on real sockets."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ib_async import IB

from resources.gateway.market.prices import Tape
from resources.gateway.running import RunningGateway, running_gateway
from resources.gateway.settings import Settings
from tests.brokers.conftest import ThreadGateway
from trading.book import CostConfig, CostsConfig, SlippageConfig

from .wire import STOCK, Floor

FREE = CostConfig(slippage=SlippageConfig(model="none", value=0.0))
NO_COSTS = CostsConfig(stock=FREE, crypto=FREE, fx=FREE, option=FREE)
AAPL = {"symbol": "AAPL", "asset_class": "stock", "exchange": "XNAS", "currency": "USD", "name": "Apple Inc"}
MSFT = {"symbol": "MSFT", "asset_class": "stock", "exchange": "XNAS", "currency": "USD", "name": "Microsoft"}


class Desk:
    """A running gateway and the clients of one test."""

    def __init__(self, gateway: RunningGateway) -> None:
        self.gateway = gateway
        self.clients: list[IB] = []

    async def script(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Carry out a control command, which must succeed."""
        answer = await self.gateway.control.carry_out({"command": command, **arguments})
        assert answer["ok"], answer
        return answer

    async def do(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Carry out a control command and wait until every client knows of it."""
        answer = await self.script(command, **arguments)
        for client in self.clients:
            if client.isConnected():
                await self.settle(client)
        return answer

    async def connect(self, client_id: int = 1, **options: Any) -> IB:
        """Client on a real socket, synchronised."""
        client = IB()
        client.client.MaxRequests = 0
        wanted = {"timeout": 3, "raiseSyncErrors": True, **options}
        await client.connectAsync("127.0.0.1", self.gateway.port, clientId=client_id, **wanted)
        self.clients.append(client)
        return client

    async def settle(self, client: IB) -> None:
        """Round trip: whatever the gateway had to tell before has arrived."""
        await asyncio.wait_for(client.reqCurrentTimeAsync(), 5)

    async def market(self, *rows: dict[str, Any], **prices: float) -> None:
        """Instruments and their first prices."""
        await self.do("instruments", rows=list(rows) or [AAPL])
        for symbol, price in prices.items():
            await self.do("price", symbol=symbol, price=price)


Scenario = Callable[[Desk], Awaitable[None]]


@pytest.fixture
def play(tmp_path: Path, decoder_log: list[str]) -> Callable[..., None]:
    """Run a scenario against a fresh gateway; the client's decoder must not complain."""

    def run(
        scenario: Scenario, *, state: Path | None = None, tape: Tape | None = None, **settings: Any
    ) -> None:
        async def main() -> None:
            chosen = Settings(**{"costs": NO_COSTS, **settings})
            async with AsyncExitStack() as stack:
                gateway = await stack.enter_async_context(
                    running_gateway(chosen, state or tmp_path / "state", tape=tape)
                )
                desk = Desk(gateway)
                try:
                    await asyncio.wait_for(scenario(desk), 30)
                finally:
                    for client in desk.clients:
                        client.disconnect()

        asyncio.run(main())
        assert not decoder_log

    return run


@pytest.fixture
def decoder_log() -> Iterator[list[str]]:
    """What the client's decoder logged."""
    records: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record.getMessage())

    handler = Keeper()
    logger = logging.getLogger("ib_async.Decoder")
    logger.addHandler(handler)
    yield records
    logger.removeHandler(handler)


OPEN = datetime(2024, 1, 2, 15, 0, tzinfo=UTC)
"""A Tuesday in the session: where the simulated clock of a shared gateway starts."""


@pytest.fixture(scope="module")
def shared_settings() -> dict[str, Any]:
    """Settings in which a module's shared gateway differs; override it in the module."""
    return {}


@pytest.fixture(scope="module")
def shared_gateway(
    tmp_path_factory: pytest.TempPathFactory, shared_settings: dict[str, Any]
) -> Iterator[ThreadGateway]:
    """One gateway for all tests of a module."""
    chosen = {"costs": NO_COSTS, "start": OPEN, "max_messages": 0, "pacing": False, "capital": 1e9}
    running = ThreadGateway(tmp_path_factory.mktemp("gateway"), Settings(**{**chosen, **shared_settings}))
    yield running
    running.stop()


_symbols = itertools.count(1)
_client_ids = itertools.count(1)


@pytest.fixture
def floor(shared_gateway: ThreadGateway) -> Iterator[Floor]:
    """The shared gateway with a stock of this test's own at 100, on a day of its own."""
    found = Floor(shared_gateway, f"S{next(_symbols)}", _next_client=_client_ids.__next__)
    found.ask("instruments", rows=[{**STOCK, "symbol": found.symbol}])
    found.price(100.0)
    yield found
    cleaner = found.client()
    cleaner.send("reqGlobalCancel")
    cleaner.settle()
    found.end()
