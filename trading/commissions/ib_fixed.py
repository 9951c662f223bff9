"""Interactive Brokers' fixed schedule for US stocks."""

from __future__ import annotations

from dataclasses import dataclass

from trading.commissions.base import to_cents


@dataclass(frozen=True, slots=True)
class InteractiveBrokersFixed:
    """USD 0.005 a share, at least 1.00 and at most 1 % of the trade's value; the maximum wins.

    Source: the broker's published schedule, US stocks, "Fixed"
    (interactivebrokers.com, pricing, commissions-stocks); its examples are 100 shares at 25 for 1.00,
    1,000 at 25 for 5.00, 1,000 at 0.25 for 2.50. Regulatory fees are not included.
    """

    per_share: float = 0.005
    minimum: float = 1.0
    maximum_share: float = 0.01

    def cost(self, quantity: float, price: float, multiplier: float = 1.0) -> float:
        """Commission of one order."""
        commission = max(quantity * self.per_share, self.minimum)
        return to_cents(min(commission, quantity * price * multiplier * self.maximum_share))
