"""Conditions of orders: prices, times, margin, executions, volume and percent changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resources.gateway.orders.ticket import Ticket
from resources.gateway.wire.layout.fields import Values
from resources.gateway.wire.times import read_time

if TYPE_CHECKING:
    from resources.gateway.broker import Broker


def met(broker: Broker, ticket: Ticket) -> bool:
    """Whether the conditions of an order hold now; each is joined to the next by its own conjunction.

    Outside of regular hours none holds, unless the order says that the hours are to be ignored.
    """
    conditions = ticket.order.get("conditions") or []
    if not ticket.order.get("conditionsIgnoreRth") and not broker.regular_hours(broker.clock.now()):
        return False
    result, conjunction = True, "a"
    for condition in conditions:
        holds = _holds(broker, ticket, condition)
        result = (result and holds) if conjunction == "a" else (result or holds)
        conjunction = condition["conjunction"]
    return result


def _holds(broker: Broker, ticket: Ticket, condition: Values) -> bool:
    if condition["type"] == 5:
        return _executed(broker, ticket, condition)
    if condition["type"] == 3:
        passed = broker.clock.now() >= read_time(condition["time"], broker.clock.now())
        return passed == bool(condition["isMore"])
    found = _measure(broker, ticket, condition)
    if found is None:
        return False
    value, level = found
    return value >= level if condition["isMore"] else value <= level


def _measure(broker: Broker, ticket: Ticket, condition: Values) -> tuple[float, float] | None:
    if condition["type"] == 4:
        return _margin_cushion(broker, ticket), float(condition["percent"] or 0)
    instrument = broker.instruments.by_id(condition["conId"] or 0)
    quote = broker.quotes.get(instrument.symbol) if instrument else None
    if quote is None:
        return None
    if condition["type"] == 1:
        return quote.last, condition["price"]
    if condition["type"] == 6:
        return quote.volume, float(condition["volume"] or 0)
    return round((quote.last / quote.previous_close - 1.0) * 100.0, 9), condition["changePercent"]


def _executed(broker: Broker, ticket: Ticket, condition: Values) -> bool:
    return any(
        record["contract"]["symbol"] == condition["symbol"]
        and condition["secType"] in {"", record["contract"]["secType"]}
        and record["at"] >= ticket.created
        for record in broker.executions
    )


def _margin_cushion(broker: Broker, ticket: Ticket) -> float:
    from resources.gateway.account.margins import value_account  # noqa: PLC0415 - the two need each other

    valuation = value_account(broker, name=ticket.account)
    net = valuation.net_liquidation
    return (valuation.equity_with_loan - valuation.maintenance_margin) / net * 100 if net else 0.0
