"""Tickers, members, capitalisations and ranks by date against plain loops over the days."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.providers.base import INSTRUMENTS
from tests.trading.market_frames import actions_frame, bars_frame, calendar_frame, day, instruments_frame
from trading.history import history_from_frames
from trading.universe import UniverseError, capitalised, member_mask, members, most_traded, symbol_of, tickers

SPAN = 120


def listed(*rows: tuple[str, str, int, int | None]) -> pl.DataFrame:
    """Periods of instruments: symbol, ticker, first and last day (None: still)."""
    whole = [
        (symbol, ticker, "stock", "XXXX", "TEST", "USD", "Energy", None, 1.0, day(first),
         None if last is None else day(last), None, "test")
        for symbol, ticker, first, last in rows
    ]  # fmt: skip
    return pl.DataFrame(whole, schema=INSTRUMENTS, orient="row")


@st.composite
def careers(draw: st.DrawFn) -> list[tuple[str, str, int, int | None]]:
    """Symbols that change tickers one after the other; a ticker may pass to another symbol later on."""
    rows: list[tuple[str, str, int, int | None]] = []
    for symbol in draw(st.lists(st.sampled_from("XYZ"), min_size=1, max_size=3, unique=True)):
        edges = sorted(draw(st.sets(st.integers(0, SPAN), min_size=2, max_size=5)))
        names = draw(
            st.lists(st.sampled_from(["T1", "T2", "T3"]), min_size=len(edges) - 1, max_size=len(edges) - 1)
        )
        goes_on = draw(st.booleans())
        for number, (first, end, name) in enumerate(zip(edges, edges[1:], names, strict=False)):
            last = None if goes_on and number == len(edges) - 2 else end - 1
            rows.append((symbol, name, first, last))
    return rows


def holders(rows: list[tuple[str, str, int, int | None]], ticker: str, number: int) -> set[str]:
    return {
        symbol
        for symbol, name, first, last in rows
        if name == ticker and first <= number and (last is None or number <= last)
    }


@settings(max_examples=60)
@given(careers(), st.sampled_from(["T1", "T2", "T3"]), st.integers(0, SPAN + 10))
def test_a_ticker_leads_to_one_of_those_who_had_it_that_day(rows, ticker, number):
    instruments = listed(*rows)
    there = holders(rows, ticker, number)
    if there:
        assert symbol_of(instruments, ticker, day(number)) in there
    else:
        with pytest.raises(UniverseError, match=f"{ticker}: no instrument of that name"):
            symbol_of(instruments, ticker, day(number))


@settings(max_examples=60)
@given(careers(), st.sampled_from(["T1", "T2", "T3"]))
def test_the_uses_of_a_ticker_cover_its_days_and_no_other(rows, ticker):
    uses = tickers(listed(*rows), ticker)
    assert uses["first"].is_sorted()
    for number in range(SPAN + 5):
        at = day(number)
        told = {
            symbol for symbol, first, last in uses.iter_rows() if first <= at and (last is None or at <= last)
        }
        assert told == holders(rows, ticker, number)


@settings(max_examples=30)
@given(careers(), st.sampled_from(["X", "Y", "Z"]))
def test_a_symbol_stands_for_itself_on_any_day(rows, symbol):
    instruments = listed(*rows)
    if symbol in {row[0] for row in rows}:
        assert symbol_of(instruments, symbol) == symbol_of(instruments, symbol, day(-400)) == symbol


lists_ = st.dictionaries(
    st.integers(0, 30), st.sets(st.sampled_from("ABCDE"), min_size=1), min_size=1, max_size=6
)


@settings(max_examples=40)
@given(lists_, lists_)
def test_members_by_day_and_by_bar_are_those_of_the_newest_list(first, second):
    rows = [
        (universe, symbol, day(number))
        for universe, lists in (("one", first), ("two", second))
        for number, names in lists.items()
        for symbol in names
    ]
    frame = pl.DataFrame(
        rows, schema={"universe": pl.String, "symbol": pl.String, "observed": pl.Date}, orient="row"
    )
    bars = pl.concat([bars_frame([10.0] * 36, name) for name in "ABCD"])
    history = history_from_frames(bars, actions_frame(), instruments_frame(*"ABCD"), calendar_frame(36))
    mask = member_mask(history, frame, "one")
    for number in range(36):
        known = [other for other in first if other <= number]
        expected = first[max(known)] if known else set()
        assert members(frame, "one", day(number)) == tuple(sorted(expected))
        for name in "ABCD":
            assert mask[history.rows(name)][number] == (name in expected)
    assert members(frame, "three", day(35)) == ()
    assert not member_mask(history, frame, "three").any()


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.integers(0, 100).map(float), st.integers(0, 1000).map(float)), min_size=1, max_size=30
    ),
    st.integers(0, 12),
    st.integers(0, 60).map(float),
    st.integers(0, 500).map(float),
)
def test_the_most_traded_are_those_a_sort_would_put_first(figures, count, price, volume):
    rows = [(f"S{number:02d}", close, dollars) for number, (close, dollars) in enumerate(figures)]
    snapshot = pl.DataFrame(rows, schema=["symbol", "close", "dollar_volume"], orient="row")
    found = most_traded(snapshot, count, lowest_price=price, least_volume=volume)
    kept = [row for row in rows if row[1] >= price and row[2] >= volume]
    assert list(found) == [row[0] for row in sorted(kept, key=lambda row: (-row[2], row[0]))][:count]


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 150), st.integers(-5, 1000).map(float)), max_size=40))
def test_a_month_is_told_once_by_its_first_positive_figure(told):
    caps = pl.DataFrame(
        [("A", day(number), cap) for number, cap in dict(told).items()],
        schema={"symbol": pl.String, "session": pl.Date, "market_cap": pl.Float64},
        orient="row",
    )
    plain = instruments_frame("A").with_columns(valid_from=pl.lit(day(-10)))
    found = capitalised(plain, caps, "source")
    expected: dict[tuple[int, int], tuple[date, float]] = {}
    for number, cap in sorted(dict(told).items()):
        at = day(number)
        if cap > 0:
            expected.setdefault((at.year, at.month), (at, cap))
    assert found.select("valid_from", "market_cap").rows() == list(expected.values())
    for begins, ends in found.select("valid_from", "valid_to").iter_rows():
        assert (ends.year, ends.month) == (begins.year, begins.month)
        assert (ends + timedelta(days=1)).day == 1
    assert set(found["source"]) <= {"source"}


def test_a_capitalisation_of_a_symbol_that_nobody_described_is_left_out():
    caps = pl.DataFrame({"symbol": ["B"], "session": [day(3)], "market_cap": [1e9]})
    assert capitalised(instruments_frame("A"), caps, "source").is_empty()


def test_a_capitalisation_after_the_end_of_the_listing_is_left_out():
    caps = pl.DataFrame({"symbol": ["A", "A"], "session": [day(20), day(60)], "market_cap": [1e9, 2e9]})
    gone = listed(("A", "A", 0, 40))
    assert capitalised(gone, caps, "source").select("valid_from", "valid_to").rows() == [
        (day(20), date(2020, 1, 31))
    ]
