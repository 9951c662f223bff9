"""From an approved order to its acknowledgement: the sensor, the order job, and what disturbs them."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from assets.inputs import RefusedError
from delta import read
from delta.contracts import Fills, OrderEvents, Orders, Portfolio
from pipelines.definitions import defs
from pipelines.runs import run_market, run_session
from pipelines.sensors import approved_orders, book_files, place_runs, wait_before_try
from tests.integration.conftest import BOOK, OwnDesk, Place, demo_book, here, resource

DECIDED, NEXT = date(2012, 1, 6), date(2012, 1, 9)
AFTER_CLOSE = "2012-01-06T21:05:00+00:00"
NEXT_CLOSE = "2012-01-09T21:05:00+00:00"


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lake of a book whose first session has been decided: two entries, each with a stop and a target."""
    place = Place(tmp_path_factory.mktemp("decided"))
    place.add_book(demo_book(str(DECIDED), "2012-03-30"))
    desk = resource(place, AFTER_CLOSE)
    with (
        pytest.MonkeyPatch.context() as patch,
        here(place, patch),
        dg.DagsterInstance.ephemeral() as instance,
    ):
        run_market(desk, instance, BOOK)
        run_session(desk, instance, BOOK, DECIDED)
    return place.folder


@pytest.fixture
def paper(own_desk: OwnDesk, decided: Path) -> OwnDesk:
    """A desk of the test's own with that session decided and nothing placed."""
    place, _ = own_desk
    for folder in ("lake", "books"):
        shutil.copytree(decided / folder, place.folder / folder)
    return own_desk


def tick(own: OwnDesk, cursor: str | None = None) -> tuple[dg.SensorExecutionData, str | None]:
    """One look of the sensor, and the cursor that it leaves."""
    place, instance = own
    context = dg.build_sensor_context(
        instance,
        cursor,
        resources={"desk": resource(place, AFTER_CLOSE)},
        repository_def=defs.get_repository_def(),
    )
    found = approved_orders.evaluate_tick(context)
    return found, context.cursor


def launch(
    own: OwnDesk, request: dg.RunRequest, now: str = AFTER_CLOSE, lake: str = ""
) -> dg.ExecuteInProcessResult:
    """Run the order job as the sensor asks for it."""
    place, instance = own
    return defs.resolve_job_def("place_orders").execute_in_process(
        run_config=request.run_config,
        tags=dict(request.tags),
        instance=instance,
        resources={"desk": resource(place, now, lake)},
        raise_on_error=False,
    )


def events(own: OwnDesk) -> pl.DataFrame:
    return read(own[0].lake(), OrderEvents).sort("session", "order_ref", "sequence").collect()


def test_approved_orders_are_acknowledged_once(paper: OwnDesk) -> None:
    approved = read(paper[0].lake(), Orders, where=pl.col("status") == "approved").collect()
    assert sorted(approved["purpose"]) == ["entry"] * 2 + ["profit_target"] * 2 + ["stop_loss"] * 2
    assert events(paper).is_empty()

    asked, cursor = tick(paper)
    assert [request.tags["desk/book"] for request in asked.run_requests] == [BOOK]
    assert launch(paper, asked.run_requests[0]).success
    placed = events(paper)
    assert placed["order_ref"].to_list() == sorted(approved["order_ref"])
    assert placed["state"].unique().to_list() == ["ACKED"]
    assert placed["source"].unique().to_list() == ["broker"]

    again, cursor = tick(paper, cursor)
    assert again.run_requests == []
    assert again.skip_message == "no approved order is waiting"
    assert tick(paper, cursor)[0].skip_message == "nothing new has been approved"


def test_a_lost_cursor_and_repeated_runs_place_nothing_twice(paper: OwnDesk) -> None:
    request, twin = (tick(paper)[0].run_requests[0] for _ in range(2))
    assert request.run_key == twin.run_key, "the daemon starts one run for both"
    for each in (request, twin, request):
        assert launch(paper, each).success
    assert events(paper)["order_ref"].is_unique().all()
    assert tick(paper, None)[0].run_requests == []


def test_two_daemons_place_each_order_once(paper: OwnDesk) -> None:
    with dg.DagsterInstance.ephemeral() as other:
        first, second = tick(paper)[0].run_requests[0], tick((paper[0], other))[0].run_requests[0]
        assert launch(paper, first).success
        assert launch((paper[0], other), second).success
    assert events(paper)["order_ref"].is_unique().all()


def test_placed_orders_fill_at_the_next_open(paper: OwnDesk) -> None:
    place, instance = paper
    assert launch(paper, tick(paper)[0].run_requests[0]).success
    run_session(resource(place, NEXT_CLOSE), instance, BOOK, NEXT)
    fills = read(place.lake(), Fills).sort("symbol").collect()
    assert fills.select("session", "symbol", "purpose").rows() == [
        (NEXT, "AAPL", "entry"),
        (NEXT, "MSFT", "entry"),
    ]
    with pytest.raises(RefusedError, match="a traded session is not run again"):
        run_session(resource(place, NEXT_CLOSE), instance, BOOK, DECIDED)


def test_orders_that_were_never_placed_expire_without_a_fill(paper: OwnDesk) -> None:
    place, instance = paper
    run_session(resource(place, NEXT_CLOSE), instance, BOOK, NEXT)
    assert read(place.lake(), Fills).collect().is_empty()
    ended = events(paper)
    assert ended["state"].unique().to_list() == ["EXPIRED"]
    assert set(ended["message"]) == {"never placed", "parent cancelled"}
    cash = read(place.lake(), Portfolio).sort("session").collect()["cash"]
    assert cash.to_list() == [100_000.0, 100_000.0]


def test_orders_placed_too_late_expire(paper: OwnDesk) -> None:
    request = tick(paper)[0].run_requests[0]
    assert launch(paper, request, now="2012-01-09T21:00:01+00:00").success
    assert events(paper)["state"].unique().to_list() == ["EXPIRED"]


def test_a_failed_run_is_tried_again_later_and_later(paper: OwnDesk) -> None:
    place, instance = paper
    no_lake = place.folder / "a file"
    no_lake.write_text("not a lake", encoding="utf-8")
    request = tick(paper)[0].run_requests[0]
    assert not launch(paper, request, lake=str(no_lake)).success
    held, cursor = tick(paper)
    assert held.run_requests == []
    assert "not placed after 1 runs, the next in" in str(held.skip_message)
    assert cursor is None, "waiting orders are looked at again"

    tried = place_runs(instance, BOOK, request.tags["desk/decided_versions"])
    end = tried[0].end_time or 0.0
    assert wait_before_try(tried, end + 10) == 20
    assert wait_before_try(tried, end + 30) == 0
    assert wait_before_try(tried * 3, end + 30) == 90
    assert wait_before_try(tried * 30, end) == 1800
    assert wait_before_try([], end) == 0

    assert launch(paper, request).success, "a person may run it at once"
    assert events(paper)["state"].unique().to_list() == ["ACKED"]


def test_a_new_book_file_becomes_a_partition(own_desk: OwnDesk) -> None:
    place, instance = own_desk
    place.add_book(demo_book("2012-01-03", "2012-06-29"))
    place.add_book(demo_book("2012-01-03", "2012-06-29", name='"past"', mode='"backtest"'), "past")

    def look() -> dg.SensorExecutionData:
        return book_files.evaluate_tick(
            dg.build_sensor_context(instance, resources={"desk": resource(place)})
        )

    found = look().dynamic_partitions_requests or []
    added = {request.partitions_def_name: list(request.partition_keys) for request in found}
    assert added == {"backtest_books": [BOOK, "past"], "books": [BOOK]}
    for name, keys in added.items():
        instance.add_dynamic_partitions(name, keys)
    assert look().skip_message == "every book has its partitions"
