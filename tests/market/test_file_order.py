"""The order of bars within a file: a day and a symbol both lie in few groups of rows."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pyarrow.parquet as pq

from delta import read, write
from delta.contracts import Bars, Signals, Table
from delta.writing import in_order
from tests.trading.market_frames import bars_frame

DAYS = 500


def rows() -> pl.DataFrame:
    frames = [bars_frame([10.0] * DAYS, name) for name in ("B", "A", "C")]
    known = pl.col("closes_at").max() + timedelta(days=1)
    frame = pl.concat(frames).with_columns(known_at=known, flags=pl.lit([], pl.List(pl.String)))
    return frame.select(Bars.schema().names()).sample(fraction=1.0, shuffle=True, seed=3)


def test_rows_lie_by_timeframe_year_symbol_and_session():
    found = in_order(Bars, rows())
    assert found.equals(found.sort("timeframe", pl.col("session").dt.year(), "symbol", "session"))
    assert in_order(Bars, found) is found


def test_bars_within_the_day_lie_by_month():
    mixed = rows().with_columns(
        timeframe=pl.when(pl.col("symbol") == "B").then(pl.lit("1h")).otherwise("timeframe")
    )
    found = in_order(Bars, mixed)
    day = pl.col("session")
    month = pl.when(pl.col("timeframe") == "1h").then(day.dt.month()).otherwise(0)
    assert found.equals(found.sort("timeframe", day.dt.year(), month, "symbol", "session"))
    assert found["timeframe"].n_unique() == 2


def test_other_tables_keep_their_own_order():
    assert Signals.sort
    frame = pl.DataFrame(
        {
            name: ["b", "a", "a"] if dtype == pl.String else [None] * 3
            for name, dtype in Signals.schema().items()
        },
        schema=Signals.schema(),
    )
    assert in_order(Signals, frame).equals(frame.sort(Signals.sort, maintain_order=True))

    class Unsorted(Table):
        name = "unsorted"
        key = ("a",)

    assert in_order(Unsorted, frame) is frame


def test_statistics_of_a_file_rule_out_most_groups(lake, run):
    made = pl.concat([bars_frame([10.0] * 2000, f"S{i:03d}") for i in range(60)])
    frame = made.with_columns(known_at=pl.col("closes_at").max(), flags=pl.lit([], pl.List(pl.String)))
    write(lake, Bars, frame.select(Bars.schema().names()), None, run)
    assert read(lake, Bars).select(pl.len()).collect().item() == 120_000
    groups = [
        {
            column.path_in_schema: column.statistics
            for column in (group.column(i) for i in range(group.num_columns))
        }
        for file in sorted((lake.path / "bars").glob("*.parquet"))
        for group in [
            pq.ParquetFile(file).metadata.row_group(i)
            for i in range(pq.ParquetFile(file).metadata.num_row_groups)
        ]
    ]
    day = date(2021, 6, 1)
    with_day = [g for g in groups if g["session"].min <= day <= g["session"].max]
    assert len(groups) == 4
    assert len(with_day) <= 2
