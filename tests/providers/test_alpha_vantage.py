"""Alpha Vantage's answers through the real client: most of its errors come with status 200."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest

from resources.providers.alpha_vantage import AlphaVantage, AlphaVantageSettings, parse_series
from resources.providers.base import (
    BARS,
    BadKey,
    MalformedAnswer,
    NoData,
    RateLimited,
    Request,
    UnknownSymbol,
    Unsupported,
)

DAYS = Request(("IBM",), date(2024, 11, 1), date(2024, 11, 4))


@pytest.fixture
def settings(quick, monkeypatch):
    monkeypatch.setenv("ALPHA_VANTAGE_API_KEY", "QWERTYUIOPASDFGH")
    return AlphaVantageSettings(**quick, requests_per_minute=1000)


def series(name, rows):
    return {"Meta Data": {"1. Information": "..."}, f"Time Series {name}": rows}


def row(first, second, third, fourth, **more):
    return {"1. open": first, "2. high": second, "3. low": third, "4. close": fourth, **more}


def test_real_minutes_in_new_york_time(settings, web, recorded):
    file = recorded / "alphavantage" / "mock_time_series"
    web.on("/query", file)
    provider = AlphaVantage(settings.model_copy(update={"stamp": "end"}))
    bars = provider.fetch(Request(("MSFT",), date(2017, 12, 18), date(2017, 12, 18), "1m")).bars
    rows = json.loads(file.read_text())["Time Series (1min)"]
    assert bars.schema == BARS
    assert bars.height == len(rows)
    last = bars.row(-1, named=True)
    assert last["closes_at"] == datetime(2017, 12, 18, 19, 56, tzinfo=UTC)
    assert (last["open"], last["volume"]) == (86.49, 10494.0)
    assert bars["closes_at"].is_sorted()
    asked = web.seen[0].query
    assert (asked["month"], asked["interval"], asked["adjusted"]) == ("2017-12", "1min", "false")
    assert asked["apikey"] == "QWERTYUIOPASDFGH"


def test_a_bar_stamped_with_its_start_ends_a_step_later(settings, web, recorded):
    web.on("/query", recorded / "alphavantage" / "mock_time_series")
    asked = Request(("MSFT",), date(2017, 12, 18), date(2017, 12, 18), "1m")
    bars = AlphaVantage(settings).fetch(asked).bars
    assert bars["closes_at"].to_list()[-1] == datetime(2017, 12, 18, 19, 57, tzinfo=UTC)


def test_a_range_over_months_is_asked_by_month(settings, web):
    web.on(
        "/query", series("(60min)", {"2024-11-01 10:00:00": row("1", "2", "1", "2", **{"5. volume": "7"})})
    )
    AlphaVantage(settings).fetch(Request(("IBM",), date(2024, 11, 1), date(2025, 2, 1), "1h"))
    assert [seen.query["month"] for seen in web.seen] == ["2024-11", "2024-12", "2025-01", "2025-02"]


def test_daily_bars_of_the_asked_days(settings, web):
    days = {
        f"2024-11-0{day}": row("206.7", "207.5", "205.1", "206.9", **{"5. volume": "2854857"})
        for day in (4, 1)
    }
    web.on("/query", series("(Daily)", days | {"2024-10-31": row("1", "1", "1", "1", **{"5. volume": "1"})}))
    answer = AlphaVantage(settings).fetch(DAYS)
    assert answer.bars["session"].to_list() == [date(2024, 11, 1), date(2024, 11, 4)]
    assert answer.bars["closes_at"].to_list()[0] == datetime(2024, 11, 1, 20, tzinfo=UTC)
    assert answer.bars["closes_at"].to_list()[1] == datetime(2024, 11, 4, 21, tzinfo=UTC)
    assert answer.corporate_actions.is_empty()
    assert web.seen[0].query["function"] == "TIME_SERIES_DAILY"


def test_a_paid_plan_also_gives_dividends_and_splits(settings, web):
    paid = {"5. adjusted close": "1.9", "6. volume": "9"}
    days = {
        "2024-11-01": row(
            "1", "2", "1", "2", **paid, **{"7. dividend amount": "1.67", "8. split coefficient": "1.0"}
        ),
        "2024-11-04": row(
            "1", "2", "1", "2", **paid, **{"7. dividend amount": "0.0000", "8. split coefficient": "2"}
        ),
    }
    web.on("/query", series("(Daily)", days))
    answer = AlphaVantage(settings.model_copy(update={"adjusted": True})).fetch(DAYS)
    assert answer.bars["close"].to_list() == [2.0, 2.0]
    assert answer.bars["volume"].to_list() == [9.0, 9.0]
    assert answer.corporate_actions.select("ex_date", "action", "value").rows() == [
        (date(2024, 11, 1), "cash_dividend", 1.67),
        (date(2024, 11, 4), "split", 2.0),
    ]
    assert web.seen[0].query["function"] == "TIME_SERIES_DAILY_ADJUSTED"


@pytest.mark.parametrize(
    ("symbol", "name", "function", "calendar"),
    [
        ("EUR/USD", "FX (Daily)", "FX_DAILY", "24/5"),
        ("BTC-EUR", "(Digital Currency Daily)", "DIGITAL_CURRENCY_DAILY", "24/7"),
    ],
)
def test_pairs(settings, web, symbol, name, function, calendar):
    web.on("/query", series(name, {"2024-11-04": row("1.1", "1.2", "1.0", "1.15")}))
    answer = AlphaVantage(settings).fetch(Request((symbol,), DAYS.first, DAYS.last))
    assert answer.bars.select("symbol", "close", "volume").rows() == [(symbol, 1.15, 0.0)]
    assert web.seen[0].query["function"] == function
    assert answer.instruments.select("calendar", "currency").rows() == [(calendar, symbol[-3:])]
    assert answer.bars["closes_at"].to_list() == [datetime(2024, 11, 5, tzinfo=UTC)]


def test_the_price_in_the_pair_s_own_currency_is_taken():
    body = series(
        "(Digital Currency Daily)",
        {
            "2021-01-01": {
                f"{n}{ab}. {f} ({c})": v
                for n, f in enumerate(("open", "high", "low", "close"), 1)
                for ab, c, v in (("a", "CNY", "7"), ("b", "USD", "1"))
            }
            | {"5. volume": "2"}
        },
    )
    frame = parse_series(json.dumps(body).encode(), "BTC-CNY")
    assert frame.select("open", "high", "low", "close", "volume").row(0) == (7.0, 7.0, 7.0, 7.0, 2.0)


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("Note", "Our standard API call frequency is 5 calls per minute and 500 per day.", RateLimited),
        ("Information", "We have detected your API key as QWERTYUIOPASDFGH and our rate limit", RateLimited),
        ("Information", "This is a premium endpoint.", Unsupported),
        ("Error Message", "the parameter apikey is invalid or missing.", BadKey),
        ("Information", "The **demo** API key is for demo purposes only.", BadKey),
        ("Error Message", "Invalid API call. Please retry or visit the documentation", UnknownSymbol),
        ("", "", NoData),
        ("Something", "else", MalformedAnswer),
    ],
)
def test_errors_with_status_200(settings, web, name, text, kind):
    web.on("/query", {name: text} if name else {})
    with pytest.raises(kind) as caught:
        AlphaVantage(settings).fetch(DAYS)
    assert str(caught.value).startswith("alpha_vantage: IBM: ")
    assert "QWERTYUIOPASDFGH" not in str(caught.value)
    assert len(web.seen) == 1


@pytest.mark.parametrize("answer", ["global_quote", "symbol_search", "mock_foreign_exchange", "mock_sector"])
def test_other_real_answers_are_no_time_series(settings, web, recorded, answer):
    web.on("/query", recorded / "alphavantage" / answer)
    with pytest.raises(MalformedAnswer, match="no time series"):
        AlphaVantage(settings).fetch(DAYS)


def test_real_prices_without_open_and_close_are_malformed(settings, web, recorded):
    web.on("/query", recorded / "alphavantage" / "mock_crypto_currencies")
    with pytest.raises(MalformedAnswer, match="not of the expected shape"):
        AlphaVantage(settings).fetch(DAYS)


@pytest.mark.parametrize(
    ("asked", "name", "at"),
    [
        (DAYS, "(Daily)", "2024-11-31"),
        (DAYS, "(Daily)", "soon"),
        (Request(("IBM",), date(2024, 11, 1), date(2024, 11, 4), "1h"), "(60min)", "2024-11-01 25:00:00"),
        (Request(("IBM",), date(2024, 3, 10), date(2024, 3, 11), "1h"), "(60min)", "2024-03-10 02:30:00"),
    ],
)
def test_a_time_that_no_clock_shows_is_malformed(settings, web, asked, name, at):
    web.on("/query", series(name, {at: row("1", "2", "1", "2", **{"5. volume": "7"})}))
    with pytest.raises(MalformedAnswer, match=r"alpha_vantage: IBM: .* not of the expected shape"):
        AlphaVantage(settings).fetch(asked)
