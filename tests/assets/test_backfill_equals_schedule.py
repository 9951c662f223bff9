"""A day that was backfilled equals the day that was scheduled, row for row."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import delta
from assets.desk import walk
from assets.explain import explain
from assets.replay import replay
from delta import Lake
from delta.contracts import CorporateActions

from .conftest import LEAN, Walked
from .walks import COMPARED, DEMO, EAGER, Market, backfill, changed, days_of, frames, hashes, rows, schedule

Both = tuple[Walked, Lake]
"""A backfilled book, and the lake in which its last sessions ran one by one."""


@pytest.fixture(scope="module", params=["demo", "lean"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    """A book backfilled, and day by day from ``first`` on after a shorter backfill."""
    name = str(request.param)
    walked: Walked = request.getfixturevalue(f"{name}_walked")
    made: Market = request.getfixturevalue("sample_market" if walked.book == DEMO else "lean_market")
    lake = made.copy(tmp_path_factory.mktemp(name)).lake
    backfill(lake, walked.book, walked.book.start, walked.first - timedelta(days=1))
    schedule(lake, walked.book, days_of(walked.first, walked.last))
    return walked, lake


def test_weeks_of_sessions_one_by_one_equal_one_backfill(both: Both) -> None:
    walked, scheduled = both
    backfilled = walked.lake
    span = (walked.first, walked.last)
    assert len(days_of(*span)) >= 30
    assert hashes(scheduled, walked.book.name, *span) == hashes(backfilled, walked.book.name, *span)
    held = frames(backfilled, walked.book.name, *span)
    empty = {table for table in COMPARED if held[table].is_empty()}
    assert empty == (set() if walked.book.risk.regime else {"regimes"}), "the comparison says something"


def test_the_books_trade_through_splits_and_dividends(walked: Walked) -> None:
    lake = walked.lake
    span = (walked.first, walked.last)
    held = rows(lake, "positions", walked.book.name, *span).select("session", "symbol").unique()
    actions = delta.read(lake, CorporateActions).select("action", "symbol", session="ex_date").collect()
    met = actions.join(held, on=["session", "symbol"])
    assert "split" in met["action"].to_list()
    assert rows(lake, "portfolio", walked.book.name, *span)["dividends"].max() != 0.0
    assert set(rows(lake, "trades", walked.book.name)["exit_reason"]) >= {"time", "momentum_failure"}


def test_orders_of_the_schedule_end_as_those_of_the_backfill(both: Both) -> None:
    walked, scheduled = both
    ends = []
    for lake in (walked.lake, scheduled):
        events = rows(lake, "order_events", walked.book.name, walked.first, walked.last)
        last = events.group_by("order_ref", maintain_order=True).last()
        ends.append(last.select("order_ref", "session", "sequence", "state", "filled", "average_price"))
    assert ends[0].equals(ends[1])
    assert set(ends[0]["state"]) >= {"FILLED", "CANCELLED"}


SEVERAL = {
    "momentum": {"params": EAGER},
    "turtle": {"priority": 1},
    "crossing": {"key": "sma_cross", "symbols": ("AAPL", "IBM")},
}
KINDS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "prices adjusted for splits": {"prices": "split"},
    "prices adjusted for all": {"prices": "total_return"},
    "fills at the close": {"fill": "same_close", "strategies": SEVERAL},
    "thin volume, several strategies": {
        "strategies": SEVERAL,
        "costs": {"stock": {"participation": 1e-7, "commission": {"model": "ib_tiered"}}},
    },
    "fractions of shares": {"sizing": {"whole_shares": False, "max_position": 0.1}},
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_week_of_a_split_in_many_kinds_of_books(kind: str, lean_market: Market, tmp_path: Path) -> None:
    # GOOGL splits 2:1 on 2014-04-03 beside the new listing of GOOG, AAPL 7:1 on 2014-06-09.
    split = date(2014, 4, 3) if kind == "as it is" else date(2014, 6, 9)
    first, last = split - timedelta(days=3), split + timedelta(days=2)
    config = changed(LEAN, name="kind", start=date(2014, 1, 2), **KINDS[kind])
    whole, cut = (lean_market.copy(tmp_path / name).lake for name in ("whole", "cut"))
    backfill(whole, config, config.start, last)
    backfill(cut, config, config.start, first - timedelta(days=1))
    schedule(cut, config, days_of(first, last))
    assert hashes(cut, "kind") == hashes(whole, "kind")
    assert not rows(whole, "positions", "kind", first, last).is_empty()
    assert not rows(whole, "fills", "kind").is_empty()
    assert replay(cut, "kind", split).identical


def test_a_backfill_cut_anywhere_equals_the_whole(demo_walked: Walked, sample_copy: Market) -> None:
    book, lake = demo_walked.book, sample_copy.lake
    cuts = [
        book.start,
        *(d for d in days_of(book.start, demo_walked.last) if d.day == 15 and d.month in (3, 9)),
    ]
    ends = [days_of(book.start, cut)[-2] for cut in cuts[1:]]
    for first, last in zip(cuts, [*ends, demo_walked.last], strict=True):
        backfill(lake, book, first, last)
    assert hashes(lake, book.name) == hashes(demo_walked.lake, book.name)


def test_backfilling_again_changes_no_row(demo_walked: Walked, tmp_path: Path) -> None:
    lake, book = demo_walked.market.copy(tmp_path).lake, demo_walked.book
    before = hashes(lake, book.name)
    backfill(lake, book, demo_walked.first, demo_walked.last, "again")
    assert hashes(lake, book.name) == before
    again = walk(lake, book, demo_walked.first, demo_walked.last, "and again")
    assert all(commit.rows == commit.replaced for commit in again.values())
    assert delta.runs(lake).filter(pl.col("run_id") == "and again").height == 1


def test_sessions_of_the_schedule_replay(both: Both) -> None:
    walked, lake = both
    sessions = days_of(walked.first, walked.last)
    splits = {date(2005, 2, 28), date(2014, 6, 9)} & {*sessions}
    for session in sorted({sessions[0], *sessions[5:-1:9], sessions[-1], *splits}):
        found = replay(lake, walked.book.name, session)
        assert found.identical, (session, found.differences)
        assert found.decision.run_id == f"daily {session}"


def test_an_order_of_the_schedule_is_explained_as_that_of_the_backfill(both: Both) -> None:
    walked, scheduled = both
    approved = rows(scheduled, "orders", walked.book.name, walked.first, walked.last).filter(
        pl.col("status") == "approved", pl.col("intent") == "submit"
    )
    for ref in approved.sort("session")["order_ref"][::12]:
        one, other = (explain(lake, ref) for lake in (scheduled, walked.lake))
        assert (one.order, one.gates, one.signal) == (other.order, other.gates, other.signal)
        assert (one.candidate, one.related, one.fills) == (other.candidate, other.related, other.fills)
        assert one.runs["decision"]["run_id"] == f"daily {one.order['session']}"
        assert other.runs["decision"]["run_id"] == "backfill"
