"""Executions as the gateway keeps and reports them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from resources.gateway.account.positions import ACCOUNT, Booking
from resources.gateway.orders.ticket import Ticket
from resources.gateway.wire.layout.fields import Values
from resources.gateway.wire.times import read_time, spell_time

PREFIX = "0000e0d5"
"""What ids of executions begin with inside a gateway."""


def execution_id(number: int, part: int = 1, revision: int = 1) -> str:
    """Id of an execution; a correction has the same id with the next revision."""
    return f"{PREFIX}.{number:08x}.{part:02d}.{revision:02d}"


def root(identity: str) -> str:
    """Execution id without its revision."""
    return identity.rpartition(".")[0]


def execution(
    ticket: Ticket, identity: str, contract: Values, side: str, shares: float, price: float, at: datetime
) -> Values:
    """Record of one execution of a ticket."""
    return {
        "execId": identity,
        "orderId": ticket.order_id,
        "clientId": ticket.client_id,
        "permId": ticket.perm_id,
        "orderRef": ticket.reference,
        "contract": contract,
        "executionExchange": contract["exchange"] if contract["exchange"] != "SMART" else "ISLAND",
        "side": "BOT" if side == "BUY" else "SLD",
        "shares": shares,
        "price": price,
        "cumulativeQuantity": ticket.filled,
        "averagePrice": ticket.average,
        "at": at.isoformat(),
        "commission": None,
        "currency": contract["currency"],
        "realized": None,
        "visible": True,
        "account": ticket.account,
    }


def message(record: Mapping[str, Any], request: int, style: str) -> Values:
    """Values of an execDetails message."""
    return {
        **record,
        **record["contract"],
        "reqId": request,
        "time": spell_time(datetime.fromisoformat(record["at"]), style),
        "account": account_of(record),
        "liquidation": 0,
        "evRule": "",
        "evMultiplier": None,
        "modelCode": "",
        "lastLiquidity": 2,
        "pendingPriceRevision": False,
    }


def commission_message(record: Mapping[str, Any]) -> Values:
    """Values of a commissionReport message."""
    return {
        "execId": record["execId"],
        "commission": record["commission"],
        "currency": record["currency"],
        "realized": record["realized"] or None,
        "yield": None,
        "yieldRedemptionDate": None,
    }


def booking(record: Mapping[str, Any], multiplier: float) -> Booking:
    """Movement of the account that an execution makes."""
    sign = 1 if record["side"] == "BOT" else -1
    return Booking(
        "trade",
        con_id=record["contract"]["conId"],
        quantity=sign * record["shares"],
        price=record["price"],
        multiplier=multiplier,
        commission=record["commission"] or 0.0,
        currency=record["currency"],
        reference=record["execId"],
        account=account_of(record),
    )


def news_at(record: Mapping[str, Any]) -> datetime:
    """When an execution, or its correction, became known."""
    return datetime.fromisoformat(record.get("corrected_at") or record["at"])


def account_of(record: Mapping[str, Any]) -> str:
    """Account of an execution; those of old journals name none."""
    return str(record.get("account") or ACCOUNT)


def filtered(records: Iterable[Values], wanted: Mapping[str, Any], now: datetime) -> list[Values]:
    """Executions that a client's filter asks for; fields that are not given do not restrict."""
    since = read_time(wanted["time"], now) if wanted.get("time") else None
    return [record for record in records if record["visible"] and _passes(record, wanted, since)]


def _passes(record: Mapping[str, Any], wanted: Mapping[str, Any], since: datetime | None) -> bool:
    contract = record["contract"]
    given = {
        name: wanted.get(name) for name in ("symbol", "secType", "exchange", "account", "side", "clientId")
    }
    side = {"BUY": "BOT", "SELL": "SLD"}.get(str(given["side"]), given["side"])
    return (
        given["symbol"] in {"", None, contract["symbol"]}
        and given["secType"] in {"", None, contract["secType"]}
        and given["exchange"] in {"", None, contract["exchange"], record["executionExchange"]}
        and given["account"] in {"", None, account_of(record)}
        and side in {"", None, record["side"]}
        and given["clientId"] in {None, 0, record["clientId"]}
        and (since is None or datetime.fromisoformat(record["at"]) >= since)
    )
