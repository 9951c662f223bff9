"""What a book carries from one session to the next, and its exact JSON form."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from operator import attrgetter
from typing import Any

from pydantic_core import to_json as encoded

from trading.ledger import Ledger
from trading.orders import Order

Key = tuple[str, str]
"""Strategy and symbol: a strategy's position in a symbol."""


@dataclass(slots=True)
class Plan:
    """How an entry and the position it opens are to be left.

    Attributes
    ----------
    entry_ref : str
        Order that opens the position.
    reference : float
        Price that stop and target were measured from; the fill's own once they follow it.
    stop, target : float, optional
        Protective prices now.
    max_hold : int, optional
        Longest holding in sessions.
    stop_ref, target_ref, oca_group : str, optional
        The orders at the broker and the group in which one fill cancels the others.
    anchored : bool
        Whether stop and target have been moved to the price of the fill.
    trailing : bool
        Whether the trailing stop has taken over.
    """

    entry_ref: str
    reference: float
    stop: float | None = None
    target: float | None = None
    max_hold: int | None = None
    stop_ref: str | None = None
    target_ref: str | None = None
    oca_group: str | None = None
    anchored: bool = False
    trailing: bool = False


REMEMBERED = 10
"""Sessions for which the plan of a closed position is kept, in case that its exit is taken back."""


@dataclass(slots=True)
class BookState:
    """A book between two sessions.

    Attributes
    ----------
    session : date, optional
        Last session decided; None before the first.
    working : list of Order
        Orders at the broker, oldest first.
    plans : dict
        Strategy and symbol to the plan of its position or of the entry that may open it.
    streak : int
        Round trips won (positive) or lost (negative) in a row.
    sequences : dict
        Working order to the number of its last event.
    closed : dict
        Strategy and symbol to the plan of a position that was closed lately, and the number of the session.
    """

    ledger: Ledger
    session: date | None = None
    working: list[Order] = field(default_factory=list)
    plans: dict[Key, Plan] = field(default_factory=dict)
    streak: int = 0
    sequences: dict[str, int] = field(default_factory=dict)
    closed: dict[Key, tuple[int, Plan]] = field(default_factory=dict)

    def forget_plans(self) -> None:
        """Put the plans of what is held no more aside, for as long as an exit may be taken back."""
        entering = {(order.strategy, order.symbol) for order in self.working if order.purpose == "entry"}
        today = self.ledger.session_number
        for key in [k for k in self.plans if k not in self.ledger.positions and k not in entering]:
            self.closed[key] = (today, self.plans.pop(key))
        old = [key for key, (session, _) in self.closed.items() if today - session > REMEMBERED]
        for key in [*old, *(key for key in self.closed if key in self.plans)]:
            self.closed.pop(key, None)

    def hold_again(self, key: Key) -> None:
        """Take the plan of a closed position up again, for its exit was taken back; its orders are gone."""
        if key in self.ledger.positions and key not in self.plans and key in self.closed:
            _, plan = self.closed.pop(key)
            plan.stop_ref = plan.target_ref = plan.oca_group = None
            self.plans[key] = plan


_PLAN = tuple(Plan.__slots__)
_ORDER = tuple(Order.__slots__)
_plan_values, _order_values = attrgetter(*_PLAN), attrgetter(*_ORDER)


def new_state(capital: float, currency: str = "USD") -> BookState:
    """A book before its first session, holding its capital in cash."""
    return BookState(Ledger(capital, currency))


def to_json(state: BookState) -> str:
    """State as JSON; floats keep all their digits, so that reading it back gives the same state."""
    content = {
        "session": state.session,
        "ledger": state.ledger.to_state(),
        "working": [dict(zip(_ORDER, _order_values(order), strict=True)) for order in state.working],
        "plans": [[*key, *_plan_values(plan)] for key, plan in state.plans.items()],
        "streak": state.streak,
        "sequences": state.sequences,
        "closed": [[*key, number, *_plan_values(plan)] for key, (number, plan) in state.closed.items()],
    }
    # Written at every session of a backtest: the encoder of the standard library takes three times as long.
    return encoded(content, inf_nan_mode="constants").decode()


def from_json(text: str) -> BookState:
    """State that ``to_json`` wrote."""
    content = json.loads(text)
    return BookState(
        ledger=Ledger.from_state(content["ledger"]),
        session=date.fromisoformat(content["session"]) if content["session"] else None,
        working=[_order(fields) for fields in content["working"]],
        plans={(strategy, symbol): Plan(*plan) for strategy, symbol, *plan in content["plans"]},
        streak=content["streak"],
        sequences=content["sequences"],
        closed={
            (strategy, symbol): (number, Plan(*plan))
            for strategy, symbol, number, *plan in content.get("closed", ())
        },
    )


def _order(fields: dict[str, Any]) -> Order:
    good_till = fields["good_till"]
    return Order(
        **{
            **fields,
            "session": date.fromisoformat(fields["session"]),
            "good_till": date.fromisoformat(good_till) if good_till else None,
        }
    )
