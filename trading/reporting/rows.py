"""Rows of frames as plain values, whatever columns a frame happens to have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl

Row = Mapping[str, Any]


def rows(frame: pl.DataFrame | None, book: str, session: date | None = None) -> list[dict[str, Any]]:
    """Rows of a book, and of one session where given; a column that is absent does not filter."""
    if frame is None or frame.is_empty():
        return []
    if "book" in frame.columns:
        frame = frame.filter(pl.col("book") == book)
    if session is not None and "session" in frame.columns:
        frame = frame.filter(pl.col("session") == session)
    return frame.to_dicts()


def figure(row: Row, name: str) -> float | None:
    """Return a finite number of a row; None where it is absent, null or not finite."""
    value = row.get(name)
    if value is None or isinstance(value, str):
        return None
    return float(value) if math.isfinite(value) else None


def whole(row: Row, name: str) -> int | None:
    """Return a whole number of a row; None where there is none."""
    value = figure(row, name)
    return None if value is None else int(value)


def text(row: Row, name: str) -> str:
    """Text of a row; empty where there is none."""
    value = row.get(name)
    return "" if value is None else str(value)


def ratio(numerator: float | None, denominator: float | None) -> float | None:
    """Quotient, or None where it is not a finite number."""
    if numerator is None or not denominator:
        return None
    quotient = numerator / denominator
    return quotient if math.isfinite(quotient) else None
