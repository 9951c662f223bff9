"""What a gateway is started with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from trading.book import CostsConfig

SERVER_VERSION = 178
LOWEST_VERSION = 157


@dataclass(frozen=True)
class Settings:
    """Configuration of one gateway.

    Attributes
    ----------
    market : str
        ``continuous``: always open, orders meet the last price at once; ``sessions``: orders rest until
        a session is replayed through the control channel.
    capital, currency : float, str
        Cash that a new account starts with.
    costs : CostsConfig
        Slippage, commissions and participation, as a book configures them.
    start : datetime, optional
        Start of the simulated clock; None: the machine's clock.
    seed : int
        Seed of everything random.
    read_only : bool
        Refuse orders, as the gateway's read-only option does.
    strict_ids : bool
        Refuse order ids that are not above all ids the client used before.
    check_margin : bool
        Refuse orders that the account's equity does not cover.
    max_messages : int
        Messages a second that a client may send; 0: any number.
    max_clients : int
        Clients at one time.
    pacing : bool
        Enforce the limits on historical data requests.
    execution_time : str
        Spelling of execution times: zone, utc or bare.
    lake : str
        Lake that instruments and bars come from; empty: they are given through the control channel.
    notices : bool
        Tell new clients that the data farms are connected.
    account : str
        Names of the accounts, with commas between; each begins with the capital. Empty: a state folder gets
        one of its own (see ``process.configure``).
    """

    market: Literal["continuous", "sessions"] = "continuous"
    capital: float = 1_000_000.0
    currency: str = "USD"
    costs: CostsConfig = field(default_factory=CostsConfig)
    start: datetime | None = None
    seed: int = 0
    read_only: bool = False
    strict_ids: bool = False
    check_margin: bool = True
    max_messages: int = 50
    max_clients: int = 32
    pacing: bool = True
    execution_time: Literal["zone", "utc", "bare"] = "zone"
    lake: str = ""
    notices: bool = True
    account: str = ""
    first_order_id: int = 1

    @property
    def started_at(self) -> datetime:
        """Start of the clock."""
        return self.start or datetime.now(UTC)
