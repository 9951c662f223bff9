"""Sessions: holidays, half days, daylight saving, calendars that never close."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone

import polars as pl
import pytest

from delta.contracts import Sessions
from resources import calendar

YEAR = (date(2020, 1, 1), date(2020, 12, 31))
CHRISTMAS = date(2015, 12, 25)


@pytest.mark.parametrize(
    ("name", "day", "opens"),
    [
        ("XNYS", date(2015, 12, 24), True),
        ("XNYS", date(2015, 12, 25), False),
        ("XNYS", date(2012, 10, 29), False),  # hurricane
        ("XNYS", date(2001, 9, 12), False),
        ("XNYS", date(2021, 6, 18), True),
        ("XNYS", date(2022, 6, 20), False),  # Juneteenth, observed since 2022
        ("XNYS", date(2020, 1, 4), False),
        ("24/7", date(2020, 1, 4), True),
        ("24/5", date(2020, 1, 4), False),
        ("24/5", date(2020, 12, 25), True),
        ("XLON", date(2020, 12, 28), False),
    ],
)
def test_holidays_and_weekends(name, day, opens):
    assert calendar.is_session(name, day) is opens


@pytest.mark.parametrize(
    ("day", "close"),
    [
        (date(2015, 12, 23), "21:00"),
        (date(2015, 12, 24), "18:00"),
        (date(2016, 3, 11), "21:00"),  # the last Friday of winter time
        (date(2016, 3, 14), "20:00"),
        (date(2016, 11, 4), "20:00"),
        (date(2016, 11, 7), "21:00"),
        (date(2013, 7, 3), "17:00"),
        (date(2006, 4, 3), "20:00"),  # daylight saving began in April then
        (date(2006, 3, 31), "21:00"),
    ],
)
def test_closes_of_new_york_in_utc(day, close):
    assert f"{calendar.session_close('XNYS', day):%H:%M}" == close


def test_rows_are_those_of_the_table():
    frame = calendar.sessions("XNYS", date(2015, 12, 21), date(2015, 12, 28))
    assert frame.schema == Sessions.schema()
    assert frame["half_day"].to_list() == [False, False, False, True, False]
    for check in Sessions.checks:
        assert frame.select(check.holds.all()).item()


def test_a_range_over_decades_is_whole_and_ascending():
    frame = calendar.sessions("XNYS", date(1998, 1, 1), date(2021, 3, 31))
    assert frame.height == 5849
    assert frame["session"].is_sorted()
    assert frame["session"].n_unique() == frame.height


def test_a_reversed_range_is_empty():
    assert calendar.sessions("XNYS", date(2020, 2, 1), date(2020, 1, 1)).is_empty()


def test_neighbours():
    assert calendar.previous_session("XNYS", date(2016, 1, 4)) == date(2015, 12, 31)
    assert calendar.next_session("XNYS", date(2015, 12, 24)) == date(2015, 12, 28)
    assert calendar.previous_session("24/7", date(2020, 1, 1)) == date(2019, 12, 31)


@pytest.mark.parametrize(
    ("now", "session"),
    [
        (datetime(2015, 12, 24, 17, 59, tzinfo=UTC), date(2015, 12, 23)),
        (datetime(2015, 12, 24, 18, 0, tzinfo=UTC), date(2015, 12, 24)),
        (datetime(2015, 12, 27, 12, 0, tzinfo=UTC), date(2015, 12, 24)),
        (datetime(2015, 12, 24, 13, 0, tzinfo=timezone(timedelta(hours=-5))), date(2015, 12, 24)),
    ],
)
def test_last_closed_session(now, session):
    assert calendar.last_closed_session("XNYS", now) == session


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: calendar.sessions("NYSX", *YEAR), "'NYSX' is unknown; did you mean"),
        (lambda: calendar.sessions("XNYS", date(1900, 1, 1), YEAR[1]), "outside 1950-01-01 .. 2099-12-31"),
        (lambda: calendar.session_close("XNYS", CHRISTMAS), "the nearest are 2015-12-24 and 2015-12-28"),
        (lambda: calendar.last_closed_session("XNYS", datetime(2020, 1, 1)), "no time zone"),  # noqa: DTZ001
    ],
)
def test_errors_say_what_to_do(call, words):
    with pytest.raises(calendar.CalendarError) as caught:
        call()
    assert words in str(caught.value)


def test_a_calendar_with_bounds_gives_what_it_has():
    assert calendar.sessions("XSHG", date(1985, 1, 1), date(1990, 1, 1)).is_empty()
    assert calendar.sessions("XSHG", date(1985, 1, 1), date(1991, 1, 1))["session"].min() == date(1990, 12, 3)


def test_daily_bars_get_the_close_of_their_session():
    days = pl.DataFrame({"session": [date(2015, 12, 24), date(2015, 12, 25), None, date(2015, 7, 6)]})
    closes = calendar.with_closes(days, "XNYS")["closes_at"].to_list()
    assert closes == [
        datetime(2015, 12, 24, 18, tzinfo=UTC),
        datetime(2015, 12, 26, tzinfo=UTC),  # no session: the end of the day, for the checks to find
        None,
        datetime(2015, 7, 6, 20, tzinfo=UTC),
    ]


def test_intraday_bars_end_with_the_session_and_stay_inside_it():
    starts = [datetime(2015, 12, 24, hour, 0, tzinfo=UTC) for hour in (13, 14, 17, 18)]
    bars = calendar.with_sessions(pl.DataFrame({"start": starts}), "XNYS", 60)
    assert [(at.hour, at.minute) for at in bars["closes_at"]] == [(15, 0), (18, 0)]


def test_a_four_hour_bar_never_ends_after_the_close():
    bars = calendar.with_sessions(
        pl.DataFrame({"start": [datetime(2020, 1, 2, 18, 30, tzinfo=UTC)]}), "XNYS", 240
    )
    assert bars["closes_at"].to_list() == [datetime(2020, 1, 2, 21, tzinfo=UTC)]


def test_a_sunday_evening_of_currencies_belongs_to_monday():
    bars = calendar.with_sessions(pl.DataFrame({"start": [datetime(2020, 1, 5, 22, tzinfo=UTC)]}), "24/5", 60)
    assert bars["session"].to_list() == [date(2020, 1, 6)]


@pytest.mark.parametrize(
    ("asset_class", "name"),
    [
        ("stock", "XNYS"),
        ("etf", "XNYS"),
        ("index", "XNYS"),
        ("option", "XNYS"),
        ("crypto", "24/7"),
        ("fx", "24/5"),
    ],
)
def test_the_calendar_of_an_asset_class(asset_class, name):
    assert calendar.usual_calendar(asset_class) == name


def test_importing_the_module_does_not_bring_pandas():
    code = "import sys, resources.calendar; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
