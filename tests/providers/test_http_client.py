"""The client itself over a real server: attempts, pace, turns at once, bodies as they travel."""

from __future__ import annotations

import gzip
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resources.http import Client, HttpSettings, Pace
from resources.keys import Key
from resources.providers.base import (
    BadKey,
    MalformedAnswer,
    ProviderError,
    RateLimited,
    UnknownSymbol,
    Unreachable,
)


def as_it_came(body: bytes) -> bytes:
    return body


@pytest.fixture
def client(web):
    """Clients of the server, closed at the end."""
    made: list[Client] = []

    def of(*, provider: str = "test", base_url: str | None = None, **named: Any) -> Client:
        chosen = {"base_url": base_url or web.url, "backoff": 0.0, "timeout": 5.0, "attempts": 3}
        own = {name: named.pop(name) for name in list(named) if name in HttpSettings.model_fields}
        made.append(Client(provider, HttpSettings(**{**chosen, **own}), **named))
        return made[-1]

    yield of
    for each in made:
        each.close()


PASSING = {408: Unreachable, 429: RateLimited, 500: Unreachable, 502: Unreachable, 503: Unreachable}
FINAL = {
    400: ProviderError,
    404: UnknownSymbol,
    410: ProviderError,
    301: MalformedAnswer,
    304: MalformedAnswer,
}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    statuses=st.lists(st.sampled_from([200, 200, 204, *PASSING, *FINAL]), min_size=1, max_size=6),
    attempts=st.integers(1, 5),
)
def test_a_run_of_answers_ends_as_the_first_final_one_says(client, web, reply, statuses, attempts):
    """Success and refusals end it at once, what may pass is tried again as often as the settings allow."""
    web.seen.clear()
    coming = iter(statuses)
    web.answer = lambda _: reply(next(coming, statuses[-1]), b"body")
    told = [*statuses, *[statuses[-1]] * attempts][:attempts]
    final = next((number for number, status in enumerate(told) if status not in PASSING), attempts - 1)
    caller = client(attempts=attempts)
    if told[final] < 300:
        assert caller.fetch("/x", as_it_came) == (b"" if told[final] == 204 else b"body")
    else:
        with pytest.raises(ProviderError) as caught:
            caller.fetch("/x", as_it_came, symbol="A")
        assert type(caught.value) is (PASSING | FINAL)[told[final]]
        assert str(caught.value).startswith("test: A: ")
    assert len(web.seen) == final + 1


def test_the_query_holds_what_was_given_and_nothing_that_is_none(client, web, reply):
    web.always(reply(body=b"1"))
    client(base_url=web.url + "/").fetch(
        "/path", as_it_came, parameters={"a": 1, "b": None, "c": "x y&z", "d": 0.5, "e": ""}
    )
    assert web.seen[0].path == "/path"
    assert web.seen[0].query == {"a": "1", "c": "x y&z", "d": "0.5", "e": ""}


@pytest.mark.parametrize("encoding", ["gzip", "deflate", None])
def test_a_body_arrives_as_it_was_before_it_was_packed(client, web, reply, encoding):
    body = b"[1, 2, 3]" * 5000
    packed = {"gzip": gzip.compress, "deflate": zlib.compress, None: bytes}[encoding](body)
    headers = {} if encoding is None else {"Content-Encoding": encoding}
    web.always(reply(body=packed, headers=headers))
    assert client().fetch("/x", as_it_came) == body


def test_a_body_that_cannot_be_unpacked_is_an_answer_that_broke_off(client, web, reply):
    packed = bytearray(gzip.compress(b"[1, 2, 3]" * 5000))
    packed[20:40] = bytes(20)
    web.always(reply(body=bytes(packed), headers={"Content-Encoding": "gzip"}))
    with pytest.raises(MalformedAnswer, match="broke off"):
        client().fetch("/x", as_it_came)
    assert len(web.seen) == 3


def test_a_server_that_hangs_up_without_a_word_is_asked_again(client, web):
    def silent_end(request):
        web.seen.append(request.path)
        request.close_connection = True

    web.handle = silent_end
    with pytest.raises(ProviderError) as caught:
        client().fetch("/x", as_it_came, symbol="A")
    assert type(caught.value) in {MalformedAnswer, Unreachable}
    assert len(web.seen) == 3


@pytest.mark.parametrize(("at_once", "requests"), [(1, 4), (3, 9)])
def test_no_more_requests_are_under_way_than_the_service_takes(client, web, reply, at_once, requests):
    """Every request waits on the server until as many as may be are there, or the last ones are."""
    counting, under_way, most = threading.Condition(), 0, 0

    def slow(_):
        nonlocal under_way, most
        with counting:
            under_way += 1
            most = max(most, under_way)
            counting.notify_all()
            counting.wait_for(lambda: under_way >= at_once, timeout=1.0)
            under_way -= 1
        return reply(body=b"1")

    web.answer = slow
    caller = client(provider=f"slots {at_once}", at_once=at_once)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: caller.fetch("/x", as_it_came), range(requests)))
    assert most == at_once
    assert len(web.seen) == requests


def test_no_window_holds_more_requests_than_the_pace(client, web, reply):
    """Three a window of 0.3 s, by six threads: the other three come a window later."""
    times: list[float] = []
    lock = threading.Lock()

    def noted(_):
        with lock:
            times.append(time.monotonic())
        return reply(body=b"1")

    web.answer = noted
    caller = client(provider="paced", pace=(Pace(3, 0.3),), at_once=8)
    started = time.monotonic()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: caller.fetch("/x", as_it_came), range(6)))
    assert len(times) == 6
    for number, at in enumerate(sorted(times)):
        assert at - started > 0.3 * (number // 3) - 0.02


def test_the_slowest_of_several_paces_holds(client, web, reply):
    web.always(reply(body=b"1"))
    caller = client(provider="once", pace=(Pace(1, 0.2), Pace(2, 0.4)))
    started = time.monotonic()
    done = [caller.fetch("/x", as_it_came) for _ in range(3)]
    assert done == [b"1"] * 3
    assert time.monotonic() - started > 0.35
    assert len(web.seen) == 3


def test_a_client_that_was_closed_opens_again(client, web, reply):
    web.always(reply(body=b"1"))
    caller = client()
    for _ in range(3):
        assert caller.fetch("/x", as_it_came) == b"1"
        caller.close()
    caller.close()
    assert len(web.seen) == 3


@pytest.mark.parametrize(
    ("parse", "words"),
    [
        (int, "ValueError"),
        (lambda body: {}[body], "KeyError"),
        (lambda body: body[99], "IndexError"),
        (lambda body: body + 1, "TypeError"),
        (lambda body: body.price, "AttributeError"),
        (lambda body: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_a_parser_that_gives_up_is_a_malformed_answer_of_one_attempt(client, web, reply, parse, words):
    web.always(reply(body=b"words"))
    with pytest.raises(MalformedAnswer, match=words) as caught:
        client().fetch("/x", parse, symbol="A")
    assert web.url in str(caught.value)
    assert len(web.seen) == 1


def test_a_mistake_in_the_program_is_not_taken_for_the_services(client, web, reply):
    web.always(reply(body=b"1"))

    def wrong(_):
        raise AssertionError("a mistake of ours")

    with pytest.raises(AssertionError, match="of ours"):
        client().fetch("/x", wrong)


def test_user_and_password_of_an_address_are_never_shown(client, web, reply):
    web.always(reply(404, b"no"))
    with_login = web.url.replace("http://", "http://user:pa55word@")
    with pytest.raises(UnknownSymbol) as caught:
        client(base_url=with_login).fetch("/x", as_it_came)
    assert "pa55word" not in str(caught.value)
    assert web.seen[0].headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("key", "where"),
    [
        (Key("TEST_KEY", header="X-Key"), ("headers", "x-key", "s3cret1")),
        (
            Key("TEST_KEY", header="Authorization", prefix="Token "),
            ("headers", "authorization", "Token s3cret1"),
        ),
        (Key("TEST_KEY", parameter="token"), ("query", "token", "s3cret1")),
    ],
)
def test_a_key_travels_where_the_service_wants_it(client, web, reply, monkeypatch, key, where):
    monkeypatch.setenv("TEST_KEY", " s3cret1 ")
    web.always(reply(body=b"your key is s3cret1"))
    assert client(key=key).fetch("/x", as_it_came, parameters={"a": "1"}) == b"your key is ***"
    part, name, value = where
    assert getattr(web.seen[0], part)[name] == value
    assert web.seen[0].query["a"] == "1"


def test_a_key_is_read_anew_for_every_request(client, web, reply, monkeypatch):
    web.always(reply(body=b"1"))
    caller = client(key=Key("TEST_KEY", parameter="token"))
    for value in ("first-key", "second-key"):
        monkeypatch.setenv("TEST_KEY", value)
        caller.fetch("/x", as_it_came)
    monkeypatch.delenv("TEST_KEY")
    with pytest.raises(BadKey, match="set the environment variable TEST_KEY"):
        caller.fetch("/x", as_it_came)
    assert [seen.query["token"] for seen in web.seen] == ["first-key", "second-key"]


def test_waits_between_attempts_double_and_stay_below_the_longest(client, web, reply):
    times: list[float] = []

    def noted(_):
        times.append(time.monotonic())
        return reply(503)

    web.answer = noted
    with pytest.raises(Unreachable):
        client(attempts=4, backoff=0.05, longest_wait=0.1).fetch("/x", as_it_came)
    waits = [second - first for first, second in pairwise(times)]
    assert len(waits) == 3
    assert all(0.04 < wait < 1.0 for wait in waits)
