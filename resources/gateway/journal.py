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

    Each line is a checksum and a JSON list of the records of one commit: a kill leaves all of a commit or
    nothing of it. A last line that is torn is cut off when the file is opened.

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
        self._pending: list[str] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        self.records: list[Record] = list(self._recover())
        self._file = path.open("ab")

    def append(self, kind: str, content: Record) -> None:
        """Add a record to those that the next commit makes durable."""
        text = json.dumps({"kind": kind, **content}, separators=(",", ":"), allow_nan=True)
        self._pending.append(text)

    def commit(self) -> None:
        """Make every appended record durable; nothing may be told to anybody before."""
        if not self._pending:
            return
        self._file.write(_line(f"[{','.join(self._pending)}]"))
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
            commit = _parse(line)
            if commit is None:
                if number < len(lines) - 1:
                    raise JournalError(
                        f"{self._path} line {number} is damaged; restore it or start with a new state folder"
                    )
                break
            good += len(line) + 1
            yield from commit
        if good < len(content):
            with self._path.open("r+b") as file:
                file.truncate(good)


def _line(text: str) -> bytes:
    data = text.encode()
    return b"%08x %s\n" % (zlib.crc32(data), data)


def _parse(line: bytes) -> list[Record] | None:
    checksum, _, data = line.partition(b" ")
    try:
        if int(checksum, 16) != zlib.crc32(data):
            return None
        content = json.loads(data)
    except ValueError:
        return None
    return content if isinstance(content, list) else [content]
