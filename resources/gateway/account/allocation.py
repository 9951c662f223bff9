"""An advisor's groups: which accounts an order for a group trades for, and how it is divided among them.

Methods that follow from the accounts themselves divide the quantity of the order (equal parts, net
liquidation, available equity) or make it (a percent change of what each account holds). The others take an
amount of each account from the group: they divide the order by percents or ratios, or make its quantity
from contracts or money. Clients below version 177 know the latter as profiles; from then on they are
groups, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from resources.gateway.wire.layout.fields import Values

GROUPS, PROFILES, ALIASES = 1, 2, 3
"""Kinds of advisor data."""
PROFILES_END = 177
"""First version of the protocol without profiles."""
ALL = "All"
"""The group of every account of the login, which nobody can replace."""
DIVIDING = frozenset({"Equal", "EqualQuantity", "NetLiq", "AvailableEquity"})
BY_AMOUNT = frozenset({"Percent", "Ratio", "ContractsOrShares", "MonetaryAmount"})
SIZING = frozenset({"PctChange", "ContractsOrShares", "MonetaryAmount"})
"""Methods that make the quantity of the order."""
METHODS = DIVIDING | BY_AMOUNT | {"PctChange"}
_PROFILE_TYPES = {"1": "Percent", "2": "Ratio", "3": "ContractsOrShares"}
_LIMIT = 1 << 20


class Group(NamedTuple):
    """Accounts that orders are divided among.

    Attributes
    ----------
    method : str
        How, where the order does not say it.
    amounts : mapping
        Amount of each account; 0 where the method needs none.
    """

    name: str
    method: str
    amounts: Mapping[str, float]


class AdvisorError(ValueError):
    """Advisor data that cannot be used."""


def everybody(names: Sequence[str]) -> Group:
    """Group of all accounts."""
    return Group(ALL, "NetLiq", dict.fromkeys(names, 0.0))


def group_name(order: Mapping[str, Any]) -> str:
    """Group or profile that an order is for; empty for that of a single account."""
    return str(order.get("faGroup") or order.get("faProfile") or "")


def method_of(order: Mapping[str, Any], group: Group) -> str:
    """How an order is divided: as it says, else as its group does."""
    return str((order.get("faGroup") and order.get("faMethod")) or group.method)


def problem(values: Values, names: Sequence[str], groups: Mapping[str, Group]) -> str:
    """What is wrong with the allocation that an order asks for; empty: nothing."""
    if len(names) == 1:
        return "FA data operations ignored for non FA customers."
    if sum(bool(values.get(name)) for name in ("account", "faGroup", "faProfile")) > 1:
        return "An order names an account, a group or a profile: one of them."
    if values.get("secType") == "BAG":
        return "Combinations are not allocated to groups."
    group = groups.get(group_name(values))
    if group is None:
        return f"Invalid group {group_name(values)!r}; there are {', '.join(sorted(groups))}."
    return _method_problem(values, group)


def _method_problem(values: Values, group: Group) -> str:
    method = method_of(values, group)
    if method not in METHODS:
        return f"Invalid allocation method {method!r}; there are {', '.join(sorted(METHODS))}."
    if method in BY_AMOUNT and method != group.method:
        return f"Group {group.name!r} has no amounts for the method {method}."
    if method == "PctChange" and not _number(values.get("faPercentage")):
        return "A percent change needs a percentage."
    return ""


def changed_by_percent(held: float, percent: float, action: str) -> float:
    """Whole units that change a position by a percentage: an order that would do the opposite trades none.

    To buy a positive percentage adds to what is long, a negative one takes from what is short; to sell
    does it the other way round.
    """
    buys = action == "BUY"
    concerned = held > 0.0 if buys == (percent > 0.0) else held < 0.0
    units = abs(held * percent) / 100.0
    if percent < 0.0:
        units = min(units, abs(held))
    return float(math.floor(units + 1e-9)) if concerned else 0.0


def divided(
    weights: Mapping[str, float], quantity: float, given: Mapping[str, float]
) -> list[tuple[str, float]]:
    """Units of a fill by account.

    Parameters
    ----------
    weights : mapping
        Accounts and what they count for.
    given : mapping
        What the accounts have had of earlier fills of the order: all together are in proportion, whole units
        where all are whole, and rests go to those that have the most to come.
    """
    total = sum(weights.values())
    filled = quantity + sum(given.values())
    due = {name: filled * weight / total - given.get(name, 0.0) for name, weight in weights.items()}
    if quantity != int(quantity):
        return [(name, units) for name, units in due.items() if units > 0]
    left, units_of = int(quantity), dict.fromkeys(due, 0.0)
    for name in sorted(due, key=lambda one: -due[one]):
        units_of[name] = float(min(max(int(due[name] + 1e-9), 0), left))
        left -= int(units_of[name])
    for name in sorted(due, key=lambda one: units_of[one] - due[one])[:left]:
        units_of[name] += 1.0
    return [(name, units) for name, units in units_of.items() if units > 0]


# ------------------------------------------------------------------------------------------------ as XML


def groups_xml(groups: Iterable[Group], called: Mapping[str, str], version: int) -> str:
    """Groups as a client is told them; those below version 177 are told profiles apart."""
    shown = [one for one in groups if version >= PROFILES_END or one.method not in BY_AMOUNT]
    return _document("ListOfGroups", "".join(_group_xml(one, called) for one in shown))


def profiles_xml(groups: Iterable[Group], called: Mapping[str, str]) -> str:
    """Profiles as a client below version 177 is told them."""
    types = {method: number for number, method in _PROFILE_TYPES.items()}
    text = ""
    for one in groups:
        if one.method in types:
            rows = "".join(
                f"<Allocation><acct>{escape(called[name])}</acct><amount>{amount}</amount></Allocation>"
                for name, amount in one.amounts.items()
            )
            text += (
                f"<AllocationProfile><name>{escape(one.name)}</name><type>{types[one.method]}</type>"
                f'<ListOfAllocations varName="listOfAllocations">{rows}</ListOfAllocations>'
                "</AllocationProfile>"
            )
    return _document("ListOfAllocationProfiles", text)


def aliases_xml(aliases: Mapping[str, str], called: Mapping[str, str]) -> str:
    """Other names of the accounts."""
    rows = "".join(
        f"<AccountAlias><account>{escape(name)}</account><alias>{escape(aliases.get(inside, name))}</alias>"
        "</AccountAlias>"
        for inside, name in called.items()
    )
    return _document("ListOfAccountAliases", rows)


def read_groups(text: str, inside: Mapping[str, str]) -> list[Group]:
    """Groups of a client.

    Raises
    ------
    AdvisorError
        When the text is no list of groups, or one of them cannot be used.
    """
    return _named_once(
        _checked(_text(node, "name"), _text(node, "defaultMethod"), map(_member, rows), inside)
        for node, rows in _lists(text, "ListOfGroups", "Group", "ListOfAccts")
    )


def read_profiles(text: str, inside: Mapping[str, str]) -> list[Group]:
    """Profiles of a client below version 177.

    Raises
    ------
    AdvisorError
        When the text is no list of profiles, or one of them cannot be used.
    """
    return _named_once(
        _checked(_text(node, "name"), _PROFILE_TYPES.get(_text(node, "type"), ""), map(_amount, rows), inside)
        for node, rows in _lists(text, "ListOfAllocationProfiles", "AllocationProfile", "ListOfAllocations")
    )


def read_aliases(text: str, inside: Mapping[str, str]) -> dict[str, str]:
    """Other names that a client gives the accounts.

    Raises
    ------
    AdvisorError
        When the text is no list of aliases, or names an account that there is not.
    """
    rows = _parsed(text, "ListOfAccountAliases").findall("AccountAlias")
    unknown = [_text(row, "account") for row in rows if _text(row, "account") not in inside]
    if unknown:
        raise AdvisorError(f"unknown accounts: {', '.join(unknown)}")
    return {inside[_text(row, "account")]: _text(row, "alias") for row in rows}


def _checked(name: str, method: str, pairs: Iterable[tuple[str, str]], inside: Mapping[str, str]) -> Group:
    amounts: dict[str, float] = {}
    if not name or name == ALL:
        raise AdvisorError(f"a group cannot be called {name!r}")
    if method not in METHODS:
        raise AdvisorError(f"group {name!r} has no allocation method that there is: {method!r}")
    for account, text in pairs:
        amount = _number(text)
        if account not in inside:
            raise AdvisorError(f"group {name!r} has an account that there is not: {account!r}")
        if method in BY_AMOUNT and not amount > 0.0:
            raise AdvisorError(f"group {name!r} has no amount above 0 of {account}")
        amounts[inside[account]] = amount
    if not amounts:
        raise AdvisorError(f"group {name!r} has no accounts")
    if method == "Percent" and abs(sum(amounts.values()) - 100.0) > 1e-6:
        raise AdvisorError(f"the percents of group {name!r} add up to {sum(amounts.values()):g}")
    return Group(name, method, amounts)


def _member(row: ElementTree.Element) -> tuple[str, str]:
    """Account of a group and the text of its amount: a bare name, or both."""
    if row.tag == "String":
        return (row.text or "").strip(), ""
    return _amount(row)


def _amount(row: ElementTree.Element) -> tuple[str, str]:
    """An account and the text of its amount."""
    return _text(row, "acct"), _text(row, "amount")


def _named_once(groups: Iterable[Group]) -> list[Group]:
    found = list(groups)
    names = [one.name for one in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise AdvisorError(f"more than one group is called {', '.join(twice)}")
    return found


def _number(text: object) -> float:
    """A finite number; 0 for what is none."""
    try:
        number = float(str(text or 0))
    except ValueError:
        return 0.0
    return number if math.isfinite(number) else 0.0


def _parsed(text: str, root: str) -> ElementTree.Element:
    if len(text) > _LIMIT or "<!" in text:
        raise AdvisorError("the document is too long, or declares what it has no need of")
    try:
        found = ElementTree.fromstring(text)  # noqa: S314 - without declarations there is nothing to expand
    except ElementTree.ParseError as error:
        raise AdvisorError(f"the document is no XML: {error}") from None
    if found.tag != root:
        raise AdvisorError(f"the document is no {root} but {found.tag}")
    return found


def _lists(
    text: str, root: str, kind: str, rows: str
) -> Iterator[tuple[ElementTree.Element, list[ElementTree.Element]]]:
    """Entries of a document, each with the rows of its list."""
    for node in _parsed(text, root).findall(kind):
        listed = node.find(rows)
        yield node, [] if listed is None else list(listed)


def _text(node: ElementTree.Element, name: str) -> str:
    return (node.findtext(name) or "").strip()


def _group_xml(group: Group, called: Mapping[str, str]) -> str:
    if group.method in BY_AMOUNT:
        listed = "".join(
            f"<Account><acct>{escape(called[name])}</acct><amount>{amount}</amount></Account>"
            for name, amount in group.amounts.items()
        )
    else:
        listed = "".join(f"<String>{escape(called[name])}</String>" for name in group.amounts)
    return (
        f'<Group><name>{escape(group.name)}</name><ListOfAccts varName="list">{listed}</ListOfAccts>'
        f"<defaultMethod>{group.method}</defaultMethod></Group>"
    )


def _document(root: str, content: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><{root}>{content}</{root}>'
