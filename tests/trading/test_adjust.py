"""Forward factors: worked examples, and that the future never changes the past."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trading.market_frames import actions_frame, bars_frame, day
from trading.adjust import AdjustError, factors

CASES = {
    "nothing happens": ([10, 10, 10], [], [1, 1, 1], [1, 1, 1]),
    "split 2 for 1": ([10, 5, 5], [("A", 1, "split", 2.0)], [1, 2, 2], [1, 2, 2]),
    "reverse split 1 for 8": ([1, 8], [("A", 1, "split", 0.125)], [1, 0.125], [1, 0.125]),
    "dividend of a tenth": ([10, 9, 9], [("A", 1, "cash_dividend", 1.0)], [1, 10 / 9, 10 / 9], [1, 1, 1]),
    "special and ordinary dividend of one day": (
        [10, 7],
        [("A", 1, "special_dividend", 2.0), ("A", 1, "cash_dividend", 1.0)],
        [1, 10 / 7],
        [1, 1],
    ),
    "dividend and split of one day: cash is per share before": (
        [10, 4.5],
        [("A", 1, "split", 2.0), ("A", 1, "cash_dividend", 1.0)],
        [1, 2 * 10 / 9],
        [1, 2],
    ),
    "on the first bar: nothing to adjust": ([10, 10], [("A", 0, "split", 2.0)], [1, 1], [1, 1]),
    "before the first bar": ([10, 10], [("A", -5, "cash_dividend", 1.0)], [1, 1], [1, 1]),
    "after the last bar": ([10, 10], [("A", 2, "split", 2.0)], [1, 1], [1, 1]),
    "ex date without a bar: the next bar takes it": (
        [10, None, 5],
        [("A", 1, "split", 2.0)],
        [1, 2],
        [1, 2],
    ),
    "split, then a dividend, before one bar": (
        [10, None, None, 4],
        [("A", 1, "split", 2.0), ("A", 2, "cash_dividend", 1.0)],
        [1, 2 * 5 / 4],
        [1, 2],
    ),
    "dividend, then a split, before one bar": (
        [10, None, None, 4],
        [("A", 1, "cash_dividend", 1.0), ("A", 2, "split", 2.0)],
        [1, 2 * 10 / 9],
        [1, 2],
    ),
    "two splits": ([8, 4, 1], [("A", 1, "split", 2.0), ("A", 2, "split", 4.0)], [1, 2, 8], [1, 2, 8]),
    "a rename and a delisting are no adjustment": (
        [10, 10],
        [("A", 1, "rename", None), ("A", 1, "delisting", 5.0)],
        [1, 1],
        [1, 1],
    ),
    "another symbol's split": ([10, 10], [("B", 1, "split", 2.0)], [1, 1], [1, 1]),
}


@pytest.mark.parametrize(("closes", "actions", "price", "split"), CASES.values(), ids=CASES.keys())
def test_worked_examples(closes, actions, price, split):
    found = factors(bars_frame(closes), actions_frame(*actions))
    assert found["price_factor"].to_list() == pytest.approx(price, rel=1e-15)
    assert found["split_factor"].to_list() == pytest.approx(split, rel=1e-15)


def test_after_a_long_gap_the_close_of_the_bar_itself_is_used():
    closes = [10.0, *[None] * 30, 50.0]
    found = factors(bars_frame(closes), actions_frame(("A", 5, "cash_dividend", 5.0)))
    assert found["price_factor"].to_list() == pytest.approx([1, 1.1])


def test_a_spin_off_is_worth_the_new_shares_on_the_ex_date():
    bars = pl.concat([bars_frame([10.0, 8.0]), bars_frame([None, 4.0], "NEW")])
    found = factors(bars, actions_frame(("A", 1, "spin_off", 0.5), new_symbol="NEW"))
    assert found.filter(symbol="A")["price_factor"].to_list() == pytest.approx([1, 10 / 8])


def test_a_spin_off_that_does_not_trade_yet_changes_nothing():
    found = factors(bars_frame([10.0, 8.0]), actions_frame(("A", 1, "spin_off", 0.5), new_symbol="NEW"))
    assert found["price_factor"].to_list() == [1, 1]


def test_a_dividend_as_large_as_the_price_is_refused_by_name():
    with pytest.raises(AdjustError) as caught:
        factors(bars_frame([10.0, 9.0]), actions_frame(("A", 1, "cash_dividend", 10.0)))
    assert str(caught.value) == (
        "A: cash_dividend of 10 on 2020-01-02 is not below the close before it, 10; "
        "correct the corporate action"
    )


def test_holding_the_adjusted_series_is_holding_the_share_and_its_dividends():
    """100 shares, a dividend reinvested at the close before the ex date, a split: the same wealth."""
    closes = [100.0, 95.0, 48.0, 50.0]
    actions = actions_frame(("A", 1, "cash_dividend", 5.0), ("A", 2, "split", 2.0))
    found = factors(bars_frame(closes), actions)
    adjusted = [close * factor for close, factor in zip(closes, found["price_factor"], strict=True)]
    shares = 100 * (1 / (1 - 5 / 100)) * 2
    assert adjusted[-1] / adjusted[0] == pytest.approx(shares * 50.0 / (100 * 100.0))


@st.composite
def markets(draw):
    length = draw(st.integers(2, 40))
    symbols = draw(st.lists(st.sampled_from("ABCD"), min_size=1, max_size=3, unique=True))
    bars, actions = [], []
    for symbol in symbols:
        closes = draw(st.lists(st.one_of(st.none(), st.floats(5, 500)), min_size=length, max_size=length))
        bars.append(bars_frame(closes, symbol))
        days = draw(st.lists(st.integers(0, length), unique=True, max_size=6))
        for number in days:
            kind = draw(st.sampled_from(["split", "cash_dividend", "special_dividend"]))
            value = draw(
                st.sampled_from([0.1, 0.5, 2.0, 3.0, 7.0]) if kind == "split" else st.floats(0.01, 0.4)
            )
            actions.append((symbol, number, kind, value))
    return pl.concat(bars), actions_frame(*actions), length


@given(markets(), st.data())
def test_cutting_the_future_off_changes_no_factor_by_a_bit(market, data):
    bars, actions, length = market
    cut = data.draw(st.integers(0, length))
    whole = factors(bars, actions).filter(pl.col("session") < day(cut))
    early = factors(bars.filter(pl.col("session") < day(cut)), actions)
    same_future = factors(
        bars.filter(pl.col("session") < day(cut)), actions.filter(pl.col("ex_date") < day(cut))
    )
    assert whole.equals(early)
    assert whole.equals(same_future)


@given(markets())
def test_factors_start_at_one_and_only_change_on_ex_dates(market):
    bars, actions, _ = market
    found = factors(bars, actions)
    for (symbol,), rows in found.group_by("symbol", maintain_order=True):
        values = rows["price_factor"].to_numpy()
        assert values[0] == 1
        changes = int(np.count_nonzero(np.diff(values)))
        assert changes <= actions.filter(symbol=symbol).height
        assert all(math.isfinite(value) and value > 0 for value in values)


@given(markets(), st.randoms())
def test_the_order_of_rows_does_not_matter(market, random):
    bars, actions, _ = market
    mixed = list(range(bars.height))
    random.shuffle(mixed)
    assert factors(bars[mixed], actions.reverse()).equals(factors(bars, actions))
