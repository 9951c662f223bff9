"""Requests about orders and executions."""

from __future__ import annotations

from resources.gateway.account import executions as fills
from resources.gateway.orders import placing
from resources.gateway.orders.checks import READ_ONLY
from resources.gateway.orders.ticket import Ticket, completed_order, open_order, order_status
from resources.gateway.service.handlers.registry import handles
from resources.gateway.service.hub import Hub
from resources.gateway.service.session import Session
from resources.gateway.wire.layout.fields import Values
from resources.gateway.wire.times import TimeSpellingError


@handles("placeOrder")
def place_order(hub: Hub, session: Session, values: Values) -> None:
    """New order, change of an order, or what-if."""
    instrument = placing.resolve(hub.broker, values) if hub.tape.live else None
    if instrument is not None:
        hub.price_of(instrument.symbol)
    placing.place(hub.broker, session.client_id, values)


@handles("cancelOrder")
def cancel_order(hub: Hub, session: Session, values: Values) -> None:
    """Cancel an order of this client."""
    if hub.broker.settings.read_only:
        session.error(values["orderId"] or -1, *READ_ONLY)
        return
    placing.cancel(hub.broker, session.client_id, values["orderId"] or -1)


@handles("reqGlobalCancel")
def global_cancel(hub: Hub, session: Session, values: Values) -> None:
    """Cancel the orders of all clients."""
    del values
    if hub.broker.settings.read_only:
        session.error(-1, *READ_ONLY)
        return
    placing.cancel_all(hub.broker)


@handles("reqOpenOrders")
def open_orders(hub: Hub, session: Session, values: Values) -> None:
    """Tell the client's own open orders; client 0 takes over those entered by hand."""
    del values
    if session.client_id == 0:
        hub.bind_manual_orders(session, negative=True)
    _tell(session, [t for t in hub.broker.book.active() if t.client_id == session.client_id])


@handles("reqAllOpenOrders")
def all_open_orders(hub: Hub, session: Session, values: Values) -> None:
    """Tell the open orders of all clients."""
    del values
    _tell(session, hub.broker.book.active())


@handles("reqAutoOpenOrders")
def auto_open_orders(hub: Hub, session: Session, values: Values) -> None:
    """Bind orders entered by hand to client 0, those to come included."""
    if session.client_id != 0:
        session.error(-1, 321, "Error validating request.-'bM' : cause - Only client id 0 may bind orders.")
        return
    session.auto_bind = values["bind"]
    if session.auto_bind:
        hub.bind_manual_orders(session)


@handles("reqCompletedOrders")
def completed_orders(hub: Hub, session: Session, values: Values) -> None:
    """Tell the orders of the day that are done."""
    for ticket in hub.broker.book.tickets.values():
        if ticket.done and not ticket.purged and (ticket.order_id > 0 or not values["apiOnly"]):
            session.send("completedOrder", completed_order(ticket))
    session.send("completedOrdersEnd")


@handles("reqExecutions")
def executions(hub: Hub, session: Session, values: Values) -> None:
    """Tell the executions of the day that pass a filter, each with its commission; client 0 means all."""
    broker = hub.broker
    try:
        found = fills.filtered(broker.executions, values, broker.clock.now())
    except TimeSpellingError as error:
        session.error(values["reqId"], 321, f"Error validating request.-'bW' : cause - {error}")
        return
    for record in found:
        values_of = fills.message(record, values["reqId"], broker.settings.execution_time)
        session.send("execDetails", values_of)
        if record["commission"] is not None:
            session.send("commissionReport", fills.commission_message(record))
    session.send("execDetailsEnd", reqId=values["reqId"])


@handles("reqIds")
def ids(hub: Hub, session: Session, values: Values) -> None:
    """Tell the next order id of the client."""
    del values
    session.send("nextValidId", orderId=hub.next_order_id(session.client_id))


def _tell(session: Session, tickets: list[Ticket]) -> None:
    for ticket in tickets:
        session.send("openOrder", open_order(ticket))
        session.send("orderStatus", order_status(ticket))
    session.send("openOrderEnd")
