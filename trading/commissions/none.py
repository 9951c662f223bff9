"""No commission."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NoCommission:
    """Trades for free."""

    def cost(self, quantity: float, price: float, multiplier: float = 1.0) -> float:
        """Nothing."""
        return 0.0
