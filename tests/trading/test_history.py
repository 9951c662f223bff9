"""The flat history: what it holds, in which order, and which version of a bar it takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trading.market_frames import (
    NO_ACTIONS,
    NO_INSTRUMENTS,
    actions_frame,
    bars_frame,
    calendar_frame,
    day,
    instruments_frame,
)
from trading.history import HistoryError, dense, history_from_frames, newest, select, until

NOON = datetime(2021, 1, 1, 12, tzinfo=UTC)


def build(bars, sessions=10, actions=NO_ACTIONS, instruments=NO_INSTRUMENTS):
    return history_from_frames(bars, actions, instruments, calendar_frame(sessions))


def test_bars_of_a_symbol_lie_together_and_missing_ones_are_absent():
    history = build(pl.concat([bars_frame([5, None, 7], "B"), bars_frame([1, 2, 3], "A")]))
    assert history.symbols == ("A", "B")
    assert history.offsets.tolist() == [0, 3, 5]
    assert history.close.tolist() == [1, 2, 3, 5, 7]
    assert history.session_index.tolist() == [0, 1, 2, 0, 2]
    assert len(history.sessions) == 10
    assert history.close[history.rows("B")].tolist() == [5, 7]
    assert history.rows("C") == slice(0, 0)
    assert len(history) == 5


def test_types_are_what_the_research_expects():
    history = build(bars_frame([1, 2]))
    assert history.sessions.dtype == np.dtype("datetime64[D]")
    assert history.offsets.dtype == np.int64
    assert history.session_index.dtype == np.int32
    for name in ("open", "high", "low", "close", "volume", "price_factor", "split_factor"):
        values = getattr(history, name)
        assert values.dtype == np.float64
        assert values.flags.c_contiguous


def test_adjusted_volume_times_split_adjusted_price_is_the_raw_dollar_volume():
    history = build(bars_frame([10, 5]), actions=actions_frame(("A", 1, "split", 2.0)))
    dollars = history.close * history.split_factor * (history.volume / history.split_factor)
    assert dollars == pytest.approx(history.close * history.volume)
    assert (history.close * history.split_factor).tolist() == [10, 10]


def test_bars_on_other_days_than_sessions_are_left_out():
    history = build(bars_frame([1, 2, 3, 4]), sessions=2)
    assert history.close.tolist() == [1, 2]


def test_a_symbol_with_no_bar_on_any_session_is_left_out():
    late = bars_frame([None, None, 3], "LATE")
    history = build(pl.concat([bars_frame([1, 2], "A"), late, bars_frame([1], "Z")]), sessions=2)
    assert history.symbols == ("A", "Z")
    assert history.offsets.tolist() == [0, 2, 3]


def test_the_newest_version_of_a_bar_is_taken_wherever_it_stands():
    first = bars_frame([1, 2, 3], known_at=pl.lit(NOON))
    corrected = bars_frame([None, 20], known_at=pl.lit(NOON + timedelta(days=1)))
    for frames in ([first, corrected], [corrected, first]):
        assert build(pl.concat(frames)).close.tolist() == [1, 20, 3]


def test_two_bars_of_one_session_without_a_version_are_refused():
    with pytest.raises(HistoryError, match="A has two bars of session 2020-01-02; keep the newest"):
        build(pl.concat([bars_frame([1, 2]), bars_frame([None, 3])]))


def test_an_empty_calendar_is_refused_and_no_bars_are_not():
    with pytest.raises(HistoryError, match="no session in the range"):
        build(bars_frame([1]), sessions=0)
    history = build(bars_frame([]))
    assert (len(history), history.symbols, history.offsets.tolist()) == (0, (), [0])
    assert dense(history, history.close).shape == (10, 0)


def test_asset_class_and_sector_come_from_the_latest_period():
    periods = pl.concat(
        [
            instruments_frame("A", asset_class="stock"),
            instruments_frame("A", asset_class="etf").with_columns(valid_from=pl.lit(day(3))),
        ]
    )
    history = build(pl.concat([bars_frame([1], "A"), bars_frame([1], "B")]), instruments=periods)
    assert history.asset_class == ("etf", "stock")
    assert history.sector == ("Energy", None)


def test_dense_puts_every_bar_at_its_session_and_nan_elsewhere():
    history = build(pl.concat([bars_frame([1, None, 3], "A"), bars_frame([None, 5], "B")]), sessions=3)
    assert np.array_equal(
        dense(history, history.close), [[1, np.nan], [np.nan, 5], [3, np.nan]], equal_nan=True
    )


def test_a_session_is_found_or_refused():
    history = build(bars_frame([1, 2]), sessions=3)
    assert history.index(day(2)) == 2
    with pytest.raises(
        HistoryError, match=r"2020-01-09 is no session of the range 2020-01-01 \.\. 2020-01-03"
    ):
        history.index(day(8))


def test_selected_symbols_keep_their_bars():
    history = build(pl.concat([bars_frame([1, 2], "A"), bars_frame([3], "B"), bars_frame([4, 5], "C")]))
    chosen = select(history, ("C", "A", "X"))
    assert chosen.symbols == ("A", "C")
    assert chosen.close.tolist() == [1, 2, 4, 5]
    assert chosen.offsets.tolist() == [0, 2, 4]


bars_of_many = st.dictionaries(
    st.sampled_from(["A", "B", "C", "D", "AA"]),
    st.lists(st.one_of(st.none(), st.floats(1, 100)), min_size=1, max_size=12),
    min_size=1,
)


@given(bars_of_many, st.randoms())
def test_the_order_of_rows_does_not_matter(many, random):
    bars = pl.concat([bars_frame(closes, symbol) for symbol, closes in many.items()])
    mixed = list(range(bars.height))
    random.shuffle(mixed)
    one, two = build(bars, 12), build(bars[mixed], 12)
    assert one.symbols == two.symbols
    for name in ("offsets", "session_index", "open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(one, name), getattr(two, name))


@given(bars_of_many, st.integers(0, 12))
def test_cut_off_after_a_session_is_built_from_bars_up_to_it(many, cut):
    bars = pl.concat([bars_frame(closes, symbol) for symbol, closes in many.items()])
    actions = actions_frame(("A", 2, "split", 2.0), ("B", 3, "cash_dividend", 0.5))
    whole = until(build(bars, 13, actions), day(cut))
    early = build(bars.filter(pl.col("session") <= day(cut)), cut + 1, actions)
    assert whole.symbols == early.symbols
    for name in ("sessions", "offsets", "session_index", "close", "price_factor", "split_factor"):
        assert np.array_equal(getattr(whole, name), getattr(early, name))


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(1, 99)),
        max_size=30,
        unique_by=lambda v: v[:2],
    ),
    st.integers(0, 4),
)
def test_newest_is_what_was_known_at_a_time(versions, at):
    rows = pl.DataFrame(
        [(key, NOON + timedelta(hours=hour), value) for key, hour, value in versions],
        schema={"key": pl.Int64, "known_at": pl.Datetime("us", "UTC"), "value": pl.Int64},
        orient="row",
    )
    known = {}
    for key, hour, value in sorted(versions, key=lambda version: version[1]):
        if hour <= at:
            known[key] = value
    found = newest(rows, ("key",), NOON + timedelta(hours=at))
    assert dict(found.select("key", "value").iter_rows()) == known


def test_newest_without_corrections_is_the_frame_itself():
    rows = bars_frame([1, 2, 3], known_at=pl.lit(NOON))
    assert newest(rows, ("symbol", "closes_at")) is rows
