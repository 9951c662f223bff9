"""The books of a book: cash, positions and results, exact to the cent after every event."""

from __future__ import annotations

from datetime import date
from math import floor, isfinite
from typing import Any

from trading.ledger.accounts import Account, Receivable
from trading.ledger.contracts import split_contract, underlying_of
from trading.ledger.lots import CLOSE_ONLY, DUST, WHOLE_BAR, LedgerError, Lot, to_cents
from trading.ledger.position import Position
from trading.ledger.trips import Booking, RoundTrip, Slices, round_trip, spun_off
from trading.orders import Execution, Side


class Ledger:
    """Cash, positions by strategy and symbol, receivables and results. Money is in integer cents.

    Rounding
    --------
    Every execution, dividend and mark is rounded to the cent once, half to even: value of the trade,
    commission, dividend of a position, market value of a position. Parts of a rounded amount (several
    lots closed by one execution, part of a lot) are cut so that they sum to it exactly. Hence, always::

        deposits + realised + unrealised + dividends == cash + market value + receivables

    Attributes
    ----------
    session : date, optional
        The session the ledger is in; ``session_number`` counts them.
    traded : int
        Value traded in the session.
    """

    __slots__ = (
        "_by_symbol",
        "accounts",
        "currency",
        "deposits",
        "positions",
        "receivables",
        "session",
        "session_number",
        "traded",
    )

    def __init__(self, capital: float = 0.0, currency: str = "USD") -> None:
        self.currency = currency
        self.deposits = to_cents(capital)
        self.positions: dict[tuple[str, str], Position] = {}
        self.accounts: dict[str, Account] = {}
        self.receivables: list[Receivable] = []
        self.session: date | None = None
        self.session_number = 0
        self.traded = 0
        self._by_symbol: dict[str, list[Position]] = {}

    # -------------------------------------------------------------------------------------------- totals

    @property
    def cash(self) -> int:
        """Cash in the book: deposits and what every strategy brought or took."""
        return self.deposits + sum(account.cash for account in self.accounts.values())

    @property
    def market_value(self) -> int:
        """Sum of the positions' market values; short positions are negative."""
        return sum(position.value for position in self.positions.values())

    @property
    def receivable(self) -> int:
        """Dividends earned and not yet paid."""
        return sum(account.receivables for account in self.accounts.values())

    @property
    def equity(self) -> int:
        """Cash, market value and receivables."""
        return self.cash + self.market_value + self.receivable

    @property
    def unrealised(self) -> int:
        """Market value less the cost of the open lots."""
        return sum(position.value - position.cost for position in self.positions.values())

    @property
    def realised(self) -> int:
        """Realised since the start, after commissions, without dividends."""
        return sum(account.realised for account in self.accounts.values())

    @property
    def realised_today(self) -> int:
        """Realised in the session."""
        return sum(account.realised_today for account in self.accounts.values())

    @property
    def dividends(self) -> int:
        """Earned since the start."""
        return sum(account.dividends for account in self.accounts.values())

    @property
    def commissions(self) -> int:
        """Paid since the start."""
        return sum(account.commissions for account in self.accounts.values())

    @property
    def exposure(self) -> int:
        """Sum of the absolute market values."""
        return sum(abs(position.value) for position in self.positions.values())

    def holdings(self, symbol: str) -> list[Position]:
        """Positions of every strategy in a symbol."""
        return self._by_symbol.get(symbol, [])

    # ------------------------------------------------------------------------------------------- the day

    def open_session(self, session: date) -> list[Receivable]:
        """Begin a session: pay what is due by it and set the figures of the day to zero.

        Returns
        -------
        list of Receivable
            The dividends paid into cash.
        """
        if self.session is not None and session <= self.session:
            raise LedgerError(f"session {session} does not follow {self.session}")
        self.session = session
        self.session_number += 1
        self.traded = 0
        for account in self.accounts.values():
            account.realised_today = 0
        due = [item for item in self.receivables if item.pay_date <= session]
        if due:
            self.receivables = [item for item in self.receivables if item.pay_date > session]
            for item in due:
                self._pay(item)
        return due

    def rest(self, symbol: str) -> None:
        """Leave a session out of how long a symbol has been held: its exchange was closed."""
        for position in self.holdings(symbol):
            position.rest()

    def convert(self, symbol: str, rate: float) -> None:
        """Value every position of a symbol at a rate of exchange; what it pays is converted with it, too.

        Parameters
        ----------
        rate : float
            Units of the ledger's currency for one of the symbol's.
        """
        for position in self.holdings(symbol):
            position.convert(rate)

    def mark(self, symbol: str, high: float, low: float, close: float) -> None:
        """Value every position of a symbol at the close of the session."""
        positions = self._by_symbol.get(symbol)
        if positions:
            session = self._today()
            for position in positions:
                position.mark(high, low, close, session)

    def deposit(self, amount: float) -> None:
        """Put capital in, or with a negative amount take it out."""
        self.deposits += to_cents(amount)

    def charge(self, strategy: str, amount: float) -> None:
        """Book a cost apart from an execution (a commission reported late, a fee) against realised profit."""
        account, cents = self._account(strategy), to_cents(amount)
        account.cash -= cents
        account.commissions += cents
        account.realised -= cents
        account.realised_today -= cents

    def adjust(self, strategy: str, *, cash: int, commission: int, realised: int) -> None:
        """Move the totals of a strategy, in cents; whoever does it sees to it that they add up."""
        account = self._account(strategy)
        account.cash += cash
        account.commissions += commission
        account.realised += realised
        account.realised_today += realised

    def keep(self, position: Position) -> None:
        """Hold a position whose lots have changed, in place of what was held before; none without lots."""
        position.refresh()
        known = self.positions.get((position.strategy, position.symbol))
        if known is position and position.lots:
            return
        if known is not None:
            self._remove(known)
        if position.lots:
            self._add(position)

    # ---------------------------------------------------------------------------------------- executions

    def apply(self, execution: Execution, multiplier: float = 1.0, rate: float = 1.0) -> Booking:
        """Book an execution: it closes the strategy's opposite lots, oldest first, and opens with the rest.

        Parameters
        ----------
        multiplier : float
            Units of the underlying in one contract.
        rate : float
            Units of the ledger's currency for one of the symbol's, in which price and commission are.
        """
        quantity, price = execution.quantity, execution.price
        if not (quantity > 0.0 and price >= 0.0 and isfinite(quantity * price)):
            raise LedgerError(
                f"execution {execution.execution_id} of {execution.symbol}: {quantity} at {price} is no trade"
            )
        value = round(quantity * price * multiplier * rate * 100.0)
        commission = to_cents(execution.commission * rate)
        direction = 1 if execution.side == "BUY" else -1
        account = self._account(execution.strategy)
        account.cash -= direction * value + commission
        account.commissions += commission
        self.traded += value
        slices = Slices(execution, value, commission)
        position = self.positions.get((execution.strategy, execution.symbol))
        trips: list[RoundTrip] = []
        if position is not None and position.direction != direction:
            trips = self._close(position, slices)
        if slices.left > 0.0:
            self._open(execution, slices, multiplier, rate)
        realised = sum(trip.pnl for trip in trips)
        account.realised += realised
        account.realised_today += realised
        return Booking(realised, tuple(trips))

    def _close(self, position: Position, slices: Slices) -> list[RoundTrip]:
        trips = []
        for lot in position.lots:
            if slices.left <= 0.0:
                break
            part = lot.take(min(lot.quantity, slices.left))
            value, commission = slices.cut(part.quantity)
            pnl = position.direction * value - commission - part.cost
            trips.append(round_trip(position, part, slices.execution, commission, pnl, self.session_number))
        position.refresh()
        if not position.lots:
            self._remove(position)
        return trips

    def _open(self, execution: Execution, slices: Slices, multiplier: float, rate: float) -> None:
        key = (execution.strategy, execution.symbol)
        direction = 1 if execution.side == "BUY" else -1
        position = self.positions.get(key)
        if position is None:
            position = Position(
                *key, direction, multiplier, execution.session, self.session_number, execution.price, rate
            )
            self._add(position)
        quantity = slices.left
        value, commission = slices.cut(quantity)
        price = execution.price
        position.see(price)
        position.lots.append(
            Lot(
                execution.execution_id,
                quantity,
                price,
                direction * value + commission,
                commission,
                execution.session,
                self.session_number,
                price,
                price,
                WHOLE_BAR if execution.phase == "open" else CLOSE_ONLY,
            )
        )
        position.refresh()

    # ----------------------------------------------------------------------------------- corporate actions

    def split(
        self, symbol: str, ratio: float, *, whole_units: bool = False, price: float | None = None
    ) -> list[tuple[Execution, Booking]]:
        """Split a symbol: units times ratio, prices divided by it, cost kept.

        Parameters
        ----------
        whole_units : bool
            Pay what is left of a unit in cash.
        price : float, optional
            Price per new unit for that cash; the last mark by default.

        Returns
        -------
        list of (Execution, Booking)
            The cash paid in lieu of fractions, as executions that nobody ordered.
        """
        if not (ratio > 0.0 and isfinite(ratio)):
            raise LedgerError(f"split of {symbol}: ratio {ratio} must be above 0")
        paid = []
        for position in list(self.holdings(symbol)):
            position.split(ratio)
            if whole_units:
                paid += self._cash_in_lieu(position, "split", price)
        return paid

    def dividend(self, symbol: str, amount: float, pay_date: date | None = None) -> list[Receivable]:
        """Entitle holdings to a dividend whose ex date is this session; call it before the day's executions.

        Units bought in the session itself are not entitled. A short position owes the dividend. Without a
        pay date, or with one that has come, it is paid at once.

        Parameters
        ----------
        amount : float
            Cash per unit held before the ex date, in the symbol's currency; it is converted at the rate that
            the position has then.
        """
        if not (amount >= 0.0 and isfinite(amount)):
            raise LedgerError(f"dividend of {symbol}: {amount} per unit is not payable")
        today = self._today()
        entitled = []
        for position in self.holdings(symbol):
            units = sum(lot.quantity for lot in position.lots if lot.opened_at < self.session_number)
            cents = round(position.direction * units * amount * position.rate * 100.0)
            if cents:
                entitled.append(Receivable(pay_date or today, position.strategy, symbol, cents))
        for item in entitled:
            account = self._account(item.strategy)
            account.dividends += item.amount
            account.receivables += item.amount
            if item.pay_date <= today:
                self._pay(item)
            else:
                self.receivables.append(item)
        return entitled

    def delisting(self, symbol: str, price: float | None = None) -> list[tuple[Execution, Booking]]:
        """Close every position of a symbol at its final cash per unit, or at the last mark."""
        closed = []
        for position in list(self.holdings(symbol)):
            final = position.price if price is None else price
            closed.append(self._by_cause(position, "delisting", abs(position.quantity), final))
        return closed

    def spin_off(
        self, symbol: str, new_symbol: str, ratio: float, price: float = 0.0, *, whole_units: bool = False
    ) -> list[tuple[Execution, Booking]]:
        """Receive ``ratio`` units of a new symbol per unit held.

        The cost of every lot is divided between the old and the new units by their values at the last mark
        of the old symbol and ``price``, the first price of the new one (0: all of it stays).

        Returns
        -------
        list of (Execution, Booking)
            The cash paid in lieu of fractions.
        """
        if not (ratio > 0.0 and price >= 0.0 and isfinite(ratio * price)):
            raise LedgerError(
                f"spin-off of {new_symbol} from {symbol}: ratio {ratio} at {price} is not bookable"
            )
        paid = []
        for position in list(self.holdings(symbol)):
            received = self._receiving(position, new_symbol, price)
            share = min(price * ratio / position.price, 1.0) if position.price > 0.0 else 0.0
            received.lots += [spun_off(lot, share, ratio, new_symbol) for lot in position.lots]
            position.scale_prices(1.0 - share)
            position.refresh()
            received.refresh()
            if whole_units:
                paid += self._cash_in_lieu(received, "spin_off", price)
        return paid

    def rename(self, symbol: str, new_symbol: str) -> None:
        """Keep every position of a symbol under another one."""
        for position in list(self.holdings(symbol)):
            if (position.strategy, new_symbol) in self.positions:
                raise LedgerError(f"rename of {symbol}: {position.strategy} already holds {new_symbol}")
            self._remove(position)
            position.symbol = new_symbol
            self._add(position)

    def split_options(self, underlying: str, ratio: float) -> dict[str, str]:
        """Adjust the option contracts held on an underlying that splits (see ``split_contract``).

        Working orders in these contracts are the caller's to cancel, as the exchanges do.

        Returns
        -------
        dict
            Old symbol to new symbol.
        """
        names = {}
        for symbol in list(self._by_symbol):
            if underlying_of(symbol) == underlying:
                terms = split_contract(symbol, ratio)
                if terms is not None:
                    self.split(symbol, terms.contracts)
                    self.rename(symbol, terms.symbol)
                    names[symbol] = terms.symbol
        return names

    def _cash_in_lieu(
        self, position: Position, cause: str, price: float | None
    ) -> list[tuple[Execution, Booking]]:
        units = abs(position.quantity)
        fraction = units - floor(units + DUST)
        if fraction <= DUST * max(units, 1.0):
            return []
        return [self._by_cause(position, cause, fraction, position.price if price is None else price)]

    def _by_cause(
        self, position: Position, cause: str, quantity: float, price: float
    ) -> tuple[Execution, Booking]:
        today = self._today()
        execution = Execution(
            f"{cause}:{position.symbol}:{position.strategy}:{today}",
            "",
            position.strategy,
            position.symbol,
            cause,
            _opposite(position),
            quantity,
            price,
            0.0,
            0.0,
            today,
            "open",
        )
        return execution, self.apply(execution, position.multiplier, position.rate)

    def _receiving(self, position: Position, new_symbol: str, price: float) -> Position:
        found = self.positions.get((position.strategy, new_symbol))
        if found is not None:
            if found.direction != position.direction:
                raise LedgerError(
                    f"spin-off of {new_symbol}: {position.strategy} holds it the other way; close it"
                )
            return found
        received = Position(
            position.strategy,
            new_symbol,
            position.direction,
            1.0,
            position.opened,
            position.opened_at,
            price,
            position.rate,
        )
        received.marked = self._today()
        self._add(received)
        return received

    # --------------------------------------------------------------------------------------------- state

    def to_state(self) -> dict[str, Any]:
        """Everything the next session starts from, as JSON values; floats survive JSON exactly."""
        return {
            "currency": self.currency,
            "deposits": self.deposits,
            "session": None if self.session is None else self.session.isoformat(),
            "session_number": self.session_number,
            "traded": self.traded,
            "positions": [position.to_state() for position in self.positions.values()],
            "accounts": {name: account.to_state() for name, account in self.accounts.items()},
            "receivables": [item.to_state() for item in self.receivables],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Ledger:
        """Ledger that goes on as if it had never stopped."""
        ledger = cls(currency=state["currency"])
        ledger.deposits = state["deposits"]
        ledger.session = date.fromisoformat(state["session"]) if state["session"] else None
        ledger.session_number = state["session_number"]
        ledger.traded = state["traded"]
        ledger.accounts = {name: Account(**totals) for name, totals in state["accounts"].items()}
        ledger.receivables = [Receivable.from_state(item) for item in state["receivables"]]
        for item in state["positions"]:
            ledger._add(Position.from_state(item))
        return ledger

    # ------------------------------------------------------------------------------------------- indexes

    def _account(self, strategy: str) -> Account:
        account = self.accounts.get(strategy)
        if account is None:
            account = self.accounts[strategy] = Account()
        return account

    def _pay(self, item: Receivable) -> None:
        account = self._account(item.strategy)
        account.receivables -= item.amount
        account.cash += item.amount

    def _add(self, position: Position) -> None:
        self.positions[position.strategy, position.symbol] = position
        self._by_symbol.setdefault(position.symbol, []).append(position)

    def _remove(self, position: Position) -> None:
        del self.positions[position.strategy, position.symbol]
        holders = self._by_symbol[position.symbol]
        holders.remove(position)
        if not holders:
            del self._by_symbol[position.symbol]

    def _today(self) -> date:
        if self.session is None:
            raise LedgerError("the ledger is in no session yet: call open_session first")
        return self.session


def _opposite(position: Position) -> Side:
    return "SELL" if position.direction > 0 else "BUY"
