"""Close times and sessions of bars that come from web services."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from resources.providers import _frames
from resources.providers.base import BARS, NoData, Request, Unsupported

PRICES = {"open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5, "volume": 10.0}


def rows(**column):
    ((name, values),) = column.items()
    schema = {name: pl.Date if name == "session" else pl.Datetime("us", "UTC")}
    return pl.DataFrame({name: values}, schema=schema).with_columns(
        pl.lit(value).alias(price) for price, value in PRICES.items()
    )


@pytest.mark.parametrize(
    ("calendar", "day", "close"),
    [
        ("XNYS", date(2015, 12, 23), datetime(2015, 12, 23, 21, tzinfo=UTC)),
        ("XNYS", date(2015, 12, 24), datetime(2015, 12, 24, 18, tzinfo=UTC)),
        ("XNYS", date(2015, 12, 25), datetime(2015, 12, 26, tzinfo=UTC)),
        ("XLON", date(2015, 7, 1), datetime(2015, 7, 1, 15, 30, tzinfo=UTC)),
        ("24/5", date(2015, 7, 3), datetime(2015, 7, 4, tzinfo=UTC)),
        ("24/7", date(2015, 7, 4), datetime(2015, 7, 5, tzinfo=UTC)),
    ],
)
def test_a_day_ends_with_its_session(calendar, day, close):
    bars = _frames.daily(rows(session=[day]), "X", "1d", calendar, "s")
    assert bars.schema == BARS
    assert bars["closes_at"].to_list() == [close]


def test_the_order_and_faults_of_the_source_are_kept():
    days = [date(2024, 3, 5), date(2024, 3, 1), date(2024, 3, 5)]
    assert _frames.daily(rows(session=days), "X", "1d", "XNYS", "s")["session"].to_list() == days


@pytest.mark.parametrize(
    ("calendar", "timeframe", "start", "session", "close"),
    [
        ("XNYS", "30m", (2015, 12, 24, 17, 30), (2015, 12, 24), (2015, 12, 24, 18)),
        ("XNYS", "1h", (2015, 12, 24, 17, 30), (2015, 12, 24), (2015, 12, 24, 18)),
        ("XNYS", "4h", (2015, 12, 23, 17, 0), (2015, 12, 23), (2015, 12, 23, 21)),
        ("XNYS", "30m", (2015, 12, 23, 22, 0), (2015, 12, 23), (2015, 12, 23, 22, 30)),
        ("XNYS", "30m", (2015, 12, 24, 1, 0), (2015, 12, 23), (2015, 12, 24, 1, 30)),
        ("XTKS", "1h", (2015, 12, 24, 0, 0), (2015, 12, 24), (2015, 12, 24, 1)),
        ("24/7", "1h", (2015, 12, 24, 23, 0), (2015, 12, 24), (2015, 12, 25)),
        ("24/7", "1d", (2015, 12, 24, 8, 0), (2015, 12, 25), (2015, 12, 25, 8)),
        ("24/5", "1d", (2015, 12, 24, 0, 0), (2015, 12, 24), (2015, 12, 25)),
    ],
)
def test_a_bar_within_a_session(calendar, timeframe, start, session, close):
    frame = rows(starts_at=[datetime(*start, tzinfo=UTC)])
    bar = _frames.intraday(frame, "X", timeframe, calendar, "s").row(0, named=True)
    assert (bar["session"], bar["closes_at"]) == (date(*session), datetime(*close, tzinfo=UTC))


def test_no_rows_are_no_bars():
    empty = rows(session=[])
    assert _frames.daily(empty, "X", "1d", "XNYS", "s").schema == BARS
    assert _frames.intraday(rows(starts_at=[]), "X", "1h", "XNYS", "s").schema == BARS
    assert _frames.regular(rows(starts_at=[]), "XNYS").is_empty()


def test_only_regular_hours():
    day = datetime(2015, 12, 24, tzinfo=UTC)
    starts = [day + timedelta(hours=hour) for hour in (14, 14.5, 17.5, 18, 40)]
    inside = _frames.regular(rows(starts_at=starts), "XNYS")
    assert inside["starts_at"].to_list() == starts[1:3]
    assert _frames.regular(rows(starts_at=starts), "24/7").height == 5


def test_only_what_was_asked_for_and_has_closed():
    bars = _frames.daily(rows(session=[date(2024, 3, day) for day in (1, 4, 5, 6)]), "X", "1d", "XNYS", "s")
    asked = Request(("X",), date(2024, 3, 4), date(2024, 3, 6))
    at = datetime(2024, 3, 6, 20, 59, tzinfo=UTC)
    assert _frames.within(bars, asked, at)["session"].to_list() == [date(2024, 3, 4), date(2024, 3, 5)]
    with pytest.raises(NoData, match="s: X: no 1d bars from 2024-03-04 to 2024-03-06"):
        _frames.required(bars.clear(), "s", "X", asked)


@pytest.mark.parametrize(("last", "valid"), [(date(2024, 3, 4), True), (date(2024, 3, 5), False)])
def test_only_a_settled_range_stands_for_a_new_answer(last, valid):
    assert (_frames.validity(last, datetime(2024, 3, 6, 1, tzinfo=UTC)) is not None) == valid


def test_longer_bars_out_of_shorter_ones():
    start = datetime(2024, 3, 4, tzinfo=UTC)
    minutes = pl.DataFrame(
        {
            "starts_at": [start + timedelta(minutes=minute) for minute in (0, 1, 4, 5)],
            "open": [1.0, 2.0, 3.0, 4.0],
            "high": [5.0, 9.0, 3.0, 4.0],
            "low": [1.0, 2.0, 0.5, 4.0],
            "close": [2.0, 3.0, 2.5, 4.0],
            "volume": [1.0, 2.0, 3.0, 4.0],
        },
        schema_overrides={"starts_at": pl.Datetime("us", "UTC")},
    )
    assert _frames.resampled(minutes, "5m").rows() == [
        (start, 1.0, 9.0, 0.5, 2.5, 6.0),
        (start + timedelta(minutes=5), 4.0, 4.0, 4.0, 4.0, 4.0),
    ]


def test_a_package_that_is_not_there_is_named_with_its_extra():
    with pytest.raises(Unsupported, match=r"the package nosuch is not installed; .*deltadesk\[more\]"):
        _frames.optional("nosuch_module", "s", "nosuch", "more")
