"""Binance's documented answers through the real client."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from resources.providers.base import BARS, RateLimited, Request, UnknownSymbol, Unsupported
from resources.providers.binance import PAGE, Binance, BinanceSettings

MINUTES = Request(("BTC-USDT",), date(2021, 10, 22), date(2021, 10, 23), "1m")


@pytest.fixture
def binance(quick):
    return Binance(BinanceSettings(**quick))


def test_minute_bars(binance, web, recorded):
    file = recorded / "binance" / "http_spot_market_klines.json"
    web.on("/api/v3/klines", file)
    bars = binance.fetch(MINUTES).bars
    klines = json.loads(file.read_text())
    assert bars.schema == BARS
    assert bars["open"].to_list() == [float(kline[1]) for kline in klines]
    assert bars["close"].to_list() == [float(kline[4]) for kline in klines]
    assert bars["volume"].to_list() == [float(kline[5]) for kline in klines]
    assert bars["closes_at"].dt.epoch("ms").to_list() == [kline[6] + 1 for kline in klines]
    assert web.seen[0].query == {
        "symbol": "BTCUSDT",
        "interval": "1m",
        "startTime": "1634860800000",
        "endTime": "1635033599999",
        "limit": "1000",
    }


def test_long_ranges_come_in_pages(binance, web, reply):
    def serve(seen):
        start, end = int(seen.query["startTime"]), int(seen.query["endTime"])
        times = range(start, min(end, start + PAGE * 60_000), 60_000)
        rows = [[t, "1", "2", "0.5", "1.5", "3", t + 59_999, "0", 1, "0", "0", "0"] for t in times]
        return reply(body=json.dumps(rows).encode())

    web.answer = serve
    bars = binance.fetch(MINUTES).bars
    assert bars.height == 2 * 1440
    assert bars["closes_at"].diff().drop_nulls().unique().to_list() == [timedelta(minutes=1)]
    assert len(web.seen) == 3


def test_a_bar_that_is_still_open_is_left_out(binance, web):
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    opened = [int((today - timedelta(days=ago)).timestamp() * 1000) for ago in (1, 0)]
    web.on("/api/v3/klines", [[at, "1", "2", "0.5", "1.5", "3", at + 86_399_999] for at in opened])
    bars = binance.fetch(Request(("BTCUSDT",), date(2021, 1, 1), today.date() + timedelta(days=1))).bars
    assert bars["session"].to_list() == [(today - timedelta(days=1)).date()]


def test_the_instrument_is_quoted_in_the_second_half_of_the_pair(binance, web, recorded):
    web.on("/api/v3/klines", recorded / "binance" / "http_spot_market_klines.json")
    row = binance.fetch(MINUTES).instruments.row(0, named=True)
    assert (row["symbol"], row["ticker"], row["currency"]) == ("BTC-USDT", "BTCUSDT", "USDT")
    assert (row["asset_class"], row["calendar"]) == ("crypto", "24/7")


def test_pairs_that_trade(binance, web, recorded):
    web.on("/api/v3/exchangeInfo", recorded / "binance" / "http_spot_market_exchange_info.json")
    assert "BTCUSDT" in binance.symbols()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b'{"code":-1121,"msg":"Invalid symbol."}', UnknownSymbol),
        (418, b'{"code":-1003,"msg":"Way too many requests; IP banned until 1634943780000."}', RateLimited),
        (451, b'{"code":0,"msg":"Service unavailable from a restricted location."}', Unsupported),
    ],
)
def test_its_own_codes(binance, web, reply, status, body, kind):
    web.always(reply(status, body))
    with pytest.raises(kind, match=r"binance: BTC-USDT: .*status"):
        binance.fetch(MINUTES)


def test_several_pairs_in_one_answer(binance, web, recorded):
    web.on("/api/v3/klines", recorded / "binance" / "http_spot_market_klines.json")
    bars = binance.fetch(Request(("BTC-USDT", "BTCUSDT"), MINUTES.first, MINUTES.last, "1m")).bars
    heights = bars.group_by("symbol").len().get_column("len")
    assert heights.to_list() == [bars.height // 2] * 2
    assert bars.filter(pl.col("source") != "binance").is_empty()


def test_a_week_belongs_to_the_session_it_ends_in(binance, web):
    monday = int(datetime(2021, 10, 18, tzinfo=UTC).timestamp() * 1000)
    web.on("/api/v3/klines", [[monday, "1", "2", "0.5", "1.5", "3", monday + 7 * 86_400_000 - 1]])
    bars = binance.fetch(Request(("BTCUSDT",), date(2021, 10, 24), date(2021, 10, 24), "1w")).bars
    assert bars.select("session", "closes_at").rows() == [
        (date(2021, 10, 24), datetime(2021, 10, 25, tzinfo=UTC))
    ]
    assert int(web.seen[0].query["startTime"]) == monday


def test_the_order_book_of_a_pair(binance, web, recorded):
    web.on("/api/v3/depth", recorded / "binance" / "http_spot_market_depth.json")
    before = datetime.now(UTC)
    book = binance.depth("BTC-USDT", 5)
    assert web.seen[0].query == {"symbol": "BTCUSDT", "limit": "5"}
    assert book.group_by("side").len().sort("side").rows() == [("ask", 5), ("bid", 5)]
    assert set(book["symbol"]) == {"BTC-USDT"}
    assert before <= book["quoted_at"][0] <= datetime.now(UTC)
