"""The entry signal: conditions, strength, stop and target."""

from __future__ import annotations

import numpy as np

from trading.indicators import above
from trading.strategies.momentum.features import Booleans, Features, Floats
from trading.strategies.momentum.parameters import EntryParameters, ExitParameters, StopParameters

LOWEST_STOP = 0.01
"""A stop is never below this share of the price: a range wider than the price leaves no other."""


def entry_conditions(rows: Features, score: Floats, parameters: EntryParameters) -> dict[str, Booleans]:
    """Conditions of an entry by name."""
    return {
        "breakout": rows.close > rows.prior_high,
        "volume": rows.volume_ratio >= parameters.volume_surge_threshold,
        "macd": rows.histogram > 0,
        "above_average": above(rows.close, rows.sma_medium),
        "average_rising": above(rows.sma_medium, rows.sma_medium_before),
        "score": score >= parameters.score_high,
        "rsi": (rows.rsi >= parameters.rsi_min) & (rows.rsi <= parameters.rsi_max),
    }


def entry_strength(rows: Features, score: Floats, parameters: EntryParameters) -> Floats:
    """Points of the conditions, 0..100; volume and score earn part of theirs below their threshold."""
    points = parameters.points
    holds = entry_conditions(rows, score, parameters)
    volume = np.select(
        [
            holds["volume"],
            rows.volume_ratio >= parameters.volume_middle,
            rows.volume_ratio >= parameters.volume_low,
        ],
        [points.volume_high, points.volume_middle, points.volume_low],
        0.0,
    )
    scored = np.select(
        [holds["score"], score >= parameters.score_middle, score >= parameters.score_low],
        [points.score_high, points.score_middle, points.score_low],
        0.0,
    )
    simple = (
        points.breakout * holds["breakout"]
        + points.macd * holds["macd"]
        + points.above_average * holds["above_average"]
        + points.average_rising * holds["average_rising"]
    )
    strength: Floats = np.minimum(simple + volume + scored, 100.0)
    return strength


def entry_signal(rows: Features, score: Floats, parameters: EntryParameters) -> Booleans:
    """Rows that enter, by the mode of the parameters; the index must lie in its bounds in either mode."""
    holds = entry_conditions(rows, score, parameters)
    if parameters.mode == "strength":
        strong = entry_strength(rows, score, parameters) >= parameters.strength_threshold
        return np.logical_and(strong, holds["rsi"])
    if not parameters.require_volume_surge:
        holds.pop("volume")
    enters: Booleans = np.logical_and.reduce(list(holds.values()))
    return enters


def stop_price(rows: Features, crypto: Booleans, stop: StopParameters, parameters: ExitParameters) -> Floats:
    """Protective stop in raw prices of the session."""
    price = rows.raw_close
    percent = np.where(crypto, parameters.stop_loss_crypto, parameters.stop_loss_stock)
    level = price * (1 - percent)
    if stop.mode == "atr":
        level = np.minimum(level, price - stop.atr_multiple * rows.atr / rows.factor)
        level = np.minimum(level, stop.low_factor * rows.prior_low / rows.factor)
    stop_level: Floats = np.maximum(level, LOWEST_STOP * price)
    return stop_level


def target_price(rows: Features, crypto: Booleans, parameters: ExitParameters) -> Floats:
    """Profit target in raw prices of the session."""
    percent = np.where(crypto, parameters.profit_target_crypto, parameters.profit_target_stock)
    target: Floats = rows.raw_close * (1 + percent)
    return target
