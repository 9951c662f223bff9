"""Corporate actions as a broker books them: on positions, working orders and cash."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from resources.gateway.account.executions import account_of
from resources.gateway.account.happenings import manual_trade, pay, split
from resources.gateway.account.positions import ACCOUNT
from resources.gateway.broker import Broker
from resources.gateway.instruments.database import Instrument

_DIVIDENDS = frozenset({"cash_dividend", "special_dividend"})


def apply_actions(
    broker: Broker, actions: Iterable[Mapping[str, Any]], session: date, opens_at: datetime | None = None
) -> None:
    """Book the actions of a session before it opens, and pay the dividends that are due.

    A dividend belongs to who held before the ex date, of units before a split of the same day.

    Parameters
    ----------
    actions : iterable of mapping
        Rows of the corporate actions table.
    opens_at : datetime, optional
        Open of the session, where it is over already: what was traded since has no dividend of it.
    """
    today = [row for row in actions if row["ex_date"] == session]
    for row in sorted(today, key=lambda row: row["action"] not in _DIVIDENDS):
        instrument = broker.instruments.by_symbol(row["symbol"])
        if instrument is not None:
            _apply(broker, instrument, row, opens_at)
    for due in broker.take_dividends(session):
        account = due.get("account", ACCOUNT)
        pay(broker, due["amount"], due["currency"], f"dividend {due['symbol']}", account)


def _apply(broker: Broker, instrument: Instrument, row: Mapping[str, Any], opens_at: datetime | None) -> None:
    value = row.get("value")
    if row["action"] == "split" and value:
        split(broker, instrument, float(value))
    elif row["action"] == "delisting":
        _delist(broker, instrument, value)
    for account in broker.names:
        held = broker.holders(instrument.con_id).get(account, 0.0)
        quantity = held - _traded_since(broker, instrument, opens_at, account)
        if row["action"] in _DIVIDENDS and quantity and value:
            amount = round(quantity * value, 2)
            paid = row.get("pay_date") or row["ex_date"]
            currency = row.get("currency") or instrument.currency
            broker.owe_dividend(instrument.symbol, amount, currency, paid, account)
        elif row["action"] == "spin_off" and quantity and value:
            _spin_off(broker, quantity * value, str(row.get("new_symbol") or ""), account)


def _traded_since(broker: Broker, instrument: Instrument, opens_at: datetime | None, account: str) -> float:
    if opens_at is None:
        return 0.0
    since = [
        record
        for record in broker.executions
        if record["contract"]["conId"] == instrument.con_id
        and account_of(record) == account
        and datetime.fromisoformat(record["at"]) >= opens_at
    ]
    return sum((float(one["shares"]) * (1 if one["side"] == "BOT" else -1) for one in since), 0.0)


def _spin_off(broker: Broker, quantity: float, symbol: str, account: str) -> None:
    received = broker.instruments.by_symbol(symbol)
    if received is not None:
        manual_trade(broker, received, quantity, 0.0, reference="spin-off", account=account)


def _delist(broker: Broker, instrument: Instrument, value: float | None) -> None:
    working = [ticket for ticket in broker.book.active() if ticket.symbol == instrument.symbol]
    if working:
        broker.cancel_tickets(working, "the instrument is no longer listed")
    price = value if value is not None else broker.quotes.price(instrument)
    for account, quantity in broker.holders(instrument.con_id).items():
        if price is not None:
            manual_trade(broker, instrument, -quantity, price, reference="delisting", account=account)
