"""Slippage that grows with the square root of the order's share of the bar's volume."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from trading.orders import Bar, Side
from trading.slippage.base import against


@dataclass(frozen=True, slots=True)
class SquareRootSlippage:
    """``price x (1 +- coefficient x sqrt(quantity / volume))``.

    The square-root law of market impact, ``I = Y sigma sqrt(Q / V)`` (Almgren, Thum, Hauptmann and Li,
    "Direct estimation of equity market impact", Risk 2005; Toth et al., "Anomalous price impact and the
    critical nature of liquidity in financial markets", Physical Review X 1, 2011), with Y (about 1) and
    the daily volatility sigma folded into one coefficient: 0.02 suits a stock of 2 % a day.

    Attributes
    ----------
    coefficient : float
        Impact of an order as large as the bar, as a share of the price.
    """

    coefficient: float

    def price(self, side: Side, price: float, quantity: float, bar: Bar) -> float:
        """Price moved by the impact of the order; a bar without volume counts as the whole of it."""
        share = quantity / bar.volume if bar.volume > 0 else 1.0
        return against(side, price, price * self.coefficient * sqrt(share))
