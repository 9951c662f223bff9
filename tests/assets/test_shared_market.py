"""The market that research and desk read alike is read once, and anew as soon as anything about it changed."""

from __future__ import annotations

import shutil
from datetime import date

import polars as pl
import pytest

from assets.inputs import MARKET_READS, read_market
from assets.shared import shared_market
from delta import Pins, Provenance, pin, read, write
from delta.contracts import Bars
from trading.book import BookConfig

from .walks import DEMO, Market, changed

LAST = date(2004, 3, 31)


def pins(market: Market) -> Pins:
    return pin(market.lake, MARKET_READS)


def correct(market: Market) -> None:
    """Write half the price as a correction of IBM's bar of the last session."""
    here = (pl.col("symbol") == "IBM") & (pl.col("session") == LAST)
    prices = ("open", "high", "low", "close")
    bar = read(market.lake, Bars, where=here).collect()
    half = bar.with_columns(*(pl.col(name) / 2 for name in prices), pl.col("known_at").dt.offset_by("1d"))
    assert write(market.lake, Bars, half, None, Provenance("correction", "test", "0")).rows == 1


def test_the_next_stage_gets_what_the_one_before_has_read(sample_market: Market) -> None:
    first = shared_market(pins(sample_market), DEMO, LAST)
    assert shared_market(pins(sample_market), DEMO, LAST) is first
    fresh = read_market(pins(sample_market), DEMO, LAST)
    assert (first.history.close == fresh.history.close).all()
    assert first.history.symbols == fresh.history.symbols


OTHERS = [
    ("another session", DEMO, date(2004, 4, 1)),
    ("another configuration", changed(DEMO, universe={"symbols": ("AAPL", "IBM")}), LAST),
    ("another book", changed(DEMO, name="other"), LAST),
]


@pytest.mark.parametrize(("book", "last"), [case[1:] for case in OTHERS], ids=[case[0] for case in OTHERS])
def test_what_is_asked_for_differs(sample_market: Market, book: BookConfig, last: date) -> None:
    shared_market(pins(sample_market), DEMO, LAST)
    found = shared_market(pins(sample_market), book, last).history
    assert found.sessions[-1].astype(object) == last
    assert set(found.symbols) == set(read_market(pins(sample_market), book, last).history.symbols)


def test_a_correction_is_seen(sample_copy: Market) -> None:
    before = pins(sample_copy)
    old = shared_market(before, DEMO, LAST).history
    correct(sample_copy)
    new = shared_market(pins(sample_copy), DEMO, LAST).history
    assert new.close[new.rows("IBM")][-1] == pytest.approx(old.close[old.rows("IBM")][-1] * 0.5)
    again = shared_market(before, DEMO, LAST).history
    assert (again.close == old.close).all()


def test_another_lake_in_the_place_of_the_first_is_read(sample_copy: Market) -> None:
    path = sample_copy.lake.path
    assert path is not None
    shared_market(pins(sample_copy), DEMO, LAST)
    kept = path.with_name("kept")
    shutil.copytree(path, kept)
    correct(sample_copy)
    changed_lake = shared_market(pins(sample_copy), DEMO, LAST)
    shutil.rmtree(path / Bars.name)
    shutil.copytree(kept / Bars.name, path / Bars.name)
    restored = shared_market(pins(sample_copy), DEMO, LAST)
    assert (restored.history.close != changed_lake.history.close).any()
