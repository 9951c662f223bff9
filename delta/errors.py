"""What can go wrong with the lake: one class a cause, each message one line that says what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from deltalake.exceptions import CommitFailedError, DeltaError


class LakeError(RuntimeError):
    """Something about the lake as a whole, or about a table in it."""


class NotALakeError(LakeError):
    """The address holds something else than a lake, or nothing."""


class LakeVersionError(LakeError):
    """The lake, or a table of it, was written with another layout than this program knows."""


class ReadOnlyLakeError(LakeError):
    """The lake cannot be written: permissions or a read-only file system."""


class LakeFullError(LakeError):
    """The disk, a quota or a file size limit is exhausted; the table stays at its last whole version."""


class ConcurrentWriteError(LakeError):
    """Other writers won every attempt; nothing was written."""


class ReadBackError(LakeError):
    """A commit went through, and what it holds is not what it claims."""


class ScopeError(ValueError):
    """The scope of a write does not fit the table, or rows lie outside of it."""


class UnknownTableError(ValueError):
    """No table of that name."""


class UnknownVersionError(ValueError):
    """A table has no such version."""


class QueryError(ValueError):
    """A statement that cannot be run."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """``"; did you mean x?"`` where a known name is close, else the list of known names."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else f"; there are {', '.join(names)}"


_FULL = re.compile(
    r"no space left|file too large|quota exceeded|disk full|os error (?:27|28|122)\b", re.IGNORECASE
)
_READ_ONLY = re.compile(
    r"read-only file system|permission denied|operation not permitted|os error (?:1|13|30)\b", re.IGNORECASE
)


def translated(error: BaseException, where: str) -> LakeError:
    """Our error for one of delta-rs, polars or the operating system."""
    text = str(error)
    line = text.strip().splitlines()[0] if text.strip() else type(error).__name__
    if _FULL.search(text):
        return LakeFullError(f"{where}: no room left to write; free space and run again ({line})")
    if _READ_ONLY.search(text):
        return ReadOnlyLakeError(f"{where}: cannot be written; check permissions and mount ({line})")
    return LakeError(f"{where}: {line}")


@contextmanager
def translating(where: str) -> Iterator[None]:
    """Turn errors of delta-rs and the operating system into ours; conflicts pass through."""
    try:
        yield
    except CommitFailedError:
        raise
    except (DeltaError, OSError) as error:
        raise translated(error, where) from error
