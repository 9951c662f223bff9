"""Asking a provider for many symbols: at once, together, in order, and each on its own when it fails."""

from __future__ import annotations

import threading
from datetime import date

import polars as pl
import pytest

from resources.ingest.asking import Told, answered
from resources.providers import base
from tests.trading.market_frames import bars_frame

FIRST, LAST = date(2020, 1, 1), date(2020, 1, 31)
NAMES = [f"S{i:02d}" for i in range(30)]


class Source:
    """A provider in memory that remembers what it was asked and how much of it at the same time."""

    name = "memory"

    def __init__(self, *, at_once: int = 1, together: int = 1, broken: tuple[str, ...] = ()) -> None:
        self.at_once, self.together, self.broken = at_once, together, broken
        self.asked: list[tuple[str, ...]] = []
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()
        self._met = threading.Barrier(at_once)

    def fetch(self, request: base.Request) -> base.Answer:
        with self._lock:
            self.asked.append(request.symbols)
            early = len(self.asked) <= self.at_once
            self._now += 1
            self.most = max(self.most, self._now)
        if early:
            self._met.wait(10)  # the first requests all meet, or this fails
        with self._lock:
            self._now -= 1
        if set(request.symbols) & set(self.broken):
            raise base.NoData(self.name, "nothing", symbol=request.symbols[0])
        return base.Answer(pl.concat([bars_frame([10.0, 11.0], name) for name in request.symbols]))


def planned(*names: str, first: date = FIRST) -> list[base.Request]:
    return [base.Request((name,), first, LAST) for name in names]


def told_by(source: Source, requests: list[base.Request]) -> list[Told]:
    return [told for group in answered(source, requests) for told in group]


def bars_of(told) -> list[str]:
    return [
        name
        for _, answer in told
        if isinstance(answer, base.Answer)
        for name in answer.bars["symbol"].unique(maintain_order=True)
    ]


@pytest.mark.parametrize(
    "source",
    [Source(), Source(at_once=4), Source(together=8), Source(at_once=2, together=8)],
    ids=["one by one", "four at once", "eight together", "both"],
)
def test_every_request_is_answered_once_and_in_order(source):
    told = told_by(source, planned(*NAMES))
    assert [request.symbols[0] for request, _ in told] == NAMES
    assert bars_of(told) == NAMES


def test_no_more_run_at_once_than_the_provider_takes():
    source = Source(at_once=4)
    list(answered(source, planned(*NAMES)))
    assert source.most == 4


def test_a_joined_request_that_fails_is_asked_one_by_one():
    source = Source(together=10, broken=("S03",))
    told = told_by(source, planned(*NAMES))
    assert bars_of(told) == [name for name in NAMES if name != "S03"]
    assert [str(answer) for _, answer in told if isinstance(answer, base.ProviderError)] == [
        "memory: S03: nothing"
    ]
    assert len(source.asked) == 3 + 10


def test_requests_of_other_spans_are_not_joined():
    source = Source(together=10)
    list(answered(source, [*planned("A", "B"), *planned("C", first=LAST)]))
    assert source.asked == [("A", "B"), ("C",)]


def test_what_nobody_waits_for_any_more_is_not_asked():
    source = Source(at_once=2)
    told = answered(source, planned(*NAMES))
    next(told)
    told.close()
    assert len(source.asked) < len(NAMES) / 2


def test_errors_that_nobody_expects_are_raised():
    class Broken(Source):
        def fetch(self, request):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(answered(Broken(at_once=1), planned("A")))
