"""Decisions and their consequences over a few hand-made days."""

from __future__ import annotations

import polars as pl
import pytest

from delta.contracts import TABLES
from tests.trading.decision.desks import Desk, actions, book, day, flat, signal
from trading.journal import SCHEMAS
from trading.rules import ExitRule, Rules
from trading.state import from_json, new_state, to_json

RISE = [
    (100, 100, 100, 100),
    (101, 103, 100, 102),
    (102, 112, 102, 111),
    (111, 113, 108, 112),
    (112, 112, 99, 100),
]
BUY = signal(0, "A", "BUY", stop=92.0, target=130.0, max_hold=30)
TRAILING = Rules(
    exits={"stock": ExitRule(follow_fill=True, trailing_activation=0.10, trailing_distance=0.08)}
)


def test_journal_has_the_columns_of_the_contracts():
    for table, columns in SCHEMAS.items():
        assert columns == dict(TABLES[table].schema()), table


def test_an_entry_fills_at_the_next_open_and_is_marked_at_the_close():
    frames = Desk({"A": RISE}, [BUY]).frames()
    fill = frames["fills"].row(0, named=True)
    assert (fill["session"], fill["price"], fill["quantity"]) == (day(1), 101.0, 125.0)  # 1000 risk / 8
    position = frames["positions"].row(0, named=True)
    assert (position["session"], position["market_value"]) == (day(1), 125 * 102.0)
    assert frames["portfolio"]["equity"][1] == 100_000 + 125 * 1.0
    assert frames["portfolio"]["cash"][1] == 100_000 - 125 * 101.0


def test_stop_and_target_move_to_the_fill_when_the_strategy_says_so():
    follow = Rules(exits={"stock": ExitRule(follow_fill=True)})
    orders = Desk({"A": RISE}, [BUY], rules=follow).frames()["orders"]
    moved = orders.filter(pl.col("intent") == "modify").sort("purpose")
    assert moved["session"].to_list() == [day(1), day(1)]
    assert moved["limit_price"][0] == pytest.approx(130.0 * 1.01)
    assert moved["stop_price"][1] == pytest.approx(92.0 * 1.01)
    stays = Desk({"A": RISE}, [BUY]).frames()["orders"]
    assert stays.filter(pl.col("intent") == "modify").is_empty()


def test_a_trailing_exit_is_reported_as_trailing():
    """High 112 is past 101 x 1.1: the stop goes to 112 x 0.92, then 113 x 0.92 = 103.96, which 99 hits."""
    frames = Desk({"A": RISE}, [BUY], rules=TRAILING).frames()
    moves = frames["orders"].filter(pl.col("purpose") == "trailing_stop")
    assert [round(price, 2) for price in moves["stop_price"]] == [103.04, 103.96]
    trade = frames["trades"].row(0, named=True)
    assert (trade["session"], trade["exit_reason"]) == (day(4), "trailing_stop")
    assert trade["exit_price"] == pytest.approx(103.96)
    assert frames["positions"].filter(pl.col("session") == day(2))["trailing"].to_list() == [True]


def test_a_trailing_stop_never_backs_off():
    fall = [*RISE[:3], (110, 111, 105, 106), (106, 107, 104, 105), (105, 111.5, 104, 111)]
    moves = (
        Desk({"A": fall}, [BUY], rules=TRAILING)
        .frames()["orders"]
        .filter(pl.col("purpose") == "trailing_stop")
    )
    assert moves["session"].to_list() == [day(2)]


@pytest.mark.parametrize(
    ("signals", "reason", "session"),
    [
        ([BUY | {"max_hold": 2}], "time", day(4)),
        ([BUY, signal(2, "A", "CLOSE", reason="momentum_failure")], "momentum_failure", day(3)),
        ([BUY, signal(2, "A", "SELL", reason="own rule")], "own rule", day(3)),
    ],
)
def test_exits_decided_at_the_close_fill_at_the_next_open(signals, reason, session):
    frames = Desk({"A": RISE}, signals).frames()
    assert frames["trades"].select("exit_reason", "session").row(0) == (reason, session)
    exit_fill = frames["fills"].filter(pl.col("side") == "SELL")
    assert exit_fill["executed_at"].dt.time().to_list()[0].hour == 14  # the open, UTC
    # one cancels all: nothing of the bracket is left working
    assert from_json(frames["portfolio"]["state"][-1]).working == []


def test_a_stop_that_gaps_fills_at_the_open():
    gap = [*flat(100, 2), (80, 85, 79, 84)]
    trade = Desk({"A": gap}, [BUY]).frames()["trades"].row(0, named=True)
    assert (trade["exit_price"], trade["exit_reason"], trade["pnl"]) == (80.0, "stop_loss", -125 * 20.0)


def test_same_close_fills_at_the_close_decided_on():
    config = book(fill="same_close")
    frames = Desk({"A": RISE}, [BUY], config=config).frames()
    fill = frames["fills"].row(0, named=True)
    assert (fill["session"], fill["price"]) == (day(0), 100.0)
    assert frames["positions"]["session"][0] == day(0)


def test_no_bar_no_fill_and_the_entry_expires():
    frames = Desk({"A": [RISE[0], None, *RISE[2:]], "B": flat(10, 5)}, [BUY]).frames()
    assert frames["fills"].is_empty()
    assert "EXPIRED" in frames["order_events"]["state"].to_list()
    assert frames["positions"].is_empty()


def test_a_signal_without_a_bar_is_rejected_with_the_reason():
    frames = Desk({"A": [None, *RISE[1:]], "B": flat(10, 5)}, [BUY]).frames()
    order = frames["orders"].row(0, named=True)
    assert order["status"] == "rejected"
    assert "no bar in this session" in order["gates"]


def test_held_names_leave_the_candidate_list_and_sectors_limit_it():
    names = ["A", "B", "C", "D"]
    candles = {name: flat(100, 4) for name in names}
    ranked = [
        {"session": day(on), "strategy": "s", "symbol": name, "rank": at + 1, "score": 90.0 - at}
        for on in (0, 2)
        for at, name in enumerate(names)
    ]
    signals = [signal(on, name, "BUY", stop=90.0) for on in (0, 2) for name in names]
    rules = Rules(max_candidates=2, max_per_sector=1)
    desk = Desk(
        candles,
        signals,
        rules=rules,
        candidates=ranked,
        sectors={"A": "x", "B": "x", "C": "y", "D": "y"},
        config=book(sizing={"max_position": 0.2, "min_position": 0.0}),
    )
    entries = desk.frames()["orders"].filter(pl.col("purpose") == "entry", pl.col("status") == "approved")
    # first A (sector x) and C (sector y); once held they leave the list to B and D
    assert entries.select("session", "symbol").rows() == [
        (day(0), "A"),
        (day(0), "C"),
        (day(2), "B"),
        (day(2), "D"),
    ]


def test_orders_that_were_never_placed_expire_before_the_session():
    desk = Desk({"A": RISE}, [BUY])
    state = new_state(100_000.0)
    first = desk.walk(state, 0, 1, acknowledge=False)
    assert first.order_events == []
    refs = frozenset(order.order_ref for order in state.working)
    assert len(refs) == 3
    later = desk.walk(state, 1, 5, acknowledge=False, unplaced=refs).frames()
    assert later["fills"].is_empty()
    assert set(later["order_events"]["state"]) == {"EXPIRED"}


def test_splits_adjust_holding_plan_and_orders_and_dividends_pay_on_the_pay_date():
    """Hand-computed: 125 bought at 101; 2:1 on day 3; 0.50 a new share, ex day 4, paid day 6."""
    candles = [(100, 100, 100, 100), (101, 103, 100, 102), (102, 104, 102, 104), *[(52, 53, 51, 52)] * 4]
    corporate = actions(
        {"symbol": "A", "on": 3, "action": "split", "value": 2.0},
        {"symbol": "A", "on": 4, "action": "cash_dividend", "value": 0.5, "pay": 6},
    )
    frames = Desk({"A": candles}, [BUY], corporate=corporate).frames()
    after = frames["positions"].filter(pl.col("session") == day(3)).row(0, named=True)
    assert (after["quantity"], after["entry_price"], after["stop"], after["target"]) == (
        250.0,
        50.5,
        46.0,
        65.0,
    )
    assert after["cost_basis"] == 125 * 101.0
    working = {o.purpose: o for o in from_json(frames["portfolio"]["state"][3]).working}
    assert (working["stop_loss"].quantity, working["stop_loss"].stop_price) == (250.0, 46.0)
    assert (working["profit_target"].quantity, working["profit_target"].limit_price) == (250.0, 65.0)
    money = frames["portfolio"]
    assert money["receivables"].to_list() == [0, 0, 0, 0, 125.0, 125.0, 0]
    assert money["cash"][6] - money["cash"][5] == 125.0
    assert money["dividends"][4] == 125.0
    assert money["equity"][3] == money["cash"][3] + 250 * 52.0


def test_a_delisting_closes_the_position_at_the_last_price():
    corporate = actions({"symbol": "A", "on": 3, "action": "delisting"})
    frames = Desk({"A": RISE[:3], "B": flat(10, 5)}, [BUY], corporate=corporate).frames()
    trade = frames["trades"].row(0, named=True)
    assert (trade["session"], trade["exit_price"], trade["exit_reason"]) == (day(3), 111.0, "delisting")
    assert from_json(frames["portfolio"]["state"][-1]).working == []


@pytest.mark.parametrize("prices", ["split", "total_return"])
def test_adjusted_books_have_no_jump_where_a_split_lies(prices):
    candles = [*flat(100, 3), *flat(50, 4)]
    corporate = actions({"symbol": "A", "on": 3, "action": "split", "value": 2.0})
    adjusted = Desk({"A": candles}, [BUY], corporate=corporate, config=book(prices=prices)).frames()
    raw = Desk({"A": candles}, [BUY], corporate=corporate).frames()
    assert (
        adjusted["portfolio"]["equity"].to_list() == raw["portfolio"]["equity"].to_list() == [100_000.0] * 7
    )
    assert adjusted["positions"]["quantity"].to_list() == [125.0] * 6  # the units of the first session
    assert raw["positions"]["quantity"].to_list() == [125.0, 125.0, 250.0, 250.0, 250.0, 250.0]


def test_total_return_prices_hold_the_dividend_that_raw_books_receive():
    candles = [*flat(100, 3), *flat(98, 4)]
    corporate = actions({"symbol": "A", "on": 3, "action": "cash_dividend", "value": 2.0})
    final = {
        prices: Desk({"A": candles}, [BUY], corporate=corporate, config=book(prices=prices)).frames()[
            "portfolio"
        ]
        for prices in ("raw", "split", "total_return")
    }
    assert {name: frame["equity"][-1] for name, frame in final.items()} == dict.fromkeys(final, 100_000.0)
    assert [final[name]["dividends"][-1] for name in ("raw", "split", "total_return")] == [250.0, 250.0, 0.0]


def test_target_weights_sell_first_and_sell_what_is_not_named():
    candles = {"A": flat(100, 6), "B": flat(50, 6), "C": flat(20, 6)}
    signals = [
        signal(0, "A", "TARGET", weight=0.6),
        signal(0, "B", "TARGET", weight=0.4),
        signal(2, "B", "TARGET", weight=0.5),
        signal(2, "C", "TARGET", weight=0.5),
    ]
    frames = Desk(candles, signals).frames()
    assert frames["orders"]["status"].to_list() == ["approved"] * 5
    assert frames["orders"].filter(pl.col("session") == day(2)).select("symbol", "side").rows()[0] == (
        "A",
        "SELL",
    )
    last = frames["positions"].filter(pl.col("session") == day(5))
    assert last.select("symbol", "quantity").rows() == [("B", 999.0), ("C", 2499.0)]
    assert frames["portfolio"]["cash"].min() >= 0


def test_state_is_exact_through_json():
    desk = Desk({"A": RISE}, [BUY], rules=TRAILING)
    state = new_state(100_000.0)
    desk.walk(state, 0, 3)
    assert to_json(from_json(to_json(state))) == to_json(state)


def test_a_weight_of_the_other_sign_passes_the_gates_like_an_entry():
    signals = [signal(0, "A", "TARGET", weight=0.5), signal(2, "A", "TARGET", weight=-0.25)]
    config = book(risk={**book().risk.model_dump(), "max_portfolio_exposure": 0.6})
    frames = Desk({"A": flat(100, 5)}, signals, config=config).frames()
    turned = frames["orders"].filter(pl.col("session") == day(2)).row(0, named=True)
    assert (turned["side"], turned["purpose"], turned["status"]) == ("SELL", "rebalance", "rejected")
    assert "portfolio_exposure" in turned["gates"]


def test_a_name_that_is_being_sold_is_not_sold_again():
    """Without a bar the exit cannot fill; the next rebalancing must not add another."""
    candles = {"A": [*flat(100, 3), None, None, *flat(100, 2)], "B": flat(50, 7)}
    signals = [
        signal(0, "A", "TARGET", weight=0.5),
        signal(2, "B", "TARGET", weight=0.5),
        signal(3, "B", "TARGET", weight=0.5),
    ]
    frames = Desk(candles, signals).frames()
    sold = frames["fills"].filter(pl.col("symbol") == "A", pl.col("side") == "SELL")
    assert sold.select("session", "quantity").rows() == [(day(5), 499.0)]
    assert frames["positions"].filter(pl.col("quantity") < 0).is_empty()
