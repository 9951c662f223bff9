"""What the options before the command say, and the desk and lake that they lead to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from delta.lake import Lake
    from resources.config import DeskConfig
    from trading.book import BookConfig


@dataclass(frozen=True)
class Options:
    """Options before the command.

    Attributes
    ----------
    config : Path, optional
        The desk's file.
    lake : str, optional
        Lake to use instead of the configured one.
    """

    config: Path | None = None
    lake: str | None = None


_options = Options()


def remember(config: Path | None, lake: str | None) -> None:
    """Keep the options of this call of the program."""
    global _options  # noqa: PLW0603 - one call of the program has one set of options
    _options = Options(config, lake)
    desk.cache_clear()


@cache
def desk(*, providers: bool = True) -> DeskConfig:
    """The desk's configuration, with the options over it.

    Parameters
    ----------
    providers : bool
        Whether names and settings of providers are checked, too, which imports them; reading the lake and
        the books needs none.

    Raises
    ------
    ConfigError
        The file or the environment is refused.
    """
    from resources.config import load_desk

    environment = dict(os.environ)
    if _options.lake is not None:
        environment["DESK_LAKE"] = _options.lake
    return load_desk(_options.config, environment, providers=providers)


def config_file() -> Path | None:
    """The desk's file as the options name it."""
    return _options.config


def environment() -> dict[str, str]:
    """Variables by which another process of the desk gets the same options."""
    given = {"DESK_LAKE": _options.lake, "DESK_CONFIG": _options.config}
    return {
        name: os.path.abspath(value) if name == "DESK_CONFIG" else str(value)
        for name, value in given.items()
        if value
    }


def lake(*, create: bool = False) -> Lake:
    """The desk's lake.

    Parameters
    ----------
    create : bool
        Make it when it does not exist.

    Raises
    ------
    LakeError
        There is no lake, or it cannot be used.
    """
    from delta.lake import open_lake

    config = desk(providers=create)
    return open_lake(config.lake, storage_options=dict(config.storage_options) or None, create=create)


def books_folder() -> str:
    """Folder of the book files."""
    return desk(providers=False).books


def books() -> dict[str, BookConfig]:
    """Books of the desk's folder, by name; their strategies are not looked at."""
    from resources.config import load_books

    return load_books(books_folder(), strategies=False)


def book(name: str, *, strategies: bool = True) -> BookConfig:
    """A book by its name, or by the path of its file.

    Raises
    ------
    InputError
        There is no such book; the message names those there are.
    ConfigError
        The file is refused.
    """
    from pipelines.cli.exits import InputError
    from resources.config.books import book_files, default_name, find_book, load_book
    from resources.config.files import SUFFIXES
    from resources.config.problems import suggestion

    folder = books_folder()
    if Path(name).suffix and Path(name).is_file():
        return load_book(name, strategies=strategies)
    found = find_book(folder, name, strategies=strategies)
    if found is None and Path(name).suffix in SUFFIXES:
        raise InputError(f"{name}: no such file")
    if found is None:
        names = sorted(map(default_name, book_files(folder)))
        remedy = suggestion(name, names) if names else "; desk init writes the shipped books"
        raise InputError(f"no book {name!r} in {folder}{remedy}")
    return found
