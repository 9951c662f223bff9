"""Alpaca through its own package against a local server; the parsers also without the package."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest

from resources.providers.alpaca import Alpaca, AlpacaSettings, parse_actions, parse_bars
from resources.providers.base import (
    BARS,
    CORPORATE_ACTIONS,
    BadKey,
    MalformedAnswer,
    NoData,
    RateLimited,
    Request,
    UnknownSymbol,
    Unreachable,
    Unsupported,
)
from resources.raw_answers import local_raw_answers

SECRET = "Zq7-Secret-Of-Alpaca"
DAYS = Request(("AAPL",), date(2020, 8, 28), date(2020, 8, 31))
ROWS = [
    {
        "t": "2020-08-28T04:00:00Z",
        "o": 504.05,
        "h": 505.77,
        "l": 498.31,
        "c": 499.23,
        "v": 46907479,
        "n": 1,
        "vw": 1,
    },
    {
        "t": "2020-08-31T04:00:00Z",
        "o": 127.58,
        "h": 131,
        "l": 126,
        "c": 129.04,
        "v": 225702688,
        "n": 1,
        "vw": 1,
    },
]
ACTIONS = {
    "forward_splits": [{"symbol": "AAPL", "new_rate": 4, "old_rate": 1, "ex_date": "2020-08-31"}],
    "reverse_splits": [{"symbol": "AAPL", "new_rate": 1, "old_rate": 8, "ex_date": "2020-08-28"}],
    "cash_dividends": [
        {
            "symbol": "AAPL",
            "rate": 0.82,
            "special": False,
            "ex_date": "2020-08-07",
            "payable_date": "2020-08-13",
        },
        {"symbol": "AAPL", "rate": 3, "special": True, "ex_date": "2020-08-10"},
    ],
    "stock_dividends": [{"symbol": "AAPL", "rate": 0.05, "ex_date": "2020-08-11"}],
    "spin_offs": [
        {
            "source_symbol": "AAPL",
            "new_symbol": "PIP",
            "source_rate": 2,
            "new_rate": 1,
            "ex_date": "2020-08-12",
        },
        {
            "source_symbol": "BIG",
            "new_symbol": "AAPL",
            "source_rate": 1,
            "new_rate": 1,
            "ex_date": "2020-08-12",
        },
    ],
    "name_changes": [{"old_symbol": "AAPL", "new_symbol": "APPL", "process_date": "2020-08-13"}],
}


def test_actions_of_every_kind():
    actions = parse_actions(ACTIONS, "AAPL", "AAPL")
    assert actions.schema == CORPORATE_ACTIONS
    assert actions.select("ex_date", "action", "value", "pay_date", "new_symbol").rows() == [
        (date(2020, 8, 7), "cash_dividend", 0.82, date(2020, 8, 13), None),
        (date(2020, 8, 10), "special_dividend", 3.0, None, None),
        (date(2020, 8, 11), "split", 1.05, None, None),
        (date(2020, 8, 12), "spin_off", 0.5, None, "PIP"),
        (date(2020, 8, 13), "rename", None, None, "APPL"),
        (date(2020, 8, 28), "split", 0.125, None, None),
        (date(2020, 8, 31), "split", 4.0, None, None),
    ]
    assert parse_actions({}, "AAPL", "AAPL").is_empty()


def test_rows_of_bars():
    bars = parse_bars({"AAPL": ROWS}, "AAPL")
    assert bars.row(0, named=True) == {
        "starts_at": datetime(2020, 8, 28, 4, tzinfo=UTC),
        "open": 504.05,
        "high": 505.77,
        "low": 498.31,
        "close": 499.23,
        "volume": 46907479.0,
    }
    assert parse_bars({}, "AAPL").is_empty()


def test_without_the_package_the_extra_is_named(quick, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "alpaca.data", None)
    with pytest.raises(Unsupported, match=r"alpaca-py is not installed; .*deltadesk\[alpaca\]"):
        Alpaca(AlpacaSettings(**quick)).fetch(DAYS)


@pytest.fixture
def alpaca(web, quick, monkeypatch):
    pytest.importorskip("alpaca", reason="the extra alpaca is not installed")
    monkeypatch.setenv("APCA_API_KEY_ID", "PK0123456789")
    monkeypatch.setenv("APCA_API_SECRET_KEY", SECRET)
    web.on("/v2/stocks/bars", {"bars": {"AAPL": ROWS[1:]}, "next_page_token": None}, page_token="2")
    web.on("/v2/stocks/bars", {"bars": {"AAPL": ROWS[:1]}, "next_page_token": "2"})
    web.on("/v2/stocks/bars", {"bars": {"AAPL": ROWS[1:]}, "next_page_token": None}, page_token="2")
    web.on("/v1/corporate-actions", {"corporate_actions": ACTIONS, "next_page_token": None})
    return Alpaca(AlpacaSettings(**quick))


def test_raw_days_in_pages_with_corporate_actions(alpaca, web, tmp_path):
    store = local_raw_answers(tmp_path / "lake")
    alpaca.keep_answers(store)
    answer = alpaca.fetch(DAYS)
    assert answer.bars.schema == BARS
    assert answer.bars.select("session", "close").rows() == [
        (date(2020, 8, 28), 499.23),
        (date(2020, 8, 31), 129.04),
    ]
    assert answer.bars["closes_at"].to_list()[0] == datetime(2020, 8, 28, 20, tzinfo=UTC)
    assert answer.corporate_actions.height == 7
    asked = web.seen[0]
    assert (asked.query["adjustment"], asked.query["feed"], asked.query["timeframe"]) == (
        "raw",
        "iex",
        "1Day",
    )
    assert asked.headers["apca-api-secret-key"] == SECRET
    kept = list(store.replay("alpaca"))
    assert sorted(answer.request.url.rsplit("/", 1)[1] for answer in kept) == [
        "bars",
        "bars",
        "corporate-actions",
    ]
    assert all(SECRET not in repr(answer) and SECRET.encode() not in answer.body for answer in kept)


def test_intraday_bars_of_regular_hours(alpaca, web):
    times = ["2020-08-28T13:00:00Z", "2020-08-28T13:30:00Z", "2020-08-28T19:30:00Z", "2020-08-28T20:00:00Z"]
    rows = [ROWS[0] | {"t": at} for at in times]
    web.on("/v2/stocks/bars", {"bars": {"AAPL": rows}, "next_page_token": None})
    bars = alpaca.fetch(Request(("AAPL",), date(2020, 8, 28), date(2020, 8, 28), "30m")).bars
    assert bars["closes_at"].to_list() == [
        datetime(2020, 8, 28, 14, tzinfo=UTC),
        datetime(2020, 8, 28, 20, tzinfo=UTC),
    ]


def test_crypto(alpaca, web):
    rows = [ROWS[0] | {"t": "2020-08-28T00:00:00Z"}]
    web.on("/v1beta3/crypto/us/bars", {"bars": {"BTC/USD": rows}, "next_page_token": None})
    bars = alpaca.fetch(Request(("BTC/USD",), date(2020, 8, 28), date(2020, 8, 28))).bars
    assert bars["closes_at"].to_list() == [datetime(2020, 8, 29, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("status", "body", "kind", "attempts"),
    [
        (401, {"message": "request is not authorized"}, BadKey, 1),
        (403, {"message": f"forbidden for {SECRET}"}, BadKey, 1),
        (400, {"message": "invalid symbol: A+B"}, UnknownSymbol, 1),
        (404, {"message": "not found"}, UnknownSymbol, 1),
        (429, {"message": "too many requests."}, RateLimited, 3),
        (503, {"message": "down"}, Unreachable, 3),
        (200, {"bars": {}, "next_page_token": None}, NoData, 1),
        (200, [1, 2], MalformedAnswer, 1),
        (200, {"other": 1}, MalformedAnswer, 1),
        (200, {"bars": {"AAPL": [{"t": 1}]}, "next_page_token": None}, MalformedAnswer, 1),
    ],
)
def test_errors(alpaca, web, reply, status, body, kind, attempts):
    web.always(reply(status, json.dumps(body).encode()))
    with pytest.raises(kind) as caught:
        alpaca.fetch(DAYS)
    assert str(caught.value).startswith("alpaca: AAPL: ")
    assert SECRET not in str(caught.value)
    assert len(web.seen) == attempts


@pytest.mark.parametrize("body", [b"<html>", b'{"bars": {"AAPL": [', b""])
def test_no_json(alpaca, web, reply, body):
    web.always(reply(body=body))
    with pytest.raises(MalformedAnswer, match="alpaca: AAPL"):
        alpaca.fetch(DAYS)


def test_a_server_that_never_answers(alpaca, web, reply, quick):
    web.always(reply(silent=True))
    with pytest.raises(Unreachable, match=r"no answer in 0\.2 s"):
        Alpaca(AlpacaSettings(**{**quick, "timeout": 0.2, "attempts": 1})).fetch(DAYS)


def test_a_long_retry_after_is_told(alpaca, web, reply):
    web.always(reply(429, b"{}", {"Retry-After": "900"}))
    with pytest.raises(RateLimited, match="try again in 900 s"):
        alpaca.fetch(DAYS)
    assert len(web.seen) == 1


def test_a_missing_key_is_told(alpaca, web, monkeypatch):
    monkeypatch.delenv("APCA_API_SECRET_KEY")
    with pytest.raises(BadKey, match="set the environment variable APCA_API_SECRET_KEY"):
        alpaca.fetch(DAYS)
    assert web.seen == []
