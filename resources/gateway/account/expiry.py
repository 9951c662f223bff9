"""What becomes of options on the day they expire."""

from __future__ import annotations

from datetime import date

from resources.gateway.account.happenings import assign, exercise, manual_trade
from resources.gateway.broker import Broker
from resources.gateway.instruments.database import Instrument
from trading.option_symbols import option_terms

IN_THE_MONEY = 0.01
"""An option that is worth so much at expiry is exercised without anybody asking."""


def expire_options(broker: Broker, day: date) -> None:
    """Exercise, assign or let lapse the options whose last day has ended, and end the orders in them."""
    late = [ticket for ticket in broker.book.active() if _expired(broker.instrument_of(ticket), day)]
    if late:
        broker.cancel_tickets(late, "the contract has expired")
    for account in broker.names:
        for number, position in broker.accounts[account].held().items():
            option = broker.instruments.by_id(number)
            if option is not None and _expired(option, day):
                _settle(broker, option, position.quantity, account)


def _settle(broker: Broker, option: Instrument, quantity: float, account: str) -> None:
    terms = option_terms(option.local_symbol)
    owner = broker.instruments.by_id(option.under_con_id)
    spot = broker.quotes.price(owner) if owner else None
    if terms is None or spot is None:
        return
    worth = spot * option.deliverable
    inside = worth - terms.strike if terms.right == "C" else terms.strike - worth
    if round(inside, 6) < IN_THE_MONEY:
        manual_trade(broker, option, -quantity, 0.0, reference="lapse", account=account)
    elif quantity > 0:
        exercise(broker, option, quantity, account=account)
    else:
        assign(broker, option, -quantity, account=account)


def _expired(instrument: Instrument, day: date) -> bool:
    return instrument.sec_type == "OPT" and instrument.last_trade_date <= f"{day:%Y%m%d}"
