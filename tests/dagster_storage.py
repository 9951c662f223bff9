"""Dagster's SQLite storage, without what it makes anew for each statement.

It makes an engine, and with it an empty cache of compiled statements, for each event, and reads the history of
its schema for each new database. One engine a database and one reading of the history do the same, and a run in
a fresh home takes two thirds of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def remember(patch: pytest.MonkeyPatch) -> None:
    """Keep engines and the history of schemas for the life of the process."""
    from alembic.script import ScriptDirectory
    from dagster._core.storage.event_log.sqlite import sqlite_event_log
    from dagster._core.storage.runs.sqlite import sqlite_run_storage
    from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage

    for module in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):
        patch.setattr(module, "create_engine", _once(module.create_engine, lambda address: address))
    read = _once(ScriptDirectory.from_config, lambda config: config.get_main_option("script_location"))
    patch.setattr(ScriptDirectory, "from_config", staticmethod(read))


def _once(make: Callable[..., Any], key: Callable[[Any], str]) -> Callable[..., Any]:
    made: dict[str, Any] = {}

    def known(asked: Any, **options: Any) -> Any:
        found = made.get(key(asked))
        return made.setdefault(key(asked), make(asked, **options)) if found is None else found

    return known
