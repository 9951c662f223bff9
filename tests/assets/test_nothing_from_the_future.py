"""Orders follow from what was known at the close: not from later bars, nor from how far back bars go."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

import delta
from delta import Lake
from delta.contracts import Bars
from resources.calendar import session_close

from .conftest import LEAN
from .walks import DEMO, Market, backfill, changed, frames, hashes, market, rows

SAMPLE = changed(DEMO, universe={"symbols": ("AAPL", "GOOG", "IBM", "MSFT")})
"""The demonstration book without FB, of which nobody knew before May 2012."""
DECIDED = ("session", "symbol", "intent", "purpose", "side", "order_type", "quantity", "status", "reason")
CUTS = {
    "before a split": (SAMPLE, date(2005, 2, 25)),
    "on a split": (SAMPLE, date(2005, 2, 28)),
    "on a special dividend": (SAMPLE, date(2004, 11, 15)),
    "on a half day": (SAMPLE, date(2004, 11, 26)),
    "on LEAN's split of GOOGL": (LEAN, date(2014, 4, 3)),
    "on LEAN's split of AAPL": (LEAN, date(2014, 6, 9)),
}


@pytest.mark.parametrize("cut", CUTS)
def test_the_future_cut_off(cut: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """A desk that ingests five minutes after a close decides as one that knows all that came later."""
    whole, last = CUTS[cut]
    config = changed(whole, start=last - timedelta(days=150), name="cut")
    there: Market = request.getfixturevalue("lean_copy" if whole is LEAN else "sample_copy")
    backfill(there.lake, config, config.start, last)

    short = Market(delta.create_lake(tmp_path / "short"), there.config)
    short.ingest(changed(config, start=whole.start), now=session_close("XNYS", last) + timedelta(minutes=5))
    assert sessions_known(short.lake).max() == last
    backfill(short.lake, config, config.start, last)
    assert hashes(short.lake, "cut") == hashes(there.lake, "cut")
    assert not rows(there.lake, "fills", "cut").is_empty()


def sessions_known(lake: Lake) -> pl.Series:
    """Sessions of all bars of a lake."""
    return delta.read(lake, Bars, columns=["session"]).collect()["session"]


@pytest.mark.parametrize("years", [2, 4])
def test_a_longer_history_before_the_warm_up(years: int, tmp_path: Path) -> None:
    """Bars from long before the warm-up move the indicators by rounding alone, and no order."""
    start, end = date(2006, 1, 3), date(2006, 12, 29)
    config = changed(DEMO, name="late", start=start, end=end, universe={"symbols": ("AAPL", "IBM", "MSFT")})
    short = market(tmp_path / "short")
    short.ingest(config)
    longer = market(tmp_path / "longer")
    longer.ingest(changed(config, start=start - timedelta(days=365 * years)))
    assert sessions_known(short.lake).sort()[0] > sessions_known(longer.lake).sort()[0]
    for made in (short, longer):
        backfill(made.lake, config, start, end)
    found = [frames(made.lake, "late") for made in (short, longer)]
    orders = [each["orders"].select(DECIDED).sort(DECIDED) for each in found]
    assert orders[0].equals(orders[1])
    assert orders[0].filter(pl.col("status") == "approved").height > 20
    prices = [each["fills"].sort("execution_id") for each in found]
    assert prices[0]["execution_id"].equals(prices[1]["execution_id"])
    assert prices[0]["price"].to_numpy() == pytest.approx(prices[1]["price"].to_numpy(), rel=1e-9)
    equity = [each["portfolio"]["equity"].to_numpy() for each in found]
    assert equity[0] == pytest.approx(equity[1], abs=0.01)
