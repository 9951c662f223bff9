"""What a decision needs to know of a strategy besides its signals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from trading.book import BookConfig
from trading.matching import Costs
from trading.orders import Bar, Side


class ExitRule(NamedTuple):
    """How a position of a strategy is protected after the entry.

    Attributes
    ----------
    follow_fill : bool
        Whether stop and target keep their distance, in per cent, from the price of the fill instead of
        the price of the signal.
    trailing_activation : float, optional
        Gain of the highest high over the entry at which the trailing stop takes over, 0.10 is 10 %.
    trailing_distance : float, optional
        Distance of the trailing stop below the highest high, 0.08 is 8 %.
    """

    follow_fill: bool = False
    trailing_activation: float | None = None
    trailing_distance: float | None = None


class Rules(NamedTuple):
    """Rules of one strategy in one book.

    Attributes
    ----------
    share : float
        Share of the book's equity, after normalisation over the enabled strategies.
    exits : dict
        Asset class to exit rule; ``stock`` serves classes that are not named.
    max_candidates, max_per_sector : int, optional
        Length of the candidate list once held names are left out, and names of one sector on it.
    """

    share: float = 1.0
    exits: dict[str, ExitRule] = {}  # noqa: RUF012 - never changed
    max_candidates: int | None = None
    max_per_sector: int | None = None

    def exit_rule(self, asset_class: str) -> ExitRule:
        """Exit rule of an asset class."""
        return self.exits.get(asset_class) or self.exits.get("stock") or ExitRule()


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that a book's decisions follow besides prices and signals.

    Attributes
    ----------
    strategies : mapping
        Strategy to its rules.
    costs : mapping
        Asset class to its costs.
    """

    book: BookConfig
    strategies: Mapping[str, Rules]
    costs: Mapping[str, Costs]

    def cost_estimate(
        self, asset_class: str, side: Side, quantity: float, bar: Bar, multiplier: float = 1.0
    ) -> float:
        """Slippage and commission, in cash, if a market order filled at the close of ``bar``."""
        costs = self.costs[asset_class]
        paid = costs.slippage.price(side, bar.close, quantity, bar)
        slippage = abs(paid - bar.close) * quantity * multiplier
        return slippage + costs.commission.cost(quantity, paid, multiplier)
