"""What a commission model is."""

from __future__ import annotations

from typing import Protocol


class Commission(Protocol):
    """Cost of one execution, in the currency of the price.

    Minimums and maximums of the broker's schedules hold per order and day. A simulated daily bar gives an
    order at most one execution a session, so the same rule per execution says the same thing.
    """

    def cost(self, quantity: float, price: float, multiplier: float = 1.0) -> float:
        """Commission to the cent, never negative, for ``quantity`` units traded at ``price``."""
        ...


def to_cents(amount: float) -> float:
    """Amount rounded to the cent."""
    return round(amount * 100.0) / 100.0
