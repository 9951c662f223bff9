"""Requests about the account: positions, values, profit and loss."""

from __future__ import annotations

from resources.gateway.account.reporting import account_rows, portfolio_rows, position_rows, profit, profit_of
from resources.gateway.service.handlers.registry import handles
from resources.gateway.service.hub import Hub
from resources.gateway.service.session import Session
from resources.gateway.wire.layout.fields import Values


@handles("reqManagedAccts")
def managed_accounts(hub: Hub, session: Session, values: Values) -> None:
    """Tell the names of the accounts."""
    del values
    session.send("managedAccounts", accounts=",".join(hub.broker.names))


@handles("reqPositions")
def positions(hub: Hub, session: Session, values: Values) -> None:
    """Tell all positions, and every change from now on."""
    del values
    session.positions = True
    for row in position_rows(hub.broker, hub.broker.names):
        session.send("position", row)
    session.send("positionEnd")


@handles("cancelPositions")
def cancel_positions(hub: Hub, session: Session, values: Values) -> None:
    """End the telling of positions."""
    del hub, values
    session.positions = False


@handles("reqPositionsMulti")
def positions_multi(hub: Hub, session: Session, values: Values) -> None:
    """Tell the positions of an account, or of all, under a request id, and every change from now on."""
    if not _known_account(hub, session, values["reqId"], values):
        return
    for row in position_rows(hub.broker, _accounts(hub, values)):
        session.send("positionMulti", row, reqId=values["reqId"], modelCode="")
    session.send("positionMultiEnd", reqId=values["reqId"])
    session.streams["positionsMulti", values["reqId"]] = values


@handles("reqAccountUpdates")
def account_updates(hub: Hub, session: Session, values: Values) -> None:
    """Tell values and portfolio of an account, else of the first, and every change from now on."""
    if values["account"] not in {"", *hub.broker.names}:
        session.error(
            -1, 321, f"Error validating request.-'bI' : cause - Invalid account code '{values['account']}'."
        )
        return
    session.account_updates = (values["account"] or hub.broker.names[0]) if values["subscribe"] else ""
    if session.account_updates:
        send_account(hub, session)
        session.send("accountDownloadEnd", account=session.account_updates)


@handles("reqAccountUpdatesMulti")
def account_updates_multi(hub: Hub, session: Session, values: Values) -> None:
    """Tell the values of an account, or of all, under a request id, and every change from now on."""
    number = values["reqId"]
    if not _known_account(hub, session, number, values):
        return
    session.streams["accountMulti", number] = values
    _tell_values(hub, session, number, values)
    session.send("accountUpdateMultiEnd", reqId=number)


@handles("reqAccountSummary")
def account_summary(hub: Hub, session: Session, values: Values) -> None:
    """Tell the account values asked for, and their changes; ``All`` or ``$LEDGER`` tells them all."""
    number = values["reqId"]
    if values["group"] != "All":
        session.error(
            number, 321, f"Error validating request.-'cc' : cause - Unknown group '{values['group']}'."
        )
        return
    session.streams["accountSummary", number] = values
    _tell_summary(hub, session, number, values["tags"])
    session.send("accountSummaryEnd", reqId=number)


@handles("reqPnL")
def profit_and_loss(hub: Hub, session: Session, values: Values) -> None:
    """Tell profit and loss of an account, and every change from now on; the first where none is named."""
    if not _known_account(hub, session, values["reqId"], values):
        return
    session.streams["pnl", values["reqId"]] = values
    session.send("pnl", profit(hub.broker, _accounts(hub, values)[0]), reqId=values["reqId"])


@handles("reqPnLSingle")
def profit_and_loss_single(hub: Hub, session: Session, values: Values) -> None:
    """Tell profit and loss of one position, and every change from now on."""
    if not _known_account(hub, session, values["reqId"], values):
        return
    session.streams["pnlSingle", values["reqId"]] = values
    _tell_single(hub, session, values["reqId"], values)


@handles(
    "cancelPnL",
    "cancelPnLSingle",
    "cancelAccountSummary",
    "cancelAccountUpdatesMulti",
    "cancelPositionsMulti",
)
def cancel_account_stream(hub: Hub, session: Session, values: Values) -> None:
    """End a subscription."""
    del hub
    for kind in ("pnl", "pnlSingle", "accountSummary", "accountMulti", "positionsMulti"):
        session.streams.pop((kind, values["reqId"]), None)


def send_account(hub: Hub, session: Session) -> None:
    """Tell values and portfolio of the account that a client listens to as they are now."""
    name = session.account_updates
    for tag, value, currency in account_rows(hub.broker, name):
        session.send("updateAccountValue", tag=tag, value=value, currency=currency, account=name)
    for row in portfolio_rows(hub.broker, name):
        session.send("updatePortfolio", row, account=name)
    session.send("updateAccountTime", time=f"{hub.broker.clock.now():%H:%M}")


def push_account(hub: Hub, session: Session) -> None:
    """Tell a client what it listens to of an account that changed."""
    if session.account_updates:
        send_account(hub, session)
    for kind, number in list(session.streams):
        values = session.streams[kind, number]
        if kind == "pnl":
            session.send("pnl", profit(hub.broker, _accounts(hub, values)[0]), reqId=number)
        elif kind == "pnlSingle":
            _tell_single(hub, session, number, values)
        elif kind == "accountMulti":
            _tell_values(hub, session, number, values)
        elif kind == "accountSummary":
            _tell_summary(hub, session, number, values["tags"])
        elif kind == "positionsMulti":
            for row in position_rows(hub.broker, _accounts(hub, values), flat=True):
                session.send("positionMulti", row, reqId=number, modelCode="")


def _accounts(hub: Hub, values: Values) -> tuple[str, ...]:
    """Accounts that a request is about: the one named, else all."""
    named = values["account"]
    return (named,) if named in hub.broker.names else hub.broker.names


def _tell_single(hub: Hub, session: Session, number: int, values: Values) -> None:
    found = profit_of(hub.broker, values["conId"] or 0, _accounts(hub, values)[0])
    session.send("pnlSingle", found, reqId=number)


def _tell_values(hub: Hub, session: Session, number: int, values: Values) -> None:
    for name in _accounts(hub, values):
        for tag, value, currency in account_rows(hub.broker, name):
            session.send(
                "accountUpdateMulti",
                reqId=number,
                account=name,
                modelCode="",
                tag=tag,
                value=value,
                currency=currency,
            )


def _tell_summary(hub: Hub, session: Session, number: int, wanted: str) -> None:
    tags = {tag.strip() for tag in wanted.split(",") if tag.strip()}
    everything = not tags or any(tag.startswith("$LEDGER") for tag in tags)
    for name in hub.broker.names:
        for tag, value, currency in account_rows(hub.broker, name):
            if everything or tag in tags:
                session.send(
                    "accountSummary", reqId=number, account=name, tag=tag, value=value, currency=currency
                )


def _known_account(hub: Hub, session: Session, number: int, values: Values) -> bool:
    if values["account"] in {"", "All", *hub.broker.names}:
        return True
    session.error(
        number, 321, f"Error validating request.-'bI' : cause - Invalid account code '{values['account']}'."
    )
    return False
