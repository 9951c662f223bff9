"""Sessions of many exchanges against ``exchange_calendars`` itself and against the clocks on their walls."""

from __future__ import annotations

import warnings
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import exchange_calendars
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources import calendar

SPAN = (date(2018, 1, 1), date(2024, 12, 31))
EXCHANGES = ("XNYS", "XETR", "XASX", "XSHG", "XSES", "XBOM", "CMES", "us_futures", "24/5", "24/7")
TOUCHING = ("24/5", "24/7", "CMES", "us_futures")
"""Calendars in which a session may open at the very close of the one before."""

# Exchange, time zone, usual open and close on its own clock, and how many times its clock changed in SPAN.
WALLS = [
    ("XNYS", "America/New_York", time(9, 30), time(16), 14),
    ("XETR", "Europe/Berlin", time(9), time(17, 30), 14),
    ("XASX", "Australia/Sydney", time(10), time(16), 14),
    ("XSHG", "Asia/Shanghai", time(9, 30), time(15), 0),
    ("CMES", "America/Chicago", time(17), time(17), 14),
]

days = st.dates(date(2018, 2, 1), date(2024, 11, 30))
exchanges = st.sampled_from(EXCHANGES)


@pytest.fixture(scope="module")
def theirs():
    """The package's own answer over the span, built for just these years."""
    built = {}

    def of(name):
        if name not in built:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                built[name] = exchange_calendars.get_calendar(name, start=str(SPAN[0]), end=str(SPAN[1]))
        return built[name]

    return of


@pytest.mark.parametrize("name", EXCHANGES)
def test_every_session_is_the_packages_own(theirs, name):
    ours, own = calendar.sessions(name, *SPAN), theirs(name)
    assert ours["session"].to_list() == [stamp.date() for stamp in own.sessions]
    assert ours["opens_at"].to_list() == [stamp.to_pydatetime() for stamp in own.opens]
    assert ours["closes_at"].to_list() == [stamp.to_pydatetime() for stamp in own.closes]
    assert set(ours.filter("half_day")["session"]) == {stamp.date() for stamp in own.early_closes}
    assert set(ours["calendar"]) == {name}


@pytest.mark.parametrize("name", EXCHANGES)
def test_sessions_follow_each_other_and_never_overlap(name):
    frame = calendar.sessions(name, *SPAN)
    hours = frame.select("opens_at", "closes_at").iter_rows()
    for (_, closed), (opens, closes) in pairwise(hours):
        assert closed < opens or (name in TOUCHING and closed == opens)
        assert opens < closes <= opens + timedelta(days=1)


@pytest.mark.parametrize(("name", "zone", "opens", "closes", "changes"), WALLS)
def test_the_clock_on_the_wall_stays_while_the_hours_in_utc_move(name, zone, opens, closes, changes):
    frame = calendar.sessions(name, *SPAN)
    wall = ZoneInfo(zone)
    usual = frame.filter(~pl.col("half_day"))
    began = {at.astimezone(wall).time() for at in usual["opens_at"]}
    ended = {at.astimezone(wall).time() for at in usual["closes_at"]}
    assert (began, ended) == ({opens}, {closes})
    offsets = [at.astimezone(wall).utcoffset() for at in frame["closes_at"]]
    assert sum(first != second for first, second in pairwise(offsets)) == changes
    for session, closed in frame.filter("half_day").select("session", "closes_at").iter_rows():
        assert closed.astimezone(wall) < datetime.combine(session, closes, wall)


@settings(max_examples=30)
@given(exchanges, days)
def test_neighbours_enclose_a_day_and_nothing_lies_between(name, day):
    before, after = calendar.previous_session(name, day), calendar.next_session(name, day)
    assert before < day < after
    between = calendar.sessions(name, before, after)["session"].to_list()
    expected = [before, day, after] if calendar.is_session(name, day) else [before, after]
    assert between == expected


@settings(max_examples=30)
@given(exchanges, days)
def test_a_session_counts_as_closed_from_its_close_on(name, day):
    session = calendar.next_session(name, day)
    close = calendar.session_close(name, session)
    assert calendar.last_closed_session(name, close) == session
    a_moment_before = close - timedelta(microseconds=1)
    assert calendar.last_closed_session(name, a_moment_before) == calendar.previous_session(name, session)


@settings(max_examples=20)
@given(exchanges, days, st.integers(0, 86_399), st.sampled_from(["UTC", "Asia/Tokyo", "America/Los_Angeles"]))
def test_the_last_closed_session_does_not_depend_on_whose_clock_asks(name, day, seconds, zone):
    now = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=seconds)
    found = calendar.last_closed_session(name, now.astimezone(ZoneInfo(zone)))
    closed = [
        session
        for session, at in calendar.session_closes(name, day - timedelta(days=14), day).items()
        if at <= now
    ]
    assert found == closed[-1]


@settings(max_examples=20)
@given(exchanges, days, st.integers(0, 60), st.integers(0, 60))
def test_a_range_is_the_sum_of_its_parts(name, first, width, more):
    middle = first + timedelta(days=width)
    last = middle + timedelta(days=more)
    parts = [
        calendar.sessions(name, first, middle),
        calendar.sessions(name, middle + timedelta(days=1), last),
    ]
    assert pl.concat(parts).equals(calendar.sessions(name, first, last))


def test_decades_are_joined_without_a_seam():
    """The frames are built forty years at a time: 1989 and 1990 come from two of them."""
    frame = calendar.sessions("XNYS", date(1989, 12, 26), date(1990, 1, 5))
    assert frame["session"].to_list() == [date(1989, 12, day) for day in (26, 27, 28, 29)] + [
        date(1990, 1, day) for day in (2, 3, 4, 5)
    ]
    whole = calendar.sessions("XNYS", date(1985, 1, 1), date(1994, 12, 31))
    assert whole["session"].n_unique() == whole.height
    assert whole["session"].diff().drop_nulls().max() <= timedelta(days=5)


def placed_by_hand(start: datetime, minutes: int, hours: list[tuple[date, datetime, datetime]], name: str):
    """Session and close of an interval: the first session that closes after it begins."""
    session, opens, closes = next(row for row in hours if row[2] > start)
    ends = min(start + timedelta(minutes=minutes), closes)
    return None if ends <= opens and name != "24/5" else (session, ends)


@settings(max_examples=30)
@given(
    exchanges,
    st.lists(st.tuples(days, st.integers(0, 24 * 60 - 1)), min_size=1, max_size=12),
    st.sampled_from([1, 5, 30, 60, 240]),
)
def test_intervals_are_placed_as_by_hand(name, moments, minutes):
    starts = [
        datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=minute)
        for day, minute in moments
    ]
    frame = pl.DataFrame({"start": starts, "row": range(len(starts))}).with_columns(
        pl.col("start").cast(pl.Datetime("us", "UTC"))
    )
    found = {
        row: (session, closes)
        for row, session, closes in calendar.with_sessions(frame, name, minutes)
        .select("row", "session", "closes_at")
        .iter_rows()
    }
    first, last = min(starts).date(), max(starts).date() + timedelta(days=14)
    hours = calendar.sessions(name, first, last)
    rows = hours.select("session", "opens_at", "closes_at").rows()
    expected = {row: placed_by_hand(start, minutes, rows, name) for row, start in enumerate(starts)}
    assert found == {row: place for row, place in expected.items() if place is not None}
    assert list(found) == sorted(found)


@settings(max_examples=20)
@given(exchanges, st.lists(days, min_size=1, max_size=12))
def test_daily_bars_are_stamped_as_by_hand(name, sessions):
    bars = pl.DataFrame({"session": sessions}, schema={"session": pl.Date})
    closes = calendar.session_closes(name, min(sessions), max(sessions))
    midnight = {
        day: datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1) for day in sessions
    }
    stamped = calendar.with_closes(bars, name)["closes_at"].to_list()
    assert stamped == [closes.get(day, midnight[day]) for day in sessions]


@pytest.mark.parametrize("name", ["XBSE", "ASEX"])
def test_a_calendar_that_the_package_names_but_cannot_build_is_refused_by_name(name):
    """The installed package lists these and then fails on them, each in its own way."""
    with pytest.raises(calendar.CalendarError) as caught:
        calendar.sessions(name, *SPAN)
    assert str(caught.value).startswith(f"calendar {name}: exchange_calendars cannot build it")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("call", "day"),
    [(calendar.previous_session, calendar.EARLIEST), (calendar.next_session, calendar.LATEST)],
)
def test_the_ends_of_time_are_refused_with_the_dates_that_are_known(call, day):
    with pytest.raises(calendar.CalendarError, match=r"outside 1950-01-01 \.\. 2099-12-31"):
        call("24/7", day)


def test_a_calendar_with_a_late_first_year_begins_there():
    """Riyadh is known from 2021 on: what lies before is empty and no error."""
    found = calendar.sessions("XSAU", date(2015, 1, 1), date(2021, 2, 1))
    assert found["session"].min() == date(2021, 1, 3)
    weekdays = set(calendar.sessions("XSAU", date(2021, 1, 1), date(2022, 1, 1))["session"].dt.weekday())
    assert weekdays == {7, 1, 2, 3, 4}
    with pytest.raises(calendar.CalendarError, match="no session within 14 days of 2018-01-01"):
        calendar.previous_session("XSAU", date(2018, 1, 1))
