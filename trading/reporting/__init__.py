"""Reports of a book: collected as plain data, laid out as documents, shown as text, HTML, Markdown or JSON.

Every function is pure and never raises for empty or incomplete frames: a report must always come out.
"""

from trading.reporting.backtest import BacktestReport, backtest_document, backtest_report
from trading.reporting.daily import DailyReport, Thresholds, daily_document, daily_report
from trading.reporting.document import Document
from trading.reporting.html import render_html
from trading.reporting.markdown import render_markdown
from trading.reporting.plain import as_plain, render_json
from trading.reporting.text import render_text

Report = DailyReport | BacktestReport


def document_of(report: Report) -> Document:
    """Lay a report out for any renderer."""
    return daily_document(report) if isinstance(report, DailyReport) else backtest_document(report)


def to_text(report: Report, *, colour: bool = False, width: int = 120, charts: bool = False) -> str:
    """Show a report as text; see ``render_text``."""
    return render_text(document_of(report), colour=colour, width=width, charts=charts)


def to_html(report: Report) -> str:
    """Show a report as a self-contained page; see ``render_html``."""
    return render_html(document_of(report))


def to_markdown(report: Report) -> str:
    """Show a report as Markdown; see ``render_markdown``."""
    return render_markdown(document_of(report))


def to_json(report: Report, *, indent: int | None = None) -> str:
    """Write a report as JSON; see ``render_json``."""
    return render_json(report, indent=indent)


__all__ = [
    "BacktestReport",
    "DailyReport",
    "Document",
    "Report",
    "Thresholds",
    "as_plain",
    "backtest_document",
    "backtest_report",
    "daily_document",
    "daily_report",
    "document_of",
    "render_html",
    "render_json",
    "render_markdown",
    "render_text",
    "to_html",
    "to_json",
    "to_markdown",
    "to_text",
]
