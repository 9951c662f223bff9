"""The quality rules: tables of bars, what blocks, what warns, what passes."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trading.market_frames import (
    NO_ACTIONS,
    actions_frame,
    bars_frame,
    calendar_frame,
    close_of,
    day,
    instruments_frame,
)
from trading.quality import Verdict, check_actions, check_bars, currency_changes, disagreements

SESSIONS = calendar_frame(400)
WAVE = [100 + math.sin(i) for i in range(100)]
"""A quiet series: about one percent from day to day."""


def check(bars: pl.DataFrame, actions=NO_ACTIONS, asset_class="stock", **named) -> Verdict:
    names = [name for name in bars["symbol"].unique() if name is not None]
    described = instruments_frame(*names, asset_class=asset_class)
    return check_bars(bars, actions.select(actions_frame().columns), SESSIONS, described, **named)


def at(number: int, column: str, value, count: int = 1) -> pl.Expr:
    """The column with another value on some days."""
    touched = pl.col("session").is_between(day(number), day(number + count - 1))
    return pl.when(touched).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)


BLOCKING = {
    "missing close": (at(5, "close", None), "complete", "a value is missing"),
    "NaN close": (at(5, "close", math.nan), "finite", "close NaN"),
    "infinite high": (at(5, "high", math.inf), "finite", "high inf"),
    "NaN volume": (at(5, "volume", math.nan), "finite", "volume NaN"),
    "zero low": (at(5, "low", 0.0), "positive price", "low 0.0 is not above 0"),
    "negative low": (at(5, "low", -3.0), "positive price", "low -3.0"),
    "open above high": (at(5, "open", 150.0), "low <= open, close <= high", "open 150.0"),
    "close below low": (at(5, "close", 50.0), "low <= open, close <= high", "close 50.0"),
    "high below low": (at(5, "high", 1.0), "low <= open, close <= high", "high 1.0"),
    "negative volume": (at(5, "volume", -1.0), "volume >= 0", "volume -1.0 is negative"),
    "midnight of the day": (
        at(5, "closes_at", close_of(day(4)) + timedelta(hours=3)),
        "time zone",
        "closes at 2020-01-06 00:00:00.000000+00:00, the session runs 2020-01-06 15:00",
    ),
    "no session": (at(5, "session", day(900)), "trading session", "2022-06-19 is no session of TEST"),
}


@pytest.mark.parametrize(("fault", "rule", "words"), BLOCKING.values(), ids=BLOCKING.keys())
def test_a_row_that_cannot_be_right_blocks_its_symbol(fault, rule, words):
    bars = pl.concat([bars_frame(WAVE).with_columns(fault), bars_frame(WAVE, "B")])
    verdict = check(bars)
    assert verdict.blocked == ("A",)
    assert verdict.rejected.select("target", "symbol", "rule").rows() == [("bars", "A", rule)]
    assert words in verdict.rejected["reason"].item()
    assert verdict.accepted["symbol"].unique().to_list() == ["B"]
    assert verdict.accepted.height == len(WAVE)
    assert verdict.withheld == len(WAVE) - 1


def test_two_bars_of_one_interval_are_both_rejected():
    bars = pl.concat([bars_frame(WAVE), bars_frame([None, 100.5])]).sort("closes_at", maintain_order=True)
    verdict = check(bars)
    assert verdict.rejected["rule"].to_list() == ["one bar an interval"] * 2
    assert verdict.rejected["session"].to_list() == [day(1), day(1)]


def test_a_step_back_in_time_is_rejected_where_it_happens():
    order = [0, 1, 2, 4, 3, 5]
    verdict = check(bars_frame(WAVE[:6])[order])
    assert verdict.rejected.select("rule", "session").rows() == [("ascending time", day(3))]
    assert "follows a bar of 2020-01-05 21:00" in verdict.rejected["reason"].item()


def test_a_session_that_has_not_closed_is_refused():
    now = close_of(day(5)) - timedelta(minutes=1)
    verdict = check(bars_frame(WAVE[:6]), now=now)
    assert verdict.rejected.select("rule", "session").rows() == [("closed session", day(5))]
    assert check(bars_frame(WAVE[:6]), now=close_of(day(5))).blocked == ()


def test_a_symbol_without_a_calendar_has_no_session():
    verdict = check_bars(bars_frame([1.0]), actions_frame(), SESSIONS, instruments_frame("B"))
    assert verdict.rejected["reason"].to_list() == ["2020-01-01 is no session of nothing"]


def test_a_row_without_a_symbol_is_rejected_and_never_accepted():
    verdict = check(bars_frame(WAVE[:3]).with_columns(at(1, "symbol", None)))
    assert verdict.rejected.select("symbol", "rule").rows() == [("", "complete")]
    assert verdict.accepted.height == 2


def test_intraday_bars_close_within_their_session():
    def bar(hour: int) -> pl.DataFrame:
        return bars_frame(
            [10.0], timeframe=pl.lit("1h"), closes_at=pl.lit(datetime(2020, 1, 1, hour, tzinfo=UTC))
        )

    assert check(pl.concat([bar(16), bar(21)])).blocked == ()
    for hour in (15, 22):
        assert check(bar(hour)).rejected["rule"].to_list() == ["time zone"]


@pytest.mark.parametrize(("factor", "rule"), [(100.0, "price scale"), (0.01, "price scale")])
def test_a_price_in_other_units_blocks(factor, rule):
    verdict = check(bars_frame([*WAVE, 100 * factor]))
    assert verdict.rejected.select("rule", "session").rows() == [(rule, day(100))]
    assert verdict.blocked == ("A",)


WARNING = {
    "jump": ([*WAVE, 120.0], NO_ACTIONS, [("jump", 100)]),
    "fall to a half": ([*WAVE, 50.0], NO_ACTIONS, [("jump", 100)]),
    "a jump in the first bars is not judged": ([100.0, 101.0, 150.0], NO_ACTIONS, []),
    "four percent after a dead calm are no jump": ([100.0] * 30 + [104.0], NO_ACTIONS, []),
    "a session missing": ([*WAVE[:50], None, *WAVE[51:]], NO_ACTIONS, [("missing sessions", 51)]),
}


@pytest.mark.parametrize(("closes", "actions", "expected"), WARNING.values(), ids=WARNING.keys())
def test_odd_rows_are_written_with_a_flag(closes, actions, expected):
    verdict = check(bars_frame(closes), actions)
    assert verdict.blocked == ()
    assert verdict.accepted.height == sum(close is not None for close in closes)
    found = [(rule, (at_ - day(0)).days) for rule, at_ in verdict.warnings.select("rule", "session").rows()]
    assert found == expected
    flagged = verdict.accepted.filter(pl.col("flags").list.len() > 0)
    assert flagged.select(pl.col("flags").list.first(), "session").rows() == [
        (rule, day(number)) for rule, number in expected
    ]


@pytest.mark.parametrize(
    ("action", "value", "close"),
    [
        ("split", 2.0, 50.0),
        ("split", 0.1, 1000.0),
        ("special_dividend", 40.0, 60.0),
        ("cash_dividend", 20.0, 80.0),
    ],
)
def test_a_corporate_action_explains_its_jump(action, value, close):
    bars = bars_frame([*WAVE, close])
    assert check(bars).warnings["rule"].to_list() == ["jump"]
    assert check(bars, actions_frame(("A", 100, action, value))).warnings.is_empty()


def test_a_split_that_the_prices_do_not_show_is_a_jump():
    verdict = check(bars_frame([*WAVE, 100.0]), actions_frame(("A", 100, "split", 2.0)))
    assert verdict.warnings["rule"].to_list() == ["jump"]


def test_an_unrecorded_split_is_named_as_such():
    assert "looks like a split" in check(bars_frame([*WAVE, 50.0])).warnings["reason"].item()
    assert "looks like a split" not in check(bars_frame([*WAVE, 60.0])).warnings["reason"].item()


def test_a_walk_over_missing_sessions_is_allowed_to_be_wider():
    assert "jump" in check(bars_frame([*WAVE, 115.0])).warnings["rule"].to_list()
    gap = check(bars_frame([*WAVE, *[None] * 8, 115.0])).warnings["rule"].to_list()
    assert gap == ["missing sessions"]


def test_nothing_is_compared_across_a_very_long_gap():
    verdict = check(bars_frame([*WAVE, *[None] * 100, 5.0]))
    assert verdict.warnings["rule"].to_list() == ["missing sessions"]
    assert verdict.blocked == ()


def test_the_same_bar_again_and_again_is_stale():
    bars = bars_frame([*WAVE[:30], *[100.0] * 5]).with_columns(volume=pl.lit(500.0))
    found = check(bars).warnings.select("rule", "session").rows()
    assert found == [("stale", day(32)), ("stale", day(33)), ("stale", day(34))]


def test_days_without_volume():
    bars = bars_frame(WAVE).with_columns(at(20, "volume", 0.0, count=6))
    found = check(bars).warnings.select("rule", "session").rows()
    assert found == [("no volume", day(24)), ("no volume", day(25))]
    assert check(bars, asset_class="fx").warnings.is_empty()
    assert check(bars_frame(WAVE).with_columns(at(20, "volume", 0.0, count=4))).warnings.is_empty()


@pytest.mark.parametrize("volume", [2_000_000.0, 0.5])
def test_volume_of_another_scale(volume):
    verdict = check(bars_frame(WAVE).with_columns(at(60, "volume", volume)))
    assert verdict.warnings.select("rule", "session").rows() == [("volume scale", day(60))]


def test_known_bars_are_what_new_ones_are_measured_against():
    bars = bars_frame([*WAVE, 120.0])
    verdict = check(bars.tail(1), known=bars.head(100))
    assert verdict.warnings.select("rule", "session").rows() == [("jump", day(100))]
    assert verdict.accepted.height == 1
    later = check(bars_frame([None] * 105 + [100.0]), known=bars.head(100))
    assert later.warnings.select("rule", "reason").rows() == [
        ("missing sessions", "5 sessions missing before it")
    ]


def test_rejected_rows_are_kept_as_json():
    bars = bars_frame(WAVE[:6]).with_columns(at(5, "low", -3.0))
    row = json.loads(check(bars).rejected["row"].item())
    assert (row["symbol"], row["session"], row["low"], row["source"]) == ("A", "2020-01-06", -3.0, "test")


def test_symbols_blocked_by_another_check_are_withheld():
    verdict = check(pl.concat([bars_frame(WAVE), bars_frame(WAVE, "B")]), blocked=("B", "Z"))
    assert verdict.blocked == ("B",)
    assert verdict.withheld == len(WAVE)


def test_no_bars_are_in_order():
    verdict = check(bars_frame([]))
    assert (verdict.accepted.height, verdict.blocked, verdict.withheld) == (0, (), 0)


faults = st.sampled_from(
    [
        None,
        ("close", math.nan),
        ("low", -1.0),
        ("volume", -5.0),
        ("open", 1e9),
        ("close", None),
        ("session", day(999)),
    ]
)


@given(st.dictionaries(st.sampled_from("ABC"), st.lists(st.tuples(st.floats(50, 150), faults), max_size=8)))
def test_every_row_is_accepted_rejected_or_withheld(market):
    frames, broken = [bars_frame([])], set()
    for symbol, rows in market.items():
        bars = bars_frame([close for close, _ in rows], symbol)
        for number, (_, fault) in enumerate(rows):
            if fault is not None:
                bars = bars.with_columns(at(number, *fault))
                broken.add(symbol)
        frames.append(bars)
    bars = pl.concat(frames)
    verdict = check(bars)
    assert set(verdict.blocked) == broken
    assert verdict.accepted.height + verdict.rejected.height + verdict.withheld == bars.height
    assert not set(verdict.accepted["symbol"]) & broken
    expected = bars.filter(pl.col("symbol").is_in(list(broken)).not_())
    assert verdict.accepted.drop("flags").equals(expected)


# --------------------------------------------------------------------------- actions and instruments

ACTIONS = {
    "split of zero": (("A", 3, "split", 0.0), "positive value"),
    "split without a ratio": (("A", 3, "split", None), "positive value"),
    "NaN dividend": (("A", 3, "cash_dividend", math.nan), "positive value"),
    "negative dividend": (("A", 3, "cash_dividend", -1.0), "positive value"),
    "split of 1:100000": (("A", 3, "split", 100_000.0), "split ratio"),
    "dividend as large as the price": (("A", 3, "special_dividend", 200.0), "dividend below the price"),
}


@pytest.mark.parametrize(("row", "rule"), ACTIONS.values(), ids=ACTIONS.keys())
def test_actions_that_cannot_be_right(row, rule):
    good, findings = check_actions(actions_frame(row, ("A", 4, "split", 2.0)), bars_frame(WAVE[:10]))
    assert good.height == 1
    assert findings.select("target", "symbol", "rule", "session").rows() == [
        ("corporate_actions", "A", rule, day(3))
    ]


def test_actions_in_order_pass_as_they_are():
    actions = actions_frame(
        ("A", 3, "split", 2.0),
        ("A", 3, "cash_dividend", 1.0),
        ("A", 5, "rename", None),
        ("A", 9, "delisting", None),
        ("A", -9, "special_dividend", 1e6),
    )
    good, findings = check_actions(actions, bars_frame(WAVE[:10]))
    assert good.equals(actions)
    assert findings.is_empty()


def test_two_splits_of_one_day_are_refused():
    actions = actions_frame(("A", 3, "split", 2.0), ("A", 3, "split", 3.0))
    assert (
        check_actions(actions, bars_frame(WAVE[:10]))[1]["rule"].to_list()
        == ["one action of a kind a day"] * 2
    )


def test_a_change_of_currency_is_found():
    known = instruments_frame("A", "B")
    new = instruments_frame("A", "B").with_columns(
        currency=pl.when(pl.col("symbol") == "A").then(pl.lit("GBX")).otherwise("currency")
    )
    assert currency_changes(new, known)["reason"].to_list() == ["prices in GBX, known in USD"]
    assert currency_changes(known, known).is_empty()


def test_providers_that_differ_by_more_than_half_a_percent():
    one = bars_frame([100.0, 100.0, 100.0])
    two = bars_frame([100.4, 100.6, None], source=pl.lit("other"))
    found = disagreements(one, two)
    assert found.select("closes_at", "close", "other_close", "other_source").rows() == [
        (close_of(day(1)), 100.0, 100.6, "other")
    ]
