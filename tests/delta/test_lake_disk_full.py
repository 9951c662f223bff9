"""A disk that is full in the middle of a write: a clear error, and the table at its last whole version."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from lake_rows import BY, answer, bars, days, regimes, run_python

import delta
from delta.contracts import Bars, Regimes

LIMITED = """
import resource, signal, sys
import delta
from delta.contracts import Bars, Regimes
from lake_rows import BY, KNOWN, bars, days, regimes
lake, limit, what = delta.open_lake(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
many = delta.Provenance("run", "test", "1", inputs={f"table_{i}": i for i in range(4000)})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    if what == "data":
        delta.write(lake, Bars, bars(50, 200, KNOWN.replace(year=2023), seed=1), None, BY)
    elif what == "log":
        delta.write(lake, Regimes, regimes("b", days(2), 0.9), {"book": "b"}, many)
    elif what == "export":
        delta.export(lake, Bars, sys.argv[1] + "/../out.csv")
    else:
        delta.create_lake(sys.argv[1] + "/../other")
    print("written")
except delta.LakeFullError as error:
    print(error)
"""


@pytest.fixture
def filled(lake: delta.Lake) -> delta.Lake:
    delta.write(lake, Bars, bars(5, 100), None, BY)
    delta.write(lake, Regimes, regimes("b", days(2), 0.1), {"book": "b"}, BY)
    return lake


CASES = [("data", 20_000), ("log", 20_000), ("export", 2_000), ("create", 0)]


@pytest.mark.parametrize(("what", "limit"), CASES, ids=[case[0] for case in CASES])
def test_a_file_that_cannot_grow(filled: delta.Lake, what: str, limit: int) -> None:
    said = answer(run_python(LIMITED, filled.uri, limit, what))
    assert "no room left to write; free space and run again" in said
    assert len(said.splitlines()) == 1
    assert delta.resolve(filled, Bars) == delta.resolve(filled, Regimes) == 1
    assert delta.read(filled, Bars).collect().height == 500
    assert delta.read(filled, Regimes).collect()["bull_points"].to_list() == [0.1, 0.1]
    assert filled.path is not None
    assert not (filled.path.parent / "out.csv").exists()
    assert not [path for path in filled.path.parent.iterdir() if path.name.startswith(".out")]
    # With room again the same writes go through.
    assert delta.write(filled, Regimes, regimes("b", days(2), 0.9), {"book": "b"}, BY).replaced == 2
    again = bars(5, 100).with_columns(known_at=bars(1, 1)["known_at"][0].replace(year=2025))
    assert delta.write(filled, Bars, again, None, BY).version == 2


CHECKPOINT = """
import resource, signal, sys
import delta
from delta.contracts import Regimes
from lake_rows import BY, MONDAY, regimes
lake = delta.open_lake(sys.argv[1])
for i in range(14):
    delta.write(lake, Regimes, regimes("b", MONDAY, i / 1000), {"book": "b"}, BY)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000))
for i in range(14, 20):
    commit = delta.write(lake, Regimes, regimes("b", MONDAY, i / 1000), {"book": "b"}, BY)
    print(commit.version, commit.replaced)
"""


def test_a_commit_whose_checkpoint_does_not_fit_counts(lake: delta.Lake) -> None:
    said = answer(run_python(CHECKPOINT, lake.uri))
    assert said.splitlines() == [f"{i + 1} 1" for i in range(14, 20)]
    assert lake.path is not None
    assert not list((lake.path / "regimes" / "_delta_log").glob("*.checkpoint*"))
    assert delta.read(lake, Regimes).collect()["bull_points"].to_list() == [0.019]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)],
            capture_output=True,
            check=False,
        )
        if os.getuid() == 0
        else None
    )
    if mounted is None or mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(tiny_disk: Path) -> None:
    lake = delta.create_lake(tiny_disk / "lake")
    written = 0
    with pytest.raises(delta.LakeFullError, match="no room left to write"):  # noqa: PT012  which write is not known
        for i in range(100):
            known = bars(1, 1)["known_at"][0].replace(year=1990 + i)
            delta.write(lake, Bars, bars(20, 60, known, seed=i), None, BY)
            written += 1
    assert 0 < written < 100
    assert delta.resolve(lake, Bars) == written
    assert delta.read(lake, Bars).collect().height == written * 1200
    leftover = tiny_disk / "lake" / "bars"
    for file in leftover.glob("*#*"):
        file.unlink()
    assert delta.history(lake, Bars).height == written + 1
