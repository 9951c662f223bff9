"""Where a row lies: the data file behind every row of a version."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from delta.contracts import Table
from delta.lake import Lake, contract, open_table
from delta.versions import ABSENT, resolve


def with_files(
    lake: Lake, table: type[Table] | str, as_of: int | datetime | None, where: pl.Expr
) -> pl.LazyFrame:
    """Rows of a table at one version, each with the path of its data file in the column ``file``.

    Parameters
    ----------
    where : polars.Expr
        Rows wanted; files whose statistics rule it out are not read.
    """
    known = contract(table)
    version = resolve(lake, known, as_of)
    handle = None if version == ABSENT else open_table(lake, known, version)
    files = handle.file_uris() if handle is not None else []
    if not files:
        return pl.LazyFrame(schema={**known.schema(), "file": pl.String()})
    rows = pl.scan_parquet(
        files, include_file_paths="file", storage_options=dict(lake.storage_options or {}) or None
    )
    return rows.filter(where)
