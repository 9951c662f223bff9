"""SQL over the tables of a lake, read-only, at any version: ``orders`` beside ``orders@12`` in one statement.

The dialect is that of Apache DataFusion, which delta-rs brings along.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from deltalake import QueryBuilder

from delta.contracts import TABLES
from delta.errors import QueryError, suggestion
from delta.handles import handle_at
from delta.kinds import Kind
from delta.lake import Lake, contract
from delta.versions import ABSENT, resolve

if TYPE_CHECKING:
    import polars as pl
    from arro3.core import Table as ArrowTable

READING = ("select", "with", "values", "describe")
SESSION = {"datafusion.sql_parser.enable_ident_normalization": "true"}
"""Names are read in any case: those of tables and columns are all lower case."""
EXPLAINING = ("explain", "analyze", "verbose")
_QUOTED_OR_COMMENT = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
_AT = re.compile(r"\b([a-z_]+)@(\d+)\b", re.IGNORECASE)
_NAME = re.compile(r"\b([a-z_]+?)(?:_v(\d+))?\b", re.IGNORECASE)
_ARROW = {
    Kind.STRING: "Utf8View",
    Kind.INTEGER: "Int64",
    Kind.NUMBER: "Float64",
    Kind.BOOLEAN: "Boolean",
    Kind.DATE: "Date32",
    Kind.INSTANT: 'Timestamp(Microsecond, Some("UTC"))',
    Kind.STRINGS: "List(Utf8)",
}
_MISSING_TABLE = re.compile(r"table '(?:\w+\.)*([^'.]+)' not found")
_NO_FUNCTION = re.compile(r"No function matches the given name and argument types '([^']+)'")
_LAYERS = re.compile(r"^((External|Arrow|Execution|Generic \w+) error: |Error during planning: )+")
"""Names of the engine's own layers, which tell a user nothing."""
_MISSING_COLUMN = re.compile(
    r"No field named ([^\s.]+(?:\.[^\s.]+)?)\.(?:.*Valid fields are (.*))?", re.DOTALL
)


def sql(
    lake: Lake,
    statement: str,
    as_of: int | datetime | None = None,
    versions: Mapping[str, int | tuple[int, ...]] | None = None,
) -> pl.DataFrame:
    """Answer of one SELECT over the tables of a lake as a frame; see :func:`ask`."""
    return frame_of(ask(lake, statement, as_of, versions))


def ask(
    lake: Lake,
    statement: str,
    as_of: int | datetime | None = None,
    versions: Mapping[str, int | tuple[int, ...]] | None = None,
) -> ArrowTable:
    """Answer of one SELECT over the tables of a lake, as the engine gives it.

    Parameters
    ----------
    lake : Lake
        The lake.
    statement : str
        One statement that reads. Every table of the contracts can be named; one that has no rows yet is
        empty. ``orders@12`` (or ``orders_v12``) is the table at version 12.
    as_of : int, datetime or None
        Version or time of all tables that ``versions`` leaves out; None: the newest.
    versions : mapping of str to int or tuple of int, optional
        Version of a table, or several: then each can be used as ``name_v<version>``, and the plain name
        means ``as_of``.

    Returns
    -------
    arro3.core.Table
        Its columns have distinct names.

    Raises
    ------
    QueryError
        The statement cannot be parsed, names an unknown table or column, or does more than read.
    UnknownTableError, UnknownVersionError
        ``versions`` or ``as_of`` name something that does not exist.
    """
    plain = _QUOTED_OR_COMMENT.sub(" ", statement)
    _refuse_writing(plain)
    fixed = {contract(name).name: value for name, value in (versions or {}).items()}
    builder = QueryBuilder(SESSION)
    for alias, (name, version) in _tables(lake, plain, as_of, fixed).items():
        _register(builder, lake, alias, name, version)
    try:
        answer = builder.execute(_rewritten(statement)).read_all()
    except MemoryError:
        raise
    except Exception as error:  # the engine raises a bare Exception for what fails while it runs
        raise QueryError(_explained(str(error), plain)) from error
    named = answer.rename_columns(_distinct(answer.column_names))
    _refuse_intervals(named)
    return named


def frame_of(answer: ArrowTable) -> pl.DataFrame:
    """An answer in the types of the lake: no unsigned or small integers, no nanoseconds."""
    import polars as pl  # noqa: PLC0415 - an answer that is only printed needs none

    frame = pl.DataFrame(answer)
    casts = []
    for name, dtype in frame.schema.items():
        if isinstance(dtype, pl.Datetime) and dtype.time_unit != "us":
            casts.append(pl.col(name).cast(pl.Datetime("us", dtype.time_zone)))
        elif dtype.is_integer() and dtype != pl.Int64:
            casts.append(pl.col(name).cast(pl.Int64))
    return frame.with_columns(casts)


def _tables(
    lake: Lake, plain: str, as_of: int | datetime | None, fixed: Mapping[str, int | tuple[int, ...]]
) -> dict[str, tuple[str, int]]:
    """Names used in a statement, each with its table and version."""
    found: dict[str, tuple[str, int]] = {}
    used = {(m[1].lower(), m[2]) for pattern in (_AT, _NAME) for m in pattern.finditer(plain)}
    for name, version in used:
        if name not in TABLES:
            continue
        if version is not None:
            found[f"{name}_v{version}"] = (name, resolve(lake, name, int(version)))
        else:
            wanted = fixed.get(name, as_of)
            found[name] = (name, resolve(lake, name, as_of if isinstance(wanted, tuple) else wanted))
    return found


def _register(builder: QueryBuilder, lake: Lake, alias: str, name: str, version: int) -> None:
    handle = handle_at(lake, contract(name), version) if version != ABSENT else None
    if handle is not None:
        builder.register(alias, handle)
    else:
        columns = (
            f"arrow_cast(NULL, '{_ARROW[column.kind]}') AS \"{column_name}\""
            for column_name, column in contract(name).columns().items()
        )
        builder.execute(f"CREATE VIEW {alias} AS SELECT {', '.join(columns)} WHERE false")


def _refuse_writing(plain: str) -> None:
    words = [word for word in plain.replace("(", " ").split() if word.lower() not in EXPLAINING]
    if not words:
        raise QueryError("an empty statement; write a SELECT")
    if words[0].lower() not in READING:
        raise QueryError(f"{words[0]!r} is refused: a query only reads, and begins with {', '.join(READING)}")
    if ";" in plain.rstrip().rstrip(";"):
        raise QueryError("more than one statement; send one at a time")


def _rewritten(statement: str) -> str:
    """``name@12`` as ``name_v12``, outside of quotes and comments."""
    parts, end = [], 0
    for kept in _QUOTED_OR_COMMENT.finditer(statement):
        parts += [_AT.sub(r"\1_v\2", statement[end : kept.start()]), kept[0]]
        end = kept.end()
    return "".join([*parts, _AT.sub(r"\1_v\2", statement[end:])]).strip().rstrip(";")


def _explained(error: str, plain: str) -> str:
    """One line that says what is wrong and what to write instead."""
    if table := _MISSING_TABLE.search(error):
        return f"no table {table[1]!r}{suggestion(table[1], TABLES)}"
    if column := _MISSING_COLUMN.search(error):
        name = column[1].strip('"')
        fields = (each.strip().rstrip(".").rpartition(".")[2] for each in (column[2] or "").split(","))
        valid = {each.strip('"') for each in fields if each}
        return f"no column {name!r}{suggestion(name.rpartition('.')[2], valid) if valid else ''}"
    return f"{_root(error)} (in: {' '.join(plain.split())[:80]})"


def _root(error: str) -> str:
    """What the innermost layer of the engine says."""
    if unmatched := _NO_FUNCTION.search(error):
        return f"no function {unmatched[1]}"
    lines = _LAYERS.sub("", error.rpartition("caused by\n")[2].strip()).splitlines()
    return " ".join(lines[: 2 if "Did you mean" in "".join(lines[1:2]) else 1]) or "cannot be run"


def _distinct(names: list[str]) -> list[str]:
    """Names without repetition: a second ``close`` becomes ``close_2``."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return result


def _refuse_intervals(answer: ArrowTable) -> None:
    """Neither Python nor a frame has a value for them: asked for one, the libraries abort the program."""
    for name, dtype in zip(answer.column_names, answer.schema.types, strict=True):
        if "Interval(" in str(dtype):  # also inside of lists and structs
            raise QueryError(
                f"{name} is an interval of months, days and time, which is no plain value; "
                "make it text with arrow_cast(..., 'Utf8')"
            )
