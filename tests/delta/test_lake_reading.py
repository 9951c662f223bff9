"""Reads go to one version; a time is resolved by commit times of the writers, never by times of files."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from deltalake import write_deltalake
from lake_rows import BY, MONDAY, bars, commit_files, data_files, days, regimes
from polars.testing import assert_frame_equal

import delta
from delta.contracts import Bars, Regimes

EPSILON = timedelta(microseconds=1)


@pytest.fixture
def commits(lake: delta.Lake) -> list[delta.Commit]:
    """Three versions of one row, with points 0.1, 0.2 and 0.3."""
    return [
        delta.write(lake, Regimes, regimes("b", MONDAY, value), {"book": "b"}, BY)
        for value in (0.1, 0.2, 0.3)
    ]


def points(frame: pl.LazyFrame) -> list[float]:
    return frame.collect()["bull_points"].to_list()


def test_a_table_without_a_commit_reads_as_its_empty_schema(lake: delta.Lake) -> None:
    for as_of in (None, -1, datetime.now(UTC)):
        frame = delta.read(lake, "bars", as_of, where=pl.col("close") > 1).collect()
        assert frame.is_empty()
        assert frame.schema == Bars.schema()
    assert delta.pin(lake, ["bars", Regimes]).versions == {"bars": -1, "regimes": -1}


def test_each_version_reads_as_it_was(lake: delta.Lake, commits: list[delta.Commit]) -> None:
    read = [points(delta.read(lake, Regimes, version)) for version in (-1, 0, 1, 2, 3, None)]
    assert read == [[], [], [0.1], [0.2], [0.3], [0.3]]


def test_each_time_means_the_newest_commit_not_after_it(
    lake: delta.Lake, commits: list[delta.Commit]
) -> None:
    assert [delta.resolve(lake, Regimes, commit.at) for commit in commits] == [1, 2, 3]
    assert [delta.resolve(lake, Regimes, commit.at - EPSILON) for commit in commits] == [0, 1, 2]
    assert points(delta.read(lake, Regimes, commits[0].at - EPSILON)) == []
    assert delta.resolve(lake, Regimes, datetime(2000, 1, 1, tzinfo=UTC)) == -1
    assert delta.resolve(lake, Regimes, datetime(2100, 1, 1, tzinfo=UTC)) == 3


def test_times_of_files_do_not_matter(lake: delta.Lake, commits: list[delta.Commit]) -> None:
    years_ago = datetime(2001, 1, 1, tzinfo=UTC).timestamp()
    for age, file in enumerate(reversed(commit_files(lake, "regimes"))):
        os.utime(file, (years_ago + age, years_ago + age))
    assert [delta.resolve(lake, Regimes, commit.at) for commit in commits] == [1, 2, 3]
    assert delta.resolve(lake, Regimes, datetime(2010, 1, 1, tzinfo=UTC)) == -1


def test_a_copied_lake_answers_the_same(lake: delta.Lake, commits: list[delta.Commit]) -> None:
    assert lake.path is not None
    shutil.copytree(lake.path, lake.path.parent / "copy")
    copy = delta.open_lake(lake.path.parent / "copy")
    assert points(delta.read(copy, Regimes, commits[1].at)) == [0.2]


def test_a_commit_of_another_program_counts_by_the_time_it_logged(
    lake: delta.Lake, commits: list[delta.Commit]
) -> None:
    foreign = regimes("c", MONDAY, 0.9)
    write_deltalake(lake.table_uri("regimes"), foreign, mode="append")
    os.utime(commit_files(lake, "regimes")[-1], (0, 0))
    assert delta.resolve(lake, Regimes, commits[-1].at) in (3, 4)
    assert delta.resolve(lake, Regimes, commits[0].at) == 1
    assert delta.resolve(lake, Regimes, datetime.now(UTC) + timedelta(seconds=1)) == 4


def test_a_long_log_is_resolved_from_both_ends(lake: delta.Lake) -> None:
    at = [delta.write(lake, Regimes, regimes("b", MONDAY, i / 100), {"book": "b"}, BY).at for i in range(70)]
    assert delta.resolve(lake, Regimes, at[0]) == 1
    assert delta.resolve(lake, Regimes, at[2]) == 3
    assert delta.resolve(lake, Regimes, at[69]) == 70
    assert delta.resolve(lake, Regimes, at[0] - timedelta(days=1)) == -1


def test_a_lazy_frame_stays_on_its_version(lake: delta.Lake, commits: list[delta.Commit]) -> None:
    frames = [delta.read(lake, Regimes), delta.pin(lake, [Regimes]).read(Regimes)]
    delta.write(lake, Regimes, regimes("b", MONDAY, 0.7), {"book": "b"}, BY)
    assert [points(frame) for frame in frames] == [[0.3], [0.3]]


def test_pins_hold_every_table_at_one_version(lake: delta.Lake, commits: list[delta.Commit]) -> None:
    delta.write(lake, Bars, bars(2, 2), None, BY)
    pins = delta.pin(lake, ["regimes", Bars], commits[1].at)
    assert pins.versions == {"regimes": 2, "bars": -1}
    assert points(pins.read("regimes")) == [0.2]
    assert pins.read(Bars).collect().is_empty()
    with pytest.raises(delta.UnknownVersionError, match="orders is not pinned; pinned are bars, regimes"):
        pins.read("orders")


WRONG = [
    ("regims", None, delta.UnknownTableError, r"no table 'regims'; did you mean regimes or risk"),
    ("regimes", 9, delta.UnknownVersionError, "regimes has no version 9; it has versions 0 to 3"),
    ("regimes", -2, delta.UnknownVersionError, "regimes has no version -2"),
    ("orders", 0, delta.UnknownVersionError, "orders has no version 0; it has no version yet"),
    ("regimes", datetime(2024, 1, 1), delta.UnknownVersionError, "no time zone"),  # noqa: DTZ001  the case
]


@pytest.mark.parametrize(("table", "as_of", "error", "text"), WRONG)
def test_what_does_not_exist_is_named(lake, commits, table, as_of, error, text) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=text):
        delta.read(lake, table, as_of)


def test_rows_and_columns_can_be_chosen(lake: delta.Lake) -> None:
    frame = bars(3, 4)
    delta.write(lake, Bars, frame, None, BY)
    wanted = (pl.col("symbol") == "S0001") & (pl.col("session") > datetime(2010, 1, 5).date())  # noqa: DTZ001
    read = delta.read(lake, Bars, where=wanted, columns=["close", "session"]).collect()
    assert_frame_equal(read, frame.filter(wanted).select("close", "session"))


def test_one_file_reads_as_it_reads_through_the_log(lake: delta.Lake) -> None:
    rows = bars(3, 4).with_columns(flags=pl.Series([["a", "b"], [], ["c"]] * 4))
    delta.write(lake, Bars, rows, None, BY)
    assert len(data_files(lake, "bars")) == 1
    uri = lake.table_uri("bars")
    assert_frame_equal(delta.read(lake, Bars).collect(), pl.scan_delta(uri).collect())
    for where in (pl.col("symbol") == "S0001", pl.col("close") < 0, pl.col("flags").list.len() == 2):
        for columns in (None, ["known_at"]):
            asked = pl.scan_delta(uri).filter(where).select(columns or pl.all())
            assert_frame_equal(
                delta.read(lake, Bars, where=where, columns=columns).collect(), asked.collect()
            )


def test_files_that_statistics_rule_out_are_not_opened(lake: delta.Lake) -> None:
    for day in days(6):
        delta.write(lake, Regimes, regimes("b", day), {"book": "b", "session": day}, BY)
    kept = {days(6)[1], days(6)[4]}
    for file in data_files(lake, "regimes"):
        if pl.read_parquet(file)["session"][0] not in kept:
            file.unlink()  # opening it would fail
    for where in (
        pl.col("session").is_in(sorted(kept)),
        pl.col("session") == days(6)[1],
        pl.col("session").is_between(days(6)[4], days(6)[4]),
        (pl.col("book") == "b") & (pl.col("session") == days(6)[4]),
    ):
        assert set(delta.read(lake, Regimes, where=where).collect()["session"]) <= kept
    # A replacement of one session opens no other file either.
    delta.write(lake, Regimes, regimes("b", days(6)[4], 0.8), {"book": "b", "session": days(6)[4]}, BY)
