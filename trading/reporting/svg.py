"""Curves as SVG: no script, no outside file; in a page its style sheet gives the colours, alone their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from itertools import pairwise

from trading.reporting.axes import date_ticks, drawable, padded, short_number, thin, value_ticks
from trading.reporting.document import Curve

WIDTH, LEFT, RIGHT = 960, 64, 16
POINTS = 1200
"""Points kept of a line: more than the picture has columns."""

STYLE = (
    "svg{background:#fff;font:12px system-ui,sans-serif}text{fill:#67707f}"
    ".title{fill:#1b2330;font-weight:bold;font-size:15px}.grid{stroke:#e3e6eb}polyline{fill:none;stroke-width:1.8;stroke-linejoin:round}"
    ".equity{stroke:#2563c9}.equity-area{fill:#2563c9;opacity:.1}.equity-end{fill:#2563c9}"
    ".benchmark{stroke:#8b93a1}.drawdown{stroke:#c0362c}.drawdown-area{fill:#c0362c;opacity:.18}"
)
"""Colours of a picture that stands alone."""
HEAD = 28
"""Rows above a picture that stands alone, for its title."""

Series = Sequence[float | None]


@dataclass(frozen=True)
class Panel:
    """One plot: where it lies and what its axes span."""

    top: float
    height: float
    lowest: float
    highest: float
    count: int

    def x(self, place: int) -> float:
        """Column of a session."""
        return LEFT + (WIDTH - LEFT - RIGHT) * place / max(self.count - 1, 1)

    def y(self, value: float) -> float:
        """Row of a value."""
        return self.top + self.height * (1 - (value - self.lowest) / (self.highest - self.lowest))


def curve_svg(curve: Curve) -> str:
    """Equity over its drawdown; empty when fewer than two sessions have an equity.

    Returns
    -------
    str
        An ``svg`` element that fits the width of the page. Lines have the classes ``equity``,
        ``benchmark`` and ``drawdown``, texts ``axis``, grid lines ``grid``.
    """
    if len(thin(curve.equity, POINTS)) < 2:
        return ""
    height, body = _drawn(curve)
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{_label(curve)}">{body}</svg>'


def curve_picture(curve: Curve, title: str) -> str:
    """Equity over its drawdown as the content of an SVG file: with its own colours, size and title.

    Where fewer than two sessions have an equity, a picture that says so.
    """
    if len(thin(curve.equity, POINTS)) < 2:
        return _alone(title, *_nothing("no equity curve yet"))
    return _alone(title, *_drawn(curve))


def exposure_picture(sessions: Sequence[date], exposure: Series, limit: float, title: str) -> str:
    """Exposure over time and the line it must stay under, as the content of an SVG file.

    Parameters
    ----------
    exposure : sequence of float or None
        Sum of the absolute market values over equity.
    limit : float
        The book's ``max_portfolio_exposure``.
    """
    if len(thin(exposure, POINTS)) < 2:
        return _alone(title, *_nothing("no exposure to show yet"))
    percent = [value * 100 if value is not None and drawable(value) else None for value in exposure]
    highest = max(limit * 100, *(value for value in percent if value is not None))
    panel = Panel(16, 160, 0.0, highest * 1.08, len(sessions))
    bound = [limit * 100] * len(sessions)
    body = [
        *_grid(panel, value_ticks(0.0, panel.highest, 4), " %"),
        _area(panel, percent, 0.0, "equity-area"),
        _line(panel, percent, "equity"),
        f'<polyline class="drawdown" points="{_points(panel, bound, (0, len(sessions) - 1))}"/>',
        *_dates(sessions, 176, 182),
    ]
    return _alone(title, 204, "".join(body))


def _nothing(why: str) -> tuple[int, str]:
    return 80, f'<text x="{LEFT}" y="40">{why}: fewer than two sessions</text>'


def _alone(title: str, height: int, body: str) -> str:
    """Content of an SVG file: with its own colours, size and title."""
    whole = height + HEAD
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{whole}" '
        f'viewBox="0 {-HEAD} {WIDTH} {whole}"><style>{STYLE}</style>'
        f'<text class="title" x="{LEFT}" y="-6">{escape(title)}</text>{body}</svg>'
    )


def _drawn(curve: Curve) -> tuple[int, str]:
    """Height of a curve's plots, and their elements."""
    losing = any(value is not None and drawable(value) and value < 0 for value in curve.drawdown)
    height = 360 if losing else 280
    parts = [*_equity_panel(curve), *(_drawdown_panel(curve) if losing else [])]
    return height, "".join([*parts, *_dates(curve.sessions, 240 + 16, height - 22)])


def _label(curve: Curve) -> str:
    return escape(f"Equity from {curve.sessions[0]} to {curve.sessions[-1]}", quote=True)


def _equity_panel(curve: Curve) -> list[str]:
    panel = _panel(16, 224, len(curve.sessions), curve.equity, curve.benchmark)
    parts = _grid(panel, value_ticks(panel.lowest, panel.highest, 5), "")
    parts.append(_area(panel, curve.equity, panel.lowest, "equity-area"))
    if curve.benchmark:
        parts.append(_line(panel, curve.benchmark, "benchmark"))
    parts.append(_line(panel, curve.equity, "equity"))
    last = thin(curve.equity, POINTS)[-1]
    value = curve.equity[last] or 0.0
    parts.append(f'<circle class="equity-end" cx="{panel.x(last):.1f}" cy="{panel.y(value):.1f}" r="3.5"/>')
    return parts


def _drawdown_panel(curve: Curve) -> list[str]:
    percent = [value * 100 if value is not None and drawable(value) else None for value in curve.drawdown]
    deepest = min(value for value in percent if value is not None)
    panel = Panel(268, 66, deepest * 1.08, 0.0, len(curve.sessions))
    parts = _grid(panel, value_ticks(panel.lowest, 0.0, 3), " %")
    return [*parts, _area(panel, percent, 0.0, "drawdown-area"), _line(panel, percent, "drawdown")]


def _panel(top: float, height: float, count: int, *lines: Series) -> Panel:
    values = [line[place] for line in lines for place in thin(line, POINTS)]
    known = [value for value in values if value is not None]
    lowest, highest = padded(min(known), max(known))
    return Panel(top, height, lowest, highest, count)


def _grid(panel: Panel, ticks: Sequence[float], unit: str) -> list[str]:
    parts = []
    for tick in ticks:
        row = panel.y(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{row:.1f}" y2="{row:.1f}"/>')
        label = f"{tick:.4g}{unit}" if unit else short_number(tick)
        parts.append(f'<text class="axis" x="{LEFT - 8}" y="{row + 4:.1f}" text-anchor="end">{label}</text>')
    return parts


def _dates(sessions: Sequence[date], top: float, row: float) -> list[str]:
    panel = Panel(top, 1, 0, 1, len(sessions))
    parts = []
    for place, label in date_ticks(sessions, 8):
        column = panel.x(place)
        anchor = "end" if column > WIDTH - RIGHT - 28 else "middle"
        parts.append(
            f'<text class="axis" x="{column:.1f}" y="{row + 16:.1f}" text-anchor="{anchor}">{label}</text>'
        )
    return parts


def _runs(line: Series) -> list[list[int]]:
    """Places to draw, cut where values are missing."""
    places = thin(line, POINTS)
    if places and all(map(drawable, line)):
        return [places]
    runs: list[list[int]] = [places[:1]] if places else []
    for before, place in pairwise(places):
        if all(drawable(line[between]) for between in range(before + 1, place)):
            runs[-1].append(place)
        else:
            runs.append([place])
    return runs


def _points(panel: Panel, line: Series, run: Sequence[int]) -> str:
    return " ".join(f"{panel.x(place):.1f},{panel.y(line[place] or 0.0):.1f}" for place in run)


def _line(panel: Panel, line: Series, name: str) -> str:
    drawn = (_points(panel, line, run) for run in _runs(line))
    return "".join(f'<polyline class="{name}" points="{points}"/>' for points in drawn)


def _area(panel: Panel, line: Series, base: float, name: str) -> str:
    row, parts = panel.y(base), []
    for run in _runs(line):
        ends = f"{panel.x(run[-1]):.1f},{row:.1f} {panel.x(run[0]):.1f},{row:.1f}"
        parts.append(f'<polygon class="{name}" points="{_points(panel, line, run)} {ends}"/>')
    return "".join(parts)
