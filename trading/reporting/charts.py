"""Pictures as PNG bytes: equity with drawdown, exposure, and candlesticks with indicators."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trading.reporting.candlesticks import Candles, Pane, candlestick_png
from trading.reporting.canvas import (
    SCHEMES,
    Colours,
    Scheme,
    Series,
    as_array,
    date_axis,
    limits_of,
    name_lines,
    new_figure,
    nothing_png,
    to_png,
    value_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Candles", "Pane", "candlestick_png", "equity_png", "exposure_png", "nothing_png"]


def equity_png(
    sessions: Sequence[date],
    equity: Series,
    drawdown: Series,
    *,
    benchmark: Series = (),
    benchmark_name: str = "benchmark",
    title: str = "Equity",
    scheme: Scheme = "light",
) -> bytes:
    """Draw equity over its drawdown.

    Parameters
    ----------
    equity, drawdown, benchmark : sequence of float or None
        One value a session; None and NaN leave a gap. Drawdowns are fractions, at most 0.

    Returns
    -------
    bytes
        A PNG; one that says so when there is nothing to draw.
    """
    values, declines, compared = as_array(equity), as_array(drawdown), as_array(benchmark)
    if not np.isfinite(values).any():
        return nothing_png(title, scheme)
    colours = SCHEMES[scheme]
    figure, (above, below) = new_figure(title, (3.2, 1.0), colours)
    if np.isfinite(compared).any():
        above.plot(compared, color=colours.other, linewidth=1.3, label=benchmark_name)
    above.plot(values, color=colours.line, linewidth=1.8, label="equity")
    lowest, highest = limits_of(values, compared)
    above.fill_between(np.arange(values.size), values, lowest, color=colours.line, alpha=0.08, linewidth=0)
    value_axis(above, lowest, highest, 6)
    _end_label(above, values, colours)
    if np.isfinite(compared).any():
        name_lines(above, colours)
    below.fill_between(np.arange(declines.size), declines * 100, 0, color=colours.bad, alpha=0.2, linewidth=0)
    below.plot(declines * 100, color=colours.bad, linewidth=1.0)
    deepest = float(np.nanmin(declines)) * 100 if np.isfinite(declines).any() else 0.0
    value_axis(below, min(deepest * 1.1, -0.5), 0.0, 3, percent=True)
    _mark_deepest(below, declines * 100, colours)
    date_axis(below, sessions)
    return to_png(figure)


def exposure_png(
    sessions: Sequence[date],
    exposure: Series,
    *,
    limit: float | None = None,
    title: str = "Exposure",
    scheme: Scheme = "light",
) -> bytes:
    """Draw the positions' absolute value over equity (fractions), with its limit where one is set."""
    values, colours = as_array(exposure) * 100, SCHEMES[scheme]
    if not np.isfinite(values).any():
        return nothing_png(title, scheme)
    figure, (plot,) = new_figure(title, (1.0,), colours, height=3.0)
    plot.fill_between(
        np.arange(values.size), values, 0, color=colours.line, alpha=0.25, linewidth=0, step="mid"
    )
    plot.step(np.arange(values.size), values, where="mid", color=colours.line, linewidth=1.2)
    highest = max(float(np.nanmax(values)), 1.0)
    if limit is not None and math.isfinite(limit):
        plot.axhline(
            limit * 100, color=colours.bad, linewidth=1.2, linestyle=(0, (5, 3)), label=f"limit {limit:.0%}"
        )
        highest = max(highest, limit * 100)
        name_lines(plot, colours)
    value_axis(plot, min(float(np.nanmin(values)), 0.0), highest * 1.12, 5, percent=True)
    date_axis(plot, sessions)
    return to_png(figure)


def _end_label(plot: Axes, values: NDArray[np.float64], colours: Colours) -> None:
    """Mark the last value with a dot and its figure."""
    last = int(np.flatnonzero(np.isfinite(values))[-1])
    plot.plot([last], [values[last]], "o", color=colours.line, markersize=5)
    plot.annotate(
        f"{values[last]:,.0f}" if abs(values[last]) < 1e12 else f"{values[last]:.3g}",
        (last, values[last]),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        annotation_clip=False,
        color=colours.line,
        fontsize=10,
        fontweight="bold",
    )


def _mark_deepest(plot: Axes, percent: NDArray[np.float64], colours: Colours) -> None:
    if not np.isfinite(percent).any() or np.nanmin(percent) >= 0:
        return
    place = int(np.nanargmin(percent))
    plot.plot([place], [percent[place]], "o", color=colours.bad, markersize=4)
    plot.annotate(
        f"{percent[place]:.1f} %",
        (place, percent[place]),
        xytext=(0, 9),
        textcoords="offset points",
        ha="center",
        color=colours.bad,
        fontsize=9,
    )
