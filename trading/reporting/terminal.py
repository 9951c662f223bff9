"""Charts of terminal characters: equity with its drawdown, and a price with its averages.

plotext is loaded on first use. Its figure belongs to the call, so two calls do not see each other's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import accumulate, pairwise
from typing import Any

from trading.reporting.axes import date_ticks, drawable, padded, short_number, thin, value_ticks
from trading.reporting.document import Curve

SMALLEST = (30, 6)
"""Columns and rows under which no chart is legible; smaller ones are drawn this large."""

Series = Sequence[float | None]

_COLOURS = ("cyan", "orange", "magenta", "green", "blue", "gray")


def equity_chart(
    sessions: Sequence[date],
    equity: Series,
    *,
    benchmark: Series = (),
    benchmark_name: str = "benchmark",
    width: int = 100,
    height: int = 16,
    colour: bool = True,
) -> str:
    """Draw equity by session, and a benchmark scaled to the same start where there is one.

    Parameters
    ----------
    equity, benchmark : sequence of float or None
        One value a session; None and NaN leave a gap.
    width, height : int
        Columns and rows of the chart; the legend's line comes on top of it.

    Returns
    -------
    str
        Lines of at most ``width`` characters; a sentence when there is nothing to draw.
    """
    lines: dict[str, Series] = {"equity": equity}
    if any(drawable(value) for value in benchmark):
        lines[benchmark_name] = benchmark
    return line_chart(sessions, lines, width=width, height=height, colour=colour)


def price_chart(
    sessions: Sequence[date],
    close: Series,
    overlays: Mapping[str, Series] | None = None,
    *,
    width: int = 100,
    height: int = 20,
    colour: bool = True,
) -> str:
    """Draw a price with lines such as its moving averages; parameters as in ``equity_chart``."""
    return line_chart(
        sessions, {"close": close, **(overlays or {})}, width=width, height=height, colour=colour
    )


def drawdown_chart(
    sessions: Sequence[date], drawdown: Series, *, width: int = 100, height: int = 8, colour: bool = True
) -> str:
    """Draw drawdowns (fractions, at most 0) in percent; parameters as in ``equity_chart``."""
    shown = [value * 100 if value is not None else None for value in drawdown]
    return line_chart(
        sessions, {"drawdown %": shown}, width=width, height=height, colour=colour, colours=("red",)
    )


def equity_lines(curve: Curve, *, width: int, colour: bool) -> list[str]:
    """Lines of a curve's equity chart and, where it ever lost, of its drawdown chart."""
    if sum(1 for value in curve.equity if drawable(value)) < 2:
        return []
    drawn = equity_chart(
        curve.sessions,
        curve.equity,
        benchmark=curve.benchmark,
        benchmark_name=curve.benchmark_name,
        width=width,
        colour=colour,
    ).splitlines()
    if any(value is not None and value < 0 for value in curve.drawdown):
        drawn += drawdown_chart(curve.sessions, curve.drawdown, width=width, colour=colour).splitlines()
    return drawn


def line_chart(
    sessions: Sequence[date],
    lines: Mapping[str, Series],
    *,
    width: int,
    height: int,
    colour: bool,
    colours: Sequence[str] = _COLOURS,
) -> str:
    """Draw named lines over the same sessions, the first one on top."""
    values = [
        float(value) for line in lines.values() for value in line if value is not None and drawable(value)
    ]
    if not values:
        return "nothing to draw: no value in the range"
    import plotext  # noqa: PLC0415 - loads a compiled library that most commands do not need

    width, height = max(width, SMALLEST[0]), max(height, SMALLEST[1])
    plotext.terminal.limit(False, False)
    figure = type(plotext.figure)(plotext.terminal)
    figure.plot_size(width, height)
    figure.theme("colorless")
    painted = [colours[place % len(colours)] for place in range(len(lines))]
    for line, paint in reversed(list(zip(lines.values(), painted, strict=True))):
        _draw(plotext, figure, line, paint, most=8 * width)
    _set_axes(figure, sessions, values, width, height)
    legend = _legend(list(zip(lines, painted, strict=True)), colour)
    chart = str(figure.build().string(colorless=not colour))
    return "\n".join([legend, *(line.rstrip() for line in chart.rstrip("\n").split("\n"))])


def _draw(plotext: Any, figure: Any, line: Series, paint: str, most: int) -> None:
    """Draw a line, lifting the pen where a value is missing."""
    places = thin(line, most)
    if not places:
        return
    missing = list(accumulate(not drawable(value) for value in line))
    marker = plotext.marker("braille", plotext.pixel(paint))
    signal = figure.signal(places, [line[place] for place in places], marker=marker).lines()
    for order, (before, place) in enumerate(pairwise(places), start=1):
        if missing[place] != missing[before]:
            signal.line(order, False)
    figure.draw(signal)


def _set_axes(
    figure: Any, sessions: Sequence[date], values: Sequence[float], width: int, height: int
) -> None:
    lowest, highest = padded(min(values), max(values))
    ticks = value_ticks(lowest, highest, max(3, height // 3))
    figure.ruler("y").lim(lowest, highest)
    figure.ruler("y").ticks(ticks, [short_number(tick) for tick in ticks])
    places = date_ticks(sessions, max(2, width // 14))
    figure.ruler("x").lim(0, max(len(sessions) - 1, 1))
    figure.ruler("x").ticks([place for place, _ in places], [label for _, label in places])
    figure.legend(False)


def _legend(named: Sequence[tuple[str, str]], colour: bool) -> str:
    codes = {"cyan": 36, "orange": 33, "magenta": 35, "green": 32, "blue": 34, "gray": 90, "red": 31}
    marks = ((f"\x1b[{codes.get(paint, 37)}m──\x1b[0m" if colour else "──", name) for name, paint in named)
    return "   ".join(f"{mark} {name}" for mark, name in marks)
