"""Books that keep other hours than the exchange: their ticks, partitions and daily runs."""

from __future__ import annotations

from datetime import UTC, date, datetime

import dagster as dg
import polars as pl
import pytest

from delta import read
from delta.contracts import Portfolio, Positions
from pipelines.definitions import defs
from pipelines.partitions import DAILY_DESK, DESKS, WEEKDAY_DESK
from pipelines.runs import run_backtest, run_market, run_session
from pipelines.schedules import SCHEDULES
from pipelines.sensors import book_files
from tests.integration.conftest import BOOK, OwnDesk, demo_book, resource, tick

TICKERS = {schedule.name: schedule for schedule in SCHEDULES}


def asked(own: OwnDesk, schedule: str, at: datetime) -> list[tuple[str, str]]:
    """Book and session of every run that a schedule asks for at a time."""
    requests = tick(own, TICKERS[schedule], at).run_requests or []
    assert all(request.partition_key == request.run_key for request in requests)
    return [(request.tags["desk/book"], request.tags["desk/session"]) for request in requests]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("calendar", "schedule", "at", "session"),
    [
        ("24/7", "after_close_every_day", "2012-06-02 00:05", "2012-06-01"),
        ("24/7", "after_close_every_day", "2012-06-03 00:05", "2012-06-02"),
        ("24/7", "after_close_every_day", "2012-06-03 00:35", None),
        ("24/7", "after_close_every_day", "2012-06-02 23:35", None),
        ("24/7", "after_close_weekdays", "2012-06-02 00:05", None),
        ("24/7", "after_close", "2012-06-01 20:05", None),
        ("24/5", "after_close_weekdays", "2012-06-02 00:05", "2012-06-01"),
        ("24/5", "after_close_weekdays", "2012-06-03 00:05", None),
        ("XLON", "after_close_weekdays", "2012-06-01 15:35", "2012-06-01"),
        ("XLON", "after_close_weekdays", "2012-12-03 16:35", "2012-12-03"),
        ("XLON", "after_close_weekdays", "2012-12-24 12:35", "2012-12-24"),
        ("XLON", "after_close_weekdays", "2012-06-05 15:35", None),
        ("XTKS", "after_close_weekdays", "2012-06-01 06:05", "2012-06-01"),
    ],
    ids=[
        "midnight of a Friday",
        "midnight of a Saturday",
        "half an hour later",
        "before midnight",
        "not with the weekdays",
        "not with New York",
        "weekdays",
        "no weekday",
        "London in summer",
        "London in winter",
        "London on a half day",
        "London on a jubilee",
        "Tokyo",
    ],
)
def test_a_tick_asks_for_the_session_that_has_closed_on_the_books_calendar(
    desk: OwnDesk, calendar: str, schedule: str, at: str, session: str | None
) -> None:
    desk[0].add_book(demo_book("2012-01-03", "2013-03-01", calendar=f'"{calendar}"'))
    assert asked(desk, schedule, utc(at)) == ([(BOOK, session)] if session else [])


def test_a_book_gets_its_partitions_in_the_family_of_its_calendar(desk: OwnDesk) -> None:
    place, _ = desk
    for name, calendar in (("york", "XNYS"), ("clock", "24/7"), ("week", "24/5"), ("london", "XLON")):
        place.add_book(
            demo_book("2012-01-03", "2013-03-01", name=f'"{name}"', calendar=f'"{calendar}"'), name
        )
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance, resources={"desk": resource(place)})
        result = book_files(context)
    assert isinstance(result, dg.SensorResult)
    added = {
        request.partitions_def_name: sorted(request.partition_keys)
        for request in result.dynamic_partitions_requests or []
    }
    assert added == {
        "backtest_books": ["clock", "london", "week", "york"],
        "books": ["york"],
        "weekday_books": ["london", "week"],
        "every_day_books": ["clock"],
    }


def test_a_weekday_on_which_the_exchange_is_closed_is_run_and_holds_what_was_held(own_desk: OwnDesk) -> None:
    """Stocks in a book of every weekday, run as its schedule does over Thanksgiving of 2012."""
    place, instance = own_desk
    place.add_book(demo_book("2012-06-01", "2012-12-31", calendar='"24/5"'))
    desk = resource(place, now="2012-11-26T06:00:00+00:00")
    run_market(desk, instance, BOOK)
    run_backtest(desk, instance, BOOK, date(2012, 6, 1), date(2012, 11, 20))
    for day in (21, 22, 23):
        result = run_session(desk, instance, BOOK, date(2012, 11, day))
        assert result.success
        assert result.job_def.name == "daily_weekdays"
    here = pl.col("session") > date(2012, 11, 20)
    portfolio = read(place.lake(), Portfolio, where=here).sort("session").collect()
    assert portfolio["session"].to_list() == [date(2012, 11, day) for day in (21, 22, 23)]
    equity = portfolio["equity"].to_list()
    assert equity[1] == equity[0], "nothing moves while the exchange is closed"
    held = read(place.lake(), Positions, where=pl.col("session") == date(2012, 11, 22)).collect()
    assert not held["stale"].any()


def test_families_stand_side_by_side() -> None:
    graph = defs.resolve_asset_graph()
    for family in DESKS:
        assert graph.get(family.key("orders")).group_name == family.prefix
    assert {WEEKDAY_DESK.prefix, DAILY_DESK.prefix} < {family.prefix for family in DESKS}
