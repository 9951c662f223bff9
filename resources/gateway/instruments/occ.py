"""Names of option contracts as the Options Clearing Corporation spells them."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import NamedTuple

_OCC = re.compile(r"([A-Z0-9.]{1,6}) *(\d{6})([CP])(\d{8})", re.ASCII)


class OptionTerms(NamedTuple):
    """What an option contract's name says."""

    root: str
    expiry: date
    right: str
    strike: float


def option_terms(symbol: str) -> OptionTerms | None:
    """Terms of an OCC symbol, with or without its padding; None when it is none."""
    match = _OCC.fullmatch(symbol.strip())
    if match is None:
        return None
    try:
        expiry = datetime.strptime(match[2], "%y%m%d").date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return None
    return OptionTerms(match[1], expiry, match[3], int(match[4]) / 1000)


def option_symbol(terms: OptionTerms) -> str:
    """OCC symbol of 21 characters: root padded to six, date, right and strike in thousandths."""
    return f"{terms.root:<6}{terms.expiry:%y%m%d}{terms.right}{round(terms.strike * 1000):08d}"
