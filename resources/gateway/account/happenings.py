"""Things that happen at a broker without any client asking: manual trades, assignment, corrections, busts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from resources.gateway.account import executions as fills
from resources.gateway.account.positions import ACCOUNT, Booking
from resources.gateway.broker import Broker
from resources.gateway.instruments.database import Instrument
from resources.gateway.orders.placing import make_ticket, meet_market, option_row
from resources.gateway.orders.ticket import HAND, Ticket
from resources.gateway.orders.translate import is_hedge
from resources.gateway.wire.layout.fields import Values
from trading.ledger import split_contract
from trading.matching import split_order
from trading.option_symbols import option_terms

_PRICES = (
    "lmtPrice",
    "auxPrice",
    "trailStopPrice",
    "lmtPriceOffset",
    "discretionaryAmt",
    "triggerPrice",
    "adjustedStopPrice",
    "adjustedStopLimitPrice",
    "scalePriceIncrement",
    "scaleProfitOffset",
    "scalePriceAdjustValue",
)


def manual_order(broker: Broker, instrument: Instrument, terms: Mapping[str, Any]) -> Ticket:
    """Order entered by hand, such as by the person who watches the account."""
    order = {"action": "BUY", "orderType": "MKT", "tif": "GTC", "transmit": True, **terms}
    order["totalQuantity"] = float(order["totalQuantity"])
    order.setdefault("account", ACCOUNT)
    ticket = make_ticket(broker, HAND, 0, order, instrument)
    ticket.status = ticket.working_status()
    broker.save(ticket)
    broker.report(ticket)
    meet_market(broker, [ticket])
    return ticket


def manual_trade(
    broker: Broker,
    instrument: Instrument,
    quantity: float,
    price: float,
    *,
    reference: str = "",
    account: str = ACCOUNT,
) -> Values:
    """Execution without any order: a trade by telephone, an assignment, an exercise.

    Parameters
    ----------
    quantity : float
        Signed.
    reference : str
        What the execution is marked with.
    """
    side = "BUY" if quantity > 0 else "SELL"
    values = {"action": side, "orderType": "MKT", "totalQuantity": abs(quantity), "orderRef": reference}
    values["account"] = account
    ticket = make_ticket(broker, HAND, 0, values, instrument)
    identity = fills.execution_id(broker.next_execution())
    _count_fill(ticket, abs(quantity), price)
    record = fills.execution(
        ticket, identity, instrument.contract(), side, abs(quantity), price, broker.clock.now()
    )
    record["commission"] = 0.0
    broker.book_execution(record)
    broker.close_ticket(ticket, "Filled", f"Filled Size: {abs(quantity):g}")
    broker.save(ticket)
    return record


def exercise(
    broker: Broker, option: Instrument, quantity: float, *, lapse: bool = False, account: str = ACCOUNT
) -> None:
    """Exercise long options, or let them lapse: the options go, the underlying comes at the strike."""
    _deliver(broker, option, -quantity, "lapse" if lapse else "exercise", account)


def assign(broker: Broker, option: Instrument, quantity: float, *, account: str = ACCOUNT) -> None:
    """Assignment of short options: the options go, the underlying is delivered at the strike."""
    _deliver(broker, option, quantity, "assignment", account)


def late_fill(broker: Broker, ticket: Ticket, quantity: float, price: float) -> Values:
    """Execution of an order that everybody believed done."""
    side = "BUY" if ticket.work.side == "BUY" else "SELL"
    instrument = broker.instrument_of(ticket)
    _count_fill(ticket, quantity, price)
    identity = fills.execution_id(broker.next_execution())
    record = fills.execution(
        ticket, identity, instrument.contract(), side, quantity, price, broker.clock.now()
    )
    cost = broker.costs[instrument.asset_class].commission.cost(quantity, price, instrument.multiplier)
    record["commission"] = cost
    broker.book_execution(record)
    broker.save(ticket)
    return record


def correct(
    broker: Broker, identity: str, *, shares: float | None = None, price: float | None = None
) -> Values:
    """Correct an execution: the same id with the next revision; the account is worked out again.

    Raises
    ------
    KeyError
        When there is no such execution.
    """
    wanted = fills.root(identity) or identity
    known = [record for record in broker.executions if fills.root(record["execId"]) == wanted]
    if not known:
        raise KeyError(f"there is no execution {identity}")
    last = known[-1]
    revision = int(last["execId"].rpartition(".")[2]) + 1
    record = {
        **last,
        "execId": f"{wanted}.{revision:02d}",
        "shares": last["shares"] if shares is None else shares,
        "price": last["price"] if price is None else price,
        "visible": True,  # it is news of today, of whatever day the execution was
        "corrected_at": broker.clock.now().isoformat(),
    }
    broker.replace_execution(last, record)
    return record


def bust(broker: Broker, identity: str) -> Values:
    """Take an execution back: a correction to no shares at all."""
    return correct(broker, identity, shares=0.0)


def split(broker: Broker, instrument: Instrument, ratio: float) -> None:
    """Split an instrument: positions, working orders, and the options on it are adjusted."""
    _split_positions(broker, instrument, ratio)
    split_options(broker, instrument, ratio)
    broker.quotes.split(instrument.symbol, ratio)
    broker.note("quote_split", {"symbol": instrument.symbol, "ratio": ratio})
    for ticket in broker.book.active():
        if ticket.symbol == instrument.symbol:
            split_order(ticket.work, ratio)
            _split_terms(ticket, ratio)
            broker.save(ticket)
            broker.report(ticket)


def split_options(broker: Broker, underlying: Instrument, ratio: float) -> None:
    """Adjust the options on an underlying that splits, as the ledger does (see ``split_contract``).

    Positions move to the new contract; orders in the old one are cancelled, as the exchanges do.
    """
    for option in broker.instruments.options(underlying.con_id):
        holders = broker.holders(option.con_id)
        working = [ticket for ticket in broker.book.active() if ticket.symbol == option.symbol]
        terms = split_contract(option.local_symbol, ratio)
        if terms is None or not (holders or working):
            continue
        if working:
            broker.cancel_tickets(working, "the contract was adjusted for a split")
        row = {**option_row(option), "symbol": terms.symbol, "underlying": underlying.symbol}
        row["deliverable"] = option.deliverable * terms.deliverable
        new = broker.instruments.add(row)
        broker.note("instrument_row", {"row": row})
        _split_positions(broker, option, terms.contracts)
        quote = broker.quotes.get(option.symbol)
        if quote is not None:
            broker.quotes.trade(new.symbol, quote.last / terms.contracts, 0.0, broker.clock.now())
        for name in holders:
            moved = Booking(
                "move", con_id=option.con_id, to=new.con_id, currency=option.currency, account=name
            )
            broker.book_movement(moved)
            broker.emit_position(option, name)
            broker.emit_position(new, name)


def _split_positions(broker: Broker, instrument: Instrument, ratio: float) -> None:
    for name in broker.holders(instrument.con_id):
        booking = Booking("split", con_id=instrument.con_id, ratio=ratio, currency=instrument.currency)
        broker.book_movement(booking._replace(account=name))
        broker.emit_position(instrument, name)


def pay(broker: Broker, amount: float, currency: str, reference: str, account: str = ACCOUNT) -> None:
    """Move cash: a deposit, a withdrawal, a dividend."""
    booking = Booking("cash", amount=amount, currency=currency, reference=reference, account=account)
    broker.book_movement(booking)


def _deliver(broker: Broker, option: Instrument, quantity: float, reason: str, account: str) -> None:
    terms = option_terms(option.local_symbol)
    owner = broker.instruments.by_id(option.under_con_id)
    manual_trade(broker, option, quantity, 0.0, reference=reason, account=account)
    if reason == "lapse" or terms is None or owner is None:
        return
    shares = -quantity * option.multiplier * option.deliverable * (1 if terms.right == "C" else -1)
    price = terms.strike / option.deliverable
    manual_trade(broker, owner, shares, price, reference=reason, account=account)


def _count_fill(ticket: Ticket, quantity: float, price: float) -> None:
    ticket.work.filled += quantity
    ticket.work.value += quantity * price
    ticket.last_price = price


def _split_terms(ticket: Ticket, ratio: float) -> None:
    ticket.order["totalQuantity"] = ticket.total * ratio
    if is_hedge(ticket.order):
        ticket.scheduled *= ratio
    ticket.level_size *= ratio
    ticket.best = ticket.best / ratio if ticket.best is not None else None
    amounts = _PRICES if ticket.order.get("adjustableTrailingUnit") else (*_PRICES, "adjustedTrailingAmount")
    for name in ("scaleInitLevelSize", "scaleSubsLevelSize"):
        if ticket.order.get(name):
            ticket.order[name] = max(round(ticket.order[name] * ratio), 1)
    for name in amounts:
        if ticket.order.get(name):
            ticket.order[name] = ticket.order[name] / ratio
