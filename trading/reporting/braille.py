"""Lines on a terminal: Braille characters are two dots wide and four high."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

ACROSS, DOWN = 2, 4
"""Dots of a character."""
_EMPTY = 0x2800
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bit of each dot of a character, by row and column."""

Dot = tuple[int, int]


class Grid:
    """Characters that lines are drawn on, dot by dot; where lines meet, the one drawn last gives its colour.

    Parameters
    ----------
    columns, rows : int
        Characters.
    """

    def __init__(self, columns: int, rows: int) -> None:
        self._bits = [[0] * columns for _ in range(rows)]
        self._codes = [[0] * columns for _ in range(rows)]

    def line(self, begin: Dot, end: Dot, code: int) -> None:
        """Draw a line between two dots, given from the left and from above, in the colour of an SGR code."""
        for across, down in _between(begin, end):
            row, column = down // DOWN, across // ACROSS
            self._bits[row][column] |= _DOTS[down % DOWN][across % ACROSS]
            self._codes[row][column] = code

    def lines(self, *, colour: bool) -> list[str]:
        """Rows of characters from above; blanks where nothing was drawn."""
        return [
            _row(bits, codes if colour else [0] * len(codes))
            for bits, codes in zip(self._bits, self._codes, strict=True)
        ]


def painted(text: str, code: int) -> str:
    """Text in the colour of an SGR code; 0: as it is."""
    return f"\x1b[{code}m{text}\x1b[0m" if code else text


def _between(begin: Dot, end: Dot) -> Iterator[Dot]:
    """Dots of a straight line, without a gap."""
    steps = max(abs(end[0] - begin[0]), abs(end[1] - begin[1]), 1)
    for step in range(steps + 1):
        part = step / steps
        yield round(begin[0] + (end[0] - begin[0]) * part), round(begin[1] + (end[1] - begin[1]) * part)


def _row(bits: list[int], codes: list[int]) -> str:
    """One row; neighbours of a colour share its codes."""
    marks = [(chr(_EMPTY + bit), code) if bit else (" ", 0) for bit, code in zip(bits, codes, strict=True)]
    runs = groupby(marks, key=itemgetter(1))
    return "".join(painted("".join(mark for mark, _ in run), code) for code, run in runs)
