"""What a report says, apart from how it looks: sections of facts, tables, notes and curves.

A report builds a document; each renderer (text, html, markdown) shows any document. Texts in a document
are plain: escaping is the renderer's business, control characters are already gone (see ``cells``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

Tone = Literal["plain", "good", "bad", "warn", "dim"]


@dataclass(frozen=True)
class Cell:
    """A value as text.

    Attributes
    ----------
    tone : str
        What the reader should feel about it.
    heat : float, optional
        -1 (bad) .. 1 (good): strength of the background where a renderer has one.
    """

    text: str
    tone: Tone = "plain"
    heat: float | None = None


@dataclass(frozen=True)
class Column:
    """Heading of a table's column; only columns that are ``wide`` are wrapped."""

    title: str
    align: Literal["left", "right"] = "right"
    wide: bool = False


@dataclass(frozen=True)
class Facts:
    """Labels with one value each."""

    items: tuple[tuple[str, Cell], ...]


@dataclass(frozen=True)
class Table:
    """Rows under headings; ``empty`` is said when there is none."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str = "none"


@dataclass(frozen=True)
class Notes:
    """Lines for the reader, each with its tone; ``empty`` is said when there is none."""

    lines: tuple[Cell, ...]
    empty: str = "none"


@dataclass(frozen=True)
class Curve:
    """Equity by session with its drawdown, and a benchmark scaled to the same start where there is one.

    Attributes
    ----------
    equity, drawdown, benchmark : tuple of float or None
        One value a session, None where there is none; ``benchmark`` may be empty.
    """

    sessions: tuple[date, ...]
    equity: tuple[float | None, ...]
    drawdown: tuple[float | None, ...]
    benchmark: tuple[float | None, ...] = ()
    benchmark_name: str = "benchmark"


Block = Facts | Table | Notes | Curve


@dataclass(frozen=True)
class Section:
    """A heading with what stands under it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """A report to be rendered."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]
