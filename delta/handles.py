"""Handles on versions of tables for reading, kept while the log entry that made them stays what it was.

Opening a table replays its log; a run reads the same versions again and again. A version never changes, so
its handle is kept as long as the log entry is the same file: a lake that was removed and made anew in its
place has other entries. Only lakes in folders are kept; behind a URL a look at the log costs as much as
opening.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

from deltalake import DeltaTable

from delta.contracts import Table
from delta.lake import Lake, open_table
from delta.log import entry_name

KEPT = 64
"""Handles kept at most; the one not used for longest goes first."""

Mark = tuple[int, int, int]
"""Inode, time of change and size of a log entry."""


class _Kept(NamedTuple):
    """A handle, and the table that it was found to fit when it was opened."""

    handle: DeltaTable
    mark: Mark
    table: type[Table]


_lock = threading.Lock()
_handles: OrderedDict[tuple[str, int], _Kept] = OrderedDict()
_newest: dict[str, int] = {}


def newest_handle(lake: Lake, table: type[Table]) -> DeltaTable | None:
    """Handle on the newest version, for reading only; None where the table does not exist yet."""
    if lake.path is None:
        return open_table(lake, table)
    folder = lake.path / table.name
    known = _newest.get(str(folder))
    if known is None or _kept(folder, table, known) is None:
        handle = _keep(folder, table, open_table(lake, table))
    else:
        while _entry(folder, known + 1).exists():
            known += 1
        handle = handle_at(lake, table, known)
    if handle is not None:
        _newest[str(folder)] = handle.version()
    return handle


def handle_at(lake: Lake, table: type[Table], version: int) -> DeltaTable | None:
    """Handle on a version that exists, for reading only."""
    if lake.path is None:
        return open_table(lake, table, version)
    folder = lake.path / table.name
    return _kept(folder, table, version) or _keep(folder, table, open_table(lake, table, version))


def keep(lake: Lake, table: type[Table], handle: DeltaTable) -> None:
    """Keep the handle of a writer that is done with it: what was written is often read at once."""
    if lake.path is not None:
        folder = lake.path / table.name
        _keep(folder, table, handle)
        _newest[str(folder)] = handle.version()


def mark(lake: Lake, table: type[Table], version: int) -> Mark | None:
    """What tells the log entry of a version from any other; None behind a URL, or where there is none."""
    return None if lake.path is None else _mark(lake.path / table.name, version)


def is_newest(lake: Lake, table: type[Table], version: int) -> bool:
    """Whether no later version than one that exists has been committed."""
    if lake.path is not None:
        return not _entry(lake.path / table.name, version + 1).exists()
    handle = open_table(lake, table)
    return handle is None or handle.version() <= version


def _kept(folder: Path, table: type[Table], version: int) -> DeltaTable | None:
    with _lock:
        kept = _handles.get((str(folder), version))
        if kept is None or kept.table is not table or kept.mark != _mark(folder, version):
            return None
        _handles.move_to_end((str(folder), version))
        return kept.handle


def _keep(folder: Path, table: type[Table], handle: DeltaTable | None) -> DeltaTable | None:
    """Keep a handle whose log entry is still there; one that only a checkpoint holds is opened each time."""
    if handle is None:
        return None
    mark = _mark(folder, handle.version())
    if mark is None:
        return handle
    with _lock:
        _handles[str(folder), handle.version()] = _Kept(handle, mark, table)
        while len(_handles) > KEPT:
            _handles.popitem(last=False)
    return handle


def _entry(folder: Path, version: int) -> Path:
    return folder / entry_name(version)


def _mark(folder: Path, version: int) -> Mark | None:
    try:
        found = os.stat(_entry(folder, version))
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
