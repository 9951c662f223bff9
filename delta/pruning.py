"""Which files of a version may hold rows of a scope, told by the statistics that Delta keeps of each file.

polars would find the same files itself, in many times the time: a session reads some forty small tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

import polars as pl
from deltalake import DeltaTable

from delta.contracts import Table
from delta.lake import Lake
from delta.scope import Scope, Span

PLAIN = 1
"""Reader version of tables whose files hold their rows and nothing else, as those that the desk creates."""
FIGURES = ("min", "max", "null_count")
"""What Delta keeps of the columns of a file."""
CUT = timedelta(milliseconds=1)
"""Delta cuts the statistics of times to milliseconds, the greatest too."""
Side = Literal["inside", "cut", "outside"]
"""Where the rows of a file lie."""


class File(NamedTuple):
    """A file of which at least one row may lie in a scope.

    Attributes
    ----------
    address : str
        Path or URL.
    rows : int
        Number of its rows.
    inside : bool
        Whether every row lies in the scope.
    """

    address: str
    rows: int
    inside: bool


def scan(lake: Lake, handle: DeltaTable, table: type[Table], scope: Scope) -> pl.LazyFrame:
    """Rows of a version that lie in a scope; other files than those near it are not opened."""
    if not is_plain(lake, handle):
        return pl.scan_delta(handle).filter(scope.rows)
    files = files_near(lake, handle, table, scope)
    if not files:
        return pl.LazyFrame(schema=table.schema())
    return scan_files(lake, [file.address for file in files]).filter(scope.rows)


def rows_in(lake: Lake, handle: DeltaTable, table: type[Table], scope: Scope) -> int:
    """Number of rows of a version that lie in a scope.

    Files that lie wholly inside of it, as nearly all do, count by their statistics; only those that are cut
    by it are read. In a table that is not plain they do not tell: its rows are counted.
    """
    if not is_plain(lake, handle):
        return _count(scan(lake, handle, table, scope)) if handle.count() else 0
    files = files_near(lake, handle, table, scope)
    cut = [file.address for file in files if not file.inside]
    read = _count(scan_files(lake, cut).filter(scope.rows)) if cut else 0
    return sum(file.rows for file in files if file.inside) + read


def files_near(lake: Lake, handle: DeltaTable, table: type[Table], scope: Scope) -> list[File]:
    """Files of a version that may hold rows of a scope."""
    files = pl.DataFrame(handle.get_add_actions(flatten=True))
    if files.is_empty():
        return []
    folder = lake.table_uri(table.name)
    paths, counts = files.get_column("path"), files.get_column("num_records")
    return [
        File(f"{folder}/{path}", rows, side == "inside")
        for path, rows, side in zip(paths, counts, sides(files, scope.spans), strict=True)
        if side != "outside"
    ]


def sides(files: pl.DataFrame, spans: Mapping[str, Span]) -> list[Side]:
    """Whether all rows of a file lie within spans, or none does, as far as its statistics tell.

    Parameters
    ----------
    files : polars.DataFrame
        What Delta keeps of the files of a version, a row each.
    spans : mapping of str to Span
        Values wanted by column.
    """
    known = {
        name: files.get_column(name).to_list()
        for name in (f"{figure}.{column}" for column in spans for figure in FIGURES)
        if name in files.columns
    }
    return [_side(known, place, spans) for place in range(files.height)]


def is_plain(lake: Lake, handle: DeltaTable) -> bool:
    """Whether the rows of a version are those of files in a folder, with nothing that says otherwise.

    Tables of other readers may mark rows as deleted, or name columns in another way.
    """
    return lake.path is not None and handle.protocol().min_reader_version == PLAIN


def scan_files(lake: Lake, addresses: list[str]) -> pl.LazyFrame:
    """Rows of data files of a table, all that they hold."""
    return pl.scan_parquet(addresses, storage_options=lake.storage_options)


def _count(rows: pl.LazyFrame) -> int:
    return int(rows.select(pl.len()).collect().item())


def _side(columns: Mapping[str, Sequence[Any]], place: int, spans: Mapping[str, Span]) -> Side:
    inside = True
    for name, span in spans.items():
        least, greatest, nulls = (
            columns[key][place] if key in columns else None
            for key in (f"{figure}.{name}" for figure in FIGURES)
        )
        if least is None or greatest is None:
            inside = False
            continue
        if isinstance(greatest, datetime):
            greatest += CUT
        first, last, whole = span
        if (first is not None and greatest < first) or (last is not None and least > last):
            return "outside"
        above, below = first is None or least >= first, last is None or greatest <= last
        inside = inside and whole and nulls == 0 and above and below
    return "inside" if inside else "cut"
