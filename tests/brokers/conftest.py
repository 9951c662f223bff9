"""A gateway in its own process, and a lake with a book to trade at it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from resources.gateway import process
from resources.gateway.settings import Settings

from .world import GATEWAY, ROWS, World, make_world


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


def start_gateway(state: Path, settings: Settings = GATEWAY, **prices: float) -> RealGateway:
    """Start a gateway that knows a few stocks."""
    where = process.start(state, settings)
    gateway = RealGateway(state, where.port, process.Control(where.control_port))
    gateway.ask("instruments", rows=ROWS)
    for row in ROWS:
        gateway.ask("price", symbol=row["symbol"], price=prices.get(row["symbol"], 100.0))
    return gateway


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[RealGateway]:
    """A gateway that is always open, with every stock at 100."""
    running = start_gateway(tmp_path / "gateway")
    yield running
    running.control.close()
    process.stop(tmp_path / "gateway")


@pytest.fixture
def world(tmp_path: Path, gateway: RealGateway) -> World:
    """A lake and a book that trades at the gateway."""
    return make_world(tmp_path, gateway.port)
