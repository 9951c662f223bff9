"""Exports hold what the version holds, and appear complete or not at all."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from lake_rows import BY, bars, days, order_events, regimes
from polars.testing import assert_frame_equal

import delta
from delta.contracts import Bars, OrderEvents, Regimes


@pytest.fixture
def filled(lake: delta.Lake) -> delta.Lake:
    delta.write(lake, Regimes, regimes("b", days(3), 0.1), {"book": "b"}, BY)
    delta.write(lake, Regimes, regimes("b", days(5), 0.2), {"book": "b"}, BY)
    return lake


def test_parquet_keeps_rows_and_types(filled: delta.Lake, tmp_path: Path) -> None:
    assert delta.export(filled, Regimes, tmp_path / "out.parquet", as_of=1) == 3
    assert_frame_equal(pl.read_parquet(tmp_path / "out.parquet"), regimes("b", days(3), 0.1))


def test_csv_reads_back_to_the_same_rows(filled: delta.Lake, tmp_path: Path) -> None:
    assert delta.export(filled, "regimes", tmp_path / "new" / "out.csv") == 5
    read = pl.read_csv(
        tmp_path / "new" / "out.csv", schema_overrides={"session": pl.Date}, try_parse_dates=True
    )
    assert_frame_equal(read.cast({"known_at": Regimes.schema()["known_at"]}), regimes("b", days(5), 0.2))


def test_rows_and_columns_can_be_chosen(filled: delta.Lake, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    where = pl.col("session") > days(5)[2]
    assert delta.export(filled, Regimes, path, where=where, columns=["session", "bull_points"]) == 2
    assert path.read_text().splitlines() == ["session,bull_points", "2024-01-04,0.2", "2024-01-05,0.2"]


def test_lists_and_structs_become_json_in_csv(lake: delta.Lake, tmp_path: Path) -> None:
    frame = bars(1, 3).with_columns(flags=pl.Series([["stale", 'a "b"'], [], None], dtype=pl.List(pl.String)))
    assert delta.export_frame(frame.with_columns(at=pl.struct("symbol", "close")), tmp_path / "out.csv") == 3
    read = pl.read_csv(tmp_path / "out.csv")
    assert [value and json.loads(value) for value in read["flags"]] == [["stale", 'a "b"'], [], None]
    assert json.loads(read["at"][0]) == {"symbol": "S0000", "close": frame["close"][0]}


def test_nulls_quotes_and_times_survive_csv(lake: delta.Lake, tmp_path: Path) -> None:
    frame = order_events("b", ["x,y", 'q"q', "line\nbreak"], message="a; b, c")
    delta.export_frame(frame, tmp_path / "out.csv")
    read = pl.read_csv(tmp_path / "out.csv")
    assert read["order_ref"].to_list() == frame["order_ref"].to_list()
    assert read["perm_id"].to_list() == [None] * 3
    assert datetime.fromisoformat(read["at"][0]) == frame["at"][0]


def test_an_absent_table_exports_its_header(lake: delta.Lake, tmp_path: Path) -> None:
    assert delta.export(lake, Bars, tmp_path / "out.csv") == 0
    assert (tmp_path / "out.csv").read_text().strip().split(",") == list(Bars.columns())
    assert delta.export(lake, OrderEvents, tmp_path / "out.parquet") == 0
    assert pl.read_parquet(tmp_path / "out.parquet").schema == OrderEvents.schema()


@pytest.mark.parametrize("name", ["out.xlsx", "out"])
def test_other_formats_are_refused(filled: delta.Lake, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"export writes \.csv or \.parquet"):
        delta.export(filled, Regimes, tmp_path / name)


def test_a_failed_export_leaves_the_old_file_and_nothing_else(filled: delta.Lake, tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    path = folder / "out.parquet"
    path.write_text("old")
    failing = delta.read(filled, Regimes).with_columns(pl.col("regime").cast(pl.Int64))
    with pytest.raises(pl.exceptions.InvalidOperationError):
        delta.export_frame(failing, path)
    assert path.read_text() == "old"
    assert list(folder.iterdir()) == [path]
