"""Risk figures at the close of each session, each against the limit that the book sets."""

from __future__ import annotations

import polars as pl

from trading.book import RiskConfig, SizingConfig

COLUMNS = pl.Schema(
    {
        "session": pl.Date,
        "measure": pl.String,
        "subject": pl.String,
        "value": pl.Float64,
        "limit": pl.Float64,
    }
)
"""Columns of the ``risk`` table without the book."""


def risk_figures(
    portfolio: pl.DataFrame, positions: pl.DataFrame, risk: RiskConfig, sizing: SizingConfig
) -> pl.DataFrame:
    """Risk figures of one book.

    Parameters
    ----------
    portfolio, positions : DataFrame
        Rows of one book in the columns of their tables.

    Returns
    -------
    DataFrame
        Rows of :data:`COLUMNS`, shares of equity: ``exposure``, ``daily_return`` (limit: the loss that
        stops entries), ``cash``, ``open_risk`` (lost if every stop fills at its price), and by subject
        ``position`` and ``sector_exposure``. A session with equity at or below zero has none.
    """
    equity = portfolio.filter(pl.col("equity") > 0).select("session", "equity")
    whole = portfolio.filter(pl.col("equity") > 0)
    held = positions.join(equity, on="session")
    share = pl.col("market_value").abs() / pl.col("equity")
    at_risk = ((pl.col("price") - pl.col("stop")) * pl.col("quantity")).clip(lower_bound=0.0) / pl.col(
        "equity"
    )
    frames = [
        _figure(whole, "exposure", pl.col("exposure"), risk.max_portfolio_exposure),
        _figure(whole, "daily_return", pl.col("daily_return"), -risk.max_daily_loss),
        _figure(whole, "cash", pl.col("cash") / pl.col("equity"), None),
        _figure(
            held.group_by("session").agg(at_risk.sum().alias("at_risk")), "open_risk", pl.col("at_risk"), None
        ),
        _figure(
            held.group_by("session", "symbol").agg(share.sum().alias("share")),
            "position",
            pl.col("share"),
            sizing.max_position,
            subject=pl.col("symbol"),
        ),
        _figure(
            held.filter(pl.col("sector").is_not_null())
            .group_by("session", "sector")
            .agg(share.sum().alias("share")),
            "sector_exposure",
            pl.col("share"),
            risk.max_sector_exposure,
            subject=pl.col("sector"),
        ),
    ]
    return pl.concat(frames).sort("session", "measure", "subject")


def _figure(
    frame: pl.DataFrame, measure: str, value: pl.Expr, limit: float | None, subject: pl.Expr | None = None
) -> pl.DataFrame:
    return frame.select(
        pl.col("session"),
        pl.lit(measure).alias("measure"),
        (pl.lit("") if subject is None else subject).alias("subject"),
        value.alias("value"),
        pl.lit(limit, pl.Float64).alias("limit"),
    )
