"""Tiingo's real answers through the real client."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from resources.providers.base import (
    BARS,
    CORPORATE_ACTIONS,
    INSTRUMENTS,
    MalformedAnswer,
    NoData,
    Request,
    UnknownSymbol,
)
from resources.providers.tiingo import Tiingo, TiingoSettings
from resources.raw_answers import local_raw_answers

WEEK = Request(("GOOGL",), date(2018, 1, 5), date(2018, 1, 19))


@pytest.fixture
def tiingo(web, quick, recorded, monkeypatch):
    monkeypatch.setenv("TIINGO_API_KEY", "0123456789abcdef")
    folder = recorded / "tiingo"
    web.on("/tiingo/daily/GOOGL", folder / "ticker_metadata_0.json")
    web.on("/tiingo/daily/GOOGL/prices", folder / "ticker_price_pandas_daily_metric_name_0.json")
    web.on("/tiingo/daily/GOOGL/prices", folder / "ticker_price_weekly_0.json", resampleFreq="weekly")
    web.on("/iex/GOOGL/prices", folder / "intraday_price_0.json")
    web.on("/tiingo/crypto/prices", folder / "crypto_price_history_0.json")
    web.on("/tiingo/fundamentals/GOOGL/daily", folder / "fundamentals_daily_0.json")
    web.on("/docs/tiingo/daily/supported_tickers.zip", folder / "list_all_tickers_0.bin")
    return Tiingo(TiingoSettings(**quick, tickers_url=web.url.replace("127.0.0.1", "localhost")))


def test_daily_bars_are_raw_and_end_with_the_session(tiingo, web):
    answer = tiingo.fetch(WEEK)
    assert answer.bars.schema == BARS
    assert answer.bars["session"].to_list()[::9] == [date(2018, 1, 5), date(2018, 1, 19)]
    first = answer.bars.row(0, named=True)
    assert first == {
        "symbol": "GOOGL",
        "timeframe": "1d",
        "session": date(2018, 1, 5),
        "closes_at": datetime(2018, 1, 5, 21, tzinfo=UTC),
        "open": 1103.45,
        "high": 1113.58,
        "low": 1101.8,
        "close": 1110.29,
        "volume": 1493389.0,
        "source": "tiingo",
    }
    prices = next(seen for seen in web.seen if seen.path.endswith("/prices"))
    assert (prices.query["startDate"], prices.query["endDate"]) == ("2018-01-05", "2018-01-19")
    assert prices.headers["authorization"] == "Token 0123456789abcdef"


def test_the_listing_says_until_when_prices_ran(tiingo):
    instruments = tiingo.fetch(WEEK).instruments
    assert instruments.schema == INSTRUMENTS
    row = instruments.row(0, named=True)
    assert (row["valid_from"], row["valid_to"]) == (date(2004, 8, 19), date(2017, 10, 6))
    assert row["exchange"] == "NASDAQ"


def test_dividends_and_splits_come_from_the_rows(tiingo, web):
    row = {"open": 1.0, "high": 2.0, "low": 1.0, "close": 2.0, "volume": 10}
    web.on(
        "/tiingo/daily/GOOGL/prices",
        [
            row | {"date": "2018-01-05T00:00:00.000Z", "divCash": 0.25, "splitFactor": 1.0},
            row | {"date": "2018-01-08T00:00:00.000Z", "divCash": 0.0, "splitFactor": 4.0},
            row | {"date": "2018-01-09T00:00:00.000Z", "divCash": 0.5, "splitFactor": 0.1},
        ],
    )
    actions = tiingo.fetch(WEEK).corporate_actions
    assert actions.schema == CORPORATE_ACTIONS
    assert set(actions.select("ex_date", "action", "value").iter_rows()) == {
        (date(2018, 1, 5), "cash_dividend", 0.25),
        (date(2018, 1, 8), "split", 4.0),
        (date(2018, 1, 9), "cash_dividend", 0.5),
        (date(2018, 1, 9), "split", 0.1),
    }


def test_weekly_bars(tiingo):
    bars = tiingo.fetch(Request(("GOOGL",), date(2018, 1, 5), date(2018, 1, 19), "1w")).bars
    assert bars["session"].to_list() == [date(2018, 1, 5), date(2018, 1, 12), date(2018, 1, 19)]
    assert bars["timeframe"].unique().to_list() == ["1w"]


def test_intraday_bars_are_stamped_with_their_close(tiingo):
    bars = tiingo.fetch(Request(("GOOGL",), date(2018, 1, 2), date(2018, 1, 2), "30m")).bars
    assert bars["closes_at"].to_list()[0] == datetime(2018, 1, 2, 15, tzinfo=UTC)
    assert bars["closes_at"].to_list()[-1] == datetime(2018, 1, 2, 21, tzinfo=UTC)
    assert bars.height == 13
    assert bars["session"].unique().to_list() == [date(2018, 1, 2)]


def test_crypto_pairs(tiingo, web):
    answer = tiingo.fetch(Request(("BTC-USD",), date(2019, 5, 1), date(2019, 5, 2)))
    assert web.seen[-1].query["tickers"] == "btcusd"
    assert answer.bars["close"].to_list() == [5420.0896708474575, 5545.697488248552]
    assert answer.bars["closes_at"].to_list()[1] == datetime(2019, 5, 3, tzinfo=UTC)
    assert answer.instruments["currency"].to_list() == ["USD"]
    assert answer.instruments["asset_class"].to_list() == ["crypto"]


def test_market_capitalisation_by_date(tiingo):
    caps = tiingo.market_caps("GOOGL", date(2020, 1, 1), date(2020, 4, 1))
    assert caps.row(0) == ("GOOGL", date(2019, 12, 31), pytest.approx(923760472316.11))
    assert caps.height == 64
    assert caps.schema == {"symbol": pl.String, "session": pl.Date, "market_cap": pl.Float64}


def test_the_list_of_tickers_is_fetched_without_the_key(tiingo, web):
    symbols = tiingo.symbols()
    assert "GOOGL" in symbols
    assert symbols == sorted(symbols)
    assert "authorization" not in web.seen[-1].headers


def test_an_empty_range_is_no_data(tiingo, web):
    web.on("/tiingo/daily/GOOGL/prices", [])
    with pytest.raises(NoData, match=r"tiingo: GOOGL: no 1d bars from 2018-01-05 to 2018-01-19"):
        tiingo.fetch(WEEK)


def test_a_pair_that_does_not_exist(tiingo, web):
    web.on("/tiingo/crypto/prices", [])
    with pytest.raises(UnknownSymbol, match="NIL-USD"):
        tiingo.fetch(Request(("NIL-USD",), date(2019, 5, 1), date(2019, 5, 2)))


@pytest.mark.parametrize("cut", [0, 1, 40, 1000])
def test_a_list_of_tickers_that_is_no_whole_archive_is_malformed(tiingo, web, recorded, cut):
    whole = (recorded / "tiingo" / "list_all_tickers_0.bin").read_bytes()
    web.on("/docs/tiingo/daily/supported_tickers.zip", whole[:cut])
    with pytest.raises(MalformedAnswer, match=r"^tiingo: "):
        tiingo.symbols()


def test_a_list_of_tickers_with_a_damaged_entry_is_malformed(tiingo, web, recorded):
    whole = bytearray((recorded / "tiingo" / "list_all_tickers_0.bin").read_bytes())
    whole[200:260] = bytes(60)
    web.on("/docs/tiingo/daily/supported_tickers.zip", bytes(whole))
    with pytest.raises(MalformedAnswer, match=r"^tiingo: "):
        tiingo.symbols()


def test_a_listing_that_cannot_be_read_is_not_kept_for_the_next_time(tiingo, web, tmp_path, recorded):
    """The raw answer is marked, so that the service is asked again once it is well."""
    tiingo.keep_answers(local_raw_answers(tmp_path))
    web.on("/tiingo/daily/GOOGL", {"ticker": "GOOGL", "startDate": None, "endDate": None})
    with pytest.raises(MalformedAnswer, match=r"tiingo: GOOGL: .*startDate|tiingo: GOOGL: .*NoneType"):
        tiingo.fetch(WEEK)
    web.on("/tiingo/daily/GOOGL", recorded / "tiingo" / "ticker_metadata_0.json")
    assert tiingo.fetch(WEEK).instruments["valid_from"].to_list() == [date(2004, 8, 19)]
