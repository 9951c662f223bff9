"""What a broker said in one look, and what was missing in the looks before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from trading.orders import Side
from trading.placement.executions import Report, newest
from trading.placement.intents import DUST, Standing

LIVE = frozenset({"PendingSubmit", "PendingCancel", "PreSubmitted", "Submitted", "ApiPending", "Inactive"})
UNTRANSMITTED = "ApiPending"


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """An order as the broker tells it, open or completed.

    ``order_id`` and ``client_id`` are 0 where the broker does not say; ``text`` is why it ended.
    """

    order_ref: str
    perm_id: int
    symbol: str
    side: Side
    quantity: float
    status: str
    order_id: int = 0
    client_id: int = 0
    filled: float = 0.0
    limit_price: float | None = None
    stop_price: float | None = None
    text: str = ""
    parent_id: int = 0


class Notice(NamedTuple):
    """What the broker said of an order outside of any look: provisional, whatever it says."""

    code: int
    text: str


class Absence(NamedTuple):
    """An order that was sent, perhaps, and that no source of a complete look has.

    Attributes
    ----------
    connection : int
        Connection of the looks counted.
    since : datetime
        First of them.
    looks : int
        How many.
    sends : int
        Times the order had been sent: another send begins the count anew.
    confirmed : int, optional
        Connection in which it was confirmed that the broker does not have the order.
    """

    connection: int
    since: datetime
    looks: int
    sends: int
    confirmed: int | None = None


@dataclass(frozen=True, slots=True)
class View:
    """One complete look at a broker: all three sources, from one connection.

    There is no partial view: when a source fails there is none at all, and nothing is done.

    Attributes
    ----------
    connection : int
        Number of the connection within the run.
    next_id : int
        The gateway's own next order id.
    day_began : datetime
        Since when the broker still tells executions and completed orders.
    notices : mapping
        Order reference to the last message about it on this connection.
    quotes, ticks : mapping
        Symbol to last price and to smallest price step, where known.
    absences : mapping
        Order reference to what the looks before have found missing; see :func:`remember`.
    cash : mapping
        Currency to balance; empty where it was not asked for.
    unknown : set of str
        Symbols of which the broker has no contract, or several.
    """

    connection: int
    at: datetime
    next_id: int
    day_began: datetime
    open: tuple[BrokerOrder, ...] = ()
    completed: tuple[BrokerOrder, ...] = ()
    executions: tuple[Report, ...] = ()
    positions: Mapping[str, float] = field(default_factory=dict)
    cash: Mapping[str, float] = field(default_factory=dict)
    notices: Mapping[str, Notice] = field(default_factory=dict)
    quotes: Mapping[str, float] = field(default_factory=dict)
    ticks: Mapping[str, float] = field(default_factory=dict)
    absences: Mapping[str, Absence] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()


class Found(NamedTuple):
    """All that a view has of one order.

    ``executed`` and ``value`` count the newest revision of every execution; ``corrected`` says whether
    one of them is not the first.
    """

    live: tuple[BrokerOrder, ...]
    done: tuple[BrokerOrder, ...]
    executed: float
    value: float
    corrected: bool = False

    @property
    def anything(self) -> bool:
        """Whether any source has the order."""
        return bool(self.live or self.done or self.executed or self.corrected)

    @property
    def lacking(self) -> bool:
        """Whether the broker says that more was filled than its executions show.

        An order keeps the quantity that it was filled with when an execution is corrected or taken back.
        """
        return not self.corrected and sum(order.filled for order in self.done) > self.executed + DUST

    def wanted(self, quantity: float) -> float:
        """Quantity of the order: as intended, or more where the broker has adjusted it for a split."""
        return max((quantity, *(order.quantity for order in (*self.live, *self.done))))

    @property
    def average_price(self) -> float | None:
        """Average price of the executions."""
        return self.value / self.executed if self.executed else None


def find(view: View, order_ref: str, perm_ids: frozenset[int], recorded: Iterable[Report] = ()) -> Found:
    """What a view has of an order, by reference, else by the broker's permanent id; never by order id.

    Parameters
    ----------
    recorded : iterable of Report
        Executions in the ledger: the broker tells those of the day only.
    """

    def ours(reference: str, perm_id: int) -> bool:
        return reference == order_ref or (not reference and perm_id in perm_ids)

    live = {one.perm_id: one for one in view.open if ours(one.order_ref, one.perm_id)}
    done = {one.perm_id: one for one in view.completed if ours(one.order_ref, one.perm_id)}
    executions = newest((*recorded, *view.executions))
    mine = [one for one in executions.values() if ours(one.order_ref, one.perm_id) and not one.leg]
    return Found(
        tuple(one for perm_id, one in sorted(live.items()) if perm_id not in done),
        tuple(done.values()),
        sum(one.quantity for one in mine),
        sum(one.quantity * one.price for one in mine),
        any(one.revision > 1 for one in mine),
    )


def remember(previous: View | None, view: View, doubts: Mapping[str, Standing], spacing: timedelta) -> View:
    """View that knows what was missing in the looks before.

    An order is confirmed to be missing by two looks of one connection that lie ``spacing`` apart.

    Parameters
    ----------
    doubts : mapping
        Orders that this view leaves in doubt.
    """
    before = previous.absences if previous is not None else {}
    absences = {ref: _absence(before.get(ref), view, standing, spacing) for ref, standing in doubts.items()}
    return replace(view, absences=absences)


def _absence(before: Absence | None, view: View, standing: Standing, spacing: timedelta) -> Absence:
    if before is None or before.sends != standing.sends:
        return Absence(view.connection, view.at, 1, standing.sends)
    if before.connection != view.connection:
        return Absence(view.connection, view.at, 1, standing.sends, before.confirmed)
    looks = before.looks + 1
    confirmed = before.confirmed
    if confirmed is None and looks >= 2 and view.at - before.since >= spacing:
        confirmed = view.connection
    return before._replace(looks=looks, confirmed=confirmed)
