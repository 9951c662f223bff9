"""Where Dagster keeps its runs and events: its own SQLite files, with connections that stay open.

Dagster's storage connects anew for every statement: each is compiled again, each commit waits for the disk,
and closing the only connection to a file copies its log and removes it. A backtest spent a third of its time
there. The files stay Dagster's own: a home may go from one storage to the other and back.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.schedules import SqliteScheduleStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS, create_db_conn_string
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine

KEPT = 8
"""Databases of runs that stay open at most; the one not used for longest goes first."""
TEMPLATE = f"run-{dg.__version__}.empty"
"""Database of a run without events: a new run begins with a copy, not with the history of its schema."""


class Engines:
    """One engine for each database, with its connections and its compiled statements."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._engines: OrderedDict[str, Engine] = OrderedDict()

    def __call__(self, address: str) -> Engine:
        """Engine of a database."""
        with self._lock:
            engine = self._engines.get(address)
            if engine is None:
                engine = self._engines[address] = _engine(address)
                while len(self._engines) > KEPT:
                    self._engines.popitem(last=False)[1].dispose()
            self._engines.move_to_end(address)
            return engine

    def dispose(self) -> None:
        """Close all databases that nobody is using."""
        with self._lock:
            for engine in self._engines.values():
                engine.dispose()
            self._engines.clear()


class Runs(SqliteRunStorage):
    """Runs, tags and the instance's own notes."""

    def __init__(self, conn_string: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engine = _engine(conn_string)
        super().__init__(conn_string, inst_data)

    @classmethod
    def from_local(cls, base_dir: str, inst_data: ConfigurableClassData | None = None) -> Runs:
        """The storage of a folder, made when it is not there."""
        if is_made(Path(base_dir, "runs.db")):
            return cls(create_db_conn_string(base_dir, "runs"), inst_data)
        return super().from_local(base_dir, inst_data)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A transaction."""
        with self._engine.begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Let go of the file."""
        self._engine.dispose()


class Ticks(SqliteScheduleStorage):
    """Ticks of schedules and sensors."""

    def __init__(self, conn_string: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engine = _engine(conn_string)
        super().__init__(conn_string, inst_data)

    @classmethod
    def from_local(
        cls, base_dir: str, inst_data: ConfigurableClassData | None = None
    ) -> SqliteScheduleStorage:
        """The storage of a folder, made when it is not there."""
        if is_made(Path(base_dir, "schedules.db")):
            return cls(create_db_conn_string(base_dir, "schedules"), inst_data)
        return super().from_local(base_dir, inst_data)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A transaction."""
        with self._engine.begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Let go of the file."""
        self._engine.dispose()


class Events(SqliteEventLogStorage):
    """Events, in a database for each run and an index of all."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines = Engines()
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engines(self.conn_string_for_shard(shard))
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def _initdb(self, engine: Engine, for_index_shard: bool = False) -> None:
        path = Path(str(engine.url.database))
        if not for_index_shard and not path.exists():
            self._begin_run(path)
        if not is_made(path):
            super()._initdb(engine, for_index_shard)

    def _begin_run(self, path: Path) -> None:
        """Put a database without events in place, unless another process does so at the same time."""
        template = path.with_name(TEMPLATE)
        own = path.with_name(f"{path.name}.{os.getpid()}")
        if not template.exists():
            maker = _engine(f"sqlite:///{own}")
            super()._initdb(maker)
            maker.dispose()
            own.replace(template)
        shutil.copyfile(template, own)
        with suppress(FileExistsError):
            os.link(own, path)
        own.unlink()

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event and let the page know, which watches the database and not the log beside it."""
        super().store_event(event)
        os.utime(self.path_for_shard(event.run_id))

    def wipe(self) -> None:
        """Remove all events, and the files of runs."""
        self._engines.dispose()
        super().wipe()

    def dispose(self) -> None:
        """Let go of all files."""
        super().dispose()
        self._engines.dispose()


class DeskStorage(DagsterSqliteStorage):
    """The three of them in a folder; named in ``dagster.yaml``."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self.base_dir = base_dir
        self._inst_data = inst_data
        self._run_storage = Runs.from_local(os.path.join(base_dir, "history"))
        self._event_log_storage = Events(os.path.join(base_dir, "history", "runs"))
        self._schedule_storage = Ticks.from_local(os.path.join(base_dir, "schedules"))
        # That of the class between would make Dagster's three beside them.
        super(DagsterSqliteStorage, self).__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> DeskStorage:
        """The storage that ``dagster.yaml`` describes."""
        return cls.from_local(inst_data=inst_data, **config_value)


def is_made(path: Path) -> bool:
    """Whether a database exists with all its tables; the last that Dagster writes is the schema's version."""
    if not path.exists():
        return False
    with closing(sqlite3.connect(path, timeout=SQLITE_BUSY_TIMEOUT_SECONDS)) as connection:
        try:
            return connection.execute("SELECT version_num FROM alembic_version").fetchone() is not None
        except sqlite3.OperationalError:
            return False


def _engine(address: str) -> Engine:
    engine = create_engine(address, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})
    event.listen(engine, "connect", _leave_the_disk_its_time)
    return engine


def _leave_the_disk_its_time(connection: sqlite3.Connection, _: object) -> None:
    """A power cut may take the last events, never the database; what the desk decided is in its tables."""
    connection.execute("PRAGMA synchronous=NORMAL")
