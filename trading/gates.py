"""Gates that every entry passes, in the order of the rules; each gives a verdict with its figures.

A verdict is recorded whether it passes or not, and all gates are asked even after one has failed, so that
an order row tells everything that stood in its way. Exits are never shown to a gate.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading.book import RiskConfig, SizingConfig


class Verdict(NamedTuple):
    """What a gate says of an entry.

    Attributes
    ----------
    gate : str
        Name of the gate.
    passed : bool
        Whether the entry may go on.
    figure, limit : float
        What was measured and the limit it was held against.
    note : str
        What the figures cannot say, such as the names of correlated positions.
    """

    gate: str
    passed: bool
    figure: float
    limit: float
    note: str = ""


@dataclass(slots=True)
class Account:
    """The book as a decision sees it; approved entries are added while the decision goes on.

    Attributes
    ----------
    equity, opening_equity : float
        At the close decided on, and at the close of the session before.
    cash : float
        Cash less what entries that are not filled yet will need.
    values : dict
        Symbol to absolute market value, entries that are not filled yet included.
    sectors : dict
        Sector to the sum of those values; names without a sector share no limit.
    """

    equity: float
    opening_equity: float
    cash: float
    values: dict[str, float] = field(default_factory=dict)
    sectors: dict[str, float] = field(default_factory=dict)

    def add(self, symbol: str, value: float, sector: str | None, cost: float = 0.0) -> None:
        """Count an entry: its value, its sector, and the cash it will take."""
        self.values[symbol] = self.values.get(symbol, 0.0) + value
        if sector is not None:
            self.sectors[sector] = self.sectors.get(sector, 0.0) + value
        self.cash -= cost

    @property
    def gross(self) -> float:
        """Sum of the absolute values."""
        return sum(self.values.values())


class Entry(NamedTuple):
    """An entry that asks to be approved.

    Attributes
    ----------
    value : float
        Quantity times reference price (times multiplier).
    cost : float
        Cash needed, with estimated slippage and commission.
    """

    symbol: str
    sector: str | None
    quantity: float
    value: float
    cost: float


def daily_loss(account: Account, limit: float) -> Verdict:
    """Gate 1: no entry once the session has lost the limit of its opening equity."""
    change = account.equity / account.opening_equity - 1.0 if account.opening_equity > 0 else 0.0
    return Verdict("daily_loss", change > -limit, change, -limit)


def size(entry: Entry, account: Account, sizing: SizingConfig) -> Verdict:
    """Gate 2: a position below the floor (or of no unit at all) is not worth its costs."""
    share = entry.value / account.equity if account.equity > 0 else 0.0
    passed = entry.quantity > 0 and share >= sizing.min_position
    return Verdict("size", passed, share, sizing.min_position)


def max_positions(entry: Entry, account: Account, limit: int) -> Verdict:
    """Gate 3: number of symbols held or about to be."""
    count = len(account.values) + (entry.symbol not in account.values)
    return Verdict("max_positions", count <= limit, float(count), float(limit))


def portfolio_exposure(entry: Entry, account: Account, limit: float) -> Verdict:
    """Gate 4: sum of the absolute values over equity."""
    share = (account.gross + entry.value) / account.equity if account.equity > 0 else np.inf
    return Verdict("portfolio_exposure", share <= limit, share, limit)


def sector_exposure(entry: Entry, account: Account, limit: float) -> Verdict:
    """Gate 5: value of the entry's sector over equity; an unknown sector has no neighbours."""
    if entry.sector is None:
        return Verdict(
            "sector_exposure", True, entry.value / max(account.equity, 1e-9), limit, "unknown sector"
        )
    share = (account.sectors.get(entry.sector, 0.0) + entry.value) / max(account.equity, 1e-9)
    return Verdict("sector_exposure", share <= limit, share, limit, entry.sector)


def correlation(
    entry: Entry, account: Account, risk: RiskConfig, returns: Callable[[str], NDArray[np.float64] | None]
) -> Verdict:
    """Gate 6: positions whose returns are correlated with the entry's above the limit.

    Parameters
    ----------
    returns : callable
        Symbol to its last ``correlation_window`` daily returns, nan where a bar is missing; None for a
        symbol without history. Pairs with fewer than half the window in common do not count.
    """
    own = returns(entry.symbol)
    names = []
    if own is not None:
        for symbol in account.values:
            other = returns(symbol) if symbol != entry.symbol else None
            if other is not None and pair_correlation(own, other) > risk.correlation_limit:
                names.append(symbol)
    count = float(len(names))
    return Verdict(
        "correlation", count < risk.max_correlated, count, float(risk.max_correlated), " ".join(names)
    )


def pair_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Pearson correlation over the days that both have; 0 when they share less than half of them."""
    both = np.isfinite(first) & np.isfinite(second)
    shared = int(both.sum())
    if shared < max(2, len(first) // 2):
        return 0.0
    if shared < len(first):
        first, second = first[both], second[both]
    first = first - first.mean()
    second = second - second.mean()
    scale = float(first @ first) * float(second @ second)
    return float(first @ second) / scale**0.5 if scale > 0 else 0.0


def second_position(entry: Entry, account: Account) -> Verdict:
    """Gate 7: one position a symbol."""
    held = account.values.get(entry.symbol, 0.0)
    return Verdict("second_position", entry.symbol not in account.values, held, 0.0)


def cash(entry: Entry, account: Account) -> Verdict:
    """Gate 8: cash stays at or above zero after the entry and its costs."""
    left = account.cash - entry.cost
    return Verdict("cash", left >= 0, left, 0.0)


def check_entry(
    entry: Entry,
    account: Account,
    *,
    risk: RiskConfig,
    sizing: SizingConfig,
    returns: Callable[[str], NDArray[np.float64] | None],
    position_limit: int | None = None,
) -> list[Verdict]:
    """Ask every gate of an entry, in the order of the rules.

    Parameters
    ----------
    position_limit : int, optional
        Positions that the market regime allows; the configured limit by default.
    """
    limit = risk.max_positions if position_limit is None else min(position_limit, risk.max_positions)
    return [
        daily_loss(account, risk.max_daily_loss),
        size(entry, account, sizing),
        max_positions(entry, account, limit),
        portfolio_exposure(entry, account, risk.max_portfolio_exposure),
        sector_exposure(entry, account, risk.max_sector_exposure),
        correlation(entry, account, risk, returns),
        second_position(entry, account),
        cash(entry, account),
    ]


def verdicts_json(verdicts: Iterable[Verdict]) -> str:
    """Verdicts as the ``gates`` column keeps them: a JSON list, figures to six significant digits."""
    return json.dumps(
        [
            {"gate": v.gate, "passed": bool(v.passed), "figure": _short(v.figure), "limit": _short(v.limit)}
            | ({"note": v.note} if v.note else {})
            for v in verdicts
        ],
        separators=(",", ":"),
    )


def _short(figure: float) -> float | None:
    return float(f"{figure:.6g}") if np.isfinite(figure) else None


def failed(verdicts: Iterable[Verdict]) -> list[str]:
    """Names of the gates that stand in the way."""
    return [verdict.gate for verdict in verdicts if not verdict.passed]


def as_mapping(gates: str) -> Mapping[str, dict[str, object]]:
    """Read a ``gates`` column back: gate name to its fields."""
    return {row["gate"]: row for row in json.loads(gates)}
