"""Splits and dividends read back out of printed adjustment factors.

A source that prints factors (or adjusted prices) rounds them, so a dividend of 2.65 comes back as
2.649939. The printed digits bound the true figure; the figure with the fewest digits within the bounds is
the one that the company announced.
"""

from __future__ import annotations

import math
from fractions import Fraction

SPECIAL = 0.1
"""Share of the price from which on a dividend counts as special."""

_LARGEST_TERM = 50


def shortest(low: float, high: float) -> float:
    """Number with the fewest decimals within [low, high].

    Raises
    ------
    ValueError
        When the bounds are reversed.
    """
    if not low <= high:
        raise ValueError(f"bounds {low} .. {high} are reversed")
    middle = (low + high) / 2
    for decimals in range(16):
        rounded = round(middle, decimals)
        if low <= rounded <= high:
            return rounded
    return middle


def split_ratio(low: float, high: float) -> float:
    """New shares per old within [low, high]: a ratio of small whole numbers, else the shortest decimal."""
    for denominator in range(1, _LARGEST_TERM + 1):
        numerator = math.ceil(low * denominator)
        if 0 < numerator <= min(high * denominator, _LARGEST_TERM):
            return float(Fraction(numerator, denominator))
    return shortest(low, high)


def half_digit(printed: str) -> float:
    """Half a unit in the last printed decimal of a number: how far rounding may have moved it."""
    decimals = len(printed.partition(".")[2])
    return 0.5 * 10.0**-decimals
