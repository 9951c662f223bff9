"""Book files: one TOML or YAML file a book, in the desk's own form or in the momentum groups.

The models of a book take long to import, so only reading one does: many commands read none.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.config.errors import ConfigError
from resources.config.files import SUFFIXES, read_mapping
from resources.config.problems import Source, validated
from resources.config.substitution import substitute

if TYPE_CHECKING:
    from trading.book import BookConfig

MOMENTUM_GROUPS = frozenset({"api", "scanner", "signals", "trading"})
"""Groups by which the momentum form is known: a book of the desk's own form has none of them."""


def load_book(
    path: Path | str, env: Mapping[str, str] | None = None, *, strategies: bool = True
) -> BookConfig:
    """Read one book.

    Parameters
    ----------
    path : path
        ``.toml``, ``.yaml`` or ``.yml``; without a key ``name`` the book is called like its file.
    env : mapping, optional
        Environment that ``${NAME}`` is taken from; the process's own when left out.
    strategies : bool
        Whether strategies, their parameters and the calendar are checked, too, which imports them.

    Raises
    ------
    ConfigError
        Every problem of the file, one line each.
    """
    file = Path(path)
    written = read_mapping(file)
    content, unresolved = substitute(written, os.environ if env is None else env)
    content.setdefault("name", default_name(file))
    source = Source(file=str(file), written=written, unresolved=unresolved)
    book = _read(content, source)
    if strategies:
        _check_references(book, source)
    return book


def _read(content: dict[str, Any], source: Source) -> BookConfig:
    """Book of a content in either form."""
    if not MOMENTUM_GROUPS.isdisjoint(content):
        from resources.config.momentum_yaml import read_momentum_form  # noqa: PLC0415

        return read_momentum_form(content, source)
    from trading.book import BookConfig  # noqa: PLC0415

    return validated(BookConfig, content, source)


def _check_references(book: BookConfig, source: Source) -> None:
    from resources.config.references import book_problems  # noqa: PLC0415 - imports every strategy

    problems = book_problems(book, source)
    if problems:
        raise ConfigError(problems)


def load_books(
    folder: Path | str, env: Mapping[str, str] | None = None, *, strategies: bool = True
) -> dict[str, BookConfig]:
    """Read every book of a folder, by name.

    Raises
    ------
    ConfigError
        Every problem of every file, and names that two files give.
    """
    books: dict[str, BookConfig] = {}
    files: dict[str, Path] = {}
    problems: list[str] = []
    for file in book_files(folder):
        try:
            book = load_book(file, env, strategies=strategies)
        except ConfigError as error:
            problems += error.problems
            continue
        if book.name in files:
            problems.append(f'{file}: name = "{book.name}": {files[book.name]} has this name already')
        books[book.name], files[book.name] = book, file
    if problems:
        raise ConfigError(problems)
    return books


def find_book(
    folder: Path | str, name: str, env: Mapping[str, str] | None = None, *, strategies: bool = True
) -> BookConfig | None:
    """Read the book of a name; a fault in another book's file does not keep this one from being used.

    Returns
    -------
    BookConfig or None
        None where no file gives the name.

    Raises
    ------
    ConfigError
        The book's own file is refused.
    """
    files = book_files(folder)
    for file in sorted(files, key=lambda file: default_name(file) != name):
        try:
            found = load_book(file, env, strategies=False)
            if found.name == name:
                return load_book(file, env) if strategies else found
        except ConfigError:
            if default_name(file) == name:
                raise
    return None


def book_files(folder: Path | str) -> list[Path]:
    """Book files of a folder, by file name; a folder that does not exist holds none."""
    directory = Path(folder)
    if not directory.is_dir():
        return []
    return sorted(
        file for file in directory.iterdir() if file.suffix in SUFFIXES and not file.name.startswith(".")
    )


def default_name(file: Path) -> str:
    """Name of a book whose file gives none."""
    return re.sub(r"[^a-z0-9_.-]+", "-", file.stem.lower()).lstrip("_.-")[:64] or "book"


def shown(book: BookConfig) -> dict[str, Any]:
    """Book for a person's eyes: every key with its value, delivery addresses masked."""
    content = book.model_dump(mode="json", by_alias=True)
    content["alerts"]["urls"] = ["***" for _ in book.alerts.urls]
    return content
