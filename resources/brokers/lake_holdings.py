"""What an account should hold by the books that trade it: their last portfolio and what came since."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from delta import Lake, Pins, pin
from delta.contracts import (
    BrokerSnapshots,
    CorporateActions,
    Executions,
    Fills,
    Portfolio,
    Positions,
    Trades,
)
from resources.brokers.journal import Expected, holdings
from resources.brokers.lake_amendments import BookedExecutions
from resources.brokers.rows import report_of
from trading.corporate_actions import standing
from trading.ledger import Ledger
from trading.placement import Report, newest
from trading.state import from_json

READS = (Portfolio, Positions, Fills, Trades, Executions, CorporateActions, BrokerSnapshots)


def expected_holdings(lake: Lake, account: str, book: str, now: datetime) -> Expected | None:
    """Positions and cash that the account should have; None before a book's first session.

    Every book that has executions in the account counts, with its positions at the last session decided,
    split since, the executions that are not booked yet, and what was told since of those that are.
    """
    pins = pin(lake, READS)
    executions = standing_executions(pins, {"account": account})
    books = sorted({book, *(owner for owner, _ in executions)})
    positions: dict[str, float] = {}
    cash: dict[str, float] = {}
    for name in books:
        if not _add_book(pins, name, now.date(), positions, cash):
            return None
    booked = BookedExecutions(pins, books)
    ours = [report for _, report in executions if not report.leg]
    moved, flows = holdings(report for report in ours if report.root not in booked)
    for totals, added in ((positions, moved), (cash, flows)):
        for name, amount in added.items():
            totals[name] = totals.get(name, 0.0) + amount
    reports = {report.root: report for report in ours}
    for amendment in booked.amendments(ours, now.date()):
        report = reports[amendment.execution.execution_id]
        positions[report.symbol] = positions.get(report.symbol, 0.0) + amendment.units
        changed = amendment.cash(report.multiplier) / 100
        cash[report.currency] = cash.get(report.currency, 0.0) + changed
    held = {symbol: quantity for symbol, quantity in positions.items() if abs(quantity) > 1e-9}
    return Expected(held, cash, cash_offset(pins, account))


def standing_executions(pins: Pins, where: Mapping[str, Any]) -> list[tuple[str, Report]]:
    """Executions as they stand, each with its book: newest revision, last commission told; oldest first."""
    rows = pins.read(Executions, where=where).sort("known_at").collect()
    owners = dict(rows.select("execution_id", "book").iter_rows())
    current = newest(report_of(row) for row in rows.iter_rows(named=True))
    ordered = sorted(current.values(), key=lambda report: (report.executed_at, report.root))
    return [(owners[report.root], report) for report in ordered]


def cash_offset(pins: Pins, account: str) -> dict[str, float] | None:
    """What the broker's cash is above the ledger's, as first seen or as a person has accepted it last."""
    rows = (
        pins.read(
            BrokerSnapshots,
            where={"account": account, "kind": "cash"},
            columns=["item", "detail", "known_at"],
        )
        .sort("known_at")
        .group_by("item", maintain_order=True)
        .last()
        .collect()
    )
    if rows.is_empty():
        return None
    return {item: json.loads(detail)["above_the_ledger"] for item, detail, _ in rows.iter_rows()}


def _add_book(
    pins: Pins, book: str, today: date, positions: dict[str, float], cash: dict[str, float]
) -> bool:
    """Add what a book held at its last session; whether it has had one."""
    last = (
        pins.read(Portfolio, where={"book": book}, columns=["session", "cash", "state"])
        .sort("session")
        .tail(1)
        .collect()
    )
    if last.is_empty():
        return False
    session, balance, state = last.row(0)
    ledger = from_json(state).ledger
    cash[ledger.currency] = cash.get(ledger.currency, 0.0) + balance
    cash[ledger.currency] += dividends_since(pins, ledger, session, today)
    held = pins.read(
        Positions,
        where={"book": book, "session": session},
        columns=["symbol", "quantity"],
    ).collect()
    ratios = _splits(pins, session, today)
    for symbol, quantity in held.iter_rows():
        positions[symbol] = positions.get(symbol, 0.0) + quantity * ratios.get(symbol, 1.0)
    return True


def dividends_since(pins: Pins, ledger: Ledger, after: date, until: date) -> float:
    """Dividends paid since a session whose ledger does not know that they have been."""
    units: dict[str, float] = {}
    for (_, symbol), position in ledger.positions.items():
        units[symbol] = units.get(symbol, 0.0) + position.quantity
    paid = sum(item.amount for item in ledger.receivables if item.pay_date <= until) / 100
    if not units:
        return paid
    rows = pins.read(
        CorporateActions,
        where={
            "symbol": sorted(units),
            "action": ["cash_dividend", "special_dividend"],
            "ex_date": (after + timedelta(days=1), None),
        },
    ).collect()
    # Only the version that stands says when it is paid.
    due = standing(rows).filter(pl.coalesce("pay_date", "ex_date") <= until)
    return paid + sum(
        round(units[symbol] * (value or 0.0), 2)
        for symbol, value in due.select("symbol", "value").iter_rows()
    )


def _splits(pins: Pins, after: date, until: date) -> dict[str, float]:
    """Splits that are effective and that the last portfolio does not know."""
    if until <= after:
        return {}
    effective = {"action": "split", "ex_date": (after + timedelta(days=1), until)}
    rows = pins.read(CorporateActions, where=effective).collect()
    ratios: dict[str, float] = {}
    for symbol, ratio in standing(rows).select("symbol", "value").iter_rows():
        ratios[symbol] = ratios.get(symbol, 1.0) * (ratio or 1.0)
    return ratios
