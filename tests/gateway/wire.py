"""A client of the bare protocol on a blocking socket: what it sends and what it is told, field by field."""

from __future__ import annotations

import itertools
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from resources.gateway.wire.frames import FrameReader, pack, unpack
from resources.gateway.wire.layout.fields import Values, decode, encode
from resources.gateway.wire.layout.replies import REPLY_NUMBERS, TICK_BY_TICK
from resources.gateway.wire.layout.requests import REQUEST_NAMES

Reply = tuple[str, Values]
ACCOUNT = "SIM000001"
_TICKS = {1: "Last", 2: "AllLast", 3: "BidAsk", 4: "MidPoint"}


class Asked(Protocol):
    """A gateway whose control channel can be asked."""

    port: int

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Carry out a control command, which must succeed."""
        ...


class Wire:
    """One connection, synchronised by round trips: :meth:`settle` returns once all was told."""

    def __init__(self, port: int, client_id: int, version: int = 178) -> None:
        self.client_id, self.version = client_id, version
        self.seen: list[Reply] = []
        self._frames = FrameReader(limit=1 << 24)
        self._payloads: Iterator[bytes] = iter(())
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        offer = f"v{min(version, 100)}..{version}".encode()
        self._socket.sendall(b"API\0" + struct.pack(">I", len(offer)) + offer)
        self.hello = unpack(self._payload())
        self.raw("71", "2", str(client_id), "")
        self.settle()
        first = [values["orderId"] for name, values in self.seen if name == "nextValidId"]
        accounts = [values["accounts"] for name, values in self.seen if name == "managedAccounts"]
        self.account = str(accounts[-1]).split(",")[0] if accounts else ACCOUNT
        self._ids = itertools.count(first[-1] if first else 1)
        self._requests = itertools.count(100_000)

    # ------------------------------------------------------------------------------------------- messages

    def raw(self, *fields: str) -> None:
        """Send a frame of fields."""
        self._socket.sendall(pack(fields))

    def send(self, name: str, **values: Any) -> None:
        """Send a request of the protocol's tables."""
        self.raw(*encode(REQUEST_NAMES[name], values, self.version))

    def settle(self) -> list[Reply]:
        """Round trip: what was told since the last one."""
        self.raw("49", "1")
        told: list[Reply] = []
        while not told or told[-1][0] != "currentTime":
            told.append(self._reply())
        told.pop()
        self.seen += told
        return told

    def ask(self, name: str, **values: Any) -> list[Reply]:
        """Send a request and settle; a request id is made up where it is missing."""
        if "reqId" not in values and any(
            getattr(item, "name", "") == "reqId" for item in REQUEST_NAMES[name].items
        ):
            values["reqId"] = next(self._requests)
        self.send(name, **values)
        return self.settle()

    def request_id(self) -> int:
        """A fresh request id."""
        return next(self._requests)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _reply(self) -> Reply:
        texts = unpack(self._payload())
        number = int(texts[0])
        message = TICK_BY_TICK[_TICKS[int(texts[2])]] if number == 99 else REPLY_NUMBERS[number]
        return message.name, decode(message, texts[1:], self.version)

    def _payload(self) -> bytes:
        while True:
            for payload in self._payloads:
                return payload
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("the gateway has closed the connection")
            self._frames.feed(data)
            self._payloads = self._frames.payloads()

    # --------------------------------------------------------------------------------------------- orders

    def place(self, symbol: str, *, order_id: int | None = None, **fields: Any) -> int:
        """Place or change an order, by default a buy of 10 at the market; its id."""
        number = next(self._ids) if order_id is None else order_id
        order = {
            "symbol": symbol,
            "secType": "STK",
            "exchange": "SMART",
            "currency": "USD",
            "action": "BUY",
            "totalQuantity": 10.0,
            "orderType": "MKT",
            "tif": "GTC",
            "account": self.account,
            "transmit": True,
            **fields,
        }
        self.send("placeOrder", orderId=number, **order)
        self.settle()
        return number

    def cancel(self, order_id: int) -> None:
        """Cancel an order."""
        self.send("cancelOrder", orderId=order_id)
        self.settle()

    def all_of(self, name: str, order_id: int | None = None) -> list[Values]:
        """Replies of a name, of one order where it is given."""
        return [
            values
            for kind, values in self.seen
            if kind == name and (order_id is None or values.get("orderId") == order_id)
        ]

    def status(self, order_id: int) -> str:
        """Status of an order as told last."""
        told = self.all_of("orderStatus", order_id)
        return str(told[-1]["status"]) if told else ""

    def fills(self, order_id: int) -> list[tuple[float, float]]:
        """Units and price of an order's executions."""
        return [(row["shares"], row["price"]) for row in self.all_of("execDetails", order_id)]

    def codes(self, number: int | None = None) -> list[int]:
        """Codes of the errors told, of one order or request."""
        return [row["code"] for row in self.all_of("error") if number is None or row["reqId"] == number]


def named(replies: list[Reply], name: str) -> list[Values]:
    """Values of the replies of one name."""
    return [values for kind, values in replies if kind == name]


@dataclass
class Floor:
    """A gateway shared by the tests of a module: each gets a symbol, and clients, of its own."""

    gateway: Asked
    symbol: str
    clients: list[Wire] = field(default_factory=list)
    _next_client: Callable[[], int] = field(default_factory=lambda: itertools.count(1).__next__)

    def client(self, client_id: int | None = None, version: int = 178) -> Wire:
        """A connected client."""
        found = Wire(self.gateway.port, self._next_client() if client_id is None else client_id, version)
        self.clients.append(found)
        return found

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Carry out a control command and let every client hear of it."""
        answer = self.gateway.ask(command, **arguments)
        for client in self.clients:
            with suppress(OSError):
                client.settle()
        return answer

    def price(self, price: float, symbol: str = "", **further: Any) -> None:
        """A price of the test's symbol."""
        self.ask("price", symbol=symbol or self.symbol, price=price, **further)

    def list(self, symbol: str, price: float | None = None, **row: Any) -> int:
        """Make an instrument known, with a price; its contract id."""
        self.ask("instruments", rows=[{**STOCK, "symbol": symbol, **row}])
        if price is not None:
            self.price(price, symbol)
        client = self.clients[0] if self.clients else self.client()
        wanted = {"symbol": str(row.get("ticker", symbol)), "localSymbol": str(row.get("local", ""))}
        found = named(client.ask("reqContractDetails", **wanted), "contractDetails")
        return int(found[0]["conId"]) if found else 0

    def held(self, symbol: str = "") -> float:
        """Units of a symbol that the account holds."""
        positions: Mapping[str, float] = self.gateway.ask("positions")["positions"]
        return positions.get(symbol or self.symbol, 0.0)

    def orders(self, symbol: str = "") -> list[dict[str, Any]]:
        """Orders in the test's symbol as the broker has them."""
        rows: list[dict[str, Any]] = self.gateway.ask("orders")["orders"]
        return [row for row in rows if row["symbol"] == (symbol or self.symbol)]

    def now(self) -> datetime:
        """The gateway's time."""
        return datetime.fromisoformat(self.gateway.ask("status")["now"])

    def next_day(self) -> datetime:
        """Move to three o'clock UTC of the next day, within New York's session."""
        time = (self.now() + timedelta(days=1)).replace(hour=15, minute=0, second=0, microsecond=0)
        self.ask("advance", to=time.isoformat())
        return time

    def at(self, time: datetime) -> None:
        """Move the clock."""
        self.ask("advance", to=time.isoformat())

    def end(self) -> None:
        """Cancel what is left and hang up."""
        self.gateway.ask("faults", clear=True)
        for client in self.clients:
            with suppress(OSError, struct.error):
                client.close()


STOCK = {"asset_class": "stock", "exchange": "XNAS", "currency": "USD"}


def stamp(time: datetime) -> str:
    """Time as an order names it."""
    return f"{time.astimezone(UTC):%Y%m%d %H:%M:%S} UTC"
