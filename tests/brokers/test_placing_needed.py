"""When a book's orders ask for a run of placing."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from resources.brokers.halts import set_halt
from resources.brokers.needs import places_at_broker, placing_needed, sweep_due
from trading.book import BookConfig

from .conftest import Gateway
from .world import NOW, World, entry, paper_book

LIMIT = {"order_type": "limit", "limit_price": 95.0, "time_in_force": "gtc"}


def test_new_orders_then_nothing_then_the_sweep_after_the_close(world: World, gateway: Gateway) -> None:
    world.approve(entry("D1", **LIMIT))
    assert placing_needed(world.lake, world.book, NOW) == "new"
    world.place()
    assert placing_needed(world.lake, world.book, NOW + timedelta(minutes=1)) == ""
    evening = NOW + timedelta(hours=6)
    assert placing_needed(world.lake, world.book, evening) == "sweep"
    world.place(now=evening)
    assert placing_needed(world.lake, world.book, evening + timedelta(minutes=1)) == ""


def test_a_book_without_orders_is_looked_at_after_each_close_and_before_midnight(world: World) -> None:
    assert placing_needed(world.lake, world.book, NOW) == "sweep", "it has decided a session"
    for hours in (0, 6, 13):  # by day, after the close, late in the gateway's evening
        now = NOW + timedelta(hours=hours)
        assert placing_needed(world.lake, world.book, now) == "sweep"
        assert world.place(now=now).settled
        assert placing_needed(world.lake, world.book, now + timedelta(minutes=1)) == ""
    assert placing_needed(world.lake, paper_book("not_yet_begun"), NOW) == ""


def test_doubt_asks_until_it_is_resolved(world: World, gateway: Gateway) -> None:
    world.approve(entry("D1", **LIMIT))
    gateway.ask("fault", name="drop_before_ack")
    gateway.ask("fault", name="no_open_orders_end", skip=1, times=-1)
    world.place(patience=0.5)
    assert placing_needed(world.lake, world.book, NOW) == "doubt"
    gateway.ask("faults", clear=True)
    world.place()
    assert placing_needed(world.lake, world.book, NOW + timedelta(minutes=1)) == ""


def test_a_halted_book_asks_for_cancels_only(world: World, gateway: Gateway) -> None:
    world.approve(entry("D1", **LIMIT))
    set_halt(world.lake, "paper", "stop", "me", NOW)
    world.place()
    assert placing_needed(world.lake, world.book, NOW) == ""
    world.approve(entry("DM", kind="modify", target_ref="D1", limit_price=999.0))
    assert placing_needed(world.lake, world.book, NOW) == "", "a change that adds risk waits"
    world.approve(entry("DC", kind="cancel", target_ref="D1"))
    assert placing_needed(world.lake, world.book, NOW) == "new"


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-20T16:00+00:00", "2026-11-20T04:10+00:00"),  # by day: last night's
        ("2026-11-20T21:30+00:00", "2026-11-20T21:00+00:00"),  # after the close
        ("2026-11-21T04:20+00:00", "2026-11-21T04:10+00:00"),  # before the gateway's midnight
    ],
)
def test_when_the_broker_must_have_been_looked_at(now: str, due: str) -> None:
    assert sweep_due(paper_book(), datetime.fromisoformat(now)) == datetime.fromisoformat(due)


def test_which_books_trade_at_a_gateway() -> None:
    book = paper_book()
    assert places_at_broker(book)
    content = book.model_dump(by_alias=True)
    assert not places_at_broker(BookConfig.model_validate(content | {"mode": "backtest"}))
    assert not places_at_broker(BookConfig.model_validate(content | {"placement": {}}))
