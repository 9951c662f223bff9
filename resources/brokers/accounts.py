"""Which account of a login may be traded."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from resources.brokers.base import AccountRefusedError
from trading.book import BookConfig

ALLOW_LIVE = "DESK_ALLOW_LIVE"
PAPER = ("DU", "DF", "SIM")
"""What the names of accounts without real money begin with; every other one is taken for a live one."""


def is_live(account: str) -> bool:
    """Whether an account holds real money, as far as its name tells."""
    return not account.upper().startswith(PAPER)


def live_allowed(book: BookConfig, environment: Mapping[str, str] | None = None) -> bool:
    """Whether a book may trade a live account: its file and the environment must both say so."""
    variables = os.environ if environment is None else environment
    return book.mode == "live" and book.allow_live and variables.get(ALLOW_LIVE) == "1"


def check_account(accounts: Sequence[str], wanted: str, *, live_allowed: bool) -> str:
    """Account to trade.

    Parameters
    ----------
    accounts : sequence of str
        Accounts of the login.
    wanted : str
        Account that the configuration names; empty: the login has only one.

    Raises
    ------
    AccountRefusedError
        When the login does not have it, has several and none is named, or it is a live one that is not
        allowed.
    """
    has = ", ".join(accounts) or "none"
    if wanted and wanted not in accounts:
        raise AccountRefusedError(f"account {wanted} is not one of the login's ({has}); check broker.account")
    if not wanted and len(accounts) != 1:
        raise AccountRefusedError(f"the login has the accounts {has}; name one in broker.account")
    account = wanted or accounts[0]
    if is_live(account) and not live_allowed:
        raise AccountRefusedError(
            f'account {account} is a live one: a book trades it only with mode = "live" and '
            f"allow_live = true in its file and {ALLOW_LIVE}=1 in the environment"
        )
    return account
