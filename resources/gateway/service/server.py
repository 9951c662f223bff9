"""The server: listens on the loopback address, agrees on a version and carries frames both ways."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from resources.gateway.market.clock import RealClock
from resources.gateway.orders.moving import check_time
from resources.gateway.service.following import follow
from resources.gateway.service.hub import Hub
from resources.gateway.service.intercept import Outcome, deliver
from resources.gateway.service.naming import Naming
from resources.gateway.service.outgoing import Burst, shape
from resources.gateway.service.session import Session
from resources.gateway.settings import LOWEST_VERSION, SERVER_VERSION
from resources.gateway.wire.frames import FrameError, FrameReader, client_versions, pack
from resources.gateway.wire.layout.fields import LayoutError, decode
from resources.gateway.wire.layout.requests import START_API

log = logging.getLogger("desk.gateway")

HOST = "127.0.0.1"
_TICK = 1.0
_LINGER = 1.0


class Connection:
    """One socket and the session on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, naming: Naming) -> None:
        self.reader = reader
        self.writer = writer
        self.session = Session(naming=naming)
        self.frames = FrameReader()
        self.greeted = False

    def close(self) -> None:
        """Close the socket after what was written to it."""
        self.session.closing = True
        self.writer.close()

    async def finish(self) -> None:
        """Send what was written to its end, then close.

        A socket that is closed with input unread is reset, and the reason for closing is lost with it: what
        the client still sends is read and dropped until it closes its side, for a bounded time.
        """
        try:
            self.writer.write_eof()
            async with asyncio.timeout(_LINGER):
                while await self.reader.read(65536):
                    pass
        except OSError:  # gone already, or silent for too long
            pass
        finally:
            self.close()

    def abort(self) -> None:
        """Reset the socket."""
        self.session.closing = True
        self.writer.transport.abort()


class Server:
    """A gateway that listens; :meth:`start` and :meth:`stop` it inside an event loop."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.port = 0
        self.connections: list[Connection] = []
        self._listener: asyncio.Server | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, port: int = 0) -> int:
        """Listen on a port, any free one by default, and return it."""
        self.port = port
        await self.listen()
        self._ticker = asyncio.create_task(self._tick())
        return self.port

    async def listen(self) -> None:
        """Take connections."""
        if self._listener is None:
            self._listener = await asyncio.start_server(self._accept, HOST, self.port)
            self.port = self._listener.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Take no connections; those that are there stay."""
        if self._listener is not None:
            listener, self._listener = self._listener, None
            listener.close()

    async def stop(self) -> None:
        """Close every connection and listen no more."""
        await self.refuse()
        self.disconnect_all()
        if self._ticker is not None:
            self._ticker.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def disconnect_all(self, *, reset: bool = False) -> None:
        """Close every connection."""
        for connection in list(self.connections):
            if reset:
                connection.abort()
            else:
                connection.close()
            self._forget(connection)

    def flush(self) -> None:
        """Make durable what happened and send what clients are to be told."""
        self.hub.distribute()
        for connection in list(self.connections):
            self._send(connection, Outcome())

    # ---------------------------------------------------------------------------------------- connections

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        connection = Connection(reader, writer, self.hub.naming)
        fault = self.hub.faults.take("accept")
        if fault is not None and fault.do == "close":
            connection.close()
            return
        self.connections.append(connection)
        try:
            await self._read(connection, silent=fault is not None)
        except (ConnectionError, asyncio.CancelledError):
            pass
        except FrameError as error:
            log.warning("client %d: %s", connection.session.client_id, error)
        finally:
            self._forget(connection)
            await connection.finish()

    async def _read(self, connection: Connection, *, silent: bool) -> None:
        while not connection.session.closing and (data := await connection.reader.read(65536)):
            if silent:
                continue
            connection.frames.feed(data)
            if not connection.greeted:
                if not connection.frames.hello():
                    continue
                connection.greeted = True
            for payload in connection.frames.payloads():
                if connection.session.closing:
                    return
                self._take(connection, payload)

    def _take(self, connection: Connection, payload: bytes) -> None:
        session = connection.session
        if not session.version:
            self._agree(connection, payload)
        elif not session.started:
            self._start(connection, payload)
        elif self._too_fast(connection):
            session.error(-1, 100, "Max rate of messages per second has been exceeded")
            self._send(connection, Outcome(close=True))
        else:
            self._request(connection, payload)

    def _agree(self, connection: Connection, payload: bytes) -> None:
        lowest, highest = client_versions(payload)
        version = min(SERVER_VERSION, highest)
        if version < max(lowest, LOWEST_VERSION):
            raise FrameError(
                f"versions {lowest}..{highest} and {LOWEST_VERSION}..{SERVER_VERSION} do not meet"
            )
        connection.session.version = version
        now = self.hub.broker.clock.now()
        fields = [str(version), f"{now:%Y%m%d %H:%M:%S} UTC"]
        fault = self.hub.faults.take("hello")
        if fault is not None and fault.do == "version":
            fields[0] = str(fault.get("version", 100))
        elif fault is not None:
            fields = str(fault.get("text", "")).split("\0")
        connection.writer.write(pack(fields))

    def _start(self, connection: Connection, payload: bytes) -> None:
        session = connection.session
        texts = payload.decode("utf-8", "backslashreplace").split("\0")[:-1]
        try:
            values = decode(START_API, texts[1:], session.version)
        except LayoutError as error:
            raise FrameError(f"no startApi after the handshake: {error}") from None
        client_id = values["clientId"]
        if texts[0] != "71" or client_id is None or client_id < 0:
            raise FrameError(f"no startApi with a client id after the handshake: {texts[:3]}")
        fault = self.hub.faults.take("start", str(client_id), values)
        taken = any(other.client_id == client_id for other in self.hub.sessions)
        if taken or (fault is not None and fault.do == "in_use"):
            session.error(
                -1,
                326,
                "Unable to connect as the client id is already in use. Retry with a unique client id.",
            )
            self._send(connection, Outcome(close=True))
            return
        if len(self.hub.sessions) >= self.hub.settings.max_clients:
            session.error(-1, 507, "Bad Message Length: too many clients")
            self._send(connection, Outcome(close=True))
            return
        session.client_id = client_id
        self.hub.sessions.append(session)
        self.hub.welcome(session)
        if fault is not None:
            self._spoil_start(connection, fault.do, fault.delay)
        self._send(connection, Outcome())

    def _spoil_start(self, connection: Connection, action: str, delay: float) -> None:
        name = "managedAccounts" if action == "no_accounts" else "nextValidId"
        held = [entry for entry in connection.session.outgoing if entry[0] == name]
        connection.session.outgoing = [entry for entry in connection.session.outgoing if entry[0] != name]
        if action == "late_id":
            self._later(delay, lambda: self._write(connection, b"".join(entry[2] for entry in held)))

    def _request(self, connection: Connection, payload: bytes) -> None:
        session = connection.session
        request = self.hub.read(session, payload)
        outcome = Outcome() if request is None else deliver(self.hub, session, *request)
        if outcome.later:
            self._later(outcome.later, self.release)
        self.hub.distribute()
        for other in list(self.connections):
            self._send(other, outcome if other is connection else Outcome())

    def release(self) -> int:
        """Deliver the requests that were swallowed, under the client that sent them; how many there were."""
        kept, self.hub.swallowed = self.hub.swallowed, []
        for client_id, name, values in kept:
            present = [session for session in self.hub.sessions if session.client_id == client_id]
            session = present[0] if present else Session(SERVER_VERSION, client_id, self.hub.naming)
            self.hub.dispatch(session, name, values)
        self.flush()
        return len(kept)

    def _too_fast(self, connection: Connection) -> bool:
        limit = self.hub.settings.max_messages
        if not limit:
            return False
        now = asyncio.get_running_loop().time()
        received = connection.session.received
        received.append(now)
        while now - received[0] > 1.0:
            received.popleft()
        return len(received) > limit

    # -------------------------------------------------------------------------------------------- sending

    def _send(self, connection: Connection, outcome: Outcome) -> None:
        burst = shape(connection.session, self.hub.faults, outcome.replies)
        for delay, data in burst.delayed:
            self._later(delay, lambda data=data: self._write(connection, data))
        self._write_burst(connection, burst)
        if outcome.close:  # of the client's own request: whoever reads it finishes the connection
            self._forget(connection)
            connection.session.closing = True

    def _write_burst(self, connection: Connection, burst: Burst) -> None:
        if burst.pieces:
            for piece in burst.pieces:
                self._write(connection, piece)
        if burst.reset:
            self._forget(connection)
            connection.abort()
        elif burst.close:
            self._forget(connection)
            connection.close()

    def _write(self, connection: Connection, data: bytes) -> None:
        if data and not connection.session.closing:
            connection.writer.write(data)

    def _later(self, delay: float, action: Any) -> None:
        asyncio.get_running_loop().call_later(delay, action)

    def _forget(self, connection: Connection) -> None:
        if connection in self.connections:
            self.connections.remove(connection)
        if connection.session in self.hub.sessions:
            self.hub.sessions.remove(connection.session)

    async def _tick(self) -> None:
        while isinstance(self.hub.broker.clock, RealClock):
            await asyncio.sleep(_TICK)
            self.look_at_time()
            self.flush()

    def look_at_time(self) -> None:
        """Let go on what waits for the time, and for what the lake learns in a market that is always open."""
        broker, tape = self.hub.broker, self.hub.tape
        if tape.live and broker.settings.market == "continuous":
            follow(self.hub)
        check_time(broker, tape.session_of(broker.clock.now().date()))
