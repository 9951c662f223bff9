"""The account as clients are told it."""

from __future__ import annotations

from collections.abc import Iterable

from resources.gateway.account.margins import exchange_rate, mark, value_account
from resources.gateway.account.positions import ACCOUNT, account_values
from resources.gateway.broker import Broker
from resources.gateway.instruments.database import Instrument
from resources.gateway.wire.layout.fields import Values


def account_rows(broker: Broker, name: str) -> list[tuple[str, str, str]]:
    """Tag, value and currency of every account value."""
    cents = broker.accounts[name].cents
    cash = {code: (amount / 100, exchange_rate(broker, code)) for code, amount in cents.items()}
    return account_values(value_account(broker, name=name), cash, broker.settings.currency, name)


def begin_day(broker: Broker) -> None:
    """Count the day's profit and loss from now on."""
    for name in broker.names:
        broker.begin_day(value_account(broker, name=name).net_liquidation, name)


def position_rows(broker: Broker, names: Iterable[str], *, flat: bool = False) -> list[Values]:
    """Positions of accounts; those that have become flat only if they are asked for."""
    rows = []
    for name in names:
        account = broker.accounts[name]
        for number, held in (account.positions if flat else account.held()).items():
            instrument = broker.instruments.by_id(number)
            if instrument is not None:
                values = {"account": name, "position": held.quantity, "averageCost": held.average_cost}
                rows.append({**instrument.contract(), **values})
    return rows


def portfolio_rows(broker: Broker, name: str) -> list[Values]:
    """Every position an account has had today, marked at last prices; flat ones with quantity 0."""
    rows = []
    for number, held in broker.accounts[name].positions.items():
        instrument = broker.instruments.by_id(number)
        if instrument is None:
            continue
        price = mark(broker, instrument, name)
        value = held.quantity * price * instrument.multiplier
        rows.append(
            {
                **instrument.contract(),
                "position": held.quantity,
                "marketPrice": round(price, 8),
                "marketValue": round(value, 2),
                "averageCost": round(held.average_cost, 8) if held.quantity else 0.0,
                "unrealized": round(value - held.quantity * held.average_cost, 2),
                "realized": round(held.realised, 2),
            }
        )
    return rows


def profit(broker: Broker, name: str = ACCOUNT) -> Values:
    """Profit and loss of an account: since the start of the day, unrealised and realised."""
    valuation = value_account(broker, name=name)
    return {
        "daily": round(valuation.net_liquidation - broker.openings.get(name, 0.0), 2),
        "unrealized": round(valuation.unrealised, 2),
        "realized": round(valuation.realised, 2),
    }


def profit_of(broker: Broker, con_id: int, name: str = ACCOUNT) -> Values:
    """Profit and loss of one position."""
    instrument = broker.instruments.by_id(con_id)
    held = broker.accounts[name].positions.get(con_id)
    if instrument is None or held is None:
        return {"position": 0, "daily": None, "unrealized": None, "realized": None, "value": None}
    price = mark(broker, instrument, name)
    value = held.quantity * price * instrument.multiplier
    return {
        "position": held.quantity,
        "daily": round(value - _value_at_opening(broker, instrument, held.quantity, price, name), 2),
        "unrealized": round(value - held.quantity * held.average_cost, 2),
        "realized": round(held.realised, 2),
        "value": round(value, 2),
    }


def _value_at_opening(
    broker: Broker, instrument: Instrument, quantity: float, price: float, name: str
) -> float:
    """What a position was worth when the day began, and what was paid for it since.

    The close of the day before is in units of now, as the quantity is: splits have changed both.
    """
    paid, ratio = 0.0, 1.0
    since = broker.bookings[broker.opening_bookings :]
    for booking in reversed([one for one in since if one.account == name]):
        if booking.con_id == instrument.con_id and booking.kind == "split":
            ratio *= booking.ratio
        elif booking.con_id == instrument.con_id:
            quantity -= booking.quantity * ratio
            paid += booking.quantity * booking.price * booking.multiplier + booking.commission
    quote = broker.quotes.get(instrument.symbol)
    close = quote.previous_close if quote else price
    return quantity * close * instrument.multiplier + paid
