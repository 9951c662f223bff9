"""Signal rows from arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading.history import History
from trading.strategies.base import SIGNALS

Rows = NDArray[np.int64]

FIGURES = 8
"""Significant figures of the indicator values kept with a signal."""


def symbol_of(history: History, rows: Rows) -> NDArray[np.int64]:
    """Index of the symbol that each row of a history belongs to."""
    index: NDArray[np.int64] = np.searchsorted(history.offsets, rows, side="right") - 1
    return index


def identity(history: History, rows: Rows) -> dict[str, pl.Series]:
    """Columns ``session``, ``symbol`` and ``price`` (raw close) of rows of a history."""
    days = history.sessions[history.session_index[rows]].astype("datetime64[D]").astype(np.int32)
    names = pl.Series("symbol", history.symbols, dtype=pl.String)
    return {
        "session": pl.Series("session", days).cast(pl.Date),
        "symbol": names.gather(symbol_of(history, rows)),
        "price": pl.Series("price", history.close[rows]),
    }


def figures(values: Mapping[str, Any]) -> pl.Series:
    """Indicator values as JSON objects, one a row, to eight significant figures; NaN becomes null."""
    frame = pl.DataFrame(dict(values))
    floats = [name for name, dtype in frame.schema.items() if dtype == pl.Float64]
    frame = frame.with_columns(pl.col(floats).round_sig_figs(FIGURES)) if floats else frame
    return frame.select(pl.struct(pl.all()).struct.json_encode().alias("indicators")).to_series()


def signal_rows(history: History, rows: Rows, action: Any, **columns: Any) -> pl.DataFrame:
    """Signals at rows of a history.

    Parameters
    ----------
    history : History
        Gives session, symbol and raw close.
    rows : array of int
        Rows of the history that signal.
    action : str or series of str
        ``BUY``, ``CLOSE``, ...
    **columns
        Further columns of :data:`SIGNALS`, arrays or single values. Those not given are null, apart from a
        long direction, full strength and confidence, and an empty JSON object of indicators.

    Returns
    -------
    polars.DataFrame
        Columns of :data:`SIGNALS` and ``_order``, the place of session and symbol; see :func:`collected`.
    """
    given: dict[str, Any] = {
        "action": action,
        "direction": "long",
        "strength": 100.0,
        "confidence": 1.0,
        "timeframe": "1d",
        "indicators": "{}",
        **identity(history, rows),
        **columns,
    }
    place = history.session_index[rows].astype(np.int64) * len(history.symbols) + symbol_of(history, rows)
    arrays = {name: value for name, value in given.items() if not _single(value)}
    singles = {name: given.get(name) for name in SIGNALS if _single(given.get(name))}
    return pl.DataFrame({"_order": place, **arrays}).select(
        "_order",
        *(
            (pl.lit(singles[name]) if name in singles else pl.col(name)).cast(dtype).alias(name)
            for name, dtype in SIGNALS.items()
        ),
    )


def collected(*parts: pl.DataFrame) -> pl.DataFrame:
    """Signals by session and symbol; rows of one of both stay in the given order, alphabetical by action."""
    if not parts:
        return pl.DataFrame(schema=SIGNALS)
    return pl.concat(parts).sort("_order", maintain_order=True).drop("_order")


def slices(history: History, bars: int) -> Iterator[tuple[int, int]]:
    """Bounds of runs of symbols with about ``bars`` bars together, at least one symbol each."""
    first, offsets = 0, history.offsets
    while first < len(history.symbols):
        last = int(np.searchsorted(offsets, offsets[first] + bars, side="right")) - 1
        last = max(last, first + 1)
        yield first, last
        first = last


def _single(value: Any) -> bool:
    return value is None or isinstance(value, str | float | int)
