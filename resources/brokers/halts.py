"""The kill switch: a table that only people clear. A halt stops submits at once; cancels pass."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from delta import Lake, Provenance, pin, write
from delta.contracts import Halts

DESK = "*"
"""Name that stands for every book."""


def halts_in_force(lake: Lake, book: str | None = None) -> pl.DataFrame:
    """Newest row of each book, and of the whole desk, that is a halt.

    Parameters
    ----------
    book : str, optional
        Only this book's and the desk's.
    """
    where = None if book is None else {"book": [book, DESK]}
    rows = pin(lake, [Halts]).read(Halts, where=where).collect()
    newest = rows.sort("known_at").group_by("book", maintain_order=True).last()
    return newest.filter(pl.col("action") == "halt").sort("book").select(Halts.schema().names())


def halted(lake: Lake, book: str) -> str:
    """Why a book may send nothing; empty when it may."""
    rows = halts_in_force(lake, book)
    if rows.is_empty():
        return ""
    row = rows.row(0, named=True)
    what = "the desk" if row["book"] == DESK else f"book {row['book']}"
    return f"{what} is halted since {row['known_at']:%Y-%m-%d %H:%M} UTC by {row['person']}: {row['reason']}"


def set_halt(
    lake: Lake,
    book: str,
    reason: str,
    person: str,
    now: datetime,
    *,
    resume: bool = False,
    run_id: str = "command",
    code_version: str = "",
) -> None:
    """Halt a book, or the desk, or resume it; the row stays for ever."""
    row = {
        "book": book,
        "action": "resume" if resume else "halt",
        "reason": reason,
        "person": person,
        "known_at": now,
    }
    frame = pl.DataFrame([row], schema=Halts.schema())
    write(lake, Halts, frame, None, Provenance(run_id, "halt", code_version))
