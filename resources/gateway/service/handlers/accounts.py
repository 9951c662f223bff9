"""Requests about the account: positions, values, profit and loss."""

from __future__ import annotations

from resources.gateway.account.positions import ACCOUNT
from resources.gateway.account.reporting import account_rows, portfolio_rows, position_rows, profit, profit_of
from resources.gateway.service.handlers.registry import handles
from resources.gateway.service.hub import Hub
from resources.gateway.service.session import Session
from resources.gateway.wire.layout.fields import Values


@handles("reqManagedAccts")
def managed_accounts(hub: Hub, session: Session, values: Values) -> None:
    """Tell the account's name."""
    del hub, values
    session.send("managedAccounts", accounts=ACCOUNT)


@handles("reqPositions")
def positions(hub: Hub, session: Session, values: Values) -> None:
    """Tell all positions, and every change from now on."""
    del values
    session.positions = True
    for row in position_rows(hub.broker):
        session.send("position", row, account=ACCOUNT)
    session.send("positionEnd")


@handles("cancelPositions")
def cancel_positions(hub: Hub, session: Session, values: Values) -> None:
    """End the telling of positions."""
    del hub, values
    session.positions = False


@handles("reqPositionsMulti")
def positions_multi(hub: Hub, session: Session, values: Values) -> None:
    """Tell all positions under a request id, and every change from now on."""
    if not _known_account(session, values["reqId"], values):
        return
    for row in position_rows(hub.broker):
        session.send("positionMulti", row, account=ACCOUNT, reqId=values["reqId"], modelCode="")
    session.send("positionMultiEnd", reqId=values["reqId"])
    session.streams["positionsMulti", values["reqId"]] = values


@handles("reqAccountUpdates")
def account_updates(hub: Hub, session: Session, values: Values) -> None:
    """Tell account values and portfolio, and every change from now on."""
    if values["account"] not in {"", ACCOUNT}:
        session.error(
            -1, 321, f"Error validating request.-'bI' : cause - Invalid account code '{values['account']}'."
        )
        return
    session.account_updates = values["subscribe"]
    if session.account_updates:
        send_account(hub, session)
        session.send("accountDownloadEnd", account=ACCOUNT)


@handles("reqAccountUpdatesMulti")
def account_updates_multi(hub: Hub, session: Session, values: Values) -> None:
    """Tell account values under a request id, and every change from now on."""
    number = values["reqId"]
    if not _known_account(session, number, values):
        return
    session.streams["accountMulti", number] = values
    _tell_values(hub, session, number)
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
    """Tell profit and loss of the account, and every change from now on."""
    if not _known_account(session, values["reqId"], values):
        return
    session.streams["pnl", values["reqId"]] = values
    session.send("pnl", profit(hub.broker), reqId=values["reqId"])


@handles("reqPnLSingle")
def profit_and_loss_single(hub: Hub, session: Session, values: Values) -> None:
    """Tell profit and loss of one position, and every change from now on."""
    if not _known_account(session, values["reqId"], values):
        return
    session.streams["pnlSingle", values["reqId"]] = values
    session.send("pnlSingle", profit_of(hub.broker, values["conId"] or 0), reqId=values["reqId"])


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
    """Tell account values and portfolio as they are now."""
    for tag, value, currency in account_rows(hub.broker):
        session.send("updateAccountValue", tag=tag, value=value, currency=currency, account=ACCOUNT)
    for row in portfolio_rows(hub.broker):
        session.send("updatePortfolio", row, account=ACCOUNT)
    session.send("updateAccountTime", time=f"{hub.broker.clock.now():%H:%M}")


def push_account(hub: Hub, session: Session) -> None:
    """Tell a client what it listens to of an account that changed."""
    if session.account_updates:
        send_account(hub, session)
    for kind, number in list(session.streams):
        values = session.streams[kind, number]
        if kind == "pnl":
            session.send("pnl", profit(hub.broker), reqId=number)
        elif kind == "pnlSingle":
            session.send("pnlSingle", profit_of(hub.broker, values["conId"] or 0), reqId=number)
        elif kind == "accountMulti":
            _tell_values(hub, session, number)
        elif kind == "accountSummary":
            _tell_summary(hub, session, number, values["tags"])
        elif kind == "positionsMulti":
            for row in position_rows(hub.broker, flat=True):
                session.send("positionMulti", row, account=ACCOUNT, reqId=number, modelCode="")


def _tell_values(hub: Hub, session: Session, number: int) -> None:
    for tag, value, currency in account_rows(hub.broker):
        session.send(
            "accountUpdateMulti",
            reqId=number,
            account=ACCOUNT,
            modelCode="",
            tag=tag,
            value=value,
            currency=currency,
        )


def _tell_summary(hub: Hub, session: Session, number: int, wanted: str) -> None:
    tags = {tag.strip() for tag in wanted.split(",") if tag.strip()}
    everything = not tags or any(tag.startswith("$LEDGER") for tag in tags)
    for tag, value, currency in account_rows(hub.broker):
        if everything or tag in tags:
            session.send(
                "accountSummary", reqId=number, account=ACCOUNT, tag=tag, value=value, currency=currency
            )


def _known_account(session: Session, number: int, values: Values) -> bool:
    if values["account"] in {"", "All", ACCOUNT}:
        return True
    session.error(
        number, 321, f"Error validating request.-'bI' : cause - Invalid account code '{values['account']}'."
    )
    return False
