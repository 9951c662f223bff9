"""Dukascopy's real files and JSON answers through the real client, against decoded rows."""

from __future__ import annotations

import json
import lzma
import struct
import threading
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate

import numpy as np
import polars as pl
import pytest

from resources.providers.base import BARS, MalformedAnswer, NoData, Request, UnknownSymbol, Unsupported
from resources.providers.dukascopy import Dukascopy, DukascopySettings

DAY = date(2019, 2, 4)


@pytest.fixture
def folder(shared_data):
    return shared_data / "dukascopy"


@pytest.fixture
def tree(web, folder):
    """The server's own tree of binary files."""
    for file in (folder / "datafeed").rglob("*.bi5"):
        web.on("/" + str(file.relative_to(folder)), file)
    return web


@pytest.fixture
def answers(web, folder):
    """The answers of the JSON service at their addresses."""
    for file in (folder / "jetta_json").glob("candles-*.json"):
        _, span, base, quote, side, *when = file.stem.removesuffix("-empty").split("-")
        web.on(f"/v1/candles/{span}/{base}-{quote}/{side}/{'/'.join(when)}", file)
    web.on("/v1/ticks/EUR-USD/2026/7/13/12", folder / "jetta_json" / "ticks-EUR-USD-2026-7-13-12.json")
    return web


@pytest.fixture
def provider(web, quick):
    def make(**settings):
        return Dukascopy(DukascopySettings(**quick, json_url=web.url, **settings))

    return make


def decoded(folder, name, start):
    """Expected candles of a file: starts_at, open, high, low, close and volume, without fillers."""
    rows = json.loads((folder / "expected" / name).read_text())["rows"]
    return [
        (start + timedelta(seconds=seconds), o / 1e5, h / 1e5, low / 1e5, c / 1e5, volume * 1e6)
        for seconds, o, c, low, h, volume in rows
        if volume > 0
    ]


@pytest.mark.parametrize(
    ("timeframe", "name", "first", "last", "start"),
    [
        ("1m", "eurusd_m1.json", DAY, DAY, datetime(2019, 2, 4, tzinfo=UTC)),
        ("1h", "eurusd_h1.json", date(2019, 2, 1), date(2019, 2, 28), datetime(2019, 2, 1, tzinfo=UTC)),
        ("1d", "eurusd_d1.json", date(2019, 1, 1), date(2019, 12, 31), datetime(2019, 1, 1, tzinfo=UTC)),
    ],
)
def test_candles_equal_the_decoded_files(tree, provider, folder, timeframe, name, first, last, start):
    dukascopy = provider(service="files", fold_sundays=False)
    bars = dukascopy.fetch(Request(("EURUSD",), first, last, timeframe)).bars
    span = {"1m": timedelta(minutes=1), "1h": timedelta(hours=1), "1d": timedelta(days=1)}[timeframe]
    given = bars.select(pl.col("closes_at") - span, "open", "high", "low", "close", "volume").rows()
    assert bars.schema == BARS
    assert given == decoded(folder, name, start)


def test_flat_fillers_are_dropped(tree, provider, folder):
    rows = json.loads((folder / "expected" / "eurusd_d1.json").read_text())["rows"]
    fillers = sum(volume == 0 for *_, volume in rows)
    year = Request(("EURUSD",), date(2019, 1, 1), date(2019, 12, 31))
    assert fillers > 40
    assert provider(service="files", fold_sundays=False).fetch(year).bars.height == len(rows) - fillers


def test_sunday_evening_belongs_to_monday(tree, provider):
    week = Request(("EURUSD",), date(2019, 1, 7), date(2019, 1, 7))
    row = provider(service="files").fetch(week).bars.row(0, named=True)
    assert (row["session"], row["closes_at"]) == (date(2019, 1, 7), datetime(2019, 1, 8, tzinfo=UTC))
    assert (row["open"], row["low"], row["close"]) == (1.13955, 1.13954, 1.14789)
    assert row["volume"] == pytest.approx((12460.9501953125 + 362818.625) * 1e6)


def test_ticks_of_a_day(tree, provider, folder):
    ticks = provider(service="files").ticks("EURUSD", DAY)
    assert ticks["at"].is_sorted()
    assert ticks["at"].dt.date().unique().to_list() == [DAY]
    assert ticks["at"].dt.hour().n_unique() == 24
    assert (ticks["ask"] >= ticks["bid"]).all()
    minutes = ticks.group_by_dynamic("at", every="1m").agg(
        pl.col("bid").first().alias("o"),
        pl.col("bid").max().alias("h"),
        pl.col("bid").min().alias("l"),
        pl.col("bid").last().alias("c"),
        pl.col("bid_volume").sum().alias("v"),
    )
    candles = decoded(folder, "eurusd_m1.json", datetime(2019, 2, 4, tzinfo=UTC))
    assert [row[:5] for row in minutes.rows()] == [row[:5] for row in candles]
    assert minutes["v"].to_numpy() == pytest.approx(np.array([row[5] for row in candles]), rel=1e-4)


def test_an_hour_without_ticks_is_an_empty_file(tree, provider):
    tree.on("/datafeed/EURUSD/2019/01/04/03h_ticks.bi5", b"")
    assert 3 not in provider(service="files").ticks("EURUSD", DAY)["at"].dt.hour().to_list()


@pytest.mark.parametrize(
    ("symbol", "first", "last", "timeframe", "name"),
    [
        ("BTCUSD", date(2022, 1, 1), date(2022, 12, 31), "1d", "candles-day-BTC-USD-BID-2022"),
        ("BTC/USD", date(2023, 1, 1), date(2023, 1, 31), "1h", "candles-hour-BTC-USD-BID-2023-1"),
        ("EUR-USD", date(2026, 7, 10), date(2026, 7, 10), "1m", "candles-minute-EUR-USD-BID-2026-7-10"),
    ],
)
def test_json_candles(answers, provider, folder, monkeypatch, symbol, first, last, timeframe, name):
    monkeypatch.setattr("resources.providers._frames.now", lambda: datetime(2026, 9, 1, tzinfo=UTC))
    document = json.loads((folder / "jetta_json" / f"{name}.json").read_text())
    bars = provider(service="json").fetch(Request((symbol,), first, last, timeframe)).bars
    digits = round(-np.log10(document["multiplier"]))
    for column in ("open", "high", "low", "close"):
        steps = accumulate(document[f"{column}s"])
        expected = [round(document[column] + step * document["multiplier"], digits) for step in steps]
        assert bars[column].to_list() == expected, column
    starts = [document["timestamp"] + step * document["shift"] for step in accumulate(document["times"])]
    assert (bars["closes_at"].dt.epoch("ms") - document["shift"]).to_list() == starts
    assert bars["volume"].to_list() == pytest.approx([volume * 1e6 for volume in document["volumes"]])
    assert (bars["low"] <= bars["open"]).all()
    assert (bars["high"] >= bars["close"]).all()


def test_json_ticks(answers, provider, folder, monkeypatch):
    monkeypatch.setattr("resources.providers._frames.now", lambda: datetime(2026, 9, 1, tzinfo=UTC))
    document = json.loads((folder / "jetta_json" / "ticks-EUR-USD-2026-7-13-12.json").read_text())
    ticks = provider(service="json").ticks("EURUSD", date(2026, 7, 13))
    times = [document["timestamp"] + step for step in accumulate(document["times"])]
    assert ticks["at"].dt.epoch("ms").to_list() == times
    asks = [round(document["ask"] + step * 1e-5, 5) for step in accumulate(document["asks"])]
    assert ticks["ask"].to_list() == asks
    assert ticks["ask_volume"].to_list() == document["askVolumes"]
    assert (ticks["ask"] >= ticks["bid"]).all()


def test_the_files_stand_in_for_the_json_service(tree, provider, folder):
    bars = provider(service="both").fetch(Request(("EURUSD",), DAY, DAY, "1m")).bars
    assert bars.height == len(decoded(folder, "eurusd_m1.json", datetime(2019, 2, 4, tzinfo=UTC)))
    assert {seen.path for seen in tree.seen} == {
        "/v1/candles/minute/EUR-USD/BID/2019/2/3",
        "/v1/candles/minute/EUR-USD/BID/2019/2/4",
        "/datafeed/EURUSD/2019/01/03/BID_candles_min_1.bi5",
        "/datafeed/EURUSD/2019/01/04/BID_candles_min_1.bi5",
    }


def test_the_period_under_way_is_asked_for_without_its_date(web, provider):
    now = datetime.now(UTC)
    document = {"timestamp": int((now - timedelta(hours=2)).timestamp() * 1000) // 3_600_000 * 3_600_000}
    document |= {"multiplier": 1e-5, "shift": 3_600_000, "open": 1.1, "high": 1.2, "low": 1.0, "close": 1.1}
    document |= {name: [0, 0, 0] for name in ("opens", "highs", "lows", "closes")}
    document |= {"times": [0, 1, 1], "volumes": [1.0, 1.0, 1.0]}
    web.on("/v1/candles/hour/ETH-USD/BID", document)
    bars = (
        provider(service="json").fetch(Request(("ETHUSD",), now.date() - timedelta(1), now.date(), "1h")).bars
    )
    assert bars.height == 2
    assert bars["closes_at"].max() <= now


def test_longer_bars_are_made_of_minutes(tree, provider):
    dukascopy = provider(service="files")
    minutes = dukascopy.fetch(Request(("EURUSD",), DAY, DAY, "1m")).bars
    quarters = dukascopy.fetch(Request(("EURUSD",), DAY, DAY, "15m")).bars
    assert quarters.height == 96
    first = minutes.filter(pl.col("closes_at") <= quarters["closes_at"][0])
    assert quarters["closes_at"][0] == datetime(2019, 2, 4, 0, 15, tzinfo=UTC)
    assert quarters.select("open", "high", "low", "close").row(0) == (
        first["open"][0],
        first["high"].max(),
        first["low"].min(),
        first["close"][-1],
    )
    assert quarters["volume"].sum() == pytest.approx(minutes["volume"].sum())


def test_yen_and_metals_have_three_decimals(web, provider):
    record = struct.pack(">5If", 0, 109_500, 109_600, 109_400, 109_700, 1.5)
    file = lzma.compress(record, format=lzma.FORMAT_ALONE)
    for pair in ("USDJPY", "XAUUSD"):
        web.on(f"/datafeed/{pair}/2019/01/04/BID_candles_min_1.bi5", file)
        bars = provider(service="files").fetch(Request((pair,), DAY, DAY, "1m")).bars
        assert bars.select("open", "high", "low", "close", "volume").row(0) == (
            109.5,
            109.7,
            109.4,
            109.6,
            1.5e6,
        )


def test_an_unknown_price_scale_is_refused_and_can_be_set(web, provider):
    record = struct.pack(">5If", 0, 38_000, 38_000, 38_000, 38_000, 1.0)
    web.on(
        "/datafeed/BTCUSD/2019/01/04/BID_candles_min_1.bi5", lzma.compress(record, format=lzma.FORMAT_ALONE)
    )
    asked = Request(("BTCUSD",), DAY, DAY, "1m")
    with pytest.raises(Unsupported, match="set divisors"):
        provider(service="files").fetch(asked)
    assert provider(service="files", divisors={"BTCUSD": 10}).fetch(asked).bars["open"].to_list() == [3800.0]


@pytest.mark.parametrize(
    "body", [b"no LZMA at all", b"]\x00\x00\x80\x00", lzma.compress(b"123", format=lzma.FORMAT_ALONE)]
)
def test_a_broken_file_is_malformed(web, provider, body):
    web.on("/datafeed/EURUSD/2019/01/04/BID_candles_min_1.bi5", body)
    with pytest.raises(MalformedAnswer, match=r"dukascopy: EURUSD: .*BID_candles_min_1.bi5"):
        provider(service="files").fetch(Request(("EURUSD",), DAY, DAY, "1m"))


def test_a_truncated_file_is_malformed(tree, provider, folder):
    path = "/datafeed/EURUSD/2019/01/04/BID_candles_min_1.bi5"
    tree.on(path, (folder / path[1:]).read_bytes()[:5000])
    with pytest.raises(MalformedAnswer, match="LZMA"):
        provider(service="files").fetch(Request(("EURUSD",), DAY, DAY, "1m"))


def test_nothing_anywhere(web, answers, provider, monkeypatch):
    with pytest.raises(UnknownSymbol, match="dukascopy: AAABBB: neither service has it"):
        provider().fetch(Request(("AAABBB",), DAY, DAY, "1m"))
    with pytest.raises(UnknownSymbol, match="write EUR-USD"):
        provider().fetch(Request(("APPLE",), DAY, DAY, "1m"))
    monkeypatch.setattr("resources.providers._frames.now", lambda: datetime(2026, 9, 1, tzinfo=UTC))
    with pytest.raises(NoData, match="no 1m bars from 2026-07-11"):
        provider().fetch(Request(("EURUSD",), date(2026, 7, 11), date(2026, 7, 11), "1m"))


def test_at_most_four_requests_at_once(tree, provider):
    under_way, most, lock, serve = 0, 0, threading.Lock(), tree.reply

    def counted(seen):
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        threading.Event().wait(0.01)
        with lock:
            under_way -= 1
        return serve(seen)

    tree.reply = counted
    provider(service="files").ticks("EURUSD", DAY)
    assert 1 < most <= 4


def test_codes_of_the_json_service(web, provider, folder):
    rows = [
        json.loads((folder / "jetta_json" / f"instrument-{code}.json").read_text())
        for code in ("EUR-USD", "BTC-USD")
    ]
    web.on("/v1/instruments", {"instruments": rows, "groups": []})
    assert provider().symbols() == ["BTC-USD", "EUR-USD"]
