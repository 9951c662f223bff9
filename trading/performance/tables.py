"""Tables of a report: drawdown by session, the deepest drawdowns with their dates, returns by month."""

from __future__ import annotations

from datetime import date

import polars as pl

from trading.performance.drawdown import Drawdown, drawdown_episodes, drawdown_series, running_peak
from trading.performance.frames import portfolio_returns
from trading.performance.returns import wealth

EPISODES = pl.Schema(
    {
        "peak": pl.Date,
        "trough": pl.Date,
        "recovery": pl.Date,
        "depth": pl.Float64,
        "sessions": pl.Int64,
        "sessions_to_trough": pl.Int64,
        "sessions_to_recovery": pl.Int64,
    }
)

MONTHS = pl.Schema(
    {"year": pl.Int64, **{str(month): pl.Float64 for month in range(1, 13)}, "total": pl.Float64}
)


def daily_drawdowns(portfolio: pl.DataFrame) -> pl.DataFrame:
    """Drawdown at every session.

    Returns
    -------
    polars.DataFrame
        ``session``, ``growth`` (value of 1 unit, time-weighted), ``peak`` (highest growth so far, the
        start included) and ``drawdown`` (growth over peak, less 1).
    """
    returns = portfolio_returns(portfolio)
    return pl.DataFrame(
        {
            "session": portfolio["session"],
            "growth": wealth(returns),
            "peak": running_peak(returns),
            "drawdown": drawdown_series(returns),
        }
    )


def drawdown_table(portfolio: pl.DataFrame, count: int = 10) -> pl.DataFrame:
    """Deepest drawdowns, the deepest first.

    Returns
    -------
    polars.DataFrame
        ``peak`` (session of the high; null: the starting capital), ``trough``, ``recovery`` (null while it
        lasts), ``depth`` (fraction, negative), ``sessions`` from the peak to the recovery or to the last
        session, and its two parts, the second null while it lasts.
    """
    sessions: list[date] = portfolio["session"].to_list()
    episodes = sorted(drawdown_episodes(portfolio_returns(portfolio)), key=lambda episode: episode.depth)
    return pl.DataFrame(
        [_row(sessions, episode) for episode in episodes[:count]], schema=EPISODES, orient="row"
    )


def _row(sessions: list[date], episode: Drawdown) -> tuple[object, ...]:
    recovery = episode.recovery
    return (
        sessions[episode.peak] if episode.peak >= 0 else None,
        sessions[episode.trough],
        None if recovery is None else sessions[recovery],
        episode.depth,
        episode.duration,
        episode.trough - episode.peak,
        None if recovery is None else recovery - episode.trough,
    )


def monthly_returns(portfolio: pl.DataFrame) -> pl.DataFrame:
    """Compounded return of every calendar month.

    Returns
    -------
    polars.DataFrame
        ``year``, columns ``1`` .. ``12`` and ``total``, the compounded return of the year; fractions. Null
        where the book has no return in the month. The first and the last month count the sessions they have.
    """
    growth = (1.0 + pl.col("value")).product() - 1.0
    rows = pl.DataFrame(
        {"session": portfolio["session"].cast(pl.Date), "value": portfolio_returns(portfolio)}
    ).filter(pl.col("value").is_finite())
    dated = rows.with_columns(year=pl.col("session").dt.year(), month=pl.col("session").dt.month())
    years = dated.group_by("year").agg(total=growth).sort("year")
    months = dated.group_by("year", "month").agg(growth.alias("value"))
    found = {(year, month): value for year, month, value in months.iter_rows()}
    table = [
        (year, *(found.get((year, month)) for month in range(1, 13)), total)
        for year, total in years.iter_rows()
    ]
    return pl.DataFrame(table, schema=MONTHS, orient="row")
