"""Charts of terminal characters: equity with its drawdown, and a price with its averages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import accumulate
from typing import NamedTuple

from trading.reporting.axes import date_ticks, drawable, padded, short_number, thin, value_ticks
from trading.reporting.braille import ACROSS, DOWN, Dot, Grid, painted
from trading.reporting.document import Curve

SMALLEST = (30, 6)
"""Columns and rows under which no chart is legible; smaller ones are drawn this large."""

Series = Sequence[float | None]

_COLOURS = ("cyan", "orange", "magenta", "green", "blue", "gray")
_CODES = {"cyan": 36, "orange": 33, "magenta": 35, "green": 32, "blue": 34, "gray": 90, "red": 31}
"""SGR codes of the colours."""


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
    width, height = max(width, SMALLEST[0]), max(height, SMALLEST[1])
    codes = [_CODES[colours[place % len(colours)]] for place in range(len(lines))]
    lowest, highest = padded(min(values), max(values))
    ticks = value_ticks(lowest, highest, max(3, height // 3))
    labels = [short_number(tick) for tick in ticks]
    margin = max(map(len, labels))
    columns, rows = width - margin - 2, height - 3
    scale = _Scale(columns, rows, len(sessions), lowest, highest)
    grid = Grid(columns, rows)
    for line, code in reversed(list(zip(lines.values(), codes, strict=True))):
        _draw(grid, scale, line, code, most=8 * width)
    named = {scale.dot(0, tick)[1] // DOWN: label for tick, label in zip(ticks, labels, strict=True)}
    drawn = [
        f"{named.get(row, ''):>{margin}}{'┤' if row in named else '│'}{line}│"
        for row, line in enumerate(grid.lines(colour=colour))
    ]
    legend = "   ".join(
        f"{painted('──', code if colour else 0)} {name}" for name, code in zip(lines, codes, strict=True)
    )
    places = [
        (scale.dot(place, lowest)[0] // ACROSS, label)
        for place, label in date_ticks(sessions, max(2, width // 14))
    ]
    marks = {place for place, _ in places}
    rule = "".join("┬" if column in marks else "─" for column in range(columns))
    blank = " " * margin
    return "\n".join(
        [legend, f"{blank}┌{'─' * columns}┐", *drawn, f"{blank}└{rule}┘", _dates(places, margin + 1, width)]
    )


class _Scale(NamedTuple):
    """From values by session to dots of a grid."""

    columns: int
    rows: int
    sessions: int
    lowest: float
    highest: float

    def dot(self, place: int, value: float) -> Dot:
        across = place / max(self.sessions - 1, 1) * (self.columns * ACROSS - 1)
        share = (self.highest - value) / (self.highest - self.lowest)
        return round(across), round(min(max(share, 0.0), 1.0) * (self.rows * DOWN - 1))


def _draw(grid: Grid, scale: _Scale, line: Series, code: int, most: int) -> None:
    """Draw a line, lifting the pen where a value is missing."""
    places = thin(line, most)
    missing = list(accumulate(not drawable(value) for value in line))
    dots = [scale.dot(place, line[place] or 0.0) for place in places]
    for order, (place, dot) in enumerate(zip(places, dots, strict=True)):
        joined = order > 0 and missing[place] == missing[places[order - 1]]
        grid.line(dots[order - 1] if joined else dot, dot, code)


def _dates(places: Sequence[tuple[int, str]], margin: int, width: int) -> str:
    """Labels under their marks, moved aside at the edges; one that would touch another is left out."""
    text = ""
    for place, label in places:
        start = min(max(margin + place - len(label) // 2, margin - 1), width - len(label))
        if not text or start > len(text):
            text = text.ljust(start) + label
    return text
