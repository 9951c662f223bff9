"""Partitions of both families: which days there are, which come before, and what a run is asked for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import dagster as dg
import exchange_calendars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.family import RANGE_END, RANGE_START, asked_range
from pipelines.partitions import (
    BACKTEST,
    DAILY_DESK,
    DESK,
    FAMILIES,
    SESSIONS,
    WEEKDAY_DESK,
    YEARS,
    desk_of,
)
from pipelines.schedules import session_closed_before, trades_on
from resources.calendar import sessions
from trading.book import BookConfig

DESK_KEYS = SESSIONS.get_partition_keys()
KNOWN = set(DESK_KEYS)

CLOSED = {
    "New Year": "2012-01-02",
    "Martin Luther King": "2012-01-16",
    "Washington": "2012-02-20",
    "Good Friday": "2012-04-06",
    "Memorial": "2012-05-28",
    "Independence": "2012-07-04",
    "Labour": "2012-09-03",
    "storm": "2012-10-29",
    "the storm's second day": "2012-10-30",
    "Thanksgiving": "2012-11-22",
    "Christmas": "2012-12-25",
    "after 11 September": "2001-09-11",
    "the last day of that week": "2001-09-14",
    "Reagan": "2004-06-11",
    "Ford": "2007-01-02",
    "Juneteenth": "2022-06-20",
    "Carter": "2025-01-09",
    "Saturday": "2012-01-07",
    "Sunday": "2012-01-08",
}
OPEN = {
    "before New Year": "2011-12-30",
    "half day after Thanksgiving": "2012-11-23",
    "half day before Christmas": "2012-12-24",
    "half day in July": "2012-07-03",
    "first of summer time": "2012-03-12",
    "first of winter time": "2012-11-05",
    "after the storm": "2012-10-31",
    "leap day": "2012-02-29",
    "after 11 September": "2001-09-17",
    "Juneteenth before it was one": "2020-06-19",
    "first of all": "2000-01-03",
}


@pytest.mark.parametrize("day", CLOSED.values(), ids=CLOSED)
def test_days_without_a_session_have_no_partition(day: str) -> None:
    assert day not in KNOWN
    assert not SESSIONS.has_partition_key(day)


@pytest.mark.parametrize("day", OPEN.values(), ids=OPEN)
def test_sessions_have_a_partition(day: str) -> None:
    assert SESSIONS.has_partition_key(day)


def test_partitions_are_those_of_an_independent_calendar() -> None:
    calendar = exchange_calendars.get_calendar("XNYS", start="2000-01-01")
    expected = [f"{day:%Y-%m-%d}" for day in calendar.sessions_in_range("2000-01-03", DESK_KEYS[-1])]
    assert expected == DESK_KEYS


def test_there_is_a_partition_up_to_today_and_none_beyond_the_next_session() -> None:
    """On a day without a session the newest partition is the next session's."""
    today, last = datetime.now(UTC).date(), date.fromisoformat(DESK_KEYS[-1])
    ahead = sessions("XNYS", today, today + timedelta(days=7))["session"]
    assert last <= ahead[0]
    missing = sessions("XNYS", last + timedelta(days=1), today - timedelta(days=1))
    assert missing.height == 0
    years = YEARS.get_partition_keys()
    assert years[0] == "1990"
    assert years[-1] == str(today.year)


@pytest.mark.parametrize(
    ("session", "before"),
    [
        ("2001-09-17", "2001-09-10"),
        ("2012-10-31", "2012-10-26"),
        ("2012-01-03", "2011-12-30"),
        ("2012-04-09", "2012-04-05"),
        ("2012-03-12", "2012-03-09"),
        ("2020-03-02", "2020-02-28"),
    ],
)
def test_the_partition_before_is_the_session_before(session: str, before: str) -> None:
    place = DESK_KEYS.index(session)
    assert DESK_KEYS[place - 1] == before


def test_no_two_sessions_are_more_than_a_week_apart() -> None:
    days = [date.fromisoformat(key) for key in DESK_KEYS]
    assert max(after - before for before, after in pairwise(days)) == timedelta(days=7)


# ----------------------------------------------------------------------------------- what a run is asked for


def asked(family: Any, keys: list[str], tags: dict[str, str] | None = None) -> dict[str, tuple[date, date]]:
    """Books and ranges of a run with such keys and tags."""
    context: Any = SimpleNamespace(run=SimpleNamespace(tags=tags or {}), partition_keys=keys)
    return asked_range(context, family)


def between(first: str, last: str) -> dict[str, str]:
    return {RANGE_START: first, RANGE_END: last}


ASKED: dict[str, tuple[Any, list[str], dict[str, str], dict[str, tuple[date, date]]]] = {
    "one session": (DESK, ["a|2012-01-03"], {}, {"a": (date(2012, 1, 3), date(2012, 1, 3))}),
    "sessions in any order": (
        DESK,
        ["a|2012-01-05", "a|2012-01-03", "a|2012-01-04"],
        {},
        {"a": (date(2012, 1, 3), date(2012, 1, 5))},
    ),
    "two books": (
        DESK,
        ["a|2012-01-03", "b|2012-01-04"],
        {},
        {"a": (date(2012, 1, 3), date(2012, 1, 3)), "b": (date(2012, 1, 4), date(2012, 1, 4))},
    ),
    "one year": (BACKTEST, ["a|2012"], {}, {"a": (date(2012, 1, 1), date(2012, 12, 31))}),
    "years": (BACKTEST, ["a|2010", "a|2012"], {}, {"a": (date(2010, 1, 1), date(2012, 12, 31))}),
    "tags win over keys": (
        BACKTEST,
        ["a|1990"],
        between("a|2010", "a|2012"),
        {"a": (date(2010, 1, 1), date(2012, 12, 31))},
    ),
    "tags of sessions": (
        DESK,
        [],
        between("a|2012-01-03", "a|2012-01-10"),
        {"a": (date(2012, 1, 3), date(2012, 1, 10))},
    ),
    "tags over two books are no range of one": (
        DESK,
        ["a|2012-01-03", "b|2012-01-03"],
        between("a|2012-01-03", "b|2012-01-03"),
        {"a": (date(2012, 1, 3), date(2012, 1, 3)), "b": (date(2012, 1, 3), date(2012, 1, 3))},
    ),
    "half a pair of tags": (
        BACKTEST,
        ["a|2012"],
        {RANGE_START: "a|1999"},
        {"a": (date(2012, 1, 1), date(2012, 12, 31))},
    ),
    "a name with dots and dashes": (
        BACKTEST,
        ["my-book.v2_x|2012"],
        {},
        {"my-book.v2_x": (date(2012, 1, 1), date(2012, 12, 31))},
    ),
    "nothing": (DESK, [], {}, {}),
}


@pytest.mark.parametrize("name", ASKED)
def test_a_run_is_asked_for_books_and_ranges(name: str) -> None:
    family, keys, tags, expected = ASKED[name]
    assert asked(family, keys, tags) == expected


@given(
    years=st.lists(st.integers(1990, 2030), min_size=1, max_size=8),
    books=st.lists(st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,9}", fullmatch=True), min_size=1, max_size=3),
)
def test_any_keys_are_read_as_the_range_that_holds_them(years: list[int], books: list[str]) -> None:
    keys = [str(dg.MultiPartitionKey({"book": book, "year": str(year)})) for book in books for year in years]
    expected = {book: (date(min(years), 1, 1), date(max(years), 12, 31)) for book in books}
    assert asked(BACKTEST, keys) == expected


def test_keys_of_dagster_are_those_that_are_read() -> None:
    """The order of the dimensions in a key is Dagster's: by the dimension's name."""
    assert str(dg.MultiPartitionKey({"session": "2012-01-03", "book": "a"})) == "a|2012-01-03"
    assert str(dg.MultiPartitionKey({"year": "2012", "book": "a"})) == "a|2012"


@pytest.mark.parametrize("family", FAMILIES, ids=[family.prefix for family in FAMILIES])
def test_the_families_differ_in_prefix_and_time_only(family: Any) -> None:
    assert {one.name for one in family.partitions.partitions_defs} == {"book", family.time}
    assert family.key("portfolio") == dg.AssetKey([family.prefix, "portfolio"])
    mapping = family.previous().downstream_mappings_by_upstream_dimension
    assert set(mapping) == {"book", family.time}
    time = mapping[family.time].partition_mapping
    assert (time.start_offset, time.end_offset) == (-1, -1)


def test_every_family_has_books_and_a_prefix_of_its_own() -> None:
    assert len({family.prefix for family in FAMILIES}) == len(FAMILIES)
    assert len({family.books.name for family in FAMILIES}) == len(FAMILIES)
    assert [family.prefix for family in FAMILIES if not family.scheduled] == ["backtest"]


# --------------------------------------------------------------------------- books of other calendars

HOMES = {
    "XNYS": DESK,
    "24/7": DAILY_DESK,
    "24/5": WEEKDAY_DESK,
    "XLON": WEEKDAY_DESK,
    "XTKS": WEEKDAY_DESK,
    "XETR": WEEKDAY_DESK,
}


@pytest.mark.parametrize(("calendar", "family"), HOMES.items(), ids=HOMES)
def test_every_session_of_a_calendar_has_a_partition_in_its_family(calendar: str, family: Any) -> None:
    assert desk_of(calendar) is family
    times = next(one for one in family.partitions.partitions_defs if one.name == "session")
    days = sessions(calendar, date(2023, 11, 20), date(2024, 1, 5))["session"]
    assert days.len() > 25
    assert all(times.partitions_def.has_partition_key(day.isoformat()) for day in days)


CLOSES: dict[str, tuple[str, str, str | None]] = {
    "coins at midnight": ("24/7", "2024-03-02T00:05", "2024-03-01"),
    "coins half an hour later": ("24/7", "2024-03-02T00:35", None),
    "coins on Sunday": ("24/7", "2024-03-04T00:05", "2024-03-03"),
    "coins on a leap day": ("24/7", "2024-03-01T00:05", "2024-02-29"),
    "coins in the evening": ("24/7", "2024-03-02T23:35", None),
    "London in winter": ("XLON", "2024-01-15T16:35", "2024-01-15"),
    "London in summer": ("XLON", "2024-07-15T15:35", "2024-07-15"),
    "London in summer an hour later": ("XLON", "2024-07-15T16:35", None),
    "London's half day": ("XLON", "2024-12-24T12:35", "2024-12-24"),
    "London on Boxing Day": ("XLON", "2024-12-26T16:35", None),
    "Tokyo": ("XTKS", "2024-03-04T06:05", "2024-03-04"),
    "Frankfurt": ("XETR", "2024-03-04T16:35", "2024-03-04"),
    "Frankfurt after the clocks changed": ("XETR", "2024-04-02T15:35", "2024-04-02"),
}


@pytest.mark.parametrize("name", CLOSES)
def test_a_tick_is_for_the_session_that_has_just_closed(name: str) -> None:
    calendar, at, session = CLOSES[name]
    found = session_closed_before(calendar, datetime.fromisoformat(at).replace(tzinfo=UTC))
    assert found == (date.fromisoformat(session) if session else None)


@pytest.mark.parametrize("calendar", ["24/7", "XLON", "XTKS", "24/5"])
def test_the_ticks_of_two_months_are_for_each_session_once(calendar: str) -> None:
    """Over a change of clocks and Christmas; a tick every half hour."""
    for first, last in ((date(2024, 3, 18), date(2024, 4, 5)), (date(2024, 12, 20), date(2025, 1, 3))):
        start = datetime(first.year, first.month, first.day, 0, 5, tzinfo=UTC)
        ticks = (start + timedelta(minutes=30) * number for number in range(48 * (last - first).days))
        found = [day for at in ticks if (day := session_closed_before(calendar, at)) is not None]
        days = [day for day in found if first <= day < last]
        expected = sessions(calendar, first, last - timedelta(days=1))["session"].to_list()
        assert days == [day for day in expected if day in set(days)]
        assert set(expected) - set(days) <= {last - timedelta(days=1)}, (
            "the last may close after the last tick"
        )


@pytest.mark.parametrize(
    ("end", "day", "trades"),
    [
        (None, "2020-01-01", False),
        (None, "2020-01-02", True),
        (None, "2099-01-02", True),
        ("2020-02-03", "2020-02-03", True),
        ("2020-02-03", "2020-02-04", False),
    ],
)
def test_a_book_trades_from_its_start_to_its_end(end: str | None, day: str, trades: bool) -> None:
    book = BookConfig.model_validate(
        {"name": "b", "start": "2020-01-02", "end": end, "strategies": {"turtle": {}}}
    )
    assert trades_on(book, date.fromisoformat(day)) is trades
