"""Option prices and greeks of a European option, and the chain the gateway makes up where it has none.

Formulas: Black and Scholes, "The pricing of options and corporate liabilities", Journal of Political
Economy 81 (1973), without dividends.
"""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import NamedTuple

from trading.option_symbols import OptionTerms, has_symbol

RATE = 0.03
"""Interest rate used everywhere, continuous."""

VOLATILITY = 0.25
"""Volatility of made-up option prices, annual."""


class Greeks(NamedTuple):
    """Price and sensitivities: vega per point of volatility, theta per day."""

    price: float
    delta: float
    gamma: float
    vega: float
    theta: float


def option_greeks(right: str, spot: float, strike: float, years: float, volatility: float) -> Greeks:
    """Price and greeks of a European option.

    Parameters
    ----------
    right : str
        ``C`` or ``P``.
    years : float
        Time to expiry; an expired option is worth what it can be exercised for.
    """
    call = right == "C"
    if years <= 0 or volatility <= 0:
        value = max(spot - strike, 0.0) if call else max(strike - spot, 0.0)
        inside = 1.0 if value > 0 else 0.0
        return Greeks(value, inside if call else -inside, 0.0, 0.0, 0.0)
    root = math.sqrt(years)
    d1 = (math.log(spot / strike) + (RATE + volatility**2 / 2) * years) / (volatility * root)
    d2 = d1 - volatility * root
    density = math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi)
    discounted = strike * math.exp(-RATE * years)
    decay = -spot * density * volatility / (2 * root)
    if call:
        price = spot * _normal(d1) - discounted * _normal(d2)
        delta, theta = _normal(d1), decay - RATE * discounted * _normal(d2)
    else:
        price = discounted * _normal(-d2) - spot * _normal(-d1)
        delta, theta = _normal(d1) - 1.0, decay + RATE * discounted * _normal(-d2)
    return Greeks(
        price, delta, density / (spot * volatility * root), spot * density * root / 100, theta / 365
    )


def implied_volatility(right: str, spot: float, strike: float, years: float, price: float) -> float | None:
    """Volatility at which an option has a price, by bisection; None when no volatility gives it."""
    low, high = 1e-4, 5.0
    if years <= 0 or not _price(right, spot, strike, years, low) <= price <= _price(
        right, spot, strike, years, high
    ):
        return None
    for _ in range(80):
        middle = (low + high) / 2
        if _price(right, spot, strike, years, middle) < price:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def years_to(expiry: date, today: date) -> float:
    """Years from a day to the end of the expiry day."""
    return max((expiry - today).days + 0.5, 0.0) / 365


def chain_terms(root: str, spot: float | None, today: date) -> list[OptionTerms]:
    """Terms of a made-up chain: six monthly expiries, strikes from 70 to 130 % of the spot price.

    A contract that no OCC symbol can name, such as one with a strike of 100,000 or more, is left out.
    """
    if spot is None or spot <= 0:
        return []
    step = _strike_step(spot)
    first, last = math.ceil(spot * 0.7 / step), math.floor(spot * 1.3 / step)
    found = (
        OptionTerms(root, expiry, right, round(number * step, 3))
        for expiry in monthly_expiries(today, 6)
        for number in range(first, last + 1)
        for right in ("C", "P")
    )
    return [terms for terms in found if has_symbol(terms)]


def monthly_expiries(today: date, count: int) -> list[date]:
    """Third Fridays from a day on."""
    found: list[date] = []
    year, month = today.year, today.month
    while len(found) < count:
        first = date(year, month, 1)
        friday = first + timedelta(days=(4 - first.weekday()) % 7 + 14)
        if friday >= today:
            found.append(friday)
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return found


def _strike_step(spot: float) -> float:
    return next(
        step
        for limit, step in ((25, 0.5), (100, 1.0), (250, 2.5), (1e3, 5.0), (math.inf, 50.0))
        if spot < limit
    )


def _price(right: str, spot: float, strike: float, years: float, volatility: float) -> float:
    return option_greeks(right, spot, strike, years, volatility).price


def _normal(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))
