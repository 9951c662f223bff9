"""Which version of a table is meant: the newest, a number, or what it was at a time.

A time T means, for each table, the newest version whose own commit time is not after T. Commit times are
those that writers put into the commit, never the times of files: copying a lake or restoring a backup
changes nothing.
"""

from __future__ import annotations

from datetime import datetime

from deltalake import DeltaTable

from delta.contracts import Table
from delta.errors import UnknownVersionError
from delta.handles import newest_handle
from delta.lake import Lake, contract
from delta.log import commit_time

ABSENT = -1
"""Version of a table that does not exist yet: it reads as an empty frame of its schema."""
COMMITS_LOOKED_AT_FIRST = 64


def resolve(lake: Lake, table: type[Table] | str, as_of: int | datetime | None = None) -> int:
    """Version of a table at a version, a time or now; -1 where the table does not exist by then.

    Raises
    ------
    UnknownVersionError
        The table has no such version, or the time has no zone.
    """
    known = contract(table)
    if isinstance(as_of, datetime):
        _refuse_naive(as_of)
    handle = newest_handle(lake, known)
    newest = ABSENT if handle is None else handle.version()
    if as_of is None:
        return newest
    if isinstance(as_of, datetime):
        return ABSENT if handle is None else _version_at(handle, as_of)
    if not ABSENT <= as_of <= newest:
        has = f"versions 0 to {newest}" if newest >= 0 else "no version yet"
        raise UnknownVersionError(f"{known.name} has no version {as_of}; it has {has}")
    return as_of


def _version_at(handle: DeltaTable, at: datetime) -> int:
    """Newest version committed at or before a time; the log is read backwards, as far as needed."""
    limit = COMMITS_LOOKED_AT_FIRST
    while True:
        infos = handle.history(limit)
        for info in infos:
            if commit_time(info) <= at:
                return int(info["version"])
        if len(infos) < limit:
            return ABSENT
        limit *= 8


def _refuse_naive(at: datetime) -> None:
    if at.tzinfo is None:
        raise UnknownVersionError(f"{at} has no time zone; say which, such as {at.isoformat()}+00:00")
