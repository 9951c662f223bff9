"""Yahoo through yfinance against a local server; the way back to raw prices also without the package."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import count

import pandas as pd
import polars as pl
import pytest

from resources.providers.base import (
    BARS,
    MalformedAnswer,
    NoData,
    ProviderError,
    RateLimited,
    Request,
    UnknownSymbol,
    Unreachable,
    Unsupported,
)
from resources.providers.yahoo import Yahoo, YahooSettings, parse_actions, parse_history, unadjusted
from resources.raw_answers import local_raw_answers

DAYS = [date(2020, 8, 27), date(2020, 8, 28), date(2020, 8, 31), date(2020, 9, 1)]
META = {"symbol": "AAPL", "currency": "USD", "exchangeName": "NMS", "instrumentType": "EQUITY"}
names = (f"TEST{n}" for n in count())


def days(**columns):
    base = {"open": [125.0, 126.0, 127.58, 132.76], "volume": [100.0, 200.0, 300.0, 400.0]}
    base |= dict.fromkeys(("high", "low", "close"), base["open"])
    base |= {"dividend": [0.0] * 4, "split": [0.0, 0.0, 4.0, 0.0]}
    return pl.DataFrame({"session": DAYS} | base | columns)


def test_prices_and_volumes_go_back_to_what_was_traded():
    raw = unadjusted(days(), days())
    assert raw["open"].to_list() == [500.0, 504.0, 127.58, 132.76]
    assert raw["volume"].to_list() == [25.0, 50.0, 300.0, 400.0]


def test_several_splits_multiply():
    table = days(split=[0.0, 7.0, 0.0, 4.0])
    assert unadjusted(table, table)["close"].to_list() == [3500.0, 504.0, 510.32, 132.76]


def test_a_reverse_split_goes_the_other_way():
    table = days(split=[0.0, 0.0, 0.0, 0.1])
    assert unadjusted(table, table)["close"].to_list() == [12.5, 12.6, 12.758, 132.76]


def test_without_splits_nothing_changes():
    table = days(split=[0.0, 1.0, 0.0, 0.0])
    assert unadjusted(table, table)["close"].to_list() == table["close"].to_list()


def test_splits_after_the_range_count_too():
    table = days()
    assert unadjusted(table.head(1), table)["close"].to_list() == [500.0]


def test_dividends_as_they_were_paid_within_the_range():
    table = days(dividend=[0.205, 0.0, 0.0, 0.21])
    actions = parse_actions(table, "AAPL", Request(("AAPL",), DAYS[0], DAYS[2]), META)
    assert actions.select("ex_date", "action", "value", "currency").rows() == [
        (DAYS[0], "cash_dividend", 0.82, "USD"),
        (DAYS[2], "split", 4.0, "USD"),
    ]


def test_pence_become_pounds():
    table = days(split=[0.0] * 4, dividend=[0.0, 5.0, 0.0, 0.0])
    assert unadjusted(table, table, 100.0)["open"].to_list() == [1.25, 1.26, 1.2758, 1.3276]
    paid = parse_actions(
        table, "VOD.L", Request(("VOD.L",), DAYS[0], DAYS[3]), META | {"currency": "GBp"}, 100.0
    )
    assert paid.select("value", "currency").rows() == [(0.05, "GBP")]


def test_rows_of_the_package_s_frame():
    index = pd.DatetimeIndex(["2020-08-27", "2020-08-28"], tz="America/New_York")
    columns = {name: [1.0, float("nan")] for name in ("Open", "High", "Low", "Close", "Adj Close")}
    frame = pd.DataFrame(
        columns | {"Volume": [5, 0], "Dividends": [0.0, 0.0], "Stock Splits": [0.0, 0.0]}, index
    )
    rows = parse_history(frame)
    assert rows.select("starts_at", "session", "close", "volume").rows() == [
        (datetime(2020, 8, 27, 4, tzinfo=UTC), date(2020, 8, 27), 1.0, 5.0)
    ]


def test_without_the_package_the_extra_is_named(quick, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "yfinance", None)
    with pytest.raises(Unsupported, match=r"yfinance is not installed; .*deltadesk\[yahoo\]"):
        Yahoo(YahooSettings(**quick)).fetch(Request(("AAPL",), DAYS[0], DAYS[-1]))


def chart(symbol, sessions=DAYS, hour=13, minute=30, **meta):
    stamps = [int(datetime(d.year, d.month, d.day, hour, minute, tzinfo=UTC).timestamp()) for d in sessions]
    prices = [125.0, 126.0, 127.58, 132.76][: len(sessions)]
    period = {"timezone": "EDT", "start": stamps[-1], "end": stamps[-1] + 23400, "gmtoffset": -14400}
    described = META | {
        "symbol": symbol,
        "fullExchangeName": "NasdaqGS",
        "firstTradeDate": 345479400,
        "regularMarketTime": stamps[-1],
        "gmtoffset": -14400,
        "timezone": "EDT",
        "exchangeTimezoneName": "America/New_York",
        "currentTradingPeriod": dict.fromkeys(("pre", "regular", "post"), period),
        "dataGranularity": "1d",
        "range": "",
        "validRanges": ["1d", "max"],
    }
    result = {
        "meta": described | meta,
        "timestamp": stamps,
        "events": {
            "dividends": {str(stamps[0]): {"amount": 0.205, "date": stamps[0]}},
            "splits": {
                str(stamps[2]): {"date": stamps[2], "numerator": 4.0, "denominator": 1.0, "splitRatio": "4:1"}
            },
        },
        "indicators": {
            "quote": [
                dict.fromkeys(("open", "high", "low", "close"), prices) | {"volume": [100, 200, 300, 400]}
            ],
            "adjclose": [{"adjclose": prices}],
        },
    }
    return {"chart": {"result": [result], "error": None}}


@pytest.fixture
def yahoo(web, quick, tmp_path):
    package = pytest.importorskip("yfinance", reason="the extra yahoo is not installed")
    package.set_tz_cache_location(str(tmp_path / "cache"))
    return Yahoo(YahooSettings(**quick))


@pytest.fixture
def symbol():
    """A symbol of its own for each test: the package remembers answers by address."""
    return next(names)


def test_raw_days_with_splits_dividends_and_the_listing(yahoo, web, symbol, tmp_path):
    store = local_raw_answers(tmp_path / "lake")
    yahoo.keep_answers(store)
    web.on(f"/v8/finance/chart/{symbol}", chart(symbol))
    answer = yahoo.fetch(Request((symbol,), DAYS[0], DAYS[2]))
    assert answer.bars.schema == BARS
    assert answer.bars.select("session", "close", "volume").rows() == [
        (DAYS[0], 500.0, 25.0),
        (DAYS[1], 504.0, 50.0),
        (DAYS[2], 127.58, 300.0),
    ]
    assert answer.bars["closes_at"].to_list()[0] == datetime(2020, 8, 27, 20, tzinfo=UTC)
    assert answer.corporate_actions.select("ex_date", "action", "value").rows() == [
        (DAYS[0], "cash_dividend", 0.82),
        (DAYS[2], "split", 4.0),
    ]
    listing = answer.instruments.row(0, named=True)
    assert (listing["calendar"], listing["asset_class"], listing["valid_from"]) == (
        "XNYS",
        "stock",
        date(1980, 12, 12),
    )
    kept = list(store.replay("yahoo"))
    assert {answer.request.url for answer in kept} == {
        f"https://query2.finance.yahoo.com/v8/finance/chart/{symbol}"
    }
    assert all("crumb" not in answer.request.parameters for answer in kept)


def test_another_exchange_needs_its_calendar(yahoo, web, symbol, quick):
    web.on(f"/v8/finance/chart/{symbol}", chart(symbol, exchangeName="XYZ"))
    asked = Request((symbol,), DAYS[0], DAYS[2])
    with pytest.raises(Unsupported, match="XYZ; set calendars"):
        yahoo.fetch(asked)
    assert Yahoo(YahooSettings(**quick, calendars={"XYZ": "XNYS"})).fetch(asked).bars.height == 3


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, b"Too Many Requests", RateLimited),
        (
            404,
            b'{"chart":{"result":null,"error":{"code":"Not Found","description":"No data found, '
            b'symbol may be delisted"}}}',
            UnknownSymbol,
        ),
        (200, b"<html>Will be right back</html>", ProviderError),
        (200, b'{"chart": {"result"', MalformedAnswer),
        (500, b"broken", ProviderError),
    ],
    ids=["limited", "unknown", "down", "truncated", "broken"],
)
def test_errors(yahoo, web, reply, symbol, status, body, kind):
    web.always(reply(status, body))
    with pytest.raises(kind, match=f"^yahoo: {symbol}: ") as caught:
        yahoo.fetch(Request((symbol,), DAYS[0], DAYS[2]))
    assert "\n" not in str(caught.value)


def test_an_empty_range(yahoo, web, symbol):
    web.on(f"/v8/finance/chart/{symbol}", chart(symbol))
    with pytest.raises(NoData):
        yahoo.fetch(Request((symbol,), DAYS[-1] + timedelta(days=1), DAYS[-1] + timedelta(days=9)))


def test_nobody_listens(yahoo, quick, symbol):
    with pytest.raises(Unreachable, match="yahoo"):
        Yahoo(YahooSettings(**{**quick, "base_url": "http://127.0.0.1:1", "attempts": 1})).fetch(
            Request((symbol,), DAYS[0], DAYS[2])
        )
