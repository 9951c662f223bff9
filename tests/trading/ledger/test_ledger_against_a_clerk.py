"""The ledger beside a second bookkeeper: whole shares at whole cents in a list of lots, nothing ever rounded."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.ledger import Ledger
from trading.orders import Execution

FIRST = date(2024, 1, 1)
CAPITAL = 1_000_000
SYMBOLS = ("A", "B")
STRATEGIES = ("one", "two")


@dataclass
class Lot:
    units: int
    paid: int  # cents a unit, commission included; what a short lot received is negative
    price: int
    number: int  # of the session it was opened in
    high: int
    low: int


@dataclass
class Clerk:
    """Cash, lots and results in whole cents, kept the long way."""

    cash: int = CAPITAL * 100
    lots: dict[tuple[str, str], deque[Lot]] = field(default_factory=lambda: defaultdict(deque))
    side: dict[tuple[str, str], int] = field(default_factory=dict)
    marks: dict[tuple[str, str], int] = field(default_factory=dict)
    realised: int = 0
    dividends: int = 0
    owed: list[tuple[int, int]] = field(default_factory=list)  # session it is paid in, cents
    number: int = 1
    trips: list[tuple[int, int, int, int]] = field(default_factory=list)  # units, entry, exit, pnl

    def trade(self, key: tuple[str, str], side: int, units: int, price: int, fee: int) -> None:
        """Buy (1) or sell (-1) so many units at a price in cents, with a fee in cents a unit."""
        self.cash -= units * (side * price + fee)
        while units and self.lots[key] and self.side[key] == -side:
            lot = self.lots[key][0]
            part = min(units, lot.units)
            pnl = part * (-side * price - fee - lot.paid)
            self.realised += pnl
            self.trips.append((part, lot.price, price, pnl))
            lot.units -= part
            units -= part
            if not lot.units:
                self.lots[key].popleft()
        if units:
            if not self.lots[key]:
                self.marks[key] = price
            self.side[key] = side
            self.lots[key].append(Lot(units, side * price + fee, price, self.number, price, price))

    def split(self, symbol: str, ratio: int) -> None:
        """Only where every price divides: the caller sees to it."""
        for key, lots in self.lots.items():
            if key[1] == symbol:
                self.marks[key] = self.marks.get(key, 0) // ratio
                for lot in lots:
                    lot.units *= ratio

    def dividend(self, symbol: str, cents: int, after: int) -> None:
        for key, lots in self.lots.items():
            if key[1] == symbol:
                units = sum(lot.units for lot in lots if lot.number < self.number)
                amount = units * self.side.get(key, 1) * cents
                self.dividends += amount
                if after:
                    self.owed.append((self.number + after, amount))
                else:
                    self.cash += amount

    def session(self) -> None:
        self.number += 1
        self.cash += sum(amount for due, amount in self.owed if due <= self.number)
        self.owed = [item for item in self.owed if item[0] > self.number]

    def value(self) -> int:
        return sum(
            self.side[key] * lot.units * self.marks[key] for key, lots in self.lots.items() for lot in lots
        )

    def cost(self) -> int:
        return sum(lot.units * lot.paid for lots in self.lots.values() for lot in lots)

    def units(self, key: tuple[str, str]) -> int:
        return self.side.get(key, 1) * sum(lot.units for lot in self.lots[key])


keys = st.tuples(st.sampled_from(STRATEGIES), st.sampled_from(SYMBOLS))
prices = st.integers(10, 300).map(lambda dollars: dollars * 24 * 10)
"""Cents that can be split 2, 3 or 4 for 1 more than once."""
events = st.one_of(
    st.tuples(
        st.just("trade"), keys, st.sampled_from([1, -1]), st.integers(1, 400), prices, st.integers(0, 3)
    ),
    st.tuples(st.just("mark"), st.sampled_from(SYMBOLS), prices),
    st.tuples(st.just("session")),
    st.tuples(st.just("dividend"), st.sampled_from(SYMBOLS), st.integers(1, 500), st.integers(0, 3)),
)


def booked(ledger: Ledger, clerk: Clerk, number: int, event: tuple) -> list[tuple[int, int, int, int]]:
    """Book an event on both sides; the ledger's round trips as the clerk writes them."""
    today = ledger.session
    match event:
        case ("trade", (strategy, symbol), side, units, price, fee):
            clerk.trade((strategy, symbol), side, units, price, fee)
            fill = Execution(
                f"{number}.1", str(number), strategy, symbol, "entry", "BUY" if side > 0 else "SELL",
                float(units), price / 100, units * fee / 100, 0.0, today, "open",
            )  # fmt: skip
            return [
                (round(trip.quantity), round(trip.entry_price * 100), round(trip.exit_price * 100), trip.pnl)
                for trip in ledger.apply(fill).trips
            ]
        case ("mark", symbol, price):
            for key in clerk.lots:
                if key[1] == symbol:
                    clerk.marks[key] = price
            ledger.mark(symbol, price / 100, price / 100, price / 100)
        case ("session",):
            clerk.session()
            ledger.open_session(today + timedelta(days=1))
        case ("dividend", symbol, cents, after):
            clerk.dividend(symbol, cents, after)
            ledger.dividend(symbol, cents / 100, today + timedelta(days=after) if after else None)
    return []


@settings(max_examples=120)
@given(st.lists(events, max_size=40))
def test_both_keep_the_same_books_to_the_cent(happenings):
    ledger, clerk = Ledger(float(CAPITAL)), Clerk()
    ledger.open_session(FIRST)
    trips = []
    for number, event in enumerate(happenings):
        trips += booked(ledger, clerk, number, event)
        assert ledger.cash == clerk.cash
        assert (ledger.realised, ledger.dividends) == (clerk.realised, clerk.dividends)
        assert ledger.receivable == sum(amount for _, amount in clerk.owed)
        for strategy in STRATEGIES:
            for symbol in SYMBOLS:
                held = ledger.positions.get((strategy, symbol))
                assert (0 if held is None else held.quantity) == clerk.units((strategy, symbol))
        assert ledger.market_value == clerk.value()
        assert ledger.unrealised == clerk.value() - clerk.cost()
        assert ledger.exposure == sum(
            abs(clerk.units(key)) * clerk.marks[key] for key, lots in clerk.lots.items() if lots
        )
    assert trips == clerk.trips


@settings(max_examples=60)
@given(
    st.lists(st.tuples(keys, st.sampled_from([1, -1]), st.integers(1, 100)), min_size=1, max_size=8),
    st.sampled_from([2, 3, 4]),
    st.lists(st.tuples(keys, st.sampled_from([1, -1]), st.integers(1, 400)), max_size=8),
)
def test_a_split_between_trades_changes_no_money(before, ratio, after):
    """Bought and sold at 24.00, split, bought and sold at the new level: both books stay together."""
    ledger, clerk = Ledger(float(CAPITAL)), Clerk()
    ledger.open_session(FIRST)
    for number, (key, side, units) in enumerate(before):
        booked(ledger, clerk, number, ("trade", key, side, units, 2400, 0))
    for symbol in SYMBOLS:
        booked(ledger, clerk, 0, ("mark", symbol, 2400))
    booked(ledger, clerk, 0, ("session",))
    equity = ledger.equity
    for symbol in SYMBOLS:
        assert ledger.split(symbol, float(ratio)) == []
        clerk.split(symbol, ratio)
    assert ledger.equity == equity
    for number, (key, side, units) in enumerate(after):
        price = 2400 // ratio
        value = ledger.equity
        booked(ledger, clerk, 100 + number, ("trade", key, side, units, price, 0))
        assert ledger.equity == value, "a trade at the mark and without costs changes no equity"
        held = ledger.positions.get(key)
        assert (0 if held is None else held.quantity) == pytest.approx(clerk.units(key))
    assert ledger.cash == clerk.cash


def test_excursions_are_of_the_bars_between_entry_and_exit():
    """Long at 100, a low of 90 and a high of 130 on the way, out at 120; the exit's own bar does not count."""
    ledger = Ledger(float(CAPITAL))
    ledger.open_session(FIRST)
    ledger.apply(Execution("1", "o", "s", "A", "entry", "BUY", 10.0, 100.0, 0.0, 0.0, FIRST, "open"))
    for number, (high, low, close) in enumerate([(105, 95, 100), (130, 90, 110), (125, 108, 120)]):
        if number:
            ledger.open_session(FIRST + timedelta(days=number))
        ledger.mark("A", float(high), float(low), float(close))
    last = FIRST + timedelta(days=3)
    ledger.open_session(last)
    fill = Execution("2", "o", "s", "A", "target", "SELL", 10.0, 120.0, 0.0, 0.0, last, "open")
    [trip] = ledger.apply(fill).trips
    assert (trip.mae, trip.mfe) == (pytest.approx(-0.10), pytest.approx(0.30))
    assert (trip.sessions_held, trip.pnl) == (3, 20_000)
