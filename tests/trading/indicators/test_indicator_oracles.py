"""Indicators agree with published figures, to the decimals printed, and with TA-Lib on each series alone."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import talib
from numpy.typing import NDArray

from trading import indicators

Floats = NDArray[np.float64]


def columns(path: Path) -> dict[str, list[str]]:
    with path.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    return {name.strip(): [row[name] for row in rows] for name in rows[0] if name}


def numbers(texts: list[str]) -> Floats:
    return np.array([float(text) if text else np.nan for text in texts])


def assert_printed(actual: Floats, printed: list[str], skip: int = 0, slack: float = 0.0) -> None:
    """Every printed figure is met to a unit of its last decimal, as some sources cut (plus ``slack``)."""
    compared = 0
    for i, text in enumerate(printed):
        if i < skip or not text or np.isnan(actual[i]):
            continue
        decimals = min(len(text.partition(".")[2]), 9)
        assert actual[i] == pytest.approx(float(text), rel=0, abs=1.0000001 * 10.0**-decimals + slack), i
        compared += 1
    assert compared > 0.5 * (len(printed) - skip) - 25, "too few figures to call it a comparison"


def one(length: int) -> NDArray[np.int64]:
    return np.array([0, length])


class TestLean:
    @pytest.fixture
    def folder(self, shared_data: Path) -> Path:
        return shared_data / "indicators" / "lean"

    def test_averages_and_wilder_rsi(self, folder: Path) -> None:
        table = columns(folder / "spy_with_indicators.txt")
        close = numbers(table["Close"])
        offsets = one(len(close))
        # The closes are printed with two decimals, so the index of early bars carries their rounding.
        assert_printed(indicators.simple_moving_average(close, offsets, 14), table["SMA14"], slack=0.005)
        assert_printed(
            indicators.exponential_moving_average(close, offsets, 14), table["EMA14"], skip=120, slack=0.005
        )
        assert_printed(
            indicators.relative_strength_index(close, offsets, 14),
            table["RSI 14 Wilder"],
            skip=15,
            slack=5e-4,
        )

    def test_macd(self, folder: Path) -> None:
        table = columns(folder / "spy_with_macd.txt")
        close = numbers(table["Close"])
        line, signal, histogram = indicators.moving_average_convergence_divergence(close, one(len(close)))
        # LEAN seeds the fast average earlier: the start has to fade.
        assert_printed(line, table["MACD"], skip=130, slack=5e-3)
        assert_printed(signal, table["Signal"], skip=130, slack=5e-3)
        assert_printed(histogram, table["Histogram"], skip=130, slack=5e-3)

    def test_bollinger(self, folder: Path) -> None:
        table = columns(folder / "spy_bollinger_bands.txt")
        close = numbers(table["Close"])
        upper, middle, lower = indicators.bollinger_bands(close, one(len(close)))
        assert_printed(middle, table["Moving Average 20"])
        assert_printed(upper, table["Bollinger Bands® 20 2 Top"])
        assert_printed(lower, table["Bollinger Bands® 20 2 Bottom"])

    def test_average_true_range(self, folder: Path) -> None:
        table = columns(folder / "spy_atr_wilder.txt")
        high, low, close = (numbers(table[name]) for name in ("High", "Low", "Close"))
        # The source counts the first bar's own range: that start has to fade.
        actual = indicators.average_true_range(high, low, close, one(len(close)))
        assert_printed(actual, table["Average True Range 14"], skip=150)

    def test_prior_channel_is_yesterdays_donchian_channel(self, folder: Path) -> None:
        table = columns(folder / "spy_with_don50.txt")
        high, low = numbers(table["High"]), numbers(table["Low"])
        offsets = one(len(high))
        upper = indicators.prior_high(high, offsets, 50)
        lower = indicators.prior_low(low, offsets, 50)
        top = numbers(table["Donchian Channels 50 Top"])
        bottom = numbers(table["Donchian Channels 50 Bottom"])
        assert np.isnan(upper[:50]).all()
        np.testing.assert_array_equal(upper[50:], top[49:-1])
        np.testing.assert_array_equal(lower[50:], bottom[49:-1])


class TestStockCharts:
    @pytest.fixture
    def folder(self, shared_data: Path) -> Path:
        return shared_data / "indicators" / "stockcharts"

    def test_relative_strength_index(self, folder: Path) -> None:
        table = columns(folder / "cs-rsi.csv")
        close = numbers(table["Close"])
        # The source starts from exponential averages, TA-Lib from simple ones: two schools at the start.
        actual = indicators.relative_strength_index(close, one(len(close)))
        assert np.isnan(actual[:14]).all()
        printed = numbers(table["RSI"])
        assert np.abs(actual - printed)[20:].max() < 4.0

    def test_rate_of_change(self, folder: Path) -> None:
        table = columns(folder / "cs-roc.csv")
        close = numbers(table["Close"])
        assert_printed(indicators.rate_of_change(close, one(len(close)), 12), table["ROC"])

    def test_average_true_range(self, folder: Path) -> None:
        table = columns(folder / "cs-atr.csv")
        high, low, close = (numbers(table[name]) for name in ("High", "Low", "Close"))
        actual = indicators.average_true_range(high, low, close, one(len(close)))
        printed = numbers(table["ATR"])
        assert np.abs(actual - printed)[20:].max() < 0.03

    def test_bollinger(self, folder: Path) -> None:
        table = columns(folder / "cs-bbands.csv")
        close = numbers(table["Close"])
        upper, middle, lower = indicators.bollinger_bands(close, one(len(close)))
        assert_printed(middle, table["MiddleBand"])
        assert_printed(upper, table["HighBand"], slack=1e-6)
        assert_printed(lower, table["LowBand"], slack=1e-6)


LENGTHS = (0, 1, 2, 19, 20, 21, 40, 300, 5)


@pytest.fixture(scope="module")
def universe() -> dict[str, Floats]:
    """Symbols of all lengths in one flat array, the shortest too short for anything."""
    rng = np.random.default_rng(7)
    total = sum(LENGTHS)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, total)))
    spread = 1 + rng.uniform(0, 0.02, total)
    return {
        "close": close,
        "high": close * spread,
        "low": close / spread,
        "volume": rng.integers(1_000, 9_000, total).astype(float),
        "offsets": np.concatenate([[0], np.cumsum(LENGTHS)]),
    }


CASES = {
    "sma": (
        lambda d, o: indicators.simple_moving_average(d["close"], o, 20),
        lambda d: talib.SMA(d["close"], 20),
    ),
    "ema": (
        lambda d, o: indicators.exponential_moving_average(d["close"], o, 12),
        lambda d: talib.EMA(d["close"], 12),
    ),
    "rsi": (
        lambda d, o: indicators.relative_strength_index(d["close"], o),
        lambda d: talib.RSI(d["close"], 14),
    ),
    "macd": (
        lambda d, o: indicators.moving_average_convergence_divergence(d["close"], o)[2],
        lambda d: talib.MACD(d["close"], 12, 26, 9)[2],
    ),
    "atr": (
        lambda d, o: indicators.average_true_range(d["high"], d["low"], d["close"], o),
        lambda d: talib.ATR(d["high"], d["low"], d["close"], 14),
    ),
    "roc": (
        lambda d, o: indicators.rate_of_change(d["close"], o, 20),
        lambda d: talib.ROC(d["close"], 20),
    ),
    "bollinger": (
        lambda d, o: indicators.bollinger_bands(d["close"], o, 20, 2.0)[2],
        lambda d: talib.BBANDS(d["close"], 20, 2, 2)[2],
    ),
    "volume ratio": (
        lambda d, o: indicators.volume_ratio(d["volume"], o, 20),
        lambda d: d["volume"] / talib.SMA(d["volume"], 20),
    ),
    "dollar volume": (
        lambda d, o: indicators.average_dollar_volume(d["close"], d["volume"], o, 30),
        lambda d: talib.SMA(d["close"] * d["volume"], 30),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_symbol_equals_talib_on_its_own_bars(name: str, universe: dict[str, Floats]) -> None:
    ours, theirs = CASES[name]
    offsets = universe["offsets"].astype(np.int64)
    actual = ours(universe, offsets)
    for start, end in pairwise(offsets):
        alone = {key: values[start:end].copy() for key, values in universe.items() if key != "offsets"}
        np.testing.assert_array_equal(actual[start:end], theirs(alone), err_msg=f"{end - start} bars")


@pytest.mark.parametrize("name", CASES)
def test_a_value_never_depends_on_later_bars(name: str, universe: dict[str, Floats]) -> None:
    ours, _ = CASES[name]
    series = {key: values[103:403] for key, values in universe.items() if key != "offsets"}
    whole = ours(series, one(300))
    for cut in (1, 19, 34, 100, 299):
        early = {key: values[:cut].copy() for key, values in series.items()}
        np.testing.assert_array_equal(ours(early, one(cut)), whole[:cut], err_msg=f"cut at {cut}")


def test_prior_extremes_exclude_the_bar_itself() -> None:
    high = np.array([5.0, 7, 6, 9, 4, 3, 8, 1])
    offsets = np.array([0, 5, 8])
    nan = np.nan
    np.testing.assert_array_equal(indicators.prior_high(high, offsets, 2), [nan, nan, 7, 7, 9, nan, nan, 8])
    np.testing.assert_array_equal(indicators.prior_low(high, offsets, 2), [nan, nan, 5, 6, 6, nan, nan, 3])
    np.testing.assert_array_equal(indicators.prior_high(high, offsets, 1), [nan, 5, 7, 6, 9, nan, 3, 8])


def test_earlier_values_stay_within_the_symbol() -> None:
    values = np.arange(8.0)
    offsets = np.array([0, 1, 1, 5, 8])
    nan = np.nan
    np.testing.assert_array_equal(indicators.earlier(values, offsets, 2), [nan, nan, nan, 1, 2, nan, nan, 5])
    np.testing.assert_array_equal(indicators.earlier(values, offsets, 20), [nan] * 8)
    np.testing.assert_array_equal(indicators.ordinal(offsets), [1, 1, 2, 3, 4, 1, 2, 3])


def test_volume_ratio_is_unknown_where_nothing_traded() -> None:
    volume = np.array([0.0, 0, 0, 4, 4])
    ratio = indicators.volume_ratio(volume, one(5), 2)
    np.testing.assert_array_equal(ratio, [np.nan, np.nan, np.nan, 2.0, 1.0])
