"""What a broker tells of an execution after it was booked: another commission, a correction, a bust.

Nothing that was booked is booked again or taken out: the difference is booked in the session that learned
of it. Cash, units and equity are then those of a ledger that had booked the final version at once. Lots
that the execution opened change in place. Where they have been closed since, or where the execution closed
others, the round trips are undone: what the execution had closed is held again at its own cost.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Literal, NamedTuple

from trading.ledger.ledger import Ledger
from trading.ledger.lots import CLOSE_ONLY, DUST, LedgerError, Lot, to_cents
from trading.ledger.position import Position
from trading.ledger.trips import Booking, RoundTrip, round_trip
from trading.orders import Execution, Side

Cause = Literal["commission_adjustment", "correction", "bust"]
PART = "/"
"""Between the id of an execution and the number of a later row of it."""


class Terms(NamedTuple):
    """Quantity, price and commission of an execution; a quantity of 0: it was taken back."""

    quantity: float
    price: float
    commission: float

    def agree(self, other: Terms) -> bool:
        """Whether both say the same of units and price."""
        return _same(self.quantity, other.quantity) and (not self.quantity or _same(self.price, other.price))


class Booked(NamedTuple):
    """One row that the ledger has of an execution: the first, or of a later change."""

    side: Side
    quantity: float
    price: float
    commission: float


class Amendment(NamedTuple):
    """Difference between what was booked of an execution and what the broker says now.

    Attributes
    ----------
    execution : Execution
        As it was booked first, with the session in which the difference is booked.
    was, now : Terms
        In the units of the day of the execution.
    number : int
        Rows that the ledger has of the execution.
    ratio : float
        Units now per unit then: splits since.
    trips : tuple of (RoundTrip, int)
        Round trips that it opened or closed, oldest first, in the units of now; each with the number of
        sessions since it was closed.
    """

    execution: Execution
    was: Terms
    now: Terms
    number: int = 1
    ratio: float = 1.0
    trips: tuple[tuple[RoundTrip, int], ...] = ()

    @property
    def cause(self) -> Cause:
        """What the broker has done to the execution."""
        if not self.now.quantity:
            return "bust"
        return "commission_adjustment" if self.was.agree(self.now) else "correction"

    @property
    def units(self) -> float:
        """Signed change of the holding."""
        return _sign(self.execution.side) * (self.now.quantity - self.was.quantity) * self.ratio

    def cash(self, multiplier: float = 1.0) -> int:
        """Change of cash in cents."""
        paid = _value(self.now, multiplier) - _value(self.was, multiplier)
        return -_sign(self.execution.side) * paid - self.commission

    @property
    def commission(self) -> int:
        """Change of the commission in cents."""
        return to_cents(self.now.commission) - to_cents(self.was.commission)


def first_id(identity: str) -> str:
    """Id of an execution, from that of any of its rows."""
    return identity.partition(PART)[0]


def booked_terms(rows: Iterable[Booked]) -> Terms:
    """What the rows of an execution add up to, oldest first.

    A row of units on the other side takes the execution back, one on its own side books it again.
    """
    side, quantity, price, commission = "", 0.0, 0.0, 0.0
    for row in rows:
        side = side or row.side
        commission += row.commission
        if row.quantity:
            quantity, price = (row.quantity, row.price) if row.side == side else (0.0, row.price)
    return Terms(quantity, price, commission)


def changed_terms(was: Terms, now: Terms) -> bool:
    """Whether anything is left to book."""
    return not was.agree(now) or to_cents(was.commission) != to_cents(now.commission)


def amend(ledger: Ledger, amendment: Amendment, multiplier: float = 1.0) -> list[tuple[Execution, Booking]]:
    """Book an amendment.

    Returns
    -------
    list of (Execution, Booking)
        Rows that say so, in the units of now: one of no units for a commission, one on the other side for
        a bust, that and the execution as it stands now for a correction. The last one carries what was
        realised, which is all that the change of cash does not leave in the cost of lots.

    Raises
    ------
    LedgerError
        When the broker's version is no trade.
    """
    execution, now = amendment.execution, amendment.now
    if not (now.quantity >= 0.0 and now.price >= 0.0 and isfinite(now.quantity * now.price)):
        raise LedgerError(
            f"execution {execution.execution_id} of {execution.symbol}: amended to {now.quantity} at "
            f"{now.price}, which is no trade"
        )
    key = (execution.strategy, execution.symbol)
    before = ledger.positions.get(key)
    cost = before.cost if before else 0
    trips = _Holding(ledger, amendment, multiplier).amend()
    after = ledger.positions.get(key)
    cash = amendment.cash(multiplier)
    realised = cash + (after.cost if after else 0) - cost
    ledger.adjust(execution.strategy, cash=cash, commission=amendment.commission, realised=realised)
    *rows, last = _rows(amendment)
    return [*((row, Booking(0, ())) for row in rows), (last, Booking(realised, tuple(trips)))]


class _Holding:
    """The lots that an amendment finds, and what it makes of them."""

    def __init__(self, ledger: Ledger, amendment: Amendment, multiplier: float) -> None:
        execution = amendment.execution
        self.ledger = ledger
        self.amendment = amendment
        self.multiplier = multiplier
        self.root = execution.execution_id
        self.direction = _sign(execution.side)
        self.position = ledger.positions.get((execution.strategy, execution.symbol))
        self.opened = sum(lot.quantity for lot in self._own())

    def amend(self) -> list[RoundTrip]:
        """Change the lots; the round trips that an execution which has grown closes."""
        more = (self.amendment.now.quantity - self.amendment.was.quantity) * self.amendment.ratio
        own = self._own()
        trips: list[RoundTrip] = []
        if own:
            more = self._change(own, more)
        if more < -self._dust:
            self._undo(-more)
        elif more > self._dust:
            trips = self._grow(more)
        if self.position is not None:
            self.ledger.keep(self.position)
        return trips

    @property
    def _dust(self) -> float:
        return max(self.amendment.was.quantity, self.amendment.now.quantity) * self.amendment.ratio * DUST

    def _own(self) -> list[Lot]:
        """Lots that the execution opened and that are still open."""
        if self.position is None or self.position.direction != self.direction:
            return []
        return [lot for lot in self.position.lots if lot.execution_id == self.root]

    def _unit(self, terms: Terms) -> tuple[float, float]:
        """Cost and commission in cents of one unit of now."""
        units = terms.quantity * self.amendment.ratio
        if not units:
            return 0.0, 0.0
        commission = to_cents(terms.commission)
        return (self.direction * _value(terms, self.multiplier) + commission) / units, commission / units

    def _change(self, own: list[Lot], more: float) -> float:
        """Price the open lots anew and let the last of them grow or shrink; units left to deal with."""
        assert self.position is not None  # noqa: S101 - for the type checker
        was, now = self._unit(self.amendment.was), self._unit(self.amendment.now)
        gap = (self.amendment.now.price - self.amendment.was.price) / self.amendment.ratio
        for lot in reversed(own):
            units = max(lot.quantity + more, 0.0)
            units = units if units > self._dust else 0.0
            more += lot.quantity - units
            share = units / lot.quantity
            lot.cost = round(lot.cost * share + (now[0] - was[0]) * units)
            lot.commission = round(lot.commission * share + (now[1] - was[1]) * units)
            lot.quantity = units
            if units:
                lot.price += gap
                lot.see(lot.price, lot.price)
                self.position.see(lot.price)
        return more

    # ------------------------------------------------------------------------------------- what is undone

    def _undo(self, units: float) -> None:
        """Hold again what the execution had closed, or what had closed it; the rest is sold back."""
        for part in self._counterparts():
            if units <= self._dust:
                return
            lot = part.take(min(units, part.quantity))
            units -= lot.quantity
            self._enter(lot)
        if units > self._dust:
            self._enter(self._sold_back(units))

    def _counterparts(self) -> list[Lot]:
        """The other sides of the round trips that still count, newest first."""
        amendment = self.amendment
        done = amendment.was.quantity * amendment.ratio - self.opened
        known = sum(trip.quantity for trip, _ in amendment.trips)
        undone = max(known - done, 0.0)  # by amendments before this one, which began with the newest, too
        lots = []
        for trip, ago in reversed(amendment.trips):
            lot = self._other_side(trip, self.ledger.session_number - ago)
            gone = min(undone, lot.quantity)
            undone -= gone
            if gone > self._dust:
                lot.take(gone)
            if lot.quantity > self._dust:
                lots.append(lot)
        return lots

    def _other_side(self, trip: RoundTrip, closed_at: int) -> Lot:
        """The lot that a round trip leaves when an execution of it is taken back: what the other one did."""
        opening, _, closing = trip.trade_id.partition(":")
        sign = 1 if trip.direction == "long" else -1
        paid = trip.cost - sign * round(trip.entry_price * trip.quantity * self.multiplier * 100.0)
        paid = min(max(paid, 0), trip.commissions)
        if opening == self.root:
            price, cost = trip.exit_price, -(trip.pnl + trip.cost)
            left = trip.commissions - paid
            first = first_id(closing)
            return Lot(
                first, trip.quantity, price, cost, left, trip.closed, closed_at, price, price, CLOSE_ONLY
            )
        price, age = trip.entry_price, closed_at - trip.sessions_held
        best, worst = price * (1 + sign * trip.mfe), price * (1 + sign * trip.mae)
        high, low = max(best, worst), min(best, worst)
        return Lot(opening, trip.quantity, price, trip.cost, paid, trip.opened, age, high, low)

    def _sold_back(self, units: float) -> Lot:
        """The opposite of the execution at its own price, where nothing tells what it was closed by."""
        cost, commission = self._unit(self.amendment.was)
        return Lot(
            f"{self.root}{PART}{self.amendment.number + 1}",
            units,
            self.amendment.was.price / self.amendment.ratio,
            -round((cost - commission) * units),
            0,
            self.amendment.execution.session,
            self.ledger.session_number,
            self.amendment.was.price / self.amendment.ratio,
            self.amendment.was.price / self.amendment.ratio,
            CLOSE_ONLY,
        )

    def _enter(self, lot: Lot) -> None:
        """Hold a lot of the other direction; lots of the execution's own direction go against it first."""
        position, direction = self.position, -self.direction
        if position is not None and position.direction != direction:
            for held in position.lots:
                if lot.quantity <= self._dust:
                    break
                lot.take(held.take(min(held.quantity, lot.quantity)).quantity)
            position.lots = [held for held in position.lots if held.quantity > self._dust]
        if lot.quantity > self._dust:
            self._hold(lot, direction)

    # -------------------------------------------------------------------------------------- what is added

    def _grow(self, units: float) -> list[RoundTrip]:
        """Book units that the execution has gained: they close, oldest first, and open with the rest."""
        execution, now = self.amendment.execution, self.amendment.now
        price, number = now.price / self.amendment.ratio, self.ledger.session_number
        cost, commission = self._unit(now)
        gained = execution._replace(execution_id=f"{self.root}{PART}{self.amendment.number + 1}", price=price)
        trips: list[RoundTrip] = []
        position = self.position
        if position is not None and position.direction != self.direction:
            for held in position.lots:
                if units <= self._dust:
                    break
                part = held.take(min(held.quantity, units))
                units -= part.quantity
                paid = round(commission * part.quantity)
                pnl = -round(cost * part.quantity) - part.cost
                trips.append(round_trip(position, part, gained, paid, pnl, number))
            position.lots = [held for held in position.lots if held.quantity > self._dust]
        if units > self._dust:
            lot = Lot(
                self.root,
                units,
                price,
                round(cost * units),
                round(commission * units),
                execution.session,
                number,
                price,
                price,
                CLOSE_ONLY,
            )
            self._hold(lot, self.direction)
        return trips

    def _hold(self, lot: Lot, direction: int) -> None:
        """Put a lot among the others of its direction, by its age; or begin a position with it."""
        position, execution = self.position, self.amendment.execution
        if position is None or not position.lots:
            began = Position(
                execution.strategy,
                execution.symbol,
                direction,
                position.multiplier if position else self.multiplier,
                lot.opened,
                lot.opened_at,
                lot.price,
            )
            began.marked = execution.session
            if position is not None:
                began.price, began.marked = position.price, position.marked
            began.see(lot.high)
            began.see(lot.low)
            position = self.position = began
        position.lots.append(lot)
        position.lots.sort(key=lambda held: held.opened_at)
        position.see(lot.price)
        if lot.opened_at < position.opened_at:
            position.opened, position.opened_at = lot.opened, lot.opened_at


def _rows(amendment: Amendment) -> list[Execution]:
    execution, was, now, ratio = amendment.execution, amendment.was, amendment.now, amendment.ratio
    named = execution._replace(purpose=amendment.cause, slippage=0.0)
    number = amendment.number

    def row(side: Side, terms: Terms, commission: float, number: int) -> Execution:
        identity = f"{execution.execution_id}{PART}{number}" if number > 1 else execution.execution_id
        return named._replace(
            execution_id=identity,
            side=side,
            quantity=terms.quantity * ratio,
            price=terms.price / ratio,
            commission=commission,
        )

    if was.agree(now):
        nothing = now._replace(quantity=0.0)
        return [row(execution.side, nothing, now.commission - was.commission, number + 1)]
    if not was.quantity:
        return [row(execution.side, now, now.commission - was.commission, number + 1)]
    opposite: Side = "SELL" if execution.side == "BUY" else "BUY"
    if not now.quantity:
        return [row(opposite, was, now.commission - was.commission, number + 1)]
    return [
        row(opposite, was, -was.commission, number + 1),
        row(execution.side, now, now.commission, number + 2),
    ]


def _value(terms: Terms, multiplier: float) -> int:
    return round(terms.quantity * terms.price * multiplier * 100.0)


def _sign(side: Side) -> int:
    return 1 if side == "BUY" else -1


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-9 * max(abs(one), abs(other))
