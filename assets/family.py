"""Families of a book's assets: the same stages under two prefixes with two kinds of partitions.

``desk/...`` and its sisters for other calendars hold paper and live books by session, ``backtest/...`` any
book by year. One factory a stage builds them all, so that a day that was backfilled and one that was
scheduled come from the same function.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from inspect import cleandoc
from typing import Any

import dagster as dg
import polars as pl

from delta import Commit, Lake, Table, pin

warnings.filterwarnings("ignore", category=dg.BetaWarning)  # mappings of multi-partitions are still beta

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


@dataclass(frozen=True)
class Family:
    """A prefix with its partitions.

    Attributes
    ----------
    books : DynamicPartitionsDefinition
        The books that have partitions.
    time : str
        Name of the time dimension, ``session`` or ``year``; the other dimension is ``book``.
    scheduled : bool
        Whether orders wait for the job that places them.
    """

    prefix: str
    partitions: dg.MultiPartitionsDefinition
    books: dg.DynamicPartitionsDefinition
    time: str
    scheduled: bool

    def key(self, name: str) -> dg.AssetKey:
        """Key of one of the family's assets."""
        return dg.AssetKey([self.prefix, name])

    def previous(self) -> dg.MultiPartitionMapping:
        """Mapping of a partition to the one before it, of the same book."""
        return dg.MultiPartitionMapping(
            {
                "book": dg.DimensionPartitionMapping("book", dg.IdentityPartitionMapping()),
                self.time: dg.DimensionPartitionMapping(
                    self.time, dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)
                ),
            }
        )

    def spec(self, table: type[Table], *, group: str, deps: Sequence[Any] = ()) -> dg.AssetSpec:
        """Description of the asset that keeps one table."""
        return table_spec(self.key(table.name), table, group=group, deps=deps, partitions=self.partitions)


def table_spec(
    key: dg.AssetKey,
    table: type[Table],
    *,
    group: str,
    deps: Sequence[Any] = (),
    partitions: dg.PartitionsDefinition[str] | None = None,
) -> dg.AssetSpec:
    """Description of an asset that keeps a table: its purpose, columns, group and kinds."""
    return dg.AssetSpec(
        key,
        deps=deps,
        description=cleandoc(table.__doc__ or "").replace("``", "`"),
        group_name=group,
        owners=["team:desk"],
        kinds={"deltalake", "polars"},
        partitions_def=partitions,
        metadata={"dagster/column_schema": column_schema(table), "dagster/table_name": table.name},
    )


def column_schema(table: type[Table]) -> dg.TableSchema:
    """Columns of a table as Dagster shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name,
                _type_name(column.dtype),
                description=column.meaning,
                constraints=dg.TableColumnConstraints(nullable=column.optional),
            )
            for name, column in table.columns().items()
        ]
    )


def _type_name(dtype: pl.DataType) -> str:
    """Name of a type as people write it."""
    if isinstance(dtype, pl.Datetime):
        return f"Datetime({dtype.time_unit}, {dtype.time_zone})"
    return str(dtype)


def asked_range(context: dg.AssetExecutionContext, family: Family) -> dict[str, tuple[date, date]]:
    """Books that a run was asked for, each with its first and last day.

    The tags of a range are believed before the keys that the context lists: for multi-dimensional ranges
    the list has been wrong in some releases.
    """
    tags = context.run.tags
    if RANGE_START in tags and RANGE_END in tags:
        first, last = _split(tags[RANGE_START]), _split(tags[RANGE_END])
        if first[0] == last[0]:
            return {first[0]: (_day(family, first[1], last=False), _day(family, last[1], last=True))}
    days: dict[str, list[str]] = defaultdict(list)
    for key in context.partition_keys:
        book, day = _split(key)
        days[book].append(day)
    return {
        book: (_day(family, min(found), last=False), _day(family, max(found), last=True))
        for book, found in days.items()
    }


def _split(key: str) -> tuple[str, str]:
    """Book and time of a partition key; the dimensions stand in the order of their names."""
    book, _, day = str(key).rpartition("|")
    return book, day


def _day(family: Family, key: str, *, last: bool) -> date:
    if family.time == "session":
        return date.fromisoformat(key)
    return date(int(key), 12, 31) if last else date(int(key), 1, 1)


def commit_metadata(lake: Lake, commits: Mapping[str, Commit], table: type[Table]) -> dict[str, Any]:
    """Rows and versions of a table after a run, and what the run wrote of it."""
    pins = pin(lake, [table])
    shown: dict[str, Any] = {
        "dagster/row_count": pins.read(table).select(pl.len()).collect().item(),
        "dagster/uri": lake.table_uri(table.name),
    }
    commit = commits.get(table.name)
    if commit is None:
        return {**shown, "rows_written": 0, "version": pins.versions[table.name], "note": "nothing to write"}
    return {
        **shown,
        "rows_written": commit.rows,
        "rows_replaced": commit.replaced,
        "version": commit.version,
        "version_before": commit.version - 1,
    }
