"""Measures of order books, by hand and on books made by chance."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delta.contracts import Depth
from trading.book import LiquidityConfig
from trading.gates import Verdict, verdicts_json
from trading.liquidity import Book, Finding, book_at, check_liquidity, liquidity, walk

AT = datetime(2022, 11, 1, 20, tzinfo=UTC)
DEPTH = pl.Schema({name: dtype for name, dtype in Depth.schema().items() if name != "known_at"})


def depth(bids, asks, symbol="A", at=AT):
    rows = [
        (symbol, at.date(), at, side, level, float(price), float(size), "test")
        for side, levels in (("bid", bids), ("ask", asks))
        for level, (price, size) in enumerate(levels)
    ]
    return pl.DataFrame(rows, schema=DEPTH, orient="row")


BIDS = [(99.9, 100), (99.8, 300), (99.7, 100), (99.6, 1000)]
ASKS = [(100.1, 200), (100.2, 200), (100.4, 600)]


def row_of(frame, **named):
    return liquidity(frame, **named).row(0, named=True)


def test_measures_of_a_book_by_hand():
    found = row_of(depth(BIDS, ASKS))
    assert found["mid"] == pytest.approx(100.0)
    assert found["spread"] == pytest.approx(0.002)
    assert found["microprice"] == pytest.approx((99.9 * 200 + 100.1 * 100) / 300)
    assert (found["depth_5"], found["depth_10"], found["depth_20"]) == (2500, 2500, 2500)
    assert found["imbalance"] == pytest.approx((1500 - 1000) / 2500)
    assert found["pressure"] == pytest.approx((500 - 1000) / 1500)
    assert found["flow"] is None
    assert found["buy_impact_1"] == pytest.approx(0.001)
    assert found["buy_impact_5"] == pytest.approx((200 * 100.1 + 200 * 100.2 + 100 * 100.4) / 500 / 100 - 1)
    assert found["sell_impact_5"] == pytest.approx(1 - (100 * 99.9 + 300 * 99.8 + 100 * 99.7) / 500 / 100)
    assert found["sell_impact_10"] == pytest.approx(
        1 - (100 * 99.9 + 300 * 99.8 + 100 * 99.7 + 500 * 99.6) / 1000 / 100
    )
    assert found["lots"] == 10
    assert found["session"] == date(2022, 11, 1)


def test_depth_counts_levels_within_five_ten_and_twenty():
    levels = [(100.0 - i, 10.0) for i in range(1, 26)]
    offers = [(100.0 + i, 20.0) for i in range(1, 26)]
    found = row_of(depth(levels, offers), lot=1.0)
    assert (found["depth_5"], found["depth_10"], found["depth_20"]) == (150, 300, 600)
    assert found["imbalance"] == pytest.approx(-1 / 3)


@pytest.mark.parametrize(
    ("size", "expected"),
    [(10_000, "high"), (9_999, "medium"), (5_000, "medium"), (4_999, "fair"), (1_000, "fair"), (999, "low")],
)
def test_classes_count_lots_on_the_thinner_side(size, expected):
    assert row_of(depth([(9.9, 50_000)], [(10.1, size)]))["liquidity"] == expected


def test_a_lot_is_what_the_symbol_trades_in():
    both = pl.concat([depth(BIDS, ASKS), depth(BIDS, ASKS, symbol="BTC")])
    found = liquidity(both, lots={"BTC": 1.0})
    assert dict(found.select("symbol", "lots").rows()) == {"A": 10.0, "BTC": 1000.0}
    assert found["buy_impact_10"][1] == pytest.approx(0.001)


def test_an_empty_side_or_a_crossed_book_has_no_spread():
    for frame in (depth(BIDS, []), depth([], ASKS), depth([(100.2, 5)], ASKS)):
        found = row_of(frame)
        assert found["mid"] is found["spread"] is found["microprice"] is found["buy_impact_1"] is None
    assert row_of(depth(BIDS, []))["imbalance"] == 1.0
    assert row_of(depth(BIDS, []))["liquidity"] == "low"


def test_flow_sums_what_was_added_and_taken_at_the_touch_over_five_snapshots():
    touches = [
        ((10.0, 5), (10.1, 5)),
        ((10.0, 8), (10.1, 5)),  # three bid more: +3
        ((10.1, 4), (10.2, 6)),  # a higher bid of 4, and the offer of 5 is gone: +4 + 5
        ((10.0, 7), (10.2, 9)),  # the bid of 4 is gone, three offered more: -4 - 3
        ((10.0, 7), (10.1, 2)),  # a lower offer of 2: -2
        ((10.0, 7), (10.1, 2)),  # nothing
        ((10.0, 9), (10.1, 2)),  # two bid more: +2, and the first +3 is six snapshots ago
    ]
    frames = [depth([bid], [ask], at=AT + timedelta(seconds=i)) for i, (bid, ask) in enumerate(touches)]
    assert liquidity(pl.concat(frames))["flow"].to_list() == [None, 3.0, 12.0, 5.0, 3.0, 3.0, 2.0]


sides = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 2000)), min_size=1, max_size=25)


@settings(max_examples=60, deadline=None)
@given(bids=sides, asks=sides)
def test_impact_is_what_walking_the_book_costs(bids, asks):
    def ladder(steps, sign):
        distance = np.cumsum([step for step, _ in steps]) / 100
        return [(100 + sign * d, size) for d, (_, size) in zip(distance, steps, strict=True)]

    below, above = ladder(bids, -1), ladder(asks, 1)
    found = row_of(depth(below, above))
    for order, levels, sign in (("buy", above, 1), ("sell", below, -1)):
        impacts = [found[f"{order}_impact_{lots}"] for lots in (1, 5, 10)]
        for lots, impact in zip((1, 5, 10), impacts, strict=True):
            met = walk(np.array(levels), lots * 100.0)
            if met.filled < lots * 100:
                assert impact is None
            else:
                assert impact == pytest.approx(sign * (met.average / found["mid"] - 1), abs=1e-12)
        held = [impact for impact in impacts if impact is not None]
        assert held == sorted(held)
        assert all(impact >= found["spread"] / 2 - 1e-12 for impact in held)
    assert -1 <= found["imbalance"] <= 1


def test_the_newest_snapshot_by_then_counts():
    frames = pl.concat([depth(BIDS, ASKS), depth([(50, 1)], [(51, 1)], at=AT + timedelta(minutes=5))])
    assert book_at(frames, "A", AT - timedelta(seconds=1)) is None
    assert book_at(frames, "B", AT) is None
    earlier, later = (book_at(frames, "A", AT + timedelta(minutes=m)) for m in (4, 60))
    assert (earlier.mid, later.mid) == (pytest.approx(100), 50.5)
    assert book_at(frames, "A", AT + timedelta(minutes=60), timedelta(minutes=15)) is None


ENABLED = LiquidityConfig(enabled=True, max_spread=0.003, min_depth=50_000, levels=2, max_impact=0.002)
BOOK = Book("A", AT, np.array(BIDS), np.array(ASKS))


@pytest.mark.parametrize(
    ("config", "side", "quantity", "failed"),
    [
        ({}, "BUY", 300, ["depth"]),
        ({"min_depth": 40_000}, "BUY", 300, []),
        ({"min_depth": 39_900}, "SELL", 400, []),
        ({"min_depth": 39_941}, "SELL", 400, ["depth"]),
        ({"min_depth": 0, "max_spread": 0.0019}, "BUY", 100, ["spread"]),
        ({"min_depth": 0}, "BUY", 600, ["impact"]),
        ({"min_depth": 0}, "BUY", 5000, ["impact"]),
    ],
)
def test_an_entry_is_held_against_spread_depth_and_impact(config, side, quantity, failed):
    found = check_liquidity(ENABLED.model_copy(update=config), BOOK, side, quantity)
    assert [finding.gate for finding in found] == ["spread", "depth", "impact"]
    assert [finding.gate for finding in found if not finding.passed] == failed


def test_an_entry_beyond_the_book_says_what_the_book_holds():
    impact = check_liquidity(ENABLED, BOOK, "BUY", 5000)[2]
    assert math.isinf(impact.figure)
    assert impact.note == "the book holds 1000 of 5000"


@pytest.mark.parametrize("book", [None, Book("A", AT, np.array(BIDS), np.empty((0, 2)))])
@pytest.mark.parametrize(("missing", "passed"), [("pass", True), ("refuse", False)])
def test_what_happens_without_a_book_is_a_setting(book, missing, passed):
    found = check_liquidity(ENABLED.model_copy(update={"missing": missing}), book, "BUY", 1)
    assert [(finding.gate, finding.passed) for finding in found] == [("liquidity", passed)]
    assert check_liquidity(LiquidityConfig(), book, "BUY", 1) == []


def test_findings_are_verdicts_of_the_gates():
    assert Finding._fields == Verdict._fields
    verdicts = [Verdict(*finding) for finding in check_liquidity(ENABLED, BOOK, "BUY", 100)]
    assert '"gate":"spread"' in verdicts_json(verdicts)
