"""The rule regime: each comparison's points, the three regimes, and nothing from the future."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from trading.history import History, until
from trading.regime import REGIMES, RegimeParameters, comparisons, regimes, regression_slope


def market(close: np.ndarray, missing: tuple[int, ...] = ()) -> History:
    """A benchmark M and a second name N that goes the other way; M lacks bars on some sessions."""
    length = len(close)
    index = np.array([i for i in range(length) if i not in missing], dtype=np.int32)
    price = np.concatenate([close[index], close[::-1]])
    ones = np.ones(len(price))
    return History(
        sessions=np.datetime64("2020-01-01", "D") + np.arange(length),
        symbols=("M", "N"),
        offsets=np.array([0, len(index), len(price)]),
        session_index=np.concatenate([index, np.arange(length, dtype=np.int32)]),
        open=price,
        high=price,
        low=price,
        close=price,
        volume=ones,
        price_factor=ones,
        split_factor=ones,
        asset_class=("etf", "etf"),
        sector=(None, None),
    )


def last(close: np.ndarray) -> dict[str, object]:
    return regimes(market(close), "M").row(-1, named=True)


RISING = 100 * 1.002 ** np.arange(300)
FALLING = RISING[::-1].copy()
FLAT = np.full(300, 100.0)


@pytest.mark.parametrize(
    ("close", "regime", "bull", "bear", "multiplier", "positions"),
    [
        (RISING, "bull", 1.0, 0.0, 1.0, 8),
        (FALLING, "bear", 0.0, 1.0, 0.5, 4),
        (FLAT, "sideways", 0.0, 0.0, 0.75, 6),
        # Too slow for the regression line (0.05 % a session) but for all else a bull market: 85 of 100.
        (100 * 1.0005 ** np.arange(300), "bull", 0.85, 0.0, 1.0, 8),
        (100 * 0.9995 ** np.arange(300), "bear", 0.0, 0.85, 0.5, 4),
        # 60 bars: the long average is not known, 20 + 15 + 15 of 100 points are not enough.
        (RISING[:60], "sideways", 0.5, 0.0, 0.75, 6),
        (RISING[:10], "sideways", 0.0, 0.0, 0.75, 6),
        # A fall on the last day below both averages: 30 + 15 for, 20 + 20 against; the line still rises: 60.
        (np.append(RISING, 100.0), "sideways", 0.45, 0.55, 0.75, 6),
    ],
)
def test_regimes(
    close: np.ndarray, regime: str, bull: float, bear: float, multiplier: float, positions: int
) -> None:
    row = last(close)
    assert (row["regime"], row["bull_points"], row["bear_points"]) == (regime, bull, bear)
    assert (row["size_multiplier"], row["max_positions"]) == (multiplier, positions)


@pytest.mark.parametrize(("against", "regime"), [(20.0, "bull"), (21.0, "sideways")])
def test_the_threshold_is_included(against: float, regime: str) -> None:
    """Thirty points for and twenty against are 60 %; one more against is too much."""
    rules = RegimeParameters(close_medium=against, close_long=0, medium_long=30, medium_slope=0, regression=0)
    close = np.append(RISING, 150.0)  # below the medium average, which lies above the long one
    row = regimes(market(close), "M", parameters=rules).row(-1, named=True)
    assert row["bear_points"] == pytest.approx(against / (30 + against))
    assert row["regime"] == regime


def test_points_are_those_of_the_rules() -> None:
    compared = comparisons(market(RISING), RegimeParameters())
    assert {name: one.points for name, one in compared.items()} == {
        "close_medium": 20,
        "close_long": 20,
        "medium_long": 30,
        "medium_slope": 15,
        "regression": 15,
    }


def test_slope_of_a_line() -> None:
    close = 100 + 0.5 * np.arange(60)
    slope = regression_slope(close, np.array([0, 60]), 20)
    assert np.isnan(slope[:19]).all()
    average = np.convolve(close, np.ones(20) / 20, mode="valid")
    np.testing.assert_allclose(slope[19:], 0.5 / average, rtol=1e-9)


def test_a_session_without_a_bar_of_the_benchmark_has_no_regime() -> None:
    history = market(RISING, missing=(290, 295))
    found = regimes(history, "M")
    assert found.schema == REGIMES
    assert found.height == 298
    assert history.sessions[290].item() not in set(found["session"])
    assert regimes(history, "X").schema == REGIMES
    assert regimes(history, "X").is_empty()


def test_window_and_future() -> None:
    rng = np.random.default_rng(3)
    history = market(100 * np.exp(np.cumsum(rng.normal(0, 0.015, 400))))
    whole = regimes(history, "M")
    assert whole["regime"].n_unique() == 3
    assert regimes(history, "M", (250, 260)).equals(whole.slice(250, 10))
    for cut in (40, 205, 300, 399):
        day = history.sessions[cut].item()
        assert regimes(until(history, day), "M").equals(whole.filter(pl.col("session") <= day))
