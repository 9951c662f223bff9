"""Ranges and bands."""

from __future__ import annotations

from trading.indicators._talib import talib
from trading.indicators.slices import Floats, Offsets, per_symbol, per_symbol_three


def average_true_range(
    high: Floats, low: Floats, close: Floats, offsets: Offsets, window: int = 14
) -> Floats:
    """Wilder's average of the true range, in price units; NaN on the first ``window`` bars. [1]_

    References
    ----------
    .. [1] J. W. Wilder, New Concepts in Technical Trading Systems, 1978.
    """
    return per_symbol(
        lambda tops, bottoms, closes: talib.ATR(tops, bottoms, closes, window), offsets, high, low, close
    )


def bollinger_bands(
    values: Floats, offsets: Offsets, window: int = 20, deviations: float = 2.0
) -> tuple[Floats, Floats, Floats]:
    """Simple average plus and minus ``deviations`` population standard deviations of the same window.

    Returns
    -------
    upper, middle, lower : arrays (L,)
        In the unit of the values; NaN on the first ``window - 1`` bars.
    """
    return per_symbol_three(
        lambda series: talib.BBANDS(series, window, deviations, deviations), offsets, values
    )
