"""Built calendars are kept as files: a process that finds one builds nothing, and a bad file is made anew."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from delta.contracts import Sessions
from resources.calendar_files import kept

ROWS = Sessions.schema().to_frame()
PROGRAM = """
import sys
from datetime import date
from resources.calendar import sessions
frame = sessions(sys.argv[1], date(2024, 11, 25), date(2024, 12, 2))
print(frame.write_csv(), "pandas" in sys.modules)
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def refuse() -> pl.DataFrame:
    raise AssertionError("built again")


def asked(calendar: str) -> tuple[str, str]:
    """What another process prints of a calendar, and whether it had to import pandas for it."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, calendar], capture_output=True, text=True, check=True, env=os.environ
    )
    frame, _, imported = done.stdout.strip().rpartition(" ")
    return frame, imported


def test_the_next_process_has_the_same_sessions_without_building(cache: Path) -> None:
    built, imported = asked("XNYS")
    assert imported == "True"
    assert "2024-11-29,2024-11-29T14:30:00.000000+0000,2024-11-29T18:00:00.000000+0000,true" in built
    assert asked("XNYS") == (built, "False")


def test_names_and_spans_have_files_of_their_own(cache: Path) -> None:
    one, other = (Sessions.schema().to_frame(), pl.DataFrame(schema=Sessions.schema()))
    for calendar, first in (("24/7", 1990), ("24/5", 1990), ("24/7", 2030)):
        kept(calendar, first, lambda: one)
        assert kept(calendar, first, refuse).equals(other)
    assert len(list(cache.rglob("*.parquet"))) == 3


DAMAGE = {
    "cut off": lambda file: file.write_bytes(file.read_bytes()[:40]),
    "empty": lambda file: file.write_bytes(b""),
    "of other columns": lambda file: pl.DataFrame({"session": [1]}).write_parquet(file),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_file_is_made_anew(cache: Path, damage: object) -> None:
    kept("XNYS", 1990, lambda: ROWS)
    (file,) = cache.rglob("*.parquet")
    damage(file)  # type: ignore[operator]
    assert kept("XNYS", 1990, lambda: ROWS).equals(ROWS)
    assert kept("XNYS", 1990, refuse).equals(ROWS)
    assert list(cache.rglob("*.*quet")) == [file]


def test_where_nothing_can_be_kept_every_process_builds(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = cache / "file"
    file.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    assert kept("XNYS", 1990, lambda: ROWS).equals(ROWS)
    with pytest.raises(AssertionError, match="built again"):
        kept("XNYS", 1990, refuse)
