"""Observations into their tables: quotes, depth, rates, memberships; only what is new or changed.

A row that breaks the contract goes to quarantine with the rule, the others are written: unlike a bar, an
observation does not make its neighbours doubtful.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from delta.checking import rules
from delta.contracts import Check, Quarantine, Table
from delta.lake import Lake
from delta.reading import read
from delta.writing import Commit, Provenance, write
from resources.ingest.compare import changed_rows, refuse_backdated
from resources.ingest.plan import IngestError
from trading.history import newest
from trading.quality.findings import FINDINGS, rejected

INSTANT = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class RowsResult:
    """What was done with observations of one table.

    Attributes
    ----------
    new, corrected, unchanged : int
        Rows that were not known; known with other figures, written as a new version; known as they are.
    rejected : polars.DataFrame
        Rows that break the contract: ``target, symbol, session, rule, reason, row``.
    commits : tuple of Commit
        One a table that changed.
    """

    table: str
    new: int
    corrected: int
    unchanged: int
    rejected: pl.DataFrame
    commits: tuple[Commit, ...] = ()

    def summary(self) -> str:
        """One line of counts."""
        line = f"{self.table}: {self.new} new, {self.corrected} corrected, {self.unchanged} unchanged rows"
        return line + (f", {self.rejected.height} rejected" if self.rejected.height else "")


def ingest_rows(
    lake: Lake,
    table: type[Table],
    rows: pl.DataFrame,
    where: pl.Expr,
    *,
    now: datetime,
    provenance: Provenance,
    refetch: bool = False,
) -> RowsResult:
    """Write the observations that the lake does not know.

    Parameters
    ----------
    table : type of Table
        Table with ``known_at`` in its key and a column ``source``.
    rows : polars.DataFrame
        Its columns without ``known_at``.
    where : polars.Expr
        Rows of the table that the new ones may correct, in terms that prune the read.
    refetch : bool
        Let this source correct the rows of another.

    Raises
    ------
    IngestError
        When a correction would be dated before what it corrects.
    """
    if now.tzinfo is None:
        raise IngestError(f"now = {now} has no time zone; give an aware time")
    stamp = pl.lit(now.astimezone(UTC), INSTANT)
    key = tuple(name for name in table.key if name != "known_at")
    good, bad = _judged(table, rows.with_columns(known_at=stamp), key)
    known = newest(read(lake, table, where=where).collect(), key)
    changes = changed_rows(good.drop("known_at"), known, table, refetch=refetch)
    fresh = changes.rows.with_columns(known_at=stamp).select(table.schema().names())
    refuse_backdated(fresh, known, key, now)
    commits = [
        write(lake, table, fresh, None, provenance) if fresh.height else None,
        _quarantined(lake, bad, rows, stamp, provenance),
    ]
    return RowsResult(
        table.name,
        fresh.height - changes.corrected,
        changes.corrected,
        changes.unchanged,
        bad,
        tuple(commit for commit in commits if commit is not None),
    )


def _judged(
    table: type[Table], rows: pl.DataFrame, key: tuple[str, ...]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows in order, and findings on the others: a broken rule, or a key that came twice."""
    checks = (*rules(table), Check("one row a key", lambda _: pl.struct(key).is_first_distinct()))
    broken = pl.coalesce(
        pl.when(check.holds.fill_null(value=True).not_()).then(pl.lit(check.rule)) for check in checks
    )
    judged = rows.with_columns(rule=broken)
    bad = judged.filter(pl.col("rule").is_not_null())
    return judged.filter(pl.col("rule").is_null()).drop("rule"), _findings(table, bad)


_DAYS = ("session", "observed", "ex_date", "valid_from")
"""Columns that say which day a row is of, the first one that a table has."""


def _findings(table: type[Table], bad: pl.DataFrame) -> pl.DataFrame:
    if bad.is_empty():
        return FINDINGS.to_frame()
    columns = [name for name in table.schema().names() if name != "known_at"]
    day = next(column for column in _DAYS if column in columns)
    name = "symbol" if "symbol" in columns else "series"
    named = bad.with_columns(symbol=pl.col(name), reason=pl.lit("the row breaks the contract of its table"))
    return rejected(named, table.name, columns, day)


def _quarantined(
    lake: Lake, bad: pl.DataFrame, rows: pl.DataFrame, stamp: pl.Expr, provenance: Provenance
) -> Commit | None:
    """Keep rejected rows that are not in quarantine yet."""
    if bad.is_empty():
        return None
    source = rows["source"].drop_nulls().first()
    stamped = bad.with_columns(
        pl.lit(source or "", pl.String).alias("provider"),
        pl.lit(provenance.run_id).alias("run_id"),
        stamp.alias("known_at"),
    ).unique(maintain_order=True)
    known = ["target", "provider", "symbol", "rule", "row"]
    have = read(lake, Quarantine, where=pl.col("target") == bad["target"][0]).collect()
    fresh = stamped.join(have, on=known, how="anti", maintain_order="left")
    if fresh.is_empty():
        return None
    return write(lake, Quarantine, fresh.select(Quarantine.schema().names()), None, provenance)
