"""Series of bars as a person asks for them: adjusted as of a date, with what was known at a time."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl

from delta import Lake, pin
from delta.contracts import Bars, CorporateActions, Instruments
from resources.calendar import STOCKS, sessions
from resources.providers._frames import time_zone
from trading.adjust import adjusted
from trading.corporate_actions import standing
from trading.history import newest
from trading.resampling import SPANS, resample
from trading.universe import symbol_of


def adjusted_series(
    lake: Lake,
    name: str,
    as_of: date,
    *,
    kind: str = "total_return",
    known: datetime | None = None,
    timeframe: str = "1d",
) -> tuple[str, pl.DataFrame]:
    """Adjusted bars of an instrument up to a date.

    Parameters
    ----------
    name : str
        Symbol, or a ticker that it had on that date.
    as_of : date
        Last session, and the session whose share the prices are in: later splits and dividends do not
        count.
    kind : str
        ``total_return`` or ``split``.
    known : datetime, optional
        Only what the desk knew by then; None: all it knows.

    Returns
    -------
    symbol : str
        Permanent symbol.
    series : polars.DataFrame
        See :func:`trading.adjust.adjusted`; empty where the lake has no bars.

    Raises
    ------
    UniverseError
        When the name stands for nothing on that date.
    """
    pins = pin(lake, [Bars, CorporateActions, Instruments])
    instruments = newest(pins.read(Instruments).collect(), Instruments.key[:-1], known)
    symbol = symbol_of(instruments, name, as_of)
    actions = standing(pins.read(CorporateActions, where={"symbol": symbol}).collect(), known)
    parts = actions.filter(pl.col("action") == "spin_off")["new_symbol"].drop_nulls().to_list()
    wanted = {"symbol": [symbol, *parts], "timeframe": timeframe, "session": (None, as_of)}
    rows = pins.read(Bars, where=wanted).collect()
    return symbol, adjusted(newest(rows, Bars.key[:-1], known), actions, symbol, as_of, kind)


WEEK = timedelta(days=14)
"""Days around a range whose sessions say where its weeks end."""


def bars_of(
    lake: Lake, symbol: str, timeframe: str, first: date, last: date, *, until: datetime
) -> tuple[str, pl.DataFrame]:
    """Raw bars of a symbol: those of the timeframe, or made of the longest shorter ones that the lake has.

    Parameters
    ----------
    until : datetime
        Bars that close later are not there yet.

    Returns
    -------
    source : str
        Timeframe of the bars read; another than the one asked for when they were put together.
    bars : polars.DataFrame
        ``symbol, timeframe, session, closes_at``, prices, volume, ``source``; empty where the lake has none.
    """
    pins = pin(lake, [Bars, Instruments])
    before = first - WEEK if timeframe == "1w" else first
    own = {"symbol": symbol, "session": (before, last)}
    there = pins.read(Bars, where=own, columns=["timeframe"]).unique().collect()["timeframe"].to_list()
    shorter = [
        name for name in there if not SPANS[timeframe] % SPANS[name] and SPANS[name] <= SPANS[timeframe]
    ]
    source = max(shorter, key=SPANS.__getitem__, default=timeframe)
    rows = pins.read(Bars, where=own | {"timeframe": source}).collect()
    bars = newest(rows, Bars.key[:-1]).drop("known_at", "flags").sort("closes_at")
    if source != timeframe:
        described = pins.read(Instruments, where={"symbol": symbol}, columns=["calendar"]).collect()
        calendar = described["calendar"][-1] if described.height else STOCKS
        hours = sessions(calendar, before - WEEK, last + WEEK)
        bars = resample(bars, timeframe, hours, zone=time_zone(calendar), until=until)
    return source, bars.filter(pl.col("closes_at") <= until, pl.col("session").is_between(first, last))
