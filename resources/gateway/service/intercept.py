"""Requests on which a fault strikes: delivered late, twice, not at all, or with consequences."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import NamedTuple

from resources.gateway.account.happenings import late_fill, manual_trade
from resources.gateway.events import error
from resources.gateway.orders.ticket import Ticket
from resources.gateway.service.faults import Fault
from resources.gateway.service.hub import Hub
from resources.gateway.service.session import Session
from resources.gateway.wire.layout.fields import Values


class Outcome(NamedTuple):
    """What the connection does after a request.

    Attributes
    ----------
    close : bool
        Whether it is closed, after the first ``replies`` replies.
    later : float, optional
        Seconds after which the request is delivered after all.
    """

    close: bool = False
    replies: int | None = None
    later: float | None = None


def deliver(hub: Hub, session: Session, name: str, values: Values) -> Outcome:
    """Deliver a request, unless and as a fault has it."""
    fault = hub.faults.take("request", name, values)
    if fault is None:
        hub.dispatch(session, name, values)
        return Outcome()
    return _ACTIONS[fault.do](hub, session, name, values, fault)


def _number(values: Values) -> int:
    number = values.get("orderId", values.get("reqId"))
    return -1 if number is None else int(number)


def _ticket(hub: Hub, session: Session, values: Values) -> Ticket | None:
    return hub.broker.book.find(session.client_id, _number(values))


def _lose(hub: Hub, session: Session, name: str, values: Values, fault: Fault) -> Outcome:
    del hub, session, name, values, fault
    return Outcome()


def _reject(hub: Hub, session: Session, name: str, values: Values, fault: Fault) -> Outcome:
    del hub, name
    session.error(_number(values), int(fault.get("code", 201)), str(fault.get("text", "simulated")))
    return Outcome()


def _answer(hub: Hub, session: Session, name: str, values: Values, fault: Fault) -> Outcome:
    hub.dispatch(session, name, values)
    code, text = int(fault.get("code", 399)), str(fault.get("text", "simulated"))
    hub.broker.outbox.append(error(session.client_id, _number(values), code, text))
    return Outcome()


def _drop(hub: Hub, session: Session, name: str, values: Values, fault: Fault) -> Outcome:
    del hub, session, name, values, fault
    return Outcome(close=True, replies=0)


def _drop_after(hub: Hub, session: Session, name: str, values: Values, fault: Fault) -> Outcome:
    hub.dispatch(session, name, values)
    return Outcome(close=True, replies=int(fault.get("replies", 0)))


def _swallow(hub: Hub, session: Session, name: str, values: Values, fault: Fault) -> Outcome:
    if fault.get("burn") and "orderId" in values:
        hub.broker.book.use_order_id(session.client_id, _number(values))
        hub.broker.note("order_id", {"client_id": session.client_id, "order_id": _number(values)})
    hub.swallowed.append((session.client_id, name, values))
    return Outcome(later=fault.delay or None)


def _twice(hub: Hub, session: Session, name: str, values: Values, fault: Fault) -> Outcome:
    del fault
    hub.dispatch(session, name, values)
    hub.broker.book.forget(session.client_id, _number(values))
    hub.dispatch(session, name, values)
    return Outcome()


def _inactive(hub: Hub, session: Session, name: str, values: Values, fault: Fault) -> Outcome:
    hub.broker.held_ids.add((session.client_id, _number(values)))
    hub.dispatch(session, name, values)
    ticket = _ticket(hub, session, values)
    if ticket is not None and not ticket.done:
        hub.broker.close_ticket(ticket, "Inactive", str(fault.get("text", "simulated")))
        hub.broker.save(ticket)
        code, text = int(fault.get("code", 201)), str(fault.get("text", "simulated"))
        hub.broker.outbox.append(error(session.client_id, ticket.order_id, code, text))
        hub.broker.report(ticket)
    return Outcome()


def _hold(hub: Hub, session: Session, name: str, values: Values, fault: Fault) -> Outcome:
    del fault
    hub.broker.held_ids.add((session.client_id, _number(values)))
    hub.dispatch(session, name, values)
    text = "Order Message: Warning: your order will not be placed at the exchange until it is released"
    hub.broker.outbox.append(error(session.client_id, _number(values), 399, text))
    return Outcome()


def _part(hub: Hub, session: Session, name: str, values: Values, fault: Fault) -> Outcome:
    hub.broker.held_ids.add((session.client_id, _number(values)))
    hub.dispatch(session, name, values)
    hub.broker.held_ids.discard((session.client_id, _number(values)))
    ticket = _ticket(hub, session, values)
    price = hub.broker.quotes.price(hub.broker.instrument_of(ticket)) if ticket else None
    if ticket is None or price is None:
        return Outcome()
    ticket.waits = [wait for wait in ticket.waits if wait != "held"]
    size = float(int(ticket.total * float(fault.get("share", 0.5))))
    hub.broker.meet([ticket], ticket.symbol, price, size)
    if fault.get("cancel"):
        hub.broker.cancel_tickets([ticket], "simulated")
    return Outcome()


def _fill_first(hub: Hub, session: Session, name: str, values: Values, fault: Fault) -> Outcome:
    del fault
    ticket = _ticket(hub, session, values)
    if ticket is not None and not ticket.done:
        _fill_now(hub, ticket)
    hub.dispatch(session, name, values)
    return Outcome()


def _fill_after(hub: Hub, session: Session, name: str, values: Values, fault: Fault) -> Outcome:
    del fault
    ticket = _ticket(hub, session, values)
    rest = ticket.remaining if ticket else 0.0
    hub.dispatch(session, name, values)
    if ticket is not None and rest > 0:
        late_fill(hub.broker, ticket, rest, _price_of(hub, ticket))
    return Outcome()


def _legs(hub: Hub, session: Session, name: str, values: Values, fault: Fault) -> Outcome:
    hub.broker.held_ids.add((session.client_id, _number(values)))
    hub.dispatch(session, name, values)
    ticket = _ticket(hub, session, values)
    instrument = hub.broker.instrument_of(ticket) if ticket else None
    if ticket is None or instrument is None or not instrument.legs:
        return Outcome()
    number, ratio = instrument.legs[int(fault.get("leg", 1)) - 1]
    leg = hub.broker.instruments.by_id(number)
    price = hub.broker.quotes.price(leg) if leg else None
    if leg is not None and price is not None:
        sign = 1 if ticket.work.side == "BUY" else -1
        manual_trade(hub.broker, leg, sign * ratio * ticket.total, price, reference=ticket.reference)
    return Outcome()


def _freeze(hub: Hub, session: Session, name: str, values: Values, fault: Fault) -> Outcome:
    return _with_signal(hub, session, name, values, fault, signal.SIGSTOP)


def _kill(hub: Hub, session: Session, name: str, values: Values, fault: Fault) -> Outcome:
    return _with_signal(hub, session, name, values, fault, signal.SIGKILL)


def _with_signal(hub: Hub, session: Session, name: str, values: Values, fault: Fault, number: int) -> Outcome:
    if fault.get("when", "before") == "before":
        os.kill(os.getpid(), number)
        hub.dispatch(session, name, values)
        return Outcome()
    hub.dispatch(session, name, values)
    hub.distribute()
    os.kill(os.getpid(), number)
    return Outcome()


def _fill_now(hub: Hub, ticket: Ticket) -> None:
    ticket.work.order_type, kind = "market", ticket.work.order_type
    hub.broker.meet([ticket], ticket.symbol, _price_of(hub, ticket))
    ticket.work.order_type = kind


def _price_of(hub: Hub, ticket: Ticket) -> float:
    price = hub.broker.quotes.price(hub.broker.instrument_of(ticket))
    return price or float(ticket.order.get("lmtPrice") or ticket.order.get("auxPrice") or 1.0)


_ACTIONS: dict[str, Callable[[Hub, Session, str, Values, Fault], Outcome]] = {
    "lose": _lose,
    "reject": _reject,
    "answer": _answer,
    "drop": _drop,
    "drop_after": _drop_after,
    "swallow": _swallow,
    "twice": _twice,
    "inactive": _inactive,
    "hold": _hold,
    "part": _part,
    "fill_first": _fill_first,
    "fill_after": _fill_after,
    "legs": _legs,
    "freeze": _freeze,
    "kill": _kill,
}
