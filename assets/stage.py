"""What every stage shares: identity of the run, commits, and the manifest of versions read and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from importlib.metadata import version
from typing import Any

import polars as pl

from delta import Commit, Lake, Pins, Provenance, Table, history, resolve, write
from delta.handles import is_newest
from delta.lake import contract
from delta.manifest import RunRecord, record_run
from trading.book import BookConfig, config_hash

CODE_VERSION = version("deltadesk")

RESEARCH = "research"
BACKFILL, SESSION = "desk/backfill", "desk/session"
"""Steps in the manifest; a session is decided by a backfill with simulated fills, or by the schedule."""


class OvertakenError(RuntimeError):
    """Another run of the same book was under way; the message says what to do."""


@dataclass
class Stage:
    """One step of a run: writes tables with their provenance and records what was read and written.

    Attributes
    ----------
    run_id : str
        Dagster run, or the command that runs.
    step : str
        Name of the stage in the manifest.
    """

    lake: Lake
    run_id: str
    step: str
    pins: Pins
    book: BookConfig | None = None
    commits: dict[str, Commit] = field(default_factory=dict)

    @cached_property
    def config_hash(self) -> str | None:
        """Hash of the book's configuration; None without a book."""
        return config_hash(self.book) if self.book else None

    def write(self, table: type[Table], frame: pl.DataFrame, scope: Mapping[str, Any] | None) -> Commit:
        """Write rows of a table; see ``delta.write``."""
        provenance = Provenance(
            run_id=self.run_id,
            asset=self.step,
            code_version=CODE_VERSION,
            config_hash=self.config_hash or "",
            inputs=dict(self.pins.versions),
        )
        commit = write(self.lake, table, frame, scope, provenance)
        self.commits[table.name] = commit
        return commit

    def refuse_overtaken(self, *, all_tables: bool = False) -> None:
        """Stop when another run has replaced rows of the same book since this step wrote them.

        Looks at the table written last, or at all of them. Two runs of one book at the same time would
        otherwise leave the orders of one beside the portfolio of the other.

        Raises
        ------
        OvertakenError
            The message names the other run.
        """
        book = self.book.name if self.book else ""
        commits = list(self.commits.values())
        for commit in commits if all_tables else commits[-1:]:
            other = overtaken_by(self.lake, commit, book)
            if other:
                raise OvertakenError(
                    f"book {book}: run {other} wrote {commit.table} at the same time as this one; run again "
                    "when no other run of the book is under way"
                )

    def record(self, first: date | None = None, last: date | None = None) -> None:
        """Add the step to the manifest, once all its tables are committed."""
        record_run(
            self.lake,
            RunRecord(
                run_id=self.run_id,
                step=self.step,
                reads=dict(self.pins.versions),
                writes={name: commit.version for name, commit in self.commits.items()},
                code_version=CODE_VERSION,
                config_hash=self.config_hash,
                book=self.book.name if self.book else None,
                first_session=first,
                last_session=last,
            ),
        )


def overtaken_by(lake: Lake, commit: Commit, book: str) -> str:
    """Run that has replaced rows of a book in a table since a commit; empty where there is none."""
    if is_newest(lake, contract(commit.table), commit.version):
        return ""
    since = history(lake, commit.table, resolve(lake, commit.table) - commit.version)
    mine = since.filter((pl.col("scope") + ",").str.starts_with(f"book {book},"))
    return str(mine["run_id"][0]) if mine.height else ""


def frame_of(table: type[Table], frame: pl.DataFrame, **constants: Any) -> pl.DataFrame:
    """Frame in the columns and types of a table, with the given constants added."""
    schema = table.schema()
    return frame.with_columns(
        **{name: pl.lit(value, schema[name]) for name, value in constants.items()}
    ).select(pl.col(name).cast(dtype) for name, dtype in schema.items())
