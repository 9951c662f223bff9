"""What every broker can do for the desk, and how it fails."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

import polars as pl

from trading.placement import Intent, Part, Report, View


class BrokerError(RuntimeError):
    """Something about the broker; the message says what and what to do."""


class ConnectionFailedError(BrokerError):
    """The broker cannot be reached, or a round trip has failed: try again after a while."""


class ClientIdInUseError(ConnectionFailedError):
    """Another connection has the client id, perhaps this desk's own that has just ended."""


class AccountRefusedError(BrokerError):
    """The login's account is not the one that the book may trade; trying again does not help."""


class NoViewError(ConnectionFailedError):
    """A source of the snapshot failed: there is no view, and nothing is done."""


class RefusedRequestError(BrokerError):
    """The broker has answered a question with a refusal; the connection is as it was."""


class LimitedError(RefusedRequestError):
    """A question that the broker's limits do not allow yet; it was not sent.

    Parameters
    ----------
    wait : float
        Seconds until it may be sent.
    """

    def __init__(self, message: str, wait: float) -> None:
        super().__init__(message)
        self.wait = wait


class Outgoing(NamedTuple):
    """One order as it leaves: what is intended, and its place in its unit."""

    intent: Intent
    part: Part


@dataclass(frozen=True)
class Pace:
    """Times that bound every wait, in seconds, and how fast a broker may be asked.

    Attributes
    ----------
    connect, request, quote : float
        Limit of a connection, of one request, of a look at prices.
    poll : float
        Between two looks while something is expected.
    follow : float
        How long orders that should fill at once are followed.
    patience : float
        How long a run tries to bring every order into a known state.
    backoff : tuple of float
        Before each further attempt to connect; the last one repeats.
    history : float
        Longest pause before a request for past data that the gateway's limits may ask for.
    messages : int
        Messages a second that the gateway is sent, orders included; 0: no limit. IB ends the connection of
        who sends more than half as many as the account has lines of market data: 50 by default.
    """

    connect: float = 10.0
    request: float = 10.0
    quote: float = 3.0
    poll: float = 1.0
    follow: float = 60.0
    patience: float = 300.0
    backoff: tuple[float, ...] = (2.0, 5.0, 10.0, 30.0, 60.0)
    history: float = 60.0
    messages: int = 40


class Broker(Protocol):
    """A broker; one object is one client, and connects at most once at a time.

    Every method raises :class:`ConnectionFailedError` when the connection is lost or an answer does not
    come in time; the connection is then closed.
    """

    account: str

    @property
    def connection(self) -> int:
        """Number of the present connection, 0 before the first."""
        ...

    async def connect(self) -> None:
        """Connect, and check the account."""
        ...

    async def disconnect(self) -> None:
        """Close the connection."""
        ...

    def connected(self) -> bool:
        """Whether there is a connection, as far as the socket tells."""
        ...

    def trouble(self) -> str:
        """Why orders may not be sent now, although connected; empty when they may."""
        ...

    async def heartbeat(self) -> None:
        """Prove the connection by a round trip."""
        ...

    async def look(self, symbols: Iterable[str] = (), *, money: bool = False) -> View:
        """Complete view: open orders, completed orders, executions, positions; or none at all.

        Parameters
        ----------
        symbols : iterable of str
            Symbols about to be traded: their contracts and quotes are asked for, too.
        money : bool
            Whether cash is asked for.
        """
        ...

    async def place(self, orders: Sequence[Outgoing]) -> None:
        """Send the orders of one unit, in order."""
        ...

    async def modify(self, order: Outgoing) -> None:
        """Send a working order with other prices."""
        ...

    async def cancel(self, order_id: int) -> None:
        """Ask for a cancel."""
        ...

    async def executions(self) -> list[Report]:
        """Executions that the broker still tells."""
        ...

    async def historical_bars(self, symbol: str, end: datetime, duration: str, bar_size: str) -> pl.DataFrame:
        """Bars of the past: ``at`` (start of the bar, UTC), open, high, low, close, volume.

        Raises
        ------
        RefusedRequestError
            The broker does not have them, does not know the symbol, or has been asked too much.
        """
        ...

    async def chains(self, symbol: str, *, low: float = 0.0, high: float = math.inf) -> pl.DataFrame:
        """Option chains of an underlying: exchange, trading_class, multiplier, expiry, strike.

        Parameters
        ----------
        low, high : float
            Window of the strikes.

        Raises
        ------
        RefusedRequestError
            The broker has none, or does not know the symbol.
        """
        ...


class Instrument(NamedTuple):
    """What a broker must know of a symbol to trade it: the newest row of ``instruments``."""

    symbol: str
    ticker: str
    asset_class: str
    currency: str = "USD"
    exchange: str = ""
    multiplier: float = 1.0


Instruments = Mapping[str, Instrument]
