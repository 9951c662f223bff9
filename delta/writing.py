"""The one writer: check the contract, replace a scope or append in one commit, read back what was written.

Every commit is tried on one snapshot only: when another writer was faster, the snapshot is taken anew and
everything that depends on it (existing keys, the rows a scope replaces) is looked at again. Two writers can
therefore neither lose rows nor write one key twice.
"""

from __future__ import annotations

import json
import os
import random
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import ColumnProperties, CommitProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from delta.checking import SHOWN, ContractError, Violation, conform
from delta.contracts import Table
from delta.errors import ConcurrentWriteError, ReadBackError, translated
from delta.existing_keys import existing_keys
from delta.handles import keep, newest_handle
from delta.kinds import Kind
from delta.lake import Lake, create_table, open_table
from delta.log import EPOCH, committed_at, entry_name
from delta.pruning import rows_in
from delta.scope import Scope

ATTEMPTS = 25
"""Commits tried before a writer gives up against others."""
ROWS_IN_MEMORY = 131_072
"""Rows of a batch and of a row group: what is encoded at a time, and what statistics prune."""
FEW = 10_000
"""Rows up to which sorting by text costs less than making codes of it."""
FILE_SIZE = 96 * 1024 * 1024
"""Bytes of a data file beyond which the next one is begun."""


@dataclass(frozen=True)
class Provenance:
    """Where the rows of a write come from; kept in the metadata of the commit.

    Attributes
    ----------
    run_id : str
        Run, or the command that ran.
    asset : str
        Asset or job that writes.
    code_version : str
        Version of the code.
    config_hash : str
        Hash of the configuration; empty where none matters.
    inputs : mapping of str to int
        Version of every table that was read.
    """

    run_id: str
    asset: str
    code_version: str
    config_hash: str = ""
    inputs: Mapping[str, int] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Commit:
    """What a write did.

    Attributes
    ----------
    table : str
        Name of the table.
    version : int
        Version that holds the rows; -1 where nothing was written and the table does not exist.
    rows : int
        Rows written.
    replaced : int
        Rows that were there before and no longer are.
    at : datetime
        Commit time by the writer's clock, UTC; later than that of every version before.
    """

    table: str
    version: int
    rows: int
    replaced: int
    at: datetime


def write(
    lake: Lake,
    table: type[Table],
    frame: pl.DataFrame,
    scope: Mapping[str, Any] | None,
    provenance: Provenance,
) -> Commit:
    """Write a frame to a table, whole or not at all, in one commit; no commit where nothing changes.

    Parameters
    ----------
    lake : Lake
        Lake to write to.
    table : type of Table
        Contract of the table; the table is created when it is missing.
    frame : polars.DataFrame
        Rows with exactly the columns and types of the contract.
    scope : mapping or None
        Rows to replace: scope column to a value, a list of values or a (first, last) range. Every row of
        the frame lies in it; an empty frame empties it, and makes no version where it is empty already.
        None appends rows whose keys are new.
    provenance : Provenance
        Where the rows come from.

    Returns
    -------
    Commit
        Version, rows written and rows replaced.

    Raises
    ------
    ContractError
        The frame breaks the contract, or a key exists already outside of the scope.
    ScopeError
        The scope does not fit the table, or rows lie outside of it.
    ConcurrentWriteError
        Other writers won every attempt.
    LakeFullError, ReadOnlyLakeError
        No room, or no right to write. The table stays at its last whole version.
    ReadBackError
        The commit holds something else than was written.
    """
    rows = conform(table, frame)
    replaces = Scope.of(table, scope) if scope is not None else None
    if replaces is not None:
        replaces.refuse_outside(table, rows)
    rows = in_order(table, rows)
    return _Write(lake, table, rows, replaces, provenance, uuid.uuid4().hex).commit()


@dataclass(frozen=True)
class _Write:
    lake: Lake
    table: type[Table]
    rows: pl.DataFrame
    scope: Scope | None
    provenance: Provenance
    write_id: str

    @property
    def where(self) -> str:
        return f"{self.lake.uri}/{self.table.name}"

    def commit(self) -> Commit:
        """Commit from a fresh snapshot until no other writer is faster."""
        unchanged = self._unchanged()
        if unchanged is not None:
            return Commit(self.table.name, unchanged, 0, 0, _now())
        for attempt in range(ATTEMPTS):
            try:
                handle = self._handle()
            except CommitFailedError:  # another writer has just created the table
                continue
            before, base = handle.count(), handle.version()
            held = 0
            if before:  # there is nothing to look at in a table that is new
                self._refuse_existing_keys(handle)
                held = self._held(handle, self.scope)
            replaced = self.scope if held else None
            at = max(_now(), committed_at(self.lake, self.table, handle) + timedelta(microseconds=1))
            try:
                self._append_or_replace(handle, at, replaced)
            except CommitFailedError:
                time.sleep(random.uniform(0.002, 0.02) * min(attempt + 1, 10))  # noqa: S311  no secret
                continue
            except (DeltaError, OSError) as error:
                landed = self._landed(base)
                if landed is None:
                    raise translated(error, self.where) from error
                # The commit is there; what failed came after it, such as the checkpoint.
                handle = landed
            self._sync(handle)
            self._read_back(handle, before - held, replaced)
            keep(self.lake, self.table, handle)
            return Commit(self.table.name, handle.version(), self.rows.height, held, at)
        raise ConcurrentWriteError(
            f"{self.where}: other writers won {ATTEMPTS} attempts, nothing written; "
            "run again when they are done"
        )

    def _handle(self) -> DeltaTable:
        handle = open_table(self.lake, self.table)
        if handle is not None:
            return handle
        metadata = commit_metadata("creation", _now(), run_id=self.provenance.run_id)
        return create_table(self.lake, self.table, metadata)

    def _unchanged(self) -> int | None:
        """Version of a table that stays as it is, -1 where there is none; None where there is work to do.

        Nothing is appended, or a scope that is empty stays so, as that of most tables on most days.
        """
        if not self.rows.is_empty():
            return None
        handle = newest_handle(self.lake, self.table)
        if self.scope is None:
            return handle.version() if handle is not None else -1
        if handle is None or rows_in(self.lake, handle, self.table, self.scope):
            return None
        return handle.version()

    def _held(self, handle: DeltaTable, scope: Scope | None) -> int:
        """Rows of a snapshot that lie in a scope."""
        return rows_in(self.lake, handle, self.table, scope) if scope is not None else 0

    def _append_or_replace(self, handle: DeltaTable, at: datetime, replaced: Scope | None) -> None:
        """Commit the rows; where none is replaced they are appended, which takes a quarter less time."""
        options: dict[str, Any] = {
            "target_file_size": FILE_SIZE,
            "writer_properties": writer_properties(self.table),
            "commit_properties": CommitProperties(custom_metadata=self._metadata(at), max_commit_retries=0),
        }
        data = _in_chunks(self.rows)
        if replaced is not None:
            write_deltalake(handle, data, mode="overwrite", predicate=replaced.predicate, **options)
        else:
            write_deltalake(handle, data, mode="append", **options)

    def _metadata(self, at: datetime) -> dict[str, Any]:
        by = self.provenance
        return {
            "desk": {
                "at": _microseconds(at),
                "write_id": self.write_id,
                "run_id": by.run_id,
                "asset": by.asset,
                "code_version": by.code_version,
                "config_hash": by.config_hash,
                "inputs": dict(by.inputs),
                "scope": self.scope.text if self.scope else None,
                "rows": self.rows.height,
            }
        }

    def _landed(self, base: int) -> DeltaTable | None:
        """Handle at this write's own version, if the commit went through before an error."""
        newest = open_table(self.lake, self.table)
        if newest is None or newest.version() <= base:
            return None
        for info in newest.history(newest.version() - base):
            if info.get("desk", {}).get("write_id") == self.write_id:
                return open_table(self.lake, self.table, info["version"])
        return None

    def _refuse_existing_keys(self, handle: DeltaTable) -> None:
        if self.rows.is_empty() or (self.scope and set(self.scope.columns) <= set(self.table.key)):
            return
        found = existing_keys(self.lake, handle, self.table, self.rows, self.scope)
        if found.height:
            outside = f" outside of the scope ({self.scope.text})" if self.scope else ""
            rule = f"key ({', '.join(self.table.key)}) is not in the table already{outside}"
            shown = tuple(found.head(SHOWN).to_dicts())
            raise ContractError(self.table.name, (Violation(rule, found.height, shown),))

    def _read_back(self, handle: DeltaTable, kept: int, replaced: Scope | None) -> None:
        """Look whether the new version holds what was written, and beside it the rows that were to stay."""
        after = handle.count()
        found = after - kept if replaced is None else self._held(handle, replaced)
        if found != self.rows.height or after != kept + found:
            raise ReadBackError(
                f"{self.where}: version {handle.version()} holds {after} rows, {found} of this write; wanted "
                f"are {kept + self.rows.height} and {self.rows.height}; check the storage, then restore the "
                "version before"
            )

    def _sync(self, handle: DeltaTable) -> None:
        """Put log and new data files of a local table on the disk, so that a power cut keeps them."""
        if self.lake.path is None:
            return
        folder = self.lake.path / self.table.name
        entry = folder / entry_name(handle.version())
        actions = map(json.loads, entry.read_text(encoding="utf-8").splitlines())
        added = [folder / action["add"]["path"] for action in actions if "add" in action]
        for path in (*added, entry, folder, entry.parent):
            _sync_path(path)


def commit_metadata(asset: str, at: datetime, **further: Any) -> dict[str, Any]:
    """Commit metadata of an operation that writes no rows, such as a compaction."""
    return {"desk": {"at": _microseconds(at), "asset": asset, **further}}


def writer_properties(table: type[Table]) -> WriterProperties:
    """How the files of a table are encoded."""
    numbers = [name for name, column in table.columns().items() if column.kind is Kind.NUMBER]
    return WriterProperties(
        compression=table.compression,
        compression_level=1 if table.compression == "ZSTD" else None,
        max_row_group_size=table.group_rows,
        # A dictionary of prices is larger than the prices.
        column_properties={name: ColumnProperties(dictionary_enabled=False) for name in numbers},
    )


def in_order(table: type[Table], rows: pl.DataFrame) -> pl.DataFrame:
    """Rows in the order in which a file keeps them.

    Many strings are compared once each, as codes: sorting a million rows by their text takes ten times
    longer.
    """
    if not table.sort or rows.height < 2:
        return rows
    many, schema = rows.height > FEW, rows.schema
    keys = {
        name: pl.col(name).cast(pl.Enum(rows[name].unique().sort())).to_physical()
        if many and schema[name] == pl.String
        else pl.col(name)
        for name in table.sort
    }
    first, *rest = keys.values()
    period = table.period()
    keys_of = [first, *rest] if period is None else [first, period, *rest]
    order = rows.select(pl.arg_sort_by(keys_of, maintain_order=True)).to_series()
    return rows if order.is_sorted() else rows[order]


def _sync_path(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _in_chunks(frame: pl.DataFrame) -> pl.DataFrame:
    """The same frame in chunks, so that it is exported and encoded chunk by chunk."""
    if frame.height <= ROWS_IN_MEMORY:
        return frame
    return pl.concat(frame.iter_slices(ROWS_IN_MEMORY), rechunk=False)


def _now() -> datetime:
    return datetime.now(UTC)


def _microseconds(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)
