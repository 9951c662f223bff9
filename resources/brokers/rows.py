"""Rows of the lake's tables as placing knows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from trading.placement import Event, Intent, Report


def last_states(events: pl.DataFrame) -> pl.DataFrame:
    """Order reference and state of its last event."""
    return events.sort("sequence").group_by("order_ref").last().select("order_ref", "state")


def intent_of(row: Mapping[str, Any]) -> Intent:
    """Intent of a row of ``orders``."""
    names = [name for name in Intent.__slots__ if name != "kind"]
    return Intent(**{name: row[name] for name in names}, kind=row["intent"])


def event_of(row: Mapping[str, Any]) -> Event:
    """Event of a row of ``order_events``."""
    return Event(**{name: row[name] for name in Event._fields})


def report_of(row: Mapping[str, Any]) -> Report:
    """Report of a row of ``executions``."""
    return Report(
        root=row["execution_id"],
        cause="" if row["cause"] == "order" else row["cause"],
        **{name: row[name] for name in Report._fields if name not in {"root", "cause"}},
    )
