"""Slippage of a fixed share of the price."""

from __future__ import annotations

from dataclasses import dataclass

from trading.orders import Bar, Side


@dataclass(frozen=True, slots=True)
class PercentSlippage:
    """``price x (1 +- share)``.

    Attributes
    ----------
    share : float
        0.001 is 0.1 %.
    """

    share: float

    def price(self, side: Side, price: float, quantity: float, bar: Bar) -> float:
        """Price moved by its share against the order."""
        if side == "BUY":
            return price * (1.0 + self.share)
        return max(price * (1.0 - self.share), 0.0)
