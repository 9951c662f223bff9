"""Snapshots of order books from files, in the columns of the table ``depth``.

Three forms: Binance's answer for one moment (JSON, which does not tell the time), Binance's archive of
futures books (CSV of ``snap`` and ``set`` rows, each ``set`` replacing the size at a price), and long files
with the table's own columns (CSV or Parquet).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from delta.contracts import Depth
from resources.calendar import ALL_DAY, sessions
from resources.http_errors import json_of, one_line
from resources.providers.base import MalformedAnswer

NAME = "depth_files"
LEVELS = 20
DEPTH = pl.Schema({name: dtype for name, dtype in Depth.schema().items() if name != "known_at"})
NEAR = timedelta(days=14)
_ARCHIVE = {"symbol", "timestamp", "side", "update_type", "price", "qty"}
_LONG = {"symbol", "quoted_at", "side", "price", "size"}
_SIDES = {"b": "bid", "a": "ask"}
# The reader of Parquet panics on some damaged files, which is no ordinary exception.
_UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
)


def read_depth(
    paths: Iterable[Path],
    *,
    symbol: str | None = None,
    quoted_at: datetime | None = None,
    calendar: str = ALL_DAY,
    levels: int = LEVELS,
) -> pl.DataFrame:
    """Snapshots of one or several files that belong together, such as an archive's start and its updates.

    Parameters
    ----------
    paths : iterable of Path
        Files in the order of time.
    symbol : str, optional
        Name of the instrument where the file has none or another.
    quoted_at : datetime, optional
        Time of the snapshot where the file tells none (Binance's JSON).
    calendar : str
        Calendar whose sessions the snapshots belong to.
    levels : int
        Levels kept of each side.

    Returns
    -------
    polars.DataFrame
        The table ``depth`` without ``known_at``.

    Raises
    ------
    MalformedAnswer
        When a file is none of the three forms, or a time or name is missing.
    """
    parts, archive, paths = [], [], list(paths)
    for path in paths:
        if path.suffix == ".json":
            parts.append(_from_json(path, symbol, quoted_at))
            continue
        frame = _table(path)
        if set(frame.columns) >= _ARCHIVE:
            archive.append(frame)
        elif set(frame.columns) >= _LONG:
            with _reading(path):
                parts.append(_from_long(frame))
        else:
            raise MalformedAnswer(
                NAME,
                f"{path}: columns {', '.join(frame.columns)} are those of no order book",
                remedy=f"give Binance's archive, or a file with {', '.join(sorted(_LONG))}",
            )
    if archive:
        with _reading(*paths):
            parts.append(_from_archive(pl.concat(archive)))
    rows = pl.concat(parts) if parts else _RAW.to_frame()
    if symbol is not None:
        rows = rows.with_columns(symbol=pl.lit(symbol))
    return _ranked(_in_sessions(rows, calendar), levels)


def binance_snapshot(
    body: bytes, symbol: str, quoted_at: datetime, levels: int = LEVELS, source: str = "binance"
) -> pl.DataFrame:
    """Snapshot out of Binance's answer to ``/api/v3/depth``."""
    rows = _sides(body, symbol, quoted_at).with_columns(source=pl.lit(source))
    return _ranked(_in_sessions(rows, ALL_DAY), levels)


def snapshot(
    levels: pl.DataFrame, symbol: str, quoted_at: datetime, calendar: str, most: int, source: str
) -> pl.DataFrame:
    """Snapshot out of the levels (side, price, size) of one book at one time."""
    rows = levels.select(
        pl.lit(symbol).alias("symbol"),
        pl.lit(quoted_at.astimezone(UTC)).cast(_RAW["quoted_at"]).alias("quoted_at"),
        "side",
        "price",
        "size",
        pl.lit(source).alias("source"),
    )
    return _ranked(_in_sessions(rows, calendar), most)


_RAW = pl.Schema(
    {
        "symbol": pl.String(),
        "quoted_at": pl.Datetime("us", "UTC"),
        "side": pl.String(),
        "price": pl.Float64(),
        "size": pl.Float64(),
        "source": pl.String(),
    }
)


@contextmanager
def _reading(*paths: Path) -> Iterator[None]:
    """Name the files in errors about what they hold."""
    try:
        yield
    except (OSError, ArithmeticError, *_UNREADABLE) as error:
        files = ", ".join(map(str, paths))
        raise MalformedAnswer(NAME, f"{files}: {one_line(str(error))}", remedy="restore the file") from error


def _table(path: Path) -> pl.DataFrame:
    with _reading(path):
        return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)


def _from_json(path: Path, symbol: str | None, quoted_at: datetime | None) -> pl.DataFrame:
    if symbol is None or quoted_at is None:
        raise MalformedAnswer(
            NAME, f"{path}: the file tells neither instrument nor time", remedy="give symbol and time"
        )
    with _reading(path):
        return _sides(path.read_bytes(), symbol, quoted_at).with_columns(source=pl.lit("binance"))


def _sides(body: bytes, symbol: str, quoted_at: datetime) -> pl.DataFrame:
    document: dict[str, Any] = json_of(body, "binance", symbol, dict)
    at = quoted_at.astimezone(UTC)
    rows = [
        (symbol, at, side, float(price), float(size), "")
        for side, levels in (("bid", document["bids"]), ("ask", document["asks"]))
        for price, size in levels
    ]
    return pl.DataFrame(rows, schema=_RAW, orient="row")


def _from_long(frame: pl.DataFrame) -> pl.DataFrame:
    at = pl.col("quoted_at")
    if frame.schema["quoted_at"] == pl.String:
        at = at.str.to_datetime(time_unit="us", time_zone="UTC")
    source = pl.col("source") if "source" in frame.columns else pl.lit("files")
    return frame.select(
        "symbol",
        at.cast(pl.Datetime("us", "UTC")),
        "side",
        pl.col("price").cast(pl.Float64),
        pl.col("size").cast(pl.Float64),
        source.alias("source"),
    )


def _from_archive(frame: pl.DataFrame) -> pl.DataFrame:
    """One snapshot of the whole book after every event."""
    events = frame.sort("timestamp", maintain_order=True)
    made = [
        pl.DataFrame(
            [(symbol, stamp, side, price, size) for side, price, size in rows],
            schema={
                "symbol": pl.String,
                "quoted_at": pl.Int64,
                "side": pl.String,
                "price": pl.Float64,
                "size": pl.Float64,
            },
            orient="row",
        )
        for symbol, stamp, rows in _replayed(events)
    ]
    at = pl.from_epoch("quoted_at", "ms").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    rows = pl.concat(made) if made else _RAW.to_frame().drop("source")
    return rows.with_columns(at, source=pl.lit("binance")).select(_RAW.names())


def _replayed(events: pl.DataFrame) -> Iterator[tuple[str, int, list[tuple[str, float, float]]]]:
    books: dict[str, dict[tuple[str, float], float]] = {}
    for (symbol, stamp), rows in events.group_by("symbol", "timestamp", maintain_order=True):
        name = str(symbol)
        if (rows["update_type"] == "snap").any():
            books[name] = {}
        book = books.setdefault(name, {})
        for side, price, size in rows.select("side", "price", "qty").iter_rows():
            book[_SIDES.get(side, side), float(price)] = float(size)
        books[name] = {level: size for level, size in book.items() if size > 0}
        yield name, int(str(stamp)), [(side, price, size) for (side, price), size in books[name].items()]


def _in_sessions(rows: pl.DataFrame, calendar: str) -> pl.DataFrame:
    """Snapshots with the session they fall into, or the next one; a close belongs to its session."""
    if rows.is_empty():
        return rows.with_columns(session=pl.lit(None, pl.Date))
    days = rows["quoted_at"].dt.date().sort()
    hours = sessions(calendar, days[0] - NEAR, days[-1] + NEAR)
    through = (
        pl.col("closes_at") if calendar != ALL_DAY else pl.col("closes_at") - pl.duration(microseconds=1)
    )
    return (
        rows.with_row_index("_row")
        .sort("quoted_at")
        .join_asof(
            hours.select("session", _through=through),
            left_on="quoted_at",
            right_on="_through",
            strategy="forward",
        )
        .sort("_row")
        .drop("_row")
    )


def _ranked(rows: pl.DataFrame, levels: int) -> pl.DataFrame:
    """Levels counted from the touch, the best ones kept."""
    outwards = pl.when(pl.col("side") == "bid").then(-pl.col("price")).otherwise(pl.col("price"))
    level = outwards.rank("ordinal").over("symbol", "quoted_at", "side").cast(pl.Int64) - 1
    return (
        rows.filter(pl.col("size") > 0)
        .with_columns(level=level)
        .filter(pl.col("level") < levels)
        .sort("symbol", "quoted_at", "side", "level")
        .select(DEPTH.names())
    )
