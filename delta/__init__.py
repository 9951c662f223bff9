"""How the desk's tables are kept: contracts, one writer, reading as of a version or a time."""

from delta.checking import ContractError, Violation, violations
from delta.contracts import TABLES, Table
from delta.errors import (
    ConcurrentWriteError,
    LakeError,
    LakeFullError,
    LakeVersionError,
    NotALakeError,
    QueryError,
    ReadBackError,
    ReadOnlyLakeError,
    ScopeError,
    UnknownTableError,
    UnknownVersionError,
)
from delta.exporting import export, export_frame
from delta.history import diff, history
from delta.lake import Lake, create_lake, open_lake
from delta.maintenance import checkpoint, compact, vacuum
from delta.manifest import RunRecord, record_run, referenced_versions, run_of, runs
from delta.query import sql
from delta.reading import Pins, pin, read, resolve
from delta.writing import Commit, Provenance, write

__all__ = [
    "TABLES",
    "Commit",
    "ConcurrentWriteError",
    "ContractError",
    "Lake",
    "LakeError",
    "LakeFullError",
    "LakeVersionError",
    "NotALakeError",
    "Pins",
    "Provenance",
    "QueryError",
    "ReadBackError",
    "ReadOnlyLakeError",
    "RunRecord",
    "ScopeError",
    "Table",
    "UnknownTableError",
    "UnknownVersionError",
    "Violation",
    "checkpoint",
    "compact",
    "create_lake",
    "diff",
    "export",
    "export_frame",
    "history",
    "open_lake",
    "pin",
    "read",
    "record_run",
    "referenced_versions",
    "resolve",
    "run_of",
    "runs",
    "sql",
    "vacuum",
    "violations",
    "write",
]
