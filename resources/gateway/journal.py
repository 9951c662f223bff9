"""Durable state: an append-only file of JSON lines that a kill at any byte leaves readable."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class JournalError(RuntimeError):
    """The journal is damaged before its last line: it must not be continued silently."""


class Journal:
    """Append-only file; records are durable once :meth:`commit` has returned.

    Each line is a checksum and a JSON object. A last line that is torn, as a kill leaves it, is cut off
    when the file is opened.

    Parameters
    ----------
    path : Path
        File to continue or to start.
    sync : bool
        Whether a commit waits until the disk has it.
    """

    def __init__(self, path: Path, *, sync: bool = True) -> None:
        self._path = path
        self._sync = sync
        self._pending: list[bytes] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        self.records: list[Record] = list(self._recover())
        self._file = path.open("ab")

    def append(self, kind: str, content: Record) -> None:
        """Add a record to those that the next commit makes durable."""
        text = json.dumps({"kind": kind, **content}, separators=(",", ":"), allow_nan=True)
        self._pending.append(_line(text))

    def commit(self) -> None:
        """Make every appended record durable; nothing may be told to anybody before."""
        if not self._pending:
            return
        self._file.write(b"".join(self._pending))
        self._file.flush()
        if self._sync:
            os.fsync(self._file.fileno())
        self._pending.clear()

    def close(self) -> None:
        """Commit and close the file."""
        self.commit()
        self._file.close()

    def _recover(self) -> Iterator[Record]:
        if not self._path.exists():
            return
        content = self._path.read_bytes()
        good = 0
        lines = content.split(b"\n")
        for number, line in enumerate(lines[:-1], start=1):
            record = _parse(line)
            if record is None:
                if number < len(lines) - 1:
                    raise JournalError(
                        f"{self._path} line {number} is damaged; restore it or start with a new state folder"
                    )
                break
            good += len(line) + 1
            yield record
        if good < len(content):
            with self._path.open("r+b") as file:
                file.truncate(good)


def _line(text: str) -> bytes:
    data = text.encode()
    return b"%08x %s\n" % (zlib.crc32(data), data)


def _parse(line: bytes) -> Record | None:
    checksum, _, data = line.partition(b" ")
    try:
        if int(checksum, 16) != zlib.crc32(data):
            return None
        record = json.loads(data)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
