"""Bars within the day that are known in pieces: every session asked for is there in the end, none is lost."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from delta import Lake, Provenance, read
from delta.contracts import Bars
from resources.calendar import session_close, sessions
from resources.ingest import ingest
from resources.providers import base

DAYS = sessions("XNYS", date(2024, 1, 2), date(2024, 6, 28))["session"].to_list()
NOW = datetime(2024, 7, 1, tzinfo=UTC)
Ranges = Sequence[tuple[int, int]]


class Source:
    """A provider of one stock's half-hours, two a session, that remembers what it was asked."""

    name = "memory"
    capabilities = base.Capabilities(("stock",), ("30m",))
    Settings = base.Settings

    def __init__(self, without: Sequence[int] = (), listed: date | None = None) -> None:
        self.days = [day for place, day in enumerate(DAYS) if place not in without]
        self.listed = listed
        self.asked: list[tuple[date, date]] = []

    def symbols(self) -> list[str]:
        return ["A"]

    def fetch(self, request: base.Request) -> base.Answer:
        self.asked.append((request.first, request.last))
        rows = [
            ("A", "30m", day, session_close("XNYS", day) - timedelta(minutes=before), 100.0, 101.0, 99.0,
             100.0 + before / 100, 1000.0 + day.day, self.name)
            for day in self.days
            if request.first <= day <= request.last
            for before in (30, 0)
        ]  # fmt: skip
        if not rows:
            raise base.NoData(self.name, "no bars", symbol="A")
        listing = base.INSTRUMENTS.to_frame()
        if self.listed is not None:
            row = (
                "A",
                "A",
                "stock",
                "XNYS",
                "XNYS",
                "USD",
                None,
                None,
                1.0,
                self.listed,
                None,
                None,
                self.name,
            )
            listing = pl.DataFrame([row], schema=base.INSTRUMENTS, orient="row")
        return base.Answer(pl.DataFrame(rows, schema=base.BARS, orient="row"), instruments=listing)


def fetch(lake: Lake, source: Source, run: Provenance, first: date, last: date, hour: int = 0) -> int:
    request = base.Request(("A",), first, last, "30m", "stock")
    return ingest(lake, source, request, now=NOW + timedelta(hours=hour), provenance=run).new


def known(lake: Lake) -> list[date]:
    """Sessions of the lake, each of which must be whole."""
    rows = read(lake, Bars).collect()
    assert set(rows.group_by("session").len()["len"]) <= {2}
    return rows["session"].unique().sort().to_list()


@pytest.mark.parametrize(
    "ranges",
    [
        [(0, 20), (40, 60), (0, 60)],  # a hole, then the whole range
        [(40, 60), (0, 20), (0, 60)],
        [(0, 20), (40, 60), (25, 35)],  # within the hole
        [(0, 20), (40, 60), (15, 45)],  # across both of its edges
        [(0, 5), (10, 12), (30, 31), (60, 61), (0, 100)],  # many pieces
        [(7, 60), (0, 60)],  # a beginning that is a few days earlier
        [(50, 60), (0, 10), (100, 110), (20, 30), (5, 105)],
    ],
)
def test_the_range_asked_for_is_whole_whatever_was_asked_before(
    lake: Lake, run: Provenance, ranges: Ranges
) -> None:
    source, asked = Source(), set[date]()
    for hour, (first, last) in enumerate(ranges):
        fetch(lake, source, run, DAYS[first], DAYS[last], hour)
        asked |= set(DAYS[first : last + 1])
        assert known(lake) == sorted(asked), "all that was asked for, and nothing else"


@pytest.mark.parametrize("seed", range(6))
def test_any_ranges_in_any_order(lake: Lake, run: Provenance, seed: int) -> None:
    chance, source, asked = random.Random(seed), Source(), set[date]()
    for hour in range(6):
        first = chance.randrange(len(DAYS) - 1)
        last = min(len(DAYS) - 1, first + chance.choice([0, 3, 15, 60]))
        before = len(asked)
        asked |= set(DAYS[first : last + 1])
        assert fetch(lake, source, run, DAYS[first], DAYS[last], hour) == 2 * (len(asked) - before)
        assert known(lake) == sorted(asked)


def test_what_is_known_costs_no_request_but_the_overlap(lake: Lake, run: Provenance) -> None:
    """Weekends and holidays are no holes."""
    source = Source()
    fetch(lake, source, run, DAYS[0], DAYS[60])
    source.asked.clear()
    assert fetch(lake, source, run, date(2024, 1, 1), DAYS[61], 1) == 2
    assert source.asked == [(DAYS[51], DAYS[61])]


def test_a_hole_is_one_request_beside_the_overlap_and_what_is_known_is_not_fetched_again(
    lake: Lake, run: Provenance
) -> None:
    source = Source()
    fetch(lake, source, run, DAYS[0], DAYS[20])
    fetch(lake, source, run, DAYS[40], DAYS[80], 1)
    source.asked.clear()
    assert fetch(lake, source, run, DAYS[0], DAYS[80], 2) == 2 * 19
    assert source.asked == [(DAYS[21], DAYS[39]), (DAYS[71], DAYS[80])]


def test_a_session_that_the_source_does_not_have_fails_nothing(lake: Lake, run: Provenance) -> None:
    source = Source(without=[30, 31])
    fetch(lake, source, run, DAYS[0], DAYS[80])
    source.asked.clear()
    assert fetch(lake, source, run, DAYS[0], DAYS[81], 1) == 2
    assert source.asked == [(DAYS[30], DAYS[31]), (DAYS[71], DAYS[81])]
    assert known(lake) == source.days[:80]


def test_what_lies_before_the_listing_is_not_asked_for(lake: Lake, run: Provenance) -> None:
    source = Source(without=range(30), listed=DAYS[30])
    fetch(lake, source, run, DAYS[0], DAYS[80])
    source.asked.clear()
    fetch(lake, source, run, DAYS[0], DAYS[81], 1)
    assert source.asked == [(DAYS[71], DAYS[81])]
