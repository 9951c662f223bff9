"""How a finding is kept: the same columns for every rule, ready for the table ``quarantine``."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

FINDINGS = pl.Schema(
    {
        "target": pl.String(),
        "symbol": pl.String(),
        "session": pl.Date(),
        "rule": pl.String(),
        "reason": pl.String(),
        "row": pl.String(),
    }
)
"""Rejected rows: the table they were meant for, the rule, the figures that broke it, the row as JSON."""

WARNINGS = pl.Schema(
    {
        "symbol": pl.String(),
        "timeframe": pl.String(),
        "session": pl.Date(),
        "closes_at": pl.Datetime("us", "UTC"),
        "rule": pl.String(),
        "reason": pl.String(),
    }
)
"""Flagged bars with the rule and the figures."""


def rejected(rows: pl.DataFrame, target: str, columns: Sequence[str], day: str = "session") -> pl.DataFrame:
    """Findings of rows that carry ``rule`` and ``reason``.

    Parameters
    ----------
    rows : polars.DataFrame
        Offending rows.
    target : str
        Table they were meant for.
    columns : sequence of str
        Columns of the row as it came; JSON has no NaN, it is kept as null and named in the reason.
    day : str
        Column that dates the row.
    """
    if rows.is_empty():
        return FINDINGS.to_frame()
    return rows.select(
        pl.lit(target).alias("target"),
        pl.col("symbol").fill_null(""),
        pl.col(day).alias("session"),
        "rule",
        "reason",
        pl.struct(columns).struct.json_encode().alias("row"),
    )
