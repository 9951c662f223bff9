"""The declarations of the tables agree with themselves, and with what Delta and polars both keep."""

from __future__ import annotations

import polars as pl
import pytest

from delta import TABLES, Table
from delta.lake import delta_schema

ALLOWED = (
    pl.String(),
    pl.Int64(),
    pl.Float64(),
    pl.Boolean(),
    pl.Date(),
    pl.Datetime("us", "UTC"),
    pl.List(pl.String),
)
every_table = pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))


@every_table
def test_columns_have_one_of_seven_types_and_a_meaning(table: type[Table]) -> None:
    for name, column in table.columns().items():
        assert column.dtype in ALLOWED, name
        assert column.meaning, name
    assert table.__doc__


@every_table
def test_key_scope_sort_and_checks_name_columns(table: type[Table]) -> None:
    columns = table.columns()
    assert table.key
    assert not [name for name in table.key if columns[name].optional]
    assert set(table.scope) <= set(columns)
    assert set(table.sort) <= set(columns)
    for check in table.checks:
        assert set(check.holds.meta.root_names()) <= set(columns), check.rule
    assert len({check.rule for check in table.checks}) == len(table.checks)


@every_table
def test_checks_answer_true_or_false_for_every_row(table: type[Table]) -> None:
    empty = pl.DataFrame(schema=table.schema())
    for check in table.checks:
        assert empty.select(check.holds).dtypes == [pl.Boolean], check.rule


@every_table
def test_delta_keeps_the_schema_as_it_is(table: type[Table]) -> None:
    assert pl.Schema(delta_schema(table)) == table.schema()
    nullable = {field.name for field in delta_schema(table).fields if field.nullable}
    assert nullable == {name for name, column in table.columns().items() if column.optional}
