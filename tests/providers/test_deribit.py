"""Deribit's real results, in the envelope that its service puts around them, through the real client."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from delta.contracts import OptionQuotes, Rates
from resources.providers.base import (
    BARS,
    MalformedAnswer,
    NoData,
    ProviderError,
    RateLimited,
    Request,
    UnknownSymbol,
    Unsupported,
)
from resources.providers.deribit import Deribit, DeribitSettings

PUBLIC = "/api/v2/public"
EXPIRY = date(2026, 9, 21)


def envelope(result):
    return {"jsonrpc": "2.0", "result": result, "usIn": 1, "usOut": 2, "usDiff": 1, "testnet": False}


@pytest.fixture
def load(recorded):
    return lambda name: json.loads((recorded / "deribit" / f"{name}.json").read_text())


@pytest.fixture
def deribit(web, quick, load, monkeypatch):
    monkeypatch.setattr("resources.providers._frames.now", lambda: datetime(2026, 9, 21, 12, tzinfo=UTC))
    tickers = load("option_tickers")
    contracts = load("instruments_option")
    web.on(f"{PUBLIC}/get_instruments", envelope(contracts), kind="option")
    web.on(f"{PUBLIC}/get_instruments", envelope(load("instruments_future")), kind="future")
    for name, ticker in tickers.items():
        web.on(f"{PUBLIC}/ticker", envelope(ticker), instrument_name=name)
    web.on(f"{PUBLIC}/get_tradingview_chart_data", envelope(load("tradingview_chart")))
    web.on(f"{PUBLIC}/get_volatility_index_data", envelope(load("volatility_index")))
    return Deribit(DeribitSettings(**quick))


@pytest.fixture
def strikes(load):
    """Strikes for which tickers were recorded."""
    found = {float(name.split("-")[2]) for name in load("option_tickers") if name.startswith("BTC-")}
    return min(found), max(found)


def test_a_real_chain_in_the_columns_of_the_table(deribit, web, strikes, load):
    chain = deribit.chain("BTC", expiries=[EXPIRY], strikes=strikes)
    assert set(chain["symbol"]) == {name for name in load("option_tickers") if name.startswith("BTC-")}
    row = chain.row(by_predicate=pl.col("symbol") == "BTC-21SEP26-68000-C", named=True)
    assert row == {
        "symbol": "BTC-21SEP26-68000-C",
        "underlying": "BTC",
        "session": date(2026, 9, 20),
        "quoted_at": datetime(2026, 9, 20, 21, 25, 17, 455000, tzinfo=UTC),
        "expiry": EXPIRY,
        "strike": 68000.0,
        "right": "call",
        "multiplier": 1.0,
        "bid": pytest.approx(0.1565 * 80809.22),
        "ask": pytest.approx(0.161 * 80809.22),
        "last": None,
        "volume": 0.0,
        "open_interest": 0.0,
        "implied_volatility": pytest.approx(0.6159),
        "delta": 1.0,
        "gamma": 0.0,
        "vega": 0.0,
        "theta": 0.0,
        "underlying_price": 80809.22,
        "source": "deribit",
    }
    assert len(web.seen) == 1 + chain.height


def test_every_quote_passes_the_table_s_checks(deribit, strikes):
    chain = deribit.chain("BTC", expiries=[EXPIRY], strikes=strikes)
    for check in OptionQuotes.checks:
        assert chain.filter(~check.holds).is_empty(), check.rule
    put = chain.row(by_predicate=pl.col("symbol") == "BTC-21SEP26-68000-P", named=True)
    assert put["bid"] is None
    assert put["ask"] == pytest.approx(0.0001 * 80809.22)


def test_linear_options_are_quoted_in_dollars(deribit, web, load):
    tickers = {name: row for name, row in load("option_tickers").items() if name.startswith("XRP_USDC")}
    strikes = [float(name.split("-")[2].replace("d", ".")) for name in tickers]
    chain = deribit.chain("XRP", expiries=[EXPIRY], strikes=(min(strikes), max(strikes)))
    assert web.seen[0].query["currency"] == "USDC"
    assert set(chain["symbol"]) == set(tickers)
    for row in chain.iter_rows(named=True):
        given = tickers[row["symbol"]]
        assert (row["bid"] or 0, row["ask"] or 0) == (given["best_bid_price"], given["best_ask_price"])
        assert row["multiplier"] == 1000.0
        assert row["strike"] in strikes


def test_a_chain_is_bounded(deribit, web, quick):
    with pytest.raises(Unsupported, match="narrow expiries or strikes"):
        Deribit(DeribitSettings(**quick, most_contracts=3)).chain("BTC")
    assert len(web.seen) == 1
    with pytest.raises(NoData, match="widen"):
        deribit.chain("BTC", expiries=[date(2030, 1, 1)])


def test_bars_of_a_future(deribit, web, load):
    answer = deribit.fetch(Request(("BTC-PERPETUAL",), date(2026, 9, 14), date(2026, 9, 21)))
    chart = load("tradingview_chart")
    assert answer.bars.schema == BARS
    for name in ("open", "high", "low", "close", "volume"):
        assert answer.bars[name].to_list() == chart[name], name
    first = answer.bars.row(0, named=True)
    assert (first["session"], first["closes_at"]) == (date(2026, 9, 14), datetime(2026, 9, 14, 8, tzinfo=UTC))
    assert web.seen[0].query["resolution"] == "1D"
    assert web.seen[0].query["start_timestamp"] == str(chart["ticks"][0] - 8 * 3_600_000)


def test_long_ranges_come_in_pages(deribit, web):
    web.on(f"{PUBLIC}/get_tradingview_chart_data", envelope({"status": "no_data"}))
    with pytest.raises(NoData):
        deribit.fetch(Request(("BTC-PERPETUAL",), date(2026, 9, 1), date(2026, 9, 8), "1m"))
    spans = [(int(seen.query["start_timestamp"]), int(seen.query["end_timestamp"])) for seen in web.seen]
    assert [start for start, _ in spans[1:]] == [end + 1 for _, end in spans[:-1]]
    assert len(spans) == 3


def test_the_volatility_index_by_day(deribit, load):
    rates = deribit.volatility(["BTC"], date(2026, 9, 14), date(2026, 9, 20))
    assert [*rates.schema.items(), ("known_at", Rates.known_at.dtype)] == list(Rates.schema().items())
    closes = {}
    for at, *_, close in load("volatility_index")["data"]:
        closes[datetime.fromtimestamp(at / 1000, UTC).date()] = close
    days = [date(2026, 9, 14) + timedelta(days=n) for n in range(7)]
    assert rates.rows() == [("BTC_DVOL", day, closes[day], "deribit") for day in days]


def test_the_volatility_index_in_pages(deribit, web):
    day = 86_400_000
    newer = int(datetime(2026, 9, 15, tzinfo=UTC).timestamp() * 1000)
    web.on(
        f"{PUBLIC}/get_volatility_index_data",
        envelope({"data": [[newer, 1, 1, 1, 2]], "continuation": newer - 1}),
    )
    web.on(
        f"{PUBLIC}/get_volatility_index_data",
        envelope({"data": [[newer - day, 1, 1, 1, 1]], "continuation": None}),
        end_timestamp=str(newer - 1),
    )
    rates = deribit.volatility(["BTC"], date(2026, 9, 14), date(2026, 9, 16))
    assert rates["value"].to_list() == [1.0, 2.0]


def test_futures_that_trade(deribit):
    assert "BTC-PERPETUAL" in deribit.symbols()


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": 13020, "message": "instrument_not_found"}, UnknownSymbol),
        (
            {"code": -32602, "message": "Invalid params", "data": {"reason": "instrument not found"}},
            UnknownSymbol,
        ),
        ({"code": 10028, "message": "too_many_requests"}, RateLimited),
        ({"code": 11050, "message": "bad_request"}, ProviderError),
    ],
)
def test_its_own_errors(deribit, web, reply, status, error, kind):
    web.always(reply(status, json.dumps({"jsonrpc": "2.0", "error": error}).encode()))
    with pytest.raises(kind, match=r"^deribit: NIX-PERPETUAL: "):
        deribit.fetch(Request(("NIX-PERPETUAL",), date(2026, 9, 13), date(2026, 9, 20)))


def test_a_result_without_its_columns(deribit, web):
    web.on(f"{PUBLIC}/get_tradingview_chart_data", envelope({"status": "ok"}))
    with pytest.raises(MalformedAnswer, match="KeyError"):
        deribit.fetch(Request(("BTC-PERPETUAL",), date(2026, 9, 13), date(2026, 9, 20)))
