"""Answers kept as they came: found again, replayed through a parser, and never a bad one twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.http import keep_answers
from resources.providers.base import MalformedAnswer, Request
from resources.providers.binance import Binance, BinanceSettings, parse_klines
from resources.providers.sample import Sample
from resources.raw_answers import RawAnswers, RawRequest, local_raw_answers

ASKED = RawRequest("binance", "http://host/klines", {"symbol": "BTCUSDT"}, "BTC-USDT")
DAY = timedelta(days=1)
MINUTES = Request(("BTC-USDT",), date(2021, 10, 22), date(2021, 10, 23), "1m")


class Clock:
    def __init__(self):
        self.at = datetime(2024, 1, 1, tzinfo=UTC)

    def __call__(self):
        return self.at


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    return RawAnswers(str(tmp_path), now=clock)


@given(body=st.binary(max_size=3000))
def test_an_answer_comes_back_as_it_was(tmp_path_factory, body):
    store = local_raw_answers(tmp_path_factory.mktemp("lake"))
    put = store.put(ASKED, body, DAY)
    found = store.find(ASKED)
    assert found == put
    assert found.body == body


def test_an_answer_is_found_while_it_is_valid(store, clock):
    store.put(ASKED, b"1", DAY)
    assert store.find(ASKED).body == b"1"
    clock.at += DAY - timedelta(seconds=1)
    assert store.find(ASKED).body == b"1"
    assert store.find(ASKED, max_age=timedelta(hours=1)) is None
    clock.at += timedelta(seconds=1)
    assert store.find(ASKED) is None


def test_an_answer_without_validity_is_kept_and_not_found(store):
    store.put(ASKED, b"1")
    assert store.find(ASKED) is None
    assert [answer.body for answer in store.replay("binance")] == [b"1"]


def test_the_newest_answer_is_found_and_all_are_kept(store, clock):
    for body in (b"1", b"2"):
        clock.at += timedelta(minutes=1)
        store.put(ASKED, body, DAY)
    assert store.find(ASKED).body == b"2"
    assert [answer.body for answer in store.replay("binance")] == [b"1", b"2"]


@pytest.mark.parametrize(
    "other",
    [
        RawRequest("binance", "http://host/klines", {"symbol": "ETHUSDT"}),
        RawRequest("binance", "http://host/other", {"symbol": "BTCUSDT"}),
        RawRequest("cboe", "http://host/klines", {"symbol": "BTCUSDT"}),
        RawRequest("binance", "http://host/klines"),
    ],
)
def test_another_request_is_another_answer(store, other):
    store.put(ASKED, b"1", DAY)
    assert store.find(other) is None


def test_the_order_of_the_query_does_not_matter(store):
    store.put(RawRequest("x", "u", {"a": "1", "b": "2"}), b"1", DAY)
    assert store.find(RawRequest("x", "u", {"b": "2", "a": "1"})).body == b"1"


def test_an_unusable_answer_is_not_served_but_stays(store, tmp_path, clock):
    store.put(ASKED, b"good", DAY)
    clock.at += timedelta(minutes=1)
    store.mark_unusable(store.put(ASKED, b"bad", DAY), "not JSON")
    assert store.find(ASKED).body == b"good"
    assert [answer.body for answer in store.replay("binance", unusable=True)] == [b"good", b"bad"]
    assert len(list((tmp_path / "_raw" / "binance").rglob("*.unusable"))) == 1


def test_answers_are_compressed(store, tmp_path):
    store.put(ASKED, b"[1, 2, 3]" * 10_000, DAY)
    files = [file for file in (tmp_path / "_raw").rglob("*") if file.is_file()]
    assert len(files) == 1
    assert files[0].stat().st_size < 2000


def test_many_may_write_at_once(store):
    requests = [RawRequest("x", f"u{n % 5}") for n in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda request: store.put(request, request.url.encode(), DAY), requests))
    assert sum(1 for _ in store.replay("x")) == 40
    assert all(store.find(request).body == request.url.encode() for request in requests)


@pytest.fixture
def binance(web, quick, recorded, tmp_path):
    web.on("/api/v3/klines", recorded / "binance" / "http_spot_market_klines.json")
    provider = Binance(BinanceSettings(**quick))
    keep_answers(provider, local_raw_answers(tmp_path / "lake"))
    return provider


def test_a_settled_range_is_asked_for_once(binance, web):
    first = binance.fetch(MINUTES)
    assert binance.fetch(MINUTES).bars.equals(first.bars)
    assert len(web.seen) == 1


def test_a_range_that_may_grow_is_asked_for_each_time(binance, web):
    growing = Request(MINUTES.symbols, MINUTES.first, datetime.now(UTC).date(), "1m")
    assert binance.fetch(growing).bars.equals(binance.fetch(growing).bars)
    assert len(web.seen) == 2


def test_max_age_0_asks_each_time(web, quick, recorded, tmp_path):
    web.on("/api/v3/klines", recorded / "binance" / "http_spot_market_klines.json")
    provider = Binance(BinanceSettings(**quick, max_age=0))
    provider.keep_answers(local_raw_answers(tmp_path / "lake"))
    assert provider.fetch(MINUTES).bars.equals(provider.fetch(MINUTES).bars)
    assert len(web.seen) == 2


def test_a_parser_runs_again_over_kept_answers(binance, tmp_path):
    bars = binance.fetch(MINUTES).bars
    kept = list(local_raw_answers(tmp_path / "lake").replay("binance"))
    assert [answer.request.symbol for answer in kept] == ["BTC-USDT"]
    assert kept[0].request.parameters["symbol"] == "BTCUSDT"
    again = parse_klines(kept[0].body, "BTC-USDT")
    assert again["close"].to_list() == bars["close"].to_list()


def test_an_answer_is_kept_before_it_is_parsed_and_a_bad_one_is_not_served(binance, web, recorded, tmp_path):
    web.on("/api/v3/klines", b"[[truncated")
    for _ in range(2):
        with pytest.raises(MalformedAnswer):
            binance.fetch(MINUTES)
    kept = list(local_raw_answers(tmp_path / "lake").replay("binance", unusable=True))
    assert [answer.body for answer in kept] == [b"[[truncated"] * 2
    assert list(local_raw_answers(tmp_path / "lake").replay("binance")) == []
    web.on("/api/v3/klines", recorded / "binance" / "http_spot_market_klines.json")
    assert binance.fetch(MINUTES).bars.height > 0


def test_a_kept_answer_that_no_longer_parses_is_asked_for_again(binance, web, tmp_path):
    binance.fetch(MINUTES)
    store = local_raw_answers(tmp_path / "lake")
    request = next(store.replay("binance")).request
    store.put(request, b"{}", DAY)
    assert binance.fetch(MINUTES).bars.height > 0
    assert len(web.seen) == 2


def test_a_provider_without_answers_to_keep_is_left_alone(tmp_path):
    provider = Sample(Sample.Settings())
    keep_answers(provider, local_raw_answers(tmp_path))
    assert not (tmp_path / "_raw").exists()


def damaged(whole: bytes) -> dict[str, bytes]:
    """What a crash, a full disk or a bad sector leaves of a file."""
    turned = bytearray(whole)
    turned[-20] ^= 0xFF
    return {
        "empty": b"",
        "first bytes": whole[:10],
        "half": whole[: len(whole) // 2],
        "all but one byte": whole[:-1],
        "one byte turned": bytes(turned),
        "zeros": bytes(len(whole)),
        "something else": b"<html>" * 50,
    }


@pytest.mark.parametrize("what", list(damaged(bytes(40))))
def test_a_damaged_file_counts_as_not_there_and_is_told(store, tmp_path, clock, caplog, what):
    store.put(ASKED, b"older", DAY)
    clock.at += timedelta(minutes=1)
    file = tmp_path / store.put(ASKED, bytes(range(256)) * 8, DAY).path
    file.write_bytes(damaged(file.read_bytes())[what])
    assert store.find(ASKED).body == b"older"
    assert [answer.body for answer in store.replay("binance")] == [b"older"]
    assert f"{file.name} is damaged and left out" in caplog.text


@pytest.mark.parametrize("what", list(damaged(bytes(40))))
def test_what_is_damaged_is_asked_for_again(binance, web, tmp_path, what):
    first = binance.fetch(MINUTES).bars
    [file] = list((tmp_path / "lake" / "_raw").rglob("*.zst"))
    file.write_bytes(damaged(file.read_bytes())[what])
    assert binance.fetch(MINUTES).bars.equals(first)
    assert len(web.seen) == 2
    assert binance.fetch(MINUTES).bars.equals(first)
    assert len(web.seen) == 2


@pytest.mark.parametrize(
    ("ages", "max_age", "found"),
    [
        ((0,), None, 0),
        ((30, 5), None, 1),
        ((30, 5), timedelta(minutes=6), 1),
        ((30, 5), timedelta(minutes=5), None),
        ((30, 5), timedelta(0), None),
        ((90,), None, None),  # no longer valid
        ((90, 61), None, None),
    ],
)
def test_the_newest_answer_decides_by_its_age_and_validity(store, clock, ages, max_age, found):
    now = clock.at + timedelta(days=1)
    for number, age in enumerate(ages):
        clock.at = now - timedelta(minutes=age)
        store.put(ASKED, str(number).encode(), timedelta(minutes=60))
    clock.at = now
    answer = store.find(ASKED, max_age)
    assert (None if answer is None else int(answer.body)) == found


@given(
    parameters=st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4),
    url=st.text(max_size=20),
    symbol=st.none() | st.text(max_size=8),
)
def test_what_was_asked_comes_back_with_the_answer(tmp_path_factory, parameters, url, symbol):
    store = local_raw_answers(tmp_path_factory.mktemp("lake"))
    request = RawRequest("x", url, parameters, symbol)
    store.put(request, b"\n{}\n", DAY)
    found = store.find(RawRequest("x", url, dict(reversed(parameters.items()))))
    assert (found.request, found.body) == (request, b"\n{}\n")
    [again] = store.replay("x")
    assert again == found
