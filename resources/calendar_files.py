"""Built calendars, kept as files from one process to the next.

Building a calendar imports pandas and takes longer than most commands; what was built is the same for one
version of ``exchange_calendars`` for ever. The files lie in the user's cache folder (``XDG_CACHE_HOME``, else
``~/.cache``) and may be removed at any time; where nothing can be kept, every process builds.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import polars as pl

from delta.contracts import Sessions
from delta.whole_files import whole_file


def kept(calendar: str, first: int, build: Callable[[], pl.DataFrame]) -> pl.DataFrame:
    """Sessions of a calendar from a year on: from its file, or built and then kept.

    Parameters
    ----------
    calendar : str
        Name in ``exchange_calendars``.
    first : int
        First year of the span that is built.
    build : callable
        Makes the rows, in the columns of the table ``sessions``.
    """
    file = _file(calendar, first)
    found = _read(file)
    if found is None:
        found = build()
        _write(found, file)
    return found


def _file(calendar: str, first: int) -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    folder = f"calendars-{version('exchange_calendars')}-{Sessions.version}"
    return Path(cache) / "deltadesk" / folder / f"{calendar.replace('/', '-')}-{first}.parquet"


def _read(file: Path) -> pl.DataFrame | None:
    """Rows of a file; None where it is missing, damaged, or of other columns."""
    try:
        found = pl.read_parquet(file, glob=False)
    except (OSError, pl.exceptions.PolarsError):
        return None
    return found if found.schema == Sessions.schema() else None


def _write(frame: pl.DataFrame, file: Path) -> None:
    """Write a file; no right or room to write is no error."""
    with suppress(OSError), whole_file(file) as draft:
        frame.write_parquet(draft)
