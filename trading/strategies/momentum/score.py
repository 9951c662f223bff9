"""Trend strength and momentum score, 0..100."""

from __future__ import annotations

import numpy as np

from trading.indicators import above
from trading.strategies.momentum.features import Booleans, Features, Floats
from trading.strategies.momentum.parameters import Brackets, ScoreParameters, TrendPoints


def trend_parts(rows: Features) -> dict[str, Booleans]:
    """Parts of the trend strength by name of their points."""
    return {
        "above_short": above(rows.close, rows.sma_short),
        "above_medium": above(rows.close, rows.sma_medium),
        "above_long": above(rows.close, rows.sma_long),
        "short_above_medium": above(rows.sma_short, rows.sma_medium),
        "medium_above_long": above(rows.sma_medium, rows.sma_long),
        "short_rising": above(rows.sma_short, rows.sma_short_before),
    }


def trend_strength(rows: Features, points: TrendPoints) -> Floats:
    """Points of the parts that hold; NaN before the long average is known."""
    strength = np.zeros(len(rows.close))
    for name, holds in trend_parts(rows).items():
        strength += getattr(points, name) * holds
    strength[np.isnan(rows.sma_long) | np.isnan(rows.sma_short_before)] = np.nan
    return strength


def bracket_points(values: Floats, brackets: Brackets) -> Floats:
    """Points of each value; NaN for NaN."""
    points = np.select(
        [values > brackets.high, values >= brackets.middle, values >= brackets.low],
        [brackets.high_points, brackets.middle_points, brackets.low_points],
        0.0,
    )
    return np.where(np.isnan(values), np.nan, points)


def score_parts(rows: Features, strength: Floats, parameters: ScoreParameters) -> dict[str, Floats]:
    """Points of each part of the score."""
    return {
        "rate_of_change": bracket_points(rows.rate_of_change, parameters.rate_of_change),
        "rsi": bracket_points(rows.rsi, parameters.rsi),
        "trend": parameters.trend_weight * strength,
        "volume_ratio": bracket_points(rows.volume_ratio, parameters.volume_ratio),
    }


def momentum_score(rows: Features, strength: Floats, parameters: ScoreParameters) -> Floats:
    """Sum of the parts, to six decimals so that equal sums tie; NaN while a part is unknown."""
    return np.round(sum(score_parts(rows, strength, parameters).values(), np.zeros(len(strength))), 6)
