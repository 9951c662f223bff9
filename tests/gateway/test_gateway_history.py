"""Past data: bars of every size and kind, what is kept up to date, schedules, ticks, limits."""

from __future__ import annotations

import math
import statistics
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.gateway.instruments.database import Instrument, Instruments
from resources.gateway.market.history import SIZES, interval_start, past_bars
from resources.gateway.market.prices import Tape
from resources.gateway.service.pacing import historical_violation
from resources.gateway.service.session import Session

from .wire import Floor, Wire, named

NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2024, 3, 1, 22, 0, tzinfo=UTC)
MONDAY = date(2024, 2, 26)


@pytest.fixture(scope="module")
def shared_settings() -> dict[str, Any]:
    return {"start": NOW}


@pytest.fixture
def client(floor: Floor) -> Wire:
    return floor.client()


def weekdays(first: date, count: int) -> list[date]:
    days = (first + timedelta(days=number) for number in range(3 * count))
    return [day for day in days if day.weekday() < 5][:count]


def daily_rows(symbol: str, closes: list[float], first: date = date(2024, 1, 2)) -> list[dict[str, Any]]:
    return [
        {"symbol": symbol, "session": f"{day}", "open": close - 1, "high": close + 2, "low": close - 3, "close": close,
         "volume": 100.0 * number,
         "closes_at": datetime.combine(day, time(16), NEW_YORK).astimezone(UTC).isoformat()}
        for number, (day, close) in enumerate(zip(weekdays(first, len(closes)), closes, strict=True), start=1)
    ]  # fmt: skip


def minute_rows(symbol: str, day: date, first: time = time(9, 30), count: int = 390) -> list[dict[str, Any]]:
    opened = datetime.combine(day, first, NEW_YORK)
    return [
        {"symbol": symbol, "timeframe": "1m", "session": f"{day}", "open": 100.0 + number, "high": 100.5 + number,
         "low": 99.5 + number, "close": 100.25 + number, "volume": 10.0,
         "closes_at": (opened + timedelta(minutes=number + 1)).astimezone(UTC).isoformat()}
        for number in range(count)
    ]  # fmt: skip


def asked(client: Wire, symbol: str, **wanted: Any) -> list[dict[str, Any]]:
    """Bars that the gateway tells."""
    told = client.ask("reqHistoricalData", **request(symbol, **wanted))
    return [bar for row in named(told, "historicalData") for bar in row["bars"]]


def request(symbol: str, **wanted: Any) -> dict[str, Any]:
    return {
        "symbol": symbol, "secType": "STK", "exchange": "SMART", "currency": "USD", "end": "", "barSize": "1 day",
        "duration": "3 M", "useRth": True, "whatToShow": "TRADES", "formatDate": 2, "keepUpToDate": False, **wanted,
    }  # fmt: skip


def at(bar: dict[str, Any]) -> str:
    return f"{datetime.fromtimestamp(int(bar['date']), NEW_YORK):%d %H:%M}"


# -------------------------------------------------------------------------------------------------- sizes


MADE: dict[str, tuple[int, list[str]]] = {
    # of the minutes of one session: how many bars, and when the first ones start
    "1 min": (390, ["01 09:30", "01 09:31", "01 09:32"]),
    "2 mins": (195, ["01 09:30", "01 09:32", "01 09:34"]),
    "3 mins": (130, ["01 09:30", "01 09:33", "01 09:36"]),
    "5 mins": (78, ["01 09:30", "01 09:35", "01 09:40"]),
    "10 mins": (39, ["01 09:30", "01 09:40", "01 09:50"]),
    "15 mins": (26, ["01 09:30", "01 09:45", "01 10:00"]),
    "20 mins": (20, ["01 09:30", "01 09:40", "01 10:00"]),
    "30 mins": (13, ["01 09:30", "01 10:00", "01 10:30"]),
    "1 hour": (7, ["01 09:30", "01 10:00", "01 11:00"]),
    "2 hours": (4, ["01 09:30", "01 10:00", "01 12:00"]),
    "3 hours": (3, ["01 09:30", "01 12:00", "01 15:00"]),
    "4 hours": (2, ["01 09:30", "01 12:00"]),
    "8 hours": (1, ["01 09:30"]),
}


@pytest.mark.parametrize("size", MADE)
def test_bars_of_every_size_are_made_of_minutes(floor: Floor, client: Wire, size: str) -> None:
    count, starts = MADE[size]
    floor.ask("bars", rows=minute_rows(floor.symbol, date(2024, 3, 1)))
    bars = asked(client, floor.symbol, barSize=size, duration="1 D")
    assert len(bars) == count
    assert [at(bar) for bar in bars[:3]] == starts
    assert (bars[0]["open"], bars[-1]["close"]) == (100.0, 489.25)
    assert sum(bar["volume"] for bar in bars) == 3900
    for bar, following in pairwise(bars):
        assert bar["close"] == following["open"] - 0.75
        assert bar["high"] == bar["close"] + 0.25
        assert bar["low"] == bar["open"] - 0.5


@pytest.mark.parametrize("size", [name for name in SIZES if "sec" in name])
def test_bars_of_seconds_are_known_and_not_there(floor: Floor, client: Wire, size: str) -> None:
    floor.ask("bars", rows=minute_rows(floor.symbol, date(2024, 3, 1)))
    assert asked(client, floor.symbol, barSize=size, duration="1 D") == []
    assert client.codes()[-1] == 162


def test_days_weeks_and_months(floor: Floor, client: Wire) -> None:
    rows = daily_rows(floor.symbol, [float(number) for number in range(101, 145)])
    floor.ask("bars", rows=rows)
    days = asked(client, floor.symbol)
    assert [(bar["date"], bar["close"]) for bar in days[:2]] == [("20240102", 101), ("20240103", 102)]
    assert days[-1]["date"] == "20240301"
    for name in ("1 week", "1W"):
        weeks = asked(client, floor.symbol, barSize=name)
        assert [(bar["date"], bar["open"], bar["close"]) for bar in weeks[:2]] == [
            ("20240105", 100, 104), ("20240112", 104, 109),
        ]  # fmt: skip
        assert (weeks[1]["high"], weeks[1]["low"], weeks[1]["volume"]) == (
            111,
            102,
            100 * (5 + 6 + 7 + 8 + 9),
        )
    for name in ("1 month", "1M"):
        months = asked(client, floor.symbol, barSize=name)
        assert [(bar["date"], bar["close"]) for bar in months] == [
            ("20240131", 122), ("20240229", 143), ("20240301", 144),
        ]  # fmt: skip


def test_a_day_is_made_of_its_minutes_where_there_is_no_other(floor: Floor, client: Wire) -> None:
    floor.ask("bars", rows=minute_rows(floor.symbol, date(2024, 3, 1)))
    [bar] = asked(client, floor.symbol)
    assert (bar["date"], bar["open"], bar["high"], bar["low"], bar["close"], bar["volume"]) == (
        "20240301", 100.0, 489.5, 99.5, 489.25, 3900,
    )  # fmt: skip


def test_bars_outside_of_the_session_are_told_when_they_are_asked_for(floor: Floor, client: Wire) -> None:
    floor.ask("bars", rows=minute_rows(floor.symbol, date(2024, 3, 1), time(8, 0), 560))
    assert len(asked(client, floor.symbol, barSize="1 min", duration="1 D")) == 390
    whole = asked(client, floor.symbol, barSize="1 min", duration="1 D", useRth=False)
    assert len(whole) == 540, "it is five in the afternoon"
    hours = asked(client, floor.symbol, barSize="1 hour", duration="1 D", useRth=False)
    assert at(hours[0]) == "01 08:00"


@pytest.mark.parametrize(
    ("duration", "first"),
    [
        ("3 D", "20240228"),
        ("1 W", "20240226"),
        ("1 M", "20240131"),
        ("1 Y", "20240102"),
        ("86400 S", "20240301"),
    ],
)
def test_durations_reach_back_from_the_end(floor: Floor, client: Wire, duration: str, first: str) -> None:
    floor.ask("bars", rows=daily_rows(floor.symbol, [100.0] * 44))
    end = "20240301 17:00:00 US/Eastern"
    assert asked(client, floor.symbol, duration=duration, end=end)[0]["date"] == first
    early = asked(client, floor.symbol, duration=duration, end="20240201 17:00:00 US/Eastern")
    assert early[-1]["date"] == "20240201"


@pytest.mark.parametrize("style", [1, 2])
def test_dates_are_told_as_asked(floor: Floor, client: Wire, style: int) -> None:
    floor.ask("bars", rows=minute_rows(floor.symbol, date(2024, 3, 1), count=3))
    [bar, *_] = asked(client, floor.symbol, barSize="1 min", duration="1 D", formatDate=style)
    opened = datetime(2024, 3, 1, 14, 30, tzinfo=UTC)
    assert bar["date"] == ("20240301 09:30:00 US/Eastern" if style == 1 else str(int(opened.timestamp())))


@settings(max_examples=80, deadline=None)
@given(
    size=st.sampled_from(sorted(set(SIZES) - {"1 day", "1 week", "1W", "1 month", "1M"})),
    seconds=st.integers(0, 366 * 86400),
)
def test_an_interval_holds_the_instants_that_share_its_start(size: str, seconds: int) -> None:
    moment = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    span = SIZES[size]
    start = interval_start(moment, span)
    assert start <= moment < start + span + timedelta(hours=1), "an hour more where the clocks go back"
    assert interval_start(start, span) == start


@settings(max_examples=40, deadline=None)
@given(
    size=st.sampled_from([name for name in SIZES if "sec" not in name]),
    gaps=st.lists(st.integers(1, 200), min_size=1, max_size=40),
)
def test_joined_bars_keep_first_last_extremes_and_volume(size: str, gaps: list[int]) -> None:
    tape, instrument = Tape(), stock("AAA")
    minute, rows = 0, []
    for gap in gaps:
        minute += gap
        rows += minute_rows("AAA", MONDAY + timedelta(days=minute // 390 % 5), count=390)[minute % 390 :][:1]
    tape.add(rows)
    parts = tape.bars("AAA", "1m", datetime(2024, 1, 1, tzinfo=UTC), NOW)
    joined = past_bars(tape, instrument, SIZES[size], datetime(2024, 1, 1, tzinfo=UTC), NOW)
    assert sum(one.bar.volume for one in joined) == sum(one.bar.volume for one in parts)
    assert (joined[0].bar.open, joined[-1].bar.close) == (parts[0].bar.open, parts[-1].bar.close)
    assert max(one.bar.high for one in joined) == max(one.bar.high for one in parts)
    assert min(one.bar.low for one in joined) == min(one.bar.low for one in parts)
    starts = [one.starts_at for one in joined]
    assert starts == sorted(set(starts))
    assert all(one.starts_at < one.closes_at for one in joined)


def stock(symbol: str) -> Instrument:
    return Instruments().add({"symbol": symbol, "asset_class": "stock"})


# ----------------------------------------------------------------------------------------- what is shown


SHOWN: dict[str, tuple[float, float, float, float, float]] = {
    "TRADES": (100.0, 103.0, 98.0, 101.0, 100.0),
    "ADJUSTED_LAST": (100.0, 103.0, 98.0, 101.0, 100.0),
    "MIDPOINT": (100.0, 103.0, 98.0, 101.0, -1),
    "BID": (99.99, 102.99, 97.99, 100.99, -1),
    "ASK": (100.01, 103.01, 98.01, 101.01, -1),
    "BID_ASK": (99.99, 103.01, 97.99, 101.01, -1),
}


@pytest.mark.parametrize("what", SHOWN)
def test_what_is_shown(floor: Floor, client: Wire, what: str) -> None:
    floor.ask("bars", rows=daily_rows(floor.symbol, [101.0]))
    [bar] = asked(client, floor.symbol, whatToShow=what)
    assert (bar["open"], bar["high"], bar["low"], bar["close"], bar["volume"]) == pytest.approx(SHOWN[what])
    assert (bar["average"] > 0) == (bar["count"] > 0) == (bar["volume"] > 0)


def test_volatilities(floor: Floor, client: Wire) -> None:
    closes = [100.0 * (1.02 if number % 2 else 1.0) for number in range(40)]
    floor.ask("bars", rows=daily_rows(floor.symbol, closes))
    bars = asked(client, floor.symbol, whatToShow="HISTORICAL_VOLATILITY")
    returns = [math.log(after / before) for before, after in pairwise(closes)][-30:]
    assert bars[-1]["close"] == pytest.approx(statistics.stdev(returns) * math.sqrt(252))
    assert len(bars) == 38, "two returns at least"
    implied = asked(client, floor.symbol, whatToShow="OPTION_IMPLIED_VOLATILITY")
    assert {bar["close"] for bar in implied} == {0.25}


def test_a_split_is_no_volatility(floor: Floor, client: Wire) -> None:
    floor.ask("bars", rows=daily_rows(floor.symbol, [100.0, 102.0, 100.0, 51.0, 50.0]))
    action = {"symbol": floor.symbol, "ex_date": "2024-01-05", "action": "split", "value": 2.0}
    floor.ask("actions", rows=[action])
    bars = asked(client, floor.symbol, whatToShow="HISTORICAL_VOLATILITY")
    returns = [math.log(1.02), -math.log(1.02), math.log(1.02), -math.log(1.02)]
    assert bars[-1]["close"] == pytest.approx(statistics.stdev(returns) * math.sqrt(252))


def test_splits_and_dividends_adjust_what_came_before_them(floor: Floor, client: Wire) -> None:
    floor.ask("bars", rows=daily_rows(floor.symbol, [100.0, 100.0, 50.0, 50.0]))
    floor.ask(
        "actions",
        rows=[
            {"symbol": floor.symbol, "ex_date": "2024-01-04", "action": "split", "value": 2.0},
            {"symbol": floor.symbol, "ex_date": "2024-01-05", "action": "cash_dividend", "value": 5.0},
            {"symbol": floor.symbol, "ex_date": "2024-06-05", "action": "split", "value": 7.0},
        ],
    )
    trades = asked(client, floor.symbol)
    assert [bar["close"] for bar in trades] == [50, 50, 50, 50]
    assert [bar["volume"] for bar in trades] == [200, 400, 300, 400]
    adjusted = asked(client, floor.symbol, whatToShow="ADJUSTED_LAST")
    assert [bar["close"] for bar in adjusted] == pytest.approx([45, 45, 45, 50])
    assert [bar["close"] for bar in asked(client, floor.symbol, whatToShow="MIDPOINT")] == [100, 100, 50, 50]


KINDS: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    # what of this kind of instrument can be shown, and the code where it cannot
    "stock": ({"asset_class": "stock"}, {"TRADES": 0, "MIDPOINT": 0, "AGGTRADES": 162}),
    "pair": ({"asset_class": "fx", "exchange": ""}, {"TRADES": 162, "MIDPOINT": 0, "BID_ASK": 0}),
    "coin": ({"asset_class": "crypto", "exchange": ""}, {"TRADES": 10299, "AGGTRADES": 0, "MIDPOINT": 0}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_can_be_shown_depends_on_the_instrument(floor: Floor, client: Wire, kind: str) -> None:
    row, codes = KINDS[kind]
    symbol = {"stock": floor.symbol, "pair": "CHFUSD", "coin": "SOLUSD"}[kind]
    floor.ask("instruments", rows=[{"currency": "USD", "exchange": "XNAS", **row, "symbol": symbol}])
    floor.ask("bars", rows=daily_rows(symbol, [1.0, 2.0]))
    sec_type = {"stock": "STK", "pair": "CASH", "coin": "CRYPTO"}[kind]
    ticker = symbol.removesuffix("USD")
    for what, code in codes.items():
        number = client.request_id()
        bars = asked(client, ticker, reqId=number, secType=sec_type, exchange="", whatToShow=what)
        assert client.codes(number) == ([code] if code else [])
        assert len(bars) == (0 if code else 2)


WRONG: dict[str, tuple[dict[str, Any], int]] = {
    "size": ({"barSize": "7 mins"}, 321),
    "no size": ({"barSize": ""}, 321),
    "duration": ({"duration": "1 X"}, 321),
    "no duration": ({"duration": ""}, 321),
    "duration of ages": ({"duration": "999999 Y"}, 321),
    "what": ({"whatToShow": "DREAMS"}, 321),
    "end": ({"end": "yesterday"}, 321),
    "contract": ({"symbol": "NOWHERE"}, 200),
    "end of adjusted": ({"whatToShow": "ADJUSTED_LAST", "end": "20240201 16:00:00 US/Eastern"}, 321),
    "end of what goes on": ({"keepUpToDate": True, "end": "20240201 16:00:00 US/Eastern"}, 321),
    "nothing so long ago": ({"end": "20100101 16:00:00 US/Eastern"}, 162),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_request_that_cannot_be_answered_says_why(floor: Floor, client: Wire, name: str) -> None:
    changes, code = WRONG[name]
    floor.ask("bars", rows=daily_rows(floor.symbol, [100.0]))
    number = client.request_id()
    wanted = {"symbol": floor.symbol, "reqId": number, **changes}
    assert asked(client, wanted.pop("symbol"), **wanted) == []
    assert client.codes(number) == [code]


# ------------------------------------------------------------------------------------- kept up to date


@pytest.mark.parametrize("style", [1, 2])
def test_a_bar_forms_price_by_price(floor: Floor, client: Wire, style: int) -> None:
    day = floor.next_day()
    number = client.request_id()
    client.ask("reqHistoricalData", **request(
        floor.symbol, reqId=number, barSize="5 mins", duration="1 D", keepUpToDate=True, formatDate=style,
    ))  # fmt: skip
    for seconds, price in ((0, 101.0), (60, 99.0), (120, 100.0), (300, 105.0)):
        floor.at(day + timedelta(seconds=seconds))
        floor.price(price, size=10)
    told = client.all_of("historicalDataUpdate")
    assert [(bar["open"], bar["high"], bar["low"], bar["close"], bar["volume"]) for bar in told] == [
        (101, 101, 101, 101, 10), (101, 101, 99, 99, 20), (101, 101, 99, 100, 30), (105, 105, 105, 105, 10),
    ]  # fmt: skip
    first = (
        f"{day.astimezone(NEW_YORK):%Y%m%d %H:%M:%S} US/Eastern" if style == 1 else str(int(day.timestamp()))
    )
    assert [bar["date"] for bar in told[:3]] == [first] * 3
    assert told[3]["date"] != first
    client.ask("cancelHistoricalData", reqId=number)
    floor.price(107.0)
    assert len(client.all_of("historicalDataUpdate")) == 4
    client.ask("cancelHistoricalData", reqId=number)
    assert client.codes(number) == [366]


def test_the_day_forms_from_the_prices_of_the_day(floor: Floor, client: Wire) -> None:
    floor.ask("end_day")
    day = floor.next_day()
    client.ask("reqHistoricalData", **request(floor.symbol, keepUpToDate=True))
    for price in (103.0, 97.0, 99.0):
        floor.price(price, size=5)
    last = client.all_of("historicalDataUpdate")[-1]
    assert last["date"] == f"{day:%Y%m%d}"
    assert (last["high"], last["low"], last["close"], last["volume"]) == (103, 97, 99, 15)


# ------------------------------------------------------------------------------------- the rest of the past


def test_the_schedule_tells_the_hours_of_each_session(floor: Floor, client: Wire) -> None:
    floor.ask("bars", rows=daily_rows(floor.symbol, [1.0] * 3))
    told = client.ask("reqHistoricalData", **request(floor.symbol, whatToShow="SCHEDULE", duration="3 M"))
    [schedule] = named(told, "historicalSchedule")
    assert schedule["timeZone"] == "US/Eastern"
    assert schedule["sessions"][:2] == [
        {"date": "20240102", "start": "20240102-14:30:00", "end": "20240102-21:00:00"},
        {"date": "20240103", "start": "20240103-14:30:00", "end": "20240103-21:00:00"},
    ]


@pytest.mark.parametrize(
    ("style", "day", "minute"),
    [(1, "20240102-14:30:00", "20240301-14:30:00"), (2, "1704205800", "1709303400")],
)
def test_the_head_time_stamp_is_the_start_of_the_first_bar(
    floor: Floor, client: Wire, style: int, day: str, minute: str
) -> None:
    wanted = {"symbol": floor.symbol, "secType": "STK", "whatToShow": "TRADES", "formatDate": style}
    number = client.request_id()
    client.ask("reqHeadTimeStamp", reqId=number, **wanted)
    assert client.codes(number) == [162]
    floor.ask("bars", rows=minute_rows(floor.symbol, date(2024, 3, 1)))
    assert named(client.ask("reqHeadTimeStamp", **wanted), "headTimestamp")[0]["time"] == minute
    floor.ask("bars", rows=daily_rows(floor.symbol, [1.0]))
    assert named(client.ask("reqHeadTimeStamp", **wanted), "headTimestamp")[0]["time"] == day


@pytest.mark.parametrize(
    ("period", "count"), [("3 days", 300.0), ("1 day", 100.0), ("1 week", 500.0), ("2 months", 600.0)]
)
def test_the_histogram_counts_what_traded_in_its_period(
    floor: Floor, client: Wire, period: str, count: float
) -> None:
    rows = [
        {**row, "volume": 100.0} for row in daily_rows(floor.symbol, [10.0, 11.0, 10.0, 12.0, 12.0, 12.0])
    ]
    floor.ask("bars", rows=rows)
    [told] = named(client.ask("reqHistogramData", symbol=floor.symbol, period=period), "histogramData")
    assert sum(row["count"] for row in told["bins"]) == count
    assert [row["price"] for row in told["bins"]] == sorted({row["price"] for row in told["bins"]})


def test_histograms_that_cannot_be_had(floor: Floor, client: Wire) -> None:
    for symbol, period, code in ((floor.symbol, "all", 321), ("NOWHERE", "3 days", 200)):
        number = client.request_id()
        client.ask("reqHistogramData", reqId=number, symbol=symbol, period=period)
        assert client.codes(number) == [code]


TICKS = {
    "TRADES": ("historicalTicksLast", "price"),
    "MIDPOINT": ("historicalTicks", "price"),
    "BID_ASK": ("historicalTicksBidAsk", "bid"),
}


@pytest.mark.parametrize("what", TICKS)
def test_ticks_of_the_past(floor: Floor, client: Wire, what: str) -> None:
    name, price = TICKS[what]
    floor.ask("bars", rows=minute_rows(floor.symbol, date(2024, 3, 1), count=10))
    wanted = {"symbol": floor.symbol, "whatToShow": what, "count": 3}
    [last] = named(client.ask("reqHistoricalTicks", end="20240301 09:36:00 US/Eastern", **wanted), name)
    assert [row[price] for row in last["ticks"]] == [103.25, 104.25, 105.25]
    assert last["done"]
    [first] = named(client.ask("reqHistoricalTicks", start="20240301 09:36:00 US/Eastern", **wanted), name)
    assert [row[price] for row in first["ticks"]] == [106.25, 107.25, 108.25]


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"symbol": "NOWHERE"}, 200), ({"start": "never"}, 321), ({"whatToShow": "DREAMS"}, 321)],
)
def test_ticks_that_cannot_be_had(floor: Floor, client: Wire, changes: dict[str, Any], code: int) -> None:
    number = client.request_id()
    client.ask(
        "reqHistoricalTicks",
        **{"reqId": number, "symbol": floor.symbol, "whatToShow": "TRADES", "count": 5, **changes},
    )
    assert client.codes(number) == [code]


# ---------------------------------------------------------------------------------------------- the limits


def tries(*moves: tuple[float, dict[str, Any]]) -> list[bool]:
    """Whether requests at these seconds were let through."""
    session = Session()
    plain = {"conId": 1, "symbol": "A", "exchange": "SMART", "whatToShow": "TRADES", "duration": "1 D"}
    return [
        historical_violation(session, {**plain, "reqId": 1, **wanted}, at) is None for at, wanted in moves
    ]


PACING: dict[str, tuple[list[tuple[float, dict[str, Any]]], list[bool]]] = {
    "the same within fifteen seconds": ([(0, {}), (14.9, {}), (15.1, {})], [True, False, True]),
    "the same under another id": ([(0, {}), (1, {"reqId": 9})], [True, False]),
    "another duration": ([(0, {}), (1, {"duration": "2 D"})], [True, True]),
    "five of one contract within two seconds": (
        [(number / 10, {"duration": f"{number} D"}) for number in range(7)], [True] * 5 + [False] * 2,
    ),
    "six of one contract, slowly": ([(number * 0.5, {"duration": f"{number} D"}) for number in range(8)], [True] * 8),
    "six contracts at once": ([(0, {"conId": number}) for number in range(8)], [True] * 8),
    "sixty in ten minutes": ([(number, {"conId": number}) for number in range(62)], [True] * 60 + [False] * 2),
    "quotes count twice": (
        [(number, {"conId": number, "whatToShow": "BID_ASK"}) for number in range(31)], [True] * 30 + [False],
    ),
    "after ten minutes": (
        [*((number, {"conId": number}) for number in range(60)), (599.9, {"conId": 99}), (601.1, {"conId": 98})],
        [True] * 60 + [False, True],
    ),
    "what was refused does not count": (
        [*((number, {"conId": number}) for number in range(60)), *((59 + number / 10, {"conId": 99}) for number in range(9)),
         (600.5, {"conId": 99})],
        [True] * 60 + [False] * 9 + [True],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PACING)
def test_limits_on_historical_requests(name: str) -> None:
    moves, expected = PACING[name]
    assert tries(*moves) == expected


def test_fifty_requests_may_be_kept_up_to_date() -> None:
    session = Session()
    values = {"conId": 1, "symbol": "A", "exchange": "", "whatToShow": "TRADES"}
    for number in range(50):
        session.streams["history", number] = {}
    assert historical_violation(session, values, 0.0)
    session.streams.pop(("history", 7))
    assert historical_violation(session, values, 0.0) is None
