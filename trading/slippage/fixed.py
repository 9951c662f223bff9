"""Slippage of a fixed amount of cash per unit."""

from __future__ import annotations

from dataclasses import dataclass

from trading.orders import Bar, Side
from trading.slippage.base import against


@dataclass(frozen=True, slots=True)
class FixedSlippage:
    """``price +- amount``: half a constant spread.

    Attributes
    ----------
    amount : float
        Cash per unit.
    """

    amount: float

    def price(self, side: Side, price: float, quantity: float, bar: Bar) -> float:
        """Price moved by the amount against the order."""
        return against(side, price, self.amount)
