"""Which keys of a frame a table holds already, found without reading more files than statistics leave."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from deltalake import DeltaTable

from delta.contracts import Table
from delta.lake import Lake
from delta.pruning import CUT, scan_files, sides
from delta.scope import Scope, Span

PAIRS_MATCHED_ONE_BY_ONE = 200_000
"""Pairs of new row and file up to which files are pruned by each row instead of by the frame's range."""


def existing_keys(
    lake: Lake, handle: DeltaTable, table: type[Table], rows: pl.DataFrame, scope: Scope | None = None
) -> pl.DataFrame:
    """Keys of a frame that a table holds already, those in the scope left out.

    Only files whose statistics allow one of the keys are read.
    """
    keys = rows.select(table.key)
    ranges = {name: Span(keys[name].min(), keys[name].max(), whole=True) for name in table.key}
    paths = [f"{lake.table_uri(table.name)}/{path}" for path in _candidates(handle, keys, ranges)]
    if not paths:
        return keys.clear()
    columns = dict.fromkeys((*table.key, *(scope.columns if scope else ())))
    held = scan_files(lake, paths).select(*columns)
    if scope is not None:
        held = held.filter(~scope.rows)
    within = [pl.col(name).is_between(pl.lit(span.first), pl.lit(span.last)) for name, span in ranges.items()]
    return held.filter(*within).select(table.key).join(keys.lazy(), on=table.key, how="semi").collect()


def _candidates(handle: DeltaTable, keys: pl.DataFrame, ranges: Mapping[str, Span]) -> list[str]:
    """Paths of the files whose statistics allow at least one of the keys."""
    files = pl.DataFrame(handle.get_add_actions(flatten=True))
    # Most keys are of a later session than every file: that is told without a look at each key.
    near = [side != "outside" for side in sides(files, ranges)]
    if keys.height == 1 or not any(near):
        return [path for path, may in zip(files["path"], near, strict=True) if may]
    files = files.filter(near)
    known = [name for name in keys.columns if {f"min.{name}", f"max.{name}"} <= set(files.columns)]
    if files.height * keys.height <= PAIRS_MATCHED_ONE_BY_ONE:
        tried = keys.select(pl.all().name.prefix("first."), pl.all().name.prefix("last."))
    else:
        tried = keys.select(pl.all().min().name.prefix("first."), pl.all().max().name.prefix("last."))
    allowed = [
        (pl.col(f"min.{name}") <= pl.col(f"last.{name}")).fill_null(True)
        & (pl.col(f"max.{name}") >= pl.col(f"first.{name}")).fill_null(True)
        for name in known
    ]
    statistics = files.select(
        "path",
        *(f"min.{name}" for name in known),
        *(_widened(pl.col(f"max.{name}"), keys.schema[name]) for name in known),
    )
    return statistics.join(tried, how="cross").filter(*allowed)["path"].unique().to_list()


def _widened(maximum: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    return maximum + CUT if isinstance(dtype, pl.Datetime) else maximum
