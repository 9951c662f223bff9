"""No slippage."""

from __future__ import annotations

from dataclasses import dataclass

from trading.orders import Bar, Side


@dataclass(frozen=True, slots=True)
class NoSlippage:
    """Fills at the price of the bar."""

    def price(self, side: Side, price: float, quantity: float, bar: Bar) -> float:
        """Return the price unchanged."""
        return price
