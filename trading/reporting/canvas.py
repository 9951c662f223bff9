"""The sheet that charts are drawn on: colours, axes, legends, PNG bytes.

matplotlib is loaded on first use, draws in memory (Agg) and through its object interface only, so that
nothing global changes and pictures may be drawn in several threads.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading.reporting.axes import LARGEST, date_ticks, padded, short_number, value_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Series = Sequence[float | None]
Scheme = Literal["light", "dark"]


class Colours(NamedTuple):
    """Colours of a scheme, the same as those of the pages."""

    page: str
    ink: str
    dim: str
    rule: str
    good: str
    bad: str
    line: str
    other: str
    extra: tuple[str, ...]


SCHEMES: dict[Scheme, Colours] = {
    "light": Colours(
        "#ffffff",
        "#1b2330",
        "#67707f",
        "#e3e6eb",
        "#0a7f4f",
        "#c0362c",
        "#2563c9",
        "#8b93a1",
        ("#d97706", "#7c3aed", "#0891b2", "#be185d"),
    ),
    "dark": Colours(
        "#1a2029",
        "#e4e8ee",
        "#929cab",
        "#2c3440",
        "#3fc88a",
        "#f0776c",
        "#6ea8ff",
        "#7a8494",
        ("#f0a84a", "#b79bff", "#4cc9e0", "#f48fb8"),
    ),
}


WIDTH = 11.0
"""Inches; at 110 dots an inch a picture is 1,210 wide."""


def nothing_png(title: str, scheme: Scheme = "light") -> bytes:
    """Draw a picture that says that there is nothing to draw."""
    colours = SCHEMES[scheme]
    figure, (plot,) = new_figure(title, (1.0,), colours, height=2.4)
    plot.set_axis_off()
    said = "nothing to draw: no value in the range"
    plot.text(0.5, 0.5, said, transform=plot.transAxes, ha="center", va="center", color=colours.dim)
    return to_png(figure)


def new_figure(
    title: str, ratios: Sequence[float], colours: Colours, height: float = 5.2
) -> tuple[Figure, list[Axes]]:
    """Return an empty figure with one plot above the other, all on the same sessions."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to load, and most runs draw nothing

    figure = Figure(figsize=(WIDTH, height), dpi=110, facecolor=colours.page, layout="constrained")
    grid = figure.add_gridspec(len(ratios), 1, height_ratios=list(ratios), hspace=0.02)
    axes: list[Axes] = []
    for place in range(len(ratios)):
        plot = figure.add_subplot(grid[place, 0], sharex=axes[0] if axes else None)
        plot.set_facecolor(colours.page)
        plot.spines[:].set_visible(False)
        plot.grid(axis="y", color=colours.rule, linewidth=0.9)
        plot.set_axisbelow(True)
        plot.tick_params(colors=colours.dim, length=0, labelsize=9, labelbottom=place == len(ratios) - 1)
        plot.margins(x=0.01)
        axes.append(plot)
    if title:
        axes[0].set_title(
            literal(title), loc="left", color=colours.ink, fontsize=13, fontweight="bold", pad=10
        )
    return figure, axes


def value_axis(plot: Axes, lowest: float, highest: float, count: int, *, percent: bool = False) -> None:
    """Set the limits of the values and some ``count`` round ticks."""
    ticks = value_ticks(lowest, highest, count)
    plot.set_ylim(lowest, highest)
    plot.set_yticks(ticks, [f"{tick:.4g} %" if percent else short_number(tick) for tick in ticks])


def date_axis(plot: Axes, sessions: Sequence[date]) -> None:
    """Label the sessions: a value's place is its session's, so weekends leave no gap."""
    ticks = date_ticks(sessions, 9)
    plot.set_xticks([place for place, _ in ticks], [label for _, label in ticks])
    if len(sessions) == 1:
        plot.set_xlim(-1, 1)


def name_lines(plot: Axes, colours: Colours, *, inside: bool = False) -> None:
    """Name the lines: above the plot on the right, where no line runs, or in its upper left corner."""
    anchor = (0.0, 1.06) if inside else (1.0, 0.99)
    corner: Literal["upper left", "lower right"] = "upper left" if inside else "lower right"
    legend = plot.legend(
        loc=corner,
        bbox_to_anchor=anchor,
        frameon=False,
        fontsize=9,
        ncols=6,
        handlelength=1.6,
        borderaxespad=0.2,
    )
    for text in legend.get_texts():
        text.set_color(colours.dim)
        text.set_text(literal(text.get_text()))


def as_array(values: Series) -> NDArray[np.float64]:
    """Return values as floats, NaN where there is none that can be drawn."""
    array = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return np.where(np.abs(array) <= LARGEST, array, np.nan)


def limits_of(*lines: NDArray[np.float64]) -> tuple[float, float]:
    """Limits that hold every line, with some air."""
    known = np.concatenate([line[np.isfinite(line)] for line in lines])
    return padded(float(known.min()), float(known.max()), 0.06) if known.size else (0.0, 1.0)


def literal(text: str) -> str:
    """Text that the picture shows as it is: a dollar sign would begin a formula."""
    return text.replace("$", r"\$")


def to_png(figure: Figure) -> bytes:
    """Return the picture as the bytes of a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415

    held = io.BytesIO()
    # What savefig does, without drawing everything twice.
    FigureCanvasAgg(figure).print_png(held)  # type: ignore[no-untyped-call]
    return held.getvalue()
