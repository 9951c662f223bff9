"""The exit that is decided at the close: momentum failure.

Stop, target and trailing stop are orders at the broker, and the holding time belongs to the decision.
"""

from __future__ import annotations

import numpy as np

from trading.indicators import above
from trading.strategies.momentum.features import Booleans, Features, Floats
from trading.strategies.momentum.parameters import ExitParameters

REASON = "momentum_failure"


def breaks_down(rows: Features, parameters: ExitParameters) -> Booleans:
    """Whether the close is below the short average on high volume: what a failure needs first."""
    return above(rows.sma_short, rows.close) & (rows.volume_ratio > parameters.failure_volume_ratio)


def failure_signs(rows: Features, score: Floats, parameters: ExitParameters) -> dict[str, Booleans]:
    """Signs of which a failure needs one more, by name."""
    return {
        "macd": rows.histogram < 0,
        "rsi": rows.rsi < parameters.failure_rsi,
        "score": score < parameters.failure_score,
    }


def momentum_failure(rows: Features, score: Floats, parameters: ExitParameters) -> Booleans:
    """Rows on which a held name is to be closed."""
    signs: Booleans = np.logical_or.reduce(list(failure_signs(rows, score, parameters).values()))
    return breaks_down(rows, parameters) & signs
