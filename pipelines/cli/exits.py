"""Exit codes of ``desk``, and which error ends with which.

| code | meaning |
|---|---|
| 0 | done |
| 1 | failed |
| 2 | the command line itself is wrong |
| 3 | a configuration or an input was refused |
| 4 | data is missing |
| 5 | refused: the action is not allowed now |
| 130 | interrupted |
"""

from __future__ import annotations

from enum import IntEnum
from types import TracebackType


class Exit(IntEnum):
    """Exit codes."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    INPUT = 3
    MISSING = 4
    REFUSED = 5
    INTERRUPTED = 130


class CommandError(RuntimeError):
    """A command cannot do what it was asked; the message is the one line that the user sees."""

    code = Exit.FAILED


class InputError(CommandError):
    """An argument names something that does not exist or cannot be."""

    code = Exit.INPUT


class MissingError(CommandError):
    """The lake does not hold the data that the command needs."""

    code = Exit.MISSING


class RefusedError(CommandError):
    """The action is not allowed now."""

    code = Exit.REFUSED


_PACKAGES = frozenset({"pipelines", "assets", "resources", "delta", "trading"})
_CODES = {
    # By name, so that telling an error's code imports nothing.
    "CalendarError": Exit.INPUT,
    "ConfigError": Exit.INPUT,
    "ContractError": Exit.INPUT,
    "OpenSessionError": Exit.INPUT,
    "QueryError": Exit.INPUT,
    "ScopeError": Exit.INPUT,
    "StrategyError": Exit.INPUT,
    "UnknownTableError": Exit.INPUT,
    "UnknownVersionError": Exit.INPUT,
    "NotALakeError": Exit.MISSING,
    "LakeVersionError": Exit.INPUT,
    "AnalysisError": Exit.MISSING,
    "HistoryError": Exit.MISSING,
    "MissingDataError": Exit.MISSING,
    "NoData": Exit.MISSING,
    "UnknownSymbol": Exit.MISSING,
    "UniverseError": Exit.MISSING,
    "OvertakenError": Exit.REFUSED,
    "RefusedError": Exit.REFUSED,
    "GatewayError": Exit.REFUSED,
    "EveningError": Exit.REFUSED,
    "UnknownProvider": Exit.INPUT,
    "LeaseError": Exit.REFUSED,
    "SettleError": Exit.REFUSED,
    "SupersededError": Exit.REFUSED,
    "Unsupported": Exit.INPUT,
}


def exit_code(error: BaseException) -> Exit | None:
    """Code of an error that the desk raises on purpose; None for one that nobody expected."""
    if isinstance(error, CommandError):
        return error.code
    if isinstance(error, KeyboardInterrupt):
        return Exit.INTERRUPTED
    ours = [kind.__name__ for kind in type(error).__mro__ if _ours(kind.__module__)]
    if ours:
        return next((_CODES[name] for name in ours if name in _CODES), Exit.FAILED)
    if isinstance(error, ValueError) and _raised_by_us(error.__traceback__):
        return Exit.INPUT
    return Exit.FAILED if isinstance(error, OSError) else None


def _ours(module: str) -> bool:
    return module.partition(".")[0] in _PACKAGES


def _raised_by_us(traceback: TracebackType | None) -> bool:
    """Whether the innermost frame of a traceback is the desk's own code."""
    if traceback is None:
        return False
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return _ours(str(traceback.tb_frame.f_globals.get("__name__", "")))
