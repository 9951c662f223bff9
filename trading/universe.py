"""Who was there when: tickers by date, members of an index by date, capitalisation by date, the most traded.

All of it looks at what held on a day and never at what came later, so that a backtest sees names that have
gone since, as long as they were there.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading.history import History


class UniverseError(ValueError):
    """A name that stands for no instrument on the day, or for several."""


def symbol_of(instruments: pl.DataFrame, name: str, day: date | None = None) -> str:
    """Permanent symbol behind a symbol or a ticker.

    Parameters
    ----------
    instruments : polars.DataFrame
        Newest versions of the instruments.
    name : str
        A symbol; else a ticker, which may have been used by several one after another.
    day : date, optional
        Day on which the ticker was used; None: its last use.

    Raises
    ------
    UniverseError
        When nobody had the ticker then; names who had it when.
    """
    if (instruments["symbol"] == name).any():
        return name
    uses = tickers(instruments, name)
    there = uses if day is None else uses.filter(pl.col("first") <= day, pl.col("last").fill_null(day) >= day)
    if there.is_empty():
        known = ", ".join(f"{s} from {a} to {b or 'now'}" for s, a, b in uses.iter_rows())
        raise UniverseError(f"{name}: no instrument of that name{f' on {day}; {known}' if known else ''}")
    found: str = there["symbol"][-1]
    return found


def tickers(instruments: pl.DataFrame, ticker: str) -> pl.DataFrame:
    """Who had a ticker when: ``symbol, first, last`` (null: still), oldest first."""
    runs = (
        instruments.sort("symbol", "valid_from")
        .with_columns(_run=pl.col("ticker").rle_id().over("symbol"))
        .group_by("symbol", "_run", "ticker", maintain_order=True)
        .agg(
            first=pl.col("valid_from").first(),
            ends=pl.col("valid_to").max(),
            lasts=pl.col("valid_to").is_null().any(),
        )
        .with_columns(_next=pl.col("first").shift(-1).over("symbol").dt.offset_by("-1d"))
    )
    # A run ends where it says, and before the next ticker of the symbol at the latest.
    last = pl.min_horizontal(pl.when(pl.col("lasts").not_()).then("ends"), "_next")
    named = runs.filter(pl.col("ticker") == ticker).with_columns(last=last)
    return named.sort("first").select("symbol", "first", "last")


def members(memberships: pl.DataFrame, universe: str, day: date) -> tuple[str, ...]:
    """Members on a day by the newest list until then, sorted; empty before the first list.

    Parameters
    ----------
    memberships : polars.DataFrame
        ``universe, symbol, observed``, newest versions.
    """
    known = memberships.filter(pl.col("universe") == universe, pl.col("observed") <= day)
    newest = known.filter(pl.col("observed") == pl.col("observed").max())
    return tuple(newest["symbol"].unique().sort())


def member_mask(history: History, memberships: pl.DataFrame, universe: str) -> NDArray[np.bool_]:
    """Whether each bar's symbol was a member on the bar's session; array (L,)."""
    mask = np.zeros(len(history), dtype=bool)
    lists = memberships.filter(pl.col("universe") == universe).select("symbol", "observed")
    observed = np.unique(lists["observed"].to_numpy().astype("datetime64[D]"))
    if not len(observed):
        return mask
    current = np.searchsorted(observed, history.sessions, side="right") - 1
    by_symbol = {
        str(symbol): np.searchsorted(observed, rows["observed"].to_numpy().astype("datetime64[D]"))
        for (symbol,), rows in lists.group_by("symbol")
    }
    for symbol, numbers in by_symbol.items():
        rows = history.rows(symbol)
        mask[rows] = np.isin(current[history.session_index[rows]], numbers)
    return mask


def most_traded(
    snapshot: pl.DataFrame, count: int, *, lowest_price: float = 0.0, least_volume: float = 0.0
) -> tuple[str, ...]:
    """Names with the largest dollar volume of a day, largest first.

    Parameters
    ----------
    snapshot : polars.DataFrame
        ``symbol, close, dollar_volume`` of one session.
    """
    kept = snapshot.filter(pl.col("close") >= lowest_price, pl.col("dollar_volume") >= least_volume)
    return tuple(kept.sort(["dollar_volume", "symbol"], descending=[True, False]).head(count)["symbol"])


def capitalised(
    instruments: pl.DataFrame, caps: pl.DataFrame, source: str, every: str = "1mo"
) -> pl.DataFrame:
    """Rows of ``instruments`` that tell the market capitalisation by period.

    A period begins on the first day of each month (or of ``every``) on which a figure is told and ends with
    it; nothing else about the instrument changes. A period that a rename began is not told twice.

    Parameters
    ----------
    instruments : polars.DataFrame
        Newest versions, columns of the table without ``known_at``.
    caps : polars.DataFrame
        ``symbol, session, market_cap``.

    Returns
    -------
    polars.DataFrame
        Columns of ``instruments``; symbols that nobody described are left out.
    """
    told = (
        caps.filter(pl.col("market_cap") > 0)
        .sort("symbol", "session")
        .group_by("symbol", pl.col("session").dt.truncate(every).alias("_period"), maintain_order=True)
        .first()
        .drop("_period")
        .sort("session")
    )
    # Rows that tell a capitalisation end with their period; the others say what the instrument is.
    plain = instruments.filter(pl.col("market_cap").is_null() | pl.col("valid_to").is_null())
    periods = plain.drop("market_cap").sort("valid_from").with_columns(_began=pl.col("valid_from"))
    return (
        told.join_asof(
            periods,
            left_on="session",
            right_on="valid_from",
            by="symbol",
            strategy="backward",
            check_sortedness=False,
            coalesce=False,
        )
        .filter(pl.col("ticker").is_not_null(), pl.col("session") > pl.col("_began"))
        .filter(pl.col("valid_to").is_null() | (pl.col("valid_to") >= pl.col("session")))
        .with_columns(
            valid_from=pl.col("session"),
            valid_to=pl.min_horizontal(
                "valid_to", pl.col("session").dt.truncate(every).dt.offset_by(every).dt.offset_by("-1d")
            ),
            source=pl.lit(source),
        )
        .select(instruments.columns)
        .sort("symbol", "valid_from")
    )
