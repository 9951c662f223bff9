"""Everything that can go wrong with a web service, for every provider, over a real local server."""

from __future__ import annotations

import json
import logging
import socket
import time
import traceback
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
import stamina.instrumentation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resources.http import HttpSettings
from resources.http_errors import retry_after
from resources.providers import alpha_vantage, binance, cboe, deribit, dukascopy, fred, tiingo
from resources.providers.base import (
    BadKey,
    MalformedAnswer,
    NoData,
    ProviderError,
    RateLimited,
    Request,
    UnknownSymbol,
    Unreachable,
    Unsupported,
)
from resources.raw_answers import RawAnswers, local_raw_answers

SECRET = "s3cret-Key/With+Signs=42"
FIRST, LAST = date(2021, 3, 1), date(2021, 3, 2)


class Case(NamedTuple):
    provider: type
    symbol: str
    call: Callable[[Any, str], Any]
    key: str | None = None
    empty: bytes = b"[]"
    wrong: bytes = b'{"data": 7}'
    forbidden: type[ProviderError] | None = None


def bars(provider, symbol):
    return provider.fetch(Request((symbol,), FIRST, LAST))


CASES = {
    "tiingo": Case(tiingo.Tiingo, "AAPL", bars, "TIINGO_API_KEY"),
    "tiingo_crypto": Case(
        tiingo.Tiingo, "BTC-USD", bars, "TIINGO_API_KEY", b'[{"priceData":[],"quoteCurrency":"usd"}]'
    ),
    "alpha_vantage": Case(
        alpha_vantage.AlphaVantage, "IBM", bars, "ALPHA_VANTAGE_API_KEY", b'{"Time Series (Daily)":{}}'
    ),
    "binance": Case(binance.Binance, "BTCUSDT", bars, forbidden=Unsupported),
    "cboe": Case(cboe.Cboe, "VIX", bars, empty=b"DATE,OPEN,HIGH,LOW,CLOSE\n", forbidden=UnknownSymbol),
    "cboe_chain": Case(
        cboe.Cboe,
        "AAPL",
        lambda provider, symbol: provider.chain(symbol),
        empty=b'{"timestamp":"2021-03-01 20:00:00","data":{"current_price":1,"options":[]}}',
        forbidden=UnknownSymbol,
    ),
    "deribit": Case(deribit.Deribit, "BTC-PERPETUAL", bars, empty=b'{"result":{"status":"no_data"}}'),
    "fred": Case(
        fred.Fred,
        "DGS10",
        lambda provider, symbol: provider.rates([symbol], FIRST, LAST),
        "FRED_API_KEY",
        b'{"count":0,"observations":[]}',
    ),
    "dukascopy": Case(
        dukascopy.Dukascopy,
        "EURUSD",
        bars,
        empty=b'{"timestamp":0,"multiplier":1e-05,"shift":86400000,"open":null,"high":null,"low":null,'
        b'"close":null,"times":[],"opens":[],"highs":[],"lows":[],"closes":[],"volumes":[]}',
    ),
}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture
def asked(case, web, quick, monkeypatch):
    """A call of the provider, with some settings changed."""
    if case.key:
        monkeypatch.setenv(case.key, SECRET)

    def ask(store: RawAnswers | None = None, **changed):
        extra: dict[str, Any] = {"requests_per_minute": 10_000} if "alpha" in case.provider.name else {}
        if case.provider.name == "dukascopy":
            extra = {"json_url": web.url, "service": "json"}
        provider = case.provider(case.provider.Settings(**{**quick, **extra, **changed}))
        provider.keep_answers(store)
        try:
            return case.call(provider, case.symbol)
        finally:
            provider.client.close()

    return ask


def test_no_case_is_missing():
    assert {case.provider.name for case in CASES.values()} == {
        "tiingo",
        "alpha_vantage",
        "binance",
        "cboe",
        "deribit",
        "fred",
        "dukascopy",
    }


@pytest.mark.parametrize(
    ("status", "kind", "attempts", "says"),
    [
        (400, ProviderError, 1, "status 400"),
        (401, BadKey, 1, "status 401"),
        (403, BadKey, 1, "status 403"),
        (404, UnknownSymbol, 1, "check (the )?symbol"),
        (408, Unreachable, 3, "try again later"),
        (429, RateLimited, 3, "try again later"),
        (500, Unreachable, 3, "status 500"),
        (502, Unreachable, 3, "status 502"),
        (503, Unreachable, 3, "status 503"),
        (302, MalformedAnswer, 1, "moved to http://elsewhere"),
    ],
)
def test_statuses(case, asked, web, reply, status, kind, attempts, says):
    web.always(reply(status, b"its own words", {"Location": "http://elsewhere/x?token=1"}))
    if status in {401, 403} and case.key is None:
        kind = ProviderError
    if status == 403 and case.forbidden is not None:
        kind = case.forbidden
    with pytest.raises(kind, match=says) as caught:
        asked()
    expect_named(caught.value, case)
    assert len(web.seen) == attempts


def expect_named(error, case):
    assert error.provider == case.provider.name
    assert error.symbol == case.symbol
    assert str(error).startswith(f"{case.provider.name}: {case.symbol}: ")
    assert error.remedy
    assert "\n" not in str(error)
    assert len(str(error)) < 600


KEYED = {name: case for name, case in CASES.items() if case.key}


@pytest.mark.parametrize("case", [case for case in KEYED.values() if case.provider is not fred.Fred])
def test_a_missing_key_is_told_before_anything_is_sent(case, asked, web, monkeypatch):
    monkeypatch.delenv(case.key)
    with pytest.raises(BadKey, match=f"set the environment variable {case.key}"):
        asked()
    assert web.seen == []


@pytest.mark.parametrize("case", KEYED.values(), ids=KEYED)
def test_a_key_that_cannot_be_one_is_told_and_not_shown(case, asked, web, monkeypatch):
    monkeypatch.setenv(case.key, "half\r\nX-Injected: key")
    with pytest.raises(BadKey) as caught:
        asked()
    assert "half" not in str(caught.value)
    assert web.seen == []


def test_another_attempt_may_help(case, asked, web, reply):
    answers = iter([reply(503), reply(429), reply(body=case.empty)])
    web.answer = lambda _: next(answers, reply(body=case.empty))
    with pytest.raises(NoData):
        asked()
    assert len(web.seen) >= 3


def test_retry_after_is_waited_for(case, asked, web, reply):
    answers = iter([reply(429, headers={"Retry-After": "0.05"})])
    web.answer = lambda _: next(answers, reply(body=case.empty))
    waits = []
    stamina.instrumentation.set_on_retry_hooks([lambda details: waits.append(details.wait_for)])
    try:
        with pytest.raises(NoData):
            asked()
    finally:
        stamina.instrumentation.set_on_retry_hooks(None)
    assert waits == [0.05]


def test_a_long_retry_after_is_told_and_not_waited_for(case, asked, web, reply):
    web.always(reply(429, b"slow down", {"Retry-After": "3600"}))
    started = time.monotonic()
    with pytest.raises(RateLimited, match="try again in 3600 s") as caught:
        asked()
    assert caught.value.retry_after == 3600
    assert len(web.seen) == 1
    assert time.monotonic() - started < 5
    expect_named(caught.value, case)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!DOCTYPE html><title>Sign in</title>",
        b'[{"date": "2021-03',
        b"[NaN]",
        b'"words"',
        b"7",
        b"null",
        b"\xff\xfe\x00",
        b"[" * 200_000,
        b"9" * 10_000,
    ],
    ids=["empty", "HTML", "truncated", "NaN", "string", "number", "null", "bytes", "nested", "digits"],
)
def test_other_things_than_the_answer(case, asked, web, reply, body):
    web.always(reply(body=body))
    with pytest.raises(MalformedAnswer) as caught:
        asked()
    expect_named(caught.value, case)
    assert len(web.seen) == 1


def test_json_of_another_shape(case, asked, web, reply):
    web.always(reply(body=case.wrong))
    with pytest.raises(MalformedAnswer) as caught:
        asked()
    expect_named(caught.value, case)


@pytest.mark.parametrize(
    "body", [b"[[[]]]", b'[{"a":1}]', b'{"result":{}}', b'{"data":{}}', b'{"timestamp":{}}', b"{}"]
)
def test_no_shape_of_json_gets_past_the_typed_errors(case, asked, web, reply, body):
    web.always(reply(body=body))
    with pytest.raises(ProviderError) as caught:
        asked()
    expect_named(caught.value, case)


def test_an_answer_that_breaks_off(case, asked, web, reply):
    web.always(reply(body=case.empty, cut=True))
    with pytest.raises(MalformedAnswer, match="broke off"):
        asked()
    assert len(web.seen) == 3


def test_an_empty_range(case, asked, web, reply):
    web.always(reply(body=case.empty))
    with pytest.raises(NoData) as caught:
        asked()
    expect_named(caught.value, case)


def test_a_server_that_never_answers(case, asked, web, reply):
    web.always(reply(silent=True))
    with pytest.raises(Unreachable, match=r"no answer in 0\.1 s") as caught:
        asked(timeout=0.1, attempts=2)
    expect_named(caught.value, case)
    assert len(web.seen) == 2


def test_a_name_that_does_not_resolve(case, asked):
    changed = {"base_url": "http://provider.invalid"}
    if case.provider.name == "dukascopy":
        changed["json_url"] = "http://provider.invalid"
    with pytest.raises(Unreachable, match="check the connection and base_url") as caught:
        asked(**changed)
    expect_named(caught.value, case)


def test_nobody_listens(case, asked):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        changed = {"base_url": url}
        if case.provider.name == "dukascopy":
            changed["json_url"] = url
        with pytest.raises(Unreachable, match="refused"):
            asked(**changed)


@pytest.mark.parametrize("case", [CASES["binance"]])
def test_an_answer_that_trickles_is_given_up(case, asked, web):
    stop = web.over

    def trickle(request):
        request.send_response(200)
        request.end_headers()
        while not stop.wait(0.02):
            try:
                request.wfile.write(b" ")
            except OSError:
                return

    web.handle = trickle
    with pytest.raises(Unreachable, match=r"no whole answer in 0\.2 s"):
        asked(deadline=0.2, attempts=1)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("0", 0.0),
        ("-5", 0.0),
        ("120", 120.0),
        ("Wed, 03 Mar 2021 12:00:30 GMT", 30.0),
        ("Wed, 03 Mar 2021 11:00:00 GMT", 0.0),
    ],
)
def test_what_retry_after_says(value, seconds):
    assert retry_after(value, datetime(2021, 3, 3, 12, tzinfo=UTC)) == seconds


@pytest.mark.parametrize("url", ["", "tiingo.com", "ftp://tiingo.com", "https://", "/tmp"])
def test_an_address_that_is_none_is_refused_in_the_settings(url):
    with pytest.raises(ValueError, match="base_url"):
        HttpSettings(base_url=url)


ECHOES = st.sampled_from(["plain", "json", "html", "header", "location"])


@pytest.mark.parametrize("name", KEYED)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    secret=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6).map("Zq7".__add__),
    status=st.sampled_from([200, 302, 400, 401, 403, 404, 429, 500]),
    echo=ECHOES,
    cut=st.booleans(),
)
def test_no_error_log_or_kept_answer_ever_shows_the_key(
    name, secret, status, echo, cut, web, reply, quick, monkeypatch, caplog, tmp_path
):
    case = CASES[name]
    monkeypatch.setenv(case.key, secret)
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    bodies = {
        "plain": f"We have detected your API key as {secret} and",
        "json": f'{{"detail": "Invalid token {secret}"}}',
        "html": f"<html>{secret}</html>",
        "header": case.empty.decode(),
        "location": "",
    }
    headers = {"Location": f"{web.url}/login/{secret}?key={secret}"} if echo == "location" else {}
    web.always(reply(status, bodies[echo].encode(), headers, cut))
    store = local_raw_answers(tmp_path / str(len(web.seen)))
    limits = {"requests_per_minute": 10_000} if "alpha" in case.provider.name else {}
    provider = case.provider(case.provider.Settings(**{**quick, **limits, "attempts": 1}))
    provider.keep_answers(store)
    with pytest.raises(ProviderError) as caught:
        case.call(provider, case.symbol)
    provider.client.close()
    shown = [
        str(caught.value),
        repr(caught.value),
        "".join(traceback.format_exception(caught.value)),
        caplog.text,
    ]
    shown += [repr(provider.client), repr(provider.settings)]
    kept = list(store.replay(case.provider.name, unusable=True))
    shown += [repr(answer.request) for answer in kept]
    for form in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe="")):
        assert all(form not in text for text in shown), form
        assert all(form.encode() not in answer.body for answer in kept), form
    sent = [value for seen in web.seen for value in (*seen.headers.values(), *seen.query.values())]
    assert any(value.endswith(secret) for value in sent)


def test_the_key_goes_to_no_other_host(web, quick, monkeypatch):
    monkeypatch.setenv("TIINGO_API_KEY", SECRET)
    elsewhere = web.url.replace("127.0.0.1", "localhost")
    provider = tiingo.Tiingo(tiingo.TiingoSettings(**quick, tickers_url=elsewhere))
    with pytest.raises(UnknownSymbol):
        provider.symbols()
    assert SECRET not in str(web.seen)


def test_two_clients_of_a_service_share_its_pace(web, reply, quick):
    class Slow(binance.Binance):
        pace = (binance.Pace(2, 0.3),)

    web.always(reply(body=b"[]"))
    asked = Request(("BTCUSDT",), FIRST, LAST)
    started = time.monotonic()
    for provider in (Slow(binance.BinanceSettings(**quick)), Slow(binance.BinanceSettings(**quick))):
        for _ in range(2):
            with pytest.raises(NoData):
                provider.fetch(asked)
    assert time.monotonic() - started > timedelta(milliseconds=290).total_seconds()
