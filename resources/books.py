"""A book by its name: from its file, or as it was last used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from delta import Lake, read, run_of
from delta.contracts import Books
from resources.config.books import book_files, default_name, find_book
from resources.config.errors import ConfigError
from trading.book import BookConfig


def known_book(
    folder: Path | str, lake: Callable[[], Lake], name: str, *, strategies: bool = True
) -> BookConfig:
    """A book by name, the file first.

    Parameters
    ----------
    folder : path
        Where the book files are.
    lake : callable
        Gives the lake; asked only when no file has the name.
    strategies : bool
        Whether strategies and calendar are checked, too, which imports them; reading a book's rows needs
        neither.

    Raises
    ------
    ConfigError
        When neither a file nor the table ``books`` knows it, or the file is refused.
    """
    found = find_book(folder, name, strategies=strategies) or last_used(lake(), name)
    if found is None:
        have = ", ".join(default_name(file) for file in book_files(folder)) or "none"
        raise ConfigError([f"book {name!r} is unknown; the book files in {folder} are: {have}"])
    return found


def last_used(lake: Lake, name: str) -> BookConfig | None:
    """Configuration of a book in its newest run; None for a book that never ran."""
    rows = read(lake, Books, where={"book": name}).sort("known_at").collect()
    if rows.is_empty():
        return None
    run = run_of(lake, book=name)
    same = rows.filter(pl.col("config_hash") == run.config_hash) if run else rows
    return BookConfig.model_validate_json((rows if same.is_empty() else same)["config"][-1])
