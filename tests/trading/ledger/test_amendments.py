"""What a broker tells after an execution was booked: the same money and units as booking the last word at once."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.ledger import (
    Amendment,
    Booked,
    Booking,
    Ledger,
    LedgerError,
    RoundTrip,
    Terms,
    amend,
    booked_terms,
    changed_terms,
)
from trading.orders import Execution

FIRST = date(2024, 1, 1)


class Told(NamedTuple):
    """An execution as it was told first."""

    root: str
    side: str
    quantity: float
    price: float
    commission: float = 1.0
    symbol: str = "A"
    strategy: str = "one"


class Books:
    """A ledger and the rows that it leaves, as the tables keep them."""

    def __init__(self, capital: float = 50_000.0) -> None:
        self.ledger = Ledger(capital)
        self.ledger.open_session(FIRST)
        self.executions: dict[str, Execution] = {}
        self.rows: dict[str, list[Execution]] = defaultdict(list)
        self.trips: list[tuple[RoundTrip, int]] = []
        self.splits: list[tuple[int, str, float]] = []

    def next_session(self) -> None:
        assert self.ledger.session is not None
        self.ledger.open_session(self.ledger.session + timedelta(1))

    def tell(self, told: Told) -> Booking:
        fill = Execution(
            told.root, told.root, told.strategy, told.symbol, "entry", told.side, told.quantity, told.price,
            told.commission, 0.0, self.ledger.session, "intraday",
        )  # fmt: skip
        self.executions[told.root] = fill
        booking = self.ledger.apply(fill)
        self._keep(told.root, fill, booking)
        return booking

    def split(self, symbol: str, ratio: float) -> None:
        self.ledger.split(symbol, ratio)
        self.splits.append((self.ledger.session_number, symbol, ratio))

    def mark(self, symbol: str, price: float) -> None:
        self.ledger.mark(symbol, price, price, price)

    def amend(self, root: str, quantity: float, price: float, commission: float) -> list[Any]:
        first, now = self.executions[root], Terms(quantity, price, commission)
        was = booked_terms(
            Booked(row.side, row.quantity / self._ratio(first, row), row.price * self._ratio(first, row),
                   row.commission)
            for row in self.rows[root]
        )  # fmt: skip
        if not changed_terms(was, now):
            return []
        today = first._replace(session=self.ledger.session)
        made = amend(
            self.ledger,
            Amendment(today, was, now, len(self.rows[root]), self._ratio(first, today), self._trips(first)),
        )
        for row, booking in made:
            self._keep(root, row, booking)
        return made

    def _keep(self, root: str, row: Execution, booking: Booking) -> None:
        self.rows[root].append(row)
        self.trips += [(trip, self.ledger.session_number) for trip in booking.trips]

    def _ratio(self, since: Execution, until: Execution) -> float:
        return self._splits(since.symbol, self._number(since.session), self._number(until.session))

    def _splits(self, symbol: str, since: int, until: int) -> float:
        ratio = 1.0
        for number, name, value in self.splits:
            ratio *= value if name == symbol and since < number <= until else 1.0
        return ratio

    def _number(self, session: date) -> int:
        return (session - FIRST).days + 1

    def _trips(self, first: Execution) -> tuple[tuple[RoundTrip, int], ...]:
        found = []
        for trip, number in self.trips:
            opening, closing = (part.partition("/")[0] for part in trip.trade_id.split(":"))
            if first.execution_id in (opening, closing):
                ratio = self._splits(trip.symbol, number, self.ledger.session_number)
                scaled = trip._replace(
                    quantity=trip.quantity * ratio,
                    entry_price=trip.entry_price / ratio,
                    exit_price=trip.exit_price / ratio,
                )
                found.append((scaled, self.ledger.session_number - number))
        return tuple(found)

    def holdings(self) -> dict[tuple[str, str], float]:
        return {key: position.quantity for key, position in self.ledger.positions.items()}

    def adds_up(self) -> None:
        ledger = self.ledger
        assert ledger.cash + ledger.market_value + ledger.receivable == ledger.equity
        assert ledger.deposits + ledger.realised + ledger.unrealised + ledger.dividends == ledger.equity
        for position in ledger.positions.values():
            assert position.quantity * position.direction > 0
            assert all(lot.quantity > 0 for lot in position.lots)
            assert position.cost == sum(lot.cost for lot in position.lots)
            assert position.low <= position.entry_price * (1 + 1e-9)
            assert position.high >= position.entry_price * (1 - 1e-9)
        assert Ledger.from_state(json.loads(json.dumps(ledger.to_state()))).equity == ledger.equity


cents = st.integers(1, 20_000).map(lambda value: value / 100)
fees = st.integers(-50, 500).map(lambda value: value / 100)
units = st.integers(0, 60).map(float)
happenings = st.one_of(
    st.tuples(
        st.just("tell"), st.sampled_from("AB"), st.sampled_from(["one", "two"]),
        st.sampled_from(["BUY", "SELL"]), st.integers(1, 60).map(float), cents, fees,
    ),
    st.tuples(st.just("amend"), st.integers(0, 30), units, cents, fees),
    st.tuples(st.just("commission"), st.integers(0, 30), fees),
    st.tuples(st.just("session")),
    st.tuples(st.just("split"), st.sampled_from("AB"), st.sampled_from([2.0, 0.5, 4.0])),
)  # fmt: skip


def play(books: Books, events: list[tuple[Any, ...]], *, final: dict[str, Terms] | None = None) -> None:
    """Let it happen; with ``final`` every execution as it stood in the end, and no amendments."""
    number = 0
    for event in events:
        match event:
            case ("tell", symbol, strategy, side, quantity, price, fee):
                root = f"x{number}"
                number += 1
                told = Told(root, side, quantity, price, fee, symbol, strategy)
                terms = final[root] if final else None
                if terms is not None:
                    told = told._replace(
                        quantity=terms.quantity, price=terms.price, commission=terms.commission
                    )
                if told.quantity:
                    books.tell(told)
                else:
                    books.ledger.charge(strategy, told.commission)
            case ("session",):
                books.next_session()
            case ("split", symbol, ratio):
                books.next_session()
                books.split(symbol, ratio)
            case (_, index, *terms) if not final and number:
                root = f"x{index % number}"
                first = books.executions[root]
                if event[0] == "commission":
                    terms = [books_terms(books, root).quantity, books_terms(books, root).price, *terms]
                books.amend(root, *terms)
                assert first.execution_id == root
                books.adds_up()


def books_terms(books: Books, root: str) -> Terms:
    first = books.executions[root]
    return booked_terms(
        Booked(row.side, row.quantity / books._ratio(first, row), row.price * books._ratio(first, row),
               row.commission)
        for row in books.rows[root]
    )  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(happenings, max_size=30))
def test_amendments_end_where_the_final_versions_would_have(events: list[tuple[Any, ...]]) -> None:
    amended, straight = Books(), Books()
    play(amended, events)
    play(
        straight,
        events,
        final={root: books_terms(amended, root) for root in amended.executions} or {"": Terms(0, 0, 0)},
    )
    for books in (amended, straight):
        for symbol, price in (("A", 31.25), ("B", 7.5)):
            books.mark(symbol, price)
        books.adds_up()
    assert amended.ledger.cash == straight.ledger.cash
    assert amended.ledger.commissions == straight.ledger.commissions
    ours, theirs = amended.holdings(), straight.holdings()
    for key in ours.keys() | theirs.keys():
        assert ours.get(key, 0.0) == pytest.approx(theirs.get(key, 0.0), abs=1e-6)
    assert amended.ledger.equity == pytest.approx(straight.ledger.equity, abs=1)


BUY, SELL = Told("b", "BUY", 10.0, 100.0), Told("s", "SELL", 10.0, 110.0)


class Case(NamedTuple):
    told: list[Told]
    root: str
    terms: tuple[float, float, float]
    rows: list[tuple[str, str, float, float, float]]
    lots: list[tuple[str, float, float, int]]
    realised: float
    split: float = 1.0


CASES = {
    "a late commission of an open lot is part of its cost": Case(
        [BUY._replace(commission=0.0)], "b", (10, 100, 1.5),
        [("commission_adjustment", "BUY", 0, 100, 1.5)], [("b", 10, 100, 100_150)], 0.0,
    ),
    "a late commission of a closed position is a loss": Case(
        [BUY, SELL], "s", (10, 110, 3.0), [("commission_adjustment", "SELL", 0, 110, 2.0)], [], 96.0,
    ),
    "a late commission of the entry, half of it closed": Case(
        [BUY._replace(commission=0.0), SELL._replace(quantity=5, commission=0.0)], "b", (10, 100, 1.0),
        [("commission_adjustment", "BUY", 0, 100, 1.0)], [("b", 5, 100, 50_050)], 49.5,
    ),
    "another price of an open lot": Case(
        [BUY], "b", (10, 101, 1),
        [("correction", "SELL", 10, 100, -1), ("correction", "BUY", 10, 101, 1)],
        [("b", 10, 101, 101_100)], 0.0,
    ),
    "fewer units of an open lot": Case(
        [BUY], "b", (8, 100, 0.8),
        [("correction", "SELL", 10, 100, -1), ("correction", "BUY", 8, 100, 0.8)],
        [("b", 8, 100, 80_080)], 0.0,
    ),
    "more units of an open lot": Case(
        [BUY], "b", (12, 100, 1.2),
        [("correction", "SELL", 10, 100, -1), ("correction", "BUY", 12, 100, 1.2)],
        [("b", 12, 100, 120_120)], 0.0,
    ),
    "a bust of an open lot": Case(
        [BUY], "b", (0, 100, 0), [("bust", "SELL", 10, 100, -1)], [], 0.0,
    ),
    "a bust whose commission stays is a loss of it": Case(
        [BUY], "b", (0, 100, 1), [("bust", "SELL", 10, 100, 0)], [], -1.0,
    ),
    "a bust of the exit: held again at its own cost": Case(
        [BUY, SELL], "s", (0, 110, 0), [("bust", "BUY", 10, 110, -1)], [("b", 10, 100, 100_100)], 0.0,
    ),
    "a bust of the entry: what closed it is a short position": Case(
        [BUY, SELL], "b", (0, 100, 0), [("bust", "SELL", 10, 100, -1)], [("s", -10, 110, -109_900)], 0.0,
    ),
    "an exit of fewer units: the rest is held at its own cost": Case(
        [BUY, SELL], "s", (6, 110, 1),
        [("correction", "BUY", 10, 110, -1), ("correction", "SELL", 6, 110, 1)],
        [("b", 4, 100, 40_040)], 58.4,
    ),
    "an exit of more units closes more": Case(
        [BUY, SELL._replace(quantity=4)], "s", (6, 110, 1),
        [("correction", "BUY", 4, 110, -1), ("correction", "SELL", 6, 110, 1)],
        [("b", 4, 100, 40_040)], 58.4,
    ),
    "an exit beyond the position, corrected to it": Case(
        [BUY, SELL._replace(quantity=15)], "s", (10, 110, 1),
        [("correction", "BUY", 15, 110, -1), ("correction", "SELL", 10, 110, 1)], [], 98.0,
    ),
    "a flipped position whose flip is taken back": Case(
        [BUY, SELL._replace(quantity=15)], "s", (0, 110, 0), [("bust", "BUY", 15, 110, -1)],
        [("b", 10, 100, 100_100)], 0.0,
    ),
    "an entry taken back after another came": Case(
        [BUY, SELL, Told("c", "BUY", 5.0, 105.0)], "b", (0, 100, 0), [("bust", "SELL", 10, 100, -1)],
        [("s", -5, 110, -54_950)], 23.5,
    ),
    "a bust after a split": Case(
        [BUY], "b", (0, 100, 0), [("bust", "SELL", 20, 50, -1)], [], 0.0, split=2.0,
    ),
    "other units after a split": Case(
        [BUY], "b", (8, 100, 0.8),
        [("correction", "SELL", 20, 50, -1), ("correction", "BUY", 16, 50, 0.8)],
        [("b", 16, 50, 80_080)], 0.0, split=2.0,
    ),
    "a short entry taken back after it was closed": Case(
        [SELL, BUY], "s", (0, 110, 0), [("bust", "BUY", 10, 110, -1)], [("b", 10, 100, 100_100)], 0.0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_by_hand(name: str) -> None:
    case, books = CASES[name], Books()
    for told in case.told:
        books.tell(told)
    books.next_session()
    if case.split != 1.0:
        books.split("A", case.split)
    made = books.amend(case.root, *case.terms)
    assert [(r.purpose, r.side, r.quantity, r.price, round(r.commission, 2)) for r, _ in made] == case.rows
    position = books.ledger.positions.get(("one", "A"))
    lots = (
        [(lot.execution_id, position.direction * lot.quantity, lot.price, lot.cost) for lot in position.lots]
        if position
        else []
    )
    assert lots == case.lots
    assert books.ledger.realised == round(case.realised * 100)
    ids = [row.execution_id for row in books.rows[case.root]]
    assert len(set(ids)) == len(ids)
    books.adds_up()


def test_a_restored_lot_is_as_old_as_it_was() -> None:
    books = Books()
    books.tell(BUY)
    for _ in range(3):
        books.next_session()
        books.ledger.mark("A", 120.0, 95.0, 110.0)
    books.tell(SELL)
    books.next_session()
    books.amend("s", 0.0, 110.0, 0.0)
    [position] = books.ledger.positions.values()
    assert (position.opened, position.opened_at) == (FIRST, 1)
    assert (position.high, position.low) == pytest.approx((120.0, 95.0))


def test_a_bust_before_it_was_booked_costs_what_the_broker_keeps() -> None:
    books = Books()
    bust = Execution("b", "b", "one", "A", "entry", "BUY", 0.0, 100.0, 0.0, 0.0, FIRST, "intraday")
    made = amend(books.ledger, Amendment(bust, Terms(0, 0, 0), Terms(0, 100, 1.0), 0))
    assert [(row.execution_id, row.purpose, row.commission) for row, _ in made] == [("b", "bust", 1.0)]
    assert books.ledger.realised == -100
    books.adds_up()


@pytest.mark.parametrize("terms", [(-1.0, 100.0, 0.0), (1.0, float("nan"), 0.0), (float("inf"), 1.0, 0.0)])
def test_what_is_no_trade_is_refused(terms: tuple[float, float, float]) -> None:
    books = Books()
    books.tell(BUY)
    with pytest.raises(LedgerError, match="execution b of A: amended to"):
        books.amend("b", *terms)
    assert books.holdings() == {("one", "A"): 10.0}
