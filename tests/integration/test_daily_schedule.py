"""The daily schedule: which ticks ask for which sessions of which books, over holidays and half days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from pipelines.partitions import DESK, SESSIONS
from pipelines.schedules import TICKS, after_close
from resources.calendar import sessions
from tests.integration.conftest import BOOK, OwnDesk, demo_book, tick

EXCHANGE = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("at", "session"),
    [
        pytest.param("2012-11-21 16:05", "2012-11-21", id="five past four after a full day"),
        pytest.param("2012-11-21 13:05", None, id="five past one of a full day"),
        pytest.param("2012-11-22 16:05", None, id="Thanksgiving"),
        pytest.param("2012-11-23 13:05", "2012-11-23", id="half day at five past one"),
        pytest.param("2012-11-23 16:05", None, id="half day at five past four"),
        pytest.param("2012-10-29 16:05", None, id="closed by a storm"),
        pytest.param("2012-03-12 16:05", "2012-03-12", id="first session of summer time"),
        pytest.param("2012-11-05 16:05", "2012-11-05", id="first session of winter time"),
        pytest.param("2012-12-25 13:05", None, id="Christmas"),
    ],
)
def test_a_tick_asks_for_the_session_that_has_just_closed(
    desk: OwnDesk, at: str, session: str | None
) -> None:
    desk[0].add_book(demo_book("2012-01-03", "2013-03-01"))
    found = tick(desk, after_close, datetime.fromisoformat(at).replace(tzinfo=EXCHANGE))
    asked = [(request.partition_key, request.run_key, request.job_name) for request in found.run_requests]
    wanted = [(f"{BOOK}|{session}", f"{BOOK}|{session}", None)] if session else []
    assert [item[:2] for item in asked] == [item[:2] for item in wanted]
    assert bool(found.skip_message) is (session is None)
    if session is None:
        assert found.skip_message.startswith("no session of XNYS closed at")


@pytest.mark.parametrize(
    ("first", "last"),
    [
        pytest.param(date(2012, 11, 2), date(2012, 11, 6), id="end of summer time"),
        pytest.param(date(2012, 11, 20), date(2012, 11, 27), id="Thanksgiving and the half day after it"),
        pytest.param(date(2012, 12, 21), date(2013, 1, 2), id="Christmas and New Year"),
    ],
)
def test_all_ticks_of_a_range_ask_for_each_session_once(desk: OwnDesk, first: date, last: date) -> None:
    desk[0].add_book(demo_book("2011-01-03", "2013-03-01"))
    begin, end = (datetime(day.year, day.month, day.day, tzinfo=EXCHANGE) for day in (first, last))
    ticks = takewhile(
        lambda at: at < end + timedelta(days=1),
        schedule_execution_time_iterator(begin.timestamp(), TICKS, EXCHANGE.key),
    )
    asked = [request for at in ticks for request in tick(desk, after_close, at).run_requests]
    days = sessions("XNYS", first, last)["session"]
    assert len(days) > 2
    assert [request.tags["desk/session"] for request in asked] == [day.isoformat() for day in days]
    assert all(SESSIONS.has_partition_key(request.tags["desk/session"]) for request in asked)


def test_only_books_that_trade_the_session_are_asked_for(desk: OwnDesk) -> None:
    place, _ = desk
    begin, end = "2012-01-03", "2012-06-29"
    place.add_book(demo_book(begin, end, name='"one"'), "one")
    place.add_book(demo_book(begin, end, name='"two"'), "two")
    place.add_book(demo_book(begin, end, name='"past"', mode='"backtest"'), "past")
    place.add_book(demo_book("2012-06-04", end, name='"later"'), "later")
    asked = tick(desk, after_close, datetime(2012, 6, 1, 16, 5, tzinfo=EXCHANGE)).run_requests
    assert sorted(request.tags["desk/book"] for request in asked) == ["one", "two"]
    after = tick(desk, after_close, datetime(2012, 7, 2, 16, 5, tzinfo=EXCHANGE))
    assert after.run_requests == []
    assert after.skip_message == "no paper or live book trades this session"


def test_partitions_are_the_sessions_of_the_exchange() -> None:
    keys = SESSIONS.get_partition_keys()
    last = date.fromisoformat(keys[-1])
    assert keys == [day.isoformat() for day in sessions("XNYS", date(2000, 1, 3), last)["session"]]
    today = datetime.now(UTC).date()
    assert sessions("XNYS", last, today).height <= 1, "today's session has its partition"


@pytest.mark.parametrize(
    ("session", "before"),
    [("2012-01-03", "2011-12-30"), ("2012-10-31", "2012-10-26"), ("2012-11-26", "2012-11-23")],
)
def test_the_partition_before_is_the_session_before(desk: OwnDesk, session: str, before: str) -> None:
    _, instance = desk
    instance.add_dynamic_partitions("books", [BOOK])
    found = DESK.previous().get_upstream_mapped_partitions_result_for_partitions(
        DESK.partitions.subset_with_partition_keys([f"{BOOK}|{session}"]),
        DESK.partitions,
        DESK.partitions,
        dynamic_partitions_store=instance,
    )
    assert list(found.partitions_subset.get_partition_keys()) == [f"{BOOK}|{before}"]
