"""Running a function over each symbol's own bars of flat arrays.

A flat array holds the bars of many symbols one after the other: rows ``offsets[i]:offsets[i + 1]`` are
symbol i, oldest first. Missing bars are absent, so nothing has to be filled and nothing is poisoned.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Offsets = NDArray[np.int64]


def per_symbol(function: Callable[..., Floats], offsets: Offsets, *inputs: Floats) -> Floats:
    """Apply a function of one series to every symbol.

    Parameters
    ----------
    function : callable
        Takes one contiguous array per input and returns one of the same length, NaN while it warms up.
    offsets : array (N + 1,)
        Bounds of the symbols.
    *inputs : arrays (L,)
        Series of float64.

    Returns
    -------
    array (L,)
        Results in place; a symbol shorter than the warm-up is all NaN.
    """
    out = np.empty(len(inputs[0]))
    for start, end in _bounds(offsets):
        out[start:end] = function(*(series[start:end] for series in inputs))
    return out


def per_symbol_three(
    function: Callable[..., tuple[Floats, Floats, Floats]], offsets: Offsets, *inputs: Floats
) -> tuple[Floats, Floats, Floats]:
    """As :func:`per_symbol` for a function that returns three arrays."""
    length = len(inputs[0])
    out = (np.empty(length), np.empty(length), np.empty(length))
    for start, end in _bounds(offsets):
        for target, values in zip(out, function(*(series[start:end] for series in inputs)), strict=True):
            target[start:end] = values
    return out


def earlier(values: Floats, offsets: Offsets, bars: int) -> Floats:
    """Value of the same symbol some bars earlier, NaN on its first bars.

    Parameters
    ----------
    values : array (L,)
        Series.
    offsets : array (N + 1,)
        Bounds of the symbols.
    bars : int
        How many bars back, at least 1.
    """
    out = np.full(len(values), np.nan)
    out[bars:] = values[:-bars]
    starts, ends = offsets[:-1], offsets[1:]
    head = starts[:, None] + np.arange(bars)
    out[head[head < ends[:, None]]] = np.nan
    return out


def ordinal(offsets: Offsets) -> NDArray[np.int64]:
    """How many bars of its symbol each row completes: 1 on the first bar."""
    before = np.repeat(offsets[:-1] - offsets[0], np.diff(offsets))
    count: NDArray[np.int64] = np.arange(1, len(before) + 1) - before
    return count


def _bounds(offsets: Offsets) -> list[tuple[int, int]]:
    bounds = offsets.tolist()
    return [(start, end) for start, end in pairwise(bounds) if end > start]
