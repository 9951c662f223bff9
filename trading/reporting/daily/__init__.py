"""The daily report: plain data, how it is collected, and how it is laid out."""

from trading.reporting.daily.build import daily_report
from trading.reporting.daily.data import DailyReport, Thresholds
from trading.reporting.daily.layout import daily_document

__all__ = ["DailyReport", "Thresholds", "daily_document", "daily_report"]
