"""What an account and its executions are called on the wire.

Inside a gateway the one account and its executions have the same names in every state folder. Clients see
names of this folder's own: two gateways of one desk must not tell executions of the same id, nor positions of
the same account, for the desk takes those for one.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from resources.gateway.account.executions import PREFIX
from resources.gateway.account.positions import ACCOUNT
from resources.gateway.wire.layout.fields import Values

_NAMES = ("account", "accounts", "value")


class Naming(NamedTuple):
    """Names of one gateway.

    Attributes
    ----------
    account : str
        What clients call the account.
    """

    account: str = ACCOUNT

    @property
    def prefix(self) -> str:
        """What ids of executions begin with."""
        return PREFIX if self.account == ACCOUNT else f"{zlib.crc32(self.account.encode()):08x}"

    def outward(self, values: Mapping[str, Any]) -> Values:
        """Values of a reply with the names that clients know."""
        if self.account == ACCOUNT:
            return dict(values)
        renamed = {name: self.account for name in _NAMES if values.get(name) == ACCOUNT}
        if str(values.get("execId", "")).startswith(PREFIX):
            renamed["execId"] = self.prefix + values["execId"].removeprefix(PREFIX)
        return {**values, **renamed}

    def inward(self, values: Mapping[str, Any]) -> Values:
        """Values of a request with the names used inside; the inside name is no account to a client."""
        if self.account == ACCOUNT:
            return dict(values)
        renamed, given = {}, values.get("account")
        if given in {self.account, ACCOUNT}:
            renamed["account"] = ACCOUNT if given == self.account else f"{given} (of another gateway)"
        if str(values.get("execId", "")).startswith(self.prefix):
            renamed["execId"] = PREFIX + values["execId"].removeprefix(self.prefix)
        return {**values, **renamed}
