"""The scope of a write or a read: rows of a table, said once for delta-rs and once for polars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import reduce
from operator import and_
from typing import Any, NamedTuple

import polars as pl

from delta.contracts import Table
from delta.errors import ScopeError

_PYTHON_TYPES: dict[type[pl.DataType], tuple[type, ...]] = {
    pl.String: (str,),
    pl.Int64: (int,),
    pl.Float64: (float, int),
    pl.Boolean: (bool,),
    pl.Date: (date,),
    pl.Datetime: (datetime,),
}


class Span(NamedTuple):
    """Values of one column that belong to a scope.

    Attributes
    ----------
    first, last : object
        Least and greatest of them; None where there is no such bound.
    whole : bool
        Whether everything between the two belongs to it, too; not for a list of several values.
    """

    first: Any
    last: Any
    whole: bool


@dataclass(frozen=True)
class Scope:
    """Rows that a write replaces, or that a read wants.

    Attributes
    ----------
    predicate : str
        The rows as SQL, for delta-rs.
    rows : polars.Expr
        The same rows as an expression.
    text : str
        The same rows for a person and for the commit metadata.
    spans : mapping of str to Span
        Least and greatest value by column that the scope restricts.
    """

    predicate: str
    rows: pl.Expr
    text: str
    spans: Mapping[str, Span]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the scope restricts."""
        return tuple(self.spans)

    @classmethod
    def of(cls, table: type[Table], values: Mapping[str, Any]) -> Scope:
        """Scope of a table from a mapping of column to value, list of values or (first, last).

        Either end of a range may be None: it then has no bound there.

        Raises
        ------
        ScopeError
            The table only appends, a column is no scope column of it, or a value has another type.
        """
        _refuse_columns(table, values)
        return cls.wanted(table, values)

    @classmethod
    def wanted(cls, table: type[Table], values: Mapping[str, Any]) -> Scope:
        """Rows of a table to read, by any of its columns.

        Raises
        ------
        ScopeError
            The table has no such column, or a value has another type.
        """
        strangers = [name for name in values if name not in table.schema()]
        if strangers:
            raise ScopeError(f"{table.name} has no column {', '.join(strangers)}")
        parts = {name: _part(table, name, value) for name, value in values.items()}
        return cls(
            predicate=" AND ".join(predicate for predicate, _, _ in parts.values()),
            rows=reduce(and_, (rows for _, rows, _ in parts.values())),
            text=", ".join(f"{name} {_said(value)}" for name, value in values.items()),
            spans={name: span for name, (_, _, span) in parts.items()},
        )

    def refuse_outside(self, table: type[Table], frame: pl.DataFrame) -> None:
        """Refuse a frame that has rows outside of the scope."""
        outside = frame.filter(~self.rows)
        if outside.height:
            shown = outside.select(*dict.fromkeys((*self.columns, *table.key))).head(3).to_dicts()
            raise ScopeError(
                f"{table.name}: nothing written: {outside.height} rows lie outside of the scope "
                f"({self.text}), first {', '.join(map(str, shown))}"
            )


def _refuse_columns(table: type[Table], values: Mapping[str, Any]) -> None:
    if not table.scope:
        raise ScopeError(f"{table.name}: rows are only appended; write with scope None")
    if not values:
        raise ScopeError(f"{table.name}: an empty scope; name at least one of {', '.join(table.scope)}")
    strangers = [name for name in values if name not in table.scope]
    if strangers:
        raise ScopeError(
            f"{table.name}: {', '.join(strangers)} cannot be a scope; use {', '.join(table.scope)}"
        )


def _part(table: type[Table], name: str, value: Any) -> tuple[str, pl.Expr, Span]:
    dtype = table.schema()[name]
    if isinstance(value, tuple):
        if len(value) != 2:
            raise ScopeError(f"{table.name}: scope {name}: a range is (first, last), got {len(value)} values")
        return _range(table, name, *value)
    several = sorted(set(value)) if isinstance(value, (list, set, frozenset)) else [value]
    if not several:
        raise ScopeError(f"{table.name}: scope {name}: an empty list names no rows")
    literals = [_literal(table, name, dtype, each) for each in several]
    span = Span(several[0], several[-1], whole=len(several) == 1)
    if span.whole:
        return f"{name} = {literals[0]}", pl.col(name) == pl.lit(several[0], dtype), span
    listed = pl.col(name).is_in(pl.Series(several, dtype=dtype).implode())
    return f"{name} IN ({', '.join(literals)})", listed, span


def _range(table: type[Table], name: str, first: Any, last: Any) -> tuple[str, pl.Expr, Span]:
    dtype, column = table.schema()[name], pl.col(name)
    bounds = [
        (f"{name} {sign} {_literal(table, name, dtype, bound)}", holds(pl.lit(bound, dtype)))
        for sign, holds, bound in ((">=", column.ge, first), ("<=", column.le, last))
        if bound is not None
    ]
    if not bounds:
        raise ScopeError(f"{table.name}: scope {name}: a range has at least one end")
    if len(bounds) == 2 and first > last:
        raise ScopeError(f"{table.name}: scope {name}: {first} comes after {last}")
    predicate = f"({' AND '.join(text for text, _ in bounds)})"
    return predicate, reduce(and_, (rows for _, rows in bounds)), Span(first, last, whole=True)


def _literal(table: type[Table], name: str, dtype: pl.DataType, value: Any) -> str:
    wanted = _PYTHON_TYPES[type(dtype)]
    fits = isinstance(value, wanted) and isinstance(value, bool) == (wanted == (bool,))
    if not fits or (wanted == (date,) and isinstance(value, datetime)):
        raise ScopeError(
            f"{table.name}: scope {name}: {value!r} is no {' or '.join(t.__name__ for t in wanted)}"
        )
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ScopeError(f"{table.name}: scope {name}: {value} has no time zone")
        utc = value.astimezone(UTC).isoformat(timespec="microseconds")
        return f"arrow_cast('{utc}', 'Timestamp(Microsecond, Some(\"UTC\"))')"
    return f"DATE '{value.isoformat()}'" if isinstance(value, date) else str(value).lower()


def _said(value: Any) -> str:
    if isinstance(value, tuple):
        return "..".join("" if bound is None else str(bound) for bound in value)
    if isinstance(value, (list, set, frozenset)):
        several = sorted(map(str, value))
        return " or ".join(several[:5]) + (f" or {len(several) - 5} more" if len(several) > 5 else "")
    return str(value)
