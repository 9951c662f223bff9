"""How many units an entry asks for: risk per trade, a fraction of equity, or a target weight."""

from __future__ import annotations

import math
from typing import NamedTuple

from trading.book import SizingConfig

FRACTIONAL = frozenset({"crypto", "fx"})
"""Asset classes that trade in fractions of a unit."""

QUANTUM = 1e8
"""Fractional quantities are rounded down to eight decimals."""


class Size(NamedTuple):
    """Size of an entry.

    Attributes
    ----------
    intended : float
        Units that the sizing rule asks for, before the cap and rounding.
    quantity : float
        Units after the cap and rounding down; 0 when nothing sensible is left.
    intended_risk, actual_risk : float
        Cash lost if the stop fills at its price, at the intended and at the final size; 0 without a stop.
    """

    intended: float
    quantity: float
    intended_risk: float
    actual_risk: float


def round_quantity(quantity: float, *, whole: bool) -> float:
    """Round a quantity towards zero: to whole units, or to eight decimals.

    A quantity that lies within one part in 10^12 of a unit counts as that unit, so that the rounding
    error of a division never costs a share.
    """
    step = 1.0 if whole else QUANTUM
    scaled = quantity * step
    nearest = round(scaled)
    if abs(scaled - nearest) <= 1e-12 * max(1.0, abs(scaled)):
        return nearest / step
    return math.trunc(scaled) / step


def trades_whole_units(sizing: SizingConfig, asset_class: str) -> bool:
    """Whether an asset class is sized in whole units under the configuration."""
    return sizing.whole_shares and asset_class not in FRACTIONAL


def streak_risk(sizing: SizingConfig, streak: int) -> float:
    """Risk per trade after a streak of wins (positive) or losses (negative), within its bounds."""
    risk = sizing.risk_per_trade
    if streak >= sizing.streak_length:
        risk = sizing.winning_streak_risk
    elif streak <= -sizing.streak_length:
        risk = sizing.losing_streak_risk
    return min(max(risk, sizing.min_risk_per_trade), sizing.max_risk_per_trade)


def conviction_factor(score: float | None) -> float:
    """Share of the full size that a score earns: 90 and above 1.0, from 80 on 0.8, below 0.6."""
    if score is None or score >= 90:
        return 1.0
    return 0.8 if score >= 80 else 0.6


def entry_size(
    sizing: SizingConfig,
    *,
    equity: float,
    price: float,
    stop: float | None,
    asset_class: str = "stock",
    risk: float | None = None,
    scale: float = 1.0,
    multiplier: float = 1.0,
) -> Size:
    """Size an entry.

    Parameters
    ----------
    equity : float
        Equity that the strategy may use, in cash.
    price, stop : float
        Reference price and protective stop per unit.
    risk : float, optional
        Share of equity to risk; the configured one by default.
    scale : float
        Factor of regime and conviction on the intended size.
    multiplier : float
        Units of the underlying in one contract.

    Returns
    -------
    Size
        In ``risk`` mode ``intended = equity x risk / (price - stop)``; without a stop, and in
        ``fraction`` mode, ``equity x fraction / price``. The cap ``max_position`` binds for any stop
        closer than ``risk / max_position`` of the price (20 % with the defaults).
    """
    unit = price * multiplier
    per_unit_risk = abs(price - stop) * multiplier if stop is not None else 0.0
    if sizing.mode == "risk" and per_unit_risk > 0:
        intended = equity * (sizing.risk_per_trade if risk is None else risk) / per_unit_risk
    else:
        intended = equity * sizing.fraction / unit
    intended *= scale * (sizing.crypto_factor if asset_class == "crypto" else 1.0)
    capped = min(intended, equity * sizing.max_position / unit)
    quantity = max(round_quantity(capped, whole=trades_whole_units(sizing, asset_class)), 0.0)
    return Size(intended, quantity, intended * per_unit_risk, quantity * per_unit_risk)


def weight_quantity(
    sizing: SizingConfig,
    *,
    equity: float,
    weight: float,
    price: float,
    asset_class: str = "stock",
    multiplier: float = 1.0,
) -> float:
    """Units of a target weight: ``equity x (1 - cash_buffer) x weight / price``, rounded towards zero."""
    target = equity * (1.0 - sizing.cash_buffer) * weight / (price * multiplier)
    return round_quantity(target, whole=trades_whole_units(sizing, asset_class))
