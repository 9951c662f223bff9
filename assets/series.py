"""Series of bars as a person asks for them: adjusted as of a date, with what was known at a time."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl

from delta import Lake, pin
from delta.contracts import Bars, CorporateActions, Instruments
from trading.adjust import adjusted
from trading.history import newest
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
    own = pl.col("symbol") == symbol
    actions = newest(pins.read(CorporateActions, where=own).collect(), CorporateActions.key[:-1], known)
    parts = actions.filter(pl.col("action") == "spin_off")["new_symbol"].drop_nulls().to_list()
    wanted = pl.col("symbol").is_in([symbol, *parts]) & (pl.col("timeframe") == timeframe)
    rows = pins.read(Bars, where=wanted & (pl.col("session") <= as_of)).collect()
    return symbol, adjusted(newest(rows, Bars.key[:-1], known), actions, symbol, as_of, kind)
