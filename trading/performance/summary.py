"""Every measure of a book over a range of sessions, one row a measure."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from trading.performance._arrays import SESSIONS_PER_YEAR, Floats, present
from trading.performance.drawdown import deepest, drawdown_episodes
from trading.performance.frames import benchmark_growth, benchmark_returns, numbers, portfolio_returns
from trading.performance.measures import MEASURES, OF_BENCHMARK, Inputs, Measure

COLUMNS = pl.Schema(
    {
        "first_session": pl.Date,
        "session": pl.Date,
        "measure": pl.String,
        "value": pl.Float64,
        "unit": pl.String,
        "convention": pl.String,
    }
)
"""Columns of the ``performance`` table without the book."""


def summary(
    portfolio: pl.DataFrame,
    trades: pl.DataFrame,
    benchmark: pl.DataFrame | None = None,
    *,
    risk_free: float = 0.0,
    periods: int = SESSIONS_PER_YEAR,
    window: tuple[date, date] | None = None,
) -> pl.DataFrame:
    """Figures of one book over the sessions given.

    Parameters
    ----------
    portfolio : polars.DataFrame
        Rows of one book in the columns of the ``portfolio`` table, in any order.
    trades : polars.DataFrame
        Its round trips of the same range, columns of the ``trades`` table.
    benchmark : polars.DataFrame, optional
        ``session`` and ``close`` adjusted for splits and dividends; one row before the first session
        lets the comparison start with it.
    risk_free : float
        Annual rate, 0.02 being 2 %.
    periods : int
        Sessions a year: 252 for exchanges, 365 for markets that never close.
    window : tuple of date, optional
        First and last session that the rows name; those of the portfolio where absent.

    Returns
    -------
    polars.DataFrame
        Columns of the ``performance`` table without ``book``, one row for every measure of ``MEASURES``.
        Values of unit ``percent`` are percent. A figure that is not defined is null, and its convention
        begins with the reason. Without a row and without a window the sessions are null.
    """
    ordered = portfolio.sort("session")
    first, last = window or (ordered["session"].min(), ordered["session"].max())
    with np.errstate(all="ignore"):  # a figure out of range becomes null, with its reason
        inputs = _inputs(ordered, trades, benchmark, risk_free, periods)
        dates = _drawdown_dates(ordered["session"].to_list(), inputs.returns)
        rows = [
            (first, last, measure.name, *_figure(measure, inputs, benchmark is not None, dates))
            for measure in MEASURES
        ]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def _figure(measure: Measure, inputs: Inputs, compared: bool, dates: str) -> tuple[float | None, str, str]:
    """Value, unit and convention of one measure."""
    value = measure.compute(inputs)
    convention = measure.convention.format(periods=inputs.periods, risk_free=inputs.risk_free)
    if measure.name.startswith("max_drawdown") and dates:
        convention = f"{convention}; {dates}"
    if np.isfinite(value):
        return float(value), measure.unit, convention
    reason = "no benchmark was given" if measure in OF_BENCHMARK and not compared else measure.undefined
    return None, measure.unit, f"not defined: {reason}; {convention}"


def _inputs(
    portfolio: pl.DataFrame,
    trades: pl.DataFrame,
    benchmark: pl.DataFrame | None,
    risk_free: float,
    periods: int,
) -> Inputs:
    closed = trades.sort([name for name in ("session", "trade_id") if name in trades.columns])
    return Inputs(
        returns=portfolio_returns(portfolio),
        benchmark=benchmark_returns(portfolio, benchmark),
        exposure=numbers(portfolio, "exposure"),
        turnover=numbers(portfolio, "turnover"),
        pnl=present(numbers(closed, "pnl")),
        trade_returns=numbers(closed, "trade_return"),
        sessions_held=numbers(closed, "sessions_held"),
        benchmark_growth=benchmark_growth(portfolio, benchmark),
        net_profit=_net_profit(portfolio),
        final_equity=_last(numbers(portfolio, "equity")),
        commissions=_last(numbers(portfolio, "commissions")),
        dividends=_last(numbers(portfolio, "dividends")),
        risk_free=risk_free,
        periods=periods,
    )


def _net_profit(portfolio: pl.DataFrame) -> float:
    """Change of equity less capital put in; the equity before the first session follows from its return."""
    equity, first_return = numbers(portfolio, "equity"), numbers(portfolio, "daily_return")[:1]
    deposits = np.nan_to_num(numbers(portfolio, "deposits"))
    if not present(equity).size or not np.isfinite(equity[0]):
        return np.nan
    start = equity[0] / (1.0 + first_return[0]) if first_return[0] > -1.0 else equity[0]
    return round(float(equity[-1] - start - (deposits[-1] - deposits[0])), 2)


def _last(values: Floats) -> float:
    return float(values[-1]) if values.size else np.nan


def _drawdown_dates(sessions: list[date], returns: Floats) -> str:
    episode = deepest(drawdown_episodes(returns))
    if episode is None:
        return ""
    peak = sessions[episode.peak].isoformat() if episode.peak >= 0 else "the start"
    end = "not recovered" if episode.recovery is None else f"recovered {sessions[episode.recovery]}"
    return f"peak {peak}, trough {sessions[episode.trough]}, {end}"
