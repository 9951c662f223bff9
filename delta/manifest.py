"""The manifest: which versions each step of a run read and wrote, kept in the table ``runs``."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from delta.contracts import Runs
from delta.lake import Lake
from delta.reading import Pins, read
from delta.versions import ABSENT
from delta.writing import Commit, Provenance, write


@dataclass(frozen=True)
class RunRecord:
    """One step of a run.

    Attributes
    ----------
    run_id : str
        Run, or the command that ran.
    step : str
        Asset or job that read and wrote.
    reads, writes : mapping of str to int
        Version of every table read, and of every table written.
    code_version : str
        Version of the code.
    config_hash : str or None
        Configuration used.
    book : str or None
        Book; None for market data.
    first_session, last_session : date or None
        Sessions decided.
    known_at : datetime or None
        When all tables were committed, UTC; None: the time of recording.
    """

    run_id: str
    step: str
    reads: Mapping[str, int] = field(hash=False)
    writes: Mapping[str, int] = field(hash=False)
    code_version: str
    config_hash: str | None = None
    book: str | None = None
    first_session: date | None = None
    last_session: date | None = None
    known_at: datetime | None = None

    def pins(self, lake: Lake) -> Pins:
        """The versions that the step read, to replay it from."""
        return Pins(lake, dict(self.reads))


def record_run(lake: Lake, run: RunRecord) -> Commit:
    """Append one step to the manifest, after everything that it wrote is committed."""
    row = {
        "run_id": run.run_id,
        "step": run.step,
        "book": run.book,
        "first_session": run.first_session,
        "last_session": run.last_session,
        "reads": json.dumps(dict(run.reads), sort_keys=True),
        "writes": json.dumps(dict(run.writes), sort_keys=True),
        "code_version": run.code_version,
        "config_hash": run.config_hash,
        "known_at": run.known_at or datetime.now(UTC),
    }
    provenance = Provenance(run.run_id, run.step, run.code_version, run.config_hash or "", run.reads)
    return write(lake, Runs, pl.DataFrame([row], schema=Runs.schema()), None, provenance)


def runs(lake: Lake, as_of: int | datetime | None = None) -> pl.DataFrame:
    """The manifest, newest first: one row per step, as the contract ``Runs`` says."""
    return read(lake, Runs, as_of).sort("known_at", "step", descending=[True, False]).collect()


def run_of(
    lake: Lake,
    *,
    run_id: str | None = None,
    step: str | None = None,
    book: str | None = None,
    session: date | None = None,
    as_of: int | datetime | None = None,
) -> RunRecord | None:
    """Newest recorded step that matches everything given; None where there is none.

    Parameters
    ----------
    lake : Lake
        The lake.
    run_id, step, book : str, optional
        Run, step and book wanted.
    session : date, optional
        A session that the step decided.
    as_of : int or datetime, optional
        Look at the manifest as it was then.
    """
    wanted = {"run_id": run_id, "step": step, "book": book}
    where: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
    if session is not None:
        where |= {"first_session": (None, session), "last_session": (session, None)}
    found = read(lake, Runs, as_of, where or None).sort("known_at").tail(1).collect()
    return _record(found.row(0, named=True)) if found.height else None


def referenced_versions(lake: Lake) -> dict[str, set[int]]:
    """Versions of each table that a recorded step read or wrote."""
    found: dict[str, set[int]] = defaultdict(set)
    for pair in read(lake, Runs, columns=["reads", "writes"]).unique().collect().iter_rows():
        for text in pair:
            for table, version in json.loads(text).items():
                if version != ABSENT:
                    found[table].add(version)
    return dict(found)


def _record(row: dict[str, Any]) -> RunRecord:
    return RunRecord(**{**row, "reads": json.loads(row["reads"]), "writes": json.loads(row["writes"])})
