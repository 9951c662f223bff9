"""Hedging orders: children whose quantity comes from what their parent has filled.

A delta hedge (D) trades the underlying of an option, a beta hedge (B) and a pair trade (P) another contract,
and a currency hedge (F) the pair that pays for the parent. As the broker documents: a hedge is submitted when
its parent executes; a currency hedge is placed with quantity 0; a pair names its ratio, the first term of
``ratio : 1``, and a beta hedge may leave its beta to the broker; the delta of a volatility or stock-pegged
parent is the one that the parent implies; a limit is taken from the market when the parent fills.

Chosen where the documentation is silent: the client names the side, the derived quantity has none; what a
client names as quantity of any hedge is not used; quantities are rounded to the nearest whole unit over all
fills of the parent together, those of crypto-currencies not at all; a hedge ends with its parent once nothing
of it works; parameters are read both as ``1.5`` and as ``beta=1.5``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from resources.gateway.account.margins import exchange_rate
from resources.gateway.instruments.blackscholes import (
    VOLATILITY,
    implied_volatility,
    option_greeks,
    years_to,
)
from resources.gateway.instruments.database import Instrument
from resources.gateway.orders.attached import attach
from resources.gateway.orders.checks import Refusal, invalid
from resources.gateway.orders.ticket import Ticket
from resources.gateway.orders.translate import hedge_parameter, is_hedge, neutral_type
from resources.gateway.wire.layout.fields import Values
from trading.option_symbols import option_terms

if TYPE_CHECKING:
    from resources.gateway.broker import Broker

_OWN_DELTA = frozenset({"REL", "PEG STK"})
_SESSIONS = 252
_AT_MARKET = "limitFromMarket"
"""Term of an order, which no client knows: each fill of the parent moves its limit to the market."""


def check_hedge(broker: Broker, parent: Ticket, values: Values, instrument: Instrument) -> Refusal | None:
    """Refusal of a hedge that does not fit its parent, or that cannot be measured.

    A beta that the client leaves out is worked out and written into the order.
    """
    text = _misfit(broker, parent, values, instrument)
    return invalid(text) if text else None


def begin(hedge: Ticket) -> None:
    """Let a new hedge wait for the first fill of its parent."""
    work = hedge.work
    work.quantity = work.held = work.original = 0.0
    work.live, work.parent_ref = False, None
    hedge.order |= {"totalQuantity": 0.0, _AT_MARKET: priced_by_market(hedge.order)}


def hedge_volatility(broker: Broker, ticket: Ticket) -> None:
    """Add to a volatility order the delta hedge that it asks for; both are transmitted together."""
    option = broker.instrument_of(ticket)
    owner = broker.instruments.by_id(option.under_con_id)
    if not neutral_type(ticket.order) or owner is None:
        return
    rises = (ticket.work.side == "BUY") == (option.right == "C")
    terms = {
        "action": "SELL" if rises else "BUY",
        "orderType": neutral_type(ticket.order),
        "hedgeType": "D",
        "auxPrice": ticket.order.get("deltaNeutralAuxPrice"),
        "totalQuantity": 0.0,
    }
    hedge = attach(broker, ticket, owner, terms)
    begin(hedge)
    hedge.waits = ["transmit"]
    broker.book.put(hedge)


def change(broker: Broker, hedge: Ticket, values: Values) -> None:
    """Keep what a changed hedge has of its parent; its limit is the client's or the market's, as it says."""
    work = hedge.work
    hedge.order |= {"totalQuantity": work.filled + work.quantity, _AT_MARKET: priced_by_market(values)}
    if work.quantity > 0.0:
        _price(broker, hedge)


def grow(broker: Broker, parent: Ticket, quantity: float, price: float) -> None:
    """Add to the hedges of an order what a fill of it asks for."""
    for hedge in broker.book.followers(parent):
        if hedge.done or not is_hedge(hedge.order):
            continue
        instrument = broker.instrument_of(hedge)
        before = _rounded(instrument, hedge.scheduled)
        hedge.scheduled += _asked(broker, hedge, instrument, parent, quantity, price)
        more = _rounded(instrument, hedge.scheduled) - before
        if more <= 0.0:
            continue
        work = hedge.work
        work.quantity, work.original, work.live = work.quantity + more, work.original + more, True
        _price(broker, hedge)
        broker.grown[hedge.perm_id] = hedge


def goes_on(broker: Broker, hedge: Ticket) -> bool:
    """Whether a hedge that has filled what it was asked for may yet be asked for more."""
    parent = broker.book.tickets.get(hedge.parent_perm_id)
    return is_hedge(hedge.order) and parent is not None and not parent.done


def rests(hedge: Ticket) -> bool:
    """Whether an order is a hedge with nothing to do for the moment."""
    return is_hedge(hedge.order) and hedge.work.quantity <= 0.0


def _misfit(broker: Broker, parent: Ticket, values: Values, instrument: Instrument) -> str:
    owner = broker.instrument_of(parent)
    kind = values["hedgeType"]
    if is_hedge(parent.order):
        return "A hedging order cannot be hedged itself."
    if kind == "D" and (owner.sec_type != "OPT" or owner.under_con_id != instrument.con_id):
        return "A delta hedge trades the underlying of the option that its parent trades."
    if kind == "F" and (
        instrument.sec_type != "CASH" or owner.currency not in {instrument.ticker, instrument.currency}
    ):
        return f"A currency hedge trades a pair with the currency of its parent, {owner.currency}."
    if kind in {"B", "F"} and not broker.quotes.price(instrument):
        return f"The hedge cannot be measured: there is no price of {instrument.ticker}."
    if kind == "B" and not values.get("hedgeParam"):
        beta = broker.beta(owner, instrument)
        if not beta:
            return f"There is no beta of {owner.ticker} to {instrument.ticker}; name one."
        values["hedgeParam"] = f"{beta:.4f}"
    return ""


def _asked(
    broker: Broker, hedge: Ticket, instrument: Instrument, parent: Ticket, quantity: float, price: float
) -> float:
    """Units of a hedge, not rounded, that a fill of its parent asks for."""
    owner = broker.instrument_of(parent)
    value = abs(price) * quantity * owner.multiplier
    kind = hedge.order["hedgeType"]
    if kind == "P":
        return quantity * hedge_parameter(hedge.order)
    if kind == "D":
        return quantity * owner.multiplier * owner.deliverable * abs(_delta(broker, parent, owner, price))
    now = broker.quotes.price(instrument)
    if not now:
        return 0.0
    if kind == "F":
        return value if instrument.ticker == owner.currency else value / now
    rates = exchange_rate(broker, owner.currency) / exchange_rate(broker, instrument.currency)
    return value * rates * abs(hedge_parameter(hedge.order)) / (now * instrument.multiplier)


def _delta(broker: Broker, parent: Ticket, option: Instrument, price: float) -> float:
    """Delta of the option that a parent has traded, at the price of its fill."""
    order = parent.order
    if parent.order_type in _OWN_DELTA and order.get("delta") is not None:
        delta = float(order["delta"])
        return delta / 100.0 if abs(delta) > 1.0 else delta
    terms = option_terms(option.local_symbol)
    owner = broker.instruments.by_id(option.under_con_id)
    spot = broker.quotes.price(owner) if owner else None
    if terms is None or spot is None:
        return 0.0
    worth = spot * option.deliverable
    years = years_to(terms.expiry, broker.clock.now().date())
    if parent.order_type == "VOL" and order.get("volatility"):
        daily = order.get("volatilityType") == 1
        volatility = float(order["volatility"]) / 100.0 * (math.sqrt(_SESSIONS) if daily else 1.0)
    else:
        volatility = implied_volatility(terms.right, worth, terms.strike, years, price) or VOLATILITY
    return option_greeks(terms.right, worth, terms.strike, years, volatility).delta


def priced_by_market(order: Values) -> bool:
    """Whether the limit of a hedge is the market's when its parent fills."""
    if order["orderType"] != "LMT":
        return False
    return not order.get("lmtPrice") or (
        order["hedgeType"] == "D" and not order.get("dontUseAutoPriceForHedge")
    )


def _price(broker: Broker, hedge: Ticket) -> None:
    """Take the limit of a hedge from the market, where that is its limit."""
    around = broker.quotes.bid_ask(broker.instrument_of(hedge)) if hedge.order.get(_AT_MARKET) else None
    if around is not None:
        limit = around[1 if hedge.work.side == "BUY" else 0]
        hedge.work.limit_price = hedge.order["lmtPrice"] = limit


def _rounded(instrument: Instrument, units: float) -> float:
    return units if instrument.sec_type == "CRYPTO" else float(math.floor(units + 0.5 + 1e-9))
