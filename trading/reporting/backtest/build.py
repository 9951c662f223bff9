"""The report of a range of sessions, from rows of the book's tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading.performance import (
    average_trade,
    benchmark_closes,
    drawdown_series,
    drawdown_table,
    monthly_returns,
    portfolio_returns,
    summary,
    win_rate,
)
from trading.reporting.backtest.data import (
    BacktestReport,
    Decline,
    Figure,
    Group,
    RoundTrip,
    Track,
    Year,
)
from trading.reporting.rows import Row, figure, rows, text, whole


def backtest_report(
    book: str,
    portfolio: pl.DataFrame,
    trades: pl.DataFrame | None = None,
    *,
    benchmark: pl.DataFrame | None = None,
    benchmark_name: str = "benchmark",
    risk_free: float = 0.0,
    periods: int = 252,
    currency: str = "USD",
    mode: str = "backtest",
    most_trades: int = 500,
) -> BacktestReport:
    """Collect everything that the report of a range of sessions tells.

    Parameters
    ----------
    portfolio, trades : polars.DataFrame
        Rows of the range in the columns of their tables; other books are left out.
    benchmark : polars.DataFrame, optional
        ``session`` and ``close``, adjusted for splits and dividends, one row before the range included.
    most_trades : int
        Round trips listed; figures and groups count all of them.

    Returns
    -------
    BacktestReport
        Never raises for an empty, flat or one-session range: figures that are not defined say why.
    """
    own = _of(portfolio, book)
    own = own.sort("session") if "session" in own.columns else _no_sessions()
    closed = _of(trades if trades is not None else pl.DataFrame(), book)
    trips = _round_trips(rows(closed, book))
    return BacktestReport(
        book=book,
        mode=mode,
        currency=currency,
        config_hash=text(own.row(-1, named=True), "config_hash") if own.height else "",
        benchmark_name=benchmark_name,
        first=own["session"][0] if own.height else None,
        last=own["session"][-1] if own.height else None,
        figures=_figures(summary(own, closed, benchmark, risk_free=risk_free, periods=periods)),
        years=_years(monthly_returns(own)),
        declines=_declines(drawdown_table(own)),
        by_reason=_groups(trips, [trip.reason for trip in trips]),
        by_symbol=_groups(trips, [trip.symbol for trip in trips]),
        trades=trips[-most_trades:] if most_trades > 0 else (),
        trade_count=len(trips),
        track=_track(own, benchmark),
    )


def _of(frame: pl.DataFrame, book: str) -> pl.DataFrame:
    return frame.filter(pl.col("book") == book) if "book" in frame.columns else frame


def _no_sessions() -> pl.DataFrame:
    return pl.DataFrame(schema={"session": pl.Date, "equity": pl.Float64})


def _figures(frame: pl.DataFrame) -> tuple[Figure, ...]:
    columns = frame.select("measure", "value", "unit", "convention")
    return tuple(Figure(*row) for row in columns.iter_rows())


def _years(table: pl.DataFrame) -> tuple[Year, ...]:
    return tuple(Year(row[0], tuple(row[1:13]), row[13]) for row in table.iter_rows())


def _declines(table: pl.DataFrame) -> tuple[Decline, ...]:
    columns = table.select("peak", "trough", "recovery", "depth", "sessions")
    return tuple(Decline(*row) for row in columns.iter_rows())


def _round_trips(found: Sequence[Row]) -> tuple[RoundTrip, ...]:
    ordered = sorted(found, key=lambda row: (str(row.get("session")), text(row, "trade_id")))
    return tuple(
        RoundTrip(
            symbol=text(row, "symbol"),
            strategy=text(row, "strategy"),
            direction=text(row, "direction"),
            quantity=figure(row, "quantity"),
            opened=row.get("opened"),
            closed=row.get("session"),
            entry_price=figure(row, "entry_price"),
            exit_price=figure(row, "exit_price"),
            pnl=figure(row, "pnl"),
            pnl_fraction=figure(row, "trade_return"),
            mae=figure(row, "mae"),
            mfe=figure(row, "mfe"),
            days=whole(row, "sessions_held"),
            reason=text(row, "exit_reason"),
        )
        for row in ordered
    )


def _groups(trips: Sequence[RoundTrip], names: Sequence[str]) -> tuple[Group, ...]:
    """Figures of the trips by name, the most profitable first."""
    members: dict[str, list[RoundTrip]] = {}
    for name, trip in zip(names, trips, strict=True):
        members.setdefault(name, []).append(trip)
    groups = (_group(name, found) for name, found in members.items())
    return tuple(sorted(groups, key=lambda group: (-(group.pnl or 0.0), group.name)))


def _group(name: str, trips: Sequence[RoundTrip]) -> Group:
    pnl = np.array([np.nan if trip.pnl is None else trip.pnl for trip in trips])
    earned = np.array([np.nan if trip.pnl_fraction is None else trip.pnl_fraction for trip in trips])
    total = round(float(np.nansum(pnl)), 2) if np.isfinite(pnl).any() else None
    return Group(name, len(trips), _finite(win_rate(pnl)), total, _finite(average_trade(earned)))


def _track(portfolio: pl.DataFrame, benchmark: pl.DataFrame | None) -> Track:
    if portfolio.is_empty():
        return Track()
    returns = portfolio_returns(portfolio)
    equity = portfolio["equity"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    exposure = portfolio["exposure"].cast(pl.Float64).to_list() if "exposure" in portfolio.columns else []
    return Track(
        sessions=tuple(portfolio["session"].to_list()),
        equity=tuple(map(_finite, equity.tolist())),
        drawdown=tuple(map(_finite, drawdown_series(returns).tolist())),
        exposure=tuple(map(_finite, exposure)),
        benchmark=tuple(_scaled(portfolio, benchmark, equity, returns)),
    )


def _scaled(
    portfolio: pl.DataFrame,
    benchmark: pl.DataFrame | None,
    equity: NDArray[np.float64],
    returns: NDArray[np.float64],
) -> Iterator[float | None]:
    """The benchmark's closes, scaled so that it starts with the book's opening equity."""
    closes = benchmark_closes(portfolio, benchmark)
    known = np.flatnonzero(np.isfinite(closes) & (closes > 0))
    if known.size < 2:
        return
    first = int(known[0])
    start = equity[0] / (1 + returns[0]) if returns[0] > -1 else equity[0]
    base = start if first == 0 else equity[first - 1]
    for close in closes[1:]:
        yield _finite(float(close / closes[first] * base))


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
