"""Reports of a book: performance and risk as tables, the daily and the backtest report as pages."""

import base64
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from assets.inputs import MARKET_READS, MissingDataError, clipped, read_market
from assets.shared import known_market, shared
from assets.stage import Stage, frame_of
from delta import Commit, Lake, Pins, pin
from delta.contracts import (
    Candidates,
    Fills,
    Orders,
    Performance,
    Portfolio,
    Positions,
    Regimes,
    Risk,
    Signals,
    Trades,
)
from delta.whole_files import write_text
from resources.calendar import ALL_DAY, WEEKDAYS
from trading.book import BookConfig
from trading.performance import summary
from trading.reporting import (
    BacktestReport,
    DailyReport,
    backtest_report,
    daily_report,
    to_html,
    to_text,
)
from trading.reporting.document import Curve
from trading.reporting.svg import curve_picture, exposure_picture
from trading.risk import risk_figures

STEP = "reports"
READS = (Portfolio, Positions, Orders, Fills, Signals, Trades, Regimes, Candidates)
BACKTEST_READS = (Portfolio, Trades, *MARKET_READS)
"""What the report of a range of sessions reads; that of one session reads :data:`READS`."""
WRITES = (Performance, Risk)


def report(lake: Lake, book: BookConfig, first: date, last: date, run_id: str) -> dict[str, Commit]:
    """Write a book's performance since its start, and the risk of the sessions asked for."""
    window = clipped(book, first, last)
    if window is None:
        return {}
    stage = Stage(lake, run_id, STEP, pin(lake, [*READS, *MARKET_READS]), book)
    portfolio, trades = portfolio_rows(stage.pins, book, window[1]), _trades(stage.pins, book, window[1])
    closes = benchmark_closes(stage.pins, book, window[1])
    measured = (book.start, window[1])
    figures = summary(portfolio, trades, closes, periods=sessions_a_year(book), window=measured)
    stage.write(Performance, frame_of(Performance, figures, book=book.name), {"book": book.name})
    asked = pl.col("session").is_between(*window)
    positions = stage.pins.read(Positions, where={"book": book.name, "session": window}).collect()
    risks = risk_figures(portfolio.filter(asked), positions, book.risk, book.sizing)
    stage.write(Risk, frame_of(Risk, risks, book=book.name), {"book": book.name, "session": window})
    stage.record(*window)
    return stage.commits


def sessions_a_year(book: BookConfig) -> int:
    """Sessions that a year is annualised with: 365 where the market never closes, 260 on weekdays, 252."""
    return {ALL_DAY: 365, WEEKDAYS: 260}.get(book.calendar, 252)


def portfolio_rows(pins: Pins, book: BookConfig, last: date, first: date | None = None) -> pl.DataFrame:
    """Portfolio of a book up to a session, oldest first; the saved states are left out."""
    if first is None:  # what every report of a session draws
        return shared(
            "portfolio", pins, (Portfolio,), book, last, lambda: _portfolio(pins, book, last, first)
        )
    return _portfolio(pins, book, last, first)


def _portfolio(pins: Pins, book: BookConfig, last: date, first: date | None) -> pl.DataFrame:
    columns = [name for name in Portfolio.schema().names() if name != "state"]
    return pins.read(Portfolio, where=_until(book, last, first), columns=columns).sort("session").collect()


def _trades(pins: Pins, book: BookConfig, last: date, first: date | None = None) -> pl.DataFrame:
    """Round trips of a book up to a session."""
    return pins.read(Trades, where=_until(book, last, first)).sort("session", "trade_id").collect()


def _until(book: BookConfig, last: date, first: date | None) -> dict[str, Any]:
    return {"book": book.name, "session": (first, last)}


def benchmark_closes(pins: Pins, book: BookConfig, last: date) -> pl.DataFrame | None:
    """Closes of a book's benchmark, adjusted for splits and dividends; None without a benchmark."""
    if book.benchmark is None:
        return None
    alone = book.model_copy(
        update={"universe": book.universe.model_copy(update={"symbols": (book.benchmark,)})}
    )
    history = (known_market(pins, book, last) or read_market(pins, alone, last)).history
    rows = history.rows(book.benchmark)
    return pl.DataFrame(
        {
            "session": history.sessions[history.session_index[rows]],
            "close": history.close[rows] * history.price_factor[rows],
        }
    )


def daily(pins: Pins, book: BookConfig, session: date) -> DailyReport:
    """The daily report of a session; kept for the next stage.

    Raises
    ------
    MissingDataError
        When the session has not been decided.
    """
    return shared("daily report", pins, READS, book, session, lambda: _daily(pins, book, session))


def _daily(pins: Pins, book: BookConfig, session: date) -> DailyReport:
    portfolio = portfolio_rows(pins, book, session)
    if portfolio.is_empty() or portfolio["session"][-1] != session:
        raise MissingDataError(
            f"book {book.name}: session {session} has not been decided; run: desk run --book {book.name} "
            f"--session {session}"
        )
    here = {"book": book.name, "session": session}
    fills = pins.read(Fills, where=here).collect()
    return daily_report(
        book.name,
        session,
        portfolio,
        trades=pins.read(Trades, where=here).sort("trade_id").collect(),
        orders=_orders(pins, book, session, fills["order_ref"]),
        positions=pins.read(Positions, where=here).collect(),
        fills=fills,
        signals=pins.read(Signals, where=here).collect(),
        regimes=pins.read(Regimes, where=here).collect(),
        candidates=pins.read(Candidates, where=here).collect(),
        risk=book.risk,
        currency=book.currency,
        mode=book.mode,
    )


def _orders(pins: Pins, book: BookConfig, session: date, filled: pl.Series) -> pl.DataFrame:
    """Orders of a session, and why those of its fills were given before."""
    today = pins.read(Orders, where={"book": book.name, "session": session}).collect()
    others = filled.filter(~filled.is_in(today["order_ref"].implode())).unique().to_list()
    if not others:
        return today
    columns = ["book", "session", "order_ref", "reason"]
    before = {"book": book.name, "session": (None, session - timedelta(days=1)), "order_ref": others}
    return pl.concat([pins.read(Orders, where=before, columns=columns).collect(), today], how="diagonal")


def backtest(pins: Pins, book: BookConfig, first: date, last: date) -> BacktestReport:
    """The report of a range of sessions.

    Raises
    ------
    MissingDataError
        When no session of the range has been decided.
    """
    portfolio = portfolio_rows(pins, book, last, first)
    if portfolio.is_empty():
        raise MissingDataError(f"book {book.name}: no session of {first} .. {last} has been decided")
    return backtest_report(
        book.name,
        portfolio,
        _trades(pins, book, last, first),
        benchmark=benchmark_closes(pins, book, last),
        benchmark_name=book.benchmark or "benchmark",
        periods=sessions_a_year(book),
        currency=book.currency,
        mode=book.mode,
    )


def save_files(book: BookConfig, name: str, shown: DailyReport | BacktestReport) -> list[Path]:
    """Write a report as plain text and HTML into the book's report folder; nothing without one."""
    if not book.report.directory:
        return []
    folder = Path(book.report.directory) / book.name
    written = []
    for suffix, content in ((".txt", to_text(shown)), (".html", to_html(shown))):
        path = folder / f"{name}{suffix}"
        write_text(path, content)
        written.append(path)
    return written


def picture(book: str, portfolio: pl.DataFrame) -> str:
    """Equity curve over its drawdown as the data address of a picture."""
    equity = portfolio["equity"]
    drawdown = equity / equity.cum_max() - 1.0
    curve = Curve(tuple(portfolio["session"]), tuple(equity), tuple(drawdown))
    return _address(curve_picture(curve, book))


def exposure(book: BookConfig, portfolio: pl.DataFrame) -> str:
    """Exposure under its limit as the data address of a picture."""
    limit, days = book.risk.max_portfolio_exposure, portfolio["session"].to_list()
    return _address(exposure_picture(days, portfolio["exposure"].to_list(), limit, f"{book.name}: exposure"))


def _address(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
