"""Positions in other currencies: converted once at each event, and adding up to the cent."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.ledger import Ledger
from trading.orders import Execution

DAY = date(2024, 1, 2)


def fill(
    number: int,
    side: Literal["BUY", "SELL"],
    quantity: float,
    price: float,
    commission: float = 0.0,
    session: date = DAY,
) -> Execution:
    """An execution in SAP, whose price is in EUR."""
    return Execution(
        f"e{number}",
        f"o{number}",
        "s",
        "SAP",
        "entry",
        side,
        quantity,
        price,
        commission,
        0.0,
        session,
        "open",
    )


def open_ledger(session: date = DAY, capital: float = 100_000.0) -> Ledger:
    ledger = Ledger(capital)
    ledger.open_session(session)
    return ledger


def adds_up(ledger: Ledger) -> None:
    assert ledger.cash + ledger.market_value + ledger.receivable == ledger.equity
    assert ledger.deposits + ledger.realised + ledger.unrealised + ledger.dividends == ledger.equity


def test_a_round_trip_by_hand() -> None:
    ledger = open_ledger()
    ledger.apply(fill(1, "BUY", 100, 120.0, commission=4.0), rate=1.10)
    assert ledger.cash == 10_000_000 - 1_320_000 - 440, "12,000 EUR and 4 EUR at 1.10"
    position = ledger.positions["s", "SAP"]
    assert (position.cost, position.value) == (1_320_440, 1_320_000)
    ledger.convert("SAP", 1.08)
    ledger.mark("SAP", 126.0, 119.0, 125.0)
    assert position.value == 1_350_000, "12,500 EUR at 1.08"
    assert ledger.unrealised == 29_560
    adds_up(ledger)
    ledger.open_session(DAY + timedelta(1))
    booking = ledger.apply(fill(2, "SELL", 100, 125.0, commission=4.0, session=DAY + timedelta(1)), rate=1.05)
    assert booking.realised == 1_312_500 - 420 - 1_320_440, "the currency took more than the share gave"
    assert booking.trips[0].pnl == booking.realised
    assert (booking.trips[0].entry_price, booking.trips[0].exit_price) == (120.0, 125.0), "prices stay in EUR"
    assert ledger.commissions == 860
    assert not ledger.positions
    adds_up(ledger)


def test_only_the_rate_moves() -> None:
    ledger = open_ledger()
    ledger.apply(fill(1, "BUY", 100, 120.0), rate=1.10)
    ledger.convert("SAP", 1.21)
    position = ledger.positions["s", "SAP"]
    assert (position.price, position.value, position.unrealised) == (120.0, 1_452_000, 132_000)
    assert position.marked == DAY, "a new rate is no new mark"
    adds_up(ledger)


def test_a_short_position_gains_when_its_currency_falls() -> None:
    ledger = open_ledger()
    ledger.apply(fill(1, "SELL", 10, 100.0), rate=1.20)
    ledger.convert("SAP", 1.10)
    assert ledger.unrealised == 10_000
    adds_up(ledger)


@pytest.mark.parametrize(("pay", "receivable"), [(DAY + timedelta(1), 0), (DAY + timedelta(9), 24_200)])
def test_a_dividend_is_converted_at_its_ex_date(pay: date, receivable: int) -> None:
    ledger = open_ledger()
    ledger.apply(fill(1, "BUY", 100, 120.0), rate=1.10)
    ledger.open_session(DAY + timedelta(1))
    ledger.convert("SAP", 1.21)
    ledger.dividend("SAP", 2.0, pay)
    assert (ledger.dividends, ledger.receivable) == (24_200, receivable), "200 EUR at 1.21"
    ledger.open_session(DAY + timedelta(9))
    ledger.convert("SAP", 1.50)
    assert ledger.receivable == 0, "what is owed is owed in the ledger's currency"
    assert ledger.dividends == 24_200
    adds_up(ledger)


def test_a_delisting_and_a_fraction_are_paid_at_the_rate_of_the_position() -> None:
    ledger = open_ledger()
    ledger.apply(fill(1, "BUY", 15, 2.0), rate=1.10)
    ledger.convert("SAP", 1.20)
    ((paid, _),) = ledger.split("SAP", 0.1, whole_units=True, price=20.0)
    assert (paid.quantity, paid.price) == (0.5, 20.0)
    assert ledger.cash == 10_000_000 - 3_300 + 1_200, "half a share of 20 EUR at 1.20"
    ledger.delisting("SAP", 30.0)
    assert ledger.cash == 10_000_000 - 3_300 + 1_200 + 3_600
    adds_up(ledger)


def test_what_is_spun_off_keeps_the_rate() -> None:
    ledger = open_ledger()
    ledger.apply(fill(1, "BUY", 10, 100.0), rate=1.10)
    ledger.spin_off("SAP", "NEW", 0.5, 40.0)
    assert ledger.positions["s", "NEW"].rate == 1.10
    adds_up(ledger)


def test_the_state_keeps_the_rate() -> None:
    ledger = open_ledger()
    ledger.apply(fill(1, "BUY", 7, 33.333, 0.123), rate=1.0987654321)
    again = Ledger.from_state(ledger.to_state())
    assert again.to_state() == ledger.to_state()
    assert again.equity == ledger.equity


def test_a_rest_does_not_count_as_held() -> None:
    ledger = open_ledger()
    ledger.apply(fill(1, "BUY", 10, 100.0))
    for offset in range(1, 4):
        ledger.open_session(DAY + timedelta(offset))
        if offset < 3:
            ledger.rest("SAP")
    ledger.dividend("SAP", 1.0)
    assert ledger.dividends == 1_000, "bought before the ex date all the same"
    booking = ledger.apply(fill(2, "SELL", 10, 100.0, session=DAY + timedelta(3)))
    assert booking.trips[0].sessions_held == 1


STEP = st.one_of(
    st.tuples(
        st.just("fill"),
        st.sampled_from(["BUY", "SELL"]),
        st.floats(0.001, 1e4),
        st.floats(0.01, 1e4),
        st.floats(0.0, 50.0),
    ),
    st.tuples(st.just("rate")),
    st.tuples(st.just("mark"), st.floats(0.01, 1e4)),
    st.tuples(st.just("session")),
    st.tuples(st.just("dividend"), st.floats(0.0, 5.0), st.integers(0, 3)),
    st.tuples(st.just("split"), st.sampled_from([2.0, 0.5, 7.0, 1.5])),
)


@given(st.lists(st.tuples(STEP, st.floats(0.005, 200.0)), max_size=40))
def test_any_sequence_of_events_adds_up(steps: list[tuple[tuple[object, ...], float]]) -> None:
    ledger, day = open_ledger(), DAY
    for number, ((kind, *what), rate) in enumerate(steps):
        if kind == "fill":
            side, quantity, price, commission = what
            ledger.apply(fill(number, side, quantity, price, commission, day), rate=rate)  # type: ignore[arg-type]
        elif kind == "rate":
            ledger.convert("SAP", rate)
        elif kind == "mark":
            price = float(what[0])  # type: ignore[arg-type]
            ledger.mark("SAP", price * 1.01, price * 0.99, price)
        elif kind == "session":
            day += timedelta(1)
            ledger.open_session(day)
        elif kind == "dividend":
            ledger.dividend("SAP", float(what[0]), day + timedelta(int(what[1])))  # type: ignore[arg-type, call-overload]
        else:
            ledger.split("SAP", float(what[0]), whole_units=True)  # type: ignore[arg-type]
        adds_up(ledger)
    assert Ledger.from_state(ledger.to_state()).to_state() == ledger.to_state()


@given(st.floats(0.001, 1e4), st.floats(0.01, 1e4), st.floats(0.005, 200.0), st.floats(0.005, 200.0))
def test_a_round_trip_at_the_same_price_earns_what_the_currency_does(
    quantity: float, price: float, bought: float, sold: float
) -> None:
    ledger = open_ledger()
    ledger.apply(fill(1, "BUY", quantity, price), rate=bought)
    realised = ledger.apply(fill(2, "SELL", quantity, price), rate=sold).realised
    assert realised == round(quantity * price * sold * 100) - round(quantity * price * bought * 100)
