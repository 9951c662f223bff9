"""What no sequence of events may break: money to the cent, units, and going on from a saved state."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.ledger import Ledger
from trading.orders import Execution

FIRST = date(2024, 1, 1)
SYMBOLS = ["A", "B", "C"]

prices = st.one_of(st.floats(0.01, 5000.0), st.integers(1, 50_000).map(lambda cents: cents / 100))
quantities = st.one_of(st.integers(1, 500).map(float), st.floats(0.001, 300.0))
symbols = st.sampled_from(SYMBOLS)
market_events = st.one_of(
    st.tuples(
        st.just("trade"), st.sampled_from(["one", "two"]), symbols, st.sampled_from(["BUY", "SELL"]),
        quantities, prices, st.integers(0, 500).map(lambda cents: cents / 100),
        st.sampled_from(["open", "intraday", "close"]),
    ),
    st.tuples(st.just("mark"), symbols, prices),
    st.tuples(st.just("session"), st.integers(1, 4)),
)  # fmt: skip
events = st.one_of(
    market_events,
    st.tuples(st.just("split"), symbols, st.sampled_from([2.0, 3.0, 1.5, 0.1, 7 / 3]), st.booleans()),
    st.tuples(st.just("dividend"), symbols, st.floats(0.001, 4.0), st.sampled_from([None, 0, 1, 9])),
    st.tuples(st.just("delisting"), symbols, st.one_of(st.none(), st.floats(0.0, 100.0))),
    st.tuples(st.just("spin_off"), symbols, st.sampled_from([0.25, 1.0, 1 / 3]), prices, st.booleans()),
    st.tuples(st.just("deposit"), st.integers(-10_000, 10_000).map(lambda cents: cents / 100)),
    st.tuples(st.just("charge"), st.integers(0, 999).map(lambda cents: cents / 100)),
)  # fmt: skip


def happen(ledger: Ledger, number: int, event: tuple) -> list:
    """Book one event; what it returned as executions with their bookings."""
    today = ledger.session
    match event:
        case ("trade", strategy, symbol, side, quantity, price, commission, phase):
            fill = Execution(f"{number}.1", f"{number}", strategy, symbol, "entry", side, quantity, price,
                             commission, 0.0, today, phase)  # fmt: skip
            return [(fill, ledger.apply(fill))]
        case ("mark", symbol, price):
            ledger.mark(symbol, price * 1.01, price * 0.99, price)
        case ("session", days):
            ledger.open_session(today + timedelta(days))
        case ("split", symbol, ratio, whole):
            return ledger.split(symbol, ratio, whole_units=whole)
        case ("dividend", symbol, amount, days):
            ledger.dividend(symbol, amount, None if days is None else today + timedelta(days))
        case ("delisting", symbol, price):
            return ledger.delisting(symbol, price)
        case ("spin_off", symbol, ratio, price, whole):
            return ledger.spin_off(symbol, f"{symbol}.{number}", ratio, price, whole_units=whole)
        case ("deposit", amount):
            ledger.deposit(amount)
        case ("charge", amount):
            ledger.charge("one", amount)
    return []


def started() -> Ledger:
    ledger = Ledger(50_000.0)
    ledger.open_session(FIRST)
    return ledger


@settings(max_examples=200, deadline=None)
@given(st.lists(events, max_size=40))
def test_money_adds_up_to_the_cent_after_every_event(happenings: list[tuple]) -> None:
    ledger = started()
    realised = charged = 0
    for number, event in enumerate(happenings):
        equity = ledger.equity
        for _, booking in happen(ledger, number, event):
            assert booking.realised == sum(trip.pnl for trip in booking.trips)
            realised += booking.realised
        charged += round(event[1] * 100) if event[0] == "charge" else 0
        assert ledger.deposits + ledger.realised + ledger.unrealised + ledger.dividends == ledger.equity
        assert ledger.cash + ledger.market_value + ledger.receivable == ledger.equity
        assert ledger.receivable == sum(item.amount for item in ledger.receivables)
        assert ledger.realised == realised - charged
        if event[0] == "session":
            assert ledger.equity == equity
        for account in ledger.accounts.values():
            assert all(isinstance(value, int) for value in account.to_state().values())


@settings(max_examples=150, deadline=None)
@given(st.lists(market_events, max_size=40))
def test_units_and_costs_are_conserved(happenings: list[tuple]) -> None:
    ledger = started()
    units: dict[tuple[str, str], float] = defaultdict(float)
    opened = closed = 0
    for number, event in enumerate(happenings):
        for fill, booking in happen(ledger, number, event):
            units[fill.strategy, fill.symbol] += fill.quantity if fill.side == "BUY" else -fill.quantity
            sign = 1 if fill.side == "BUY" else -1
            flow = sign * round(fill.quantity * fill.price * 100) + round(fill.commission * 100)
            # cash out = cost opened - cost closed - realised
            opened += flow + sum(trip.cost + trip.pnl for trip in booking.trips)
            closed += sum(trip.cost for trip in booking.trips)
            assert sum(trip.quantity for trip in booking.trips) <= fill.quantity * (1 + 1e-6)
        for key, quantity in units.items():
            held = ledger.positions[key].quantity if key in ledger.positions else 0.0
            assert held == pytest.approx(quantity, abs=1e-5)
        assert sum(position.cost for position in ledger.positions.values()) == opened - closed
        for position in ledger.positions.values():
            assert position.quantity * position.direction > 0
            assert all(lot.quantity > 0 for lot in position.lots)
            assert position.low <= position.entry_price * (1 + 1e-9)


@settings(max_examples=100, deadline=None)
@given(st.lists(events, max_size=30), st.lists(st.integers(0, 30), max_size=3))
def test_stopping_and_going_on_equals_never_having_stopped(happenings: list[tuple], stops: list[int]) -> None:
    straight, stopped = started(), started()
    for number, event in enumerate(happenings):
        if number in stops:
            stopped = Ledger.from_state(json.loads(json.dumps(stopped.to_state())))
        assert happen(straight, number, event) == happen(stopped, number, event)
        assert stopped.equity == straight.equity
    assert json.dumps(stopped.to_state()) == json.dumps(straight.to_state())
