"""Candlesticks with indicators, volume and levels as a PNG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trading.reporting.canvas import (
    SCHEMES,
    Colours,
    Scheme,
    Series,
    as_array,
    date_axis,
    limits_of,
    literal,
    name_lines,
    new_figure,
    nothing_png,
    to_png,
    value_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Candles(NamedTuple):
    """Prices and volume of one symbol by session, shapes (T,)."""

    sessions: Sequence[date]
    open: Series
    high: Series
    low: Series
    close: Series
    volume: Series


class Pane(NamedTuple):
    """Indicators under the price that share a scale: lines, bars (a histogram) and levels."""

    name: str
    lines: Mapping[str, Series] = {}
    bars: Series = ()
    levels: Sequence[float] = ()


def candlestick_png(
    candles: Candles,
    overlays: Mapping[str, Series] | None = None,
    panes: Sequence[Pane] = (),
    *,
    levels: Mapping[str, float] | None = None,
    title: str = "",
    scheme: Scheme = "light",
) -> bytes:
    """Draw candles with overlays, volume, and one pane for each further group of indicators.

    Parameters
    ----------
    overlays : mapping
        Lines on the price, such as moving averages.
    levels : mapping
        Horizontal lines on the price, such as stop and target.
    """
    closes, colours = as_array(candles.close), SCHEMES[scheme]
    if not np.isfinite(closes).any():
        return nothing_png(title, scheme)
    ratios = (4.0, 0.9, *(1.0 for _ in panes))
    figure, axes = new_figure(title, ratios, colours, height=4.6 + 0.9 * len(panes))
    _candles(axes[0], candles, colours)
    shown = {name: as_array(line) for name, line in (overlays or {}).items()}
    for place, (name, line) in enumerate(shown.items()):
        axes[0].plot(line, color=colours.extra[place % len(colours.extra)], linewidth=1.2, label=name)
    _levels(axes[0], levels or {}, colours)
    limits = limits_of(
        as_array(candles.low),
        as_array(candles.high),
        *shown.values(),
        as_array(list((levels or {}).values())),
    )
    value_axis(axes[0], *limits, 6)
    if shown:
        name_lines(axes[0], colours)
    _volume(axes[1], candles, colours)
    for plot, pane in zip(axes[2:], panes, strict=True):
        _pane(plot, pane, colours)
    date_axis(axes[-1], candles.sessions)
    return to_png(figure)


def _candles(plot: Axes, candles: Candles, colours: Colours) -> None:
    """Draw wicks and bodies as two collections: a thousand candles are two objects."""
    from matplotlib.collections import LineCollection, PatchCollection  # noqa: PLC0415
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    open_, high, low, close = (as_array(line) for line in candles[1:5])
    known = np.flatnonzero(np.isfinite(open_) & np.isfinite(high) & np.isfinite(low) & np.isfinite(close))
    painted = [colours.good if close[place] >= open_[place] else colours.bad for place in known]
    wicks = [((place, low[place]), (place, high[place])) for place in known]
    least = (np.nanmax(high[known]) - np.nanmin(low[known])) * 0.0015 if known.size else 0.0
    bodies = [
        Rectangle(
            (place - 0.34, min(open_[place], close[place])),
            0.68,
            max(abs(close[place] - open_[place]), least),
        )
        for place in known
    ]
    plot.add_collection(LineCollection(wicks, colors=painted, linewidths=1.0))
    plot.add_collection(PatchCollection(bodies, facecolors=painted, linewidths=0))
    plot.set_xlim(-1, close.size)


def _levels(plot: Axes, levels: Mapping[str, float], colours: Colours) -> None:
    for name, level in levels.items():
        if math.isfinite(level):
            plot.axhline(level, color=colours.dim, linewidth=1.0, linestyle=(0, (4, 3)))
            plot.annotate(
                literal(f"{name} {level:,.2f}"),
                (1, level),
                xycoords=("axes fraction", "data"),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                annotation_clip=False,
                color=colours.dim,
                fontsize=9,
            )


def _volume(plot: Axes, candles: Candles, colours: Colours) -> None:
    open_, close, volume = (
        as_array(candles.open),
        as_array(candles.close),
        np.nan_to_num(as_array(candles.volume)),
    )
    painted = np.where(close >= open_, colours.good, colours.bad)
    plot.bar(np.arange(volume.size), volume, width=0.68, color=painted.tolist(), alpha=0.45)
    value_axis(plot, 0.0, max(float(volume.max(initial=0.0)), 1.0) * 1.1, 3)
    _pane_name(plot, "Volume", colours)


def _pane(plot: Axes, pane: Pane, colours: Colours) -> None:
    bars = as_array(pane.bars)
    if bars.size:
        painted = np.where(bars >= 0, colours.good, colours.bad)
        plot.bar(np.arange(bars.size), bars, width=0.68, color=painted.tolist(), alpha=0.45)
    lines = [as_array(line) for line in pane.lines.values()]
    for place, (name, line) in enumerate(zip(pane.lines, lines, strict=True)):
        plot.plot(line, color=(colours.line, *colours.extra)[place % 5], linewidth=1.2, label=name)
    for level in pane.levels:
        plot.axhline(level, color=colours.dim, linewidth=0.9, linestyle=(0, (4, 3)))
    lowest, highest = limits_of(bars, *lines, as_array(list(pane.levels)))
    value_axis(plot, lowest, highest, 3)
    if len(lines) > 1:
        name_lines(plot, colours, inside=True)
    else:
        _pane_name(plot, pane.name, colours)


def _pane_name(plot: Axes, name: str, colours: Colours) -> None:
    plot.text(0.004, 0.94, literal(name), transform=plot.transAxes, va="top", color=colours.dim, fontsize=9)
