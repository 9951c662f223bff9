"""Which files of a version may hold rows of a scope, told by the statistics that Delta keeps of each file.

polars would find the same files itself, in five times the time: a session reads some forty small tables.
"""

from __future__ import annotations

from typing import NamedTuple

import polars as pl
from deltalake import DeltaTable

from delta.contracts import Table
from delta.existing_keys import widened
from delta.lake import Lake
from delta.scope import Scope

PLAIN = 1
"""Reader version of tables whose files hold their rows and nothing else, as those that the desk creates."""


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
    by it are read.
    """
    files = files_near(lake, handle, table, scope)
    cut = [file.address for file in files if not file.inside]
    read = scan_files(lake, cut).filter(scope.rows).select(pl.len()).collect().item() if cut else 0
    return sum(file.rows for file in files if file.inside) + int(read)


def files_near(lake: Lake, handle: DeltaTable, table: type[Table], scope: Scope) -> list[File]:
    """Files of a version that may hold rows of a scope."""
    files = pl.DataFrame(handle.get_add_actions(flatten=True))
    if files.is_empty():
        return []
    inside, outside = _sides(files.columns, table, scope)
    told = files.select("path", "num_records", inside=inside, outside=outside)
    folder = lake.table_uri(table.name)
    return [File(f"{folder}/{path}", rows, inside) for path, rows, inside, out in told.iter_rows() if not out]


def is_plain(lake: Lake, handle: DeltaTable) -> bool:
    """Whether the rows of a version are those of files in a folder, with nothing that says otherwise.

    Tables of other readers may mark rows as deleted, or name columns in another way.
    """
    return lake.path is not None and handle.protocol().min_reader_version == PLAIN


def scan_files(lake: Lake, addresses: list[str]) -> pl.LazyFrame:
    """Rows of files of a plain table."""
    return pl.scan_parquet(addresses, storage_options=lake.storage_options)


def _sides(known: list[str], table: type[Table], scope: Scope) -> tuple[pl.Expr, pl.Expr]:
    """Whether all rows of a file lie inside of a scope, and whether all lie outside, as statistics tell."""
    inside, outside = pl.lit(value=True), pl.lit(value=False)
    for name, span in scope.spans.items():
        if not {f"min.{name}", f"max.{name}", f"null_count.{name}"} <= set(known):
            inside = pl.lit(value=False)
            continue
        dtype = table.schema()[name]
        least, greatest = pl.col(f"min.{name}"), widened(pl.col(f"max.{name}"), dtype)
        covered = (pl.col(f"null_count.{name}") == 0) & pl.lit(span.whole)
        if span.first is not None:
            covered &= least >= pl.lit(span.first, dtype)
            outside |= (greatest < pl.lit(span.first, dtype)).fill_null(value=False)
        if span.last is not None:
            covered &= greatest <= pl.lit(span.last, dtype)
            outside |= (least > pl.lit(span.last, dtype)).fill_null(value=False)
        inside &= covered.fill_null(value=False)
    return inside, outside
