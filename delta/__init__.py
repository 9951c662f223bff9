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
from delta.lake import Lake, create_lake, open_lake
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
    "ScopeError",
    "Table",
    "UnknownTableError",
    "UnknownVersionError",
    "Violation",
    "create_lake",
    "open_lake",
    "pin",
    "read",
    "resolve",
    "violations",
    "write",
]
