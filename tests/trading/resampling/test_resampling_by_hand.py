"""Longer bars against a second maker of them: plain Python, one tick after the other, by the clock on the wall."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delta.contracts import Sessions
from trading.resampling import (
    BARS,
    SPANS,
    ResamplingError,
    bars_from_ticks,
    beside,
    quotes_to_ticks,
    resample,
    visible,
)

LATER = datetime(2030, 1, 1, tzinfo=UTC)
SHORT = [name for name, span in SPANS.items() if span < timedelta(days=1)]
# Weeks in which clocks change: New York on 2021-03-14 and 2021-11-07, Berlin on 2021-03-28 and 2021-10-31,
# Sydney on 2021-04-04 and 2021-10-03.
MARKETS = {
    "New York": ("America/New_York", time(9, 30), time(16), (date(2021, 3, 8), date(2021, 11, 1))),
    "Berlin": ("Europe/Berlin", time(9), time(17, 30), (date(2021, 3, 22), date(2021, 10, 25))),
    "Sydney": ("Australia/Sydney", time(10), time(16), (date(2021, 3, 29), date(2021, 9, 27))),
    "Kolkata": ("Asia/Kolkata", time(9, 15), time(15, 30), (date(2021, 3, 8),)),
}


def hours_of(market: str, first: date, closed: set[int], halved: set[int]) -> pl.DataFrame:
    """Three weeks of sessions of a market, some days closed and some halved (closing at 13:00)."""
    zone, opens, closes, _ = MARKETS[market]
    rows = []
    for number in range(21):
        day = first + timedelta(days=number)
        if day.isoweekday() > 5 or number in closed:
            continue
        ends = time(13) if number in halved else closes
        begin, end = (datetime.combine(day, each, ZoneInfo(zone)).astimezone(UTC) for each in (opens, ends))
        rows.append(("T", day, begin, end, number in halved))
    return pl.DataFrame(rows, schema=Sessions.schema(), orient="row")


@st.composite
def markets(draw):
    market = draw(st.sampled_from(sorted(MARKETS)))
    first = draw(st.sampled_from(MARKETS[market][3]))
    closed = draw(st.sets(st.integers(0, 13), max_size=3))
    halved = draw(st.sets(st.integers(0, 13), max_size=2))
    return market, hours_of(market, first, closed, halved)


@st.composite
def ticks(draw, hours):
    """Ticks of two symbols over two weeks, at, between and around the opens and closes."""
    edges = [at for row in hours.select("opens_at", "closes_at").head(10).iter_rows() for at in row]
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from("AB"),
                st.sampled_from(edges),
                st.one_of(
                    st.sampled_from([-1, 0, 1, 60_000_000]),
                    st.integers(-3 * 3600, 8 * 3600).map(lambda s: s * 1_000_000),
                ),
                st.integers(90, 110).map(float),
                st.integers(1, 9).map(float),
            ),
            max_size=60,
        )
    )
    made = [
        (name, edge + timedelta(microseconds=shift), price, size, "test")
        for name, edge, shift, price, size in rows
    ]
    return pl.DataFrame(made, schema=TICKS, orient="row")


TICKS = pl.Schema(
    {
        "symbol": pl.String(),
        "at": pl.Datetime("us", "UTC"),
        "price": pl.Float64(),
        "size": pl.Float64(),
        "source": pl.String(),
    }
)


def session_by_hand(at, rows):
    """The session that a tick belongs to: its close counts unless another session opens there."""
    for session, opens, closes in rows:
        if opens <= at < closes:
            return session, opens, closes
    for session, opens, closes in rows:
        if at == closes:
            return session, opens, closes
    return None


def end_by_hand(at, session, closes, timeframe, zone, rows):
    """Close of the interval of a tick, found by walking the wall clock from midnight."""
    if timeframe == "1d":
        return session, closes
    if timeframe == "1w":
        week = [row for row in rows if row[0].isocalendar()[:2] == session.isocalendar()[:2]]
        known = any(row[0].isocalendar()[:2] > session.isocalendar()[:2] for row in rows)
        return (week[-1][0], week[-1][2]) if known else None
    local = at.astimezone(zone)
    step = SPANS[timeframe]
    edge = datetime.combine(local.date(), time(0))
    naive = local.replace(tzinfo=None)
    while edge + step <= naive:
        edge += step
    end = (edge + step).replace(tzinfo=zone).astimezone(UTC)
    return session, min(end, closes)


def bars_by_hand(made, timeframe, hours, zone):
    rows = hours.select("session", "opens_at", "closes_at").rows()
    found = defaultdict(list)
    for symbol, at, price, size, _ in sorted(made.rows(), key=lambda row: (row[0], row[1])):
        place = session_by_hand(at, rows)
        if place is None:
            continue
        end = end_by_hand(at, place[0], place[2], timeframe, ZoneInfo(zone), rows)
        if end is not None:
            found[symbol, *end].append((price, size))
    return [
        (symbol, timeframe, session, end, prices[0], max(prices), min(prices), prices[-1], sum(sizes), "test")
        for (symbol, session, end), pairs in found.items()
        for prices, sizes in [tuple(zip(*pairs, strict=True))]
    ]


@settings(max_examples=60)
@given(st.data(), st.sampled_from(sorted(SPANS)))
def test_ticks_make_the_bars_that_a_clerk_would_write_down(data, timeframe):
    market, hours = data.draw(markets())
    zone = MARKETS[market][0]
    made = data.draw(ticks(hours))
    found = bars_from_ticks(made, timeframe, hours, zone=zone, until=LATER)
    assert found.rows() == bars_by_hand(made, timeframe, hours, zone)
    assert tuple(found.columns) == BARS


@settings(max_examples=40)
@given(st.data(), st.sampled_from(SHORT), st.sampled_from(sorted(SPANS)))
def test_bars_made_of_shorter_bars_are_the_bars_made_of_the_ticks(data, short, long):
    if SPANS[long] % SPANS[short]:
        return
    market, hours = data.draw(markets())
    zone = MARKETS[market][0]
    # A tick at the very close is the last of its session; the short bar that holds it closes there too.
    made = data.draw(ticks(hours))
    direct = bars_from_ticks(made, long, hours, zone=zone, until=LATER)
    around = resample(
        bars_from_ticks(made, short, hours, zone=zone, until=LATER), long, hours, zone=zone, until=LATER
    )
    assert around.rows() == direct.rows()


@settings(max_examples=40)
@given(st.data(), st.sampled_from([name for name in SPANS if name != "1m"]))
def test_no_bar_knows_a_tick_that_came_after_its_close(data, timeframe):
    market, hours = data.draw(markets())
    zone = MARKETS[market][0]
    made = data.draw(ticks(hours))
    at = data.draw(st.sampled_from(hours["closes_at"].to_list())) - timedelta(
        minutes=data.draw(st.integers(0, 400))
    )
    whole = bars_from_ticks(made, timeframe, hours, zone=zone, until=LATER)
    early = bars_from_ticks(made.filter(pl.col("at") < at), timeframe, hours, zone=zone, until=at)
    # What closes at the moment itself may still get a tick of that very instant.
    assert early.filter(pl.col("closes_at") < at).rows() == whole.filter(pl.col("closes_at") < at).rows()
    assert (early["closes_at"] <= at).all()


@settings(max_examples=40)
@given(st.data(), st.sampled_from(sorted(SPANS)))
def test_figures_of_bars_hang_together(data, timeframe):
    market, hours = data.draw(markets())
    made = data.draw(ticks(hours))
    bars = bars_from_ticks(made, timeframe, hours, zone=MARKETS[market][0], until=LATER)
    if bars.is_empty():
        return
    assert bars.select(
        (pl.col("low") <= pl.min_horizontal("open", "close")).all()
        & (pl.col("high") >= pl.max_horizontal("open", "close")).all()
        & (pl.col("volume") > 0).all()
    ).item()
    assert bars.select("symbol", "closes_at").is_unique().all()
    closes = dict(hours.select("session", "closes_at").iter_rows())
    assert all(end <= closes[session] for session, end in bars.select("session", "closes_at").iter_rows())


def test_the_hour_that_the_clock_repeats_is_two_hours_and_the_one_it_skips_is_none():
    """A day round the clock in New York: 2021-11-07 has 25 hours, 2021-03-14 has 23."""
    zone = ZoneInfo("America/New_York")
    for day, count in ((date(2021, 11, 7), 25), (date(2021, 3, 14), 23)):
        begin, end = (
            datetime.combine(each, time(0), zone).astimezone(UTC) for each in (day, day + timedelta(days=1))
        )
        hours = pl.DataFrame([("T", day, begin, end, False)], schema=Sessions.schema(), orient="row")
        minutes = [begin + timedelta(minutes=n) for n in range(int((end - begin) / timedelta(minutes=1)))]
        made = pl.DataFrame(
            [("A", at, float(n), 1.0, "test") for n, at in enumerate(minutes)], schema=TICKS, orient="row"
        )
        bars = bars_from_ticks(made, "1h", hours, zone=str(zone), until=LATER)
        assert bars.height == count
        assert bars["volume"].to_list() == [60.0] * count
        assert bars["closes_at"].diff().drop_nulls().unique().to_list() == [timedelta(hours=1)]


QUOTES = pl.DataFrame(
    {
        "symbol": ["E", "E"],
        "at": [datetime(2021, 3, 8, 12, tzinfo=UTC), datetime(2021, 3, 8, 12, 0, 1, tzinfo=UTC)],
        "bid": [1.10, 1.20],
        "ask": [1.14, 1.22],
        "bid_volume": [1.0, 2.0],
        "ask_volume": [5.0, 6.0],
        "source": ["test", "test"],
    }
)


@pytest.mark.parametrize(
    ("side", "prices", "sizes"),
    [("bid", [1.10, 1.20], [1.0, 2.0]), ("ask", [1.14, 1.22], [5.0, 6.0]), ("mid", [1.12, 1.21], [6.0, 8.0])],
)
def test_a_side_of_the_quote_or_their_middle(side, prices, sizes):
    made = quotes_to_ticks(QUOTES, side)
    assert made["price"].to_list() == pytest.approx(prices)
    assert made["size"].to_list() == sizes


def test_a_side_that_no_quote_has_is_refused():
    with pytest.raises(ResamplingError, match="side 'last': choose bid, ask or mid"):
        quotes_to_ticks(QUOTES, "last")


def test_bars_of_two_lengths_in_one_frame_are_refused():
    hours = hours_of("New York", date(2021, 3, 8), set(), set())
    made = pl.DataFrame([("A", hours["opens_at"][0], 1.0, 1.0, "test")], schema=TICKS, orient="row")
    both = [bars_from_ticks(made, timeframe, hours, until=LATER) for timeframe in ("1m", "5m")]
    with pytest.raises(ResamplingError, match="bars of 1m, 5m: give those of one timeframe"):
        resample(pl.concat(both), "1h", hours)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_the_moment_may_be_told_by_any_clock(zone):
    hours = hours_of("Berlin", date(2021, 3, 22), set(), set())
    made = pl.DataFrame([("A", at, 1.0, 1.0, "test") for at in hours["opens_at"]], schema=TICKS, orient="row")
    at = hours["closes_at"][3].astimezone(ZoneInfo(zone))
    bars = bars_from_ticks(made, "1d", hours, zone="Europe/Berlin", until=at)
    assert bars["session"].to_list() == hours["session"].head(4).to_list()
    assert visible(bars, at - timedelta(days=1)).height == 3
    hourly = bars_from_ticks(made, "1h", hours, zone="Europe/Berlin", until=LATER)
    assert resample(hourly, "1d", hours, zone="Europe/Berlin", until=at).equals(bars)


def test_beside_a_bar_of_one_symbol_never_stands_another_symbols():
    hours = hours_of("New York", date(2021, 3, 8), set(), set())
    opens = hours["opens_at"][0]
    rows = [
        (name, opens + timedelta(minutes=n), price, 1.0, "test")
        for name, price, minutes in (("A", 1.0, (0, 61, 125)), ("B", 2.0, (0, 31, 200)))
        for n in minutes
    ]
    made = pl.DataFrame(rows, schema=TICKS, orient="row")
    short, long = (
        bars_from_ticks(made, each, hours, zone="America/New_York", until=LATER) for each in ("1m", "1h")
    )
    both = beside(short, long, "h_")
    price = {"A": 1.0, "B": 2.0}
    for symbol, closes, high, ends in both.select("symbol", "closes_at", "h_high", "h_closes_at").iter_rows():
        known = [at for at in long.filter(symbol=symbol)["closes_at"] if at <= closes]
        assert (high, ends) == ((price[symbol], max(known)) if known else (None, None))
