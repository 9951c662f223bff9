"""Resampled bars against files that others made: LEAN's minutes, hours and days, Dukascopy's ticks and candles."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from resources.calendar import sessions
from resources.providers import _dukascopy_formats as formats
from resources.providers.base import Request
from resources.providers.registry import provider
from trading.resampling import bars_from_ticks, quotes_to_ticks, resample

NEW_YORK = "America/New_York"
LATER = datetime(2030, 1, 1, tzinfo=UTC)
EVER = (date(1998, 1, 1), date(2021, 4, 1))
FIGURES = ("open", "high", "low", "close", "volume")


@pytest.fixture(scope="module")
def lean(shared_data):
    found = provider("lean", {"folder": shared_data / "lean"})
    return lambda symbol, timeframe: found.fetch(Request((symbol,), *EVER, timeframe)).bars


@pytest.fixture(scope="module")
def calendar():
    return sessions("XNYS", EVER[0], EVER[1] + timedelta(days=14))


def compared(made, expected):
    """Rows of both by close; none may be without its partner."""
    both = made.join(expected, on=["symbol", "closes_at", "session"], how="full", suffix="_expected")
    assert both["symbol"].null_count() == both["symbol_expected"].null_count() == 0
    return both


@pytest.mark.parametrize(("symbol", "hours"), [("AAPL", 21), ("SPY", 7)])
def test_minutes_make_the_hours_and_days_of_the_same_sessions(lean, calendar, symbol, hours):
    minutes = lean(symbol, "1m")
    days = minutes["session"].unique().implode()
    expected = lean(symbol, "1h").filter(pl.col("session").is_in(days))
    made = compared(resample(minutes, "1h", calendar, zone=NEW_YORK, until=LATER), expected)
    assert made.height == hours
    # The volumes are the same to the share, so every minute is in its hour; some prices differ by cents
    # because the source left other trades out of its hours than out of its minutes.
    assert made["volume"].equals(made["volume_expected"].alias("volume"))
    for name in FIGURES[:4]:
        assert (made[name] / made[f"{name}_expected"] - 1).abs().max() < 5e-4
    daily = lean(symbol, "1d").filter(pl.col("session").is_in(days))
    whole = compared(resample(minutes, "1d", calendar, zone=NEW_YORK, until=LATER), daily)
    for name in ("open", "close", "volume"):
        assert whole[name].equals(whole[f"{name}_expected"].alias(name))


@pytest.mark.parametrize("symbol", ["AAPL", "IBM", "SPY", "BAC"])
def test_two_decades_of_hours_make_the_days(lean, calendar, symbol):
    made = resample(lean(symbol, "1h"), "1d", calendar, zone=NEW_YORK, until=LATER)
    both = compared(made, lean(symbol, "1d"))
    assert both.height > 5600
    equal = {name: (both[name] == both[f"{name}_expected"]).mean() for name in FIGURES}
    assert min(equal.values()) > 0.995, equal


def test_hours_close_with_half_days_and_stay_with_the_clock_through_daylight_saving(lean, calendar):
    hours = resample(lean("SPY", "1h"), "1h", calendar, zone=NEW_YORK, until=LATER)
    closes = {
        day: rows["closes_at"].dt.convert_time_zone(NEW_YORK).dt.strftime("%H:%M").to_list()
        for (day,), rows in hours.filter(
            pl.col("session").is_in([date(2015, 12, 24), date(2015, 3, 6), date(2015, 3, 9)])
        ).group_by("session")
    }
    usual = ["10:00", "11:00", "12:00", "13:00", "14:00", "15:00", "16:00"]
    assert closes == {date(2015, 12, 24): usual[:4], date(2015, 3, 6): usual, date(2015, 3, 9): usual}
    four = resample(lean("SPY", "1h"), "4h", calendar, zone=NEW_YORK, until=LATER)
    by_clock = four["closes_at"].dt.convert_time_zone(NEW_YORK).dt.strftime("%H:%M")
    assert set(by_clock) == {"12:00", "13:00", "16:00"}
    half_days = calendar.filter("half_day")["session"]
    assert set(four.filter(by_clock == "13:00")["session"]) <= set(half_days)


@pytest.fixture(scope="module")
def euro(shared_data):
    """Ticks of the day 2019-02-04 and the candles of the same tree."""
    root = shared_data / "dukascopy/datafeed/EURUSD/2019"

    def stamp(day):
        return int(datetime(2019, 2, day, tzinfo=UTC).timestamp() * 1000)

    ticks = pl.concat(
        formats.packed_ticks(
            (root / f"01/04/{hour:02d}h_ticks.bi5").read_bytes(), stamp(4) + hour * 3_600_000, 1e5
        )
        for hour in range(24)
    ).with_columns(symbol=pl.lit("EURUSD"), source=pl.lit("dukascopy"))
    minutes = formats.packed_candles((root / "01/04/BID_candles_min_1.bi5").read_bytes(), stamp(4), 1e5)
    hours = formats.packed_candles((root / "01/BID_candles_hour_1.bi5").read_bytes(), stamp(1), 1e5)
    return ticks, minutes, hours


def test_a_day_of_ticks_makes_the_servers_minutes_and_hours(euro):
    ticks, minutes, hours = euro
    week = sessions("24/5", date(2019, 2, 1), date(2019, 2, 12))
    for timeframe, span, candles in (
        ("1m", timedelta(minutes=1), minutes),
        ("1h", timedelta(hours=1), hours.filter(pl.col("starts_at").dt.date() == date(2019, 2, 4))),
    ):
        made = bars_from_ticks(quotes_to_ticks(ticks, "bid"), timeframe, week, until=LATER)
        both = made.join(
            candles.with_columns(closes_at=pl.col("starts_at") + span),
            on="closes_at",
            how="full",
            suffix="_expected",
        )
        assert both["closes_at"].null_count() == both["starts_at"].null_count() == 0
        for name in FIGURES[:4]:
            assert (both[name] == both[f"{name}_expected"]).all(), (timeframe, name)
        assert ((both["volume"] - both["volume_expected"]).abs() / both["volume_expected"]).max() < 1e-3


def test_it_makes_no_difference_whether_hours_come_from_ticks_or_from_minutes(euro):
    ticks, _, _ = euro
    week = sessions("24/5", date(2019, 2, 1), date(2019, 2, 12))
    straight = quotes_to_ticks(ticks)
    minutes = bars_from_ticks(straight, "1m", week, until=LATER)
    for timeframe in ("5m", "15m", "30m", "1h", "4h", "1d", "1w"):
        direct = bars_from_ticks(straight, timeframe, week, until=LATER)
        around = resample(minutes, timeframe, week, until=LATER)
        assert direct.drop("volume").equals(around.drop("volume")), timeframe
        assert (direct["volume"] / around["volume"] - 1).abs().max() < 1e-12
