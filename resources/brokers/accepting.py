"""A person accepts what the broker says: differences enter the ledger with their cause."""

from __future__ import annotations

import hashlib
from datetime import datetime

from resources.brokers.base import Broker, BrokerError
from resources.brokers.journal import Expected, Journal
from resources.brokers.lease import Lease
from trading.orders import Side
from trading.placement import Report, View


async def accept(broker: Broker, journal: Journal, lease: Lease, reason: str) -> list[Report]:
    """Book every difference in positions as an execution from outside, and take the broker's cash as right.

    Parameters
    ----------
    reason : str
        Why the difference is right, for the record.

    Returns
    -------
    list of Report
        The executions booked; each at the last price, which moves no profit from what it was marked at.

    Raises
    ------
    BrokerError
        When the broker cannot be reached, or the ledger has no session to compare with.
    """
    lease.acquire()
    try:
        journal.intents()
        await broker.connect()
        view = await broker.look(money=True)
        journal.book(broker.account, view.executions)
        expected = journal.expected(broker.account)
        if expected is None:
            raise BrokerError("the book has no portfolio yet to compare with the broker; run a session first")
        symbols = [symbol for symbol, _ in differences(expected, view)]
        quoted = await broker.look(symbols, money=True) if symbols else view
        reports = [
            external(symbol, change, quoted.quotes.get(symbol, 0.0), view.at, reason)
            for symbol, change in differences(expected, view)
        ]
        journal.book(broker.account, reports)
        after = journal.expected(broker.account) or expected
        offset = {name: cash - after.cash.get(name, 0.0) for name, cash in view.cash.items()}
        journal.snapshot(broker.account, view, offset)
        return reports
    finally:
        await broker.disconnect()
        lease.release()


def differences(expected: Expected, view: View) -> list[tuple[str, float]]:
    """Symbols of which the broker holds something else than the ledger, and how much more."""
    symbols = sorted({*expected.positions, *view.positions})
    changes = [(s, view.positions.get(s, 0.0) - expected.positions.get(s, 0.0)) for s in symbols]
    return [(symbol, change) for symbol, change in changes if abs(change) > 1e-6]


def external(symbol: str, change: float, price: float, at: datetime, reason: str) -> Report:
    """Execution that stands for a change nobody told."""
    side: Side = "BUY" if change > 0 else "SELL"
    digest = hashlib.blake2b(f"{symbol}\x1f{change}\x1f{at}\x1f{reason}".encode(), digest_size=8)
    return Report(
        root=f"external-{digest.hexdigest()}",
        revision=1,
        order_ref="",
        perm_id=0,
        symbol=symbol,
        side=side,
        quantity=abs(change),
        price=price,
        executed_at=at,
        commission=0.0,
        cause="external",
    )
