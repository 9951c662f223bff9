"""Before a book that trades at a broker is decided: what the broker has done since the last session."""

from __future__ import annotations

import time
from datetime import date, datetime

from assets.desk import looked_since
from assets.inputs import RefusedError, day_before
from assets.stage import CODE_VERSION
from delta import Lake, pin
from delta.contracts import BrokerSnapshots
from resources.brokers.needs import places_at_broker
from resources.calendar import session_close
from resources.config import DeskConfig
from trading.book import BookConfig

PATIENCE = 300.0
"""Seconds to wait for another run that has the connection to the broker."""


def follow_broker(
    lake: Lake,
    desk: DeskConfig,
    book: BookConfig,
    session: date,
    run_id: str,
    now: datetime,
    *,
    patience: float = PATIENCE,
) -> int:
    """Record executions and ends of orders of a session that has closed, unless that has been done.

    Returns
    -------
    int
        Reports of executions recorded.

    Raises
    ------
    RefusedError
        When the broker's positions or cash differ from the ledger's, or an order is in no known state:
        nothing is decided on that.
    BrokerError, LeaseError
        When the broker cannot be reached, or another run keeps the connection.
    """
    if not places_at_broker(book) or day_before(book, session) is None:
        return 0
    from resources.brokers.lease import LeaseError  # noqa: PLC0415 - slow to import, and not always needed
    from resources.brokers.session import place_book  # noqa: PLC0415

    closed, began = session_close(book.calendar, session), time.monotonic()
    while not looked_since(pin(lake, [BrokerSnapshots]), book, closed):
        try:
            found = place_book(
                lake, desk, book, now=now, run_id=run_id, code_version=CODE_VERSION, send=False
            )
        except LeaseError:
            if time.monotonic() - began > patience:
                raise
            time.sleep(1.0)
            continue
        if found.frozen or not found.settled:
            why = found.frozen or "an order is in no known state"
            raise RefusedError(
                f"book {book.name}, session {session}: {why}; look with: desk reconcile --book {book.name}"
            )
        return found.executions
    return 0
