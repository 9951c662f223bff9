"""What accounts and executions are called on the wire.

Inside a gateway the accounts and their executions have the same names in every state folder. Clients see
names of this folder's own: two gateways of one desk must not tell executions of the same id, nor positions of
the same account, for the desk takes those for one.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from resources.gateway.account.executions import PREFIX
from resources.gateway.account.positions import ACCOUNT, account_names
from resources.gateway.wire.layout.fields import Values

_FIELDS = ("account", "accounts", "value")


class Naming(NamedTuple):
    """Names of one gateway.

    Attributes
    ----------
    accounts : tuple of str
        What clients call the accounts.
    """

    accounts: tuple[str, ...] = (ACCOUNT,)

    @property
    def inside(self) -> tuple[str, ...]:
        """What the accounts are called inside."""
        return account_names(len(self.accounts))

    @property
    def plain(self) -> bool:
        """Whether the names are the same on both sides."""
        return self.accounts == self.inside

    @property
    def prefix(self) -> str:
        """What ids of executions begin with."""
        return PREFIX if self.plain else f"{zlib.crc32(self.accounts[0].encode()):08x}"

    def outward(self, values: Mapping[str, Any]) -> Values:
        """Values of a reply with the names that clients know."""
        if self.plain:
            return dict(values)
        known = dict(zip(self.inside, self.accounts, strict=True))
        known[",".join(self.inside)] = ",".join(self.accounts)
        renamed = {name: known[values[name]] for name in _FIELDS if values.get(name) in known}
        if str(values.get("execId", "")).startswith(PREFIX):
            renamed["execId"] = self.prefix + values["execId"].removeprefix(PREFIX)
        return {**values, **renamed}

    def inward(self, values: Mapping[str, Any]) -> Values:
        """Values of a request with the names used inside; an inside name is no account to a client."""
        if self.plain:
            return dict(values)
        renamed, given = {}, values.get("account")
        known = dict(zip(self.accounts, self.inside, strict=True))
        if given in known:
            renamed["account"] = known[given]
        elif given in self.inside:
            renamed["account"] = f"{given} (of another gateway)"
        if str(values.get("execId", "")).startswith(self.prefix):
            renamed["execId"] = PREFIX + values["execId"].removeprefix(self.prefix)
        return {**values, **renamed}
