"""What is new against what the lake knows: rows to write, corrections among them, and what to skip."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

import polars as pl

from delta.contracts import Bars, CorporateActions, Table
from delta.lake import Lake
from delta.reading import read
from resources.ingest.plan import IngestError
from resources.providers.base import Request
from trading.corporate_actions import KEY
from trading.history import newest
from trading.quality.findings import WARNINGS

BAR_KEY = ("symbol", "timeframe", "closes_at")
FIGURES = ("open", "high", "low", "close", "volume")
CONTEXT = timedelta(days=100)
"""Calendar days before the first new bar that jumps are measured against."""
DISAGREEMENT = 0.005


class Changes(NamedTuple):
    """Rows to write (without ``known_at``), how many of them are corrections, and how many are as known."""

    rows: pl.DataFrame
    corrected: int
    unchanged: int
    warnings: pl.DataFrame


def known_bars(lake: Lake, planned: Sequence[Request]) -> pl.DataFrame:
    """Newest versions of the bars of the planned ranges and of the time before that they are judged by."""
    if not planned:
        return Bars.schema().to_frame()
    spans: dict[tuple[date, date], list[str]] = {}
    for request in planned:
        spans.setdefault((request.first - CONTEXT, request.last), []).extend(request.symbols)
    where = pl.any_horizontal(
        pl.col("session").is_between(first, last) & pl.col("symbol").is_in(symbols)
        for (first, last), symbols in spans.items()
    )
    # The widest range stands apart so that statistics prune on it.
    whole = pl.col("session").is_between(min(first for first, _ in spans), max(last for _, last in spans))
    timeframe = pl.col("timeframe") == planned[0].timeframe
    return newest(read(lake, Bars, where=timeframe & whole & where).collect(), BAR_KEY)


def known_actions(lake: Lake, symbols: Sequence[str]) -> pl.DataFrame:
    """Newest versions of the corporate actions of some symbols, withdrawn ones included."""
    rows = read(lake, CorporateActions, where=pl.col("symbol").is_in(list(symbols))).collect()
    return newest(rows, KEY)


def changed_bars(bars: pl.DataFrame, known: pl.DataFrame, now: datetime, *, refetch: bool) -> Changes:
    """Accepted bars against the known ones.

    A known bar of another source is kept unless ``refetch``: the first provider stays, and a close that
    differs by more than half a percent is a warning.

    Raises
    ------
    IngestError
        When a correction would be dated before what it corrects.
    """
    both = bars.join(
        known.select(
            *BAR_KEY, *(pl.col(name).alias(f"{name}_known") for name in (*FIGURES, "source", "known_at"))
        ),
        on=list(BAR_KEY),
        how="left",
        maintain_order="left",
    )
    is_new = pl.col("known_at_known").is_null()
    differs = pl.any_horizontal(pl.col(name) != pl.col(f"{name}_known") for name in FIGURES)
    other_source = (pl.col("source") != pl.col("source_known")) & pl.lit(not refetch)
    judged = both.with_columns(
        is_new=is_new,
        is_corrected=is_new.not_() & differs & other_source.not_(),
        is_other=other_source & differs,
    )
    corrected = judged.filter("is_corrected")
    _refuse_backdated(corrected, now)
    apart = (pl.col("close") / pl.col("close_known") - 1).abs() > DISAGREEMENT
    disagree = (
        judged.filter(pl.col("is_other") & apart)
        .rechunk()
        .with_columns(
            rule=pl.lit("providers disagree"),
            reason=pl.format(
                "{} says close {}, {} says {}", "source_known", "close_known", "source", "close"
            ),
        )
    )
    rows = judged.filter(pl.col("is_new") | pl.col("is_corrected")).select(bars.columns)
    return Changes(rows, corrected.height, bars.height - rows.height, disagree.select(WARNINGS.names()))


def changed_rows(rows: pl.DataFrame, known: pl.DataFrame, table: type[Table], *, refetch: bool) -> Changes:
    """New and changed reference rows of a table, such as instruments.

    A row that another source described is kept unless ``refetch``, or unless nobody described it before.
    """
    key = [name for name in table.key if name != "known_at"]
    figures = [name for name in rows.columns if name not in (*key, "source")]
    both = rows.join(
        known.select(
            *key, "known_at", *(pl.col(name).alias(f"{name}_known") for name in (*figures, "source"))
        ),
        on=key,
        how="left",
        maintain_order="left",
    )
    is_new = pl.col("known_at").is_null()
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_known")) for name in figures)
    same_source = (pl.col("source") == pl.col("source_known")) | pl.lit(refetch)
    corrected = both.filter(is_new.not_() & differs & same_source)
    kept = both.filter(is_new | (differs & same_source)).select(rows.columns)
    return Changes(kept, corrected.height, rows.height - kept.height, WARNINGS.to_frame())


def refuse_backdated(fresh: pl.DataFrame, known: pl.DataFrame, key: tuple[str, ...], now: datetime) -> None:
    """Refuse versions that would be older than the ones they replace."""
    late = fresh.join(known.filter(pl.col("known_at") >= now), on=list(key), how="semi")
    if late.height:
        named = ", ".join(str(value) for value in late.select(key).row(0))
        raise IngestError(f"{named}: a correction would be dated before the row it corrects; check the clock")


def _refuse_backdated(corrected: pl.DataFrame, now: datetime) -> None:
    late = corrected.filter(pl.col("known_at_known") >= now)
    if late.height:
        row = late.row(0, named=True)
        raise IngestError(
            f"{row['symbol']} {row['session']}: a correction at {now:%Y-%m-%d %H:%M:%S} would be dated "
            f"before the row it corrects ({row['known_at_known']:%Y-%m-%d %H:%M:%S}); check the clock"
        )
