"""The account at current prices, and what an order would change of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from resources.gateway.account.allocation import (
    BY_AMOUNT,
    SIZING,
    Group,
    changed_by_percent,
    group_name,
    method_of,
)
from resources.gateway.account.positions import ACCOUNT, Valuation, margin
from resources.gateway.instruments.database import Instrument
from resources.gateway.orders.checks import Refusal
from resources.gateway.wire.layout.fields import Values

if TYPE_CHECKING:
    from resources.gateway.broker import Broker


def value_account(
    broker: Broker, changes: Mapping[int, float] | None = None, name: str = ACCOUNT
) -> Valuation:
    """An account at last prices, in the base currency; foreign cash counts at the rate of its pair.

    Parameters
    ----------
    changes : mapping, optional
        Contract id to units bought more (or sold, negative), paid at the last price.
    """
    account = broker.accounts[name]
    cash = sum(account.cash(code) * exchange_rate(broker, code) for code in account.cents)
    totals = {
        "stock": 0.0,
        "option": 0.0,
        "gross": 0.0,
        "unrealised": 0.0,
        "initial": 0.0,
        "maintenance": 0.0,
    }
    held = {number: position.quantity for number, position in account.held().items()}
    for number, quantity in (changes or {}).items():
        held[number] = held.get(number, 0.0) + quantity
    for number, quantity in held.items():
        instrument = broker.instruments.by_id(number)
        if instrument is None or quantity == 0:
            continue
        position = account.positions.get(number)
        price = mark(broker, instrument, name)
        rate = exchange_rate(broker, instrument.currency)
        value = quantity * price * instrument.multiplier * rate
        totals["option" if instrument.sec_type == "OPT" else "stock"] += value
        totals["gross"] += abs(value)
        if position is not None and number not in (changes or {}):
            totals["unrealised"] += value - quantity * position.average_cost * rate
        initial, maintenance = margin(instrument.sec_type, quantity, price, instrument.multiplier)
        totals["initial"] += initial * rate
        totals["maintenance"] += maintenance * rate
    for number, quantity in (changes or {}).items():
        instrument = broker.instruments.by_id(number)
        if instrument is not None:
            rate = exchange_rate(broker, instrument.currency)
            cash -= quantity * mark(broker, instrument, name) * instrument.multiplier * rate
    return Valuation(
        cash,
        totals["stock"],
        totals["option"],
        totals["gross"],
        totals["unrealised"],
        sum(one.realised * exchange_rate(broker, one.currency) for one in account.positions.values()),
        totals["initial"],
        totals["maintenance"],
    )


def mark(broker: Broker, instrument: Instrument, name: str = ACCOUNT) -> float:
    """Last price of an instrument, its average cost where it has no price."""
    price = broker.quotes.price(instrument)
    if price is not None:
        return price
    position = broker.accounts[name].positions.get(instrument.con_id)
    return position.average_cost / instrument.multiplier if position else 0.0


def exchange_rate(broker: Broker, currency: str) -> float:
    """Units of the base currency for one of another; 1 where no rate is known."""
    base = broker.settings.currency
    if currency == base:
        return 1.0
    for pair, inverted in ((f"{currency}{base}", False), (f"{base}{currency}", True)):
        quote = broker.quotes.get(pair)
        if quote is not None and quote.last > 0:
            return 1.0 / quote.last if inverted else quote.last
    return 1.0


def check_margin(broker: Broker, instrument: Instrument, values: Values) -> Refusal | None:
    """Refusal of an order that the equity of an account that it trades for does not cover."""
    if not broker.settings.check_margin or values.get("whatIf") or values.get("parentId"):
        return None
    refusals = (_check_account(broker, instrument, name, part) for name, part in _by_account(values).items())
    return next((refusal for refusal in refusals if refusal is not None), None)


def _check_account(broker: Broker, instrument: Instrument, name: str, values: Values) -> Refusal | None:
    before = value_account(broker, name=name)
    after = value_account(broker, _changes(instrument, values), name)
    available = after.equity_with_loan - after.initial_margin
    if available >= 0.0 or available >= before.equity_with_loan - before.initial_margin:
        return None
    return Refusal(
        201,
        "Order rejected - reason:We are unable to accept your order. Your Available Funds are in the"
        f" amount [{before.equity_with_loan - before.initial_margin:.2f} {broker.settings.currency}], and"
        f" the required initial margin is [{after.initial_margin:.2f}].",
    )


def _by_account(values: Values) -> dict[str, Values]:
    """What an order asks of each account that it trades for."""
    weights = values.get("allocation") or {values.get("account") or ACCOUNT: 1.0}
    whole = sum(weights.values())
    quantity = float(values["totalQuantity"])
    return {name: {**values, "totalQuantity": quantity * part / whole} for name, part in weights.items()}


def _together(valuations: Iterable[Valuation]) -> Valuation:
    return Valuation(*(sum(column) for column in zip(*valuations, strict=True)))


def what_if(broker: Broker, instrument: Instrument, client_id: int, values: Values) -> Values:
    """Values of the openOrder message that answers what an order would do, to all its accounts together."""
    parts = _by_account(values)
    before = _together(value_account(broker, name=name) for name in parts)
    after = _together(value_account(broker, _changes(instrument, part), name) for name, part in parts.items())
    price = abs(values.get("lmtPrice") or mark(broker, instrument))
    commission, multiplier = broker.costs[instrument.asset_class].commission, instrument.multiplier
    cost = sum(commission.cost(part["totalQuantity"], price, multiplier) for part in parts.values())
    return {
        **values,
        **instrument.contract(),
        "clientId": client_id,
        "permId": 0,
        "status": "PreSubmitted",
        "whatIf": True,
        "initMarginBefore": before.initial_margin,
        "maintMarginBefore": before.maintenance_margin,
        "equityWithLoanBefore": before.equity_with_loan,
        "initMarginChange": after.initial_margin - before.initial_margin,
        "maintMarginChange": after.maintenance_margin - before.maintenance_margin,
        "equityWithLoanChange": after.equity_with_loan - before.equity_with_loan,
        "initMarginAfter": after.initial_margin,
        "maintMarginAfter": after.maintenance_margin,
        "equityWithLoanAfter": after.equity_with_loan,
        "commission": cost,
        "minCommission": cost,
        "maxCommission": cost,
        "commissionCurrency": instrument.currency,
        "warningText": "",
    }


def _changes(instrument: Instrument, values: Values) -> dict[int, float]:
    sign = 1 if values["action"] == "BUY" else -1
    quantity = sign * float(values["totalQuantity"])
    if instrument.legs:
        return {number: ratio * quantity for number, ratio in instrument.legs}
    return {instrument.con_id: quantity}


def allocate(broker: Broker, instrument: Instrument, values: Values) -> Values:
    """Order of an advisor with what each account counts for, and with its quantity where the method makes it.

    Returns
    -------
    Values
        The order with ``allocation`` by account: empty where the method finds nothing to trade.
    """
    group = broker.groups[group_name(values)]
    method = method_of(values, group)
    weights = {name: _weight(broker, instrument, values, group, name) for name in group.amounts}
    weights = {name: weight for name, weight in weights.items() if weight > 0.0}
    total = sum(weights.values()) if method in SIZING else values.get("totalQuantity")
    return {**values, "allocation": weights, "totalQuantity": total}


def _weight(broker: Broker, instrument: Instrument, values: Values, group: Group, name: str) -> float:
    """What an account of a group counts for; units where the method makes the quantity of the order."""
    method, amount = method_of(values, group), group.amounts[name]
    if method == "PctChange":
        held = broker.holders(instrument.con_id).get(name, 0.0)
        return changed_by_percent(held, float(values["faPercentage"]), str(values.get("action")))
    if method == "MonetaryAmount":
        price = values.get("lmtPrice") or broker.quotes.price(instrument) or 0.0
        unit = price * instrument.multiplier * exchange_rate(broker, instrument.currency)
        return float(math.floor(amount / unit + 1e-9)) if unit > 0.0 else 0.0
    if method in BY_AMOUNT:
        return amount
    worth = value_account(broker, name=name)
    amounts = {
        "NetLiq": worth.net_liquidation,
        "AvailableEquity": worth.equity_with_loan - worth.initial_margin,
    }
    return max(amounts.get(method, 1.0), 1e-9)
