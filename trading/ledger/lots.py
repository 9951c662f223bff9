"""Lots: what one opening execution bought or sold, at which cost, and how it has moved since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

DUST = 1e-9
"""Quantities that differ by less than this share are equal: what rounding of fractions leaves behind."""

WHOLE_BAR, CLOSE_ONLY = 0, 1
"""What of a session's bar certainly came after a lot was opened."""


class LedgerError(ValueError):
    """An event that cannot be booked: a price that is no number, a quantity of nothing."""


def to_cents(amount: float) -> int:
    """Amount of money in cents, rounded half to even."""
    return round(amount * 100.0)


@dataclass(slots=True)
class Lot:
    """An open lot; prices are split-adjusted, money is in cents.

    Attributes
    ----------
    quantity : float
        Units, positive for long and short.
    cost : int
        Cash paid to open it, commission included; negative for a short lot, which received it.
    commission : int
        The commission that ``cost`` includes.
    opened_at : int
        Number of the session it was opened in.
    high, low : float
        Highest and lowest price since it was opened.
    since : int
        What of the bar of its first session came after it: ``WHOLE_BAR`` or ``CLOSE_ONLY``.
    """

    execution_id: str
    quantity: float
    price: float
    cost: int
    commission: int
    opened: date
    opened_at: int
    high: float
    low: float
    since: int = WHOLE_BAR

    def take(self, quantity: float) -> Lot:
        """Cut ``quantity`` off: the part, with its share of the cents; what stays keeps the rest."""
        if quantity >= self.quantity * (1.0 - DUST):
            cost, commission, quantity = self.cost, self.commission, self.quantity
        else:
            share = quantity / self.quantity
            cost, commission = round(self.cost * share), round(self.commission * share)
        self.quantity -= quantity
        self.cost -= cost
        self.commission -= commission
        return Lot(
            self.execution_id,
            quantity,
            self.price,
            cost,
            commission,
            self.opened,
            self.opened_at,
            self.high,
            self.low,
            self.since,
        )

    def see(self, high: float, low: float) -> None:
        """Widen the range of prices since the lot was opened."""
        self.high = max(self.high, high)
        self.low = min(self.low, low)

    def split(self, ratio: float) -> None:
        """Multiply the units and divide the prices; the cost stays."""
        self.quantity *= ratio
        self.price /= ratio
        self.high /= ratio
        self.low /= ratio

    def scale_prices(self, factor: float) -> None:
        """Multiply the prices; units and cost stay."""
        self.price *= factor
        self.high *= factor
        self.low *= factor

    def to_state(self) -> list[Any]:
        """Fields as JSON values, in the order of their declaration."""
        return [
            self.execution_id,
            self.quantity,
            self.price,
            self.cost,
            self.commission,
            self.opened.isoformat(),
            self.opened_at,
            self.high,
            self.low,
            self.since,
        ]

    @classmethod
    def from_state(cls, state: list[Any]) -> Lot:
        """Lot from what ``to_state`` gave."""
        execution_id, quantity, price, cost, commission, opened, opened_at, high, low, since = state
        day = date.fromisoformat(opened)
        return cls(execution_id, quantity, price, cost, commission, day, opened_at, high, low, since)
