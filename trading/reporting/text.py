"""Documents as text for terminals and plain files."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from trading.reporting.document import Block, Cell, Curve, Document, Facts, Notes, Table, Tone
from trading.reporting.terminal import equity_lines

_CODES: dict[Tone, str] = {"plain": "", "good": "32", "bad": "31", "warn": "33", "dim": "2"}
_GAP = "  "
_MINIMUM = 12


def render_text(document: Document, *, colour: bool = False, width: int = 120, charts: bool = False) -> str:
    """Show a document as text.

    Parameters
    ----------
    colour : bool
        Use terminal colours; without them the text holds no escape sequence.
    width : int
        Columns; wide texts are wrapped, a table of many narrow columns may still be wider.
    charts : bool
        Draw equity curves with terminal characters.
    """
    paint = _Painter(colour)
    lines = [paint(document.title, "1"), paint(document.subtitle, "2")]
    for section in document.sections:
        lines += ["", paint(section.title, "1;4" if colour else ""), *_underline(section.title, colour)]
        for position, block in enumerate(section.blocks):
            shown = list(_block(block, paint, width, charts))
            lines += [""] * (position > 0 and bool(shown)) + shown
    return "\n".join(line.rstrip() for line in lines) + "\n"


class _Painter:
    """Wraps a text in terminal codes, or leaves it alone."""

    def __init__(self, colour: bool) -> None:
        self.colour = colour

    def __call__(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and code and text else text


def _underline(title: str, colour: bool) -> list[str]:
    return [] if colour else ["-" * len(title)]


def _block(block: Block, paint: _Painter, width: int, charts: bool) -> Iterator[str]:
    if isinstance(block, Facts):
        yield from _facts(block, paint, width)
    elif isinstance(block, Table):
        yield from _table(block, paint, width)
    elif isinstance(block, Notes):
        yield from _notes(block, paint, width)
    elif charts:
        yield from _curve(block, paint, width)


def _facts(facts: Facts, paint: _Painter, width: int) -> Iterator[str]:
    """Labels and values in as many columns as fit, filled row by row."""
    if not facts.items:
        return
    label = max(len(name) for name, _ in facts.items)
    value = max(len(cell.text) for _, cell in facts.items)
    across = max(1, min(3, width // (label + value + 2 * len(_GAP) + 2)))
    shown = [
        f"{name:<{label}}{_GAP}" + " " * (value - len(cell.text)) + paint(cell.text, _CODES[cell.tone])
        for name, cell in facts.items
    ]
    for start in range(0, len(shown), across):
        yield (_GAP * 2).join(shown[start : start + across])


def _notes(notes: Notes, paint: _Painter, width: int) -> Iterator[str]:
    if not notes.lines:
        yield paint(notes.empty, "2")
    for line in notes.lines:
        mark = "! " if line.tone in ("bad", "warn") else "- "
        for row in textwrap.wrap(line.text, max(width - 2, _MINIMUM)):
            yield paint(mark + row, _CODES[line.tone])
            mark = "  "


def _table(table: Table, paint: _Painter, width: int) -> Iterator[str]:
    if not table.rows:
        yield paint(table.empty, "2")
        return
    widths = _widths(table, width)
    heads = [Cell(column.title) for column in table.columns]
    for line in _row(table, heads, widths, _Painter(False)):
        yield paint(line.rstrip(), "2")
    yield paint(_GAP.join("-" * size for size in widths), "2")
    for row in table.rows:
        yield from _row(table, row, widths, paint)


def _widths(table: Table, width: int) -> list[int]:
    """Width of each column; the wide ones share what the others leave."""
    natural = [
        max(len(column.title), *(len(row[place].text) for row in table.rows))
        for place, column in enumerate(table.columns)
    ]
    wide = [place for place, column in enumerate(table.columns) if column.wide]
    excess = sum(natural) + len(_GAP) * (len(natural) - 1) - width
    for place in wide:
        smallest = min(natural[place], max(_MINIMUM, len(table.columns[place].title)))
        cut = min(max(excess, 0), natural[place] - smallest)
        natural[place], excess = natural[place] - cut, excess - cut
    return natural


def _row(table: Table, cells: Sequence[Cell], widths: Sequence[int], paint: _Painter) -> Iterator[str]:
    wrapped = [
        textwrap.wrap(cell.text, size) if len(cell.text) > size else [cell.text]
        for cell, size in zip(cells, widths, strict=True)
    ]
    for depth in range(max(len(lines) for lines in wrapped)):
        shown = []
        for column, cell, size, lines in zip(table.columns, cells, widths, wrapped, strict=True):
            text = lines[depth] if depth < len(lines) else ""
            blank = " " * (size - len(text))
            painted = paint(text, _CODES[cell.tone])
            shown.append(painted + blank if column.align == "left" else blank + painted)
        yield _GAP.join(shown)


def _curve(curve: Curve, paint: _Painter, width: int) -> Iterator[str]:
    yield from equity_lines(curve, width=width, colour=paint.colour)
