"""Indicators over flat arrays of many symbols: one call computes every symbol.

Each takes arrays (L,) and the offsets (N + 1,) of the symbols and returns arrays (L,), NaN while it warms
up. TA-Lib computes where it has the function.
"""

from trading.indicators.catalogue import CATALOGUE, Indicator, IndicatorError
from trading.indicators.channels import prior_high, prior_low
from trading.indicators.comparison import ROUNDING, above
from trading.indicators.oscillators import rate_of_change, relative_strength_index
from trading.indicators.prices import Prices, adjusted
from trading.indicators.slices import earlier, ordinal
from trading.indicators.trend import (
    exponential_moving_average,
    linear_regression_slope,
    moving_average_convergence_divergence,
    simple_moving_average,
)
from trading.indicators.volatility import average_true_range, bollinger_bands
from trading.indicators.volume import average_dollar_volume, volume_ratio

__all__ = [
    "CATALOGUE",
    "ROUNDING",
    "Indicator",
    "IndicatorError",
    "Prices",
    "above",
    "adjusted",
    "average_dollar_volume",
    "average_true_range",
    "bollinger_bands",
    "earlier",
    "exponential_moving_average",
    "linear_regression_slope",
    "moving_average_convergence_divergence",
    "ordinal",
    "prior_high",
    "prior_low",
    "rate_of_change",
    "relative_strength_index",
    "simple_moving_average",
    "volume_ratio",
]
