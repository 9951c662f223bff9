"""Measures of books made by chance against plain loops over their levels, and the gate against the same loops."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from delta.contracts import Depth
from trading.book import LiquidityConfig
from trading.liquidity import Book, book_at, check_liquidity, liquidity, walk

AT = datetime(2022, 11, 1, 20, tzinfo=UTC)
DEPTH = pl.Schema({name: dtype for name, dtype in Depth.schema().items() if name != "known_at"})

sizes = st.one_of(st.integers(1, 3000).map(float), st.floats(0.001, 50.0))


@st.composite
def ladders(draw: st.DrawFn, sign: int, touch: int) -> list[tuple[float, float]]:
    """Levels of one side in cents from the touch outwards; sometimes none at all."""
    steps = draw(st.lists(st.integers(1, 30), max_size=24))
    prices = [touch + sign * (sum(steps[:n])) for n in range(len(steps))]
    return [(price / 100, draw(sizes)) for price in prices]


@st.composite
def series(draw: st.DrawFn) -> list[tuple[list, list]]:
    """Snapshots of one name whose touch wanders; sometimes crossed, sometimes with an empty side."""
    books, middle = [], 10_000
    for _ in range(draw(st.integers(1, 8))):
        middle += draw(st.integers(-3, 3))
        half = draw(st.sampled_from([1, 1, 1, 2, 5, -1]))
        books.append((draw(ladders(-1, middle - half)), draw(ladders(1, middle + half))))
    return books


def rows_of(name: str, books: list[tuple[list, list]], seconds: int = 1) -> pl.DataFrame:
    rows = []
    for number, (bids, asks) in enumerate(books):
        at = AT + timedelta(seconds=number * seconds)
        for side, levels in (("bid", bids), ("ask", asks)):
            rows += [
                (name, at.date(), at, side, level, price, size, "test")
                for level, (price, size) in enumerate(levels)
            ]
    return pl.DataFrame(rows, schema=DEPTH, orient="row")


def taken(levels: list[tuple[float, float]], wanted: float) -> tuple[float, float]:
    """Units and cash of a market order that eats its way through the levels."""
    units = cash = 0.0
    for price, size in levels:
        part = min(size, wanted - units)
        units += part
        cash += part * price
        if units >= wanted:
            break
    return units, cash


def ratio(bid: float, ask: float) -> float | None:
    return (bid - ask) / (bid + ask) if bid + ask > 0 else None


def measured(bids: list, asks: list, lot: float) -> dict[str, float | str | None]:
    """Every measure of one snapshot, by loops."""
    sound = bool(bids) and bool(asks) and bids[0][0] < asks[0][0]
    mid = (bids[0][0] + asks[0][0]) / 2 if sound else None
    found: dict[str, float | str | None] = {
        "bid": bids[0][0] if bids else None,
        "ask": asks[0][0] if asks else None,
        "mid": mid,
        "spread": (asks[0][0] - bids[0][0]) / mid if sound else None,
        "microprice": (bids[0][0] * asks[0][1] + asks[0][0] * bids[0][1]) / (bids[0][1] + asks[0][1])
        if sound
        else None,
        "imbalance": ratio(sum(s for _, s in bids), sum(s for _, s in asks)),
        "pressure": ratio(sum(s for _, s in bids[:3]), sum(s for _, s in asks[:3])),
    }
    for count in (5, 10, 20):
        found[f"depth_{count}"] = sum(size for _, size in (*bids[:count], *asks[:count]))
    for order, levels in (("buy", asks), ("sell", bids)):
        for lots in (1, 5, 10):
            units, cash = taken(levels, lots * lot)
            whole = sound and units >= lots * lot * (1 - 1e-12)
            found[f"{order}_impact_{lots}"] = abs(cash / (lots * lot) / mid - 1) if whole else None
    thinner = min(sum(size for _, size in side[:20]) for side in (bids, asks)) / lot
    found["lots"] = thinner
    found["liquidity"] = (
        "high" if thinner >= 100 else "medium" if thinner >= 50 else "fair" if thinner >= 10 else "low"
    )
    return found


@settings(max_examples=30)
@given(series(), st.sampled_from([100.0, 1.0, 0.1]))
@example([([(99.99, 1.0)], [(100.01, 0.003), (100.02, 2048.0)])], 0.1)  # little before much
def test_every_measure_of_every_snapshot(books, lot):
    found = liquidity(rows_of("A", books), lot=lot)
    expected = [measured(bids, asks, lot) for bids, asks in books if bids or asks]
    assert found.height == len(expected)
    for row, wanted in zip(found.iter_rows(named=True), expected, strict=True):
        for name, value in wanted.items():
            if isinstance(value, float):
                assert row[name] == pytest.approx(value, rel=1e-9, abs=1e-12), name
            else:
                assert row[name] == value, name


def flows(books: list[tuple[list, list]]) -> list[float | None]:
    """Order flow at the touch by the definition: what was added to or taken from each side since before."""
    events: list[float | None] = []
    before = None
    for bids, asks in books:
        if not bids and not asks:
            continue
        here = (bids[0] if bids else None, asks[0] if asks else None)
        if before is None or None in before or None in here:
            events.append(None)
        else:
            (bid, bid_size), (ask, ask_size) = here
            (old_bid, old_bid_size), (old_ask, old_ask_size) = before
            event = (bid_size if bid >= old_bid else 0) - (old_bid_size if bid <= old_bid else 0)
            event += (old_ask_size if ask >= old_ask else 0) - (ask_size if ask <= old_ask else 0)
            events.append(event)
        before = here
    sums: list[float | None] = []
    for number in range(len(events)):
        window = [event for event in events[max(0, number - 4) : number + 1] if event is not None]
        sums.append(sum(window) if window else None)
    return sums


@settings(max_examples=30)
@given(series(), series())
def test_flow_is_what_came_and_went_at_the_touch_of_the_same_name(first, second):
    both = pl.concat([rows_of("A", first), rows_of("B", second)]).sort("quoted_at", maintain_order=True)
    found = liquidity(both)
    for name, books in (("A", first), ("B", second)):
        flow = found.filter(symbol=name)["flow"].to_list()
        assert flow == pytest.approx(flows(books), nan_ok=True, abs=1e-6)


@settings(max_examples=30)
@given(series(), st.randoms())
def test_the_order_of_rows_and_other_names_do_not_matter(books, chance):
    one = rows_of("A", books)
    mixed = pl.concat([one, rows_of("B", books[::-1])])
    order = list(range(mixed.height))
    chance.shuffle(order)
    again = liquidity(mixed[order]).filter(symbol="A")
    assert again.equals(liquidity(one))


@settings(max_examples=30)
@given(ladders(1, 10_001), st.floats(0.5, 5000.0))
def test_walking_a_side_is_taking_its_levels_one_by_one(levels, quantity):
    met = walk(np.array(levels).reshape(-1, 2), quantity)
    units, cash = taken(levels, quantity)
    assert met.filled == pytest.approx(units)
    assert math.isnan(met.average) if not levels else met.average == pytest.approx(cash / units)


@settings(max_examples=40)
@given(
    ladders(-1, 9_999),
    ladders(1, 10_001),
    st.sampled_from(["BUY", "SELL"]),
    st.floats(0.5, 3000.0),
    st.floats(0.0001, 0.01),
    st.floats(0.0, 200_000.0),
    st.integers(1, 30),
    st.floats(0.0001, 0.02),
)
def test_the_gate_says_what_the_loops_say(bids, asks, side, quantity, spread, value, levels, impact):
    config = LiquidityConfig(
        enabled=True, max_spread=spread, min_depth=value, levels=levels, max_impact=impact
    )
    book = Book("A", AT, *(np.array(each).reshape(-1, 2) for each in (bids, asks)))
    found = check_liquidity(config, book, side, quantity)
    if not bids or not asks:
        assert [(finding.gate, finding.passed) for finding in found] == [("liquidity", True)]
        return
    offered = asks if side == "BUY" else bids
    mid = (bids[0][0] + asks[0][0]) / 2
    _, cash = taken(offered, quantity)
    holds = math.fsum(size for _, size in offered) >= quantity
    figures = [
        (asks[0][0] - bids[0][0]) / mid,
        sum(price * size for price, size in offered[:levels]),
        abs(cash / quantity / mid - 1) if holds else math.inf,
    ]
    assert [finding.figure for finding in found] == pytest.approx(figures, rel=1e-12, abs=1e-12)
    wanted = [figures[0] <= spread, figures[1] >= value, figures[2] <= impact]
    close = [abs(figures[0] - spread), abs(figures[1] - value) / 1e6, abs(figures[2] - impact)]
    for finding, passes, distance in zip(found, wanted, close, strict=True):
        assert finding.passed == passes or distance < 1e-9


@settings(max_examples=40)
@given(
    series(),
    st.integers(-2, 12),
    st.sampled_from(["UTC", "Asia/Tokyo"]),
    st.one_of(st.none(), st.integers(0, 6)),
)
def test_the_newest_snapshot_that_is_not_too_old(books, seconds, zone, age):
    frame = rows_of("A", books)
    at = AT + timedelta(seconds=seconds)
    by_time = defaultdict(list)
    for number, (bids, asks) in enumerate(books):
        if bids or asks:
            by_time[AT + timedelta(seconds=number)] = [bids, asks]
    there = [each for each in by_time if each <= at and (age is None or at - each <= timedelta(seconds=age))]
    limit = None if age is None else timedelta(seconds=age)
    found = book_at(frame, "A", at.astimezone(ZoneInfo(zone)), limit)
    if not there:
        assert found is None
    else:
        assert found.quoted_at == max(there)
        assert [[tuple(level) for level in side.tolist()] for side in (found.bids, found.offers)] == by_time[
            max(there)
        ]
    assert book_at(frame, "B", at) is None


def test_an_order_for_all_that_small_levels_hold_is_filled_whole():
    """0.001 + ... + 1024 units: the parts taken sum to a hair less than the unit that was asked for."""
    asks = [(100.01 + n / 100, 0.001) for n in range(5)] + [(100.06, 1024.0)]
    book = Book("A", AT, np.array([(99.99, 1.0)]), np.array(asks))
    impact = check_liquidity(LiquidityConfig(enabled=True), book, "BUY", 1.0)[2]
    assert impact.passed
    assert impact.note == ""
    assert walk(book.offers, 1.0).filled == 1.0
