"""Ledgers worked by hand: trades, shorts, splits, dividends, delistings, spin-offs, options."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest

from trading.ledger import Ledger, LedgerError, split_contract
from trading.matching import split_order
from trading.orders import Execution, Order

DAY = date(2024, 1, 2)


def execution(
    name: str,
    side: str,
    quantity: float,
    price: float,
    commission: float = 0.0,
    *,
    symbol: str = "X",
    strategy: str = "s",
    session: date = DAY,
    phase: str = "open",
    purpose: str = "entry",
) -> Execution:
    return Execution(
        name, "order", strategy, symbol, purpose, side, quantity, price, commission, 0.0, session, phase
    )  # fmt: skip


def ledger_at(session: date = DAY, capital: float = 100_000.0) -> Ledger:
    ledger = Ledger(capital)
    ledger.open_session(session)
    return ledger


def assert_balanced(ledger: Ledger) -> None:
    left = ledger.deposits + ledger.realised + ledger.unrealised + ledger.dividends
    assert left == ledger.cash + ledger.market_value + ledger.receivable == ledger.equity


def test_a_long_round_trip() -> None:
    ledger = ledger_at()
    opened = ledger.apply(execution("a.1", "BUY", 50, 100.10, 1.00))
    assert opened.realised == 0
    assert ledger.cash == 10_000_000 - 500_500 - 100
    ledger.mark("X", 104.0, 97.0, 103.0)
    position = ledger.positions["s", "X"]
    assert (position.quantity, position.cost, position.value) == (50.0, 500_600, 515_000)
    assert position.average_cost == pytest.approx(100.12)
    assert position.entry_price == pytest.approx(100.10)
    assert (ledger.unrealised, ledger.realised, ledger.traded) == (14_400, 0, 500_500)
    assert_balanced(ledger)
    ledger.open_session(DAY + timedelta(1))
    closed = ledger.apply(
        execution("b.1", "SELL", 50, 105.00, 1.00, session=DAY + timedelta(1), purpose="stop_loss")
    )
    (trip,) = closed.trips
    assert closed.realised == trip.pnl == 525_000 - 100 - 500_600
    assert (trip.trade_id, trip.direction, trip.exit_reason) == ("a.1:b.1", "long", "stop_loss")
    assert (trip.commissions, trip.cost, trip.sessions_held) == (200, 500_600, 1)
    assert trip.mae == pytest.approx(97.0 / 100.10 - 1)
    assert trip.mfe == pytest.approx(105.0 / 100.10 - 1)
    assert ledger.positions == {}
    assert ledger.realised_today == closed.realised
    assert_balanced(ledger)


def test_a_short_round_trip() -> None:
    ledger = ledger_at()
    ledger.apply(execution("a.1", "SELL", 100, 50.0, 2.0))
    ledger.mark("X", 52.0, 47.0, 51.0)
    position = ledger.positions["s", "X"]
    assert (position.quantity, position.cost, position.value) == (-100.0, -499_800, -510_000)
    assert position.average_cost == pytest.approx(49.98)
    assert ledger.unrealised == -10_200
    assert_balanced(ledger)
    closed = ledger.apply(execution("b.1", "BUY", 100, 48.0, 2.0))
    (trip,) = closed.trips
    assert (trip.pnl, trip.direction) == (200_00 - 400, "short")
    assert trip.mae == pytest.approx(-0.04)
    assert trip.mfe == pytest.approx(0.06)
    assert_balanced(ledger)


def test_lots_close_oldest_first_and_their_cents_sum() -> None:
    ledger = ledger_at()
    ledger.apply(execution("a.1", "BUY", 3, 10.01, 0.10))
    ledger.apply(execution("b.1", "BUY", 3, 20.02, 0.10))
    closed = ledger.apply(execution("c.1", "SELL", 4, 15.005, 0.07))
    # value 60.02 and 7 cents of commission over 3 + 1 units: 45.02 and 5, 15.00 and 2
    first, second = closed.trips
    assert (first.quantity, first.cost, first.pnl) == (3, 3013, 4502 - 5 - 3013)
    assert (second.quantity, second.cost, second.pnl) == (1, 2005, 1500 - 2 - 2005)
    assert (first.commissions, second.commissions) == (15, 5)
    assert ledger.positions["s", "X"].cost == 6016 - 2005
    assert_balanced(ledger)
    rest = ledger.apply(execution("d.1", "SELL", 2, 15.0))
    assert second.cost + rest.trips[0].cost == 6016
    assert_balanced(ledger)


def test_crossing_zero_closes_and_opens_with_one_execution() -> None:
    ledger = ledger_at()
    ledger.apply(execution("a.1", "BUY", 3, 10.0))
    booking = ledger.apply(execution("b.1", "SELL", 10, 11.0, 1.0))
    assert [(trip.quantity, trip.pnl) for trip in booking.trips] == [(3, 300 - 30)]
    position = ledger.positions["s", "X"]
    assert (position.quantity, position.cost) == (-7.0, -(7700 - 70))
    assert_balanced(ledger)


def test_fractions_that_do_not_add_up_in_binary_still_close() -> None:
    ledger = ledger_at()
    ledger.apply(execution("a.1", "BUY", 0.1, 30_000.0))
    ledger.apply(execution("b.1", "BUY", 0.2, 30_000.0))
    ledger.apply(execution("c.1", "SELL", 0.3, 30_000.0))
    assert ledger.positions == {}
    assert_balanced(ledger)


def test_strategies_keep_sub_ledgers_of_one_symbol() -> None:
    ledger = ledger_at()
    ledger.apply(execution("a.1", "BUY", 10, 10.0, strategy="one"))
    ledger.apply(execution("b.1", "SELL", 10, 12.0, strategy="two"))
    ledger.mark("X", 12.0, 10.0, 11.0)
    assert ledger.accounts["one"].cash == -10_000
    assert ledger.accounts["two"].cash == 12_000
    assert [position.unrealised for position in ledger.positions.values()] == [1_000, 1_000]
    assert ledger.market_value == 0
    assert ledger.exposure == 22_000
    assert_balanced(ledger)


@pytest.mark.parametrize(
    ("phase", "high", "mae"), [("open", 120.0, -0.2), ("intraday", 110.0, 0.0), ("close", 110.0, 0.0)]
)
def test_only_what_came_after_the_entry_counts_as_an_excursion(phase: str, high: float, mae: float) -> None:
    ledger = ledger_at()
    ledger.apply(execution("a.1", "BUY", 1, 100.0, phase=phase))
    ledger.mark("X", 120.0, 80.0, 110.0)
    assert ledger.positions["s", "X"].high == high
    ledger.open_session(DAY + timedelta(1))
    (trip,) = ledger.apply(execution("b.1", "SELL", 1, 105.0, session=DAY + timedelta(1))).trips
    assert trip.mae == pytest.approx(mae)


def test_the_apple_split_of_2005_with_an_open_bracket() -> None:
    """2:1 on 2005-02-28: 100 shares bought at 88.00, closed the day before at 88.99."""
    ledger = ledger_at(date(2005, 2, 24))
    ledger.apply(execution("a.1", "BUY", 100, 88.0, 1.0, symbol="AAPL", session=date(2005, 2, 24)))
    ledger.mark("AAPL", 89.31, 87.85, 88.93)
    common = {"oca_group": "g", "parent_ref": "a"}
    stop = Order("st", date(2005, 2, 23), "s", "AAPL", "stock", "stop_loss", "SELL", "stop", 100.0,
                 stop_price=80.96, **common)  # fmt: skip
    target = Order("t", date(2005, 2, 23), "s", "AAPL", "stock", "profit_target", "SELL", "limit", 100.0,
                   limit_price=105.6, **common)  # fmt: skip
    ledger.open_session(date(2005, 2, 28))
    before = (ledger.equity, ledger.cash, ledger.positions["s", "AAPL"].cost)
    assert ledger.split("AAPL", 2.0, whole_units=True) == []
    split_order(stop, 2.0)
    split_order(target, 2.0)
    position = ledger.positions["s", "AAPL"]
    assert (ledger.equity, ledger.cash, position.cost) == before == (10_009_200, 9_119_900, 880_100)
    assert (position.quantity, position.entry_price) == (200.0, 44.0)
    assert position.high == pytest.approx(89.31 / 2)
    assert position.average_cost == pytest.approx(44.005)
    assert (stop.quantity, stop.stop_price) == (200.0, 40.48)
    assert (target.quantity, target.limit_price) == (200.0, 52.8)
    ledger.mark("AAPL", 45.13, 43.96, 44.86)
    assert_balanced(ledger)
    (trip,) = ledger.apply(
        execution("st.1", "SELL", 200, 40.48, 1.0, symbol="AAPL", session=date(2005, 2, 28))
    ).trips
    assert (trip.quantity, trip.entry_price, trip.pnl) == (200.0, 44.0, 809_600 - 100 - 880_100)
    assert_balanced(ledger)


def test_a_reverse_split_pays_fractions_in_cash() -> None:
    ledger = ledger_at()
    ledger.apply(execution("a.1", "BUY", 15, 2.0))
    ledger.apply(execution("b.1", "BUY", 8, 2.0))
    ledger.mark("X", 2.2, 1.9, 2.1)
    ledger.open_session(DAY + timedelta(1))
    ((fill, booking),) = ledger.split("X", 0.1, whole_units=True)
    assert (fill.side, fill.quantity, fill.price, fill.purpose) == ("SELL", pytest.approx(0.3), 21.0, "split")
    assert fill.order_ref == ""
    assert booking.realised == 630 - 600
    assert ledger.positions["s", "X"].quantity == pytest.approx(2.0)
    assert ledger.positions["s", "X"].cost == 4600 - 600
    assert_balanced(ledger)


def test_a_reverse_split_of_less_than_a_unit_ends_the_position() -> None:
    ledger = ledger_at()
    ledger.apply(execution("a.1", "SELL", 5, 2.0))
    ((fill, _),) = ledger.split("X", 0.1, whole_units=True, price=22.0)
    assert (fill.side, fill.price) == ("BUY", 22.0)
    assert ledger.positions == {}
    assert_balanced(ledger)


def test_the_special_dividend_of_microsoft_is_owed_from_the_ex_date_and_paid_on_the_pay_date() -> None:
    """USD 3.08 with the ex date 2004-11-15 and the pay date 2004-12-02."""
    ledger = ledger_at(date(2004, 11, 12))
    ledger.apply(execution("a.1", "BUY", 100, 29.90, symbol="MSFT", session=date(2004, 11, 12)))
    ledger.mark("MSFT", 30.0, 29.8, 29.97)
    ledger.open_session(date(2004, 11, 15))
    (owed,) = ledger.dividend("MSFT", 3.08, date(2004, 12, 2))
    ledger.apply(execution("b.1", "SELL", 100, 27.30, symbol="MSFT", session=date(2004, 11, 15)))
    assert (owed.amount, ledger.receivable, ledger.dividends) == (30_800, 30_800, 30_800)
    assert ledger.cash == 10_000_000 - 299_000 + 273_000
    assert_balanced(ledger)
    assert ledger.open_session(date(2004, 12, 1)) == []
    assert ledger.open_session(date(2004, 12, 2)) == [owed]
    assert (ledger.receivable, ledger.dividends) == (0, 30_800)
    assert ledger.cash == 10_000_000 - 26_000 + 30_800
    assert_balanced(ledger)


def test_a_dividend_goes_to_holdings_of_the_day_before_and_a_short_owes_it() -> None:
    ledger = ledger_at()
    ledger.apply(execution("a.1", "SELL", 40, 10.0, strategy="short"))
    ledger.open_session(DAY + timedelta(1))
    ledger.apply(execution("b.1", "BUY", 100, 10.0, strategy="late", session=DAY + timedelta(1)))
    assert [(item.strategy, item.amount) for item in ledger.dividend("X", 0.25)] == [("short", -1_000)]
    assert (ledger.dividends, ledger.receivable) == (-1_000, 0)
    assert_balanced(ledger)


def test_a_pay_date_without_a_session_pays_in_the_next_one() -> None:
    ledger = ledger_at(date(2024, 1, 4))
    ledger.apply(execution("a.1", "BUY", 100, 10.0, session=date(2024, 1, 4)))
    ledger.open_session(date(2024, 1, 5))
    ledger.dividend("X", 0.1, date(2024, 1, 6))
    assert ledger.receivable == 1_000
    ledger.open_session(date(2024, 1, 8))
    assert ledger.receivable == 0


@pytest.mark.parametrize(("given", "price"), [(None, 4.0), (2.5, 2.5), (0.0, 0.0)])
def test_a_delisting_closes_at_the_given_cash_or_the_last_close(given: float | None, price: float) -> None:
    ledger = ledger_at()
    ledger.apply(execution("a.1", "BUY", 100, 5.0))
    ledger.mark("X", 5.0, 4.0, 4.0)
    ledger.open_session(DAY + timedelta(1))
    ((fill, booking),) = ledger.delisting("X", given)
    assert (fill.price, fill.purpose, fill.order_ref) == (price, "delisting", "")
    assert booking.realised == round(price * 10_000) - 50_000
    assert ledger.positions == {}
    assert_balanced(ledger)


def test_a_spin_off_divides_the_cost_by_value() -> None:
    ledger = ledger_at()
    ledger.apply(execution("a.1", "BUY", 100, 50.0, 1.0))
    ledger.mark("X", 52.0, 49.0, 50.0)
    ledger.open_session(DAY + timedelta(1))
    equity = ledger.equity
    assert ledger.spin_off("X", "Y", 0.5, 20.0) == []  # 10 of the 50 in value
    old, new = ledger.positions["s", "X"], ledger.positions["s", "Y"]
    assert (old.quantity, new.quantity) == (100.0, 50.0)
    assert (old.cost, new.cost) == (400_080, 100_020)
    assert (old.entry_price, new.entry_price) == (40.0, 20.0)
    assert old.value + new.value == 500_000
    assert ledger.equity == equity
    assert_balanced(ledger)


def test_a_spin_off_pays_fractions_in_cash() -> None:
    ledger = ledger_at()
    ledger.apply(execution("a.1", "BUY", 5, 50.0))
    ((fill, _),) = ledger.spin_off("X", "Y", 0.5, 20.0, whole_units=True)
    assert (fill.symbol, fill.quantity, fill.purpose) == ("Y", 0.5, "spin_off")
    assert ledger.positions["s", "Y"].quantity == 2.0
    assert_balanced(ledger)


@pytest.mark.parametrize(
    ("symbol", "ratio", "after"),
    [
        ("AAPL  050318C00090000", 2.0, ("AAPL  050318C00045000", 2.0, 1.0)),
        ("X     240315P00061000", 3.0, ("X     240315P00020333", 3.0, 1.0)),
        ("X     240315P00060000", 1.5, ("X1    240315P00060000", 1.0, 1.5)),
        ("X     240315P00060000", 0.1, ("X1    240315P00060000", 1.0, 0.1)),
        ("X1    240315P00060000", 2.0, ("X2    240315P00060000", 1.0, 2.0)),
        ("X", 2.0, None),
    ],
)
def test_option_contracts_after_a_split(symbol: str, ratio: float, after: tuple[str, float, float]) -> None:
    assert split_contract(symbol, ratio) == after


def test_options_count_their_multiplier_and_follow_splits_of_the_underlying() -> None:
    ledger = ledger_at()
    ledger.apply(execution("a.1", "SELL", 2, 3.0, 1.3, symbol="X     240315P00060000"), 100.0)
    ledger.apply(execution("b.1", "BUY", 5, 3.0, symbol="XY    240315P00060000"), 100.0)
    ledger.mark("X     240315P00060000", 3.0, 2.0, 2.5)
    value = ledger.market_value
    assert (value, ledger.unrealised) == (-50_000 + 150_000, 60_000 - 130 - 50_000)
    assert ledger.split_options("X", 2.0) == {"X     240315P00060000": "X     240315P00030000"}
    position = ledger.positions["s", "X     240315P00030000"]
    assert (position.quantity, position.entry_price, position.value) == (-4.0, 1.5, -50_000)
    assert ledger.split_options("X", 0.5) == {"X     240315P00030000": "X1    240315P00030000"}
    position = ledger.positions["s", "X1    240315P00030000"]
    assert (position.quantity, position.entry_price, position.value) == (-4.0, 1.5, -50_000)
    assert ledger.market_value == value
    assert_balanced(ledger)


def test_a_rename_keeps_the_position() -> None:
    ledger = ledger_at()
    ledger.apply(execution("a.1", "BUY", 5, 50.0))
    ledger.rename("X", "Z")
    ledger.mark("Z", 51.0, 50.0, 51.0)
    assert [(p.symbol, p.value) for p in ledger.positions.values()] == [("Z", 25_500)]
    assert ledger.holdings("X") == []


def test_deposits_and_late_charges_keep_the_balance() -> None:
    ledger = ledger_at()
    ledger.deposit(500.0)
    ledger.deposit(-200.5)
    ledger.charge("s", 1.25)
    assert (ledger.deposits, ledger.cash, ledger.realised) == (10_029_950, 10_029_825, -125)
    assert ledger.commissions == 125
    assert_balanced(ledger)


def test_the_figures_of_the_day_start_at_zero() -> None:
    ledger = ledger_at()
    ledger.apply(execution("a.1", "BUY", 5, 50.0))
    ledger.apply(execution("b.1", "SELL", 5, 51.0))
    assert (ledger.traded, ledger.realised_today) == (50_500, 500)
    ledger.open_session(DAY + timedelta(1))
    assert (ledger.traded, ledger.realised_today, ledger.realised) == (0, 0, 500)


def test_state_is_json_and_goes_on_exactly() -> None:
    ledger = ledger_at()
    ledger.apply(execution("a.1", "BUY", 1 / 3, 50.123456789, 0.37))
    ledger.apply(execution("b.1", "SELL", 7, 20.0, symbol="Y", phase="close"))
    ledger.mark("X", 51.1, 49.9, 50.7)
    ledger.open_session(DAY + timedelta(1))
    ledger.dividend("Y", 0.123, DAY + timedelta(9))
    state = json.loads(json.dumps(ledger.to_state()))
    again = Ledger.from_state(state)
    assert again.to_state() == ledger.to_state()
    assert again.equity == ledger.equity


@pytest.mark.parametrize(
    "act",
    [
        lambda ledger: ledger.apply(execution("a.1", "BUY", 0, 10.0)),
        lambda ledger: ledger.apply(execution("a.1", "BUY", 1, float("nan"))),
        lambda ledger: ledger.apply(execution("a.1", "BUY", 1, -1.0)),
        lambda ledger: ledger.apply(execution("a.1", "BUY", float("inf"), 1.0)),
        lambda ledger: ledger.split("X", 0.0),
        lambda ledger: ledger.dividend("X", float("nan")),
        lambda ledger: ledger.spin_off("X", "Y", -1.0),
        lambda ledger: ledger.open_session(DAY),
        lambda ledger: Ledger(1.0).delisting("X") or Ledger(1.0).dividend("X", 1.0),
    ],
)
def test_what_cannot_be_booked_is_refused_and_changes_nothing(act: object) -> None:
    ledger = ledger_at()
    ledger.apply(execution("z.1", "BUY", 5, 50.0))
    before = ledger.to_state()
    with pytest.raises(LedgerError):
        act(ledger)
    assert ledger.to_state() == before
