"""Explaining an order: from its fills back to the bars it came from, with the version of every table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from assets.inputs import MissingDataError
from assets.stage import BACKFILL, RESEARCH, SESSION
from delta import Lake, pin
from delta.contracts import Alerts, Bars, Candidates, Executions, Fills, OrderEvents, Orders, Signals
from delta.manifest import RunRecord, run_of
from delta.origins import with_files

BARS_SHOWN = 5
LOOKBACK = timedelta(days=21)


@dataclass(frozen=True)
class Explanation:
    """Everything that led to an order, and what became of it.

    Attributes
    ----------
    order : dict
        Row of ``orders``.
    related : list of dict
        Orders of the same bracket: parent, children and changes.
    gates : list of dict
        Verdicts with their figures, in the order they were asked.
    signal, candidate : dict or None
        Rows that the decision read.
    indicators : dict
        Indicator values of the signal.
    events, fills : list of dict
        What happened to the order, and how the ledger has booked it.
    executions, alerts : list of dict
        What a broker has told of its executions, in the order in which it did, and what people were told.
    bars : list of dict
        The last bars that the research saw, each with source, time of knowledge and file.
    runs : dict
        Step to run id, time, code version, versions read and written.
    """

    order: dict[str, Any]
    related: list[dict[str, Any]]
    gates: list[dict[str, Any]]
    signal: dict[str, Any] | None
    candidate: dict[str, Any] | None
    indicators: dict[str, Any]
    events: list[dict[str, Any]]
    fills: list[dict[str, Any]]
    executions: list[dict[str, Any]]
    alerts: list[dict[str, Any]]
    bars: list[dict[str, Any]]
    runs: dict[str, dict[str, Any]]


def explain(lake: Lake, order_ref: str) -> Explanation:
    """Explain an order by its reference; the beginning of a reference will do when it is unique.

    Raises
    ------
    MissingDataError
        When no order, or more than one, has such a reference.
    """
    pins = pin(lake, [Orders, OrderEvents, Fills, Executions, Alerts, Signals, Candidates])
    order = _order(pins.read(Orders), order_ref)
    ref, book, session = order["order_ref"], order["book"], order["session"]
    decision = _newest(lake, book, session, (BACKFILL, SESSION))
    research = _newest(lake, book, session, (RESEARCH,), decision.known_at if decision else None)
    seen = decision.pins(lake) if decision else pins
    of_strategy = {
        "book": book,
        "session": session,
        "symbol": order["symbol"],
        "strategy": order["strategy"],
    }
    signals = seen.read(Signals, where=of_strategy).collect().to_dicts()
    signal = next(
        (row for row in signals if row["reason"] == order["reason"]), signals[0] if signals else None
    )
    candidates = seen.read(Candidates, where=of_strategy).collect().to_dicts()
    mine = {"book": book, "order_ref": ref}
    return Explanation(
        order=order,
        related=_related(pins.read(Orders, where={"book": book}), order),
        gates=json.loads(order["gates"]),
        signal=signal,
        candidate=candidates[0] if candidates else None,
        indicators=json.loads(signal["indicators"]) if signal and signal["indicators"] else {},
        events=pins.read(OrderEvents, where=mine).sort("sequence").collect().to_dicts(),
        fills=pins.read(Fills, where=mine).sort("session", "execution_id").collect().to_dicts(),
        executions=pins.read(Executions, where=mine)
        .sort("known_at", "revision", "report", descending=[False, False, True])
        .collect()
        .to_dicts(),
        alerts=pins.read(Alerts, where={"book": book, "subject": ref}).sort("known_at").collect().to_dicts(),
        bars=_bars(lake, order["symbol"], session, research),
        runs={
            name: _run(run)
            for name, run in (("research", research), ("decision", decision))
            if run is not None
        },
    )


def _order(orders: pl.LazyFrame, order_ref: str) -> dict[str, Any]:
    found = orders.filter(pl.col("order_ref").str.starts_with(order_ref)).head(3).collect()
    if found.is_empty():
        raise MissingDataError(
            f"no order has the reference {order_ref!r}; the references are the column order_ref of orders"
        )
    exact = found.filter(pl.col("order_ref") == order_ref)
    if exact.is_empty() and found.height > 1:
        raise MissingDataError(f"{order_ref!r} is the beginning of several orders; give more of it")
    return (found if exact.is_empty() else exact).row(0, named=True)


def _related(orders: pl.LazyFrame, order: dict[str, Any]) -> list[dict[str, Any]]:
    """Orders that hang together with this one: parent, siblings, children, changes and exits."""
    family = {order["order_ref"], order["parent_ref"], order["target_ref"]} - {None}
    group = order["oca_group"]
    related = orders.filter(
        pl.col("parent_ref").is_in(list(family))
        | pl.col("target_ref").is_in(list(family))
        | pl.col("order_ref").is_in(list(family))
        | (pl.col("oca_group") == pl.lit(group) if group else pl.lit(value=False))
    ).sort("session", "order_ref")
    return [row for row in related.collect().to_dicts() if row["order_ref"] != order["order_ref"]]


def _bars(lake: Lake, symbol: str, session: date, research: RunRecord | None) -> list[dict[str, Any]]:
    version = research.reads.get(Bars.name) if research else None
    where = (
        (pl.col("symbol") == symbol)
        & (pl.col("timeframe") == "1d")
        & pl.col("session").is_between(session - LOOKBACK, session)
    )
    rows = with_files(lake, Bars, version, where).sort("session", "known_at").collect()
    return rows.tail(BARS_SHOWN).to_dicts()


def _newest(
    lake: Lake, book: str, session: date, steps: tuple[str, ...], as_of: datetime | None = None
) -> RunRecord | None:
    """Newest of some steps that worked on a session, as the manifest was at a time."""
    found = [run_of(lake, step=step, book=book, session=session, as_of=as_of) for step in steps]
    known = sorted((run for run in found if run is not None), key=lambda run: str(run.known_at))
    return known[-1] if known else None


def _run(run: RunRecord) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "step": run.step,
        "at": run.known_at,
        "code_version": run.code_version,
        "config_hash": run.config_hash,
        "reads": dict(run.reads),
        "writes": dict(run.writes),
    }
