"""What the repair changes, what it says, and what it leaves alone."""

from __future__ import annotations

import json

import polars as pl
import pytest

from tests.trading.market_frames import (
    NO_ACTIONS,
    actions_frame,
    bars_frame,
    calendar_frame,
    day,
    instruments_frame,
)
from trading.repair import is_repaired, repair_dates, repair_prices

FLAT = [100.0 + i % 5 / 10 for i in range(60)]


def closes(frame: pl.DataFrame) -> list[float]:
    return frame["close"].to_list()


def test_a_run_in_other_units_is_divided_and_says_so():
    faulty = [each * (100 if 20 <= i < 25 else 1) for i, each in enumerate(FLAT)]
    done = repair_prices(bars_frame(faulty), NO_ACTIONS)
    assert closes(done.bars) == pytest.approx(FLAT)
    marked = done.bars.filter(is_repaired())
    assert marked["session"].to_list() == [day(i) for i in range(20, 25)]
    assert marked["flags"][0].to_list() == ["repaired unit: prices were 100 times those of the bars around"]
    assert done.repairs["rule"].to_list() == ["unit"] * 5
    assert json.loads(done.repairs["row"][0])["close"] == pytest.approx(100 * FLAT[20])


@pytest.mark.parametrize(
    ("factors", "what"),
    [
        (dict.fromkeys(range(30, 60), 100), "a level that stays"),
        (dict.fromkeys(range(30, 34), 2), "a doubling that nobody recorded"),
        (dict.fromkeys(range(30, 34), 50), "no factor of 100"),
        (dict.fromkeys(range(10, 50), 100), "more bars inside than outside"),
    ],
)
def test_what_has_no_one_right_answer_is_left_alone(factors, what):
    faulty = [each * factors.get(i, 1) for i, each in enumerate(FLAT)]
    done = repair_prices(bars_frame(faulty), NO_ACTIONS)
    assert closes(done.bars) == faulty, what
    assert done.repairs.is_empty()


@pytest.mark.parametrize(("volume", "repaired"), [(1000.0, True), (10.0, False)])
def test_the_newest_bars_are_repaired_when_their_volume_knows_no_split(volume, repaired):
    faulty = [each * (100 if i >= 58 else 1) for i, each in enumerate(FLAT)]
    newest = pl.int_range(pl.len()) >= 58
    frame = bars_frame(faulty).with_columns(volume=pl.when(newest).then(volume).otherwise("volume"))
    assert (closes(repair_prices(frame, NO_ACTIONS).bars) == pytest.approx(FLAT)) is repaired


@pytest.mark.parametrize(("before", "after"), [("split applied by the source", 1), ("applied twice", 2)])
def test_prices_before_a_recorded_split_are_made_raw_again(before, after):
    raw = [each * (0.5 if i >= 30 else 1) for i, each in enumerate(FLAT)]
    split = actions_frame(("A", 30, "split", 2.0))
    faulty = [each / (2**after if i < 30 else 1) for i, each in enumerate(raw)]
    frame = bars_frame(faulty).with_columns(
        volume=pl.when(pl.col("session") < day(30)).then(pl.col("volume") * 2**after).otherwise("volume")
    )
    done = repair_prices(frame, split)
    assert closes(done.bars) == pytest.approx(raw), before
    assert done.bars["volume"].to_list() == bars_frame(raw)["volume"].to_list()
    assert done.bars.filter(is_repaired()).height == 30
    assert repair_prices(bars_frame(raw), split).repairs.is_empty()


@pytest.mark.parametrize(("first", "end", "factor"), [(30, 33, 2.0), (27, 30, 0.5)])
def test_a_split_that_shows_late_or_early_is_put_on_its_day(first, end, factor):
    raw = [each * (0.5 if i >= 30 else 1) for i, each in enumerate(FLAT)]
    faulty = [each * (factor if first <= i < end else 1) for i, each in enumerate(raw)]
    done = repair_prices(bars_frame(faulty), actions_frame(("A", 30, "split", 2.0)))
    assert closes(done.bars) == pytest.approx(raw)
    assert done.repairs["session"].to_list() == [day(i) for i in range(first, end)]


@pytest.mark.parametrize("first", [27, 31])
def test_a_delay_that_the_market_blurs_is_left_alone_and_the_past_with_it(first):
    raw = [each * (8 if i >= 30 else 1) for i, each in enumerate(FLAT)]
    early = first < 30
    rows = range(first, 30) if early else range(30, first)
    # The level changes by another 30 percent just where the delay begins or ends.
    faulty = [
        each * ((8 if early else 1 / 8) if i in rows else 1) * (0.7 if i >= first else 1)
        for i, each in enumerate(raw)
    ]
    done = repair_prices(bars_frame(faulty), actions_frame(("A", 30, "split", 0.125)))
    assert closes(done.bars) == faulty


def test_a_split_of_the_last_days_that_the_prices_do_not_show_waits():
    faulty = [*FLAT]
    done = repair_prices(bars_frame(faulty), actions_frame(("A", 55, "split", 2.0)))
    assert closes(done.bars) == faulty


def test_one_field_in_other_units():
    frame = bars_frame(FLAT).with_columns(
        high=pl.when(pl.col("session") == day(7)).then(pl.col("high") * 100).otherwise("high"),
        low=pl.when(pl.col("session") == day(9)).then(pl.col("low") / 100).otherwise("low"),
    )
    done = repair_prices(frame, NO_ACTIONS)
    assert done.bars.select("high", "low").to_numpy() == pytest.approx(
        bars_frame(FLAT).select("high", "low").to_numpy()
    )
    assert done.repairs["session"].to_list() == [day(7), day(9)]


def test_symbols_stand_alone_and_keep_their_order():
    fault = [each * (100 if 20 <= i < 25 else 1) for i, each in enumerate(FLAT)]
    both = pl.concat([bars_frame(fault, "B"), bars_frame(FLAT, "A")])
    done = repair_prices(both, NO_ACTIONS)
    assert done.bars["symbol"].to_list() == both["symbol"].to_list()
    assert set(done.repairs["symbol"]) == {"B"}
    again = repair_prices(done.bars, NO_ACTIONS)
    assert again.repairs.is_empty()
    assert again.bars.equals(done.bars)


CALENDAR = calendar_frame(60)
LISTED = instruments_frame("A")


def dated(frame: pl.DataFrame):
    return repair_dates(frame, CALENDAR, LISTED)


@pytest.mark.parametrize(
    "order",
    [
        [*range(59, -1, -1)],
        [*range(20), *range(29, 19, -1), *range(30, 60)],
        [*range(31), 30, *range(31, 60), 5],
    ],
    ids=["newest first", "a block newest first", "rows twice"],
)
def test_order_and_repetition_are_put_right(order):
    frame = bars_frame(FLAT)
    done = dated(frame[order])
    assert done.bars.drop("flags").equals(frame)
    assert set(done.repairs["rule"]) <= {"order", "repetition"}
    assert not done.repairs.is_empty()


def test_a_row_dated_like_the_one_before_gets_the_session_that_is_missing():
    frame = bars_frame(FLAT)
    wrong = pl.col("session") == day(10)
    shifted = frame.with_columns(
        session=pl.when(wrong).then(pl.lit(day(9))).otherwise("session"),
        closes_at=pl.when(wrong).then(pl.col("closes_at").shift(1)).otherwise("closes_at"),
    )
    done = dated(shifted)
    assert done.bars.drop("flags").equals(frame)
    assert done.bars["flags"][10].to_list() == [
        "repaired date: the bar was dated 2020-01-10, the session missing at its place is 2020-01-11"
    ]


def test_two_rows_of_a_session_are_left_alone_when_no_session_is_missing():
    frame = bars_frame(FLAT)
    doubled = pl.concat([frame[:11], frame[10:11].with_columns(close=pl.lit(100.3)), frame[11:]])
    assert dated(doubled).bars.drop("flags").equals(doubled)


def test_series_in_order_are_not_touched():
    frame = bars_frame([None if i == 12 else each for i, each in enumerate(FLAT)])
    done = dated(frame)
    assert done.bars.drop("flags").equals(frame)
    assert done.repairs.is_empty()
