"""The defaults are the numbers of the rules, and no number can leave its bounds."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from trading.strategies.momentum.parameters import MomentumParameters


def test_defaults() -> None:
    rules = MomentumParameters().model_dump()
    assert rules["indicators"] == {
        "sma_short": 20,
        "sma_medium": 50,
        "sma_long": 200,
        "ema_fast": 12,
        "ema_slow": 26,
        "macd_signal": 9,
        "rsi": 14,
        "atr": 14,
        "volume": 20,
        "roc_short": 20,
        "roc_long": 50,
        "channel": 20,
        "dollar_volume": 30,
        "slope": 5,
    }
    assert rules["scanner"] == {
        "stock_min_market_cap": 500_000_000,
        "stock_min_volume": 5_000_000,
        "crypto_min_volume": 1_000_000,
        "stock_min_price": 5,
        "crypto_min_price": 5,
        "min_bars": 250,
        "crypto_top_n": 50,
        "stablecoins": ("USDT", "USDC", "DAI", "BUSD", "UST", "TUSD", "PAX", "GUSD"),
        "momentum_threshold": 70,
        "rsi_min": 50,
        "rsi_max": 70,
        "min_trend_strength": 60,
        "max_per_sector": 3,
        "max_candidates": 15,
        "rescan_interval_days": 5,
    }
    assert rules["exit"] == {
        "stop_loss_stock": 0.08,
        "stop_loss_crypto": 0.12,
        "profit_target_stock": 0.20,
        "profit_target_crypto": 0.30,
        "trailing_stop_activation": 0.10,
        "trailing_stop_distance": 0.08,
        "max_holding_days": 30,
        "momentum_failure": True,
        "failure_volume_ratio": 1.5,
        "failure_rsi": 40,
        "failure_score": 50,
    }
    assert rules["stop"] == {"mode": "percent", "atr_multiple": 2.5, "low_factor": 0.99}
    assert sum(rules["score"]["trend"].values()) == 100
    points = rules["entry"]["points"]
    highest = ("breakout", "volume_high", "macd", "above_average", "average_rising", "score_high")
    assert sum(points[name] for name in highest) == 100


@pytest.mark.parametrize(
    ("group", "values"),
    [
        ("entry", {"rsi_max": 101}),
        ("entry", {"rsi_min": 71}),
        ("entry", {"mode": "any"}),
        ("scanner", {"rescan_interval_days": 0}),
        ("scanner", {"max_candidates": 0}),
        ("scanner", {"momentum_threshold": 101}),
        ("exit", {"stop_loss_stock": 1.0}),
        ("exit", {"stop_loss_stock": 8}),
        ("exit", {"max_holding_days": 0}),
        ("stop", {"mode": "both"}),
        ("indicators", {"sma_short": 60}),
        ("indicators", {"ema_fast": 26}),
        ("score", {"rsi": {"low": 60}}),
        ("score", {"trend_weight": 2}),
        ("exits", {}),
    ],
)
def test_bounds(group: str, values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MomentumParameters.model_validate({group: values})


def test_one_number_of_a_bracket_may_be_changed_alone() -> None:
    rules = MomentumParameters.model_validate({"score": {"volume_ratio": {"high": 3}}})
    assert rules.score.volume_ratio.high == 3
    assert rules.score.volume_ratio.middle == 1.5
