"""Round trips, and cutting one amount of cents into parts that sum to it."""

from __future__ import annotations

from datetime import date
from typing import Literal, NamedTuple

from trading.ledger.lots import DUST, Lot
from trading.ledger.position import Position
from trading.orders import Execution


class RoundTrip(NamedTuple):
    """A lot, or part of one, that was opened and closed: a row of ``trades``. Money is in cents.

    ``cost`` is the cash paid to open (negative for a short: cash received), commissions included;
    ``pnl`` is after the commissions of both fills. ``mae`` and ``mfe`` are over the entry price.
    """

    trade_id: str
    strategy: str
    symbol: str
    direction: Literal["long", "short"]
    quantity: float
    opened: date
    closed: date
    entry_price: float
    exit_price: float
    commissions: int
    pnl: int
    cost: int
    mae: float
    mfe: float
    sessions_held: int
    exit_reason: str


class Booking(NamedTuple):
    """What one execution did: realised cents after its commission, and the round trips it closed.

    ``realised`` is the sum of the round trips' ``pnl``; an execution that only opens realises nothing (its
    commission is part of the cost of the lot).
    """

    realised: int
    trips: tuple[RoundTrip, ...]


class Slices:
    """Cuts an execution's value and commission by quantity: the parts sum to the whole, to the cent.

    A part is the difference of two rounded running totals, so no cent is lost or made whatever the cuts.
    """

    __slots__ = ("_commission", "_given_commission", "_given_value", "_taken", "_value", "execution")

    def __init__(self, execution: Execution, value: int, commission: int) -> None:
        self.execution = execution
        self._value = value
        self._commission = commission
        self._taken = 0.0
        self._given_value = 0
        self._given_commission = 0

    @property
    def left(self) -> float:
        """Units not cut off yet; what rounding of fractions leaves behind counts as nothing."""
        left = self.execution.quantity - self._taken
        return left if left > self.execution.quantity * DUST else 0.0

    def cut(self, quantity: float) -> tuple[int, int]:
        """Value and commission, in cents, of the next ``quantity`` units."""
        self._taken += quantity
        share = self._taken / self.execution.quantity if self.left > 0.0 else 1.0
        value = round(self._value * share) - self._given_value
        commission = round(self._commission * share) - self._given_commission
        self._given_value += value
        self._given_commission += commission
        return value, commission


def round_trip(
    position: Position, part: Lot, execution: Execution, commission: int, pnl: int, session_number: int
) -> RoundTrip:
    """Round trip of a lot's closed part; of the exit's bar only the exit price widens its range."""
    entry, price = part.price, execution.price
    down = min(part.low, price) / entry - 1.0 if entry else 0.0
    up = max(part.high, price) / entry - 1.0 if entry else 0.0
    adverse, favourable = (down, up) if position.direction > 0 else (-up, -down)
    return RoundTrip(
        f"{part.execution_id}:{execution.execution_id}",
        position.strategy,
        position.symbol,
        "long" if position.direction > 0 else "short",
        part.quantity,
        part.opened,
        execution.session,
        entry,
        price,
        part.commission + commission,
        pnl,
        part.cost,
        min(adverse, 0.0),
        max(favourable, 0.0),
        session_number - part.opened_at,
        execution.purpose,
    )


def spun_off(lot: Lot, share: float, ratio: float, new_symbol: str) -> Lot:
    """Cut a share of a lot's cost off into a lot of the units received; prices by the same share."""
    cost, commission = round(lot.cost * share), round(lot.commission * share)
    lot.cost -= cost
    lot.commission -= commission
    factor = share / ratio
    return Lot(
        f"{lot.execution_id}+{new_symbol}",
        lot.quantity * ratio,
        lot.price * factor,
        cost,
        commission,
        lot.opened,
        lot.opened_at,
        lot.high * factor,
        lot.low * factor,
        lot.since,
    )
