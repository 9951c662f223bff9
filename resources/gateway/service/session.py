"""One connected client: what it agreed, what it listens to, and the messages on their way to it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from resources.gateway.service.naming import Naming
from resources.gateway.wire.frames import pack
from resources.gateway.wire.layout.fields import Message, Values, encode
from resources.gateway.wire.layout.replies import REPLIES


class HistoryRequest(NamedTuple):
    """A request for historical data, as the limits count it."""

    at: float
    identity: str
    contract: str
    weight: float


@dataclass(slots=True)
class Session:
    """State of one connection.

    Attributes
    ----------
    version : int
        Version agreed in the handshake; 0 before.
    client_id : int
        -1 until the client has said who it is.
    naming : Naming
        What the client calls the account and its executions.
    account_updates : str
        Account whose values and portfolio it listens to; empty: none.
    streams : dict
        Running subscriptions by kind and request id, such as ``("mktData", 7)``.
    sent : deque
        Times of the last messages received, for the limit on messages.
    """

    version: int = 0
    client_id: int = -1
    naming: Naming = field(default_factory=Naming)
    market_data_type: int = 1
    auto_bind: bool = False
    positions: bool = False
    account_updates: str = ""
    closing: bool = False
    streams: dict[tuple[str, int], Values] = field(default_factory=dict)
    received: deque[float] = field(default_factory=deque)
    history: deque[HistoryRequest] = field(default_factory=deque)
    outgoing: list[tuple[str, Values, bytes]] = field(default_factory=list)

    @property
    def started(self) -> bool:
        """Whether the client has said who it is."""
        return self.client_id >= 0

    def send(self, name: str, values: Values | None = None, **further: Any) -> None:
        """Queue a reply."""
        self.send_message(REPLIES[name], self.naming.outward({**(values or {}), **further}))

    def send_message(self, message: Message, values: Values) -> None:
        """Queue a reply of a given layout."""
        self.outgoing.append((message.name, values, pack(encode(message, values, self.version))))

    def error(self, number: int, code: int, text: str, details: str = "") -> None:
        """Queue an error or a notice."""
        self.send("error", reqId=number, code=code, text=text, rejectDetails=details)

    def take(self) -> list[tuple[str, Values, bytes]]:
        """Queued replies: their name, values and bytes."""
        taken, self.outgoing = self.outgoing, []
        return taken
