"""The log of a table, commit by commit, as Delta writes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from delta.contracts import Table
from delta.lake import Lake, open_table, remote_file

Action = dict[str, Any]


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


def _text(lake: Lake, name: str, version: int) -> str:
    file = f"{name}/_delta_log/{version:020d}.json"
    if lake.path is not None:
        return (lake.path / file).read_text(encoding="utf-8")
    return remote_file(lake, file).decode()
