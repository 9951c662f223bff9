"""The journal of placing in the lake: order events, executions, snapshots, halts and alerts."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from delta import ContractError, Lake, Provenance, Table, pin, write
from delta.contracts import Alerts, BrokerSnapshots, Executions, OrderEvents, Orders
from resources.brokers.halts import halted, set_halt
from resources.brokers.journal import Expected, SupersededError
from resources.brokers.lake_holdings import expected_holdings
from resources.brokers.needs import SOURCE
from resources.brokers.rows import event_of, intent_of, last_states, report_of
from trading.placement import CARRIED_OUT, ENDED, Event, Intent, Ledger, Report, View, unrecorded

STEP = "place_orders"
LOOKED_BACK = timedelta(days=14)
"""Orders decided so long before the newest one are looked at again in every sweep, done or not."""
REMEMBERED = timedelta(days=45)
"""Executions so old are told by no broker any more."""


class LakeJournal:
    """Journal of one book.

    Parameters
    ----------
    clock : callable
        Time of the desk.
    """

    def __init__(
        self, lake: Lake, book: str, run_id: str, code_version: str, clock: Callable[[], datetime]
    ) -> None:
        self._lake, self._book, self._run_id, self._clock = lake, book, run_id, clock
        self._code_version = code_version
        self._provenance = Provenance(run_id, STEP, code_version)
        self._session: date | None = None
        self._sessions: dict[str, date] = {}
        self._snapshots = itertools.count(1)

    # ------------------------------------------------------------------------------------------- reading

    def intents(self) -> list[Intent]:
        """Orders of the newest session, those that go on, and those of the last days."""
        pins = pin(self._lake, [Orders, OrderEvents])
        rows = pins.read(Orders, where={"book": self._book, "status": "approved"}).collect()
        if rows.is_empty():
            return []
        self._session = newest = max(rows["session"])
        mine = {"book": self._book, "source": SOURCE}
        states = last_states(pins.read(OrderEvents, where=mine).collect())
        rows = rows.join(states, on="order_ref", how="left").with_columns(
            pl.col("state").fill_null("PLANNED")
        )
        ended = pl.when(pl.col("intent") == "submit").then(pl.col("state").is_in(list(ENDED)))
        goes_on = ~ended.otherwise(pl.col("state").is_in(list(CARRIED_OUT))) & (pl.col("state") != "PLANNED")
        kept = rows.filter(
            (pl.col("session") == newest)
            | goes_on
            | ((pl.col("session") >= newest - LOOKED_BACK) & (pl.col("state") != "PLANNED"))
        ).sort("session", "order_ref")
        family = (
            set(kept["order_ref"])
            | set(kept["target_ref"].drop_nulls())
            | set(kept["parent_ref"].drop_nulls())
        )
        kept = rows.filter(pl.col("order_ref").is_in(list(family))).sort("session", maintain_order=True)
        self._sessions = dict(zip(kept["order_ref"], kept["session"], strict=True))
        return [intent_of(row) for row in kept.iter_rows(named=True)]

    def ledger(self) -> Ledger:
        """Events of the orders and executions of the last weeks."""
        pins = pin(self._lake, [OrderEvents, Executions])
        refs = list(self._sessions)
        mine = {"book": self._book, "source": SOURCE, "order_ref": refs}
        events = pins.read(OrderEvents, where=mine).collect()
        since = pl.col("executed_at") >= self._clock() - REMEMBERED
        reports = pins.read(Executions, where=since | pl.col("order_ref").is_in(refs)).sort("known_at")
        return Ledger(
            tuple(event_of(row) for row in events.sort("sequence").iter_rows(named=True)),
            tuple(report_of(row) for row in reports.collect().iter_rows(named=True)),
        )

    def first_id(self, client_id: int) -> int:
        """First order id above all that any book has reserved for a client."""
        found = (
            pin(self._lake, [OrderEvents])
            .read(OrderEvents, where={"client_id": client_id}, columns=["order_id"])
            .select(pl.col("order_id").max())
            .collect()
            .item()
        )
        return int(found or 0) + 1

    def halted(self) -> str:
        """Why the book or the desk is halted."""
        return halted(self._lake, self._book)

    def expected(self, account: str) -> Expected | None:
        """What the account should hold by the books that trade it."""
        return expected_holdings(self._lake, account, self._book, self._clock())

    # ------------------------------------------------------------------------------------------- writing

    def append(self, events: Sequence[Event]) -> None:
        """Add events; the sequence of each order admits only one writer."""
        rows = [
            {
                "book": self._book,
                "session": self._sessions[event.order_ref],
                **event._asdict(),
                "source": SOURCE,
                "run_id": self._run_id,
            }
            for event in events
        ]
        try:
            self._write(OrderEvents, rows)
        except ContractError as error:
            raise SupersededError(
                f"book {self._book}: another run has recorded events of the same orders; this one stops"
            ) from error

    def book(self, account: str, reports: Sequence[Report]) -> None:
        """Add reports of executions that are not there yet."""
        since = min((report.executed_at for report in reports), default=self._clock()) - timedelta(days=1)
        where = {"account": account, "executed_at": (since, None)}
        rows = pin(self._lake, [Executions]).read(Executions, where=where).sort("known_at").collect()
        known = [report_of(row) for row in rows.iter_rows(named=True)]
        bare = [report._replace(commission=None) for report in reports]
        fresh = unrecorded((*bare, *reports), known)
        owners = self._owners({report.order_ref for report in fresh if report.order_ref})
        told = Counter((one.root, one.revision) for one in known if one.commission is not None)
        now = self._clock()
        written = []
        for report in fresh:
            key = (report.root, report.revision)
            told[key] += report.commission is not None
            name = _report_name(report, told[key])
            written.append(self._execution(account, report, owners, now) | {"report": name})
        self._write(Executions, written)

    def freeze(self, reason: str) -> None:
        """Halt the book until a person resumes it."""
        set_halt(
            self._lake,
            self._book,
            reason,
            "desk",
            self._clock(),
            run_id=self._run_id,
            code_version=self._code_version,
        )
        self.alarm("", f"frozen: {reason}", severity="error")

    def alarm(self, order_ref: str, message: str, severity: str = "warning") -> None:
        """Add an alert; the same one of a session is kept once."""
        now = self._clock()
        session = self._sessions.get(order_ref) or self._session or now.date()
        digest = hashlib.blake2b(f"{session}\x1f{order_ref}\x1f{message}".encode(), digest_size=8)
        row = {
            "book": self._book,
            "session": session,
            "alert_id": digest.hexdigest(),
            "kind": "error",
            "severity": severity,
            "subject": order_ref or "placing",
            "message": message,
            "known_at": now,
        }
        try:
            self._write(Alerts, [row])
        except ContractError:
            return  # told already

    def snapshot(self, account: str, view: View, offset: Mapping[str, float]) -> None:
        """Add what the broker said it holds."""
        identity = f"{self._run_id}/{next(self._snapshots)}/{self._clock():%Y%m%dT%H%M%S%f}"
        rows = [
            {
                "book": self._book,
                "snapshot_id": identity,
                "account": account,
                "kind": kind,
                "item": item,
                "quantity": quantity,
                "price": price,
                "detail": json.dumps(detail),
                "known_at": view.at,
            }
            for kind, item, quantity, price, detail in snapshot_items(view, offset)
        ]
        self._write(BrokerSnapshots, rows)

    def _write(self, table: type[Table], rows: Sequence[Mapping[str, Any]]) -> None:
        frame = pl.DataFrame(rows, schema=table.schema(), orient="row")
        write(self._lake, table, frame, None, self._provenance)

    def _owners(self, refs: Iterable[str]) -> dict[str, str]:
        """Books of orders by reference."""
        wanted = [ref for ref in refs if ref not in self._sessions]
        owners = dict.fromkeys(self._sessions, self._book)
        if wanted:
            rows = pin(self._lake, [Orders]).read(
                Orders, where=pl.col("order_ref").is_in(wanted), columns=["order_ref", "book"]
            )
            owners.update(rows.collect().iter_rows())
        return owners

    def _execution(
        self, account: str, report: Report, owners: Mapping[str, str], now: datetime
    ) -> dict[str, Any]:
        owner = owners.get(report.order_ref)
        return {
            "account": account,
            "execution_id": report.root,
            "revision": report.revision,
            "book": owner or self._book,
            "order_ref": report.order_ref if owner else "",
            "cause": "order" if owner else (report.cause or "manual"),
            "symbol": report.symbol,
            "side": report.side,
            "quantity": report.quantity,
            "price": report.price,
            "multiplier": report.multiplier,
            "commission": report.commission,
            "currency": report.currency,
            "perm_id": report.perm_id,
            "order_id": report.order_id,
            "client_id": report.client_id,
            "leg": report.leg,
            "executed_at": report.executed_at,
            "known_at": now,
            "run_id": self._run_id,
        }


def _report_name(report: Report, told: int) -> str:
    if report.commission is None:
        return "execution"
    return "commission" if told == 1 else f"commission {told}"


def snapshot_items(
    view: View, offset: Mapping[str, float]
) -> list[tuple[str, str, float, float | None, dict[str, Any]]]:
    """Rows of a snapshot: kind, item, quantity, price, detail."""
    orders = [
        (
            "open_order",
            f"{order.order_ref or 'none'}/{order.perm_id}",
            order.quantity,
            order.limit_price or order.stop_price,
            {"symbol": order.symbol, "side": order.side, "status": order.status, "perm_id": order.perm_id},
        )
        for order in view.open
    ]
    return [
        *(("position", symbol, held, None, {}) for symbol, held in sorted(view.positions.items())),
        *(
            ("cash", currency, amount, None, {"above_the_ledger": offset.get(currency, 0.0)})
            for currency, amount in sorted(view.cash.items())
        ),
        *orders,
    ]
