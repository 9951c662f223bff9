"""Runs and events in Dagster's own files, with connections that stay open."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from pipelines.cli.ui import INSTANCE
from pipelines.storage import KEPT, TEMPLATE

Home = Callable[..., dg.DagsterInstance]


@dg.asset
def price() -> dg.MaterializeResult[int]:
    """Something to materialise."""
    return dg.MaterializeResult(value=1, metadata={"rows": 3})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Open a home with the desk's storage, or with Dagster's own."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))

    def opened(*, ours: bool = True) -> dg.DagsterInstance:
        text = INSTANCE.read_text(encoding="utf-8") if ours else "telemetry:\n  enabled: false\n"
        (tmp_path / "dagster.yaml").write_text(text, encoding="utf-8")
        return dg.DagsterInstance.get()

    return opened


def run(instance: dg.DagsterInstance) -> str:
    done = dg.materialize([price], instance=instance)
    assert done.success
    return done.run_id


def told(instance: dg.DagsterInstance, run_id: str) -> list[tuple[str, str]]:
    """Events of a run, in order."""
    events = [entry.dagster_event for entry in instance.all_logs(run_id)]
    return [(event.event_type_value, event.step_key or "") for event in events if event]


def latest(instance: dg.DagsterInstance) -> str:
    event = instance.get_latest_materialization_event(dg.AssetKey("price"))
    assert event is not None
    return event.run_id


@pytest.mark.parametrize("first", [True, False], ids=["ours first", "Dagster's first"])
def test_a_home_goes_from_one_storage_to_the_other_and_back(home: Home, first: bool) -> None:
    runs: list[str] = []
    seen: dict[str, list[tuple[str, str]]] = {}
    for ours in (first, not first, first):
        with home(ours=ours) as instance:
            runs.append(run(instance))
            seen[runs[-1]] = told(instance, runs[-1])
            assert {each.run_id for each in instance.get_runs()} == {*runs}
            assert {run_id: told(instance, run_id) for run_id in runs} == seen
            assert latest(instance) == runs[-1]
            assert instance.get_materialized_partitions(dg.AssetKey("price")) == set()
    assert len({str(sorted(events)) for events in seen.values()}) == 1
    assert ("ASSET_MATERIALIZATION", "price") in seen[runs[0]]


def test_two_that_have_a_home_open_see_what_the_other_does(home: Home) -> None:
    with home() as one, home() as other:
        first, second = run(one), run(other)
        assert told(other, first) == told(one, first) != []
        assert told(one, second) == told(other, second)
        assert latest(one) == latest(other) == second
        one.add_dynamic_partitions("books", ["a"])
        assert other.get_dynamic_partitions("books") == ["a"]
        one.delete_run(first)
        assert [each.run_id for each in other.get_runs()] == [second]
        assert told(other, first) == []


def test_more_runs_than_stay_open(home: Home) -> None:
    with home() as instance:
        runs = [run(instance) for _ in range(KEPT + 2)]
        events = [told(instance, run_id) for run_id in runs]
    assert len({str(each) for each in events}) == 1


def test_a_page_that_watches_a_run_is_told_of_events_that_another_process_stores(home: Home) -> None:
    with home() as page, home() as worker:
        job = dg.define_asset_job("job").resolve(
            asset_graph=dg.Definitions(assets=[price]).resolve_asset_graph()
        )
        started = worker.create_run_for_job(job)
        told_of, ended = [], threading.Event()

        def callback(entry: dg.EventLogEntry, _: str) -> None:
            told_of.append(entry.run_id)
            ended.set()

        page.watch_event_logs(started.run_id, None, callback)
        worker.report_engine_event("something happens", started)
        assert ended.wait(30), "the page was not told"
        assert set(told_of) == {started.run_id}
        page.end_watch_event_logs(started.run_id, callback)


def test_a_home_that_was_wiped_begins_anew(home: Home, tmp_path: Path) -> None:
    with home() as instance:
        gone = run(instance)
        instance.wipe()
        assert told(instance, gone) == []
        assert instance.get_runs() == []
        again = run(instance)
        assert latest(instance) == again
        assert told(instance, again)
    assert (tmp_path / "history" / "runs" / TEMPLATE).is_file()
    left = {path.name.partition(".db")[2] for path in (tmp_path / "history" / "runs").glob("*.db*")}
    assert left <= {""}, "files are closed and nothing unfinished is left"
