"""What a slippage model is: the distance between the price of the bar and the price paid."""

from __future__ import annotations

from typing import Protocol

from trading.orders import Bar, Side


class Slippage(Protocol):
    """Moves the price of an order that takes liquidity against it.

    Market orders, market-on-close orders and triggered stops pay slippage; a limit order never does, and
    a stop-limit order pays it up to its limit. The result is not clamped to the bar's high and low: a
    stop filled at the low of its bar would otherwise cost nothing. It is never below zero.
    """

    def price(self, side: Side, price: float, quantity: float, bar: Bar) -> float:
        """Price paid for ``quantity`` units by an order that would trade at ``price`` without slippage."""
        ...


def against(side: Side, price: float, distance: float) -> float:
    """Price moved by a distance in cash per unit against the side, never below zero."""
    if side == "BUY":
        return price + distance
    return max(price - distance, 0.0)
