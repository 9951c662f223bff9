"""Names of US option contracts: one form in every table of the desk, whatever a source writes.

The form is the Options Clearing Corporation's: 21 characters, the root padded with blanks to six, the expiry
as ``YYMMDD``, C or P, and the strike in thousandths with eight digits (OCC, "Options Symbology Initiative").
Many sources leave the blanks out; what comes from outside goes through :func:`canonical` or
:func:`canonical_column` once.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import NamedTuple

import polars as pl

_FORM = r"^[A-Z0-9.]{1,6} *\d{6}[CP]\d{8}$"
_NAME = re.compile(r"(?P<root>[A-Z0-9.]{1,6}) *(?P<day>\d{6})(?P<right>[CP])(?P<strike>\d{8})", re.ASCII)
_ROOT, _END = 6, 15
"""Characters of the root with its padding, and of all that follows it."""


class OptionTerms(NamedTuple):
    """What the name of an option contract says.

    Attributes
    ----------
    root : str
        Root without padding; of a contract that a split has adjusted it ends in a digit.
    right : str
        C or P.
    strike : float
        In units of the currency.
    """

    root: str
    expiry: date
    right: str
    strike: float


def option_terms(symbol: str) -> OptionTerms | None:
    """Terms of an option's name in any form; None for what is none."""
    match = _NAME.fullmatch(symbol.strip())
    if match is None:
        return None
    try:
        expiry = datetime.strptime(match["day"], "%y%m%d").date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return None
    return OptionTerms(match["root"], expiry, match["right"], int(match["strike"]) / 1000)


def option_symbol(terms: OptionTerms) -> str:
    """Name of a contract in the form of the tables.

    Raises
    ------
    ValueError
        When the root or the strike does not fit the form.
    """
    if not has_symbol(terms):
        raise ValueError(f"{terms.root} {terms.strike:g}: root or strike does not fit an OCC symbol")
    return _spelled(terms)


def has_symbol(terms: OptionTerms) -> bool:
    """Whether a contract can be named: a root of six characters at most, a strike below 100,000."""
    name = _spelled(terms)
    return len(name) == _ROOT + _END and _NAME.fullmatch(name) is not None


def _spelled(terms: OptionTerms) -> str:
    thousandths = round(terms.strike * 1000)
    return f"{terms.root:<{_ROOT}}{terms.expiry:%y%m%d}{terms.right}{thousandths:08d}"


def canonical(symbol: str) -> str:
    """A name of an option in the form of the tables; anything else as it is."""
    match = _NAME.fullmatch(symbol.strip())
    return symbol if match is None else f"{match['root']:<{_ROOT}}{symbol.strip()[-_END:]}"


def canonical_column(symbols: pl.Expr) -> pl.Expr:
    """:func:`canonical` of a column of names."""
    bare = symbols.str.strip_chars()
    root = bare.str.head(-_END).str.strip_chars_end(" ")
    padded = pl.concat_str(root.str.pad_end(_ROOT, " "), bare.str.tail(_END))
    return pl.when(bare.str.contains(_FORM)).then(padded).otherwise(symbols)
