"""Comparison of values that carry the rounding of running sums."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trading.indicators.slices import Floats

ROUNDING = 1e-12
"""Relative difference that two averages of the same prices may have from rounding alone."""


def above(value: Floats, other: Floats) -> NDArray[np.bool_]:
    """Whether one average lies above another by more than rounding.

    Running sums leave a trace of every bar they have passed: two averages of equal prices could differ in
    the last bit, and with it a decision on how long the history is.
    """
    return value > other * (1 + ROUNDING)
