"""What commands print: tables for people, JSON and CSV for programs, progress for the patient.

Results go to standard output, everything else to standard error. Colours and progress bars only appear
on a terminal, and colours not when ``NO_COLOR`` is set.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import typer

if TYPE_CHECKING:
    import polars as pl


class Listing(NamedTuple):
    """Rows to print, as plain values.

    Attributes
    ----------
    columns : sequence of str
        Names of the columns.
    numbers : sequence of bool
        Columns that hold numbers, which a table aligns to the right.
    height : int
        Rows there are.
    rows : iterable of sequences
        The rows, gone through once.
    """

    columns: Sequence[str]
    numbers: Sequence[bool]
    height: int
    rows: Iterable[Sequence[Any]]


def note(message: str) -> None:
    """Say something that is not part of the result."""
    typer.echo(message, err=True)


def print_json(value: Any) -> None:
    """Value as JSON: dates in ISO form, and null for what is not a finite number."""
    typer.echo(json.dumps(_plain(value), indent=2, ensure_ascii=False, default=str))


def print_csv(frame: pl.DataFrame) -> None:
    """Frame as CSV with a header."""
    import polars as pl

    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested()]
    as_json = [
        pl.Series(name, [_json_text(value) for value in frame[name].to_list()], pl.String) for name in nested
    ]
    typer.echo(frame.with_columns(as_json).write_csv(), nl=False)


def _json_text(value: Any) -> str | None:
    return None if value is None else json.dumps(_plain(value), ensure_ascii=False, default=str)


def print_frame(frame: pl.DataFrame, rows: int = 0) -> None:
    """Frame as a table.

    Parameters
    ----------
    frame : polars.DataFrame
        What to show.
    rows : int
        Show at most so many; 0: all.
    """
    print_listing(listing(frame), rows)


def listing(frame: pl.DataFrame) -> Listing:
    """Frame as rows to print."""
    numbers = [dtype.is_numeric() for dtype in frame.dtypes]
    return Listing(frame.columns, numbers, frame.height, frame.iter_rows())


def print_listing(listed: Listing, rows: int = 0) -> None:
    """Rows as a table, at most so many of them; 0: all."""
    shown = islice(listed.rows, rows) if rows else listed.rows
    print_table(listed.columns, shown, right=listed.numbers)
    if 0 < rows < listed.height:
        note(f"{listed.height - rows:,} more rows; --rows 0 shows all")


def print_table(
    header: Sequence[str], rows: Iterable[Sequence[Any]], right: Sequence[bool] | None = None
) -> None:
    """Rows under a header, nothing cut off; columns marked ``right`` are aligned to the right."""
    cells = [[text_of(value) for value in row] for row in rows]
    marked = list(right or [False] * len(header))
    if sys.stdout.isatty():
        _print_rich(header, cells, marked)
    else:
        typer.echo("\n".join(_plain_lines([list(header), *cells], marked)))


def _plain_lines(rows: list[list[str]], right: list[bool]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        parts = zip(row, widths, right, strict=True)
        yield "  ".join(
            cell.rjust(width) if last else cell.ljust(width) for cell, width, last in parts
        ).rstrip()


def _print_rich(header: Sequence[str], rows: list[list[str]], right: list[bool]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for name, last in zip(header, right, strict=True):
        table.add_column(Text(name), justify="right" if last else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console(highlight=False).print(table)


def text_of(value: Any) -> str:
    """Value as a cell of a table: empty for null, at most four decimals."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        whole, _, decimals = f"{value:,.4f}".partition(".")
        return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"
    if isinstance(value, list | tuple):
        return ", ".join(text_of(item) for item in value)
    return str(value)


class Advance(Protocol):
    """Tells a progress bar that something is done."""

    def __call__(self, done: int = 1, description: str | None = None) -> None:
        """Advance by ``done`` steps and, if given, change the description."""


@contextmanager
def progress(description: str, total: int | None = None) -> Iterator[Advance]:
    """Progress bar on standard error; nothing where that is no terminal.

    Parameters
    ----------
    description : str
        What is being done.
    total : int, optional
        Steps; unknown when left out.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    quiet = not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as bar:
        task = bar.add_task(description, total=total)

        def advance(done: int = 1, description: str | None = None) -> None:
            bar.update(task, advance=done, description=description)

        yield advance


def _plain(value: Any) -> Any:
    """Value that JSON can hold."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "to_dicts"):
        return _plain(value.to_dicts())
    return value
