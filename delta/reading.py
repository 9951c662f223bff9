"""Reading: every frame comes from one version of a table, and a time is resolved to versions first.

Before its first commit a table reads as empty (version -1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl
from deltalake import DeltaTable

from delta.contracts import Table
from delta.errors import UnknownVersionError
from delta.handles import handle_at, newest_handle
from delta.lake import Lake, contract
from delta.pruning import is_plain, scan, scan_files
from delta.scope import Scope
from delta.versions import ABSENT, resolve

Where = pl.Expr | Mapping[str, Any]
"""Rows wanted: an expression, or column to value, list of values or range."""


@dataclass(frozen=True)
class Pins:
    """Versions that every read of a run goes to.

    Attributes
    ----------
    lake : Lake
        The lake.
    versions : mapping of str to int
        Version of each table; -1 for one that did not exist.
    """

    lake: Lake
    versions: Mapping[str, int] = field(hash=False)

    def read(
        self, table: type[Table] | str, where: Where | None = None, columns: Sequence[str] | None = None
    ) -> pl.LazyFrame:
        """Rows of a pinned table; see :func:`read`.

        Raises
        ------
        UnknownVersionError
            The table was not pinned.
        """
        name = contract(table).name
        if name not in self.versions:
            raise UnknownVersionError(f"{name} is not pinned; pinned are {', '.join(sorted(self.versions))}")
        return read(self.lake, table, self.versions[name], where, columns)


def read(
    lake: Lake,
    table: type[Table] | str,
    as_of: int | datetime | None = None,
    where: Where | None = None,
    columns: Sequence[str] | None = None,
) -> pl.LazyFrame:
    """Rows of a table at one version, as a lazy frame.

    Parameters
    ----------
    lake : Lake
        Lake to read from.
    table : type of Table or str
        Table by contract or name.
    as_of : int, datetime or None
        Version, time (with a zone) or None for the newest version at the time of this call.
    where : mapping or polars.Expr, optional
        Rows wanted: column to a value, a list of values or a (first, last) range, as the scope of a write;
        or any expression, which takes longer to prepare. An end of a range may be None; an empty list wants
        no rows. Files and row groups whose statistics rule it out are not read.
    columns : sequence of str, optional
        Columns wanted; others are not read.

    Returns
    -------
    polars.LazyFrame
        Pinned: later commits do not change what it collects.

    Raises
    ------
    UnknownTableError, UnknownVersionError
        No such table or version.
    ScopeError
        The mapping does not fit the table.
    """
    known = contract(table)
    handle = _pinned(lake, known, as_of)
    rows = pl.LazyFrame(schema=known.schema()) if handle is None else _rows(lake, known, handle, where)
    return rows.select(columns) if columns is not None else rows


def pin(lake: Lake, tables: Iterable[type[Table] | str], as_of: int | datetime | None = None) -> Pins:
    """Resolve a time (None: now) to one version for each table."""
    return Pins(lake, {contract(table).name: resolve(lake, table, as_of) for table in tables})


def _rows(lake: Lake, table: type[Table], handle: DeltaTable, where: Where | None) -> pl.LazyFrame:
    if isinstance(where, Mapping):
        if any(values in ([], set()) for values in where.values()):
            return pl.LazyFrame(schema=table.schema())
        return scan(lake, handle, table, Scope.wanted(table, where))
    files = handle.file_uris()
    # Statistics tell files apart: they are of no use where all are wanted, or where there is one. Without
    # them a read takes half the time, and polars does not import pyarrow, which outlasts most commands.
    by_files = files and is_plain(lake, handle) and (where is None or len(files) == 1)
    rows = scan_files(lake, files) if by_files else pl.scan_delta(handle)
    return rows if where is None else rows.filter(where)


def _pinned(lake: Lake, table: type[Table], as_of: int | datetime | None) -> DeltaTable | None:
    if as_of is None:
        return newest_handle(lake, table)
    version = resolve(lake, table, as_of)
    return None if version == ABSENT else handle_at(lake, table, version)
