"""The daily report of a book as plain data: what a reader sees, in numbers, before any formatting.

Fractions are fractions (0.05 is 5 %), money is in the book's currency, None means not known.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Thresholds:
    """When a report speaks up.

    Attributes
    ----------
    near_target, near_stop : float
        Distance from price to target or stop, as a fraction of the price.
    near_limit : float
        Share of a limit in use.
    large_loss : float
        Unrealised loss over the cost of a position.
    low_score : float
        Score of a held name, 0..100.
    """

    near_target: float = 0.05
    near_stop: float = 0.02
    near_limit: float = 0.9
    large_loss: float = 0.05
    low_score: float = 50.0


@dataclass(frozen=True)
class Account:
    """The portfolio summary at the close."""

    equity: float | None
    cash: float | None
    positions_value: float | None
    receivables: float | None
    position_count: int | None
    unrealised_pnl: float | None
    realised_today: float | None
    realised_pnl: float | None
    daily_return: float | None
    daily_pnl: float | None
    total_return: float | None
    drawdown: float | None
    exposure: float | None
    commissions: float | None
    dividends: float | None


@dataclass(frozen=True)
class OpenPosition:
    """A holding at the close.

    Attributes
    ----------
    to_stop, to_target : float
        Distance from the price as a fraction of it, positive while the level is not reached.
    risk : float
        Cash lost from here if the stop fills at its price; None without a stop.
    """

    symbol: str
    strategy: str
    opened: date | None
    entry_price: float | None
    price: float | None
    quantity: float | None
    market_value: float | None
    pnl: float | None
    pnl_fraction: float | None
    days: int | None
    stop: float | None
    target: float | None
    to_stop: float | None
    to_target: float | None
    risk: float | None
    trailing: bool
    stale: bool
    sector: str
    score: float | None


@dataclass(frozen=True)
class Filled:
    """An execution of the session."""

    symbol: str
    strategy: str
    purpose: str
    side: str
    quantity: float | None
    price: float | None
    commission: float | None
    slippage: float | None
    realised_pnl: float | None
    reason: str


@dataclass(frozen=True)
class Exited:
    """A round trip that ended in the session; lots closed for one reason are one row."""

    symbol: str
    strategy: str
    direction: str
    quantity: float | None
    opened: date | None
    entry_price: float | None
    exit_price: float | None
    pnl: float | None
    pnl_fraction: float | None
    days: int | None
    reason: str


@dataclass(frozen=True)
class Planned:
    """An order approved on the close, to be placed for the next session."""

    symbol: str
    strategy: str
    purpose: str
    side: str
    order_type: str
    quantity: float | None
    reference_price: float | None
    stop: float | None
    target: float | None
    risk: float | None
    intended_risk: float | None
    reason: str


@dataclass(frozen=True)
class Moved:
    """A working order changed or cancelled on the close."""

    symbol: str
    strategy: str
    intent: str
    purpose: str
    price: float | None
    reason: str


@dataclass(frozen=True)
class NotTaken:
    """An entry signal that did not become an order."""

    symbol: str
    strategy: str
    action: str
    strength: float | None
    price: float | None
    signal: str
    reason: str


@dataclass(frozen=True)
class Limit:
    """A figure held against its limit.

    Attributes
    ----------
    measure : str
        exposure, positions, daily_loss or sector_exposure.
    used : float
        Value over limit; None without a limit.
    """

    measure: str
    subject: str
    value: float | None
    limit: float | None
    used: float | None


@dataclass(frozen=True)
class Upcoming:
    """A position that may end soon: near its target, near its stop, or trailing."""

    symbol: str
    what: str
    price: float | None
    level: float | None
    distance: float | None


@dataclass(frozen=True)
class Warned:
    """Something the reader should know: kind is risk, position, data or error."""

    kind: str
    severity: str
    subject: str
    message: str


@dataclass(frozen=True)
class Candidate:
    """A name that passed the scan."""

    rank: int | None
    symbol: str
    strategy: str
    score: float | None
    trend_strength: float | None
    rsi: float | None
    close: float | None
    dollar_volume: float | None
    scan: str


@dataclass(frozen=True)
class MarketRegime:
    """Market regime of the session."""

    benchmark: str
    regime: str
    bull_points: float | None
    bear_points: float | None
    size_multiplier: float | None
    max_positions: int | None


@dataclass(frozen=True)
class EquityHistory:
    """Equity and drawdown of every session so far."""

    sessions: tuple[date, ...] = ()
    equity: tuple[float | None, ...] = ()
    drawdown: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class DailyReport:
    """Everything the daily report tells of one session of one book."""

    book: str
    session: date
    mode: str
    currency: str
    config_hash: str
    account: Account | None
    regime: MarketRegime | None
    positions: tuple[OpenPosition, ...]
    entries: tuple[Filled, ...]
    exits: tuple[Exited, ...]
    other_fills: tuple[Filled, ...]
    planned: tuple[Planned, ...]
    moved: tuple[Moved, ...]
    not_taken: tuple[NotTaken, ...]
    limits: tuple[Limit, ...]
    loss_left: float | None
    open_risk: float | None
    upcoming: tuple[Upcoming, ...]
    warnings: tuple[Warned, ...]
    candidates: tuple[Candidate, ...]
    history: EquityHistory
