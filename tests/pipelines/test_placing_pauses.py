"""When the sensor tries again to place orders: never beside a run, later and later after failures."""

from __future__ import annotations

import pytest
from dagster import DagsterRun, DagsterRunStatus, RunRecord
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sensors import FIRST_PAUSE, LONGEST_PAUSE, place_request, wait_before_try

ENDED = 1_000_000.0
DONE, FAILED, CANCELED = DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED
UNFINISHED = [
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
    DagsterRunStatus.MANAGED,
]


def run(status: DagsterRunStatus, ended: float | None = ENDED) -> RunRecord:
    """A run of the order job as the instance keeps it."""
    from datetime import UTC, datetime

    at = datetime.fromtimestamp(ENDED, UTC)
    return RunRecord(1, DagsterRun("place_orders", status=status), at, at, ENDED - 5, ended)


def test_the_first_try_waits_for_nothing() -> None:
    assert wait_before_try([], ENDED) == 0.0


@pytest.mark.parametrize("status", UNFINISHED, ids=lambda status: status.value)
def test_no_run_is_asked_for_beside_another(status: DagsterRunStatus) -> None:
    assert wait_before_try([run(status, None)], ENDED + 10_000) is None
    assert wait_before_try([run(status, None), run(FAILED)], ENDED + 10_000) is None


@pytest.mark.parametrize(
    ("failures", "pause"),
    [(1, 30), (2, 60), (3, 120), (4, 240), (5, 480), (6, 960), (7, 1800), (8, 1800), (60, 1800)],
)
def test_the_pause_doubles_up_to_half_an_hour(failures: int, pause: float) -> None:
    tried = [run(FAILED)] * failures
    assert wait_before_try(tried, ENDED) == pause
    assert wait_before_try(tried, ENDED + pause - 1) == 1
    assert wait_before_try(tried, ENDED + pause) == 0
    assert wait_before_try(tried, ENDED + pause + 1e6) == 0


def test_a_canceled_run_counts_as_a_failure_and_a_success_ends_the_row() -> None:
    assert wait_before_try([run(CANCELED), run(FAILED)], ENDED) == 60
    assert wait_before_try([run(FAILED), run(DONE), run(FAILED), run(FAILED)], ENDED) == 30
    assert wait_before_try([run(DONE), run(FAILED), run(FAILED)], ENDED) == FIRST_PAUSE


def test_a_run_without_an_end_waits_from_now() -> None:
    assert wait_before_try([run(FAILED, None)], ENDED) == FIRST_PAUSE


@given(
    statuses=st.lists(st.sampled_from([DONE, FAILED, CANCELED]), min_size=1, max_size=12),
    late=st.floats(min_value=0, max_value=1e5),
)
def test_the_wait_is_bounded_and_falls_as_time_passes(statuses: list[DagsterRunStatus], late: float) -> None:
    tried = [run(status) for status in statuses]
    first, later = wait_before_try(tried, ENDED), wait_before_try(tried, ENDED + late)
    assert first is not None
    assert later is not None
    assert FIRST_PAUSE <= first <= LONGEST_PAUSE
    assert later == pytest.approx(max(0.0, first - late))


def test_requests_of_one_try_are_one_run_and_those_of_another_are_not() -> None:
    same = [place_request("b", "7-9", 0).run_key for _ in range(3)]
    assert len(set(same)) == 1
    others = {
        place_request(book, decided, tries).run_key
        for book in ("b", "c")
        for decided in ("7-9", "7-10")
        for tries in (0, 1)
    }
    assert len(others) == 8
    asked = place_request("b", "7-9", 2)
    assert asked.run_config == {"ops": {"place_approved_orders": {"config": {"book": "b"}}}}
    assert asked.tags == {"desk/book": "b", "desk/decided_versions": "7-9"}
