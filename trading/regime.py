"""Market regime by rules on a benchmark: bull, bear or sideways, and how much a book may do in each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from trading import indicators
from trading.history import History, select
from trading.indicators.slices import Floats

REGIMES = pl.Schema(
    {
        "session": pl.Date(),
        "regime": pl.String(),
        "bull_points": pl.Float64(),
        "bear_points": pl.Float64(),
        "size_multiplier": pl.Float64(),
        "max_positions": pl.Int64(),
    }
)


class Allowance(BaseModel):
    """What a book may do in one regime."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size_multiplier: float = Field(ge=0, le=2)
    max_positions: int = Field(ge=0)


class RegimeParameters(BaseModel):
    """Points of each comparison, windows in bars, and the allowance of each regime.

    Attributes
    ----------
    slope_sessions : int
        How far back the medium average is compared with itself.
    regression_window, flat_slope : int, float
        Bars of the regression line, and the slope per bar (share of the average) within which it counts as
        flat: 0.001 is 0.1 %.
    threshold : float
        Share of all points that makes a bull or bear market.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    medium: int = Field(default=50, ge=2)
    long: int = Field(default=200, ge=2)
    slope_sessions: int = Field(default=10, ge=1)
    regression_window: int = Field(default=20, ge=2)
    flat_slope: float = Field(default=0.001, ge=0)
    close_medium: float = Field(default=20, ge=0)
    close_long: float = Field(default=20, ge=0)
    medium_long: float = Field(default=30, ge=0)
    medium_slope: float = Field(default=15, ge=0)
    regression: float = Field(default=15, ge=0)
    threshold: float = Field(default=0.60, gt=0.5, le=1)
    bull: Allowance = Allowance(size_multiplier=1.0, max_positions=8)
    sideways: Allowance = Allowance(size_multiplier=0.75, max_positions=6)
    bear: Allowance = Allowance(size_multiplier=0.5, max_positions=4)


class Comparison(NamedTuple):
    """One comparison of a rule regime: its points, and where it says bull and bear."""

    points: float
    bull: NDArray[np.bool_]
    bear: NDArray[np.bool_]


def regimes(
    history: History,
    benchmark: str,
    window: slice | tuple[int, int] = slice(None),
    parameters: RegimeParameters | None = None,
) -> pl.DataFrame:
    """Regime of every session of a window on which the benchmark has a bar.

    A comparison that is not known yet, or comes out even, gives its points to neither side, so a short
    history is sideways.

    Parameters
    ----------
    history : History
        Bars of the benchmark, from well before the window.
    benchmark : str
        Symbol measured.
    window : slice or (first, end)
        Indices of ``history.sessions``.
    parameters : RegimeParameters, optional
        Defaults of the momentum rules.

    Returns
    -------
    polars.DataFrame
        ``session, regime, bull_points, bear_points, size_multiplier, max_positions``; points as shares of
        all points, 0..1.
    """
    rules = parameters or RegimeParameters()
    alone = select(history, (benchmark,))
    chosen = window if isinstance(window, slice) else slice(*window)
    first, end, _ = chosen.indices(len(history.sessions))
    compared = comparisons(alone, rules)
    bull = _share([(one.points, one.bull) for one in compared.values()])
    bear = _share([(one.points, one.bear) for one in compared.values()])
    regime = np.select([bull >= rules.threshold, bear >= rules.threshold], ["bull", "bear"], "sideways")
    days = alone.sessions[alone.session_index].astype(np.int32)
    inside = (alone.session_index >= first) & (alone.session_index < end)
    names = pl.col("regime")
    return (
        pl.DataFrame(
            {
                "session": pl.Series(days).cast(pl.Date),
                "regime": pl.Series(regime.tolist(), dtype=pl.String),
                "bull_points": bull,
                "bear_points": bear,
            }
        )
        .filter(pl.Series(inside))
        .with_columns(
            size_multiplier=names.replace_strict(
                {name: getattr(rules, name).size_multiplier for name in ("bull", "sideways", "bear")},
                return_dtype=pl.Float64,
            ),
            max_positions=names.replace_strict(
                {name: getattr(rules, name).max_positions for name in ("bull", "sideways", "bear")},
                return_dtype=pl.Int64,
            ),
        )
        .select(REGIMES.names())
    )


def comparisons(history: History, rules: RegimeParameters) -> dict[str, Comparison]:
    """Comparisons of the regime rules by the name of their points, on every bar of a history."""
    prices = indicators.adjusted(history)
    offsets, close = prices.offsets, prices.close
    medium = indicators.simple_moving_average(close, offsets, rules.medium)
    long = indicators.simple_moving_average(close, offsets, rules.long)
    before = indicators.earlier(medium, offsets, rules.slope_sessions)
    slope = regression_slope(close, offsets, rules.regression_window)
    return {
        "close_medium": _compared(rules.close_medium, close, medium),
        "close_long": _compared(rules.close_long, close, long),
        "medium_long": _compared(rules.medium_long, medium, long),
        "medium_slope": _compared(rules.medium_slope, medium, before),
        "regression": Comparison(rules.regression, slope > rules.flat_slope, slope < -rules.flat_slope),
    }


def regression_slope(close: Floats, offsets: NDArray[np.int64], window: int) -> Floats:
    """Slope per bar of the least-squares line through the last bars, as a share of their average.

    NaN on the first ``window - 1`` bars.
    """
    line = indicators.linear_regression_slope(close, offsets, window)
    slope: Floats = line / indicators.simple_moving_average(close, offsets, window)
    return slope


def _compared(points: float, value: Floats, other: Floats) -> Comparison:
    return Comparison(points, indicators.above(value, other), indicators.above(other, value))


def _share(sides: list[tuple[float, NDArray[np.bool_]]]) -> Floats:
    """Share of all points that one side has, to nine decimals so that rounding decides nothing."""
    total = sum(points for points, _ in sides) or 1.0
    share: Floats = np.round(sum(points * holds.astype(np.float64) for points, holds in sides) / total, 9)
    return share
