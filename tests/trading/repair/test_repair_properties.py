"""What the repair may never do to any series, and what it always puts right."""

from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import polars as pl
from hypothesis import assume, example, given, settings
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
from trading.repair import MARK, PRICES, is_repaired, repair_dates, repair_prices

LENGTH = 80
FIGURES = (*PRICES, "volume")


def walk_of(seed: int, sigma: float = 0.015, length: int = LENGTH) -> np.ndarray:
    """Closes of a random walk around 100, to the cent."""
    steps = np.random.default_rng(seed).normal(0, sigma, length)
    return np.round(100 * np.exp(np.cumsum(steps)), 2)


def with_split(closes: np.ndarray, at: int, ratio: float) -> pl.DataFrame:
    """Raw bars of a share that splits at a row: prices before it times the ratio, volume over it."""
    raw = bars_frame([*(closes[:at] * ratio), *closes[at:]])
    early = pl.int_range(pl.len()) < at
    return raw.with_columns(volume=pl.when(early).then(pl.col("volume") / ratio).otherwise("volume"))


def scaled(frame: pl.DataFrame, first: int, end: int, factor: float, *, volume: bool = False) -> pl.DataFrame:
    rows = pl.int_range(pl.len()).is_between(first, end - 1)
    names = [*PRICES, *(["volume"] if volume else [])]
    return frame.with_columns(
        pl.when(rows)
        .then(pl.col(name) * (1 / factor if name == "volume" else factor))
        .otherwise(name)
        .alias(name)
        for name in names
    )


def same(found: pl.DataFrame, expected: pl.DataFrame) -> bool:
    return bool(np.allclose(found.select(FIGURES).to_numpy(), expected.select(FIGURES).to_numpy(), rtol=1e-6))


seeds = st.integers(0, 2**32 - 1)
ratios = st.sampled_from([2.0, 3.0, 7.0, 0.1, 0.125, 0.5])


@settings(max_examples=25)
@given(seeds, st.integers(15, LENGTH - 15), ratios, st.booleans())
def test_a_clean_series_is_never_touched(seed, at, ratio, splits):
    bars = with_split(walk_of(seed), at, ratio) if splits else bars_frame(walk_of(seed))
    actions = actions_frame(("A", at, "split", ratio)) if splits else NO_ACTIONS
    done = repair_prices(bars, actions)
    assert done.repairs.is_empty()
    assert done.bars.drop("flags").equals(bars)


@settings(max_examples=25)
@given(seeds, st.integers(1, LENGTH - 12), st.integers(1, 10), st.sampled_from([100.0, 0.01]))
def test_bars_in_other_units_between_good_ones_come_back(seed, first, length, factor):
    clean = bars_frame(walk_of(seed))
    faulty = scaled(clean, first, first + length, factor)
    done = repair_prices(faulty, NO_ACTIONS)
    assert same(done.bars, clean)
    assert done.repairs["session"].to_list() == [day(n) for n in range(first, first + length)]
    assert set(done.repairs["rule"]) == {"unit"}
    kept = [json.loads(row) for row in done.repairs["row"]]
    assert [row["close"] for row in kept] == faulty["close"][first : first + length].to_list()


@settings(max_examples=25)
@given(seeds, st.integers(20, LENGTH - 20), ratios, st.sampled_from([1, 2]))
def test_a_past_that_had_the_split_already_is_made_raw(seed, at, ratio, times):
    clean = with_split(walk_of(seed), at, ratio)
    faulty = scaled(clean, 0, at, ratio**-times, volume=True)
    done = repair_prices(faulty, actions_frame(("A", at, "split", ratio)))
    assert same(done.bars, clean)
    assert done.bars.filter(is_repaired()).height == at
    assert all(flags[-1].startswith(MARK) for flags in done.bars.head(at)["flags"].to_list())


@settings(max_examples=25)
@given(
    seeds, st.lists(st.tuples(st.integers(0, LENGTH - 1), st.sampled_from(PRICES), st.booleans()), max_size=4)
)
def test_one_field_of_a_bar_in_other_units_comes_back(seed, faults):
    clean = bars_frame(walk_of(seed))
    faulty, touched = clean, set()
    for row, name, large in faults:
        if row in touched:
            continue
        touched.add(row)
        here = pl.int_range(pl.len()) == row
        faulty = faulty.with_columns(
            pl.when(here).then(pl.col(name) * (100 if large else 0.01)).otherwise(name).alias(name)
        )
    done = repair_prices(faulty, NO_ACTIONS)
    assert same(done.bars, clean)
    assert done.repairs["session"].to_list() == [day(row) for row in sorted(touched)]


@settings(max_examples=25)
@given(
    seeds,
    st.integers(10, LENGTH - 10),
    ratios,
    st.lists(
        st.tuples(
            st.integers(0, LENGTH - 1), st.integers(1, 30), st.sampled_from([100.0, 0.01, 2.0, 0.5, 7.0, 1.3])
        ),
        max_size=4,
    ),
    st.booleans(),
)
@example(0, 40, 2.0, [(6, 2, 100.0), (7, 2, 100.0)], False)  # one bar lies under two faults
@example(0, 40, 2.0, [(38, 4, 100.0), (0, 40, 0.5)], True)  # a fault hides a split before it
def test_a_second_repair_changes_nothing_and_untouched_bars_stay_bit_for_bit(
    seed, at, ratio, faults, recorded
):
    bars = with_split(walk_of(seed), at, ratio)
    for first, length, factor in faults:
        bars = scaled(bars, first, first + length, factor)
    actions = actions_frame(("A", at, "split", ratio)) if recorded else NO_ACTIONS
    done = repair_prices(bars, actions)
    quiet = done.bars.filter(is_repaired().not_())
    assert quiet.drop("flags").equals(
        bars.join(quiet, on=["symbol", "session"], how="semi", maintain_order="left")
    )
    assert set(done.repairs["session"]) == set(done.bars.filter(is_repaired())["session"])
    again = repair_prices(done.bars.drop("flags"), actions)
    assert again.repairs.is_empty()
    assert same(again.bars, done.bars)


@settings(max_examples=25)
@given(seeds, st.integers(0, LENGTH - 1), st.floats(1.15, 3.0), st.booleans())
def test_what_a_market_can_do_is_left_alone(seed, at, move, up):
    """A level that moves by any factor short of a unit's and stays there is news, not a fault."""
    bars = scaled(bars_frame(walk_of(seed)), at, LENGTH, move if up else 1 / move)
    assert repair_prices(bars, NO_ACTIONS).repairs.is_empty()


# -------------------------------------------------------------------------------------------------- dates

CALENDAR, LISTED = calendar_frame(LENGTH), instruments_frame("A")


@settings(max_examples=25)
@given(seeds, st.sampled_from(["reversed", "doubled", "both"]), st.data())
def test_rows_out_of_order_or_twice_become_the_series(seed, how, data):
    clean = bars_frame(walk_of(seed))
    faulty = clean
    if how in {"doubled", "both"}:
        rows = data.draw(st.lists(st.integers(0, LENGTH - 1), min_size=1, max_size=5, unique=True))
        order = sorted([*range(LENGTH), *rows])
        faulty = faulty[order]
    if how in {"reversed", "both"}:
        faulty = faulty.reverse()
    done = repair_dates(faulty, CALENDAR, LISTED)
    assert done.bars.drop("flags").equals(clean)
    assert not done.repairs.is_empty()
    assert not done.bars.filter(is_repaired()).height, "the rows themselves were right"


@settings(max_examples=25)
@given(seeds, st.integers(1, LENGTH - 2))
def test_a_row_with_its_neighbours_date_gets_the_one_that_is_missing(seed, at):
    clean = bars_frame(walk_of(seed))
    assume(clean.row(at)[4:9] != clean.row(at - 1)[4:9])
    here = pl.int_range(pl.len()) == at
    faulty = clean.with_columns(
        session=pl.when(here).then(pl.col("session") - timedelta(days=1)).otherwise("session"),
        closes_at=pl.when(here).then(pl.lit(close_of(day(at - 1)))).otherwise("closes_at"),
    )
    done = repair_dates(faulty, CALENDAR, LISTED)
    assert done.bars.drop("flags").equals(clean)
    assert done.bars.filter(is_repaired())["session"].to_list() == [day(at)]


@settings(max_examples=20)
@given(seeds, st.sets(st.integers(0, LENGTH - 1), max_size=30))
def test_gaps_are_no_reason_to_move_a_row(seed, missing):
    clean = bars_frame([None if n in missing else close for n, close in enumerate(walk_of(seed))])
    done = repair_dates(clean, CALENDAR, LISTED)
    assert done.repairs.is_empty()
    assert done.bars.drop("flags").equals(clean)
