"""A whole past at once: any sequence of writes over several tables, asked for by version, time, SQL and diff.

The oracle is a list of plain dictionaries, one a commit. Upkeep may come between any two writes.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lake_rows import BY, MONDAY, days, order_events, regimes
from polars.testing import assert_frame_equal

import delta
from delta.contracts import OrderEvents, Regimes

Rows = dict[tuple[str, date], float]
TICK = timedelta(microseconds=1)


@dataclass
class Past:
    """A lake and what each of its commits should have left."""

    lake: delta.Lake
    regimes: list[Rows] = field(default_factory=lambda: [{}])
    events: list[set[str]] = field(default_factory=lambda: [set()])
    commits: list[delta.Commit] = field(default_factory=list)

    def replace(self, book: str, sessions: list[date], points: float) -> None:
        """Replace a book's rows with a range of sessions."""
        commit = delta.write(self.lake, Regimes, regimes(book, sessions, points), {"book": book}, BY)
        kept = {key: value for key, value in self.regimes[-1].items() if key[0] != book}
        self.regimes.append(kept | {(book, day): points for day in sessions})
        self.commits.append(commit)

    def append(self, refs: list[str]) -> None:
        """Append first events of orders."""
        commit = delta.write(self.lake, OrderEvents, order_events("a", refs), None, BY)
        self.events.append(self.events[-1] | set(refs))
        self.commits.append(commit)

    def at(self, when: datetime) -> tuple[Rows, set[str]]:
        """Both tables at a time, by the times of the commits."""
        versions = {"regimes": 0, "order_events": 0}
        for commit in self.commits:
            if commit.at <= when:
                versions[commit.table] = commit.version
        return self.regimes[versions["regimes"]], self.events[versions["order_events"]]


def points(frame: pl.DataFrame) -> Rows:
    return {
        (book, day): value for book, day, value in frame.select("book", "session", "bull_points").iter_rows()
    }


def made(folder: Path) -> Past:
    """Five replacements and three appends, in turns."""
    past = Past(delta.create_lake(folder / "lake"))
    past.replace("a", days(3), 0.1)
    past.append(["r1", "r2"])
    past.replace("b", days(2), 0.2)
    past.replace("a", days(2), 0.3)
    past.append(["r3"])
    past.replace("b", [], 0.0)
    past.replace("c", days(4), 0.4)
    past.append(["r4", "r5", "r6"])
    return past


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    return made(tmp_path_factory.mktemp("past"))


# ------------------------------------------------------------------------------------------ by version and time


def test_every_version_of_every_table(past: Past) -> None:
    for version, expected in enumerate(past.regimes):
        assert points(delta.read(past.lake, Regimes, version).collect()) == expected
    for version, refs in enumerate(past.events):
        assert set(delta.read(past.lake, OrderEvents, version).collect()["order_ref"]) == refs


def test_every_moment_of_both_tables(past: Past) -> None:
    """At each commit, a tick before it, and half-way to the next."""
    times = [commit.at for commit in past.commits]
    middle = [a + (b - a) / 2 for a, b in pairwise(times)]
    for when in sorted([*times, *(at - TICK for at in times), *middle, times[-1] + timedelta(days=1)]):
        rows, refs = past.at(when)
        assert points(delta.read(past.lake, Regimes, when).collect()) == rows
        assert set(delta.read(past.lake, OrderEvents, when).collect()["order_ref"]) == refs
        pins = delta.pin(past.lake, [Regimes, OrderEvents], when)
        assert points(pins.read(Regimes).collect()) == rows
        assert set(pins.read(OrderEvents).collect()["order_ref"]) == refs


def test_times_of_commits_rise_over_the_tables(past: Past) -> None:
    times = [commit.at for commit in past.commits]
    assert times == sorted(times)
    assert len(set(times)) == len(times)


# ------------------------------------------------------------------------------------------ SQL


def asked(past: Past, statement: str, **arguments: Any) -> list[tuple[Any, ...]]:
    return delta.sql(past.lake, statement, **arguments).rows()


def test_any_two_versions_in_one_statement(past: Past) -> None:
    last = len(past.regimes) - 1
    for old in range(last + 1):
        for new in range(last + 1):
            statement = f"""
                select coalesce(n.book, o.book) as book, coalesce(n.session, o.session) as session,
                       o.bull_points as before, n.bull_points as after
                from regimes@{old} o full join regimes@{new} n
                on o.book = n.book and o.session = n.session
                where o.bull_points is distinct from n.bull_points order by 1, 2
            """
            before, after = past.regimes[old], past.regimes[new]
            expected = [
                (*key, before.get(key), after.get(key))
                for key in sorted(before.keys() | after.keys())
                if before.get(key) != after.get(key)
            ]
            assert asked(past, statement) == expected


def test_a_version_of_one_table_beside_a_time_of_the_others(past: Past) -> None:
    when = past.commits[1].at
    statement = "select (select count(*) from regimes) r, (select count(*) from order_events) e"
    assert asked(past, statement, as_of=when) == [(3, 2)]
    assert asked(past, statement, as_of=when, versions={"regimes": 5}) == [(len(past.regimes[5]), 2)]
    assert asked(past, statement, versions={"order_events": 1}) == [(len(past.regimes[-1]), 2)]


TABLES_IN_SQL = {
    "join of two tables": (
        "select count(*) from regimes r join order_events e on r.book = e.book",
        lambda past: [(sum(key[0] == "a" for key in past.regimes[-1]) * len(past.events[-1]),)],
    ),
    "subquery": (
        "select max(n) from (select book, count(*) as n from regimes group by book)",
        lambda past: [(4,)],
    ),
    "alias that is a table's name": (
        "select count(*) from regimes order_events",
        lambda past: [(len(past.regimes[-1]),)],
    ),
    "quoted name": ('select count(*) from "regimes"', lambda past: [(len(past.regimes[-1]),)]),
    "table of a common table expression": (
        "with x as (select * from regimes@1) select count(*) from x",
        lambda past: [(3,)],
    ),
    "name within a string": ("select distinct 'regimes@1' from regimes@1", lambda past: [("regimes@1",)]),
}


@pytest.mark.parametrize("name", TABLES_IN_SQL)
def test_statements_over_the_tables(past: Past, name: str) -> None:
    statement, expected = TABLES_IN_SQL[name]
    assert asked(past, statement) == expected(past)


RUNTIME_ERRORS = {
    "division": ("select 1 / (count(*) - count(*)) from regimes", "Divide by zero error"),
    "cast": ("select cast(book as bigint) from regimes", "Cannot cast string"),
    "date": ("select date '2020-13-01'", "2020-13-01"),
    "aggregate of text": ("select avg(book) from regimes", "no function avg("),
    "function": ("select nothing(1)", "Invalid function 'nothing'"),
    "two rows for one value": (
        "select (select book from regimes)",
        "(in: select (select book from regimes))",
    ),
}


@pytest.mark.parametrize("name", RUNTIME_ERRORS)
def test_what_fails_while_it_runs_is_a_query_error_of_one_line(past: Past, name: str) -> None:
    statement, said = RUNTIME_ERRORS[name]
    with pytest.raises(delta.QueryError) as caught:
        delta.sql(past.lake, statement)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    for layer in ("External error", "Arrow error", "caused by", "Internal error", "bug report"):
        assert layer not in str(caught.value)


# ------------------------------------------------------------------------------------------ diff and export


def test_a_difference_applied_to_the_old_version_is_the_new_one(past: Past) -> None:
    last = len(past.regimes) - 1
    for old in range(last + 1):
        for new in range(last + 1):
            rows = dict(past.regimes[old])
            for row in delta.diff(past.lake, Regimes, old, new).to_dicts():
                key = (row["book"], row["session"])
                if row["change"] == "removed":
                    assert rows.pop(key) == row["before"]["bull_points"]
                else:
                    assert (key in rows) is (row["change"] == "changed")
                    rows[key] = row["after"]["bull_points"]
            assert rows == past.regimes[new]


def test_an_export_of_every_version(past: Past, tmp_path: Path) -> None:
    for version, expected in enumerate(past.regimes):
        for suffix in (".csv", ".parquet"):
            target = tmp_path / f"{version}{suffix}"
            assert delta.export(past.lake, Regimes, target, version) == len(expected)
        with (tmp_path / f"{version}.csv").open(encoding="utf-8") as file:
            read = {
                (row["book"], date.fromisoformat(row["session"])): float(row["bull_points"])
                for row in csv.DictReader(file)
            }
        assert read == expected
        assert points(pl.read_parquet(tmp_path / f"{version}.parquet")) == expected


def test_history_counts_what_each_commit_wrote(past: Past) -> None:
    found = delta.history(past.lake, Regimes).sort("version").to_dicts()
    written = [commit for commit in past.commits if commit.table == "regimes"]
    assert [row["version"] for row in found] == [0, *(commit.version for commit in written)]
    assert [row["rows"] for row in found[1:]] == [commit.rows for commit in written]
    assert [row["committed_at"] for row in found[1:]] == [commit.at for commit in written]
    assert [row["scope"] for row in found[1:]] == [f"book {name}" for name in ("a", "b", "a", "b", "c")]


# ------------------------------------------------------------------------------------------ any past

STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("replace"), st.sampled_from("ab"), st.integers(0, 3), st.sampled_from([0.1, 0.2, 0.9])
        ),
        st.tuples(st.just("append"), st.integers(1, 3)),
        st.tuples(st.sampled_from(["compact", "checkpoint", "vacuum"])),
    ),
    min_size=1,
    max_size=7,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_any_past_is_told_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Any, ...]]
) -> None:
    """Whatever was written and however the lake was kept in between, every version stays what it was."""
    past = Past(delta.create_lake(tmp_path_factory.mktemp("any") / "lake"))
    number = 0
    for step in steps:
        if step[0] == "replace":
            past.replace(step[1], days(step[2]), step[3])
        elif step[0] == "append":
            past.append([f"r{number + each}" for each in range(step[1])])
            number += step[1]
        elif step[0] == "vacuum":
            delta.vacuum(past.lake)
        else:
            {"compact": delta.compact, "checkpoint": delta.checkpoint}[step[0]](past.lake)
    for commit in past.commits:
        if commit.table == "regimes":
            expected = past.regimes[
                sum(one.table == "regimes" and one.at <= commit.at for one in past.commits)
            ]
            assert points(delta.read(past.lake, Regimes, commit.version).collect()) == expected
            assert points(delta.read(past.lake, Regimes, commit.at).collect()) == expected
        else:
            refs = past.events[
                sum(one.table == "order_events" and one.at <= commit.at for one in past.commits)
            ]
            assert set(delta.read(past.lake, OrderEvents, commit.version).collect()["order_ref"]) == refs
    assert points(delta.read(past.lake, Regimes).collect()) == past.regimes[-1]


def test_upkeep_of_the_whole_past_changes_no_answer(tmp_path: Path) -> None:
    past = made(tmp_path)
    before = [
        delta.read(past.lake, Regimes, version).sort("book", "session").collect() for version in range(6)
    ]
    delta.compact(past.lake)
    delta.checkpoint(past.lake)
    delta.vacuum(past.lake)
    for version, frame in enumerate(before):
        assert_frame_equal(delta.read(past.lake, Regimes, version).sort("book", "session").collect(), frame)
    test_any_two_versions_in_one_statement(past)
    past.replace("a", days(1), 0.7)
    assert points(delta.read(past.lake, Regimes).collect())["a", MONDAY] == 0.7


def test_commits_say_who_where_and_from_what(tmp_path: Path) -> None:
    lake = delta.create_lake(tmp_path / "lake")
    by = delta.Provenance("run-7", "desk/session", "1.2.3", "abc123", {"bars": 4, "orders": 0})
    delta.write(lake, Regimes, regimes("a", days(1)), {"book": "a"}, by)
    row = delta.history(lake, Regimes, 1).row(0, named=True)
    assert (row["run_id"], row["asset"], row["code_version"], row["config_hash"]) == (
        "run-7",
        "desk/session",
        "1.2.3",
        "abc123",
    )
    inputs = row["inputs"] if isinstance(row["inputs"], dict) else json.loads(row["inputs"])
    assert inputs == {"bars": 4, "orders": 0}


@pytest.mark.parametrize("zone", ["naive", "after the last", "before the first"])
def test_times_at_the_ends(past: Past, zone: str) -> None:
    if zone == "naive":
        with pytest.raises((ValueError, TypeError)):
            delta.read(past.lake, Regimes, datetime(2020, 1, 1)).collect()  # noqa: DTZ001
        return
    last, first = past.commits[-1].at + timedelta(days=999), past.commits[0].at - timedelta(days=999)
    expected = past.regimes[-1] if zone == "after the last" else {}
    when = last if zone == "after the last" else first
    assert points(delta.read(past.lake, Regimes, when).collect()) == expected
