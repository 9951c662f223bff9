"""The daily report of a book, from rows of its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

from trading.book import RiskConfig
from trading.reporting.daily import activity
from trading.reporting.daily.account import account, equity_history, history_until, market_regime
from trading.reporting.daily.data import DailyReport, Thresholds, Warned
from trading.reporting.daily.holdings import known_scores, open_positions, upcoming
from trading.reporting.daily.risk import limits, loss_left, open_risk, warnings
from trading.reporting.rows import rows, text


def daily_report(
    book: str,
    session: date,
    portfolio: pl.DataFrame,
    *,
    positions: pl.DataFrame | None = None,
    orders: pl.DataFrame | None = None,
    fills: pl.DataFrame | None = None,
    signals: pl.DataFrame | None = None,
    trades: pl.DataFrame | None = None,
    regimes: pl.DataFrame | None = None,
    candidates: pl.DataFrame | None = None,
    scores: Mapping[str, float] | None = None,
    problems: Sequence[str] = (),
    risk: RiskConfig | None = None,
    thresholds: Thresholds | None = None,
    currency: str = "USD",
    mode: str = "",
) -> DailyReport:
    """Collect everything that the daily report of one session tells.

    Parameters
    ----------
    portfolio : polars.DataFrame
        Rows of the book up to the session; earlier ones make the equity curve.
    positions, fills, signals, trades, regimes, candidates : polars.DataFrame, optional
        Rows in the columns of their tables; other books and other sessions are left out.
    orders : polars.DataFrame, optional
        Rows of the session and, for the reasons of its fills, of the sessions before.
    scores : mapping, optional
        Score of held names, 0..100; those of the session's candidates and signals are known already.
    problems : sequence of str
        Steps of the day that failed, and data that is missing or stale, one sentence each.

    Returns
    -------
    DailyReport
        Never raises for missing rows: what is not known is None or absent, and a session without a
        portfolio row says so in its warnings.
    """
    risk, thresholds = risk or RiskConfig(), thresholds or Thresholds()
    history = history_until(portfolio, book, session)
    summary = account(history, session)
    regime = market_regime(rows(regimes, book, session))
    signal_rows, candidate_rows = rows(signals, book, session), rows(candidates, book, session)
    held = open_positions(
        rows(positions, book, session), {**known_scores(candidate_rows, signal_rows), **(scores or {})}
    )
    order_rows = rows(orders, book, session)
    done = activity.fills(rows(fills, book, session), _reasons(orders, book))
    ended = activity.exits(rows(trades, book, session))
    told = {(trade.symbol, trade.strategy) for trade in ended}
    measured = limits(summary, held, regime, risk)
    failed = [Warned("error", "error", "", problem) for problem in problems]
    return DailyReport(
        book=book,
        session=session,
        mode=mode,
        currency=currency,
        config_hash=text(history.row(-1, named=True), "config_hash") if summary else "",
        account=summary,
        regime=regime,
        positions=held,
        entries=tuple(fill for fill in done if fill.purpose == "entry"),
        exits=ended,
        other_fills=tuple(
            fill for fill in done if fill.purpose != "entry" and (fill.symbol, fill.strategy) not in told
        ),
        planned=activity.planned(order_rows),
        moved=activity.moved(order_rows),
        not_taken=activity.not_taken(signal_rows, order_rows),
        limits=measured,
        loss_left=loss_left(summary, risk),
        open_risk=open_risk(held),
        upcoming=upcoming(held, thresholds),
        warnings=(*failed, *warnings(summary, held, measured, risk, thresholds)),
        candidates=activity.candidates(candidate_rows),
        history=equity_history(history),
    )


def _reasons(orders: pl.DataFrame | None, book: str) -> dict[str, str]:
    """Reason of every order by its reference."""
    if orders is None or orders.is_empty():
        return {}
    kept = orders.select(name for name in ("book", "order_ref", "reason") if name in orders.columns)
    return {text(row, "order_ref"): text(row, "reason") for row in rows(kept, book)}
