"""The ledger: cash, lots, results and receivables of a book, exact to the cent."""

from __future__ import annotations

from trading.ledger.accounts import Account, Receivable
from trading.ledger.amendments import (
    Amendment,
    Booked,
    Terms,
    amend,
    booked_terms,
    changed_terms,
    first_id,
)
from trading.ledger.contracts import ContractSplit, split_contract
from trading.ledger.ledger import Ledger
from trading.ledger.lots import LedgerError, Lot, to_cents
from trading.ledger.position import Position
from trading.ledger.trips import Booking, RoundTrip

__all__ = [
    "Account",
    "Amendment",
    "Booked",
    "Booking",
    "ContractSplit",
    "Ledger",
    "LedgerError",
    "Lot",
    "Position",
    "Receivable",
    "RoundTrip",
    "Terms",
    "amend",
    "booked_terms",
    "changed_terms",
    "first_id",
    "split_contract",
    "to_cents",
]
