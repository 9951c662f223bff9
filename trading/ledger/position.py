"""A position: the open lots of one strategy in one symbol, marked to market in cents."""

from __future__ import annotations

from datetime import date
from typing import Any

from trading.ledger.lots import CLOSE_ONLY, Lot


class Position:
    """Open lots of one direction, oldest first. Money is in cents.

    Attributes
    ----------
    direction : int
        1 long, -1 short.
    quantity : float
        Signed units: the sum of the lots.
    cost, value : int
        Cash paid for the open lots (negative for a short position), and what they are worth at ``price``.
    price : float
        The mark, and ``marked`` the session it is from.
    rate : float
        Units of the ledger's currency for one of the currency of ``price``.
    opened : date
        Session of the first fill, ``opened_at`` its number.
    high, low : float
        Highest and lowest price since the first fill, split-adjusted.
    """

    __slots__ = (
        "cost",
        "direction",
        "high",
        "lots",
        "low",
        "marked",
        "multiplier",
        "opened",
        "opened_at",
        "price",
        "quantity",
        "rate",
        "strategy",
        "symbol",
        "value",
    )

    def __init__(
        self,
        strategy: str,
        symbol: str,
        direction: int,
        multiplier: float,
        opened: date,
        opened_at: int,
        price: float,
        rate: float = 1.0,
    ) -> None:
        self.strategy = strategy
        self.symbol = symbol
        self.direction = direction
        self.multiplier = multiplier
        self.opened = opened
        self.opened_at = opened_at
        self.rate = rate
        self.price = self.high = self.low = price
        self.marked = opened
        self.lots: list[Lot] = []
        self.quantity = 0.0
        self.cost = 0
        self.value = 0

    @property
    def unrealised(self) -> int:
        """Market value less cost."""
        return self.value - self.cost

    @property
    def entry_price(self) -> float:
        """Average price of the open lots, split-adjusted, commissions left out."""
        units = sum(lot.quantity for lot in self.lots)
        return sum(lot.quantity * lot.price for lot in self.lots) / units

    @property
    def average_cost(self) -> float:
        """Cost per unit in the ledger's currency, commissions included."""
        return self.cost / (self.quantity * self.multiplier * 100.0)

    def mark(self, high: float, low: float, close: float, session: date) -> None:
        """Value the position at the close and widen the ranges of its lots by the bar."""
        for lot in self.lots:
            if lot.since == CLOSE_ONLY and lot.opened == session:
                lot.see(close, close)
            else:
                lot.see(high, low)
        oldest = self.lots[0]
        self.high = max(self.high, oldest.high)
        self.low = min(self.low, oldest.low)
        self.price = close
        self.marked = session
        self._value()

    def convert(self, rate: float) -> None:
        """Value the position at another rate of exchange."""
        self.rate = rate
        self._value()

    def rest(self) -> None:
        """Leave one session out of the time that the position and its lots have been held."""
        self.opened_at += 1
        for lot in self.lots:
            lot.opened_at += 1

    def see(self, price: float) -> None:
        """Widen the range of prices since the first fill."""
        self.high = max(self.high, price)
        self.low = min(self.low, price)

    def refresh(self) -> None:
        """Recompute the sums after the lots have changed."""
        self.lots = [lot for lot in self.lots if lot.quantity > 0.0]
        self.quantity = self.direction * sum(lot.quantity for lot in self.lots)
        self.cost = sum(lot.cost for lot in self.lots)
        self._value()

    def _value(self) -> None:
        self.value = round(self.quantity * self.price * self.multiplier * self.rate * 100.0)

    def split(self, ratio: float) -> None:
        """Multiply the units and divide the prices; the cost stays."""
        for lot in self.lots:
            lot.split(ratio)
        self.price /= ratio
        self.high /= ratio
        self.low /= ratio
        self.refresh()

    def scale_prices(self, factor: float) -> None:
        """Multiply the prices of the mark and of every lot; units and cost stay."""
        for lot in self.lots:
            lot.scale_prices(factor)
        self.price *= factor
        self.high *= factor
        self.low *= factor

    def to_state(self) -> dict[str, Any]:
        """Contents as JSON values."""
        return {
            "strategy": self.strategy,
            "symbol": self.symbol,
            "direction": self.direction,
            "multiplier": self.multiplier,
            "opened": self.opened.isoformat(),
            "opened_at": self.opened_at,
            "price": self.price,
            "rate": self.rate,
            "marked": self.marked.isoformat(),
            "high": self.high,
            "low": self.low,
            "lots": [lot.to_state() for lot in self.lots],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Position:
        """Position from what ``to_state`` gave."""
        position = cls(
            state["strategy"],
            state["symbol"],
            state["direction"],
            state["multiplier"],
            date.fromisoformat(state["opened"]),
            state["opened_at"],
            state["price"],
            state["rate"],
        )
        position.marked = date.fromisoformat(state["marked"])
        position.high, position.low = state["high"], state["low"]
        position.lots = [Lot.from_state(lot) for lot in state["lots"]]
        position.refresh()
        return position
