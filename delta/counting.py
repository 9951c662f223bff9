"""How many rows of a version lie in a scope, found without reading more files than statistics leave open."""

from __future__ import annotations

import polars as pl
from deltalake import DeltaTable

from delta.contracts import Table
from delta.existing_keys import widened
from delta.lake import Lake
from delta.scope import Scope


def rows_in(lake: Lake, handle: DeltaTable, table: type[Table], scope: Scope) -> int:
    """Number of rows of a version that lie in a scope.

    Files that lie wholly inside or outside of it, as nearly all do, count by their statistics; only the
    others are read.
    """
    files = pl.DataFrame(handle.get_add_actions(flatten=True))
    if files.is_empty():
        return 0
    inside, outside = _sides(files.columns, table, scope)
    told = files.select("path", "num_records", inside=inside, outside=outside)
    whole, cut = 0, []
    for path, count, is_inside, is_outside in told.iter_rows():
        if is_inside:
            whole += count
        elif not is_outside:
            cut.append(f"{lake.table_uri(table.name)}/{path}")
    return whole + (_read(lake, cut, scope) if cut else 0)


def _sides(known: list[str], table: type[Table], scope: Scope) -> tuple[pl.Expr, pl.Expr]:
    """Whether all rows of a file lie inside of a scope, and whether all lie outside, as statistics tell."""
    inside, outside = pl.lit(value=True), pl.lit(value=False)
    for name, span in scope.spans.items():
        if not {f"min.{name}", f"max.{name}", f"null_count.{name}"} <= set(known):
            inside = pl.lit(value=False)
            continue
        dtype = table.schema()[name]
        first, last = pl.lit(span.first, dtype), pl.lit(span.last, dtype)
        least, greatest = pl.col(f"min.{name}"), widened(pl.col(f"max.{name}"), dtype)
        covered = (least >= first) & (greatest <= last) & (pl.col(f"null_count.{name}") == 0)
        inside &= covered.fill_null(value=False) if span.whole else pl.lit(value=False)
        outside |= ((greatest < first) | (least > last)).fill_null(value=False)
    return inside, outside


def _read(lake: Lake, files: list[str], scope: Scope) -> int:
    rows = pl.scan_parquet(files, storage_options=lake.storage_options)
    return int(rows.filter(scope.rows).select(pl.len()).collect().item())
