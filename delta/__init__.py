"""How the desk's tables are kept: contracts, one writer, reading as of a version or a time.

Each name is imported when it is first asked for: what is known without polars is answered without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from delta.checking import ContractError, Violation, violations
    from delta.contracts import TABLES, Table
    from delta.differences import diff
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
    from delta.lake import Lake, create_lake, open_lake
    from delta.log import history
    from delta.maintenance import checkpoint, compact, vacuum
    from delta.manifest import RunRecord, record_run, referenced_versions, run_of, runs
    from delta.query import sql
    from delta.reading import Pins, pin, read
    from delta.versions import resolve
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

_PLACES = {
    "checking": ("ContractError", "Violation", "violations"),
    "contracts": ("TABLES", "Table"),
    "differences": ("diff",),
    "errors": (
        "ConcurrentWriteError",
        "LakeError",
        "LakeFullError",
        "LakeVersionError",
        "NotALakeError",
        "QueryError",
        "ReadBackError",
        "ReadOnlyLakeError",
        "ScopeError",
        "UnknownTableError",
        "UnknownVersionError",
    ),
    "exporting": ("export", "export_frame"),
    "lake": ("Lake", "create_lake", "open_lake"),
    "log": ("history",),
    "maintenance": ("checkpoint", "compact", "vacuum"),
    "manifest": ("RunRecord", "record_run", "referenced_versions", "run_of", "runs"),
    "query": ("sql",),
    "reading": ("Pins", "pin", "read"),
    "versions": ("resolve",),
    "writing": ("Commit", "Provenance", "write"),
}
_MODULE = {name: module for module, names in _PLACES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_MODULE[name]}"), name)
    return found
