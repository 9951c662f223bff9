"""The report of a range of sessions as a document, section by section."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from trading.reporting.backtest.data import BacktestReport, Figure, Group, RoundTrip
from trading.reporting.cells import count, day, heat, money, number, percent, price, quantity, words
from trading.reporting.document import Cell, Column, Curve, Document, Facts, Notes, Section, Table

LEFT: Final = "left"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
HEADLINES = (
    "total_return",
    "annual_return",
    "annual_volatility",
    "sharpe_ratio",
    "sortino_ratio",
    "calmar_ratio",
    "max_drawdown",
    "max_drawdown_duration",
    "trades",
    "win_rate",
    "profit_factor",
    "average_exposure",
    "benchmark_total_return",
    "final_equity",
    "net_profit",
)
"""Measures shown first, in this order; those that are not defined are left to the full table."""

SIGNED = (
    "total_return",
    "annual_return",
    "max_drawdown",
    "net_profit",
    "expectancy",
    "average_win",
    "average_loss",
    "average_trade",
    "best_trade",
    "worst_trade",
    "best_session",
    "worst_session",
    "alpha",
    "benchmark_total_return",
    "benchmark_max_drawdown",
    "value_at_risk",
    "expected_shortfall",
)


def backtest_document(report: BacktestReport) -> Document:
    """Lay the report of a range of sessions out; sections without content say so."""
    span = f"{report.first} to {report.last}" if report.first else "no session"
    parts = (span, report.mode, f"configuration {report.config_hash}" if report.config_hash else "")
    sections = (
        _overview(report),
        _months(report),
        _declines(report),
        _figures(report),
        Section("By exit reason", (_groups("Reason", report.by_reason),)),
        Section("By symbol", _symbols(report.by_symbol)),
        _trades(report),
    )
    subtitle = " · ".join(part for part in parts if part)
    return Document(f"Performance: {words(report.book).text}", words(subtitle).text, sections)


def _overview(report: BacktestReport) -> Section:
    found = {figure.measure: figure for figure in report.figures}
    facts = tuple(
        (_title(name), _value(found[name], report.currency))
        for name in HEADLINES
        if name in found and found[name].value is not None
    )
    track = report.track
    curve = Curve(track.sessions, track.equity, track.drawdown, track.benchmark, report.benchmark_name)
    return Section("Overview", (Facts(facts), curve))


def _months(report: BacktestReport) -> Section:
    columns = (Column("Year", LEFT), *(Column(month) for month in MONTHS), Column("Year total"))
    largest = max(
        (abs(value) for year in report.years for value in year.months if value is not None), default=0.0
    )
    rows = tuple(
        (
            words(str(year.year)),
            *(heat(value, largest) for value in year.months),
            percent(year.total, 1, signed=True),
        )
        for year in report.years
    )
    return Section("Monthly returns", (Table(columns, rows, "no return in the range"),))


def _declines(report: BacktestReport) -> Section:
    columns = (
        Column("Depth"),
        Column("Peak", LEFT),
        Column("Trough", LEFT),
        Column("Recovered", LEFT),
        Column("Sessions"),
    )
    rows = tuple(
        (
            percent(decline.depth, signed=True),
            day(decline.peak) if decline.peak else words("start"),
            day(decline.trough),
            day(decline.recovery) if decline.recovery else words("not yet", "warn"),
            count(decline.sessions),
        )
        for decline in report.declines
    )
    return Section("Deepest drawdowns", (Table(columns, rows, "no drawdown"),))


def _figures(report: BacktestReport) -> Section:
    columns = (Column("Measure", LEFT), Column("Value"), Column("Convention", LEFT, wide=True))
    rows = tuple(
        (words(_title(figure.measure)), _value(figure, report.currency), words(figure.convention, "dim"))
        for figure in report.figures
    )
    return Section("All figures", (Table(columns, rows),))


def _groups(title: str, groups: Sequence[Group]) -> Table:
    columns = (
        Column(title, LEFT),
        Column("Trades"),
        Column("Win rate"),
        Column("P&L"),
        Column("Average return"),
    )
    rows = tuple(
        (
            words(group.name.replace("_", " ")),
            count(group.trades),
            percent(group.win_rate, 1),
            number(group.pnl, 2, signed=True),
            percent(group.average_return, signed=True),
        )
        for group in groups
    )
    return Table(columns, rows, "no trade was closed")


def _symbols(groups: Sequence[Group]) -> tuple[Table | Notes, ...]:
    """All symbols, or the best and the worst ten of many."""
    if len(groups) <= 20:
        return (_groups("Symbol", groups),)
    left_out = Notes((words(f"{len(groups)} symbols; the best ten, then the worst ten"),))
    return (left_out, _groups("Best", groups[:10]), _groups("Worst", groups[-10:]))


def _trades(report: BacktestReport) -> Section:
    columns = (
        Column("Symbol", LEFT),
        Column("Direction", LEFT),
        Column("Shares"),
        Column("Entered", LEFT),
        Column("Left", LEFT),
        Column("Entry"),
        Column("Exit"),
        Column("P&L"),
        Column("P&L %"),
        Column("MAE"),
        Column("MFE"),
        Column("Days"),
        Column("Reason", LEFT, wide=True),
    )
    rows = tuple(_trade(trip, report.currency) for trip in report.trades)
    table = Table(columns, rows, "no trade was closed")
    if len(report.trades) == report.trade_count:
        return Section("Trades", (table,))
    said = words(f"the last {len(report.trades)} of {report.trade_count} trades")
    return Section("Trades", (Notes((said,)), table))


def _trade(trip: RoundTrip, currency: str) -> tuple[Cell, ...]:
    return (
        words(trip.symbol),
        words(trip.direction),
        quantity(trip.quantity),
        day(trip.opened),
        day(trip.closed),
        price(trip.entry_price),
        price(trip.exit_price),
        money(trip.pnl, currency, signed=True),
        percent(trip.pnl_fraction, signed=True),
        percent(trip.mae),
        percent(trip.mfe),
        count(trip.days),
        words(trip.reason.replace("_", " ")),
    )


def _title(measure: str) -> str:
    return measure.replace("_", " ").capitalize()


def _value(figure: Figure, currency: str) -> Cell:
    signed = figure.measure in SIGNED
    if figure.unit == "cash":
        return money(figure.value, currency, signed=signed)
    if figure.unit == "percent":
        return number(figure.value, 2, signed=signed, after=" %")
    if figure.unit == "ratio":
        return number(figure.value, 2)
    return number(figure.value, 1 if figure.measure == "average_holding" else 0)
