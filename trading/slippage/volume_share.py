"""Slippage that grows with the square of the order's share of the bar's volume."""

from __future__ import annotations

from dataclasses import dataclass

from trading.orders import Bar, Side
from trading.slippage.base import against


@dataclass(frozen=True, slots=True)
class VolumeShareSlippage:
    """``price x (1 +- impact x min(quantity / volume, limit) ** 2)``.

    The model of zipline's ``VolumeShareSlippage`` (zipline.finance.slippage; defaults there: impact 0.1
    and limit 0.025 for equities). The cap on the quantity itself is the market's participation.

    Attributes
    ----------
    impact : float
        Price impact of an order as large as the bar, as a share of the price.
    limit : float
        Largest share of the volume that counts.
    """

    impact: float
    limit: float

    def price(self, side: Side, price: float, quantity: float, bar: Bar) -> float:
        """Price moved by the impact of the order; a bar without volume counts as the limit."""
        share = min(quantity / bar.volume, self.limit) if bar.volume > 0 else self.limit
        return against(side, price, price * self.impact * share * share)
