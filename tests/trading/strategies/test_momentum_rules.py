"""Each momentum rule on hand-computed rows, at and around every threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trading.strategies.momentum import entry, exit, scan, score
from trading.strategies.momentum.features import Features
from trading.strategies.momentum.parameters import MomentumParameters

RULES = MomentumParameters()
NAN = float("nan")
UP = {
    "close": 110.0,
    "factor": 1.0,
    "raw_close": 110.0,
    "sma_short": 105.0,
    "sma_short_before": 104.0,
    "sma_medium": 100.0,
    "sma_medium_before": 99.0,
    "sma_long": 90.0,
    "rsi": 65.0,
    "histogram": 0.5,
    "atr": 2.0,
    "rate_of_change": 15.0,
    "prior_high": 109.0,
    "prior_low": 100.0,
    "volume_ratio": 1.6,
    "dollar_volume": 6e6,
    "bars": 300.0,
}
"""A name in an uptrend that passes everything."""


def row(**changed: float) -> Features:
    return Features(**{name: np.array([float(value)]) for name, value in {**UP, **changed}.items()})


def strength_of(features: Features) -> np.ndarray:
    return score.trend_strength(features, RULES.score.trend)


def score_of(features: Features) -> float:
    return float(score.momentum_score(features, strength_of(features), RULES.score)[0])


@pytest.mark.parametrize(
    ("changed", "points"),
    [
        ({}, 100),
        ({"close": 104.0}, 80),  # below SMA20
        ({"close": 105.0}, 80),  # on SMA20 is not above it
        ({"close": 99.0}, 60),  # below SMA20 and SMA50
        ({"close": 80.0}, 40),  # below all three
        ({"sma_short": 99.0, "sma_short_before": 98.0}, 85),  # SMA20 below SMA50
        ({"sma_medium": 89.0}, 85),  # SMA50 below SMA200
        ({"sma_long": 100.0}, 85),  # SMA50 on SMA200
        ({"sma_short_before": 106.0}, 90),  # SMA20 falling
        ({"sma_short_before": 105.0}, 90),  # SMA20 flat
        ({"sma_short_before": 105.0 - 1e-13}, 90),  # flat but for rounding
        (
            {
                "close": 50.0,
                "sma_short": 60.0,
                "sma_short_before": 61.0,
                "sma_medium": 70.0,
                "sma_long": 80.0,
            },
            0,
        ),
        ({"sma_long": NAN}, NAN),  # not known before 200 bars
    ],
)
def test_trend_strength(changed: dict[str, float], points: float) -> None:
    np.testing.assert_array_equal(strength_of(row(**changed)), [points])


@pytest.mark.parametrize(
    ("change", "points"),
    [(35, 30), (20.01, 30), (20, 20), (10, 20), (9.99, 10), (0, 10), (-0.01, 0), (-40, 0), (NAN, NAN)],
)
def test_points_of_the_rate_of_change(change: float, points: float) -> None:
    actual = score.bracket_points(np.array([change]), RULES.score.rate_of_change)
    np.testing.assert_array_equal(actual, [points])


@pytest.mark.parametrize(
    ("rsi", "points"),
    [(95, 25), (70.01, 25), (70, 20), (50, 20), (49.99, 10), (30, 10), (29.99, 0), (NAN, NAN)],
)
def test_points_of_the_relative_strength_index(rsi: float, points: float) -> None:
    np.testing.assert_array_equal(score.bracket_points(np.array([rsi]), RULES.score.rsi), [points])


@pytest.mark.parametrize(
    ("ratio", "points"), [(9, 15), (2.01, 15), (2, 10), (1.5, 10), (1.49, 5), (1, 5), (0.99, 0), (NAN, NAN)]
)
def test_points_of_the_volume(ratio: float, points: float) -> None:
    np.testing.assert_array_equal(score.bracket_points(np.array([ratio]), RULES.score.volume_ratio), [points])


@pytest.mark.parametrize(
    ("changed", "total"),
    [
        ({}, 20 + 20 + 30 + 10),
        ({"rate_of_change": 25.0, "rsi": 75.0, "volume_ratio": 2.5}, 30 + 25 + 30 + 15),
        ({"rate_of_change": -1.0, "rsi": 20.0, "volume_ratio": 0.5, "close": 80.0}, 0.3 * 40),
        ({"sma_short_before": 106.0}, 20 + 20 + 27 + 10),
        ({"sma_long": 100.0}, 20 + 20 + 25.5 + 10),
        ({"rsi": NAN}, NAN),
        ({"sma_long": NAN}, NAN),
    ],
)
def test_momentum_score(changed: dict[str, float], total: float) -> None:
    assert score_of(row(**changed)) == pytest.approx(total, abs=0, nan_ok=True)


CRYPTO, STOCK = np.array([True]), np.array([False])


@pytest.mark.parametrize(
    ("changed", "crypto", "cap", "failing"),
    [
        ({}, STOCK, NAN, set()),
        ({}, STOCK, 500e6, set()),
        ({}, STOCK, 499e6, {"market_cap"}),
        ({}, CRYPTO, 1.0, set()),  # the gate of market capitalisation is for stocks
        ({"dollar_volume": 5e6}, STOCK, NAN, set()),
        ({"dollar_volume": 4.99e6}, STOCK, NAN, {"dollar_volume"}),
        ({"dollar_volume": 1e6}, CRYPTO, NAN, set()),
        ({"dollar_volume": 0.99e6}, CRYPTO, NAN, {"dollar_volume"}),
        ({"dollar_volume": NAN}, STOCK, NAN, {"dollar_volume"}),
        ({"raw_close": 5.0}, STOCK, NAN, set()),
        ({"raw_close": 4.99}, STOCK, NAN, {"price"}),
        ({"raw_close": 4.99, "close": 500.0}, STOCK, NAN, {"price"}),  # the raw close counts
        ({"bars": 250.0}, STOCK, NAN, set()),
        ({"bars": 249.0}, STOCK, NAN, {"history"}),
    ],
)
def test_universe_gates(changed: dict[str, float], crypto: Any, cap: float, failing: set[str]) -> None:
    gates = scan.universe_gates(row(**changed), crypto, np.array([True]), np.array([cap]), RULES.scanner)
    assert {name for name, holds in gates.items() if not holds[0]} == failing


def test_only_leading_crypto_passes_and_stocks_need_not_lead() -> None:
    behind = np.array([False])
    assert not scan.universe_gates(row(), CRYPTO, behind, np.array([NAN]), RULES.scanner)["crypto_top"][0]
    assert scan.universe_gates(row(), STOCK, behind, np.array([NAN]), RULES.scanner)["crypto_top"][0]


@pytest.mark.parametrize(
    ("changed", "failing"),
    [
        ({}, set()),
        ({"rsi": 50.0}, set()),
        ({"rsi": 49.99}, {"rsi"}),
        ({"rsi": 70.0}, set()),
        ({"rsi": 70.01}, {"rsi"}),
        ({"close": 100.0}, {"above_medium"}),
        ({"close": 95.0}, {"above_medium"}),
        ({"close": 90.0}, {"above_medium", "above_long"}),
        ({"sma_long": NAN}, {"above_long"}),
    ],
)
def test_price_filters(changed: dict[str, float], failing: set[str]) -> None:
    filters = scan.price_filters(row(**changed), RULES.scanner)
    assert {name for name, holds in filters.items() if not holds[0]} == failing


@pytest.mark.parametrize(
    ("points", "trend", "failing"),
    [
        (70.0, 60.0, set()),
        (69.99, 60.0, {"score"}),
        (70.0, 59.99, {"trend_strength"}),
        (NAN, NAN, {"score", "trend_strength"}),
    ],
)
def test_score_filters(points: float, trend: float, failing: set[str]) -> None:
    filters = scan.score_filters(np.array([points]), np.array([trend]), RULES.scanner)
    assert {name for name, holds in filters.items() if not holds[0]} == failing


@pytest.mark.parametrize(
    ("changed", "points", "failing"),
    [
        ({}, 80, set()),
        ({"close": 109.0}, 80, {"breakout"}),
        ({"prior_high": NAN}, 80, {"breakout"}),
        ({"volume_ratio": 1.5}, 80, set()),
        ({"volume_ratio": 1.49}, 80, {"volume"}),
        ({"histogram": 0.0}, 80, {"macd"}),
        ({"close": 100.0, "prior_high": 99.0}, 80, {"above_average"}),
        ({"sma_medium_before": 100.0}, 80, {"average_rising"}),
        ({"sma_medium_before": 101.0}, 80, {"average_rising"}),
        ({}, 70, set()),
        ({}, 69.99, {"score"}),
        ({"rsi": 49.9}, 80, {"rsi"}),
        ({"rsi": 70.1}, 80, {"rsi"}),
        ({"rsi": 50.0}, 80, set()),
        ({"rsi": 70.0}, 80, set()),
    ],
)
def test_entry_asks_for_every_condition(changed: dict[str, float], points: float, failing: set[str]) -> None:
    values = np.array([points], dtype=float)
    holds = entry.entry_conditions(row(**changed), values, RULES.entry)
    assert {name for name, one in holds.items() if not one[0]} == failing
    assert entry.entry_signal(row(**changed), values, RULES.entry)[0] == (not failing)


@pytest.mark.parametrize(
    ("changed", "points", "strength"),
    [
        ({}, 80, 100),
        ({"close": 108.0}, 80, 80),  # no breakout: 20 less
        ({"volume_ratio": 1.4}, 80, 95),
        ({"volume_ratio": 1.3}, 80, 95),
        ({"volume_ratio": 1.2}, 80, 90),
        ({"volume_ratio": 1.1}, 80, 90),
        ({"volume_ratio": 1.09}, 80, 85),
        ({"histogram": -0.1}, 80, 85),
        ({"close": 99.0}, 80, 65),  # neither breakout nor above the average
        ({"sma_medium_before": 101.0}, 80, 85),
        ({}, 69, 95),
        ({}, 60, 95),
        ({}, 59, 90),
        ({}, 50, 90),
        ({}, 49, 80),
        ({}, NAN, 80),
    ],
)
def test_entry_strength(changed: dict[str, float], points: float, strength: float) -> None:
    actual = entry.entry_strength(row(**changed), np.array([points], dtype=float), RULES.entry)
    np.testing.assert_array_equal(actual, [strength])


@pytest.mark.parametrize(
    ("changed", "points", "enters"),
    [
        ({"close": 108.0, "volume_ratio": 1.3}, 80, True),  # 15 + 15 + 15 + 20 + 10 = 75
        ({"close": 108.0, "volume_ratio": 1.1}, 80, True),  # 70
        ({"close": 108.0, "volume_ratio": 1.0}, 80, False),  # 65
        ({"rsi": 71.0}, 80, False),  # the bounds hold in this mode, too
    ],
)
def test_strength_mode(changed: dict[str, float], points: float, enters: bool) -> None:
    parameters = RULES.entry.model_copy(update={"mode": "strength"})
    assert entry.entry_signal(row(**changed), np.array([float(points)]), parameters)[0] == enters


def test_volume_need_not_surge_where_it_is_not_required() -> None:
    parameters = RULES.entry.model_copy(update={"require_volume_surge": False})
    quiet = row(volume_ratio=0.4)
    assert entry.entry_signal(quiet, np.array([80.0]), parameters)[0]
    assert not entry.entry_signal(quiet, np.array([80.0]), RULES.entry)[0]


@pytest.mark.parametrize(
    ("mode", "changed", "crypto", "stop"),
    [
        ("percent", {}, STOCK, 110 * 0.92),
        ("percent", {}, CRYPTO, 110 * 0.88),
        ("atr", {}, STOCK, 99.0),  # prior low 100 x 0.99 is the lowest of 101.2, 105 and 99
        ("atr", {"prior_low": 105.0}, STOCK, 110 * 0.92),  # 8 % is wider than 2.5 x 2
        ("atr", {"prior_low": 105.0, "atr": 6.0}, STOCK, 95.0),  # 2.5 x 6 is wider than 8 %
        ("atr", {"prior_low": 105.0, "atr": 6.0}, CRYPTO, 95.0),
        ("atr", {"prior_low": 105.0, "atr": 60.0}, STOCK, 1.1),  # never at or below zero
        ("atr", {"prior_low": 210.0, "atr": 12.0, "factor": 2.0, "close": 220.0}, STOCK, 95.0),  # raw prices
    ],
)
def test_stop_price(mode: str, changed: dict[str, float], crypto: Any, stop: float) -> None:
    parameters = RULES.stop.model_copy(update={"mode": mode})
    actual = entry.stop_price(row(**changed), crypto, parameters, RULES.exit)
    np.testing.assert_allclose(actual, [stop], rtol=1e-14)


@pytest.mark.parametrize(("crypto", "target"), [(STOCK, 132.0), (CRYPTO, 143.0)])
def test_target_price(crypto: Any, target: float) -> None:
    np.testing.assert_allclose(entry.target_price(row(close=9.0), crypto, RULES.exit), [target], rtol=1e-14)


FAILING = {"close": 100.0, "raw_close": 100.0, "sma_short": 101.0, "volume_ratio": 1.6}


@pytest.mark.parametrize(
    ("changed", "points", "closes"),
    [
        ({"histogram": -0.1}, 80, True),
        ({"rsi": 39.9}, 80, True),
        ({}, 49.9, True),
        ({}, 80, False),  # no sign
        ({"rsi": 40.0}, 50, False),  # at the thresholds
        ({"histogram": 0.0}, 80, False),
        ({"histogram": -0.1, "volume_ratio": 1.5}, 80, False),  # volume must exceed
        ({"histogram": -0.1, "close": 101.0}, 80, False),  # close on the average
        ({"histogram": -0.1, "close": 102.0}, 80, False),
        ({"histogram": NAN}, NAN, False),  # nothing is known
        ({"histogram": NAN, "rsi": 30.0}, NAN, True),
    ],
)
def test_momentum_failure(changed: dict[str, float], points: float, closes: bool) -> None:
    features = row(**{**FAILING, **changed})
    assert exit.momentum_failure(features, np.array([points], dtype=float), RULES.exit)[0] == closes


@pytest.mark.parametrize(
    ("symbol", "base"),
    [
        ("BTC-USD", "BTC"),
        ("BTC/USDT", "BTC"),
        ("BTCUSD", "BTC"),
        ("BTCUSDT", "BTC"),
        ("ETHBTC", "ETH"),
        ("btcusd", "BTC"),
        ("USDTUSD", "USDT"),
        ("USDT", "USDT"),
        ("USDCUSDT", "USDC"),
        ("GUSD-USD", "GUSD"),
        ("DOGE", "DOGE"),
    ],
)
def test_base_currency(symbol: str, base: str) -> None:
    assert scan.base_currency(symbol) == base


@pytest.mark.parametrize("coin", RULES.scanner.stablecoins)
@pytest.mark.parametrize("form", ["{}", "{}USD", "{}-USD", "{}/USDT", "{}.USD"])
def test_stablecoins_in_every_spelling(coin: str, form: str) -> None:
    assert scan.is_stablecoin(form.format(coin), RULES.scanner)


@pytest.mark.parametrize("symbol", ["BTCUSD", "BTC-USDT", "ETH/USDC", "SOL", "PAXG-USD", "USTB-USD"])
def test_what_is_quoted_in_a_stablecoin_is_none(symbol: str) -> None:
    assert not scan.is_stablecoin(symbol, RULES.scanner)


@pytest.mark.parametrize(
    ("session", "anchor", "interval", "scanned"),
    [(10, 10, 5, 10), (14, 10, 5, 10), (15, 10, 5, 15), (9, 10, 5, 5), (3, 0, 1, 3), (3, 4, 5, -1)],
)
def test_last_full_scan(session: int, anchor: int, interval: int, scanned: int) -> None:
    assert scan.last_scan(np.array([session]), anchor, interval)[0] == scanned


def test_ranking_by_score_then_dollar_volume_then_symbol() -> None:
    order, rank = scan.ranking(
        session=np.array([7, 7, 7, 7, 8]),
        score=np.array([80.0, 90.0, 80.0, 80.0, 70.0]),
        dollar_volume=np.array([1e6, 1e6, 5e6, 1e6, 1e6]),
        symbol=np.array([3, 0, 1, 2, 0]),
    )
    assert order.tolist() == [1, 2, 3, 0, 4]
    assert rank.tolist() == [1, 2, 3, 4, 1]


def test_names_of_the_last_scan_are_scored_again_until_the_next() -> None:
    # Scans on sessions 0, 5, 10. Symbol 0 passes on 0, 1, 3 and 6; symbol 1 on 2, 5, 6 and 9.
    symbol = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    session = np.array([0, 1, 3, 6, 2, 5, 6, 9])
    candidate, full = scan.remembered(symbol, session, anchor=0, interval=5)
    assert candidate.tolist() == [True, True, True, False, False, True, True, True]
    assert full.tolist() == [True, False, False, False, False, True, False, False]


def test_without_a_scan_in_the_history_there_are_no_candidates() -> None:
    candidate, _ = scan.remembered(np.array([0, 0]), np.array([0, 1]), anchor=4, interval=5)
    assert candidate.tolist() == [False, False]
