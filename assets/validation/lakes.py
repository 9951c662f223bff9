"""A lake for a trial: the market data that a book reads, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from assets.desk import LOOKS
from assets.inputs import MARKET_READS, universe
from assets.stage import CODE_VERSION
from delta import Lake, Provenance, Table, create_lake, pin, write
from delta.contracts import Bars, CorporateActions, Instruments, Sessions
from resources.calendar import sessions
from trading.book import BookConfig


def trial_lake(lake: Lake, book: BookConfig, last: date, folder: Path) -> Lake:
    """New lake with the market data of a book up to a session.

    Parameters
    ----------
    folder : Path
        Where the lake is made.
    """
    looks = LOOKS if book.risk.liquidity.enabled else ()
    pins = pin(lake, [*MARKET_READS, *looks, Sessions])
    described = pins.read(Instruments).collect()
    symbols = universe(book, described)
    mine = {"symbol": list(symbols)}
    received = pins.read(CorporateActions, where=mine | {"ex_date": (None, last)}).collect()
    bars = pins.read(Bars, where=mine | {"timeframe": book.timeframe}).collect()
    frames: Mapping[type[Table], pl.DataFrame] = {
        Instruments: described.filter(pl.col("symbol").is_in(symbols)),
        CorporateActions: received,
        Bars: _bars(bars, last),
        Sessions: _hours(book, last),
        **{table: pins.read(table, where=mine | {"session": (None, last)}).collect() for table in looks},
    }
    made = create_lake(folder)
    for table, frame in frames.items():
        if not frame.is_empty():
            write(made, table, frame, None, _provenance())
    return made


def _bars(bars: pl.DataFrame, last: date) -> pl.DataFrame:
    """Bars up to a session; of a symbol that is listed later its first, which says so."""
    known = bars.filter(pl.col("session") <= last)
    later = bars.join(known, on="symbol", how="anti").sort("session").group_by("symbol").first()
    return pl.concat([known, later.select(bars.columns)])


def _hours(book: BookConfig, last: date) -> pl.DataFrame:
    hours = sessions(book.calendar, book.start, last)
    schema: Mapping[str, Any] = Sessions.schema()
    return hours.select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def _provenance() -> Provenance:
    return Provenance("validate", "trial_lake", CODE_VERSION)
