"""What a longer bar may hold, when it is there, and what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.calendar import sessions
from resources.providers.base import BARS
from trading.resampling import SPANS, ResamplingError, bars_from_ticks, beside, resample, visible

NEW_YORK = "America/New_York"
LATER = datetime(2030, 1, 1, tzinfo=UTC)
NOVEMBER = sessions(
    "XNYS", date(2015, 11, 16), date(2015, 12, 11)
)  # Thanksgiving on the 26th, a half day on the 27th


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ticks_at(*times: str, symbol: str = "A") -> pl.DataFrame:
    rows = [(symbol, utc(each), 10.0 + i, 1.0, "test") for i, each in enumerate(times)]
    return pl.DataFrame(rows, schema=["symbol", "at", "price", "size", "source"], orient="row").with_columns(
        pl.col("at").cast(pl.Datetime("us", "UTC"))
    )


def minutes(first: date, last: date, symbol: str = "A") -> pl.DataFrame:
    """Every minute of the sessions, its price the number of the minute."""
    hours = NOVEMBER.filter(pl.col("session").is_between(first, last))
    closes = [
        (session, opens + timedelta(minutes=i + 1))
        for session, opens, closed in hours.select("session", "opens_at", "closes_at").iter_rows()
        for i in range(int((closed - opens) / SPANS["1m"]))
    ]
    rows = [
        (symbol, "1m", session, at, i + 1.0, i + 1.5, i + 0.5, i + 1.0, 1.0, "test")
        for i, (session, at) in enumerate(closes)
    ]
    return pl.DataFrame(rows, schema=BARS, orient="row")


@pytest.mark.parametrize(
    ("calendar", "fold", "at", "expected"),
    [
        ("XNYS", False, "2015-11-27T14:29:59", None),
        ("XNYS", False, "2015-11-27T14:30:00", (date(2015, 11, 27), "2015-11-27T14:31:00")),
        ("XNYS", False, "2015-11-27T17:59:59", (date(2015, 11, 27), "2015-11-27T18:00:00")),
        ("XNYS", False, "2015-11-27T18:00:00", (date(2015, 11, 27), "2015-11-27T18:00:00")),
        ("XNYS", False, "2015-11-27T18:00:01", None),
        ("XNYS", False, "2015-11-26T15:00:00", None),
        ("24/5", False, "2015-11-29T22:15:30", None),
        ("24/5", True, "2015-11-29T22:15:30", (date(2015, 11, 30), "2015-11-29T22:16:00")),
        ("24/5", False, "2015-12-01T00:00:00", (date(2015, 12, 1), "2015-12-01T00:01:00")),
        ("24/7", False, "2015-11-29T23:59:59", (date(2015, 11, 29), "2015-11-30T00:00:00")),
        ("24/7", False, "2015-11-30T00:00:00", (date(2015, 11, 30), "2015-11-30T00:01:00")),
    ],
)
def test_a_tick_belongs_to_the_interval_that_begins_with_it(calendar, fold, at, expected):
    hours = sessions(calendar, date(2015, 11, 20), date(2015, 12, 10))
    made = bars_from_ticks(ticks_at(at), "1m", hours, until=LATER, fold=fold)
    assert made.select("session", "closes_at").rows() == (
        [] if expected is None else [(expected[0], utc(expected[1]))]
    )


def test_ticks_of_one_instant_keep_their_order():
    at = "2015-11-27T15:00:00"
    made = bars_from_ticks(ticks_at(at, at, at), "5m", NOVEMBER, zone=NEW_YORK, until=LATER)
    assert made.select("open", "high", "low", "close", "volume").rows() == [(10.0, 12.0, 10.0, 12.0, 3.0)]


def test_a_week_closes_with_its_last_session_half_day_or_not():
    made = resample(minutes(date(2015, 11, 16), date(2015, 12, 4)), "1w", NOVEMBER, until=LATER)
    assert made.select("session", "closes_at").rows() == [
        (date(2015, 11, 20), utc("2015-11-20T21:00:00")),
        (date(2015, 11, 27), utc("2015-11-27T18:00:00")),
        (date(2015, 12, 4), utc("2015-12-04T21:00:00")),
    ]
    assert made["volume"].to_list() == [5 * 390, 3 * 390 + 210, 5 * 390]


def test_a_week_whose_end_is_not_known_yet_has_no_bar():
    bars = minutes(date(2015, 11, 16), date(2015, 11, 24))
    known = NOVEMBER.filter(pl.col("session") <= date(2015, 11, 24))
    assert resample(bars, "1w", known, until=LATER)["session"].to_list() == [date(2015, 11, 20)]


@pytest.mark.parametrize(
    ("cut", "timeframe", "last"),
    [
        ("2015-11-27T14:59:00", "1h", "2015-11-25T21:00:00"),
        ("2015-11-27T15:00:00", "1h", "2015-11-27T15:00:00"),
        ("2015-11-27T17:59:00", "1d", "2015-11-25T21:00:00"),
        ("2015-11-27T18:00:00", "1d", "2015-11-27T18:00:00"),
        ("2015-11-27T17:59:00", "1w", "2015-11-20T21:00:00"),
        ("2015-11-27T18:00:00", "1w", "2015-11-27T18:00:00"),
    ],
)
def test_a_longer_bar_is_there_once_it_has_closed(cut, timeframe, last):
    bars = visible(minutes(date(2015, 11, 16), date(2015, 12, 4)), utc(cut))
    assert resample(bars, timeframe, NOVEMBER, zone=NEW_YORK)["closes_at"].max() == utc(last)


@settings(max_examples=40, deadline=None)
@given(
    keep=st.lists(st.booleans(), min_size=60, max_size=60),
    cut=st.integers(0, 59),
    timeframe=st.sampled_from(["5m", "30m", "1h", "4h", "1d", "1w"]),
)
def test_what_comes_later_changes_no_bar_that_has_closed(keep, cut, timeframe):
    every = minutes(date(2015, 11, 19), date(2015, 12, 1)).gather_every(40).head(60)
    bars = every.filter(pl.Series(keep[: every.height]))
    at = every["closes_at"][min(cut, every.height - 1)]
    whole = resample(bars, timeframe, NOVEMBER, zone=NEW_YORK, until=LATER)
    then = resample(visible(bars, at), timeframe, NOVEMBER, zone=NEW_YORK, until=at)
    assert then.equals(visible(whole, at))
    assert whole["volume"].sum() == bars.height


def test_beside_a_bar_stands_the_last_longer_one_that_had_closed():
    bars = minutes(date(2015, 11, 25), date(2015, 11, 27))
    hours = resample(bars, "1h", NOVEMBER, zone=NEW_YORK, until=LATER)
    both = beside(bars, hours, "hour_")
    assert both.height == bars.height
    assert both["symbol"].equals(bars["symbol"])
    assert both["closes_at"].equals(bars["closes_at"])
    assert both["hour_closes_at"].null_count() == 29
    assert (both["hour_closes_at"] <= both["closes_at"]).all()
    assert (both["closes_at"] - both["hour_closes_at"]).max() < timedelta(days=2)
    at_hour = both.filter(pl.col("closes_at") == utc("2015-11-25T16:00:00"))
    assert at_hour["hour_closes_at"].to_list() == [utc("2015-11-25T16:00:00")]
    assert at_hour["hour_close"].to_list() == at_hour["close"].to_list()


@pytest.mark.parametrize(
    ("timeframe", "wanted", "message"),
    [
        ("1h", "30m", "30m bars cannot be made of 1h bars"),
        ("1w", "1d", "1d bars cannot be made of 1w bars"),
        ("1m", "2h", "timeframe '2h': choose one of 1m, 5m"),
    ],
)
def test_what_cannot_be_made_is_refused(timeframe, wanted, message):
    bars = minutes(date(2015, 11, 25), date(2015, 11, 25)).with_columns(timeframe=pl.lit(timeframe))
    with pytest.raises(ResamplingError, match=message):
        resample(bars, wanted, NOVEMBER)


def test_a_bar_outside_of_the_sessions_given_is_named():
    bars = minutes(date(2015, 11, 25), date(2015, 11, 25))
    with pytest.raises(ResamplingError, match="A: 2015-11-25 is none of the sessions given"):
        resample(bars, "1h", NOVEMBER.tail(3))


def test_no_bars_make_no_bars():
    empty = minutes(date(2015, 11, 25), date(2015, 11, 25)).clear()
    assert resample(empty, "1h", NOVEMBER).is_empty()
    assert bars_from_ticks(ticks_at(), "1h", NOVEMBER).is_empty()
