"""How an advisor's order for a group is divided among the accounts of the login."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from resources.gateway.wire.layout.fields import Values

GROUP = "All"
"""The one group there is: every account of the login."""
METHODS = frozenset({"Equal", "EqualQuantity", "NetLiq", "AvailableEquity"})


def problem(values: Values, names: Sequence[str]) -> str:
    """What is wrong with the allocation that an order asks for; empty: nothing."""
    if len(names) == 1:
        return "FA data operations ignored for non FA customers."
    if values.get("account"):
        return "An order names an account or a group, not both."
    if values["faGroup"] != GROUP:
        return f"Invalid group {values['faGroup']!r}; there is {GROUP!r}."
    if values.get("faMethod") not in METHODS:
        allowed = ", ".join(sorted(METHODS))
        return f"Allocation method {values.get('faMethod')!r} is not simulated; there are {allowed}."
    if values.get("secType") == "BAG":
        return "Combinations are not allocated to groups."
    return ""


def divided(weights: Mapping[str, float], quantity: float) -> list[tuple[str, float]]:
    """Units by account, in proportion to weights; of a whole quantity whole ones by largest remainder."""
    total = sum(weights.values())
    exact = {name: quantity * weight / total for name, weight in weights.items()}
    if quantity != int(quantity):
        return [(name, units) for name, units in exact.items() if units > 0]
    units_of = {name: float(int(units + 1e-9)) for name, units in exact.items()}
    left = int(quantity - sum(units_of.values()))
    for name in sorted(exact, key=lambda one: units_of[one] - exact[one])[:left]:
        units_of[name] += 1.0
    return [(name, units) for name, units in units_of.items() if units > 0]


def groups(accounts: Sequence[str]) -> str:
    """The groups as an advisor's client is told them."""
    listed = "".join(f"<String>{name}</String>" for name in accounts)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><ListOfGroups><Group><name>{GROUP}</name>'
        f'<ListOfAccts varName="list">{listed}</ListOfAccts><defaultMethod>NetLiq</defaultMethod>'
        "</Group></ListOfGroups>"
    )
