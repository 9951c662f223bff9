"""Running totals of one strategy within a book, and what is owed to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple


@dataclass(slots=True)
class Account:
    """A strategy's sub-ledger since the start of the book. Money is in cents.

    Attributes
    ----------
    cash : int
        Cash that its trades and dividends brought, less what they took: deposits belong to the book.
    realised : int
        Realised profit after commissions, without dividends.
    realised_today : int
        The part of the session.
    dividends : int
        Earned: entitled on the ex date, paid or not.
    receivables : int
        Earned and not yet paid; negative where a short position owes.
    commissions : int
        Paid.
    """

    cash: int = 0
    realised: int = 0
    realised_today: int = 0
    dividends: int = 0
    receivables: int = 0
    commissions: int = 0

    def to_state(self) -> dict[str, int]:
        """Totals as JSON values."""
        return {
            "cash": self.cash,
            "realised": self.realised,
            "realised_today": self.realised_today,
            "dividends": self.dividends,
            "receivables": self.receivables,
            "commissions": self.commissions,
        }


class Receivable(NamedTuple):
    """Cash of a dividend that is entitled and not yet paid, in cents; negative: owed by a short position."""

    pay_date: date
    strategy: str
    symbol: str
    amount: int

    def to_state(self) -> list[Any]:
        """Fields as JSON values."""
        return [self.pay_date.isoformat(), self.strategy, self.symbol, self.amount]

    @classmethod
    def from_state(cls, state: list[Any]) -> Receivable:
        """Receivable from what ``to_state`` gave."""
        return cls(date.fromisoformat(state[0]), *state[1:])
