"""Requests of an advisor: groups, profiles and aliases of the accounts of a login."""

from __future__ import annotations

from resources.gateway.account.allocation import (
    ALIASES,
    BY_AMOUNT,
    GROUPS,
    PROFILES,
    PROFILES_END,
    AdvisorError,
    Group,
    aliases_xml,
    groups_xml,
    profiles_xml,
    read_aliases,
    read_groups,
    read_profiles,
)
from resources.gateway.service.handlers.registry import handles
from resources.gateway.service.hub import Hub
from resources.gateway.service.session import Session
from resources.gateway.wire.layout.fields import Values

_NO_ADVISOR = (
    321,
    "Error validating request.-'bE' : cause - FA data operations ignored for non FA customers.",
)
_NO_PROFILES = (585, "FA Profile is not supported anymore, use FA Group instead.")


@handles("requestFA")
def request(hub: Hub, session: Session, values: Values) -> None:
    """Tell an advisor's groups, profiles or aliases."""
    kind, broker = values["kind"], hub.broker
    if not _allowed(hub, session, -1, kind):
        return
    called = dict(zip(hub.naming.inside, hub.naming.accounts, strict=True))
    if kind == GROUPS:
        text = groups_xml(broker.groups.values(), called, session.version)
    elif kind == PROFILES:
        text = profiles_xml(broker.groups.values(), called)
    else:
        text = aliases_xml(broker.aliases, called)
    session.send("receiveFA", kind=kind, xml=text)


@handles("replaceFA")
def replace(hub: Hub, session: Session, values: Values) -> None:
    """Take an advisor's groups, profiles or aliases instead of those that there are.

    A client below version 177 replaces groups and profiles each without the other.
    """
    kind, broker = values["kind"], hub.broker
    number = values.get("reqId") or -1
    if not _allowed(hub, session, number, kind):
        return
    inside = dict(zip(hub.naming.accounts, hub.naming.inside, strict=True))
    try:
        if kind == ALIASES:
            broker.advise(broker.groups.values(), read_aliases(values["xml"], inside))
        else:
            broker.advise(_replaced(hub, session, kind, values["xml"], inside), broker.aliases)
    except AdvisorError as error:
        session.error(number, 321, f"Error validating request.-'bE' : cause - {error}")
        return
    session.send("replaceFAEnd", reqId=number, text="")


def _replaced(hub: Hub, session: Session, kind: int, xml: str, inside: dict[str, str]) -> list[Group]:
    """Groups as they are to be."""
    new = read_profiles(xml, inside) if kind == PROFILES else read_groups(xml, inside)
    if session.version >= PROFILES_END:
        return new
    names = {one.name for one in new}
    profiles = kind == PROFILES
    kept = [one for one in hub.broker.groups.values() if (one.method in BY_AMOUNT) != profiles]
    return [*(one for one in kept if one.name not in names), *new]


def _allowed(hub: Hub, session: Session, number: int, kind: int) -> bool:
    if len(hub.naming.accounts) == 1:
        session.error(number, *_NO_ADVISOR)
    elif kind not in {GROUPS, PROFILES, ALIASES}:
        text = f"Error validating request.-'bE' : cause - Invalid kind of advisor data: {kind}."
        session.error(number, 321, text)
    elif kind == PROFILES and session.version >= PROFILES_END:
        session.error(number, *_NO_PROFILES)
    else:
        return True
    return False
