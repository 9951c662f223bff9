"""The report of a range of sessions as plain data, before any formatting.

Figures have the units of the ``performance`` table; everything else is a fraction (0.05 is 5 %) or cash.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Figure:
    """One measure; a figure that is not defined is None and its convention says why."""

    measure: str
    value: float | None
    unit: str
    convention: str


@dataclass(frozen=True)
class Year:
    """Returns of a calendar year: twelve months, None where there is none, and their total."""

    year: int
    months: tuple[float | None, ...]
    total: float | None


@dataclass(frozen=True)
class Decline:
    """A drawdown: peak None is the starting capital, recovery None that it lasts."""

    peak: date | None
    trough: date
    recovery: date | None
    depth: float
    sessions: int


@dataclass(frozen=True)
class Group:
    """Round trips that share an exit reason or a symbol."""

    name: str
    trades: int
    win_rate: float | None
    pnl: float | None
    average_return: float | None


@dataclass(frozen=True)
class RoundTrip:
    """A lot opened and closed."""

    symbol: str
    strategy: str
    direction: str
    quantity: float | None
    opened: date | None
    closed: date | None
    entry_price: float | None
    exit_price: float | None
    pnl: float | None
    pnl_fraction: float | None
    mae: float | None
    mfe: float | None
    days: int | None
    reason: str


@dataclass(frozen=True)
class Track:
    """Equity, drawdown, exposure and the benchmark scaled to the same start, by session."""

    sessions: tuple[date, ...] = ()
    equity: tuple[float | None, ...] = ()
    drawdown: tuple[float | None, ...] = ()
    exposure: tuple[float | None, ...] = ()
    benchmark: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class BacktestReport:
    """Everything the report of a range of sessions tells of a book.

    Attributes
    ----------
    trades : tuple of RoundTrip
        In order of closing; ``trade_count`` of them exist, the last ones are here.
    """

    book: str
    mode: str
    currency: str
    config_hash: str
    benchmark_name: str
    first: date | None
    last: date | None
    figures: tuple[Figure, ...]
    years: tuple[Year, ...]
    declines: tuple[Decline, ...]
    by_reason: tuple[Group, ...]
    by_symbol: tuple[Group, ...]
    trades: tuple[RoundTrip, ...]
    trade_count: int
    track: Track

    def figure(self, measure: str) -> float | None:
        """Value of a measure; None where it is not defined."""
        return next((figure.value for figure in self.figures if figure.measure == measure), None)
