"""One order as the gateway keeps it: what the client placed and what has become of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any

from resources.gateway.account.positions import ACCOUNT
from resources.gateway.wire.layout.fields import Values
from trading.orders import Order

HAND = -1
"""Client id of orders that were entered by hand."""
DONE = frozenset({"Filled", "Cancelled", "ApiCancelled", "Inactive"})


@dataclass(slots=True)
class Ticket:
    """An order, its identity and its state.

    Attributes
    ----------
    perm_id : int
        Identity at the broker; ``client_id`` and ``order_id`` are the client's.
    contract, order : dict
        Fields of the placing message.
    symbol : str
        Desk symbol of the instrument.
    work : Order
        The order as the market matches it; its reference is the permanent id.
    waits : list of str
        What must come before the market may see it: transmit, time, condition, touch, close, schedule.
    best : float, optional
        Best price that a trailing order of a fixed amount has seen.
    scheduled : float
        What has been let go: of an algorithm's quantity by its schedule; the component that a scale order
        has come to, the first one being 1; units that a hedge was asked for, not rounded.
    level_size, price_steps : float, int
        Units that the present component of a scale order began with, and how often its price has moved.
    told : float
        Quantity filled as the client was last told.
    purged : bool
        Whether the order is done and a day or more old, so that it is no longer reported.
    """

    perm_id: int
    client_id: int
    order_id: int
    symbol: str
    contract: Values
    order: Values
    work: Order
    status: str = "PreSubmitted"
    waits: list[str] = field(default_factory=list)
    last_price: float = 0.0
    created: str = ""
    why_held: str = ""
    completed_at: str = ""
    completed_status: str = ""
    parent_perm_id: int = 0
    best: float | None = None
    scheduled: float = 0.0
    told: float = 0.0
    level_size: float = 0.0
    price_steps: int = 0
    purged: bool = False

    @property
    def total(self) -> float:
        """Quantity of the order."""
        return float(self.order.get("totalQuantity") or 0)

    @property
    def filled(self) -> float:
        """Quantity filled."""
        return self.work.filled

    @property
    def remaining(self) -> float:
        """Quantity not filled."""
        return max(self.total - self.work.filled, 0.0)

    @property
    def average(self) -> float:
        """Average price of the fills."""
        return self.work.value / self.work.filled if self.work.filled else 0.0

    @property
    def done(self) -> bool:
        """Whether nothing more can happen to the order."""
        return self.status in DONE

    def born_by(self, time: datetime) -> bool:
        """Whether the order was there at a time."""
        return datetime.fromisoformat(self.created) <= time

    @property
    def order_type(self) -> str:
        """Order type in the spelling of the protocol."""
        return str(self.order.get("orderType") or "")

    @property
    def account(self) -> str:
        """Account that it trades for."""
        return str(self.order.get("account") or ACCOUNT)

    @property
    def reference(self) -> str:
        """The client's own name of the order."""
        return str(self.order.get("orderRef") or "")

    def working_status(self) -> str:
        """Status of an order that is not done: whether the exchange would have it yet."""
        if "transmit" in self.waits:
            return "ApiPending"
        stops = self.work.order_type in {"stop", "stop_limit", "trailing_stop"}
        held = bool(self.waits) or not self.work.live or (stops and not self.work.triggered)
        return "PreSubmitted" if held else "Submitted"


def working_terms(ticket: Ticket) -> tuple[object, ...]:
    """What moves without any message to the client: a restart must find it as it was."""
    work = ticket.work
    return (
        work.quantity,
        work.held,
        work.live,
        work.order_type,
        work.stop_price,
        work.limit_price,
        work.anchor,
        work.triggered,
        ticket.best,
        ticket.scheduled,
        ticket.price_steps,
        *ticket.waits,
    )


_TICKET = tuple(each.name for each in fields(Ticket))
_WORK = tuple(each.name for each in fields(Order))


def to_record(ticket: Ticket) -> dict[str, Any]:
    """Ticket as a JSON object, to be written before the ticket changes: it shares its lists and mappings."""
    work = {name: getattr(ticket.work, name) for name in _WORK}
    work["session"] = ticket.work.session.isoformat()
    good_till = ticket.work.good_till
    work["good_till"] = good_till.isoformat() if good_till else None
    return {name: getattr(ticket, name) for name in _TICKET} | {"work": work}


def from_record(record: Mapping[str, Any]) -> Ticket:
    """Ticket from its JSON object."""
    content = {name: value for name, value in record.items() if name != "kind"}
    work = dict(content.pop("work"))
    work["session"] = date.fromisoformat(work["session"])
    work["good_till"] = date.fromisoformat(work["good_till"]) if work["good_till"] else None
    return Ticket(work=Order(**work), **content)


def open_order(ticket: Ticket, **further: Any) -> Values:
    """Values of an openOrder message."""
    return {
        **ticket.order,
        **_reported(ticket.contract),
        "orderId": ticket.order_id,
        "clientId": ticket.client_id,
        "permId": ticket.perm_id,
        "status": ticket.status,
        "whatIf": False,
        **further,
    }


def order_status(ticket: Ticket) -> Values:
    """Values of an orderStatus message."""
    return {
        "orderId": ticket.order_id,
        "status": ticket.status,
        "filled": ticket.filled,
        "remaining": 0.0 if ticket.status == "Filled" else ticket.remaining,
        "averagePrice": ticket.average,
        "permId": ticket.perm_id,
        "parentId": ticket.order.get("parentId") or 0,
        "lastPrice": ticket.last_price,
        "clientId": ticket.client_id,
        "whyHeld": ticket.why_held,
        "marketCapPrice": 0.0,
    }


def completed_order(ticket: Ticket) -> Values:
    """Values of a completedOrder message: it names neither order id nor client id."""
    return {
        **ticket.order,
        **_reported(ticket.contract),
        "permId": ticket.perm_id,
        "status": ticket.status,
        "filledQuantity": ticket.filled,
        "parentPermId": ticket.parent_perm_id,
        "completedTime": ticket.completed_at,
        "completedStatus": ticket.completed_status,
    }


def _reported(contract: Values) -> Values:
    return {**contract, "right": contract.get("right") or "?"}
