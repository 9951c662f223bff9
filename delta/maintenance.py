"""Maintenance: join small files, write checkpoints, remove files that nothing needs.

None of it changes a row of any version. Compaction adds a version that holds the same rows in fewer files;
the files of the versions before stay. ``vacuum`` removes what no version uses, and only on demand what is
used by no version that a run refers to.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError

from delta import log
from delta.contracts import TABLES, Table
from delta.errors import ConcurrentWriteError, translating
from delta.lake import Lake, contract, open_table, remove_file
from delta.manifest import referenced_versions
from delta.writing import FILE_SIZE, commit_metadata, writer_properties

SMALL_FILES = 16
"""Files of a table below the target size from which compaction pays."""
IN_FLIGHT = timedelta(days=7)
"""Age below which a file may belong to a write that has not committed yet."""
ATTEMPTS = 10
NEVER_COMMITTED = "never committed"
UNREFERENCED = "no run refers to it"


def compact(
    lake: Lake, tables: Iterable[type[Table] | str] | None = None, *, dry_run: bool = False
) -> pl.DataFrame:
    """Join the small files of tables that have many; every version stays readable.

    Parameters
    ----------
    lake : Lake
        The lake.
    tables : iterable, optional
        Tables by contract or name; None: all.
    dry_run : bool
        Only say what would be done.

    Returns
    -------
    polars.DataFrame
        table, files (before), small (of them), version (the new one; null where nothing was done).
    """
    done = []
    for table in _existing(lake, tables):
        handle = _open(lake, table)
        sizes = pl.DataFrame(handle.get_add_actions())["size_bytes"]
        small = int((sizes < FILE_SIZE // 2).sum())
        version = _compact(lake, table) if small >= SMALL_FILES and not dry_run else None
        done.append((table.name, len(sizes), small, version))
    schema = {"table": pl.String, "files": pl.Int64, "small": pl.Int64, "version": pl.Int64}
    return pl.DataFrame(done, schema=schema, orient="row")


def checkpoint(lake: Lake, tables: Iterable[type[Table] | str] | None = None) -> dict[str, int]:
    """Write a checkpoint of each table, which makes opening it faster; returns the versions."""
    versions = {}
    for table in _existing(lake, tables):
        handle = _open(lake, table)
        with translating(f"{lake.uri}/{table.name}"):
            handle.create_checkpoint()
        versions[table.name] = handle.version()
    return versions


def vacuum(
    lake: Lake,
    tables: Iterable[type[Table] | str] | None = None,
    *,
    unreferenced: bool = False,
    older_than: timedelta = IN_FLIGHT,
    dry_run: bool = True,
) -> pl.DataFrame:
    """Remove data files that no version needs: what crashed or beaten writes left behind.

    Parameters
    ----------
    lake : Lake
        The lake.
    tables : iterable, optional
        Tables by contract or name; None: all.
    unreferenced : bool
        Also give up versions that no recorded run read or wrote, no commit names as its input, and that
        are neither the newest nor younger than ``older_than``. They can no longer be read.
    older_than : timedelta
        Younger files and versions are never touched: a running write has files without a commit.
    dry_run : bool
        Only list the files.

    Returns
    -------
    polars.DataFrame
        table, path, reason (``never committed`` or ``no run refers to it``), one row per file.
    """
    if older_than < timedelta(0):
        raise ValueError(f"older_than is {older_than}; give an age, such as 7 days")
    chosen = _existing(lake, tables)
    needed = _referenced(lake) if unreferenced else {}
    since = datetime.now(UTC) - older_than
    rows = [row for table in chosen for row in _superfluous(lake, table, needed, since)]
    if not unreferenced:
        rows = [row for row in rows if row[2] == NEVER_COMMITTED]
    if not dry_run:
        for table, path, _ in rows:
            with translating(f"{lake.uri}/{table}/{path}"):
                remove_file(lake, f"{table}/{path}")
    columns = ("table", "path", "reason")
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")


def _existing(lake: Lake, tables: Iterable[type[Table] | str] | None) -> list[type[Table]]:
    wanted = [contract(table) for table in (TABLES if tables is None else tables)]
    return [table for table in wanted if open_table(lake, table) is not None]


def _open(lake: Lake, table: type[Table]) -> DeltaTable:
    handle = open_table(lake, table)
    if handle is None:
        raise AssertionError(f"{table.name} was there a moment ago")
    return handle


def _compact(lake: Lake, table: type[Table]) -> int:
    for attempt in range(ATTEMPTS):
        handle = _open(lake, table)
        at = max(datetime.now(UTC), log.committed_at(lake, table, handle) + timedelta(microseconds=1))
        properties = CommitProperties(
            custom_metadata=commit_metadata("compaction", at),
            # No retry inside: a commit that lands after a later one would carry an earlier time.
            max_commit_retries=0,
        )
        try:
            with translating(f"{lake.uri}/{table.name}"):
                handle.optimize.compact(
                    target_size=FILE_SIZE,
                    writer_properties=writer_properties(table),
                    commit_properties=properties,
                )
        except CommitFailedError:
            time.sleep(0.05 * (attempt + 1))
            continue
        return handle.version()
    raise ConcurrentWriteError(
        f"{lake.uri}/{table.name}: writers won {ATTEMPTS} compactions; run it when they are done"
    )


def _referenced(lake: Lake) -> dict[str, set[int]]:
    """Versions that a recorded run or the metadata of a commit names."""
    found: dict[str, set[int]] = defaultdict(set, referenced_versions(lake))
    for table in _existing(lake, None):
        for _, actions in log.commits(lake, table):
            for name, version in log.info(actions).get("desk", {}).get("inputs", {}).items():
                found[name].add(version)
    return found


def _superfluous(
    lake: Lake, table: type[Table], needed: dict[str, set[int]], since: datetime
) -> list[tuple[str, str, str]]:
    handle = _open(lake, table)
    hours = max(0, -(-int((datetime.now(UTC) - since).total_seconds()) // 3600))
    with translating(f"{lake.uri}/{table.name}"):
        idle = handle.vacuum(retention_hours=hours, dry_run=True, enforce_retention_duration=False, full=True)
    committed, kept = _paths(lake, table, needed.get(table.name, set()), since, handle.version())
    orphans, unused = set(idle) - committed, (set(idle) & committed) - kept
    return [
        *((table.name, path, NEVER_COMMITTED) for path in sorted(orphans)),
        *((table.name, path, UNREFERENCED) for path in sorted(unused)),
    ]


def _paths(
    lake: Lake, table: type[Table], needed: set[int], since: datetime, newest: int
) -> tuple[set[str], set[str]]:
    """Data files of all versions, and those of versions that are needed, young or the newest."""
    committed: set[str] = set()
    kept: set[str] = set()
    live: set[str] = set()
    for version, actions in log.commits(lake, table):
        live = (live - _named(actions, "remove")) | _named(actions, "add")
        committed |= live
        if version in needed or version >= newest or log.commit_time(log.info(actions)) >= since:
            kept |= live
    return committed, kept


def _named(actions: list[dict[str, Any]], kind: str) -> set[str]:
    return {action[kind]["path"] for action in actions if kind in action}
