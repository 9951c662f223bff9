"""What a market reports back: executions, order events and what goes on working."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from trading.ledger import Amendment
from trading.orders import Execution, Order

OrderState = Literal["PARTIAL", "FILLED", "CANCELLED", "EXPIRED"]


class OrderEvent(NamedTuple):
    """A change of an order's state, as ``order_events`` keeps it.

    ``filled`` and ``average_price`` are of all its fills so far; ``remaining`` is what was left to fill
    (of a cancelled or expired order: what was given up).
    """

    order_ref: str
    state: OrderState
    reason: str
    filled: float
    remaining: float
    average_price: float | None


class MatchResult(NamedTuple):
    """Executions and events of one session in the order they happened, and the orders that go on working.

    ``amendments`` are of executions of earlier sessions, and come first.
    """

    executions: list[Execution]
    events: list[OrderEvent]
    working: list[Order]
    amendments: Sequence[Amendment] = ()
