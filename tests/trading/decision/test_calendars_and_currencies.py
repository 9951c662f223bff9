"""One book, several calendars and currencies: a stock that rests at weekends beside crypto that does not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from trading.state import from_json, new_state
from trading.window import Instrument, price_window

from .desks import Desk, book, day, flat, quotes, signal, times, weekdays

STOCK = Instrument("stock", None, 1.0, "USD", "weekdays")
EURO = Instrument("stock", None, 1.0, "EUR", "weekdays")
COIN = Instrument("crypto", None, 1.0)
FRIDAY, SATURDAY, SUNDAY, MONDAY, TUESDAY = 4, 5, 6, 7, 8
FREE: dict[str, Any] = {"slippage": {"model": "none"}, "commission": {"model": "none"}, "participation": 1.0}
COSTS = {"stock": FREE, "crypto": FREE, "fx": FREE}


def stock(price: float, count: int) -> list[Any]:
    """Candles of a stock: none at weekends."""
    return [c if day(i).weekday() < 5 else None for i, c in enumerate(flat(price, count))]


def euros(count: int, *rates: float) -> Any:
    """EURUSD at the end of each day from the day before the first session on; the last rate stays."""
    padded = [*rates, *[rates[-1]] * (count + 1 - len(rates))]
    begin = times(1)[0].closes_at - timedelta(days=1)
    return quotes(*(("EURUSD", "USD", begin + timedelta(days=i), rate) for i, rate in enumerate(padded)))


def mixed(signals: list[dict[str, Any]], count: int = 12, **changes: Any) -> Desk:
    """SAP in euros, X in dollars, BTC every day."""
    pairs = changes.pop("pairs", euros(count, 1.10))
    candles = {"SAP": stock(100.0, count), "X": stock(50.0, count), "BTC": flat(1_000.0, count)}
    config = book(calendar="24/7", conversion={"EUR": "EURUSD"}, costs=COSTS, **changes)
    described = {"SAP": EURO, "X": STOCK, "BTC": COIN}
    return Desk(candles, signals, config=config, instruments=described, pairs=pairs)


def test_a_day_order_of_a_friday_waits_for_monday() -> None:
    frames = mixed(
        [signal(FRIDAY, "X", "BUY", price=50.0), signal(FRIDAY, "BTC", "BUY", price=1_000.0)]
    ).frames()
    filled = {row["symbol"]: row["session"] for row in frames["fills"].iter_rows(named=True)}
    assert filled == {"BTC": day(SATURDAY), "X": day(MONDAY)}
    assert "EXPIRED" not in frames["order_events"]["state"].to_list()


def test_a_stock_without_a_bar_on_its_own_session_lets_the_order_expire() -> None:
    desk = mixed([signal(FRIDAY, "X", "BUY", price=50.0)])
    halted = stock(50.0, 12)
    halted[MONDAY] = None
    desk = Desk(
        {"X": halted, "BTC": flat(1_000.0, 12)},
        [signal(FRIDAY, "X", "BUY", price=50.0)],
        config=desk.config,
        instruments={"X": STOCK, "BTC": COIN},
        pairs=desk.pairs,
    )
    frames = desk.frames()
    assert frames["fills"].is_empty()
    (ended,) = frames["order_events"].filter(state="EXPIRED").iter_rows(named=True)
    assert ended["session"] == day(MONDAY)


@pytest.mark.parametrize(
    ("symbol", "on", "until"),
    [("X", FRIDAY, MONDAY), ("SAP", FRIDAY, MONDAY), ("BTC", FRIDAY, SATURDAY), ("X", MONDAY, TUESDAY)],
)
def test_an_order_may_be_sent_until_the_next_close_of_its_own_exchange(
    symbol: str, on: int, until: int
) -> None:
    frames = mixed([signal(on, symbol, "BUY")]).frames()
    assert frames["orders"]["valid_until"].to_list() == [times(12)[until].closes_at]


def test_only_own_sessions_count_as_held() -> None:
    entries = [
        signal(3, "X", "BUY", price=50.0, max_hold=2),
        signal(3, "BTC", "BUY", price=1_000.0, max_hold=2),
    ]
    frames = mixed(entries).frames()
    trades = {row["symbol"]: row for row in frames["trades"].iter_rows(named=True)}
    assert trades["BTC"]["session"] == day(MONDAY), (
        "in on Friday, two sessions later decided, out on the third"
    )
    assert trades["X"]["session"] == day(9), "Friday in, Tuesday decided, Wednesday out"
    assert {row["exit_reason"] for row in trades.values()} == {"time"}
    assert trades["X"]["sessions_held"] == trades["BTC"]["sessions_held"] == 3
    held = frames["positions"].filter(symbol="X").select("session", "sessions_held").rows()
    assert held == [
        (day(FRIDAY), 0),
        (day(SATURDAY), 0),
        (day(SUNDAY), 0),
        (day(MONDAY), 1),
        (day(TUESDAY), 2),
    ]


def test_a_mark_is_stale_only_when_its_own_session_has_passed_without_a_bar() -> None:
    candles = stock(50.0, 12)
    candles[TUESDAY] = None
    base = mixed([])
    desk = Desk(
        {"X": candles, "BTC": flat(1_000.0, 12)},
        [signal(2, "X", "BUY", price=50.0)],
        config=base.config,
        instruments={"X": STOCK, "BTC": COIN},
        pairs=base.pairs,
    )
    stale = desk.frames()["positions"].filter(symbol="X").select("session", "stale").rows()
    assert [session for session, is_stale in stale if is_stale] == [day(TUESDAY)]


def test_weights_named_at_a_weekend_leave_stocks_alone() -> None:
    signals = [
        signal(1, "X", "TARGET", price=50.0, weight=0.4),
        signal(1, "BTC", "TARGET", price=1_000.0, weight=0.4),
        signal(SATURDAY, "BTC", "TARGET", price=1_000.0, weight=0.4),
        signal(MONDAY, "BTC", "TARGET", price=1_000.0, weight=0.4),
    ]
    frames = mixed(
        signals, sizing={"mode": "target_weight", "max_position": 1.0, "min_position": 0.0}
    ).frames()
    sold = frames["orders"].filter(symbol="X", side="SELL")
    assert sold["session"].to_list() == [day(MONDAY)], "what Monday does not name is sold on Monday"


def test_a_position_in_euros_is_bought_valued_and_sold_at_the_rates_known_then() -> None:
    rates = [1.10, 1.12, 1.14, 1.16, 1.18]
    signals = [signal(0, "SAP", "BUY", price=100.0, stop=50.0), signal(2, "SAP", "CLOSE", price=100.0)]
    frames = mixed(signals, pairs=euros(12, *rates)).frames()
    order = frames["orders"].filter(purpose="entry").row(0, named=True)
    assert order["quantity"] == 17, "1,000 dollars at risk over 50 euros of 1.12 dollars is 17.86 shares"
    assert order["actual_risk"] == pytest.approx(17 * 50 * 1.12)
    bought, sold = frames["fills"].sort("session").iter_rows(named=True)
    assert (bought["rate"], bought["price_currency"], bought["currency"]) == (1.12, "EUR", "USD")
    assert sold["rate"] == 1.16, "the rate of the close before"
    assert sold["realised_pnl"] == pytest.approx(17 * 100 * (1.16 - 1.12))
    values = frames["positions"].select("session", "rate", "market_value").rows()
    assert values == [(day(1), 1.14, 1_938.0), (day(2), 1.16, 1_972.0)]
    equity = frames["portfolio"]["equity"].to_list()
    assert equity[:4] == [100_000.0, 100_034.0, 100_068.0, 100_068.0]


def test_commission_and_slippage_are_paid_in_the_currency_of_the_price() -> None:
    costs = {
        "stock": {
            "slippage": {"model": "percent", "value": 0.01},
            "commission": {"model": "percent", "value": 0.002},
            "participation": 1.0,
        }
    }
    desk = mixed([signal(0, "SAP", "BUY", price=100.0, stop=50.0)], pairs=euros(12, 1.25))
    desk = Desk(
        {"SAP": stock(100.0, 12)},
        [signal(0, "SAP", "BUY", price=100.0, stop=50.0)],
        config=book(calendar="24/7", conversion={"EUR": "EURUSD"}, costs=costs),
        instruments={"SAP": EURO},
        pairs=desk.pairs,
    )
    (fill,) = desk.frames()["fills"].iter_rows(named=True)
    assert (fill["quantity"], fill["price"]) == (16.0, 101.0)
    assert fill["commission"] == pytest.approx(round(16 * 101 * 0.002, 2) * 1.25, abs=0.005)
    assert fill["slippage"] == pytest.approx(16 * 1.0 * 1.25)


def test_gates_and_cash_count_in_the_books_currency() -> None:
    signals = [signal(0, "SAP", "BUY", price=100.0)]
    sizing = {"mode": "fraction", "fraction": 0.5, "max_position": 1.0, "min_position": 0.0}
    dear = mixed(signals, pairs=euros(12, 2.0), sizing=sizing).frames()["orders"]
    assert dear["quantity"].to_list() == [250.0], "half of 100,000 dollars in shares of 200 dollars"
    cheap = mixed(signals, pairs=euros(12, 0.5), sizing=sizing).frames()["orders"]
    assert cheap["quantity"].to_list() == [1_000.0]


def test_foreign_exchange_fills_without_volume() -> None:
    quoted = {"EURUSD": Instrument("fx", None, 1.0)}
    desk = Desk(
        {"EURUSD": flat(1.1, 6)},
        [signal(0, "EURUSD", "BUY", price=1.1)],
        config=book(costs=COSTS),
        instruments=quoted,
        volume=0.0,
        classes={"EURUSD": "fx"},
    )
    assert desk.frames()["fills"]["session"].to_list() == [day(1)]
    stock_without = Desk({"X": flat(1.1, 6)}, [signal(0, "X", "BUY", price=1.1)], volume=0.0)
    assert stock_without.frames()["fills"].is_empty()


def test_correlations_stand_on_common_sessions() -> None:
    count = 28
    moves = [1.0 + 0.01 * ((i * 7) % 5 - 2) for i in range(count)]
    level, both = 100.0, []
    for move in moves:
        level *= move
        both.append((level, level, level, level))
    desk = Desk(
        {"X": [c if day(i).weekday() < 5 else None for i, c in enumerate(both)], "BTC": both},
        config=book(calendar="24/7", risk={"correlation_window": 10, "regime": False}),
        instruments={"X": STOCK, "BTC": COIN},
    )
    prices = price_window(
        desk.history,
        times(count)[20:],
        desk.config,
        desk.actions,
        desk.instruments,
        calendars={"weekdays": weekdays(count)},
    )
    own, other = (prices.returns(7, symbol, 10) for symbol in ("X", "BTC"))
    assert own is not None
    assert other is not None
    assert len(own) == 10, "as many as asked for, although four weekends lie between"
    assert own.tolist() == other.tolist(), "a weekend is one move for both"


def test_cut_anywhere_the_walk_goes_on_as_if_it_had_not_been() -> None:
    signals = [
        signal(1, "SAP", "BUY", price=100.0, stop=90.0),
        signal(FRIDAY, "X", "BUY", price=50.0, max_hold=2),
        signal(SATURDAY, "BTC", "BUY", price=1_000.0),
        signal(TUESDAY, "SAP", "CLOSE", price=100.0),
    ]
    pairs = euros(12, *(1.1 + i / 100 for i in range(13)))
    whole = mixed(signals, pairs=pairs).frames()
    for cut in range(1, 12):
        desk = mixed(signals, pairs=pairs)
        begun = desk.walk(new_state(desk.config.capital), 0, cut)
        rest = desk.walk(from_json(begun.portfolio[-1][-1]), cut).frames()
        for table, frame in begun.frames().items():
            assert whole[table].equals(frame.vstack(rest[table])), (cut, table)
