"""Placing, changing and cancelling orders."""

from __future__ import annotations

from resources.gateway.account.allocation import SIZING, group_name, method_of
from resources.gateway.account.margins import allocate, check_margin, what_if
from resources.gateway.account.positions import ACCOUNT
from resources.gateway.broker import Broker
from resources.gateway.events import error
from resources.gateway.instruments.database import Instrument
from resources.gateway.orders import hedging
from resources.gateway.orders.checks import (
    MAX_ORDER_ID,
    NO_DEFINITION,
    READ_ONLY,
    Refusal,
    check_account,
    check_order,
    invalid,
)
from resources.gateway.orders.scaling import begin, offer_position
from resources.gateway.orders.ticket import Ticket, open_order
from resources.gateway.orders.translate import apply_terms, is_hedge, market_order
from resources.gateway.orders.waiting import adjust, first_waits, trail, wake
from resources.gateway.wire.layout.contracts import FIELDS
from resources.gateway.wire.layout.fields import Values
from trading.orders import Order

_DUPLICATE = Refusal(103, "Duplicate order id")
_NOT_ORDER = frozenset({*FIELDS, "secIdType", "secId", "orderId", "comboLegs", "whatIf"})


def place(broker: Broker, client_id: int, values: Values) -> Ticket | None:
    """Take a new order, a change of a working one, or the question what an order would do.

    Returns
    -------
    Ticket or None
        The ticket placed or changed; None when the order was refused or only asked about.
    """
    order_id = values["orderId"]
    if broker.settings.read_only:
        broker.refuse(client_id, order_id, READ_ONLY)
        return None
    known = None if order_id is None else broker.book.find(client_id, order_id)
    if order_id is None or (known is None and not 0 < order_id < MAX_ORDER_ID):
        broker.refuse(client_id, order_id or -1, Refusal(320, "Error reading request. Invalid order id"))
        return None
    if known is not None and not values.get("whatIf"):
        return change(broker, known, values)
    return _place_new(broker, client_id, order_id, values)


def change(broker: Broker, ticket: Ticket, values: Values) -> Ticket | None:
    """Change a working order; what may not change is refused."""
    if _sizes_itself(broker, ticket.order):
        values = {**values, "totalQuantity": ticket.total}
    refusal = _refuse_change(broker, ticket, values)
    if refusal is not None:
        broker.refuse(ticket.client_id, ticket.order_id, refusal)
        return None
    was_waiting = "transmit" in ticket.waits
    same_trail = values.get("trailingPercent") == ticket.order.get("trailingPercent")
    ticket.order = {**ticket.order, **_terms(values)}
    work = ticket.work
    anchor = work.anchor if same_trail else None
    apply_terms(work, ticket.order)
    work.anchor = anchor
    if is_hedge(ticket.order):
        hedging.change(broker, ticket, values)
    else:
        rest = max(float(values["totalQuantity"]) - work.filled, 0.0)
        held = min(work.held, rest) if work.live and ticket.parent_perm_id else 0.0
        work.quantity, work.held, work.original = rest - held, held, float(values["totalQuantity"])
    ticket.waits = [] if not was_waiting else ["transmit"]
    ticket.waits += first_waits(broker, ticket)
    begin(ticket, broker.settings.seed)
    _transmit(broker, ticket, values, changed=True)
    offer_position(broker, ticket)
    return ticket


def cancel(broker: Broker, client_id: int, order_id: int) -> None:
    """Cancel a client's order; say so when there is nothing to cancel."""
    ticket = broker.book.find(client_id, order_id)
    if ticket is None:
        text = f"OrderId {order_id} that needs to be cancelled is not found."
        broker.outbox.append(error(client_id, order_id, 10147, text))
    elif ticket.done:
        text = f"OrderId {order_id} that needs to be cancelled cannot be cancelled, state: {ticket.status}."
        broker.outbox.append(error(client_id, order_id, 10148, text))
    else:
        broker.cancel_tickets([ticket], "")


def cancel_all(broker: Broker) -> None:
    """Cancel the orders of all clients."""
    broker.cancel_tickets(broker.book.active(), "global cancel")


def meet_market(broker: Broker, tickets: list[Ticket]) -> None:
    """Let orders that just became active meet the last price, where the market is open."""
    for ticket in tickets:
        if ticket.done or broker.settings.market != "continuous":
            continue
        price = broker.quotes.price(broker.instrument_of(ticket))
        if price is None:
            finish_at_once(broker, [ticket])
            continue
        if ticket.waits == ["touch"]:
            wake(broker, ticket, price)
        if ticket.waits or not ticket.work.live or ticket.work.order_type == "market_on_close":
            continue
        adjust(ticket, price)
        trail(ticket, price)
        broker.meet([ticket], ticket.symbol, price)
        finish_at_once(broker, [ticket])
        meet_market(
            broker, [child for child in _children(broker, ticket) if child.work.live and not child.filled]
        )


def finish_at_once(broker: Broker, tickets: list[Ticket]) -> None:
    """Cancel what is left of immediate orders that met a price, and of groups they were in."""
    immediate = [ticket for ticket in tickets if ticket.work.time_in_force in {"ioc", "fok"}]
    rest = [ticket for ticket in immediate if not ticket.done and not ticket.waits and ticket.work.live]
    if rest:
        broker.cancel_tickets(rest, "immediate order: the rest")
    cancel_groups(broker, tickets)


def cancel_groups(broker: Broker, tickets: list[Ticket]) -> None:
    """Cancel the other orders of groups that any fill cancels whole."""
    for ticket in tickets:
        if ticket.filled and ticket.order.get("ocaType") == 1 and ticket.order.get("ocaGroup"):
            others = broker.book.group(ticket)
            if others:
                broker.cancel_tickets(others, f"group {ticket.order['ocaGroup']} filled")


def resolve(broker: Broker, values: Values) -> Instrument | None:
    """Single instrument that a contract means."""
    if values.get("secType") == "BAG":
        known = len(broker.instruments)
        found = broker.instruments.add_combination(values)
        if found is not None and len(broker.instruments) > known:
            broker.note(
                "instrument", {"contract": {"symbol": values["symbol"], "comboLegs": values["comboLegs"]}}
            )
        return found
    found_all = broker.instruments.find(values)
    return found_all[0] if len(found_all) == 1 else None


def _place_new(broker: Broker, client_id: int, order_id: int, values: Values) -> Ticket | None:
    instrument = resolve(broker, values)
    if instrument is None:
        broker.refuse(client_id, order_id, NO_DEFINITION)
        return None
    if is_hedge(values):
        values = {**values, "totalQuantity": values.get("totalQuantity") or 0.0}
    refusal = _refuse_id(broker, client_id, order_id) or check_account(values, broker.names, broker.groups)
    if refusal is None and group_name(values):
        values = allocate(broker, instrument, values)
        refusal = _refuse_allocation(values)
    refusal = (
        refusal
        or check_order(values, instrument, broker.clock.now())
        or _refuse_parent(broker, client_id, values, instrument)
        or check_margin(broker, instrument, values)
    )
    if refusal is not None:
        broker.refuse(client_id, order_id, refusal)
        return None
    if values.get("whatIf"):
        broker.emit("openOrder", what_if(broker, instrument, client_id, values), client_id)
        return None
    ticket = make_ticket(broker, client_id, order_id, values, instrument)
    hedging.hedge_volatility(broker, ticket)
    _transmit(broker, ticket, values, changed=False)
    offer_position(broker, ticket)
    parent = broker.book.tickets.get(ticket.parent_perm_id)
    if parent is not None and parent.done:
        broker.end_followers(parent)
    return ticket


def make_ticket(
    broker: Broker, client_id: int, order_id: int, values: Values, instrument: Instrument
) -> Ticket:
    """Ticket of a new order, added to the book."""
    if instrument.sec_type == "OPT":
        broker.note("instrument_row", {"row": option_row(instrument)})
    perm_id = broker.book.next_perm_id()
    now = broker.clock.now()
    work = market_order(values, perm_id, instrument.symbol, instrument.asset_class, now.date())
    work.multiplier = instrument.multiplier
    contract = instrument.contract()
    if values.get("exchange"):
        contract["exchange"] = values["exchange"]
    order = {"account": ACCOUNT, **_terms(values)}
    if not group_name(order):
        order["account"] = order["account"] or ACCOUNT
    order["tif"] = order.get("tif") or "DAY"
    for name in ("comboLegs", "deltaNeutral"):
        if values.get(name):
            order[name] = values[name]
    ticket = Ticket(
        perm_id, client_id, order_id, instrument.symbol, contract, order, work, created=now.isoformat()
    )
    _join_family(broker, ticket, values)
    ticket.waits = first_waits(broker, ticket)
    begin(ticket, broker.settings.seed)
    broker.book.put(ticket)
    parent = broker.book.tickets.get(ticket.parent_perm_id)
    if is_hedge(order) and parent is not None and parent.filled:
        hedging.grow(broker, parent, parent.filled, parent.average)
    return ticket


def option_row(option: Instrument) -> Values:
    """Row that adds an option of a made-up chain again after a restart."""
    return {
        "symbol": option.symbol,
        "asset_class": "option",
        "currency": option.currency,
        "multiplier": option.multiplier,
        "underlying": option.under_symbol,
    }


def _join_family(broker: Broker, ticket: Ticket, values: Values) -> None:
    parent_id = values.get("parentId")
    work = ticket.work
    if parent_id:
        parent = broker.book.find(ticket.client_id, parent_id)
        if parent is not None:
            ticket.parent_perm_id = parent.perm_id
            work.parent_ref = str(parent.perm_id)
            if is_hedge(ticket.order):
                hedging.begin(ticket)
            else:
                work.live = parent.status == "Filled"
                _join_late(work, parent)
    group = values.get("ocaGroup")
    if group:
        work.oca_group = f"{ticket.client_id}:{group}"
    elif ticket.parent_perm_id and not is_hedge(ticket.order):
        work.oca_group = f"bracket:{ticket.parent_perm_id}"


def _join_late(work: Order, parent: Ticket) -> None:
    """Let a child of a parent that has filled in part work for its share of that part."""
    if work.live or not parent.filled:
        return
    share = work.original * parent.filled / parent.total
    released = float(int(share)) if work.original == int(work.original) else share
    if released > 0.0:
        work.live, work.quantity, work.held = True, released, work.original - released


def _transmit(broker: Broker, ticket: Ticket, values: Values, *, changed: bool) -> None:
    if not values.get("transmit", True):
        if "transmit" not in ticket.waits:
            ticket.waits.insert(0, "transmit")
        fresh = [ticket]
    else:
        family = list(broker.book.family(ticket))
        fresh = [other for other in family if "transmit" in other.waits and other is not ticket]
        fresh = sorted([*fresh, ticket], key=lambda other: other.perm_id)
        for other in fresh:
            other.waits = [wait for wait in other.waits if wait != "transmit"]
    for other in fresh:
        other.status = other.working_status()
        broker.save(other)
        broker.report(other)
    if values.get("transmit", True):
        meet_market(broker, fresh if not changed else [ticket])


def _terms(values: Values) -> Values:
    return {name: value for name, value in values.items() if name not in _NOT_ORDER}


def _children(broker: Broker, ticket: Ticket) -> list[Ticket]:
    return [other for other in broker.book.active() if other.parent_perm_id == ticket.perm_id]


def _refuse_id(broker: Broker, client_id: int, order_id: int) -> Refusal | None:
    if broker.settings.strict_ids and order_id <= broker.book.last_order_id.get(client_id, 0):
        return _DUPLICATE
    return None


def _sizes_itself(broker: Broker, order: Values) -> bool:
    """Whether the quantity of an order comes from how it is allocated."""
    group = broker.groups.get(group_name(order))
    return group is not None and method_of(order, group) in SIZING


def _refuse_allocation(values: Values) -> Refusal | None:
    if values["allocation"]:
        return None
    text = f"Nothing to trade for any account of group {group_name(values)!r}."
    return invalid(text)


def _refuse_parent(broker: Broker, client_id: int, values: Values, instrument: Instrument) -> Refusal | None:
    parent_id = values.get("parentId")
    if not parent_id:
        return None
    parent = broker.book.find(client_id, parent_id)
    if parent is None or (parent.done and parent.status != "Filled"):
        return Refusal(135, f"Can't find order with id ={parent_id}")
    return hedging.check_hedge(broker, parent, values, instrument) if is_hedge(values) else None


def _refuse_change(broker: Broker, ticket: Ticket, values: Values) -> Refusal | None:
    if ticket.status == "Filled":
        return Refusal(104, "Cannot modify a filled order.")
    if ticket.done:
        return _DUPLICATE
    instrument = resolve(broker, values)
    same = instrument is not None and instrument.symbol == ticket.symbol
    other = values.get("account") not in {"", None, ticket.account}
    other = other or group_name(values) != group_name(ticket.order)
    kind = (values.get("hedgeType") or "", ticket.order.get("hedgeType") or "")
    if not same or other or kind[0] != kind[1] or values.get("action") != ticket.order["action"]:
        return Refusal(105, "Order being modified does not match original order")
    assert instrument is not None  # noqa: S101 - for the type checker
    refusal = check_account(values, broker.names, broker.groups) or check_order(
        values, instrument, broker.clock.now()
    )
    if refusal is not None or is_hedge(values):
        return refusal
    rest = float(values["totalQuantity"]) - ticket.filled
    if rest <= 0.0:
        return Refusal(104, "Cannot modify a filled order.")
    asked = {**values, "totalQuantity": rest, "allocation": ticket.order.get("allocation")}
    return check_margin(broker, instrument, asked)


__all__ = [
    "cancel",
    "cancel_all",
    "change",
    "finish_at_once",
    "make_ticket",
    "meet_market",
    "open_order",
    "place",
]
