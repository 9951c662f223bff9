"""Commission as a share of the trade's value."""

from __future__ import annotations

from dataclasses import dataclass

from trading.commissions.base import to_cents


@dataclass(frozen=True, slots=True)
class PercentCommission:
    """``quantity x price x multiplier x share``, rounded to the cent.

    Attributes
    ----------
    share : float
        0.001 is 0.1 %.
    """

    share: float

    def cost(self, quantity: float, price: float, multiplier: float = 1.0) -> float:
        """Share of the value traded."""
        return to_cents(quantity * price * multiplier * self.share)
