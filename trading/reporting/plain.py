"""Reports as JSON for programs: the same names and numbers as the dataclasses."""

from __future__ import annotations

import dataclasses
import json
import math
from datetime import date
from typing import Any

from trading.reporting.backtest.data import BacktestReport
from trading.reporting.daily.data import DailyReport


def render_json(report: DailyReport | BacktestReport, *, indent: int | None = None) -> str:
    """Write a report as JSON: dates as text, year first; what is not known or not finite as null."""
    return json.dumps(as_plain(report), indent=indent, ensure_ascii=False, allow_nan=False)


def as_plain(value: Any) -> Any:
    """Return dataclasses, tuples and mappings as dicts and lists of numbers, texts, booleans and None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): as_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
