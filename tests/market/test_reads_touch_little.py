"""What a read of the table of bars needs: everything else is destroyed first, and the read is still right.

Files are ruled out by the table's log, groups of rows within a file by the file's own figures. Those that are
ruled out are removed or overwritten with noise, so that a read that looked at them would fail; what is left is
counted in bytes. No clock is involved.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from shutil import copytree
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from delta import Lake, Provenance, create_lake, open_lake, read, write
from delta.contracts import Bars
from delta.maintenance import compact
from resources.calendar import sessions

BY = Provenance("run-1", "market", "1")
KNOWN = datetime(2025, 1, 1, tzinfo=UTC)
MINUTES = sessions("XNYS", date(2024, 1, 2), date(2024, 6, 28))
YEARS = sessions("XNYS", date(2014, 1, 2), date(2023, 12, 29))


def bars(timeframe: str, symbols: int, times: pl.DataFrame) -> pl.DataFrame:
    """Bars of some symbols at the times (session, closes_at)."""
    close = 100.0 + pl.int_range(pl.len()) % 97 / 10
    whole = pl.concat(times.with_columns(symbol=pl.lit(f"S{i:03d}")) for i in range(symbols)).with_columns(
        timeframe=pl.lit(timeframe), open=close, high=close + 1, low=close - 1, close=close,
        volume=1000.0, source=pl.lit("test"), known_at=pl.lit(KNOWN), flags=pl.lit([], pl.List(pl.String)),
    )  # fmt: skip
    return whole.select(pl.col(name).cast(dtype) for name, dtype in Bars.schema().items())


def minutes_of(days: pl.DataFrame) -> pl.DataFrame:
    return pl.concat(
        pl.select(session=day, closes_at=pl.datetime_range(opens, closes, "1m", closed="right"))
        for day, opens, closes in days.select("session", "opens_at", "closes_at").iter_rows()
    )


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a year of minutes of twelve stocks and ten years of days of sixty, each written at once."""
    folder = tmp_path_factory.mktemp("once") / "lake"
    lake = create_lake(str(folder))
    write(lake, Bars, bars("1m", 12, minutes_of(MINUTES)), None, BY)
    write(lake, Bars, bars("1d", 60, YEARS.select("session", "closes_at")), None, BY)
    return folder


@pytest.fixture(scope="module")
def day_by_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three months of 5-minute closes of thirty stocks, written evening by evening."""
    folder = tmp_path_factory.mktemp("daily") / "lake"
    lake = create_lake(str(folder))
    for day in MINUTES.head(42).iter_slices(1):
        five = minutes_of(day).gather_every(5, offset=4)
        write(lake, Bars, bars("5m", 30, five), None, BY)
    return folder


@pytest.fixture(scope="module")
def compacted(day_by_day: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same after the weekly upkeep."""
    folder = tmp_path_factory.mktemp("compacted") / "lake"
    copytree(day_by_day, folder)
    compact(open_lake(str(folder)), [Bars])
    return folder


Wanted = dict[str, tuple[Any, Any]]
"""Lowest and highest value asked for, by column."""


def ruled_out(figures: dict[str, tuple[Any, Any]], wanted: Wanted) -> bool:
    """Whether the lowest and highest values of some rows leave none that is asked for."""
    return any(
        name in figures and (figures[name][1] < low or figures[name][0] > high)
        for name, (low, high) in wanted.items()
    )


def groups(file: Path) -> Iterator[tuple[dict[str, tuple[Any, Any]], int, int]]:
    """Figures, first byte and size of every group of rows of a file."""
    metadata = pq.ParquetFile(file).metadata
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        columns = [group.column(place) for place in range(group.num_columns)]
        figures = {
            one.path_in_schema: (one.statistics.min, one.statistics.max)
            for one in columns
            if one.statistics is not None and one.statistics.has_min_max
        }
        starts = [one.dictionary_page_offset or one.data_page_offset for one in columns]
        yield figures, min(starts), sum(one.total_compressed_size for one in columns)


def left_after_destroying_the_rest(lake: Path, wanted: Wanted) -> tuple[int, float]:
    """Files that are left, and the share of the table's bytes that is; all else is gone or noise."""
    table = DeltaTable(str(lake / "bars"))
    files = left = whole = 0
    for row in pl.DataFrame(table.get_add_actions(flatten=True)).iter_rows(named=True):
        file = lake / "bars" / row["path"]
        whole += file.stat().st_size
        if ruled_out({name: (row[f"min.{name}"], row[f"max.{name}"]) for name in wanted}, wanted):
            file.unlink()
            continue
        files += 1
        noise = random.Random(1)
        doomed = [(start, size) for figures, start, size in groups(file) if ruled_out(figures, wanted)]
        left += file.stat().st_size - sum(size for _, size in doomed)
        with file.open("r+b") as body:
            for start, size in doomed:
                body.seek(start)
                body.write(noise.randbytes(size))
    return files, left / whole


def rows(lake: Lake, wanted: Wanted) -> pl.DataFrame:
    where = pl.all_horizontal(
        pl.col(name) == low if low == high else pl.col(name).is_between(low, high)
        for name, (low, high) in wanted.items()
    )
    return read(lake, Bars, where=where).collect().sort("symbol", "closes_at")


DAY = (date(2024, 3, 14), date(2024, 3, 14))
MARCH = (date(2024, 3, 1), date(2024, 3, 31))
JANUARY = (date(2024, 1, 1), date(2024, 1, 31))
LATE = (date(2024, 2, 14), date(2024, 2, 14))
FEBRUARY = (date(2024, 2, 1), date(2024, 2, 29))
OLD_DAY = (date(2018, 5, 8), date(2018, 5, 8))
STOCK = ("S007", "S007")
LAYOUTS = {
    "a month of minutes of a stock": ("at_once", {"timeframe": ("1m", "1m"), "symbol": STOCK, "session": MARCH}, 20 * 390, 1, 0.22),
    "a day of minutes of all": ("at_once", {"timeframe": ("1m", "1m"), "session": DAY}, 12 * 390, 1, 0.25),
    "all days of a stock": ("at_once", {"timeframe": ("1d", "1d"), "symbol": STOCK}, YEARS.height, 1, 0.10),
    "a day of all": ("at_once", {"timeframe": ("1d", "1d"), "session": OLD_DAY}, 60, 1, 0.06),
    "a day that came alone": ("day_by_day", {"timeframe": ("5m", "5m"), "session": LATE}, 30 * 78, 1, 0.04),
    "a month that came day by day": ("day_by_day", {"timeframe": ("5m", "5m"), "symbol": STOCK, "session": FEBRUARY}, 20 * 78, 20, 0.55),
    "a day after upkeep": ("compacted", {"timeframe": ("5m", "5m"), "session": LATE}, 30 * 78, 1, 0.70),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_read_needs_no_more_than_a_little(
    request: pytest.FixtureRequest, tmp_path: Path, name: str
) -> None:
    made, wanted, count, most_files, most_bytes = LAYOUTS[name]
    folder = tmp_path / "lake"
    copytree(request.getfixturevalue(made), folder)
    before = rows(open_lake(str(folder)), wanted)
    files, share = left_after_destroying_the_rest(folder, wanted)
    print(f"{name}: {before.height} rows out of {files} files, {share:.1%} of the bytes")
    assert before.height == count
    assert rows(open_lake(str(folder)), wanted).equals(before)
    assert files <= most_files
    assert share <= most_bytes


def test_what_was_destroyed_would_have_been_noticed(at_once: Path, tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    copytree(at_once, folder)
    left_after_destroying_the_rest(folder, {"timeframe": ("1m", "1m"), "session": DAY})
    with pytest.raises(Exception, match=r"."):
        rows(open_lake(str(folder)), {"timeframe": ("1m", "1m"), "session": JANUARY})
