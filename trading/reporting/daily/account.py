"""The account, its history and the market regime, from rows of the portfolio and of the regimes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl

from trading.performance import drawdown_series, portfolio_returns, total_return
from trading.reporting.daily.data import Account, EquityHistory, MarketRegime
from trading.reporting.rows import Row, figure, text, whole


def history_until(portfolio: pl.DataFrame, book: str, session: date) -> pl.DataFrame:
    """Rows of a book up to a session, in order."""
    if portfolio.is_empty():
        return portfolio
    own = portfolio.filter(pl.col("book") == book) if "book" in portfolio.columns else portfolio
    return own.filter(pl.col("session") <= session).sort("session")


def equity_history(history: pl.DataFrame) -> EquityHistory:
    """Equity and drawdown by session; a figure that is not finite is None."""
    if history.is_empty():
        return EquityHistory()
    return EquityHistory(
        tuple(history["session"].to_list()),
        _finite(history["equity"].cast(pl.Float64).to_list()),
        _finite(drawdown_series(portfolio_returns(history)).tolist()),
    )


def account(history: pl.DataFrame, session: date) -> Account | None:
    """The account at the close of a session; None when the session has no row."""
    if history.is_empty() or history["session"][-1] != session:
        return None
    returns = portfolio_returns(history)
    today, before = history.row(-1, named=True), _before(history)
    equity, change = figure(today, "equity"), figure(today, "daily_return")
    growth = total_return(returns)
    return Account(
        equity=equity,
        cash=figure(today, "cash"),
        positions_value=figure(today, "positions_value"),
        receivables=figure(today, "receivables"),
        position_count=whole(today, "position_count"),
        unrealised_pnl=figure(today, "unrealised_pnl"),
        realised_today=figure(today, "realised_today"),
        realised_pnl=figure(today, "realised_pnl"),
        daily_return=change,
        daily_pnl=_daily_pnl(today, before, equity, change),
        total_return=growth if np.isfinite(growth) else None,
        drawdown=_finite(drawdown_series(returns)[-1:].tolist())[0],
        exposure=figure(today, "exposure"),
        commissions=figure(today, "commissions"),
        dividends=figure(today, "dividends"),
    )


def market_regime(found: Sequence[Row]) -> MarketRegime | None:
    """Regime of the session; None where none was measured."""
    if not found:
        return None
    row = found[-1]
    return MarketRegime(
        benchmark=text(row, "benchmark"),
        regime=text(row, "regime"),
        bull_points=figure(row, "bull_points"),
        bear_points=figure(row, "bear_points"),
        size_multiplier=figure(row, "size_multiplier"),
        max_positions=whole(row, "max_positions"),
    )


def _before(history: pl.DataFrame) -> Row | None:
    return history.row(-2, named=True) if history.height > 1 else None


def _daily_pnl(today: Row, before: Row | None, equity: float | None, change: float | None) -> float | None:
    """Cash gained in the session, without capital put in; on the first session from its return."""
    if equity is None:
        return None
    if before is None:
        return None if change is None or change <= -1 else round(equity - equity / (1 + change), 2)
    opening = figure(before, "equity")
    put_in = (figure(today, "deposits") or 0.0) - (figure(before, "deposits") or 0.0)
    return None if opening is None else round(equity - opening - put_in, 2)


def _finite(values: Sequence[float | None]) -> tuple[float | None, ...]:
    return tuple(value if value is not None and np.isfinite(value) else None for value in values)
