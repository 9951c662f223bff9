"""Readers of the files of a QuantConnect LEAN data folder: map files, factor files, zipped CSV bars.

A map file says which ticker an instrument had until when, a factor file which price and split factor hold
up to and with a date. The formats are described in the readme files of LEAN's ``Data`` folder.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeVar

import polars as pl

from resources.providers.factors import SPECIAL, shortest, split_ratio

T = TypeVar("T")
FOR_EVER = date(2050, 12, 31)
"""Last date of an instrument that is still listed."""
_DIGIT = 0.5e-7
"""Half a unit of the last decimal to which factors are rounded; an eighth one is often a padded zero."""


class FileError(ValueError):
    """A file that cannot be read: names the file and, where there is one, the line."""


class Period(NamedTuple):
    """A ticker of an instrument from the first to the last date."""

    ticker: str
    exchange: str
    first: date
    last: date


class Factor(NamedTuple):
    """Factors of the bars up to and with a date; ``close`` is the raw close of that date."""

    last: date
    price: float
    split: float
    close: float


class Event(NamedTuple):
    """A split or dividend that takes effect on the session after ``eve``."""

    eve: date
    action: str
    value: float


def read_map(path: Path) -> list[Period]:
    """Tickers of an instrument, oldest first."""
    rows = list(_rows(path, lambda cells: (_day(cells[0]), cells[1], (cells[2:] or [""])[0])))
    if not rows:
        raise FileError(f"{path} is empty")
    if len(rows) == 1:
        rows.append((FOR_EVER, *rows[0][1:]))
    periods, first = [], rows[0][0]
    for last, ticker, exchange in rows[1:]:
        periods.append(Period(ticker.upper(), exchange, first, last))
        first = date.fromordinal(last.toordinal() + 1)
    return periods


def read_factors(path: Path) -> list[Factor]:
    """Factors of an instrument, oldest first; none where there is no file."""
    if not path.is_file():
        return []
    return list(
        _rows(
            path,
            lambda cells: Factor(_day(cells[0]), _positive(cells[1]), _positive(cells[2]), float(cells[3])),
        )
    )


def events(factors: list[Factor]) -> Iterator[Event]:
    """Splits and dividends between the rows of a factor file.

    The ratio of two price factors is ``1 - dividend / close`` of the eve, that of two split factors one over
    the new shares per old. The first row is the start of the listing and not an event.
    """
    for i, (before, after) in enumerate(pairwise(factors)):
        if i == 0 and before.close == 1:
            continue
        if before.split != after.split:
            slack = _DIGIT / before.split + _DIGIT / after.split
            ratio = after.split / before.split
            yield Event(before.last, "split", split_ratio(ratio * (1 - slack), ratio * (1 + slack)))
        if before.price < after.price:
            slack = _DIGIT / before.price + _DIGIT / after.price
            ratio = before.price / after.price
            cash = shortest(
                before.close * (1 - ratio * (1 + slack)), before.close * (1 - ratio * (1 - slack))
            )
            special = cash > SPECIAL * before.close
            if cash > 0:
                yield Event(before.last, "special_dividend" if special else "cash_dividend", cash)


def read_bars(path: Path, columns: tuple[str, ...]) -> pl.DataFrame:
    """Lines of the one CSV in a zip: ``stamp`` as text, the other columns as numbers.

    Parameters
    ----------
    path : Path
        The zip.
    columns : tuple of str
        Names of the columns after the time stamp.

    Raises
    ------
    FileError
        When the zip is truncated, or a line has another number of columns or something else than numbers.
    """
    text = _unzip(path)
    names = ["stamp", *columns]
    try:
        raw = pl.read_csv(io.BytesIO(text), has_header=False, infer_schema=False, new_columns=names)
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise FileError(_bad_line(path, text, len(names)) or f"{path}: {error}") from error
    if raw.columns != names:
        raise FileError(_bad_line(path, text, len(names)) or f"{path}: expected the columns {names}")
    bars = raw.with_columns(pl.col(columns).cast(pl.Float64, strict=False))
    if sum(bars.null_count().row(0)):
        raise FileError(_bad_line(path, text, len(names)) or f"{path}: a value is missing")
    return bars


def _unzip(path: Path) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if name.endswith(".csv")]
            if len(members) != 1:
                raise FileError(f"{path} holds {len(members)} CSV files instead of one")
            return archive.read(members[0])
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, UnicodeDecodeError) as error:
        raise FileError(f"{path} is truncated or no zip ({error})") from error


def _bad_line(path: Path, text: bytes, width: int) -> str | None:
    """First line that is not ``width`` cells with numbers after the first; None where all are in order."""
    for number, line in enumerate(text.decode("utf-8", errors="replace").splitlines(), start=1):
        cells = line.split(",")
        if len(cells) != width:
            return f"{path} line {number}: {len(cells)} columns instead of {width}: {line[:80]!r}"
        for cell in cells[1:]:
            try:
                float(cell)
            except ValueError:
                return f"{path} line {number}: {cell!r} is no number: {line[:80]!r}"
    return None


def _rows(path: Path, parse: Callable[[list[str]], T]) -> Iterator[T]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FileError(f"{path} is no text ({error})") from error
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            yield parse([cell.strip() for cell in line.split(",")])
        except (ValueError, IndexError, TypeError) as error:
            raise FileError(f"{path} line {number}: cannot read {line[:80]!r} ({error})") from error


def _day(text: str) -> date:
    return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a date without a time


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise ValueError(f"factor {text} is not positive")
    return value
