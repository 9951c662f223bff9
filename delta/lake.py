"""Where the tables are kept: a folder (or any address that delta-rs opens) with a marker.

The marker ``lake.json`` tells a lake from any other folder and names its layout; a lake of another layout
is refused before anything is read or written. A table carries the version of its schema as a table
property, and the properties that keep its history for ever.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from deltalake import CommitProperties, DeltaTable, Field, Schema
from deltalake.exceptions import TableNotFoundError
from deltalake.schema import ArrayType, PrimitiveType

from delta.contracts import TABLES, Table
from delta.errors import (
    LakeVersionError,
    NotALakeError,
    ReadOnlyLakeError,
    UnknownTableError,
    suggestion,
    translating,
)
from delta.kinds import Kind
from delta.whole_files import write_text

MARKER = "lake.json"
FORMAT = "deltadesk lake"
LAYOUT = 1
"""Layout of the lake; raised when a program of the older layout could misread it."""

SCHEMA_VERSION = "desk.schemaVersion"
ETERNAL_HISTORY = {
    # The defaults delete log files after 30 days, and with them old versions. Other spellings of the
    # intervals ("36500 days", "interval 100 years") are accepted and fall back to 30 days silently.
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
}
SHORT_LOG = {"delta.checkpointInterval": "16"}
"""Commits between two checkpoints. Opening a table reads every commit since the last one: at the hundred that
delta-rs leaves between them, a commit spent most of its time on opening the table."""


@dataclass(frozen=True)
class Lake:
    """Address of a lake.

    Attributes
    ----------
    uri : str
        Absolute path of a folder, or any URL that delta-rs opens.
    storage_options : dict of str, optional
        Options of the storage behind a URL, as delta-rs names them.
    """

    uri: str
    storage_options: dict[str, str] | None = field(default=None, hash=False, repr=False)

    @cached_property
    def path(self) -> Path | None:
        """Folder of a local lake; None behind a URL."""
        return Path(self.uri) if "://" not in self.uri else None

    def table_uri(self, name: str) -> str:
        """Address of one table."""
        return f"{self.uri.rstrip('/')}/{name}"


def create_lake(uri: str | os.PathLike[str], storage_options: dict[str, str] | None = None) -> Lake:
    """Create an empty lake; an existing one is opened.

    Raises
    ------
    NotALakeError
        The address is a file, or a folder that holds something else.
    ReadOnlyLakeError, LakeFullError
        The address cannot be written.
    """
    return open_lake(uri, storage_options, create=True)


def open_lake(
    uri: str | os.PathLike[str], storage_options: dict[str, str] | None = None, *, create: bool = False
) -> Lake:
    """Open a lake after a look at its marker.

    Parameters
    ----------
    uri : str or path
        Folder or URL.
    storage_options : dict of str, optional
        Options of the storage behind a URL.
    create : bool
        Create the lake where there is nothing yet.

    Raises
    ------
    NotALakeError
        Nothing there, a file, or a folder that is no lake.
    LakeVersionError
        The lake has another layout.
    """
    lake = Lake(_absolute(uri), storage_options)
    marker = _read_marker(lake)
    if marker is None:
        _refuse_strangers(lake, create)
        marker = {"format": FORMAT, "layout": LAYOUT}
        _write_marker(lake, json.dumps(marker) + "\n")
    if marker.get("format") != FORMAT:
        raise NotALakeError(f"{lake.uri}: {MARKER} is not the marker of a lake; choose another folder")
    if marker.get("layout") != LAYOUT:
        raise LakeVersionError(
            f"{lake.uri}: layout {marker.get('layout')}, this program reads layout {LAYOUT}; "
            "use the program version that wrote it"
        )
    return lake


def contract(table: type[Table] | str) -> type[Table]:
    """Contract of a table given by class or name."""
    if not isinstance(table, str):
        return table
    if table not in TABLES:
        raise UnknownTableError(f"no table {table!r}{suggestion(table, TABLES)}")
    return TABLES[table]


def open_table(lake: Lake, table: type[Table], version: int | None = None) -> DeltaTable | None:
    """Handle on a table at a version (None: the newest); None where the table does not exist yet.

    Raises
    ------
    LakeVersionError
        The table was written with another schema.
    """
    with translating(f"{lake.uri}/{table.name}"):
        # A look at a folder costs far less than a look for a log, and many tables of a lake are not there.
        if lake.path is not None and not (lake.path / table.name).is_dir():
            return None
        try:
            handle = DeltaTable(
                lake.table_uri(table.name), version=version, storage_options=lake.storage_options
            )
        except TableNotFoundError:
            return None
        _refuse_other_schema(lake, table, handle)
        return handle


def create_table(lake: Lake, table: type[Table], metadata: dict[str, Any]) -> DeltaTable:
    """Create a table, empty, as its version 0; where another process is faster, CommitFailedError."""
    with translating(f"{lake.uri}/{table.name}"):
        return DeltaTable.create(
            lake.table_uri(table.name),
            delta_schema(table),
            mode="ignore",
            name=table.name,
            description=(table.__doc__ or table.name).strip().splitlines()[0],
            configuration={
                **ETERNAL_HISTORY,
                **SHORT_LOG,
                SCHEMA_VERSION: str(table.version),
                "delta.dataSkippingStatsColumns": ",".join(pruning_columns(table)),
            },
            storage_options=lake.storage_options,
            # A retry inside would make a creation that lost a race the next version.
            commit_properties=CommitProperties(custom_metadata=metadata, max_commit_retries=0),
            raise_if_key_not_exists=False,
        )


def pruning_columns(table: type[Table]) -> tuple[str, ...]:
    """Columns whose minimum and maximum are kept for each file: those of key, scope and sort order."""
    return tuple(dict.fromkeys((*table.sort, *table.scope, *table.key)))


def delta_schema(table: type[Table]) -> Schema:
    """Schema of a table as Delta keeps it; required columns are not null."""
    return Schema(
        [Field(name, _delta_type(one.kind), nullable=one.optional) for name, one in table.columns().items()]
    )


def _delta_type(kind: Kind) -> PrimitiveType | ArrayType:
    if kind is Kind.STRINGS:
        return ArrayType(PrimitiveType(Kind.STRING), contains_null=True)
    return PrimitiveType(kind)


def _refuse_other_schema(lake: Lake, table: type[Table], handle: DeltaTable) -> None:
    found = handle.metadata().configuration.get(SCHEMA_VERSION)
    if found != str(table.version):
        raise LakeVersionError(
            f"{lake.uri}/{table.name}: schema version {found or 'missing'}, "
            f"this program knows {table.version}; use the program version that wrote it"
        )
    expected = delta_schema(table)
    if handle.schema().to_json() != expected.to_json():
        ours = {f.name: str(f.type) for f in expected.fields}
        theirs = {f.name: str(f.type) for f in handle.schema().fields}
        differing = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
        raise LakeVersionError(
            f"{lake.uri}/{table.name}: columns differ from the contract "
            f"({', '.join(differing) or 'order or nullability'}); use the program version that wrote it"
        )


def _absolute(uri: str | os.PathLike[str]) -> str:
    text = os.fspath(uri)
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    return text if "://" in text else str(Path(text).expanduser().absolute())


def _refuse_strangers(lake: Lake, create: bool) -> None:
    path = lake.path
    if not create:
        raise NotALakeError(f"{lake.uri}: no lake here; create one, or name the folder that holds it")
    if path is not None and path.is_dir() and any(path.iterdir()):
        raise NotALakeError(f"{lake.uri}: the folder is not empty and is no lake; choose another folder")


def _read_marker(lake: Lake) -> dict[str, Any] | None:
    text = _read_local(lake.path) if lake.path is not None else _read_remote(lake)
    if text is None:
        return None
    try:
        marker = json.loads(text)
    except ValueError:
        marker = None
    if not isinstance(marker, dict):
        raise NotALakeError(f"{lake.uri}: {MARKER} is not the marker of a lake; choose another folder")
    return marker


def _read_local(path: Path) -> str | None:
    if path.exists() and not path.is_dir():
        raise NotALakeError(f"{path}: is a file, a lake is a folder; choose another address")
    try:
        return (path / MARKER).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        raise NotALakeError(f"{path}: lies below a file; choose another address") from error


def remote_file(lake: Lake, name: str) -> bytes:
    """Content of a file of a lake behind a URL."""
    from deltalake.fs import DeltaStorageHandler  # noqa: PLC0415  needs pyarrow, which local lakes do not

    return bytes(DeltaStorageHandler(lake.uri, lake.storage_options).open_input_file(name).read())


def remove_file(lake: Lake, name: str) -> None:
    """Remove a file of a lake; one that is gone already is no error."""
    if lake.path is not None:
        (lake.path / name).unlink(missing_ok=True)
        return
    from deltalake.fs import DeltaStorageHandler  # noqa: PLC0415

    DeltaStorageHandler(lake.uri, lake.storage_options).delete_file(name)


def _read_remote(lake: Lake) -> str | None:
    with translating(lake.uri):
        try:
            return remote_file(lake, MARKER).decode()
        except FileNotFoundError:
            return None


def _write_marker(lake: Lake, text: str) -> None:
    path = lake.path
    with translating(lake.uri):
        if path is None:
            _write_remote(lake, text)
            return
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK):
            raise ReadOnlyLakeError(f"{path}: cannot be written; check permissions and mount")
        write_text(path / MARKER, text)


def _write_remote(lake: Lake, text: str) -> None:
    from deltalake.fs import DeltaStorageHandler  # noqa: PLC0415

    stream = DeltaStorageHandler(lake.uri, lake.storage_options).open_output_stream(MARKER)
    stream.write(text.encode())
    stream.close()
