"""The simulated account: cash, positions, profit and loss, and the values that clients ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, NamedTuple

ACCOUNT = "SIM000001"
"""Name of the first account: nobody may take it for a real one."""

_DUST = 1e-9


@cache
def account_names(count: int) -> tuple[str, ...]:
    """Names of so many accounts, as they are called inside a gateway."""
    return tuple(f"SIM{number:06d}" for number in range(1, count + 1))


class Booking(NamedTuple):
    """One movement of the account.

    ``quantity`` is signed; ``amount`` is cash besides the trade, such as a deposit or a dividend; a split
    gives its ratio, a move to another contract its id. ``commission`` is in the currency, to the cent.
    """

    kind: Literal["trade", "cash", "split", "move"]
    con_id: int = 0
    quantity: float = 0.0
    price: float = 0.0
    multiplier: float = 1.0
    commission: float = 0.0
    amount: float = 0.0
    ratio: float = 1.0
    currency: str = "USD"
    reference: str = ""
    account: str = ACCOUNT
    to: int = 0


@dataclass(slots=True)
class Position:
    """Units held of one contract; ``average_cost`` is per contract, commissions and multiplier included."""

    quantity: float = 0.0
    average_cost: float = 0.0
    multiplier: float = 1.0
    currency: str = "USD"
    realised: float = 0.0


@dataclass(slots=True)
class Account:
    """Cash in whole cents and positions, the result of its bookings in order."""

    cents: dict[str, int] = field(default_factory=dict)
    positions: dict[int, Position] = field(default_factory=dict)
    realised: float = 0.0

    def book(self, booking: Booking) -> float:
        """Apply one movement and return what it realised."""
        if booking.kind == "cash":
            self._move(booking.currency, booking.amount)
            return 0.0
        position = self.positions.setdefault(
            booking.con_id, Position(multiplier=booking.multiplier, currency=booking.currency)
        )
        if booking.kind == "move":
            self.positions[booking.con_id] = Position(0.0, 0.0, position.multiplier, position.currency)
            self.positions[booking.to] = position
            return 0.0
        if booking.kind == "split":
            position.quantity *= booking.ratio
            position.average_cost /= booking.ratio
            return 0.0
        return self._trade(position, booking)

    def cash(self, currency: str = "USD") -> float:
        """Cash of one currency."""
        return self.cents.get(currency, 0) / 100

    def held(self) -> dict[int, Position]:
        """Positions that are not flat."""
        return {number: held for number, held in self.positions.items() if abs(held.quantity) > _DUST}

    def _move(self, currency: str, amount: float) -> None:
        self.cents[currency] = self.cents.get(currency, 0) + round(amount * 100)

    def _trade(self, position: Position, booking: Booking) -> float:
        value = booking.quantity * booking.price * booking.multiplier
        self._move(booking.currency, -value)
        self._move(booking.currency, -booking.commission)
        unit = booking.price * booking.multiplier
        before = position.quantity
        after = before + booking.quantity
        position.quantity = after if abs(after) > _DUST else 0.0
        if before * booking.quantity >= 0:
            paid = value + booking.commission
            position.average_cost = (before * position.average_cost + paid) / after if after else 0.0
            return 0.0
        closed = min(abs(before), abs(booking.quantity)) * (1 if before > 0 else -1)
        realised = closed * (unit - position.average_cost) - booking.commission
        if before * after < 0:
            position.average_cost = unit
        position.realised += realised
        self.realised += realised
        return round(realised, 2)


def replay(bookings: Iterable[Booking]) -> Account:
    """Account after all movements."""
    account = Account()
    for booking in bookings:
        account.book(booking)
    return account


class Valuation(NamedTuple):
    """The account at current prices, in the base currency."""

    cash: float
    stock_value: float
    option_value: float
    gross_value: float
    unrealised: float
    realised: float
    initial_margin: float
    maintenance_margin: float

    @property
    def net_liquidation(self) -> float:
        """Cash and everything held."""
        return self.cash + self.stock_value + self.option_value

    @property
    def equity_with_loan(self) -> float:
        """Equity that margin is lent on: options do not count."""
        return self.cash + self.stock_value


def account_values(
    valuation: Valuation, cash: Mapping[str, tuple[float, float]], currency: str, account: str
) -> list[tuple[str, str, str]]:
    """Tag, value and currency of everything an account update reports.

    Parameters
    ----------
    cash : mapping
        Cash by currency, and units of the base currency for one of it.
    """
    net = valuation.net_liquidation
    available = valuation.equity_with_loan - valuation.initial_margin
    amounts = {
        "NetLiquidation": net,
        "TotalCashValue": valuation.cash,
        "SettledCash": valuation.cash,
        "AccruedCash": 0.0,
        "EquityWithLoanValue": valuation.equity_with_loan,
        "PreviousEquityWithLoanValue": valuation.equity_with_loan,
        "GrossPositionValue": valuation.gross_value,
        "StockMarketValue": valuation.stock_value,
        "OptionMarketValue": valuation.option_value,
        "InitMarginReq": valuation.initial_margin,
        "MaintMarginReq": valuation.maintenance_margin,
        "FullInitMarginReq": valuation.initial_margin,
        "FullMaintMarginReq": valuation.maintenance_margin,
        "AvailableFunds": available,
        "FullAvailableFunds": available,
        "ExcessLiquidity": valuation.equity_with_loan - valuation.maintenance_margin,
        "FullExcessLiquidity": valuation.equity_with_loan - valuation.maintenance_margin,
        "BuyingPower": max(available, 0.0) * 4,
        "UnrealizedPnL": valuation.unrealised,
        "RealizedPnL": valuation.realised,
    }
    rows = [
        ("AccountCode", account, ""),
        ("AccountReady", "true", ""),
        ("AccountType", "INDIVIDUAL", ""),
        *((tag, f"{amount:.2f}", currency) for tag, amount in amounts.items()),
        ("Cushion", f"{(available / net) if net else 0.0:.6f}", ""),
        ("Leverage-S", f"{(valuation.gross_value / net) if net else 0.0:.2f}", ""),
        ("DayTradesRemaining", "-1", ""),
        ("Currency", "BASE", "BASE"),
        ("CashBalance", f"{valuation.cash:.2f}", "BASE"),
        ("NetLiquidationByCurrency", f"{net:.2f}", "BASE"),
        ("ExchangeRate", "1.00", "BASE"),
    ]
    for code, (amount, rate) in cash.items():
        rows += [
            ("Currency", code, code),
            ("CashBalance", f"{amount:.2f}", code),
            ("ExchangeRate", f"{rate:.8g}" if rate != 1.0 else "1.00", code),
        ]
    return rows


def margin(sec_type: str, quantity: float, price: float, multiplier: float) -> tuple[float, float]:
    """Initial and maintenance margin of a position, by the rules of a Regulation T account.

    Stocks 50 and 25 % long, 50 and 30 % short; options nothing long and 20 % of the notional short;
    futures 10 and 8 %; currencies 3 and 2 %; crypto in full.
    """
    value = abs(quantity) * price * multiplier
    long = quantity > 0
    rates = {
        "STK": (0.5, 0.25 if long else 0.3),
        "OPT": (0.0, 0.0) if long else (2.0, 2.0),
        "FUT": (0.1, 0.08),
        "CASH": (0.03, 0.02),
        "CRYPTO": (1.0, 1.0),
    }
    initial, maintenance = rates.get(sec_type, (1.0, 1.0))
    return value * initial, value * maintenance


def booking_from(record: Mapping[str, Any]) -> Booking:
    """Booking of a journal record."""
    return Booking(**{name: record[name] for name in Booking._fields if name in record})
