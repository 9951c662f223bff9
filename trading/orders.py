"""Orders and executions: what the decision asks for and what a market makes of it."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, NamedTuple

Side = Literal["BUY", "SELL"]
OrderType = Literal["market", "market_on_close", "limit", "stop", "stop_limit", "trailing_stop"]
TimeInForce = Literal["day", "gtc", "gtd", "opg", "ioc", "fok"]
Phase = Literal["open", "close"]


class Bar(NamedTuple):
    """One bar of one symbol: raw prices and units traded."""

    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(slots=True)
class Order:
    """An approved order as it works at a broker.

    Prices are raw.

    Attributes
    ----------
    quantity : float
        What works now and is still to be filled; 0 once the order is filled, cancelled or expired. While
        ``live`` is False it is the whole quantity that waits for the parent.
    original : float
        What was asked for.
    live : bool
        Whether any of it works; False while the parent has not filled.
    held : float
        Of a live child of a parent that has filled in part: what still waits for the parent.
    triggered : bool
        Whether a stop has been reached: from then on it works as a market (or limit) order.
    anchor : float, optional
        Best price a trailing stop has seen.
    filled, value, fills : float, float, int
        Units filled so far, the sum of units times price, and the number of executions.
    multiplier : float
        Units of the underlying in one contract; 1 for stocks.
    """

    order_ref: str
    session: date
    strategy: str
    symbol: str
    asset_class: str
    purpose: str
    side: Side
    order_type: OrderType
    quantity: float
    limit_price: float | None = None
    stop_price: float | None = None
    trail_percent: float | None = None
    time_in_force: TimeInForce = "gtc"
    good_till: date | None = None
    parent_ref: str | None = None
    oca_group: str | None = None
    reason: str = ""
    original: float = 0.0
    live: bool = True
    triggered: bool = False
    anchor: float | None = None
    held: float = 0.0
    filled: float = 0.0
    value: float = 0.0
    fills: int = 0
    multiplier: float = 1.0

    def __post_init__(self) -> None:
        if not self.original:
            self.original = self.quantity


class Execution(NamedTuple):
    """A fill: who, what, how much, at which price and cost.

    ``price`` includes slippage; ``slippage`` is the cash it cost; ``phase`` says when in the session, and
    ``executed_at`` the time where a broker has told it.
    """

    execution_id: str
    order_ref: str
    strategy: str
    symbol: str
    purpose: str
    side: Side
    quantity: float
    price: float
    commission: float
    slippage: float
    session: date
    phase: Literal["open", "intraday", "close"]
    executed_at: datetime | None = None


def order_ref(book: str, session: date, strategy: str, symbol: str, purpose: str, sequence: int = 0) -> str:
    """Identity of an order: no clock and no run id, so a rerun of a decision names the same order.

    Returns
    -------
    str
        ``D`` and 25 base32 letters: short enough for a broker's reference field, never ``:`` or ``;``.
    """
    identity = "\x1f".join((book, session.isoformat(), strategy, symbol, purpose, str(sequence)))
    digest = hashlib.blake2b(identity.encode(), digest_size=16).digest()
    return "D" + base64.b32encode(digest).decode().rstrip("=")[:25]
