"""Files that appear under their name when they are complete, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Give a path beside the target to write to; it takes the target's name when the block ends well.

    Whoever looks meanwhile, and whoever comes after a crash, a full disk or an interrupt, finds what was
    there before. Folders on the way are made, a link stays a link. Two processes that write one target do
    not meet: the last to end gives the file. What is no regular file, as ``/dev/stdout``, is written to
    as it is.

    Parameters
    ----------
    target : Path
        File to make or to replace.

    Yields
    ------
    Path
        Where to write; of the target's folder, hidden, and with the target's ending.

    Raises
    ------
    OSError
        The folder or the file cannot be written.
    """
    if target.exists() and not target.is_file():
        yield target
        return
    target = target.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{os.getpid()}.{target.name}")
    try:
        yield draft
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Write a text as UTF-8, whole or not at all; see :func:`whole_file`."""
    with whole_file(target) as draft:
        draft.write_text(text, encoding="utf-8")
