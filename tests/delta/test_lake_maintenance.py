"""Maintenance changes no row of any version that may still be asked for."""

from __future__ import annotations

import os
from datetime import timedelta

import polars as pl
import pytest
from lake_rows import BY, MONDAY, data_files, days, order_events, regimes
from polars.testing import assert_frame_equal

import delta
from delta import RunRecord
from delta.contracts import OrderEvents, Regimes

NOW = timedelta(0)


def versions(lake: delta.Lake, table: type[delta.Table]) -> list[pl.DataFrame]:
    newest = delta.resolve(lake, table)
    return [delta.read(lake, table, v).sort(*table.key).collect() for v in range(newest + 1)]


@pytest.fixture
def events(lake: delta.Lake) -> delta.Lake:
    """Twenty commits of one row each."""
    for i in range(20):
        delta.write(lake, OrderEvents, order_events("b", [f"{i:02d}"]), None, BY)
    return lake


def test_compaction_joins_files_and_keeps_every_version(events: delta.Lake) -> None:
    before = versions(events, OrderEvents)
    assert delta.compact(events, dry_run=True).rows() == [("order_events", 20, 20, None)]
    assert delta.resolve(events, OrderEvents) == 20
    assert delta.compact(events).rows() == [("order_events", 20, 20, 21)]
    after = versions(events, OrderEvents)
    assert len(after) == 22
    for old, new in zip([*before, before[-1]], after, strict=True):
        assert_frame_equal(old, new)
    assert delta.diff(events, OrderEvents, 20, 21).is_empty()
    assert delta.history(events, OrderEvents, 1)["asset"].to_list() == ["compaction"]
    times = delta.history(events, OrderEvents)["committed_at"]
    assert times.is_sorted(descending=True)


def test_compaction_leaves_tables_alone_that_have_few_files(events: delta.Lake) -> None:
    delta.compact(events)
    assert delta.compact(events).rows() == [("order_events", 1, 1, None)]


def test_writing_goes_on_after_compaction(events: delta.Lake) -> None:
    delta.compact(events)
    with pytest.raises(delta.ContractError, match="is not in the table already"):
        delta.write(events, OrderEvents, order_events("b", ["05"]), None, BY)
    commit = delta.write(events, OrderEvents, order_events("b", ["zz"], session=MONDAY), None, BY)
    assert commit.rows == 1
    scope = {"book": "b", "session": MONDAY}
    assert delta.write(events, OrderEvents, order_events("b", ["05"]), scope, BY).replaced == 21


def test_a_checkpoint_changes_nothing(events: delta.Lake) -> None:
    before = versions(events, OrderEvents)
    assert delta.checkpoint(events) == {"order_events": 20}
    for old, new in zip(before, versions(events, OrderEvents), strict=True):
        assert_frame_equal(old, new)


def leftover(lake: delta.Lake, name: str, days_old: float) -> None:
    file = data_files(lake, "regimes")[0]
    copy = file.with_name(name)
    copy.write_bytes(file.read_bytes())
    when = copy.stat().st_mtime - days_old * 86400
    os.utime(copy, (when, when))


@pytest.fixture
def replaced(lake: delta.Lake) -> delta.Lake:
    """Versions 1 to 6 of two rows; a run read version 2 and wrote 4, a commit names 5 as its input."""
    for i in range(1, 7):
        delta.write(lake, Regimes, regimes("b", days(2), i / 10), {"book": "b"}, BY)
    by = delta.Provenance("run-5", "orders", "1.0", inputs={"regimes": 5})
    delta.write(lake, OrderEvents, order_events("b", ["x"]), None, by)
    delta.record_run(lake, RunRecord("run-5", "signals", {"regimes": 2}, {"regimes": 4}, "1.0"))
    return lake


def test_vacuum_removes_only_what_was_never_committed(replaced: delta.Lake) -> None:
    leftover(replaced, "part-crashed.zstd.parquet", days_old=30)
    leftover(replaced, "part-running.zstd.parquet", days_old=1)
    before = versions(replaced, Regimes)
    listed = delta.vacuum(replaced)
    assert listed.rows() == [("regimes", "part-crashed.zstd.parquet", "never committed")]
    assert "part-crashed.zstd.parquet" in {file.name for file in data_files(replaced, "regimes")}
    assert delta.vacuum(replaced, dry_run=False).rows() == listed.rows()
    left = {file.name for file in data_files(replaced, "regimes")}
    assert "part-crashed.zstd.parquet" not in left
    assert "part-running.zstd.parquet" in left
    assert delta.vacuum(replaced).is_empty()
    for old, new in zip(before, versions(replaced, Regimes), strict=True):
        assert_frame_equal(old, new)
    assert delta.vacuum(replaced, older_than=NOW).height == 1


def test_vacuum_never_breaks_a_version_that_something_refers_to(replaced: delta.Lake) -> None:
    delta.vacuum(replaced, unreferenced=True, older_than=NOW, dry_run=False)
    kept = {v: delta.read(replaced, Regimes, v).collect()["bull_points"].to_list() for v in (2, 4, 5, 6)}
    assert kept == {2: [0.2] * 2, 4: [0.4] * 2, 5: [0.5] * 2, 6: [0.6] * 2}
    gone = []
    for version in (1, 3):
        with pytest.raises(FileNotFoundError):
            delta.read(replaced, Regimes, version).collect()
        gone.append(version)
    assert gone == [1, 3]


def test_young_versions_are_kept_although_no_run_is_recorded_yet(replaced: delta.Lake) -> None:
    assert delta.vacuum(replaced, unreferenced=True, older_than=timedelta(hours=1)).is_empty()
    with pytest.raises(ValueError, match="give an age"):
        delta.vacuum(replaced, older_than=timedelta(days=-1))


def test_referenced_versions_survive_compaction_and_vacuum_together(events: delta.Lake) -> None:
    delta.record_run(events, RunRecord("run-1", "place", {"order_events": 7}, {"order_events": 8}, "1.0"))
    seven, eight = (delta.read(events, OrderEvents, v).collect() for v in (7, 8))
    newest = delta.read(events, OrderEvents).collect().sort("order_ref")
    delta.compact(events)
    removed = delta.vacuum(events, ["order_events"], unreferenced=True, older_than=NOW, dry_run=False)
    assert removed.height == 12  # the files of the commits 9 to 20, which the compacted file replaces
    assert_frame_equal(delta.read(events, OrderEvents, 7).collect(), seven)
    assert_frame_equal(delta.read(events, OrderEvents, 8).collect(), eight)
    assert_frame_equal(delta.read(events, OrderEvents).collect().sort("order_ref"), newest)
