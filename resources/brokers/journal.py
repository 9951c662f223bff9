"""What placing must keep: events, executions, snapshots, halts. In the lake, or in memory for trials."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from trading.placement import Event, Intent, Ledger, Report, View, newest, unrecorded


class SupersededError(RuntimeError):
    """Another writer has written what this one was about to: this one stops."""


class Expected(NamedTuple):
    """What the account should hold by the ledger.

    Attributes
    ----------
    positions : mapping
        Symbol to units.
    cash : mapping
        Currency to balance.
    offset : mapping, optional
        Currency to what the broker's cash was above the ledger's when they were first compared; None
        before that.
    """

    positions: Mapping[str, float]
    cash: Mapping[str, float]
    offset: Mapping[str, float] | None


class Journal(Protocol):
    """Durable memory of placing; a method returns once what it was given cannot be lost."""

    def intents(self) -> list[Intent]:
        """Approved orders that may need something, and those of the last days."""
        ...

    def ledger(self) -> Ledger:
        """Events of those orders and the executions of the account."""
        ...

    def first_id(self, client_id: int) -> int:
        """First order id above all that any order has reserved for a client."""
        ...

    def append(self, events: Sequence[Event]) -> None:
        """Add events, all or none.

        Raises
        ------
        SupersededError
            When one of them has been written by another writer.
        """
        ...

    def book(self, account: str, reports: Sequence[Report]) -> None:
        """Add reports of executions; those that are there already are left out."""
        ...

    def halted(self) -> str:
        """Why the book or the desk is halted; empty when it is not."""
        ...

    def freeze(self, reason: str) -> None:
        """Halt the book until a person resumes it, and raise an alert."""
        ...

    def alarm(self, order_ref: str, message: str, severity: str = "warning") -> None:
        """Raise an alert, the same one once; severity: warning or error."""
        ...

    def expected(self, account: str) -> Expected | None:
        """What the account should hold; None where the ledger cannot tell."""
        ...

    def snapshot(self, account: str, view: View, offset: Mapping[str, float]) -> None:
        """Keep what the broker said it holds."""
        ...


@dataclass
class MemoryJournal:
    """A journal in memory: for trials by the thousand, and as the model that the lake's is tested against.

    Attributes
    ----------
    orders : list of Intent
        Approved orders.
    halt : str
        Reason of a halt.
    """

    orders: list[Intent] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    halt: str = ""
    alarms: list[tuple[str, str]] = field(default_factory=list)
    snapshots: list[View] = field(default_factory=list)
    opening_cash: dict[str, float] = field(default_factory=dict)
    offset: dict[str, float] | None = None

    def intents(self) -> list[Intent]:
        """All orders."""
        return list(self.orders)

    def ledger(self) -> Ledger:
        """All events and reports."""
        return Ledger(tuple(self.events), tuple(self.reports))

    def first_id(self, client_id: int) -> int:
        """First free order id."""
        used = (event.order_id for event in self.events if event.client_id == client_id)
        return max((number for number in used if number is not None), default=0) + 1

    def append(self, events: Sequence[Event]) -> None:
        """Add events."""
        known = {(event.order_ref, event.sequence) for event in self.events}
        if known & {(event.order_ref, event.sequence) for event in events}:
            raise SupersededError("another writer has recorded events of the same orders")
        self.events.extend(events)

    def book(self, account: str, reports: Sequence[Report]) -> None:
        """Add reports."""
        del account
        self.reports.extend(unrecorded(reports, self.reports))

    def halted(self) -> str:
        """Reason of the halt."""
        return self.halt

    def freeze(self, reason: str) -> None:
        """Halt."""
        self.halt = self.halt or reason
        self.alarm("", reason)

    def alarm(self, order_ref: str, message: str, severity: str = "warning") -> None:
        """Keep an alarm."""
        del severity
        if (order_ref, message) not in self.alarms:
            self.alarms.append((order_ref, message))

    def expected(self, account: str) -> Expected | None:
        """Positions and cash of all executions."""
        del account
        positions, cash = holdings(self.reports)
        for currency, amount in self.opening_cash.items():
            cash[currency] = cash.get(currency, 0.0) + amount
        return Expected(positions, cash, self.offset)

    def snapshot(self, account: str, view: View, offset: Mapping[str, float]) -> None:
        """Keep a view."""
        del account
        self.snapshots.append(view)
        if self.offset is None:
            self.offset = dict(offset)


def holdings(reports: Iterable[Report]) -> tuple[dict[str, float], dict[str, float]]:
    """Positions and cash that executions add up to; of each the newest revision counts."""
    positions: dict[str, float] = {}
    cash: dict[str, float] = {}
    for report in newest(reports).values():
        sign = 1 if report.side == "BUY" else -1
        positions[report.symbol] = positions.get(report.symbol, 0.0) + sign * report.quantity
        value = round(sign * report.quantity * report.price * report.multiplier, 2)
        spent = value + (report.commission or 0.0)
        cash[report.currency] = cash.get(report.currency, 0.0) - spent
    return {symbol: held for symbol, held in positions.items() if abs(held) > 1e-9}, cash
