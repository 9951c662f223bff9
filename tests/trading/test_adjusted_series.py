"""Adjusted series as of a date: against portfolios kept by hand, against exact fractions, against LEAN's files."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from resources.providers.base import Request
from resources.providers.registry import provider
from tests.trading.market_frames import actions_frame, bars_frame, day
from trading.adjust import AdjustError, adjusted, factors

LENGTH = 16
FIRST, LAST = date(1998, 1, 1), date(2021, 3, 31)

closes_ = st.lists(st.integers(1_000, 30_000).map(lambda cents: cents / 100), min_size=2, max_size=LENGTH)


@st.composite
def companies(draw):
    """Closes and events of one symbol; no dividend takes the price."""
    closes = draw(closes_)
    events = []
    for number in draw(st.lists(st.integers(1, len(closes) - 1), unique=True, max_size=5)):
        kind = draw(st.sampled_from(["split", "cash_dividend", "special_dividend"]))
        value = (
            draw(st.sampled_from([2.0, 3.0, 7.0, 0.5, 0.1]))
            if kind == "split"
            else draw(st.integers(1, 900)) / 100
        )
        events.append((number, kind, value))
    return closes, sorted(events)


def frames(closes, events):
    return bars_frame(closes), actions_frame(*(("A", number, kind, value) for number, kind, value in events))


def exact_factors(closes, events):
    """Total return and split factor of every bar, in exact fractions, straight from the definition."""
    price, split = [Fraction(1)], [Fraction(1)]
    for number in range(1, len(closes)):
        before = Fraction(closes[number - 1])
        here_price, here_split = price[-1], split[-1]
        for at, kind, value in events:
            if at != number:
                continue
            if kind == "split":
                here_price, here_split = here_price * Fraction(value), here_split * Fraction(value)
            else:
                here_price *= before / (before - Fraction(value))
        price.append(here_price)
        split.append(here_split)
    return price, split


@settings(max_examples=40)
@given(companies())
def test_factors_are_those_of_exact_arithmetic(company):
    closes, events = company
    found = factors(*frames(closes, events))
    price, split = exact_factors(closes, events)
    assert found["price_factor"].to_list() == pytest.approx([float(each) for each in price], rel=1e-12)
    assert found["split_factor"].to_list() == pytest.approx([float(each) for each in split], rel=1e-12)


@settings(max_examples=40)
@given(companies(), st.data())
def test_the_adjusted_series_grows_as_a_reinvesting_holder_does(company, data):
    """Start with one share; splits multiply it, dividends buy more at the close before the ex date."""
    closes, events = company
    as_of = data.draw(st.integers(1, len(closes) - 1))
    shares, worth = Fraction(1), [Fraction(closes[0])]
    for number in range(1, as_of + 1):
        for at, kind, value in events:
            if at == number:
                before = Fraction(closes[number - 1])
                shares *= Fraction(value) if kind == "split" else before / (before - Fraction(value))
        worth.append(shares * Fraction(closes[number]))
    series = adjusted(*frames(closes, events), "A", day(as_of))["close"].to_list()
    growth = [float(each / worth[0]) for each in worth]
    assert [each / series[0] for each in series] == pytest.approx(growth, rel=1e-11)
    assert series[-1] == closes[as_of]


@settings(max_examples=40)
@given(companies(), st.data())
def test_what_comes_after_the_date_changes_nothing(company, data):
    closes, events = company
    as_of = data.draw(st.integers(0, len(closes) - 1))
    kind = data.draw(st.sampled_from(["total_return", "split"]))
    whole = adjusted(*frames(closes, events), "A", day(as_of), kind)
    then = adjusted(
        *frames(closes[: as_of + 1], [event for event in events if event[0] <= as_of]), "A", day(as_of), kind
    )
    assert whole.equals(then)
    assert whole["session"].to_list() == [day(number) for number in range(as_of + 1)]


@settings(max_examples=40)
@given(companies())
def test_two_anchors_give_the_same_returns(company):
    closes, events = company
    assume(len(closes) > 2)
    early, late = len(closes) - 2, len(closes) - 1
    one, two = (adjusted(*frames(closes, events), "A", day(at))["close"].to_list() for at in (early, late))
    assert [b / a for a, b in pairwise(one)] == pytest.approx(
        [b / a for a, b in pairwise(two[:-1])], rel=1e-11
    )


@settings(max_examples=30)
@given(companies())
def test_splits_alone_keep_the_value_traded(company):
    closes, events = company
    bars, actions = frames(closes, events)
    series = adjusted(bars, actions, "A", day(len(closes) - 1), "split")
    traded = (series["close"] * series["volume"]).to_list()
    assert traded == pytest.approx((bars["close"] * bars["volume"]).to_list(), rel=1e-12)
    assert series["raw_close"].to_list() == closes
    assert (series["high"] / series["close"]).to_list() == pytest.approx(
        (bars["high"] / bars["close"]).to_list(), rel=1e-12
    )


@pytest.mark.parametrize("ratio", [2.0, 7.0, 1.5, 0.1, 1 / 3])
def test_a_split_alone_leaves_a_level_series_level(ratio):
    closes = [84.0] * 5 + [84.0 / ratio] * 5
    series = adjusted(bars_frame(closes), actions_frame(("A", 5, "split", ratio)), "A", day(9))
    assert series["close"].to_list() == pytest.approx([84.0 / ratio] * 10)
    assert series["volume"].to_list()[:5] == pytest.approx([(1000.0 + i % 7) * ratio for i in range(5)])


def test_a_spin_off_is_made_good_in_the_parents_series_alone():
    bars = pl.concat([bars_frame([40.0, 40.0, 30.0, 33.0]), bars_frame([None, None, 20.0, 22.0], "NEW")])
    actions = actions_frame(("A", 2, "spin_off", 0.5), new_symbol="NEW")
    parent = adjusted(bars, actions, "A", day(3))
    assert parent["close"].to_list() == pytest.approx([30.0, 30.0, 30.0, 33.0])
    child = adjusted(bars, actions, "NEW", day(3))
    assert child["close"].to_list() == [20.0, 22.0]
    assert adjusted(bars, actions, "A", day(3), "split")["close"].to_list() == [40.0, 40.0, 30.0, 33.0]


def test_a_symbol_without_bars_has_an_empty_series():
    found = adjusted(bars_frame([1.0, 2.0]), actions_frame(), "B", day(1))
    assert found.is_empty()
    assert found.columns[:2] == ["session", "open"]


def test_a_kind_that_nobody_defined_is_refused():
    with pytest.raises(AdjustError, match="adjustment 'dividend': choose total_return or split"):
        adjusted(bars_frame([1.0]), actions_frame(), "A", day(0), "dividend")


# ----------------------------------------------------------------------------------- against files of others


@pytest.fixture(scope="module")
def lean(shared_data):
    return provider("lean", {"folder": shared_data / "lean"})


def lean_factors(folder, ticker):
    """Rows of a factor file, oldest first: date, price factor, split factor."""
    rows = []
    for line in (folder / "equity/usa/factor_files" / f"{ticker}.csv").read_text().split():
        stamp, price, split = line.split(",")[:3]
        rows.append((date(int(stamp[:4]), int(stamp[4:6]), int(stamp[6:])), float(price), float(split)))
    return rows


def lean_scale(rows, session):
    """Factor of a session: that of the first row whose date is on or after it."""
    _, price, split = next(row for row in rows if row[0] >= session)
    return price * split, split


@pytest.mark.parametrize("symbol", ["AAPL", "IBM", "BAC", "GOOGL", "AIG"])
def test_series_of_decades_agree_with_leans_own_factors(lean, shared_data, symbol):
    answer = lean.fetch(Request((symbol,), FIRST, LAST))
    anchor = answer.bars["session"].max()
    rows = lean_factors(shared_data / "lean", symbol.lower())
    for kind, position, tolerance in (("total_return", 0, 2e-3), ("split", 1, 1e-5)):
        series = adjusted(answer.bars, answer.corporate_actions, symbol, anchor, kind)
        expected = [lean_scale(rows, session)[position] for session in series["session"]]
        ratio = series["factor"] / pl.Series(expected) * expected[-1]
        assert ratio.min() > 1 - tolerance, (kind, ratio.min())
        assert ratio.max() < 1 + tolerance, (kind, ratio.max())


def test_the_seven_for_one_split_of_a_real_share(lean):
    answer = lean.fetch(Request(("AAPL",), date(2014, 5, 1), date(2014, 7, 31)))
    bars, actions = answer.bars, answer.corporate_actions
    split = date(2014, 6, 9)
    before = adjusted(bars, actions, "AAPL", split - timedelta(days=1), "split")
    after = adjusted(bars, actions, "AAPL", date(2014, 7, 31), "split")
    assert before["close"][-1] == bars.filter(pl.col("session") < split)["close"][-1] > 600
    shared = after.head(before.height)
    assert (before["close"] / shared["close"]).to_list() == pytest.approx([7.0] * before.height)
    assert (shared["volume"] / before["volume"]).to_list() == pytest.approx([7.0] * before.height)
    daily = after["close"].pct_change().drop_nulls().abs()
    assert daily.max() < 0.05
