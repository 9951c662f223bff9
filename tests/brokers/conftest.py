"""A gateway, in a thread or in its own process, and a lake with a book to trade at it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from resources.gateway import process
from resources.gateway.running import RunningGateway, running_gateway
from resources.gateway.settings import Settings

from .world import GATEWAY, ROWS, World, make_world


class Gateway(Protocol):
    """A gateway that a test can talk to behind the client's back."""

    port: int

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Carry out a control command."""
        ...

    def orders(self) -> list[dict[str, Any]]:
        """Orders as the broker has them."""
        ...


class ThreadGateway:
    """A gateway on real sockets whose loop runs in a thread: it starts at once."""

    def __init__(self, state: Path, settings: Settings) -> None:
        self._running: RunningGateway | None = None
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(
            target=self._loop.run_until_complete, args=(self._run(state, settings),), daemon=True
        )
        self._thread.start()
        assert self._ready.wait(10)
        assert self._running is not None
        self.port = self._running.port

    async def _run(self, state: Path, settings: Settings) -> None:
        async with running_gateway(settings, state) as self._running:
            self._ready.set()
            await self._end.wait()

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        assert self._running is not None
        asked = self._running.control.carry_out({"command": command, **arguments})
        answer = asyncio.run_coroutine_threadsafe(asked, self._loop).result(10)
        assert answer["ok"], answer
        return answer

    def orders(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("orders")["orders"]
        return found

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)
        self._loop.close()


@dataclass
class RealGateway:
    """A gateway that runs in a process of its own."""

    state: Path
    port: int
    control: process.Control

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Carry out a control command."""
        return self.control.ask(command, **arguments)

    def orders(self) -> list[dict[str, Any]]:
        """Orders as the broker has them."""
        found: list[dict[str, Any]] = self.ask("orders")["orders"]
        return found

    def restart(self, settings: Settings | None = None) -> None:
        """Stop the process and start it again on the same state and ports."""
        self.control.close()
        process.stop(self.state)
        where = process.start(self.state, settings)
        self.control = process.Control(where.control_port)


def give_prices(gateway: Gateway, price: float = 100.0) -> None:
    """Let a gateway know a few stocks, each at a price."""
    gateway.ask("instruments", rows=ROWS)
    for row in ROWS:
        gateway.ask("price", symbol=row["symbol"], price=price)


def start_gateway(state: Path, settings: Settings = GATEWAY) -> RealGateway:
    """Start a gateway in its own process that knows a few stocks."""
    where = process.start(state, settings)
    gateway = RealGateway(state, where.port, process.Control(where.control_port))
    give_prices(gateway)
    return gateway


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[ThreadGateway]:
    """A gateway that is always open, with every stock at 100."""
    running = ThreadGateway(tmp_path / "gateway", GATEWAY)
    give_prices(running)
    yield running
    running.stop()


@pytest.fixture
def gateway_process(tmp_path: Path) -> Iterator[RealGateway]:
    """The same in a process of its own."""
    running = start_gateway(tmp_path / "gateway")
    yield running
    running.control.close()
    process.stop(tmp_path / "gateway")


@pytest.fixture
def world(tmp_path: Path, gateway: ThreadGateway) -> World:
    """A lake and a book that trades at the gateway."""
    return make_world(tmp_path, gateway.port)
