"""Ingests of any ranges in any order against a plain record of what was told when."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from delta import Lake, Provenance, read
from delta.contracts import Bars
from resources.ingest import IngestError, ingest
from resources.providers import base
from trading.history import newest

FIRST = date(2022, 1, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(400)]
KEY = ("symbol", "timeframe", "closes_at")


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def evening(day: date) -> datetime:
    """A moment after the close of a session that lasts the whole UTC day."""
    return midnight(day) + timedelta(days=1, hours=1)


class Source:
    """A provider of two coins over a dictionary of closes that remembers what it was asked."""

    name = "memory"
    capabilities = base.Capabilities(("crypto",), ("1d",))
    Settings = base.Settings

    def __init__(self, names: Iterable[str] = "AB") -> None:
        self.closes = {(name, day): 100.0 + (n * 7 % 5) / 10 for name in names for n, day in enumerate(DAYS)}
        self.asked: list[base.Request] = []

    def symbols(self) -> list[str]:
        return sorted({name for name, _ in self.closes})

    def fetch(self, request: base.Request) -> base.Answer:
        self.asked.append(request)
        rows = [
            (name, "1d", day, midnight(day) + timedelta(days=1), close, close + 1, close - 1, close,
             1000.0 + day.toordinal() % 13, self.name)
            for (name, day), close in self.closes.items()
            if name in request.symbols and request.first <= day <= request.last
        ]  # fmt: skip
        if not rows:
            raise base.NoData(self.name, "no bars", symbol=request.symbols[0])
        return base.Answer(pl.DataFrame(rows, schema=base.BARS, orient="row"))


def fetch(
    lake: Lake,
    source: Source,
    run: Provenance,
    first: date,
    last: date,
    now: datetime,
    *names: str,
    **named: Any,
):
    request = base.Request(names or tuple(source.symbols()), first, last)
    return ingest(lake, source, request, now=now, provenance=run, **named)


def closes(lake: Lake, as_of: datetime | None = None) -> dict[tuple[str, date], float]:
    rows = newest(read(lake, Bars).collect(), KEY, as_of=as_of)
    assert rows.select("symbol", "session").is_unique().all()
    return {(name, day): close for name, day, close in rows.select("symbol", "session", "close").iter_rows()}


def told(
    source: Source, first: date, last: date, names: Iterable[str] = "AB"
) -> dict[tuple[str, date], float]:
    return {key: close for key, close in source.closes.items() if key[0] in names and first <= key[1] <= last}


@pytest.mark.parametrize(
    ("ranges", "whole"),
    [
        ([(50, 80), (60, 90)], (50, 90)),  # overlapping
        ([(50, 80), (81, 90)], (50, 90)),  # side by side
        ([(50, 80), (10, 49)], (10, 80)),
        ([(50, 80), (10, 60)], (10, 80)),
        ([(50, 80), (10, 90)], (10, 90)),  # around
        ([(50, 80), (55, 70)], (50, 80)),  # within
        ([(50, 80), (200, 230), (50, 230)], (50, 230)),  # a hole, and then the whole range
        ([(200, 230), (50, 80), (50, 230)], (50, 230)),
        ([(300, 310), (200, 210), (100, 110), (100, 310)], (100, 310)),
    ],
)
def test_the_last_range_asked_for_is_there_whole_whatever_was_asked_before(lake, run, ranges, whole):
    source = Source()
    for number, (first, last) in enumerate(ranges):
        fetch(lake, source, run, DAYS[first], DAYS[last], evening(DAYS[399]) + timedelta(hours=number))
        asked = told(source, DAYS[first], DAYS[last])
        assert closes(lake).items() >= asked.items()
    # No hole stays: what lies between two ranges of daily bars has come along.
    assert closes(lake) == told(source, DAYS[whole[0]], DAYS[whole[1]])


def test_what_is_known_costs_no_request_but_the_overlap(lake, run):
    source = Source()
    fetch(lake, source, run, DAYS[0], DAYS[300], evening(DAYS[300]))
    for day in (301, 302, 303):
        source.asked.clear()
        result = fetch(lake, source, run, DAYS[0], DAYS[day], evening(DAYS[day]))
        assert (result.new, result.corrected) == (2, 0)
        assert [request.symbols for request in source.asked] == [("A",), ("B",)]
        assert all((request.last - request.first).days <= 12 for request in source.asked)


@pytest.mark.parametrize("seed", range(4))
def test_any_history_of_ingests_and_corrections_is_kept_as_it_was_known(lake, run, seed):
    """What was known at each moment stays readable, and what is known now is what the source tells now."""
    chance = random.Random(seed)
    source, known, past = Source(), {}, []
    last, now = 60, evening(DAYS[60])
    for _ in range(6):
        step = chance.choice(["later", "later", "earlier", "correct", "again"])
        whole = False
        if step == "later":
            last += chance.randrange(1, 40)
        elif step == "correct":
            # Somewhere in the past: only a second look at the whole range finds it.
            for key in chance.sample(sorted(known), min(3, len(known))):
                source.closes[key] += chance.choice([0.1, -0.2])
            whole = True
        now = max(now + timedelta(hours=1), evening(DAYS[last]))
        # A history may begin two weeks late without being asked for its beginning again.
        first = DAYS[chance.randrange(0, 5)] if step == "earlier" else DAYS[20]
        before = dict(known)
        result = fetch(lake, source, run, first, DAYS[last], now, refetch=whole)
        known |= told(source, first, DAYS[last])
        assert result.new == len(known.keys() - before.keys())
        assert result.corrected == sum(before[key] != known[key] for key in before)
        assert closes(lake) == known
        past.append((now, dict(known)))
    for at, then in past:
        assert closes(lake, at) == then
    assert closes(lake, past[0][0] - timedelta(microseconds=1)) == {}


def test_symbols_with_different_pasts_are_brought_to_the_same_day(lake, run):
    source = Source("ABCD")
    fetch(lake, source, run, DAYS[0], DAYS[100], evening(DAYS[100]), "A")
    fetch(lake, source, run, DAYS[50], DAYS[150], evening(DAYS[150]), "B")
    fetch(lake, source, run, DAYS[120], DAYS[160], evening(DAYS[160]), "C")
    result = fetch(lake, source, run, DAYS[0], DAYS[200], evening(DAYS[200]))
    assert closes(lake) == told(source, DAYS[0], DAYS[200], "ABCD")
    assert result.new == 100 + (50 + 50) + (120 + 40) + 201


def test_what_a_source_no_longer_tells_is_kept(lake, run):
    source = Source()
    fetch(lake, source, run, DAYS[0], DAYS[50], evening(DAYS[50]))
    known = closes(lake)
    for key in [("A", DAYS[49]), ("A", DAYS[10])]:
        del source.closes[key]
    fetch(lake, source, run, DAYS[0], DAYS[51], evening(DAYS[51]))
    assert closes(lake) == known | told(source, DAYS[51], DAYS[51])


def test_a_clock_that_ran_ahead_makes_the_next_correction_an_error_and_changes_nothing(lake, run):
    source = Source()
    fetch(lake, source, run, DAYS[0], DAYS[50], evening(DAYS[300]))
    known = closes(lake)
    source.closes["A", DAYS[50]] += 1
    with pytest.raises(IngestError, match=r"A 2022-02-20: a correction .* check the clock"):
        fetch(lake, source, run, DAYS[0], DAYS[51], evening(DAYS[51]))
    assert closes(lake) == known
