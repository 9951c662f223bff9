"""The report of a range of sessions: plain data, how it is collected, and how it is laid out."""

from trading.reporting.backtest.build import backtest_report
from trading.reporting.backtest.data import BacktestReport
from trading.reporting.backtest.layout import backtest_document

__all__ = ["BacktestReport", "backtest_document", "backtest_report"]
