"""Rows said as a scope: the same as by an expression, from any mix of files, and no other file is opened."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import reduce
from operator import and_
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, TableFeatures
from hypothesis import given
from hypothesis import strategies as st
from lake_rows import BY, KNOWN, MONDAY, data_files, days, order_events, regimes
from polars.testing import assert_frame_equal

import delta
from delta import maintenance
from delta.contracts import OrderEvents, Regimes

BOOKS = ("a", "b", "long" * 20 + "a", "long" * 20 + "b")
DAYS = days(9)
INSTANTS = [KNOWN + timedelta(microseconds=700 * step) for step in range(5)]
"""Within milliseconds, to which statistics are cut."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> delta.Lake:
    """Files of one session each, files over several sessions and books, and one of them all."""
    lake = delta.create_lake(tmp_path_factory.mktemp("wanted") / "lake")
    for number, day in enumerate(DAYS):
        for part, which in ((DAYS[number:], "many"), ([day], "one")):
            rows = pl.concat(
                order_events(
                    book, [f"{number} {which} {each}"], session=each, order_id=3 * number,
                    perm_id=number if number % 2 else None, at=INSTANTS[number % 5],
                )
                for book in BOOKS[number % 3 :]
                for each in part
            )  # fmt: skip
            delta.write(lake, OrderEvents, rows, None, BY)
        if number == 4:
            maintenance.compact(lake, [OrderEvents])
    assert len(data_files(lake, "order_events")) > 8
    return lake


def wanted(column: str, values: list[Any]) -> st.SearchStrategy[tuple[str, Any]]:
    """A value, a list, or a range with one end or both, of one column."""
    one = st.sampled_from(values)
    end = st.none() | one
    ranges = st.tuples(end, end).filter(
        lambda ends: ends != (None, None) and (None in ends or ends[0] <= ends[1])
    )
    return st.tuples(st.just(column), one | st.lists(one, max_size=3) | ranges)


COLUMNS = {
    "book": [*BOOKS, "c"],
    "session": [MONDAY - timedelta(days=1), *DAYS],
    "at": [*INSTANTS, KNOWN + timedelta(microseconds=1)],
    "order_id": [0, 3, 4, 24],
    "perm_id": [1, 2, 7],
    "state": ["SENT", "ACKED"],
}


def holds(column: str, value: Any) -> pl.Expr:
    """The same said as an expression."""
    if isinstance(value, list):
        return pl.col(column).is_in(pl.Series(value, dtype=OrderEvents.schema()[column]).implode())
    if not isinstance(value, tuple):
        return pl.col(column) == value
    first, last = value
    ends = [pl.col(column) >= first] if first is not None else []
    return reduce(and_, [*ends, pl.col(column) <= last] if last is not None else ends)


@given(st.lists(st.one_of(wanted(name, values) for name, values in COLUMNS.items()), min_size=1, max_size=3))
def test_rows_by_a_scope_are_those_by_an_expression(filled: delta.Lake, asked: list[tuple[str, Any]]) -> None:
    where: Mapping[str, Any] = dict(asked)
    whole = delta.read(filled, OrderEvents).collect()
    expected = whole.filter(*(holds(name, value) for name, value in where.items()))
    found = delta.read(filled, OrderEvents, where=where).collect()
    assert_frame_equal(found, expected, check_row_order=False)
    assert found.schema == whole.schema


def test_files_that_hold_nothing_wanted_are_not_opened(lake: delta.Lake) -> None:
    for day in DAYS[:3]:
        delta.write(lake, OrderEvents, order_events("b", [f"{day}"], session=day), None, BY)
    for file in data_files(lake, "order_events"):
        if pl.read_parquet(file)["session"][0] != DAYS[1]:
            file.unlink()  # a look into it would fail
    assert delta.read(lake, OrderEvents, where={"session": DAYS[1]}).collect().height == 1
    assert delta.read(lake, OrderEvents, where={"session": DAYS[5]}).collect().is_empty()
    assert delta.read(lake, OrderEvents, where={"book": "b", "session": []}).collect().is_empty()


def test_a_table_for_other_readers_is_read_and_written_the_same(lake: delta.Lake) -> None:
    for day in DAYS[:2]:
        delta.write(lake, Regimes, regimes("b", day), {"book": "b", "session": day}, BY)
    DeltaTable(lake.table_uri("regimes")).alter.add_feature(
        TableFeatures.DeletionVectors, allow_protocol_versions_increase=True
    )
    commit = delta.write(lake, Regimes, regimes("b", DAYS[1], 0.7), {"book": "b", "session": DAYS[1]}, BY)
    assert (commit.rows, commit.replaced) == (1, 1)
    assert delta.write(lake, Regimes, regimes("b", []), {"book": "c"}, BY).version == commit.version
    found = delta.read(lake, Regimes, where={"session": (DAYS[1], None)}).collect()
    assert found["bull_points"].to_list() == [0.7]


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ({"sesion": MONDAY}, "order_events has no column sesion"),
        ({"session": "2024-01-01"}, "'2024-01-01' is no date"),
        ({"session": (None, None)}, "a range has at least one end"),
        ({"session": (DAYS[1], MONDAY)}, "2024-01-02 comes after 2024-01-01"),
        ({"at": KNOWN.replace(tzinfo=None)}, "has no time zone"),
    ],
)
def test_what_does_not_fit_the_table_is_refused(lake: delta.Lake, where: dict[str, Any], text: str) -> None:
    delta.write(lake, OrderEvents, order_events("b", ["x"]), None, BY)
    with pytest.raises(delta.ScopeError, match=text.replace("(", r"\(")):
        delta.read(lake, OrderEvents, where=where)
