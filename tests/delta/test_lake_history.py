"""The commits of a table, and what differs between two of its versions."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lake_rows import BY, MONDAY, bars, data_files, days, regimes

import delta
from delta.contracts import TABLES, Bars, Regimes, Table


def test_history_names_every_commit_newest_first(lake: delta.Lake) -> None:
    by = delta.Provenance("run-9", "regimes", "1.0", "cafe", {"bars": 4})
    first = delta.write(lake, Regimes, regimes("b", days(3)), {"book": "b"}, by)
    second = delta.write(lake, Regimes, regimes("b", MONDAY), {"book": "b", "session": MONDAY}, BY)
    log = delta.history(lake, "regimes")
    assert log["version"].to_list() == [2, 1, 0]
    assert log["committed_at"].to_list()[:2] == [second.at, first.at]
    assert log["operation"].to_list() == ["WRITE", "WRITE", "CREATE TABLE"]
    assert log.row(1, named=True) | {"committed_at": None} == {
        "version": 1,
        "committed_at": None,
        "operation": "WRITE",
        "asset": "regimes",
        "run_id": "run-9",
        "code_version": "1.0",
        "config_hash": "cafe",
        "scope": "book b",
        "rows": 3,
        "inputs": '{"bars": 4}',
    }
    assert delta.history(lake, Regimes, limit=1)["version"].to_list() == [2]


def test_history_of_an_absent_table_is_empty(lake: delta.Lake) -> None:
    assert delta.history(lake, "trades").is_empty()
    assert delta.history(lake, "trades").columns == delta.history(lake, "bars").columns


def test_a_difference_names_rows_and_columns(lake: delta.Lake) -> None:
    delta.write(lake, Regimes, regimes("b", days(3), 0.1), {"book": "b"}, BY)
    changed = pl.concat(
        [
            regimes("b", MONDAY, 0.1),
            regimes("b", days(2)[1], 0.2, regime="bear"),
            regimes("b", days(5)[4], 0.5),
        ]
    )
    delta.write(lake, Regimes, changed, {"book": "b"}, BY)
    difference = delta.diff(lake, Regimes, 1, 2)
    assert difference.select("book", "session", "change", "differing").rows() == [
        ("b", days(5)[1], "changed", ["regime", "bull_points"]),
        ("b", days(5)[2], "removed", []),
        ("b", days(5)[4], "added", []),
    ]
    assert [row and row["bull_points"] for row in difference["before"]] == [0.1, 0.1, None]
    assert [row and row["bull_points"] for row in difference["after"]] == [0.2, None, 0.5]
    assert difference["before"][2] is None
    assert difference["after"][1] is None


def test_the_other_way_round_added_and_removed_change_places(lake: delta.Lake) -> None:
    delta.write(lake, Regimes, regimes("b", days(2)), {"book": "b"}, BY)
    commit = delta.write(lake, Regimes, regimes("b", days(3), 0.9), {"book": "b"}, BY)
    there = delta.diff(lake, Regimes, 1, 2)
    back = delta.diff(lake, Regimes, commit.at, commit.at - timedelta(microseconds=1))
    assert there["change"].to_list() == ["changed", "changed", "added"]
    assert back["change"].to_list() == ["changed", "changed", "removed"]
    assert there["before"].to_list() == back["after"].to_list()


def test_no_difference_between_a_version_and_itself_or_after_a_rerun(lake: delta.Lake) -> None:
    delta.write(lake, Regimes, regimes("b", days(3)), {"book": "b"}, BY)
    delta.write(lake, Regimes, regimes("b", days(3)), {"book": "b"}, BY)
    assert delta.diff(lake, Regimes, 1, 1).is_empty()
    assert delta.diff(lake, Regimes, 1, 2).is_empty()
    assert delta.diff(lake, Regimes, -1, 2)["change"].to_list() == ["added"] * 3


def test_files_that_both_versions_share_are_not_read(lake: delta.Lake) -> None:
    for day in days(3):
        delta.write(lake, Regimes, regimes("b", day), {"book": "b", "session": day}, BY)
    shared = data_files(lake, "regimes")
    before = delta.resolve(lake, Regimes)
    delta.write(lake, Regimes, regimes("c", MONDAY), {"book": "c"}, BY)
    for file in shared:
        file.unlink()  # opening it would fail
    assert delta.diff(lake, Regimes, before, before + 1).select("book", "change").rows() == [("c", "added")]


def test_lists_and_nulls_are_compared(lake: delta.Lake) -> None:
    delta.write(lake, Bars, bars(1, 2), None, BY)
    handle = bars(1, 2).with_columns(
        flags=pl.Series([["stale"], []]), known_at=pl.lit(bars(1, 1)["known_at"][0])
    )
    later = handle.with_columns(pl.col("known_at") + timedelta(days=1))
    delta.write(lake, Bars, later, None, BY)
    assert delta.diff(lake, Bars, 1, 2)["after"].struct.field("flags").to_list() == [["stale"], []]


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_every_table_can_be_compared(lake: delta.Lake, table: type[Table]) -> None:
    assert delta.diff(lake, table, -1, -1).columns == [*table.key, "change", "differing", "before", "after"]


values = st.dictionaries(st.integers(0, 7), st.sampled_from([0.1, 0.2, 0.3]), max_size=6)


@given(values, values)
@settings(max_examples=15, deadline=None)
def test_a_difference_is_that_of_two_dictionaries(tmp_path_factory, old, new) -> None:  # type: ignore[no-untyped-def]
    lake = delta.create_lake(tmp_path_factory.mktemp("lake") / "lake")
    versions = []
    for rows in (old, new):
        frames = [regimes("b", days(8)[i], value) for i, value in rows.items()]
        frame = pl.concat(frames) if frames else regimes("b", [])
        versions.append(delta.write(lake, Regimes, frame, {"book": "b"}, BY).version)
    expected = {
        days(8)[i]: "added" if i not in old else "removed" if i not in new else "changed"
        for i in sorted(old | new)
        if old.get(i) != new.get(i)
    }
    found = delta.diff(lake, Regimes, *versions)
    assert dict(found.select("session", "change").iter_rows()) == expected
