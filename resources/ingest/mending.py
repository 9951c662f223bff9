"""Repair of bars that the lake holds already, as new versions of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from delta.contracts import Bars
from delta.lake import Lake
from delta.reading import read
from delta.writing import Commit, Provenance, write
from resources.ingest.compare import BAR_KEY, known_actions
from resources.ingest.plan import IngestError
from trading.corporate_actions import standing
from trading.history import newest
from trading.repair import repair_prices


@dataclass(frozen=True)
class Mended:
    """What was repaired.

    Attributes
    ----------
    repairs : polars.DataFrame
        ``symbol, timeframe, session, closes_at, rule, reason, row`` (the bar as it was, JSON).
    commit : Commit or None
        The new versions; None when there was nothing to repair.
    """

    repairs: pl.DataFrame
    commit: Commit | None


def mend(
    lake: Lake, symbols: Sequence[str], timeframe: str, *, now: datetime, provenance: Provenance
) -> Mended:
    """Write repaired versions of the bars of some symbols that have a fault with one right answer.

    What was known before stays: the new version says in its flags what was done, and is known from ``now``.

    Raises
    ------
    IngestError
        When ``now`` lies before what is known already.
    """
    at = now.astimezone(UTC)
    where = (pl.col("timeframe") == timeframe) & pl.col("symbol").is_in(list(symbols))
    known = newest(read(lake, Bars, where=where).collect(), BAR_KEY)
    done = repair_prices(known.drop("known_at"), standing(known_actions(lake, symbols)))
    if done.repairs.is_empty():
        return Mended(done.repairs, None)
    versions = known.select(*BAR_KEY, before="known_at")
    fresh = done.bars.join(done.repairs, on=list(BAR_KEY), how="semi", maintain_order="left").join(
        versions, on=list(BAR_KEY), how="left", maintain_order="left"
    )
    if (fresh["before"] >= at).any():
        raise IngestError(
            f"a repair at {at:%Y-%m-%d %H:%M:%S} would be dated before its bar; check the clock"
        )
    stamped = fresh.with_columns(known_at=pl.lit(at, pl.Datetime("us", "UTC")))
    return Mended(done.repairs, write(lake, Bars, stamped.select(Bars.schema().names()), None, provenance))
