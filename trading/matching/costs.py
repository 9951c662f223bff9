"""Costs of trading an asset class as the market applies them."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

from trading.book import CostConfig, CostsConfig
from trading.commissions import Commission, commission_model
from trading.slippage import Slippage, slippage_model


@dataclass(frozen=True, slots=True)
class Costs:
    """Slippage, commission and the share of a bar's volume that one order may take.

    Attributes
    ----------
    participation : float
        0.1 is 10 % of the bar's volume, per order and bar.
    whole_units : bool
        Whether a capped fill of a whole quantity is rounded down to whole units.
    """

    slippage: Slippage
    commission: Commission
    participation: float = 0.1
    whole_units: bool = True

    def fillable(self, quantity: float, volume: float) -> float:
        """Units of ``quantity`` that may trade in a bar of this volume."""
        cap = volume * self.participation
        if cap >= quantity:
            return quantity
        if self.whole_units and quantity == floor(quantity):
            return float(floor(cap))
        return cap


def costs_of(config: CostsConfig) -> dict[str, Costs]:
    """Costs by asset class; ``stock`` also serves etf, index and future."""
    stock, crypto = _costs(config.stock, True), _costs(config.crypto, False)
    fx, option = _costs(config.fx, False), _costs(config.option, True)
    return {
        "stock": stock,
        "etf": stock,
        "index": stock,
        "future": stock,
        "crypto": crypto,
        "fx": fx,
        "option": option,
    }


def _costs(config: CostConfig, whole_units: bool) -> Costs:
    return Costs(
        slippage_model(config.slippage),
        commission_model(config.commission),
        config.participation,
        whole_units,
    )
