"""What placing has to tell reaches people at once and once, and never stops the orders."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from assets.alerts import raise_alerts
from delta.contracts import Alerts, Deliveries
from resources.brokers.base import ConnectionFailedError
from resources.brokers.lake_journal import LakeJournal
from resources.telling import tell_alerts
from tests.resources.test_notifications import Inbox, inbox

from .conftest import Gateway
from .test_placing_safety import resting
from .test_settling import become_unresolved
from .world import NOW, PACE, SESSION, World, entry, make_world


def told_to(world: World, *servers: Inbox, **notifications: object) -> World:
    """The same world with people who are told."""
    urls = tuple(server.url for server in servers)
    settings = world.desk.notifications.model_copy(update={"urls": urls, **notifications})
    return replace(world, desk=world.desk.model_copy(update={"notifications": settings}))


def messages(server: Inbox) -> list[str]:
    return [str(payload["message"]) for _, payload in server.received]


def test_a_frozen_book_is_told_once(world: World, gateway: Gateway) -> None:
    gateway.ask("trade", symbol="MSFT", quantity=3, price=100.0)
    world.approve(entry("D1"))
    with inbox() as server:
        told = told_to(world, server)
        gateway.ask("purge")
        assert told.place().frozen
        for _ in range(2):
            told.place()
    [text] = messages(server)
    assert text.startswith("[error] frozen: the broker differs from the ledger: MSFT")
    assert world.read(Deliveries).height == 1


def test_an_order_that_becomes_unresolved_is_told_with_what_to_do(world: World, gateway: Gateway) -> None:
    become_unresolved(world, gateway)
    with inbox() as server:
        told = told_to(world, server)
        told.place()
        told.place()
    [text] = messages(server)
    assert text.startswith("[error] order D1 in AAPL is unresolved, and no new one of the book in it is sent")
    assert world.states() == {"D1": "UNRESOLVED"}
    [alert] = world.read(Alerts).iter_rows(named=True)
    assert (alert["severity"], alert["subject"]) == ("error", "D1")


def test_what_a_killed_run_has_raised_is_told_by_the_next_one(world: World) -> None:
    journal = LakeJournal(world.lake, "paper", "killed", "0", lambda: NOW)
    journal.alarm("D1", "order D1 is unresolved", "error")
    with inbox() as server:
        told = told_to(world, server)
        told.place(NOW + timedelta(minutes=1))
        told.place(NOW + timedelta(minutes=2))
        assert messages(server) == ["[error] order D1 is unresolved"]


def test_what_is_old_or_said_a_moment_ago_is_not_told(world: World) -> None:
    def raised(at: object, ref: str, message: str) -> None:
        LakeJournal(world.lake, "paper", "run", "0", lambda: at).alarm(ref, message)  # type: ignore[arg-type, return-value]

    raised(NOW - timedelta(days=3), "D1", "old")
    raised(NOW, "D1", "the same")
    raised(NOW - timedelta(days=1), "D1", "the same")
    with inbox() as server:
        told = told_to(world, server)
        [alert] = tell_alerts(told.lake, told.desk, told.book, now=NOW, run_id="run")
        assert alert.message == "the same"
        raised(NOW + timedelta(days=1), "D1", "the same")
        assert tell_alerts(told.lake, told.desk, told.book, now=NOW + timedelta(days=1), run_id="run")
        assert len(server.received) == 2


def test_a_delivery_that_fails_is_recorded_and_not_tried_again(world: World, gateway: Gateway) -> None:
    gateway.ask("trade", symbol="MSFT", quantity=3, price=100.0)
    gateway.ask("purge")
    world.approve(entry("D1"))
    with inbox(500) as server:
        told = told_to(world, server)
        outcome = told.place()
        told.place()
        assert outcome.settled
        assert len(server.received) == 1
    kinds = world.read(Alerts).sort("subject")["subject"].to_list()
    assert kinds == ["delivery to 1 (json)", "placing"]


def test_a_lake_that_takes_no_deliveries_ends_no_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    LakeJournal(world.lake, "paper", "run", "0", lambda: NOW).alarm("D1", "something")
    assert world.lake.path is not None
    (world.lake.path / "deliveries").write_text("no table")
    world.approve(resting("D1"))
    assert world.place().settled
    assert world.states() == {"D1": "ACKED"}


def test_a_broker_out_of_reach_is_told_once_a_session(tmp_path: Path) -> None:
    world = make_world(tmp_path, 1)
    with inbox() as server:
        told = told_to(world, server)
        for _ in range(2):
            with pytest.raises(ConnectionFailedError):
                told.place(patience=0.05, pace=replace(PACE, connect=0.2))
        [text] = messages(server)
    assert text.startswith("[error] orders were not placed: ")


def test_the_daily_alerts_leave_those_of_placing_and_tell_none_twice(world: World) -> None:
    world.approve(resting("D1"))
    journal = LakeJournal(world.lake, "paper", "run", "0", lambda: NOW)
    assert [intent.session for intent in journal.intents()] == [SESSION]
    journal.alarm("", "frozen: something", "error")
    raised = world.read(Alerts)
    with inbox() as server:
        told = told_to(world, server)
        told.place()
        for minutes in (0, 60):
            raise_alerts(told.lake, told.desk, told.book, SESSION, "daily", NOW + timedelta(minutes=minutes))
        assert sum("frozen: something" in text for text in messages(server)) == 1
        assert len(messages(server)) == len(set(messages(server)))
    kept = world.read(Alerts).filter(pl.col("subject") == "placing")
    assert kept.equals(raised)
