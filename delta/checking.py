"""The contract check: what a frame must be before a row of it may enter a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import polars as pl

from delta.contracts import Check, Table
from delta.kinds import Kind

SHOWN = 3
"""Rows that a violation shows."""


@dataclass(frozen=True)
class Violation:
    """One broken rule.

    Attributes
    ----------
    rule : str
        The rule.
    count : int
        Rows that break it; 0 where the rule is about the frame as a whole.
    rows : list of dict
        The first such rows: the key and the columns that the rule looks at.
    """

    rule: str
    count: int = 0
    rows: tuple[dict[str, Any], ...] = ()

    def __str__(self) -> str:
        if not self.count:
            return self.rule
        shown = ", ".join(
            "{" + ", ".join(f"{k}: {_brief(v)}" for k, v in row.items()) + "}" for row in self.rows
        )
        noun = "row" if self.count == 1 else "rows"
        return f"{self.rule} is broken in {self.count} {noun}, first {shown}"


class ContractError(ValueError):
    """A frame breaks the contract of its table; nothing was written.

    Attributes
    ----------
    table : str
        Name of the table.
    violations : tuple of Violation
        Every broken rule with its count and first rows.
    """

    def __init__(self, table: str, violations: tuple[Violation, ...]) -> None:
        self.table = table
        self.violations = violations
        super().__init__(f"{table}: nothing written: " + "; ".join(map(str, violations)))


def conform(table: type[Table], frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with the columns in the order of the contract, nothing else changed.

    Raises
    ------
    ContractError
        Columns missing, unknown or of another type, nulls in required columns, NaN, a broken check, or
        rows that share a key. Nothing is cast.
    """
    found = violations(table, frame)
    if found:
        raise ContractError(table.name, found)
    in_order = [*table.columns()]
    return frame if frame.columns == in_order else frame.select(in_order)


def violations(table: type[Table], frame: pl.DataFrame) -> tuple[Violation, ...]:
    """Every rule of the contract that a frame breaks."""
    structural = tuple(_structural(table, frame))
    if structural or frame.is_empty():
        return structural
    return (*_broken_rows(table, frame), *repeated_keys(table, frame))


def rules(table: type[Table]) -> tuple[Check, ...]:
    """Rules for single rows: nulls, NaN, then the checks of the contract."""
    columns = table.columns()
    required = (_not_null(name) for name in _required(table))
    elements = (_no_null_in(name) for name, column in columns.items() if column.kind is Kind.STRINGS)
    numbers = (_not_nan(name) for name, column in columns.items() if column.kind is Kind.NUMBER)
    return (*required, *elements, *numbers, *table.checks)


def _required(table: type[Table]) -> list[str]:
    return [name for name, column in table.columns().items() if not column.optional]


def _not_null(name: str) -> Check:
    return Check(f"{name} is not null", lambda col: col(name).is_not_null())


def _no_null_in(name: str) -> Check:
    return Check(f"{name} holds no null", lambda col: ~col(name).list.contains(None))


def _not_nan(name: str) -> Check:
    return Check(f"{name} is not NaN", lambda col: col(name).is_not_nan())


def repeated_keys(table: type[Table], frame: pl.DataFrame) -> Iterator[Violation]:
    """Rows of a frame that share a key."""
    if frame.height < 2:
        return
    keys = frame.select(table.key)
    # Different hashes mean different keys, ten times faster; only equal ones need a look at the keys.
    if keys.hash_rows().n_unique() == keys.height:
        return
    distinct = keys.n_unique()
    if distinct < keys.height:
        first = keys.filter(keys.is_duplicated()).unique(maintain_order=True)
        yield Violation(
            f"key ({', '.join(table.key)}) is unique",
            keys.height - distinct,
            tuple(first.head(SHOWN).to_dicts()),
        )


def _structural(table: type[Table], frame: pl.DataFrame) -> Iterator[Violation]:
    expected, given = table.schema(), frame.schema
    missing = [name for name in expected if name not in given]
    unknown = [name for name in given if name not in expected]
    if missing:
        yield Violation(f"columns missing: {', '.join(missing)}")
    if unknown:
        yield Violation(f"columns not in the contract: {', '.join(unknown)}")
    for name, dtype in expected.items():
        if name in given and given[name] != dtype:
            yield Violation(f"{name} is {given[name]}, must be {dtype} (nothing is cast silently)")


def _broken_rows(table: type[Table], frame: pl.DataFrame) -> Iterator[Violation]:
    nulls = frame.null_count().row(0, named=True)
    further = _broken(table)  # type: ignore[arg-type]  # a class is hashable
    counts = (
        *(nulls[name] for name in _required(table)),
        *(frame.select(further).row(0) if further else ()),
    )
    for check, count in zip(rules(table), counts, strict=True):
        if count:
            shown = dict.fromkeys((*table.key, *check.holds.meta.root_names()))
            first = frame.lazy().filter(~check.holds).head(SHOWN).select(*shown).collect()
            yield Violation(check.rule, int(count), tuple(first.to_dicts()))


@cache
def _broken(table: type[Table]) -> list[pl.Expr]:
    """Number of rows that break each rule other than those on nulls, which counts as in order here."""
    further = rules(table)[len(_required(table)) :]
    return [(~check.holds).sum().alias(str(place)) for place, check in enumerate(further)]


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."
