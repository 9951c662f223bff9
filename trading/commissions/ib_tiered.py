"""Interactive Brokers' tiered schedule for US stocks."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from trading.commissions.base import to_cents

TIERS = (
    (300_000.0, 0.0035),
    (3_000_000.0, 0.0020),
    (20_000_000.0, 0.0015),
    (100_000_000.0, 0.0010),
    (inf, 0.0005),
)
"""Shares a month up to which a rate per share holds."""


@dataclass(frozen=True, slots=True)
class InteractiveBrokersTiered:
    """USD 0.0035 a share falling to 0.0005 with the month's volume, at least 0.35, at most 1 % of the value.

    Tiers are marginal: each share pays the rate of the tier it falls into. Source: the broker's published
    schedule, US stocks, "Tiered" (interactivebrokers.com, pricing, commissions-stocks). Exchange,
    clearing and regulatory fees, which this schedule passes on, are not included.

    Attributes
    ----------
    monthly_shares : float
        Shares taken as traded in the month before the order; 0 is the first tier.
    """

    monthly_shares: float = 0.0
    minimum: float = 0.35
    maximum_share: float = 0.01

    def cost(self, quantity: float, price: float, multiplier: float = 1.0) -> float:
        """Commission of one order."""
        commission = max(self._by_tier(quantity), self.minimum)
        return to_cents(min(commission, quantity * price * multiplier * self.maximum_share))

    def _by_tier(self, quantity: float) -> float:
        total, start, left = 0.0, self.monthly_shares, quantity
        for bound, rate in TIERS:
            part = min(left, max(bound - start, 0.0))
            total += part * rate
            start += part
            left -= part
            if left <= 0:
                break
        return total
