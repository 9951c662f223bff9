"""The verdict on a frame of new bars."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from trading.quality.findings import FINDINGS, WARNINGS, rejected
from trading.quality.rows import rules
from trading.quality.series import findings, measured


@dataclass(frozen=True)
class Verdict:
    """What may be written and what may not.

    Attributes
    ----------
    accepted : polars.DataFrame
        Bars of symbols without a blocking finding, with ``flags`` (names of warnings).
    rejected : polars.DataFrame
        Offending rows; schema ``FINDINGS``.
    warnings : polars.DataFrame
        One row a flagged bar and rule; schema ``WARNINGS``.
    blocked : tuple of str
        Symbols of which nothing may be written, sorted.
    withheld : int
        Rows of those symbols that broke no rule themselves.
    """

    accepted: pl.DataFrame
    rejected: pl.DataFrame
    warnings: pl.DataFrame
    blocked: tuple[str, ...]
    withheld: int


def check_bars(
    bars: pl.DataFrame,
    actions: pl.DataFrame,
    sessions: pl.DataFrame,
    instruments: pl.DataFrame,
    *,
    known: pl.DataFrame | None = None,
    now: datetime | None = None,
    blocked: tuple[str, ...] = (),
) -> Verdict:
    """Check new bars of one timeframe.

    Parameters
    ----------
    bars : polars.DataFrame
        Columns of the table ``bars`` without ``known_at`` and ``flags``, in the order of the source.
    actions : polars.DataFrame
        Corporate actions known, those that came with the bars included and checked.
    sessions : polars.DataFrame
        Rows of the table ``sessions`` for every calendar and the whole range, that of ``known`` included.
    instruments : polars.DataFrame
        ``symbol, calendar, asset_class`` of every symbol; a symbol without one has no session.
    known : polars.DataFrame, optional
        Bars already known around the new ones: what jumps, gaps and repeats are measured against.
    now : datetime, optional
        Sessions that close later are not complete and refused.
    blocked : tuple of str
        Symbols that another check has blocked already.

    Returns
    -------
    Verdict
        Every row is accepted, rejected or withheld.
    """
    placed = _placed(bars, sessions, instruments, now)
    broken = _first_broken(placed)
    refused = [rejected(broken, "bars", bars.columns)]
    sound = placed.filter(pl.col("_line").is_in(broken["_line"].implode()).not_())
    flags, scale = _series(sound, actions, sessions, instruments, known, now)
    refused.append(rejected(scale, "bars", bars.columns))
    findings_ = pl.concat([FINDINGS.to_frame(), *refused])
    stopped = sorted({*findings_["symbol"], *blocked} & {symbol or "" for symbol in bars["symbol"].unique()})
    accepted = placed.filter(pl.col("symbol").is_in(stopped).not_()).join(
        flags.group_by("_line").agg(flags=pl.col("rule")), on="_line", how="left", maintain_order="left"
    )
    return Verdict(
        accepted=accepted.select(*bars.columns, pl.col("flags").fill_null([])),
        rejected=findings_,
        warnings=flags.filter(pl.col("symbol").is_in(stopped).not_()).select(WARNINGS.names()),
        blocked=tuple(stopped),
        withheld=bars.height - accepted.height - broken.height - scale["_line"].n_unique(),
    )


def _placed(
    bars: pl.DataFrame, sessions: pl.DataFrame, instruments: pl.DataFrame, now: datetime | None
) -> pl.DataFrame:
    """Bars with calendar, asset class, number and hours of their session."""
    described = instruments.select("symbol", "calendar", "asset_class").unique("symbol", keep="last")
    hours = sessions.sort("calendar", "session").select(
        "calendar",
        "session",
        session_open="opens_at",
        session_close="closes_at",
        ordinal=pl.int_range(pl.len(), dtype=pl.Int64).over("calendar"),
    )
    return (
        # Polars' string formatting fails on some columns of several chunks.
        bars.rechunk()
        .with_row_index("_line")
        .join(described, on="symbol", how="left", maintain_order="left")
        .join(hours, on=["calendar", "session"], how="left", maintain_order="left")
        .with_columns(now=pl.lit(now, pl.Datetime("us", "UTC")))
    )


def _first_broken(placed: pl.DataFrame) -> pl.DataFrame:
    """Rows that break a row rule, with the first ``rule`` they break and its ``reason``."""
    all_rules = tuple(rules())
    marks = placed.select(rule.broken.fill_null(value=False).alias(rule.name) for rule in all_rules)
    name = pl.coalesce(pl.when(pl.col(rule.name)).then(pl.lit(rule.name)) for rule in all_rules)
    judged = placed.with_columns(marks.select(name.alias("rule")).to_series())
    if judged["rule"].null_count() == len(judged):
        return judged.clear().with_columns(reason=pl.lit("", pl.String))
    reason = pl.coalesce(pl.when(pl.col("rule") == rule.name).then(rule.reason) for rule in all_rules)
    return judged.with_columns(reason=reason).filter(pl.col("rule").is_not_null())


def _series(
    sound: pl.DataFrame,
    actions: pl.DataFrame,
    sessions: pl.DataFrame,
    instruments: pl.DataFrame,
    known: pl.DataFrame | None,
    now: datetime | None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Warnings and blocking findings of the series, on new bars only."""
    parts = [sound]
    if known is not None and not known.is_empty():
        shared = [name for name in sound.columns if name in known.columns]
        there = _placed(known.select(shared), sessions, instruments, now)
        parts.insert(0, there.with_columns(pl.lit(None, pl.UInt32).alias("_line")))
    rows = _in_order(pl.concat(parts, how="diagonal"))
    figures = measured(rows, actions).rechunk()
    new = pl.col("_line").is_not_null()
    marked = [
        (
            finding.blocks,
            figures.filter(new, finding.broken.fill_null(value=False)).with_columns(
                pl.lit(finding.name).alias("rule"), finding.reason.alias("reason")
            ),
        )
        for finding in findings()
    ]
    empty = figures.clear().with_columns(rule=pl.lit("", pl.String), reason=pl.lit("", pl.String))
    warnings, blocking = (
        pl.concat([empty, *(rows for blocks, rows in marked if blocks is wanted)]) for wanted in (False, True)
    )
    return warnings, blocking


def _in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows by symbol and time; a look is much cheaper than the sort that they seldom need."""
    symbol, at = pl.col("symbol"), pl.col("closes_at")
    before, earlier = symbol.shift(1), at.shift(1)
    ascending = (symbol > before) | ((symbol == before) & (at >= earlier))
    ordered = rows.select(ascending.slice(1).all(ignore_nulls=False)).item()
    return rows if ordered else rows.sort("symbol", "closes_at", maintain_order=True)
