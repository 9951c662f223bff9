"""Forward adjustment of prices for splits and dividends.

Factors start at 1 on a symbol's first bar and change on ex dates, so that the factor of a session depends
on actions with an ex date up to that session only: cutting the future off leaves every factor as it was,
bit for bit. The value adjusted as of session t is ``raw x factor / factor(t)``.

On an ex date the total return factor is multiplied by ``split / (1 - dividend / previous close)`` and the
split factor by ``split`` (new shares per old). The dividend is cash per share before the ex date and the
previous close is raw, so both are in the same shares. [1]_ After a gap of more than ten days that close is
stale and the close of the bar itself is used, ``1 + dividend / close``.

References
----------
.. [1] CRSP, "Data definitions: cumulative factor to adjust price", and the dividend multiplier of Yahoo
   and Tiingo, ``1 - dividend / previous close``, here turned round to run forward.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

STALE = 10
"""Calendar days after which the close before a gap says nothing about the price on the ex date."""
ADJUSTING = ("split", "cash_dividend", "special_dividend", "spin_off")


class AdjustError(ValueError):
    """A corporate action that cannot be right, such as a dividend above the price."""


def forward_factors(
    symbols: tuple[str, ...], offsets: Integers, days: NDArray[np.int32], close: Floats, actions: pl.DataFrame
) -> tuple[Floats, Floats]:
    """Cumulative factors of every bar.

    Parameters
    ----------
    symbols : tuple of str
        N symbols, sorted.
    offsets : array (N + 1,)
        Bars of symbol i are rows ``offsets[i]:offsets[i + 1]``, ascending in time.
    days : array (L,)
        Session of each bar, days since 1970-01-01.
    close : array (L,)
        Raw close.
    actions : polars.DataFrame
        Columns ``symbol, ex_date, action, value`` and ``new_symbol`` (for spin-offs); one row per symbol,
        ex date and action. Actions before or on a symbol's first bar change nothing.

    Returns
    -------
    price_factor, split_factor : arrays (L,)
        Total return factor (splits, dividends and spin-offs) and factor of splits alone.

    Raises
    ------
    AdjustError
        When a distribution is as large as the price before it.
    """
    price_factor, split_factor = np.ones(len(close)), np.ones(len(close))
    code = {symbol: i for i, symbol in enumerate(symbols)}
    for symbol, events in _by_symbol(actions):
        i = code.get(symbol)
        if i is None:
            continue
        rows = slice(int(offsets[i]), int(offsets[i + 1]))
        firsts = np.searchsorted(days[rows], [event[0] for event in events])
        touched = False
        for first, (day, action, value, new_symbol) in zip(firsts, events, strict=True):
            if not 0 < first < rows.stop - rows.start:
                continue
            row, touched = rows.start + int(first), True
            if action == "split":
                price_factor[row] *= value
                split_factor[row] *= value
                continue
            cash = value
            if action == "spin_off":
                cash *= _price_on(code.get(new_symbol or ""), offsets, days, close, int(days[row]))
            if days[row] - days[row - 1] > STALE:
                price_factor[row] *= 1.0 + cash / close[row]
                continue
            # An earlier split before the same bar has already changed what one share is.
            before = close[row - 1] / price_factor[row]
            if cash >= before:
                raise AdjustError(
                    f"{symbol}: {action} of {cash:g} on {_date(day)} is not below the close before it, "
                    f"{before:g}; correct the corporate action"
                )
            price_factor[row] *= before / (before - cash)
        if touched:
            np.cumprod(price_factor[rows], out=price_factor[rows])
            np.cumprod(split_factor[rows], out=split_factor[rows])
    return price_factor, split_factor


def factors(bars: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """Forward factors of a long frame of daily bars.

    Parameters
    ----------
    bars : polars.DataFrame
        Columns ``symbol, session, close``; one row per symbol and session, in any order.
    actions : polars.DataFrame
        As for :func:`forward_factors`.

    Returns
    -------
    polars.DataFrame
        ``symbol, session, price_factor, split_factor`` sorted by symbol and session.
    """
    ordered = bars.select("symbol", "session", "close").sort("symbol", "session")
    counts = ordered.group_by("symbol", maintain_order=True).len()
    offsets = np.concatenate([[0], np.cumsum(counts["len"].to_numpy())]).astype(np.int64)
    days = ordered["session"].to_physical().to_numpy()
    price, split = forward_factors(
        tuple(counts["symbol"]), offsets, days, ordered["close"].to_numpy(), actions
    )
    return ordered.select("symbol", "session").with_columns(
        pl.Series("price_factor", price), pl.Series("split_factor", split)
    )


def adjusted(
    bars: pl.DataFrame, actions: pl.DataFrame, symbol: str, as_of: date, kind: str = "total_return"
) -> pl.DataFrame:
    """Series of a symbol adjusted as of a date: in units of that session's share.

    Parameters
    ----------
    bars : polars.DataFrame
        ``symbol, session, open, high, low, close, volume`` of daily bars, one version each: of the symbol,
        and of the instruments that it spun off.
    actions : polars.DataFrame
        Corporate actions known. Those with a later ex date change nothing.
    as_of : date
        Last session of the series and anchor of the adjustment.
    kind : str
        ``total_return``: splits, dividends and spin-offs; ``split``: splits alone.

    Returns
    -------
    polars.DataFrame
        ``session, open, high, low, close, volume, factor, raw_close`` up to ``as_of``; prices are raw
        times factor, volume is raw over the split factor.

    Raises
    ------
    AdjustError
        On a kind that is not known, or an action that cannot be right.
    """
    if kind not in {"total_return", "split"}:
        raise AdjustError(f"adjustment {kind!r}: choose total_return or split")
    there = bars.filter(pl.col("session") <= as_of)
    known = actions.filter(pl.col("ex_date") <= as_of)
    own = there.filter(pl.col("symbol") == symbol).sort("session")
    both = factors(there, known).filter(pl.col("symbol") == symbol)
    split = _relative(both["split_factor"])
    factor = split if kind == "split" else _relative(both["price_factor"])
    return own.select(
        "session",
        *((pl.col(name) * factor).alias(name) for name in ("open", "high", "low", "close")),
        (pl.col("volume") / split).alias("volume"),
        factor.alias("factor"),
        pl.col("close").alias("raw_close"),
    )


def _relative(cumulative: pl.Series) -> pl.Series:
    """Factors over the last of them, which is 1 to the bit.

    numpy divides; polars multiplies with the reciprocal, which would leave the last price beside the raw one.
    """
    values = cumulative.to_numpy()
    return pl.Series(cumulative.name, values / values[-1:] if len(values) else values)


def _by_symbol(actions: pl.DataFrame) -> Iterator[tuple[str, list[tuple[int, str, float, str | None]]]]:
    """Adjusting actions of each symbol by ex date, distributions before splits of the same date."""
    columns = ["symbol", "ex_date", "action", "value"]
    new_symbol = pl.col("new_symbol") if "new_symbol" in actions.columns else pl.lit(None, pl.String)
    rows = (
        actions.lazy()
        .filter(pl.col("action").is_in(list(ADJUSTING)))
        .select(*columns, new_symbol.alias("new_symbol"), split=pl.col("action") == "split")
        .with_columns(pl.col("ex_date").to_physical())
        .sort("symbol", "ex_date", "split", "action")
        .drop("split")
        .collect()
        .rows()
    )
    start = 0
    for end in range(1, len(rows) + 1):
        if end == len(rows) or rows[end][0] != rows[start][0]:
            yield rows[start][0], [row[1:] for row in rows[start:end]]
            start = end


def _price_on(i: int | None, offsets: Integers, days: NDArray[np.int32], close: Floats, day: int) -> float:
    """Close of the spun-off symbol on the ex date, 0 where it has no bar."""
    if i is None:
        return 0.0
    rows = slice(int(offsets[i]), int(offsets[i + 1]))
    at = int(np.searchsorted(days[rows], day))
    return float(close[rows][at]) if at < rows.stop - rows.start and days[rows][at] == day else 0.0


def _date(day: int) -> date:
    return date.fromordinal(day + date(1970, 1, 1).toordinal())
