"""No strategy looks ahead: with the future cut off at every session, its rows are the same bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from trading.book import StrategyConfig
from trading.history import History, until
from trading.strategies.framed import FramedStrategy
from trading.strategies.registry import BUILT_IN, load
from trading.strategies.truncation import DIFFERENCES, truncation_differences


@pytest.fixture(scope="module")
def past(sample: History) -> History:
    """Real bars around the split of 2005-02-28 with dividends, and what comes before them as warm-up."""
    first, last = 1_140, 1_360
    early = until(sample, sample.sessions[last].item())
    keep = early.session_index >= first
    counts = np.add.reduceat(keep.astype(np.int64), early.offsets[:-1])
    flat = ("open", "high", "low", "close", "volume", "price_factor", "split_factor")
    return replace(
        early,
        sessions=early.sessions[first:],
        market_cap=None,  # the sample tells none
        session_index=(early.session_index[keep] - first).astype(np.int32),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        **{name: getattr(early, name)[keep] for name in flat},
    )


def days(history: History, first: int = 0) -> Iterator[date]:
    return (day.item() for day in history.sessions[first:])


@pytest.mark.parametrize("key", BUILT_IN)
def test_every_registered_strategy_at_every_session(key: str, past: History) -> None:
    strategy = load(StrategyConfig(key=key), key)
    whole = strategy.research(past, slice(None))
    assert whole.signals.height > 0
    differences = truncation_differences(strategy, past, days(past))
    assert differences.is_empty(), differences.head()


@pytest.mark.parametrize("key", ["momentum", "buy_and_hold"])
def test_with_an_anchor_inside_of_the_history(key: str, busy: History) -> None:
    strategy = load(StrategyConfig(key=key), key)
    cuts = list(days(busy, 250))[::7]
    differences = truncation_differences(strategy, busy, cuts, anchor=busy.sessions[301].item())
    assert differences.is_empty(), differences.head()


class Tomorrow(FramedStrategy):
    """Knows tomorrow's close."""

    def signals(self, frame: pl.DataFrame) -> pl.DataFrame:
        rises = pl.col("close").shift(-1).over("symbol") > 1.02 * pl.col("close")
        return frame.with_columns(entry=rises)


class WholeSample(FramedStrategy):
    """Compares with the average of all bars, those of the future included."""

    def signals(self, frame: pl.DataFrame) -> pl.DataFrame:
        above = pl.col("close") > pl.col("close").mean().over("symbol")
        return frame.with_columns(weight=above.cast(pl.Float64))


def test_a_look_at_tomorrow_is_found_on_the_last_session_known(past: History) -> None:
    cuts = list(days(past))[100:140]
    found = truncation_differences(Tomorrow(), past, cuts)
    assert found.schema == DIFFERENCES
    assert found.height > 0
    assert (found["session"] == found["cut"]).all()
    vanished = found.filter(column="(row)")
    assert set(vanished["with_future"]) == {"present"}
    assert vanished["without_future"].null_count() == vanished.height


def test_a_statistic_of_the_whole_sample_is_found(past: History) -> None:
    cut = past.sessions[150].item()
    found = truncation_differences(WholeSample(), past, [cut])
    changed = found.filter(column="weight")
    assert changed.height > 0
    assert {"0.0", "1.0"} >= set(changed["with_future"]) | set(changed["without_future"])
    assert (changed["with_future"] != changed["without_future"]).all()
