"""Losses from the highest value so far.

The starting value counts as the first peak, so a loss on the first session is a drawdown. A session
without a return (NaN) leaves the value as it was. Drawdowns are fractions of the peak, at most 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trading.performance._arrays import Floats
from trading.performance.returns import wealth

ROUNDING = 1e-12
"""A value this close below the peak has recovered: products of returns carry rounding."""


class Drawdown(NamedTuple):
    """One stretch under water, as indices of sessions.

    Attributes
    ----------
    peak : int
        Session of the peak; -1 is the starting value, before the first session.
    trough : int
        Session of the lowest value.
    recovery : int or None
        First session at or above the peak again; None while it lasts.
    end : int
        Recovery, or the last session while it lasts.
    depth : float
        Value at the trough over the peak, less 1.
    """

    peak: int
    trough: int
    recovery: int | None
    end: int
    depth: float

    @property
    def duration(self) -> int:
        """Sessions from the peak to the recovery, or to the last session while it lasts."""
        return self.end - self.peak


def running_peak(returns: Floats) -> Floats:
    """Highest value of 1 unit so far, the start included, shape (T,)."""
    peak: Floats = (
        np.maximum(np.maximum.accumulate(wealth(returns)), 1.0) if len(returns) else wealth(returns)
    )
    return peak


def drawdown_series(returns: Floats) -> Floats:
    """Value over the highest value so far, less 1, shape (T,)."""
    with np.errstate(invalid="ignore"):
        series: Floats = wealth(returns) / running_peak(returns) - 1.0
    return np.where(series > -ROUNDING, 0.0, series)


def max_drawdown(returns: Floats) -> float:
    """Deepest drawdown, at most 0; NaN without a return."""
    returns = np.asarray(returns, dtype=np.float64)
    if not np.isfinite(returns).any():
        return np.nan
    return float(drawdown_series(returns).min())


def drawdown_episodes(returns: Floats) -> list[Drawdown]:
    """Every stretch under water in order of time; empty without one."""
    series = drawdown_series(returns)
    under = np.concatenate(([False], series < 0.0, [False]))
    starts, ends = np.flatnonzero(under[1:] & ~under[:-1]), np.flatnonzero(under[:-1] & ~under[1:])
    return [_episode(series, int(start), int(end)) for start, end in zip(starts, ends, strict=True)]


def _episode(series: Floats, start: int, end: int) -> Drawdown:
    trough = start + int(np.argmin(series[start:end]))
    recovered = end < series.size
    return Drawdown(
        start - 1, trough, end if recovered else None, end if recovered else end - 1, float(series[trough])
    )


def deepest(episodes: list[Drawdown]) -> Drawdown | None:
    """The episode of the maximum drawdown, the earlier of two equal ones; None without one."""
    return min(episodes, key=lambda episode: episode.depth, default=None)


def max_drawdown_duration(returns: Floats) -> float:
    """Sessions from the peak of the maximum drawdown to its recovery, or to the last session.

    Returns
    -------
    float
        0 without a drawdown; NaN without a return.
    """
    if np.isnan(max_drawdown(returns)):
        return np.nan
    episode = deepest(drawdown_episodes(returns))
    return float(episode.duration) if episode else 0.0


def longest_drawdown(returns: Floats) -> float:
    """Sessions of the longest stretch under water, however shallow; 0 without one, NaN without a return."""
    if np.isnan(max_drawdown(returns)):
        return np.nan
    return float(max((episode.duration for episode in drawdown_episodes(returns)), default=0))
