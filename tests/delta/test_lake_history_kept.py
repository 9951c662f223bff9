"""History outlives checkpoints and the clean-up of old log files, which the defaults of Delta do not give."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, PostCommitHookProperties, write_deltalake
from lake_rows import BY, MONDAY, commit_files, regimes

import delta
from delta.contracts import Regimes

SIXTY_DAYS = timedelta(days=60).total_seconds()
COMMITS = 8


def age(log: Path) -> None:
    """Make every file of a log sixty days older."""
    for file in log.iterdir():
        when = file.stat().st_mtime - SIXTY_DAYS
        os.utime(file, (when, when))


def checkpoint_and_clean_up(uri: str, frame: pl.DataFrame) -> None:
    """What delta-rs does by itself now and then, and the call that forces it."""
    table = DeltaTable(uri)
    table.create_checkpoint()
    table.cleanup_metadata()
    write_deltalake(
        table,
        frame,
        mode="append",
        post_commithook_properties=PostCommitHookProperties(create_checkpoint=True),
    )


def readable(uri: str) -> list[int]:
    found = []
    for version in range(DeltaTable(uri).version() + 1):
        try:
            pl.scan_delta(uri, version=version).select(pl.len()).collect()
            found.append(version)
        except Exception:
            continue
    return found


LOSING = [
    ("the defaults", {}),
    ("days without interval", {"delta.logRetentionDuration": "36500 days"}),
    ("an interval in years", {"delta.logRetentionDuration": "interval 100 years"}),
]


@pytest.mark.parametrize("configuration", [case[1] for case in LOSING], ids=[case[0] for case in LOSING])
def test_a_table_of_the_defaults_loses_its_history(tmp_path: Path, configuration: dict[str, str]) -> None:
    uri = str(tmp_path / "table")
    frame = regimes("b", MONDAY)
    for _ in range(COMMITS):
        write_deltalake(uri, frame, mode="append", configuration=configuration)
    age(tmp_path / "table" / "_delta_log")
    checkpoint_and_clean_up(uri, frame)
    assert 0 not in readable(uri)
    assert COMMITS in readable(uri)


def test_a_table_of_the_lake_keeps_it(lake: delta.Lake) -> None:
    assert lake.path is not None
    commits = [
        delta.write(lake, Regimes, regimes("b", MONDAY, i / 10), {"book": "b"}, BY) for i in range(COMMITS)
    ]
    age(lake.path / "regimes" / "_delta_log")
    checkpoint_and_clean_up(lake.table_uri("regimes"), regimes("c", MONDAY))
    assert readable(lake.table_uri("regimes")) == list(range(COMMITS + 2))
    for i, commit in enumerate(commits):
        assert delta.read(lake, Regimes, commit.version).collect()["bull_points"].to_list() == [i / 10]
        assert delta.resolve(lake, Regimes, commit.at) == commit.version
    assert delta.history(lake, Regimes).height == COMMITS + 2


def test_history_survives_the_checkpoints_of_many_commits(lake: delta.Lake) -> None:
    """delta-rs writes a checkpoint of itself every sixteen commits, and cleans up with it."""
    assert lake.path is not None
    for i in range(28):
        delta.write(lake, Regimes, regimes("b", MONDAY, i / 1000), {"book": "b"}, BY)
    age(lake.path / "regimes" / "_delta_log")
    for i in range(28, 36):
        delta.write(lake, Regimes, regimes("b", MONDAY, i / 1000), {"book": "b"}, BY)
    checkpoints = (lake.path / "regimes" / "_delta_log").glob("*.checkpoint.parquet")
    assert sorted(int(path.name[:20]) for path in checkpoints) == [15, 31]
    assert len(commit_files(lake, "regimes")) == 37
    for version in (0, 1, 14, 15, 16, 30, 31, 32, 36):
        expected = [] if version == 0 else [(version - 1) / 1000]
        assert delta.read(lake, Regimes, version).collect()["bull_points"].to_list() == expected
    assert delta.resolve(lake, Regimes, datetime(2001, 1, 1, tzinfo=UTC)) == -1
