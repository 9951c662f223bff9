"""Whether a provider could be asked now."""

from __future__ import annotations

import socket

import pytest

from resources.providers.health import health, healths

from .conftest import Reply


@pytest.fixture
def key(monkeypatch):
    monkeypatch.setenv("TIINGO_API_KEY", "0123456789abcdef")


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_one_that_needs_nothing_is_ready(tmp_path):
    assert health("sample", {}) == "ready"
    assert health("files", {"folder": str(tmp_path)}) == "ready"


def test_what_is_missing_is_told(tmp_path, monkeypatch):
    monkeypatch.delenv("TIINGO_API_KEY", raising=False)
    assert health("files", {}).startswith("bad settings: folder: Field required")
    assert health("lean", {"folder": str(tmp_path / "gone")}).startswith("no folder")
    assert "TIINGO_API_KEY" in health("tiingo", {})


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(200), "answers in "),
        (Reply(403, b"no"), "answers in "),
        (Reply(503), "answers with status 503 in "),
    ],
)
def test_a_service_that_is_there_answers_whatever_it_says(web, key, reply, words):
    web.on("", reply)
    assert health("tiingo", {"base_url": web.url}).startswith(words)


def test_without_a_look_nobody_is_asked_and_what_is_missing_here_is_told(web, key, monkeypatch):
    told = healths(
        {"tiingo": {"base_url": web.url}, "binance": {"base_url": web.url}},
        ["tiingo", "binance", "sample", "files", "fred"],
        ["binance"],
    )
    assert told["binance"].startswith("answers ")
    assert (told["tiingo"], told["sample"]) == ("not asked", "ready")
    assert told["files"].startswith("bad settings: folder")
    assert len(web.seen) == 1
    monkeypatch.delenv("TIINGO_API_KEY")
    assert "TIINGO_API_KEY" in healths({"tiingo": {"base_url": web.url}}, ["tiingo"], [])["tiingo"]


def test_nobody_there(key):
    port = closed_port()
    told = healths(
        {"tiingo": {"base_url": f"http://127.0.0.1:{port}"}, "ib": {"port": port}}, ["tiingo", "ib"]
    )
    assert told["tiingo"].startswith("not reached: ")
    assert told["ib"] == f"nobody listens at 127.0.0.1:{port}: Connection refused"
