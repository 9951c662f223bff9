"""From rows of the portfolio and of a benchmark to arrays of returns."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading.performance._arrays import Floats


def numbers(frame: pl.DataFrame, column: str) -> Floats:
    """Return a column as floats with NaN for null; all NaN where the frame has no such column."""
    if column not in frame.columns:
        return np.full(frame.height, np.nan)
    values: Floats = frame[column].cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
    return values


def portfolio_returns(portfolio: pl.DataFrame) -> Floats:
    """Time-weighted returns of a book, one a session.

    Parameters
    ----------
    portfolio : polars.DataFrame
        Rows of one book in the columns of the ``portfolio`` table, sorted by session. ``deposits`` may be
        absent.

    Returns
    -------
    numpy.ndarray
        Shape (T,): (equity - capital put in during the session) / equity of the session before - 1; the
        first is the row's ``daily_return``. NaN where the equity before was not positive: there is
        nothing left to earn a return on.
    """
    equity = numbers(portfolio, "equity")
    if not equity.size:
        return equity
    deposits = np.nan_to_num(numbers(portfolio, "deposits"))
    before = np.where(equity[:-1] > 0.0, equity[:-1], np.nan)
    with np.errstate(all="ignore"):  # what is out of range is not finite, and left out by every measure
        later = (equity[1:] - np.diff(deposits)) / before - 1.0
    return np.concatenate((numbers(portfolio, "daily_return")[:1], later))


def benchmark_closes(portfolio: pl.DataFrame, benchmark: pl.DataFrame | None) -> Floats:
    """Closes of the benchmark at the session before the first one and at every session of the book.

    Parameters
    ----------
    benchmark : polars.DataFrame or None
        Columns ``session`` and ``close``, adjusted for splits and dividends.

    Returns
    -------
    numpy.ndarray
        Shape (T + 1,), NaN where the benchmark has no bar; nothing is carried forward. Element 0 is the
        last close before the book's first session.
    """
    closes = np.full(portfolio.height + 1, np.nan)
    if benchmark is None or benchmark.is_empty() or portfolio.is_empty():
        return closes
    known = (
        benchmark.select("session", pl.col("close").cast(pl.Float64))
        .drop_nulls()
        .unique("session", keep="last")
    )
    first = portfolio["session"].min()
    before = known.filter(pl.col("session") < first).sort("session").tail(1)
    closes[:1] = before["close"].to_numpy() if before.height else np.nan
    closes[1:] = numbers(
        portfolio.select("session").join(known, on="session", how="left", maintain_order="left"), "close"
    )
    return closes


def benchmark_returns(portfolio: pl.DataFrame, benchmark: pl.DataFrame | None) -> Floats:
    """Return of the benchmark from session to session of the book, shape (T,).

    NaN where a close is missing on either side: a return over two sessions would not compare with the
    book's.
    """
    closes = benchmark_closes(portfolio, benchmark)
    with np.errstate(all="ignore"):
        return closes[1:] / np.where(closes[:-1] > 0.0, closes[:-1], np.nan) - 1.0


def benchmark_growth(portfolio: pl.DataFrame, benchmark: pl.DataFrame | None) -> float:
    """Last close over the first one within the range, less 1; NaN under two closes.

    The first is the close before the book's first session where there is one.
    """
    closes = benchmark_closes(portfolio, benchmark)
    closes = closes[np.isfinite(closes) & (closes > 0.0)]
    return float(closes[-1] / closes[0] - 1.0) if closes.size > 1 else np.nan


def session_array(portfolio: pl.DataFrame) -> NDArray[np.datetime64]:
    """Sessions of the rows as days, shape (T,)."""
    days: NDArray[np.datetime64] = portfolio["session"].cast(pl.Date).to_numpy().astype("datetime64[D]")
    return days
