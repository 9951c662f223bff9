"""Export to CSV and Parquet: a file appears under its name when it is complete, or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import polars as pl

from delta.contracts import Table
from delta.errors import translating
from delta.lake import Lake
from delta.reading import read
from delta.whole_files import whole_file

FORMATS = (".csv", ".parquet")


def export(
    lake: Lake,
    table: type[Table] | str,
    path: str | os.PathLike[str],
    as_of: int | datetime | None = None,
    where: pl.Expr | None = None,
    columns: Sequence[str] | None = None,
) -> int:
    """Write a table at a version to a file; returns the number of rows.

    Parameters
    ----------
    lake, table, as_of, where, columns
        As for :func:`delta.read`.
    path : path
        File to write, ``.csv`` or ``.parquet``; an existing one is replaced.
    """
    return export_frame(read(lake, table, as_of, where, columns), path)


def export_frame(frame: pl.DataFrame | pl.LazyFrame, path: str | os.PathLike[str]) -> int:
    """Write a frame to a file; returns the number of rows.

    Lists and structs, which CSV does not know, become JSON in it. Rows are streamed: a lazy frame larger
    than memory can be exported.

    Raises
    ------
    ValueError
        The name ends neither in .csv nor in .parquet.
    LakeFullError, ReadOnlyLakeError
        No room or no right to write; a file of that name stays as it was.
    """
    target = Path(path)
    if target.suffix.lower() not in FORMATS:
        raise ValueError(f"{target}: export writes {' or '.join(FORMATS)}; choose one of them")
    with translating(str(target)), whole_file(target) as draft:
        return _sink(frame.lazy(), draft, csv=target.suffix.lower() == ".csv")


def _sink(rows: pl.LazyFrame, path: Path, *, csv: bool) -> int:
    if csv:
        _flat(rows).sink_csv(path, datetime_format="%Y-%m-%dT%H:%M:%S%.6f%:z")
        return int(pl.scan_csv(path, infer_schema=False).select(pl.len()).collect().item())
    rows.sink_parquet(path)
    return int(pl.scan_parquet(path).select(pl.len()).collect().item())


def _flat(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Nested columns as JSON."""
    nested = [name for name, dtype in rows.collect_schema().items() if dtype.is_nested()]
    wrapped = (pl.struct(pl.col(name).alias("v")).struct.json_encode() for name in nested)
    # json_encode takes structs only: wrap, encode, and cut {"v":...} off again.
    return rows.with_columns(
        pl.when(pl.col(name).is_not_null()).then(text.str.slice(5).str.head(-1)).alias(name)
        for name, text in zip(nested, wrapped, strict=True)
    )
