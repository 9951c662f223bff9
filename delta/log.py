"""The log of a table: its commits as Delta writes them, and what they say of who wrote what, when."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from deltalake import DeltaTable

from delta.contracts import Table
from delta.kinds import Kind
from delta.lake import Lake, contract, open_table, remote_file

if TYPE_CHECKING:
    import polars as pl

Action = dict[str, Any]

ENTRY = {
    "version": Kind.INTEGER,
    "committed_at": Kind.INSTANT,
    "operation": Kind.STRING,
    "asset": Kind.STRING,
    "run_id": Kind.STRING,
    "code_version": Kind.STRING,
    "config_hash": Kind.STRING,
    "scope": Kind.STRING,
    "rows": Kind.INTEGER,
    "inputs": Kind.STRING,
}
"""What a commit says, see :func:`history`."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Commits are stamped with the microseconds since then."""


def entry_name(version: int) -> str:
    """Name, within the folder of a table, of the file that says what a version changed."""
    return f"_delta_log/{version:020d}.json"


def commits(lake: Lake, table: type[Table]) -> Iterator[tuple[int, list[Action]]]:
    """Every commit of a table from version 0 on, with its actions.

    Whole because history is kept for ever; a missing commit is an error of the operating system.
    """
    handle = open_table(lake, table)
    for version in range(handle.version() + 1 if handle is not None else 0):
        yield version, [json.loads(line) for line in _text(lake, table.name, version).splitlines()]


def info(actions: list[Action]) -> Action:
    """Commit information among the actions of a commit."""
    return next((action["commitInfo"] for action in actions if "commitInfo" in action), {})


def commit_time(info: Mapping[str, Any]) -> datetime:
    """Time of a commit by its writer's clock, never the time of a file."""
    ours = info.get("desk", {}).get("at")
    return EPOCH + timedelta(microseconds=ours if ours is not None else info["timestamp"] * 1000)


def committed_at(lake: Lake, table: type[Table], handle: DeltaTable) -> datetime:
    """Commit time of the version of a handle: from its log entry, else as delta-rs tells it, much slower."""
    if lake.path is not None:
        file = lake.path / table.name / entry_name(handle.version())
        with suppress(FileNotFoundError), file.open("rb") as entry:
            for line in entry:
                if b'"commitInfo"' in line:
                    return commit_time(info([json.loads(line)]))
    return commit_time(handle.history(1)[0])


def entries(lake: Lake, table: type[Table] | str, limit: int | None = None) -> list[dict[str, Any]]:
    """What the commits of a table say, newest first, as values by the names of :data:`ENTRY`."""
    handle = open_table(lake, contract(table))
    return [_entry(found) for found in handle.history(limit)] if handle is not None else []


def history(lake: Lake, table: type[Table] | str, limit: int | None = None) -> pl.DataFrame:
    """Commits of a table, newest first.

    Parameters
    ----------
    lake : Lake
        The lake.
    table : type of Table or str
        Table by contract or name.
    limit : int, optional
        Newest commits only.

    Returns
    -------
    polars.DataFrame
        version, committed_at (the writer's clock), operation, asset, run_id, code_version, config_hash,
        scope, rows (written), inputs (table -> version, JSON). Empty for a table that does not exist.
    """
    import polars as pl  # noqa: PLC0415 - entries() serves without

    return pl.DataFrame(
        entries(lake, table, limit), schema={name: kind.dtype for name, kind in ENTRY.items()}
    )


def _entry(info: Mapping[str, Any]) -> dict[str, Any]:
    desk = info.get("desk", {})
    inputs = desk.get("inputs")
    return {
        "version": info["version"],
        "committed_at": commit_time(info),
        "operation": info.get("operation"),
        "asset": desk.get("asset"),
        "run_id": desk.get("run_id"),
        "code_version": desk.get("code_version"),
        "config_hash": desk.get("config_hash"),
        "scope": desk.get("scope"),
        "rows": desk.get("rows"),
        "inputs": json.dumps(inputs, sort_keys=True) if inputs is not None else None,
    }


def _text(lake: Lake, name: str, version: int) -> str:
    if lake.path is not None:
        return (lake.path / name / entry_name(version)).read_text(encoding="utf-8")
    return remote_file(lake, f"{name}/{entry_name(version)}").decode()
