"""Cboe's real answers through the real client."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime

import polars as pl
import pytest

from delta.contracts import OptionQuotes
from resources.providers.base import BARS, MalformedAnswer, NoData, Request, UnknownSymbol
from resources.providers.cboe import Cboe, CboeSettings
from trading.option_symbols import canonical

CHAIN = "/api/global/delayed_quotes/options/AAPL.json"


@pytest.fixture
def cboe(web, quick, recorded):
    folder = recorded / "cboe"
    web.on(CHAIN, folder / "api_global_delayed_quotes_options_AAPL_json.json.gz")
    web.on("/api/global/delayed_quotes/options/CLX.json", folder / "options_CLX.json")
    web.on(
        "/api/global/us_indices/daily_prices/AAVE10RP_History.csv",
        folder / "api_global_us_indices_daily_prices_AAVE10RP_History_csv.csv",
    )
    web.on(
        "/us/options/symboldir/equity-index-options/download",
        folder / "us_options_symboldir_equity_index_options_download.csv.gz",
    )
    return Cboe(CboeSettings(**quick, directory_url=web.url))


def test_a_real_chain_in_the_columns_of_the_table(cboe, recorded):
    chain = cboe.chain("AAPL")
    assert [*chain.schema.items(), ("known_at", OptionQuotes.known_at.dtype)] == list(
        OptionQuotes.schema().items()
    )
    file = recorded / "cboe" / "api_global_delayed_quotes_options_AAPL_json.json.gz"
    given = json.loads(gzip.decompress(file.read_bytes()))
    assert chain["symbol"].to_list() == [canonical(row["option"]) for row in given["data"]["options"]]
    assert set(chain["symbol"].str.len_chars()) == {21}
    row = chain.row(by_predicate=pl.col("symbol") == "AAPL  260821C00335000", named=True)
    assert row == {
        "symbol": "AAPL  260821C00335000",
        "underlying": "AAPL",
        "session": date(2026, 7, 24),
        "quoted_at": datetime(2026, 7, 25, 3, 44, 38, tzinfo=UTC),
        "expiry": date(2026, 8, 21),
        "strike": 335.0,
        "right": "call",
        "multiplier": 100.0,
        "bid": 10.0,
        "ask": 10.25,
        "last": 10.0,
        "volume": 2923.0,
        "open_interest": 9338.0,
        "implied_volatility": 0.2898,
        "delta": 0.5004,
        "gamma": 0.0148,
        "vega": 0.368,
        "theta": -0.1925,
        "underlying_price": 333.8,
        "source": "cboe",
    }


@pytest.mark.parametrize("underlying", ["AAPL", "CLX"])
def test_every_row_of_a_chain_passes_the_table_s_checks(cboe, underlying):
    chain = cboe.chain(underlying)
    for check in OptionQuotes.checks:
        assert chain.filter(~check.holds).is_empty(), check.rule
    required = [name for name, column in OptionQuotes.columns().items() if not column.optional]
    assert sum(chain.select(name for name in required if name != "known_at").null_count().row(0)) == 0
    assert chain["symbol"].is_unique().all()


def test_what_is_not_there_is_null_and_not_zero(cboe):
    row = cboe.chain("CLX").row(by_predicate=pl.col("symbol") == "CLX   260821P00055000", named=True)
    assert (row["bid"], row["ask"], row["implied_volatility"]) == (None, 0.25, 0.9409)
    row = cboe.chain("CLX").row(by_predicate=pl.col("symbol") == "CLX   260821C00055000", named=True)
    assert row["implied_volatility"] is None


def test_a_chain_within_bounds(cboe):
    chain = cboe.chain("AAPL", expiries=[date(2026, 8, 21)], strikes=(330, 340))
    assert set(chain["expiry"]) == {date(2026, 8, 21)}
    assert (chain["strike"].min(), chain["strike"].max()) == (330.0, 340.0)
    assert set(chain["right"]) == {"call", "put"}
    with pytest.raises(NoData, match="widen"):
        cboe.chain("AAPL", strikes=(1e6, 2e6))


def test_an_index_is_asked_for_with_an_underscore(cboe, web, recorded):
    web.on("/api/global/delayed_quotes/options/_VIX.json", recorded / "cboe" / "options_CLX.json")
    assert cboe.chain("VIX")["underlying"].unique().to_list() == ["VIX"]


def test_levels_of_an_index_with_one_value(cboe):
    request = Request(("AAVE10RP",), date(2021, 11, 22), date(2021, 11, 24))
    answer = cboe.fetch(request)
    assert answer.bars.schema == BARS
    assert answer.bars["close"].to_list() == [269.5524, 263.6377, 253.1652]
    assert answer.bars["open"].to_list() == answer.bars["close"].to_list()
    assert answer.bars["closes_at"].to_list()[0] == datetime(2021, 11, 22, 21, tzinfo=UTC)
    assert answer.instruments["asset_class"].to_list() == ["index"]


def test_levels_of_an_index_with_four_values(cboe, web):
    table = (
        b"DATE,OPEN,HIGH,LOW,CLOSE\n01/02/1990,17.24,17.25,17.20,17.24\n01/03/1990,18.19,18.20,18.18,18.19\n"
    )
    web.on("/api/global/us_indices/daily_prices/VIX_History.csv", table)
    bars = cboe.fetch(Request(("VIX",), date(1990, 1, 1), date(1990, 1, 31))).bars
    assert bars.select("open", "high", "low", "close").rows() == [
        (17.24, 17.25, 17.2, 17.24),
        (18.19, 18.2, 18.18, 18.19),
    ]


def test_underlyings(cboe):
    symbols = cboe.symbols()
    assert {"AAPL", "SVIX", "FLWS"} <= set(symbols)
    assert symbols == sorted(symbols)


def test_a_name_that_the_store_does_not_have(cboe, web, reply):
    web.always(reply(403, b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"))
    with pytest.raises(UnknownSymbol, match="cboe: NIX"):
        cboe.chain("NIX")


def test_a_chain_with_an_unreadable_symbol(cboe, web):
    numbers = ("bid", "ask", "bid_size", "ask_size", "volume", "open_interest", "iv", "last_trade_price")
    row = dict.fromkeys((*numbers, "delta", "gamma", "vega", "theta"), 0.0)
    web.on(
        CHAIN,
        {
            "timestamp": "2026-07-25 03:44:38",
            "data": {"current_price": 1, "options": [row | {"option": "WHAT"}]},
        },
    )
    with pytest.raises(MalformedAnswer, match="'WHAT' is no option symbol"):
        cboe.chain("AAPL")
