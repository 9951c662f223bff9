"""Requests that calculate or exercise options."""

from __future__ import annotations

from resources.gateway.account.happenings import exercise
from resources.gateway.instruments.blackscholes import implied_volatility, option_greeks, years_to
from resources.gateway.orders.checks import READ_ONLY
from resources.gateway.orders.placing import resolve
from resources.gateway.service.handlers.registry import handles
from resources.gateway.service.hub import Hub
from resources.gateway.service.session import Session
from resources.gateway.wire.layout.fields import Values
from trading.option_symbols import OptionTerms, option_terms

_IMPLIED = 13


@handles("calculateImpliedVolatility")
def calculate_volatility(hub: Hub, session: Session, values: Values) -> None:
    """Tell the volatility that an option price implies."""
    terms = _terms(hub, session, values)
    if terms is None:
        return
    years = years_to(terms.expiry, hub.broker.clock.now().date())
    spot, price = values["underlyingPrice"] or 0.0, values["optionPrice"] or 0.0
    volatility = implied_volatility(terms.right, spot, terms.strike, years, price) if spot > 0 else None
    if volatility is None:
        session.error(
            values["reqId"], 321, "Error validating request.-'bC' : cause - no volatility gives this price."
        )
        return
    _tell(session, values["reqId"], terms, spot, years, volatility)


@handles("calculateOptionPrice")
def calculate_price(hub: Hub, session: Session, values: Values) -> None:
    """Tell the price of an option at a volatility."""
    terms = _terms(hub, session, values)
    spot = values["underlyingPrice"] or 0.0
    if terms is None:
        return
    if spot <= 0:
        session.error(values["reqId"], 321, "Error validating request.-'bC' : cause - no underlying price.")
        return
    years = years_to(terms.expiry, hub.broker.clock.now().date())
    _tell(session, values["reqId"], terms, spot, years, values["volatility"] or 0.0)


@handles("exerciseOptions")
def exercise_options(hub: Hub, session: Session, values: Values) -> None:
    """Exercise (1) or let lapse (2) options of the account."""
    number = values["reqId"]
    if hub.broker.settings.read_only:
        session.error(number, *READ_ONLY)
        return
    instrument = resolve(hub.broker, values)
    quantity = values["quantity"] or 0
    if instrument is None or instrument.sec_type != "OPT":
        session.error(number, 200, "No security definition has been found for the request")
        return
    account = values["account"] or hub.broker.names[0]
    if hub.broker.holders(instrument.con_id).get(account, 0.0) < quantity or quantity <= 0:
        session.error(number, 322, "Error processing request.-'bG' : cause - No unlapsed position exists.")
        return
    exercise(hub.broker, instrument, float(quantity), lapse=values["action"] == 2, account=account)


def _terms(hub: Hub, session: Session, values: Values) -> OptionTerms | None:
    hub.know_options(values)
    instrument = resolve(hub.broker, values)
    terms = option_terms(instrument.local_symbol) if instrument else None
    if terms is None:
        session.error(values["reqId"], 200, "No security definition has been found for the request")
    return terms


def _tell(
    session: Session, number: int, terms: OptionTerms, spot: float, years: float, volatility: float
) -> None:
    greeks = option_greeks(terms.right, spot, terms.strike, years, volatility)
    session.send(
        "tickOptionComputation",
        greeks._asdict(),
        reqId=number,
        tickType=_IMPLIED,
        attribute=0,
        impliedVolatility=volatility,
        dividends=0,
        underlyingPrice=spot,
    )
