"""Exchange rates: what a unit of another currency is worth in the book's, as it was known at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading.window import Rates, SessionTimes

OLDEST = timedelta(days=7)
"""A rate older than this is not known any more: a long weekend passes, a series that ended does not."""


class ConversionError(ValueError):
    """A currency that cannot be converted; the message says what is missing."""


def exchange_rates(
    conversion: Mapping[str, str | float],
    currency: str,
    pairs: pl.DataFrame,
    times: Sequence[SessionTimes],
) -> dict[str, Rates]:
    """Rates of every other currency of a book for the sessions of a window.

    A rate is the close of the newest bar that has closed by then, so it never comes from the future: a book
    that decides when New York closes converts with the bar of the day before where the day of the currency
    ends at midnight.

    Parameters
    ----------
    conversion : mapping
        Currency to the pair that converts it, or to a fixed rate.
    currency : str
        Currency of the book.
    pairs : DataFrame
        ``symbol, quote, closes_at, close`` of the pairs: ``quote`` is the currency their prices are in.
    times : sequence of SessionTimes
        The sessions of the window.

    Returns
    -------
    dict
        Currency to its rates.

    Raises
    ------
    ConversionError
        When a pair is not one of the two currencies, or has no bar of the last seven days.
    """
    found = {}
    for other, by in conversion.items():
        if isinstance(by, str):
            found[other] = _from_pair(other, currency, by, pairs.filter(pl.col("symbol") == by), times)
        else:
            fixed = np.full(len(times), float(by))
            found[other] = Rates(fixed, fixed)
    return found


def _from_pair(
    other: str, currency: str, symbol: str, bars: pl.DataFrame, times: Sequence[SessionTimes]
) -> Rates:
    bars = bars.sort("closes_at")
    close, quotes = bars["close"].to_numpy(), set(bars["quote"])
    if quotes == {currency} and symbol.startswith(other):
        price = close
    elif quotes == {other} and symbol.startswith(currency):
        price = 1.0 / close
    elif quotes:
        raise ConversionError(
            f"conversion.{other} = {symbol!r}, priced in {', '.join(sorted(quotes))}, is no pair of {other} "
            f"and {currency}; name one that begins with either and is priced in the other"
        )
    else:
        price = close
    known = bars["closes_at"].to_physical().to_numpy()
    return Rates(
        _known_at(other, symbol, known, price, [t.opens_at for t in times]),
        _known_at(other, symbol, known, price, [t.closes_at for t in times]),
    )


def _known_at(
    other: str,
    symbol: str,
    known: NDArray[np.int64],
    price: NDArray[np.float64],
    instants: Sequence[datetime],
) -> NDArray[np.float64]:
    """Newest price at each instant; both times in microseconds."""
    asked = pl.Series(instants, dtype=pl.Datetime("us", "UTC")).to_physical().to_numpy()
    at = np.searchsorted(known, asked, side="right") - 1
    aged = np.where(at >= 0, asked - known[np.maximum(at, 0)], np.iinfo(np.int64).max) if len(known) else None
    stale = np.ones(len(asked), dtype=bool) if aged is None else aged > OLDEST // timedelta(microseconds=1)
    if stale.any():
        when = instants[int(np.argmax(stale))]
        raise ConversionError(
            f"conversion.{other} = {symbol!r}: no bar of the {OLDEST.days} days before {when:%Y-%m-%d %H:%M}"
            "; ingest it, or begin the book later"
        )
    return price[at]
