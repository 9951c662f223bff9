"""What an ingest did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from delta.writing import Commit

SHOWN = 3
"""Corrections that the summary tells one by one."""


@dataclass(frozen=True)
class IngestResult:
    """What an ingest wrote, skipped and refused.

    Attributes
    ----------
    new, corrected, unchanged : int
        Bars that were not known; known with other figures (written as a new version); known as they are.
    rejected : pl.DataFrame
        Rows that broke a rule: ``target, symbol, session, rule, reason, row``. They are in ``quarantine``.
    withheld : int
        Bars that broke no rule but belong to a blocked symbol, or came with a failed one.
    blocked : mapping of str to str
        Symbols of which nothing was written: the first rule broken, with its row.
    failed : mapping of str to str
        Symbols that the provider could not serve: what it said.
    warnings : pl.DataFrame
        Bars written with a flag: ``symbol, timeframe, session, closes_at, rule, reason``.
    commits : tuple of Commit
        One a table that changed and part, in the order of writing.
    repaired : int
        Rows that came with a fault and were put right; as they came they are in ``quarantine``.
    actions : pl.DataFrame
        Corporate actions known otherwise before: ``symbol, ex_date, action, withdrawn, reason``.
    """

    new: int
    corrected: int
    unchanged: int
    rejected: pl.DataFrame
    withheld: int
    blocked: Mapping[str, str]
    failed: Mapping[str, str]
    warnings: pl.DataFrame
    commits: tuple[Commit, ...] = field(default=())
    repaired: int = 0
    actions: pl.DataFrame = field(default_factory=pl.DataFrame)

    @property
    def rows(self) -> int:
        """Bars written."""
        return self.new + self.corrected

    @property
    def quarantined(self) -> int:
        """Rows that broke a rule."""
        return self.rejected.height

    def problems(self) -> list[str]:
        """One line for every symbol that was blocked or not served; empty when all went well."""
        blocked = [f"{symbol}: nothing written: {reason}" for symbol, reason in self.blocked.items()]
        return blocked + list(self.failed.values())

    def summary(self) -> str:
        """One line of counts."""
        parts = [f"{self.new} new", f"{self.corrected} corrected", f"{self.unchanged} unchanged bars"]
        if self.repaired:
            parts.append(f"{self.repaired} repaired")
        if self.actions.height:
            parts.append(f"corporate actions corrected: {_told(self.actions)}")
        if self.warnings.height:
            parts.append(f"{self.warnings.height} warnings")
        if self.rejected.height:
            parts.append(f"{self.rejected.height} rows rejected ({', '.join(self.blocked)} not written)")
        if self.failed:
            parts.append(f"{len(self.failed)} symbols not served ({', '.join(self.failed)})")
        return ", ".join(parts)


def joined(results: Sequence[IngestResult]) -> IngestResult:
    """What several parts of one ingest did together."""
    first, *rest = results
    if not rest:
        return first
    return IngestResult(
        new=sum(each.new for each in results),
        corrected=sum(each.corrected for each in results),
        unchanged=sum(each.unchanged for each in results),
        rejected=pl.concat([each.rejected for each in results]),
        withheld=sum(each.withheld for each in results),
        blocked=dict(pair for each in results for pair in each.blocked.items()),
        failed=dict(pair for each in results for pair in each.failed.items()),
        warnings=pl.concat([each.warnings for each in results]),
        commits=tuple(commit for each in results for commit in each.commits),
        repaired=sum(each.repaired for each in results),
        actions=pl.concat([each.actions for each in results]),
    )


def _told(actions: pl.DataFrame) -> str:
    """The first corrections in words."""
    shown = [
        f"{row['symbol']} {row['action']} of {row['ex_date']} ({row['reason']})"
        for row in actions.head(SHOWN).iter_rows(named=True)
    ]
    return "; ".join(shown) + (f"; {actions.height - SHOWN} more" if actions.height > SHOWN else "")
