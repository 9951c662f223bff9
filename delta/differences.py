"""The rows of a table that differ between two of its versions."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from delta.contracts import Table
from delta.lake import Lake, contract, open_table
from delta.pruning import scan_files
from delta.versions import ABSENT, resolve


def diff(lake: Lake, table: type[Table] | str, a: int | datetime, b: int | datetime) -> pl.DataFrame:
    """Rows that differ between two versions of a table, matched by key.

    Only files that one of the two versions lacks are read.

    Parameters
    ----------
    lake : Lake
        The lake.
    table : type of Table or str
        Table by contract or name.
    a, b : int or datetime
        Version or time before and after.

    Returns
    -------
    polars.DataFrame
        The key, ``change`` (added, removed or changed), ``differing`` (names of the columns that changed),
        ``before`` and ``after`` (structs of the other columns, null where the row is absent); sorted by key.
    """
    known = contract(table)
    versions = [resolve(lake, known, side) for side in (a, b)]
    handles = [open_table(lake, known, v) if v != ABSENT else None for v in versions]
    files = [set(handle.file_uris()) if handle is not None else set() for handle in handles]
    before = _rows(lake, known, files[0] - files[1])
    after = _rows(lake, known, files[1] - files[0])
    return _compare(known, before, after)


def _rows(lake: Lake, table: type[Table], files: set[str]) -> pl.LazyFrame:
    if not files:
        return pl.LazyFrame(schema=table.schema())
    return scan_files(lake, sorted(files)).select(*table.columns())


def _compare(table: type[Table], before: pl.LazyFrame, after: pl.LazyFrame) -> pl.DataFrame:
    others = [name for name in table.columns() if name not in table.key]
    differs = [pl.col(name).ne_missing(pl.col(f"{name}:after")) for name in others]
    joined = before.with_columns(_here=True).join(
        after.with_columns(_here=True), on=table.key, how="full", coalesce=True, suffix=":after"
    )
    was, now = pl.col("_here").is_not_null(), pl.col("_here:after").is_not_null()
    change = (
        pl.when(~was).then(pl.lit("added")).when(~now).then(pl.lit("removed")).otherwise(pl.lit("changed"))
    )
    names = pl.concat_list(
        pl.when(differing).then(pl.lit(name, pl.String))
        for name, differing in zip(others, differs, strict=True)
    ).list.drop_nulls()
    old = pl.struct(*others)
    new = pl.struct(pl.col(f"{name}:after").alias(name) for name in others)
    return (
        joined.filter(~was | ~now | pl.any_horizontal(*differs))
        .select(
            *table.key,
            change=change,
            differing=pl.when(was & now).then(names).otherwise(pl.lit([], dtype=pl.List(pl.String))),
            before=pl.when(was).then(old),
            after=pl.when(now).then(new),
        )
        .sort(*table.key)
        .collect()
    )
