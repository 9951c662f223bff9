"""Orders that the broker itself places for another order: profit orders, and hedges of volatility orders.

They belong to the client of that order and have its reference, a permanent id of their own and no order id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from resources.gateway.instruments.database import Instrument
from resources.gateway.orders.ticket import Ticket
from resources.gateway.orders.translate import market_order
from resources.gateway.wire.layout.fields import Values

if TYPE_CHECKING:
    from resources.gateway.broker import Broker

_KEPT = ("account", "tif", "goodTillDate", "outsideRth", "orderRef", "faGroup", "faMethod", "faPercentage",
         "faProfile", "allocation", "modelCode")  # fmt: skip
"""Terms that such an order has from the other."""


def attach(broker: Broker, parent: Ticket, instrument: Instrument, terms: Values) -> Ticket:
    """Order of the broker's own for another one; it is neither in the book yet nor told."""
    kept = {name: parent.order[name] for name in _KEPT if parent.order.get(name)}
    order = {**kept, "parentId": parent.order_id, "transmit": True, **terms}
    number, now = broker.book.next_perm_id(), broker.clock.now()
    work = market_order(order, number, instrument.symbol, instrument.asset_class, now.date())
    work.multiplier = instrument.multiplier
    return Ticket(number, parent.client_id, 0, instrument.symbol, instrument.contract(), order, work,
                  created=now.isoformat(), parent_perm_id=parent.perm_id)  # fmt: skip


def is_attached(ticket: Ticket) -> bool:
    """Whether the broker placed an order by itself."""
    return ticket.order_id == 0 and ticket.parent_perm_id != 0
