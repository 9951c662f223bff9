"""What the broker has told of executions since the ledgers of books have booked them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from delta import Pins
from delta.contracts import CorporateActions, Fills, Trades
from trading.ledger import (
    Amendment,
    Booked,
    RoundTrip,
    Terms,
    booked_terms,
    changed_terms,
    first_id,
)
from trading.orders import Execution
from trading.placement import Report

READS = (Fills, Trades, CorporateActions)
COLUMNS = (
    "book",
    "session",
    "execution_id",
    "order_ref",
    "strategy",
    "symbol",
    "purpose",
    "side",
    "quantity",
    "price",
    "commission",
    "executed_at",
)

Row = Mapping[str, Any]


@dataclass
class BookedExecutions:
    """What the ledgers of some books have of each execution: its rows, oldest first.

    Parameters
    ----------
    leaving_out : date, optional
        A session that is about to be decided again: what it has booked does not count.
    """

    pins: Pins
    books: Sequence[str]
    leaving_out: date | None = None
    rows: dict[str, list[Row]] = field(init=False)
    _splits: dict[str, list[tuple[date, float]]] | None = None

    def __post_init__(self) -> None:
        found = self.pins.read(Fills, where={"book": list(self.books)}, columns=list(COLUMNS)).collect()
        if self.leaving_out is not None:
            found = found.filter(pl.col("session") != self.leaving_out)
        grouped: dict[str, list[Row]] = defaultdict(list)
        for row in found.sort("session").iter_rows(named=True):
            grouped[first_id(row["execution_id"])].append(row)
        self.rows = {root: sorted(rows, key=_number) for root, rows in grouped.items()}

    def __contains__(self, root: str) -> bool:
        """Whether an execution has been booked."""
        return root in self.rows

    def amendments(
        self, reports: Iterable[Report], today: date, trips: Callable[[str, str], Any] | None = None
    ) -> list[Amendment]:
        """Differences between the executions as they stand and as they are booked, in the order given.

        An execution that has changed its side or symbol is left alone: that is for a person to book.

        Parameters
        ----------
        today : date
            Session that books them; splits up to it count.
        trips : callable, optional
            Round trips of an execution, by book and id.
        """
        found = []
        for report in reports:
            rows = self.rows.get(report.root)
            if rows is None or (rows[0]["symbol"], rows[0]["side"]) != (report.symbol, report.side):
                continue
            was, now = self._terms(rows), _terms_of(report, self._terms(rows))
            if changed_terms(was, now):
                first = rows[0]
                ratio = self.split_since(report.symbol, first["session"], today)
                known = trips(first["book"], report.root) if trips else ()
                found.append(Amendment(_execution(first, today), was, now, len(rows), ratio, known))
        return found

    def _terms(self, rows: Sequence[Row]) -> Terms:
        """What is booked, in the units of the first row."""
        booked = []
        for number, row in enumerate(rows):
            ratio = self.split_since(row["symbol"], rows[0]["session"], row["session"]) if number else 1.0
            booked.append(
                Booked(row["side"], row["quantity"] / ratio, row["price"] * ratio, row["commission"])
            )
        return booked_terms(booked)

    def split_since(self, symbol: str, after: date, until: date) -> float:
        """Units at a later session for one unit held after an earlier one."""
        if self._splits is None:
            self._splits = _splits(self.pins)
        ratio = 1.0
        for ex_date, value in self._splits.get(symbol, ()):
            ratio *= value if after < ex_date <= until else 1.0
        return ratio

    def trips(
        self, today: date, sessions_between: Callable[[date, date], int]
    ) -> Callable[[str, str], tuple[tuple[RoundTrip, int], ...]]:
        """How to find the round trips that an execution took part in, in the units of today."""

        def find(book: str, root: str) -> tuple[tuple[RoundTrip, int], ...]:
            here = (pl.col("book") == book) & pl.col("trade_id").str.contains(root, literal=True)
            if self.leaving_out is not None:
                here &= pl.col("session") != self.leaving_out
            rows = self.pins.read(Trades, where=here).collect().sort("session", "trade_id")
            return tuple(
                (
                    _round_trip(row, self.split_since(row["symbol"], row["session"], today)),
                    sessions_between(row["session"], today),
                )
                for row in rows.iter_rows(named=True)
                if root in map(first_id, row["trade_id"].split(":"))
            )

        return find


def _terms_of(report: Report, was: Terms) -> Terms:
    """Terms of a report; a commission that the broker has not told yet is as it was booked."""
    commission = was.commission if report.commission is None else report.commission
    return Terms(report.quantity, report.price, commission)


def _execution(row: Row, today: date) -> Execution:
    return Execution(
        first_id(row["execution_id"]),
        row["order_ref"],
        row["strategy"],
        row["symbol"],
        row["purpose"],
        row["side"],
        row["quantity"],
        row["price"],
        row["commission"],
        0.0,
        today,
        "close",
        row["executed_at"],
    )


def _number(row: Row) -> tuple[date, int, str]:
    identity = row["execution_id"]
    return row["session"], len(identity), identity


def _round_trip(row: Row, ratio: float) -> RoundTrip:
    """Round trip of a row of ``trades``, whose cost follows from result and return."""
    sign = 1 if row["direction"] == "long" else -1
    pnl, commissions = round(row["pnl"] * 100), round(row["commissions"] * 100)
    if row["trade_return"]:
        cost = sign * round(abs(row["pnl"] / row["trade_return"]) * 100)
    else:
        cost = sign * round(row["entry_price"] * row["quantity"] * 100) + commissions // 2
    return RoundTrip(
        row["trade_id"],
        row["strategy"],
        row["symbol"],
        row["direction"],
        row["quantity"] * ratio,
        row["opened"],
        row["session"],
        row["entry_price"] / ratio,
        row["exit_price"] / ratio,
        commissions,
        pnl,
        cost,
        row["mae"],
        row["mfe"],
        row["sessions_held"],
        row["exit_reason"],
    )


def _splits(pins: Pins) -> dict[str, list[tuple[date, float]]]:
    rows = (
        pins.read(CorporateActions, where={"action": "split"})
        .sort("known_at")
        .group_by("symbol", "ex_date", maintain_order=True)
        .last()
        .select("symbol", "ex_date", "value")
        .collect()
    )
    found: dict[str, list[tuple[date, float]]] = defaultdict(list)
    for symbol, ex_date, value in rows.iter_rows():
        found[symbol].append((ex_date, value or 1.0))
    return found
