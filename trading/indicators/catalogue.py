"""Indicators by name, for strategies that declare what they need."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from trading.indicators.channels import prior_high, prior_low
from trading.indicators.oscillators import rate_of_change, relative_strength_index
from trading.indicators.prices import Prices
from trading.indicators.slices import Floats
from trading.indicators.trend import (
    exponential_moving_average,
    moving_average_convergence_divergence,
    simple_moving_average,
)
from trading.indicators.volatility import average_true_range, bollinger_bands
from trading.indicators.volume import volume_ratio


class IndicatorError(ValueError):
    """An indicator that is not known, or arguments that it does not take."""


class Indicator:
    """An indicator that a strategy declares: a name of :data:`CATALOGUE` and its arguments.

    Raises
    ------
    IndicatorError
        When the name or an argument is not known.

    Examples
    --------
    >>> Indicator("simple_moving_average", window=50)
    Indicator('simple_moving_average', window=50)
    """

    __slots__ = ("arguments", "name")

    def __init__(self, name: str, **arguments: Any) -> None:
        entry = CATALOGUE.get(name)
        if entry is None:
            raise IndicatorError(f"indicator {name!r} is not known; known are: {', '.join(CATALOGUE)}")
        known = list(inspect.signature(entry.function).parameters)[1:]
        if unknown := [argument for argument in arguments if argument not in known]:
            raise IndicatorError(f"indicator {name!r} takes {', '.join(known)}, not {', '.join(unknown)}")
        self.name, self.arguments = name, arguments

    def __repr__(self) -> str:
        arguments = "".join(f", {key}={value!r}" for key, value in self.arguments.items())
        return f"Indicator({self.name!r}{arguments})"

    @property
    def in_price(self) -> bool:
        """Whether the values are prices, in forward-adjusted units."""
        return CATALOGUE[self.name].in_price

    def compute(self, prices: Prices) -> Floats:
        """Values of every bar, NaN while the indicator warms up."""
        return CATALOGUE[self.name].function(prices, **self.arguments)


class Entry(NamedTuple):
    """A function from prices to values, and whether these are prices."""

    function: Callable[..., Floats]
    in_price: bool


def _average(prices: Prices, window: int = 20) -> Floats:
    return simple_moving_average(prices.close, prices.offsets, window)


def _exponential(prices: Prices, window: int = 20) -> Floats:
    return exponential_moving_average(prices.close, prices.offsets, window)


def _relative_strength(prices: Prices, window: int = 14) -> Floats:
    return relative_strength_index(prices.close, prices.offsets, window)


def _change(prices: Prices, window: int = 20) -> Floats:
    return rate_of_change(prices.close, prices.offsets, window)


def _macd(part: int) -> Callable[..., Floats]:
    def compute(prices: Prices, fast: int = 12, slow: int = 26, signal: int = 9) -> Floats:
        return moving_average_convergence_divergence(prices.close, prices.offsets, fast, slow, signal)[part]

    return compute


def _bollinger(part: int) -> Callable[..., Floats]:
    def compute(prices: Prices, window: int = 20, deviations: float = 2.0) -> Floats:
        return bollinger_bands(prices.close, prices.offsets, window, deviations)[part]

    return compute


def _true_range(prices: Prices, window: int = 14) -> Floats:
    return average_true_range(prices.high, prices.low, prices.close, prices.offsets, window)


def _prior_high(prices: Prices, window: int = 20) -> Floats:
    return prior_high(prices.high, prices.offsets, window)


def _prior_low(prices: Prices, window: int = 20) -> Floats:
    return prior_low(prices.low, prices.offsets, window)


def _volume_ratio(prices: Prices, window: int = 20) -> Floats:
    return volume_ratio(prices.volume, prices.offsets, window)


def _dollar_volume(prices: Prices, window: int = 30) -> Floats:
    return simple_moving_average(prices.turnover, prices.offsets, window)


CATALOGUE: dict[str, Entry] = {
    "simple_moving_average": Entry(_average, True),
    "exponential_moving_average": Entry(_exponential, True),
    "relative_strength_index": Entry(_relative_strength, False),
    "rate_of_change": Entry(_change, False),
    "macd_line": Entry(_macd(0), True),
    "macd_signal": Entry(_macd(1), True),
    "macd_histogram": Entry(_macd(2), True),
    "bollinger_upper": Entry(_bollinger(0), True),
    "bollinger_middle": Entry(_bollinger(1), True),
    "bollinger_lower": Entry(_bollinger(2), True),
    "average_true_range": Entry(_true_range, True),
    "prior_high": Entry(_prior_high, True),
    "prior_low": Entry(_prior_low, True),
    "volume_ratio": Entry(_volume_ratio, False),
    "average_dollar_volume": Entry(_dollar_volume, False),
}
"""Every indicator that a strategy may declare."""
