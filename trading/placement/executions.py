"""A broker's executions: one identity through corrections, commissions that come later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from trading.orders import Side


class Report(NamedTuple):
    """One report of an execution.

    Attributes
    ----------
    root, revision : str, int
        The broker's id without its last part, and that part: a correction has the next revision.
    quantity : float
        Positive; 0 for an execution that was taken back.
    commission : float, optional
        None until the broker has told it.
    cause : str
        Empty for the desk's own orders; manual, assignment, exercise, lapse or external.
    leg : bool
        Whether it is the leg of a combination, whose own execution counts for the order.
    """

    root: str
    revision: int
    order_ref: str
    perm_id: int
    symbol: str
    side: Side
    quantity: float
    price: float
    executed_at: datetime
    commission: float | None = None
    currency: str = "USD"
    order_id: int = 0
    client_id: int = 0
    cause: str = ""
    leg: bool = False
    multiplier: float = 1.0


def split_id(execution_id: str) -> tuple[str, int]:
    """Root and revision of a broker's execution id; an id without a revision is its own first one."""
    root, _, revision = execution_id.rpartition(".")
    if root and revision.isascii() and revision.isdigit():
        return root, int(revision)
    return execution_id, 1


def newest(reports: Iterable[Report]) -> dict[str, Report]:
    """Executions by root: the highest revision, with its commission told last, else that of one before it.

    Parameters
    ----------
    reports : iterable of Report
        In the order in which they were told.
    """
    result: dict[str, Report] = {}
    for report in reports:
        known = result.get(report.root)
        if known is None or report.revision > known.revision:
            result[report.root] = report if known is None else _merged(report, known)
        elif report.revision == known.revision and report.commission is not None:
            result[report.root] = known._replace(commission=report.commission)
        else:
            result[report.root] = _merged(known, report)
    return result


def unrecorded(seen: Iterable[Report], recorded: Iterable[Report]) -> list[Report]:
    """Reports that say something the ledger does not have yet: a new execution, revision or commission.

    Parameters
    ----------
    recorded : iterable of Report
        In the order in which they were told: a commission that differs from the last one is new.
    """
    known = last_told(recorded)
    fresh: list[Report] = []
    for report in seen:
        if tells_more(report, known):
            fresh.append(report)
            known |= last_told([report])
    return fresh


Told = dict[tuple[str, int], float | None]
"""Execution and revision to the last commission told of it; None: none yet."""


def last_told(reports: Iterable[Report]) -> Told:
    """What reports say of each revision in the end; the order in which they were told counts."""
    told: Told = {}
    for report in reports:
        key = (report.root, report.revision)
        if report.commission is not None or key not in told:
            told[key] = report.commission
    return told


def tells_more(report: Report, told: Mapping[tuple[str, int], float | None]) -> bool:
    """Whether a report has a revision that was not told, or a commission that differs."""
    key = (report.root, report.revision)
    if key not in told:
        return True
    before = told[key]
    return report.commission is not None and (before is None or abs(report.commission - before) > 1e-9)


def plausible_commission(value: float | None) -> float | None:
    """Commission as told, or None for what stands for a missing one (unset, or negative as a placeholder)."""
    if value is None or value != value or abs(value) > 1e12 or value == -1.0:  # noqa: PLR0124 - NaN
        return None
    return value


def _merged(report: Report, other: Report) -> Report:
    """Report with the commission of another where it has none."""
    if report.commission is not None or other.commission is None:
        return report
    return report._replace(commission=other.commission)
