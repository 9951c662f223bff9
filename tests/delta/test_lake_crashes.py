"""A writer that is killed leaves the table at a whole version, and the next writer just goes on."""

from __future__ import annotations

import random
import shutil
import signal
import time
from pathlib import Path

import polars as pl
import pytest
from lake_rows import BY, bars, data_files, days, regimes, run_python

import delta
from delta.contracts import Bars, Regimes
from tests.waiting import wait_until

BIG_APPEND = """
import sys
import delta
from delta.contracts import Bars
from lake_rows import BY, bars
lake = delta.open_lake(sys.argv[1])
frame = bars(500, 2000)
print("ready", flush=True)
sys.stdin.readline()
delta.write(lake, Bars, frame, None, BY)
print("done", flush=True)
"""
MANY_REPLACEMENTS = """
import sys
import delta
from delta.contracts import Regimes
from lake_rows import BY, days, regimes
lake = delta.open_lake(sys.argv[1])
print("ready", flush=True)
for i in range(int(sys.argv[2]), 100_000):
    delta.write(lake, Regimes, regimes("b", days(40), i / 100_000), {"book": "b"}, BY)
"""
ONE_REPLACEMENT = """
import sys
import delta
from delta.contracts import Regimes
from lake_rows import BY, days, regimes
lake = delta.open_lake(sys.argv[1])
delta.write(lake, Regimes, regimes("b", days(3), 0.9), {"book": "b"}, BY)
print("done", flush=True)
"""


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def test_killed_with_half_of_the_data_written(lake: delta.Lake) -> None:
    assert lake.path is not None
    writer = run_python(BIG_APPEND, lake.uri)
    assert writer.stdin is not None
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    writer.stdin.write("go\n")
    writer.stdin.flush()
    table = lake.path / "bars"
    wait_until(lambda: any("#" in name for name in names(table)))
    writer.kill()
    assert writer.communicate()[0] == ""
    assert writer.returncode == -signal.SIGKILL
    assert delta.read(lake, Bars).collect().is_empty()
    assert [path for path in table.iterdir() if path.is_file()]
    # What it left behind disturbs nobody.
    small = bars(2, 3)
    assert delta.write(lake, Bars, small, None, BY).rows == 6
    assert delta.read(lake, Bars).collect().height == 6


def test_killed_at_any_time_the_table_is_whole(lake: delta.Lake) -> None:
    delta.write(lake, Regimes, regimes("b", days(40), 0.0), {"book": "b"}, BY)
    clock = random.Random(11)
    begun = 0
    for _ in range(3):
        version = delta.resolve(lake, Regimes)
        writer = run_python(MANY_REPLACEMENTS, lake.uri, begun)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        wait_until(lambda before=version: delta.resolve(lake, Regimes) > before)  # type: ignore[misc]
        time.sleep(clock.uniform(0.0, 0.06))  # the draw of the moment at which it dies
        writer.kill()
        writer.communicate()
        after = delta.resolve(lake, Regimes)
        for each in range(version, after + 1):
            kept = delta.read(lake, Regimes, each).collect()
            assert kept["session"].sort().to_list() == days(40)
            assert kept["bull_points"].n_unique() == 1
        begun = round(kept["bull_points"][0] * 100_000) + 1


CALLS = [
    # System call that is never made, whether the commit is there by then, and what proves it got that far:
    # drafts of data files, drafts of commits, and commits in the folder.
    ("rename", "the data file gets its name", False, (1, 0, 2)),
    ("linkat", "the commit gets its name", False, (0, 1, 2)),
    ("unlink", "the draft of the commit is removed", True, (0, 1, 3)),
    ("fsync", "the commit is put on the disk", True, (0, 0, 3)),
]


def left_behind(lake: delta.Lake) -> tuple[int, int, int]:
    assert lake.path is not None
    table, log = names(lake.path / "regimes"), names(lake.path / "regimes" / "_delta_log")
    drafts = [sum("#" in name for name in folder) for folder in (table, log)]
    return drafts[0], drafts[1], sum(name.endswith(".json") for name in log)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace, which kills at a system call, is missing")
@pytest.mark.parametrize(
    ("call", "committed", "left"), [(c[0], c[2], c[3]) for c in CALLS], ids=[c[1] for c in CALLS]
)
def test_killed_before_a_step_of_the_commit(
    lake: delta.Lake, call: str, committed: bool, left: tuple[int, int, int]
) -> None:
    delta.write(lake, Regimes, regimes("b", days(3), 0.1), {"book": "b"}, BY)
    kill = ["strace", "-f", "-qq", "-o", "/dev/null"]
    kill += ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL"]
    writer = run_python(ONE_REPLACEMENT, lake.uri, prefix=kill)
    out, err = writer.communicate(timeout=60)
    if "PTRACE" in err or "ptrace" in err:
        pytest.skip("tracing is not allowed here")
    assert out == "", err
    assert left_behind(lake) == left
    kept = delta.read(lake, Regimes).collect()
    assert kept["bull_points"].unique().to_list() == [0.9 if committed else 0.1]
    assert kept.height == 3
    commit = delta.write(lake, Regimes, regimes("b", days(2), 0.5), {"book": "b"}, BY)
    assert commit.replaced == 3
    assert delta.read(lake, Regimes).collect()["bull_points"].to_list() == [0.5, 0.5]
    for version in range(1, commit.version):
        assert delta.read(lake, Regimes, version).select(pl.len()).collect().item() == 3
    assert data_files(lake, "regimes")
