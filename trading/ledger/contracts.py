"""What a split of the underlying does to an option contract."""

from __future__ import annotations

import re
from typing import NamedTuple

_NAME = re.compile(r"(?P<root>[A-Z.]{1,5})(?P<series>\d?) *(?P<term>\d{6}[CP])(?P<strike>\d{8})", re.ASCII)


class ContractSplit(NamedTuple):
    """Terms of a contract after a split of its underlying.

    Attributes
    ----------
    symbol : str
        Its new OCC symbol.
    contracts : float
        New contracts per old one; price and strike are divided by it.
    deliverable : float
        Units of the underlying that one new contract delivers per unit that the old one delivered.
    """

    symbol: str
    contracts: float
    deliverable: float


def underlying_of(symbol: str) -> str | None:
    """Root of an OCC symbol without the digit of an adjusted series; None for what is no option."""
    match = _NAME.fullmatch(symbol)
    return match["root"] if match else None


def split_contract(symbol: str, ratio: float) -> ContractSplit | None:
    """Adjust an option contract for a split; None for what is no option.

    A whole ratio (2:1, 3:1) multiplies the contracts and divides the strike. Any other one, reverse splits
    included, changes what a contract delivers: contracts, strike, premium and multiplier stay, and the
    root carries a digit. Source: The Options Clearing Corporation, "Characteristics and Risks of
    Standardized Options", adjustments for stock splits; its panel may decide otherwise in a case.

    Parameters
    ----------
    ratio : float
        New shares per old one.
    """
    match = _NAME.fullmatch(symbol)
    if match is None:
        return None
    root, series = match["root"], match["series"]
    strike = int(match["strike"])
    if ratio > 1 and ratio == int(ratio) and not series:
        return ContractSplit(_name(root, match["term"], round(strike / ratio)), ratio, 1.0)
    adjusted = f"{root}{int(series or 0) + 1}"
    return ContractSplit(_name(adjusted, match["term"], strike), 1.0, ratio)


def _name(root: str, term: str, strike: int) -> str:
    return f"{root:<6}{term}{strike:08d}"
