"""A gateway put together: state folder, clock, prices, server and control channel."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.gateway.broker import Broker
from resources.gateway.instruments.database import Instruments
from resources.gateway.journal import Journal
from resources.gateway.market.clock import Clock, RealClock, SimulatedClock
from resources.gateway.market.prices import Tape
from resources.gateway.service.control import ControlChannel
from resources.gateway.service.hub import Hub
from resources.gateway.service.server import Server
from resources.gateway.settings import Settings


@dataclass(frozen=True)
class RunningGateway:
    """A gateway that listens."""

    hub: Hub
    server: Server
    control: ControlChannel
    port: int
    control_port: int


@asynccontextmanager
async def running_gateway(
    settings: Settings,
    state: Path,
    *,
    tape: Tape | None = None,
    instruments: Callable[[], Iterable[Mapping[str, Any]]] = list,
    port: int = 0,
    control_port: int = 0,
) -> AsyncIterator[RunningGateway]:
    """Gateway inside the running event loop, until the block is left.

    Parameters
    ----------
    state : Path
        Folder that the state is kept in.
    tape : Tape, optional
        Prices; an empty one by default.
    instruments : callable
        Rows of the instruments table; read again before each replay of sessions.
    port, control_port : int
        Ports to listen on; 0 takes free ones.
    """
    clock: Clock = SimulatedClock(settings.start) if settings.start else RealClock()
    journal = Journal(state / "journal.jsonl")
    known = Instruments()
    for row in instruments():
        known.add(row)
    broker = Broker(settings, known, clock, journal)
    hub = Hub(settings, broker, tape or Tape(), instruments)
    hub.mark_positions()
    server = Server(hub)
    control = ControlChannel(server)
    try:
        listening = await server.start(port)
        yield RunningGateway(hub, server, control, listening, await control.start(control_port))
    finally:
        await control.stop()
        await server.stop()
        journal.close()
