"""The desk as a Dagster resource: configuration, lake, books and the time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from delta import Lake, open_lake
from resources.books import known_book
from resources.config import DeskConfig, load_books, load_desk
from resources.logs import configure
from trading.book import BookConfig


class DeskResource(dg.ConfigurableResource[Any]):
    """What every asset, sensor and schedule asks for first.

    Attributes
    ----------
    config_file : str
        The desk's file; empty: ``config/desk.toml`` of the current folder or above.
    lake_uri : str
        Lake; empty: the one of the desk's file and the environment.
    fixed_now : str
        ISO time that the desk takes for now, to replay the past as if it were today; empty: the clock.
    given : dict of str to str
        Books by name as JSON, in place of what files and lake say of them.
    """

    config_file: str = ""
    lake_uri: str = ""
    fixed_now: str = ""
    given: dict[str, str] = {}  # noqa: RUF012 - a field of a model

    def config(self) -> DeskConfig:
        """The desk's configuration, read afresh: files may change without a restart; the log follows it."""
        found = load_desk(self.config_file or None)
        configure(found.logging)
        return found

    def lake(self) -> Lake:
        """The lake, created when there is none yet."""
        config = self.config()
        options = dict(config.storage_options) or None
        return open_lake(self.lake_uri or config.lake, storage_options=options, create=True)

    def now(self) -> datetime:
        """The time, UTC."""
        return datetime.fromisoformat(self.fixed_now) if self.fixed_now else datetime.now(UTC)

    def books(self) -> dict[str, BookConfig]:
        """Books of the configuration folder, by name."""
        return load_books(self.config().books)

    def book(self, name: str) -> BookConfig:
        """A book by name: from its file, or as it was last used.

        Raises
        ------
        ConfigError
            When neither a file nor the table ``books`` knows it.
        """
        if name in self.given:
            return BookConfig.model_validate_json(self.given[name])
        return known_book(self.config().books, self.lake, name)
