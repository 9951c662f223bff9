"""What the steps of one decision share: the day, the account, the rows that they leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from trading.gates import Account, Entry, Verdict, verdicts_json
from trading.liquidity import Book, check_liquidity
from trading.orders import Order, Side, order_ref
from trading.rules import Policy
from trading.signals import Candidate, Signal
from trading.sizing import Size
from trading.state import BookState, Key
from trading.ticks import on_step
from trading.window import Instrument, PriceWindow, SessionTimes

UNKNOWN = Instrument("stock", None, 1.0)


class Regime(NamedTuple):
    """Market regime of a session as the gates read it."""

    name: str
    size_multiplier: float
    max_positions: int


@dataclass(frozen=True, slots=True)
class Day:
    """One session as a decision sees it.

    Attributes
    ----------
    index : int
        Row of the session in ``prices``.
    signals : sequence of Signal
        By strategy, best first.
    candidates : mapping
        Strategy to its candidates of the session, best first.
    opening_equity : float
        Equity at the close of the session before.
    order_books : mapping
        Symbol to the newest fresh snapshot of its order book; empty in a book that does not look at them.
    """

    times: SessionTimes
    index: int
    prices: PriceWindow
    signals: Sequence[Signal]
    candidates: Mapping[str, Sequence[Candidate]]
    regime: Regime | None
    opening_equity: float
    order_books: Mapping[str, Book] = field(default_factory=dict)


@dataclass(slots=True)
class Decisions:
    """What was decided.

    Attributes
    ----------
    rows : list of tuple
        Rows of the ``orders`` table, in the order of ``journal.SCHEMAS["orders"]``.
    orders : list of Order
        Approved orders to place.
    changes : list of (str, float, str)
        Working orders to change: reference, new price, new purpose.
    sizes : dict
        Working orders to change in quantity: reference to units that are to work.
    cancels : list of str
        Working orders to cancel.
    """

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    changes: list[tuple[str, float, str]] = field(default_factory=list)
    sizes: dict[str, float] = field(default_factory=dict)
    cancels: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Desk:
    """What the steps of one decision share."""

    policy: Policy
    state: BookState
    day: Day
    account: Account
    decided: Decisions
    used: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def reference(self, strategy: str, symbol: str, purpose: str) -> str:
        """Identity of the next order of a strategy, symbol and purpose in this decision."""
        key = (strategy, symbol, purpose)
        sequence = self.used[key]
        self.used[key] += 1
        return order_ref(self.policy.book.name, self.day.times.session, strategy, symbol, purpose, sequence)

    def level(self, symbol: str, price: float) -> float:
        """Price of a protective order: on the broker's price step where the book trades at one."""
        if self.policy.book.placement.broker == "simulated":
            return price
        return on_step(price, self.instrument(symbol).asset_class)

    def instrument(self, symbol: str) -> Instrument:
        """Description of a symbol; a stock of no known sector where the lake has none."""
        return self.day.prices.instruments.get(symbol, UNKNOWN)

    def unit_value(self, symbol: str) -> float:
        """Cash of the book for one unit of a symbol at a price of one."""
        return _unit_value(self.day, symbol)


def account_of(state: BookState, day: Day) -> Account:
    """The book's account with the entries that are still working counted as if they had filled."""
    ledger = state.ledger
    account = Account(ledger.equity / 100, day.opening_equity, ledger.cash / 100)
    for position in ledger.positions.values():
        instrument = day.prices.instruments.get(position.symbol, UNKNOWN)
        account.add(position.symbol, abs(position.value) / 100, instrument.sector)
    for order in state.working:
        if order.purpose == "entry":
            instrument = day.prices.instruments.get(order.symbol, UNKNOWN)
            plan = state.plans.get((order.strategy, order.symbol))
            price = order.limit_price or order.stop_price or (plan.reference if plan else 0.0)
            value = order.quantity * price * _unit_value(day, order.symbol)
            account.add(order.symbol, value, instrument.sector, value if order.side == "BUY" else 0.0)
    return account


def _unit_value(day: Day, symbol: str) -> float:
    """Units of the underlying in a contract, times the rate of exchange at the close."""
    instrument = day.prices.instruments.get(symbol, UNKNOWN)
    return instrument.multiplier * day.prices.rate(day.index, symbol)


def place(
    desk: Desk,
    key: Key,
    purpose: str,
    side: Side,
    quantity: float,
    reason: str,
    price: float,
    *,
    oca_group: str | None = None,
    verdicts: Sequence[Verdict] = (),
) -> None:
    """Approve an order that fills at the next open, or at the close decided on."""
    strategy, symbol = key
    instrument = desk.instrument(symbol)
    order = Order(
        order_ref=desk.reference(strategy, symbol, purpose),
        session=desk.day.times.session,
        strategy=strategy,
        symbol=symbol,
        asset_class=instrument.asset_class,
        purpose=purpose,
        side=side,
        order_type="market_on_close" if desk.policy.book.fill == "same_close" else "market",
        quantity=quantity,
        time_in_force="gtc" if purpose == "exit" else "day",
        oca_group=oca_group,
        reason=reason,
        multiplier=instrument.multiplier,
    )
    desk.decided.orders.append(order)
    desk.decided.rows.append(
        order_row(desk, ref=order.order_ref, order=order, reason=reason, verdicts=verdicts, price=price)
    )


def entry_of(
    desk: Desk, symbol: str, instrument: Instrument, side: Side, quantity: float, price: float
) -> Entry:
    """An entry as the gates see it, with its estimated costs."""
    value = quantity * price * desk.unit_value(symbol)
    costs = estimate(desk, symbol, instrument, side, quantity)
    return Entry(symbol, instrument.sector, quantity, value, costs + (value if side == "BUY" else 0.0))


def liquidity_verdicts(desk: Desk, symbol: str, side: Side, quantity: float) -> list[Verdict]:
    """Gate 9: what the order would meet in the order book; no verdict where the book is not looked at.

    Sizes in the order book are those of the market: a quantity in units of an adjusted book is brought there.
    """
    market = quantity * desk.day.prices.scale(desk.day.index, symbol)
    found = check_liquidity(
        desk.policy.book.risk.liquidity,
        desk.day.order_books.get(symbol),
        side,
        market,
        desk.instrument(symbol).multiplier,
    )
    return [Verdict(*finding) for finding in found]


def estimate(desk: Desk, symbol: str, instrument: Instrument, side: Side, quantity: float) -> float:
    """Estimated slippage and commission of a market order, from the bar decided on; 0 without one."""
    bar = desk.day.prices.bar(desk.day.index, symbol)
    if bar is None or not quantity:
        return 0.0
    costs = desk.policy.cost_estimate(instrument.asset_class, side, quantity, bar, instrument.multiplier)
    return costs * desk.day.prices.rate(desk.day.index, symbol)


def position_limit(desk: Desk) -> int | None:
    """Positions that the market regime allows; None without one."""
    return desk.day.regime.max_positions if desk.day.regime else None


def reject(
    desk: Desk,
    signal: Signal,
    purpose: str,
    side: Side,
    size: Size,
    verdicts: Sequence[Verdict],
    price: float,
) -> None:
    """Record an order that no gate lets through."""
    order = Order(
        order_ref=desk.reference(signal.strategy, signal.symbol, purpose),
        session=desk.day.times.session,
        strategy=signal.strategy,
        symbol=signal.symbol,
        asset_class=desk.instrument(signal.symbol).asset_class,
        purpose=purpose,
        side=side,
        order_type="market_on_close" if desk.policy.book.fill == "same_close" else "market",
        quantity=size.quantity,
        time_in_force="day",
    )
    desk.decided.rows.append(
        order_row(
            desk,
            ref=order.order_ref,
            order=order,
            status="rejected",
            reason=signal.reason,
            verdicts=verdicts,
            price=price,
            size=size,
        )
    )


def order_row(
    desk: Desk,
    *,
    ref: str,
    order: Order,
    reason: str,
    intent: str = "submit",
    target: str | None = None,
    purpose: str | None = None,
    prices: tuple[float | None, float | None] | None = None,
    quantity: float | None = None,
    status: str = "approved",
    verdicts: Sequence[Verdict] = (),
    price: float = 0.0,
    size: Size | None = None,
) -> tuple[Any, ...]:
    """Row of the ``orders`` table; ``quantity`` is what is to work, where it is not the order's own."""
    times = desk.day.times
    limit_price, stop_price = prices or (order.limit_price, order.stop_price)
    units = order.quantity if quantity is None else quantity
    return (
        desk.policy.book.name,
        times.session,
        ref,
        intent,
        target,
        order.strategy,
        order.symbol,
        purpose or order.purpose,
        order.side,
        order.order_type,
        units,
        limit_price,
        stop_price,
        order.trail_percent,
        order.time_in_force,
        order.good_till,
        order.parent_ref if intent == "submit" else None,
        order.oca_group,
        status,
        reason,
        verdicts_json(verdicts) if verdicts else "[]",
        price,
        size.intended if size else units,
        size.intended_risk if size else 0.0,
        size.actual_risk if size else 0.0,
        desk.day.prices.valid_until(desk.day.index, order.symbol),
        times.closes_at,
    )
