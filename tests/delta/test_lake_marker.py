"""What a lake is: its marker, its layout, and what is refused instead of being read or overwritten."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from lake_rows import BY, answer, days, regimes, run_python

import delta
from delta.contracts import DATE, NUMBER, STRING, Column, Regimes, Table
from delta.lake import remote_file, remove_file


def test_creating_twice_opens(tmp_path: Path) -> None:
    first = delta.create_lake(tmp_path / "deep" / "lake")
    delta.write(first, Regimes, regimes("b", days(1)), {"book": "b"}, BY)
    assert delta.create_lake(tmp_path / "deep" / "lake") == first == delta.open_lake(f"file://{first.uri}")
    assert delta.read(first, Regimes).collect().height == 1


def test_a_relative_address_is_kept_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert delta.create_lake("lake").uri == str(tmp_path / "lake")


def folder_with(name: str, text: str):  # type: ignore[no-untyped-def]
    def make(path: Path) -> Path:
        path.mkdir()
        (path / name).write_text(text)
        return path

    return make


def file(path: Path) -> Path:
    path.write_text("a file")
    return path


REFUSED = [
    ("nothing there", lambda path: path, False, delta.NotALakeError, "no lake here"),
    ("a file", file, True, delta.NotALakeError, "is a file"),
    ("below a file", lambda path: file(path) / "lake", True, delta.NotALakeError, "below a file"),
    (
        "a folder of others",
        folder_with("notes.txt", "x"),
        True,
        delta.NotALakeError,
        "not empty and is no lake",
    ),
    (
        "another marker",
        folder_with("lake.json", '{"format": "x"}'),
        True,
        delta.NotALakeError,
        "not the marker",
    ),
    ("a torn marker", folder_with("lake.json", '{"form'), True, delta.NotALakeError, "not the marker"),
    (
        "a newer layout",
        folder_with("lake.json", '{"format": "deltadesk lake", "layout": 2}'),
        True,
        delta.LakeVersionError,
        "layout 2, this program reads layout 1",
    ),
]


@pytest.mark.parametrize(
    ("make", "create", "error", "text"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED]
)
def test_what_is_no_lake_is_refused(tmp_path: Path, make, create, error, text) -> None:  # type: ignore[no-untyped-def]
    address = make(tmp_path / "place")
    with pytest.raises(error, match=text) as caught:
        delta.open_lake(address, create=create)
    assert str(address) in str(caught.value)
    assert "\n" not in str(caught.value)


def later_regimes() -> type[Table]:
    columns = {**vars(Regimes), "version": 2}
    return type("RegimesLater", (Table,), {k: v for k, v in columns.items() if not k.startswith("__")})


class FewerColumns(Table):
    """The same name and version with other columns."""

    name = "regimes"
    key = ("book", "session")
    scope = ("book",)
    book = Column(STRING, "book")
    session = Column(DATE, "session")
    bull_points = Column(NUMBER, "points")


@pytest.mark.parametrize(
    ("other", "text"),
    [
        (later_regimes(), "schema version 1, this program knows 2"),
        (FewerColumns, "columns differ .*max_positions"),
    ],
)
def test_a_table_of_another_schema_is_refused(lake: delta.Lake, other: type[Table], text: str) -> None:
    frame = regimes("b", days(1))
    delta.write(lake, Regimes, frame, {"book": "b"}, BY)
    with pytest.raises(delta.LakeVersionError, match=text):
        delta.read(lake, other)
    with pytest.raises(delta.LakeVersionError, match=text):
        delta.write(lake, other, frame.select(*other.columns()), {"book": "b"}, BY)
    assert delta.resolve(lake, Regimes) == 1


def test_a_table_of_another_program_is_refused(lake: delta.Lake) -> None:
    write_deltalake(lake.table_uri("regimes"), pl.DataFrame({"x": [1]}))
    with pytest.raises(delta.LakeVersionError, match="schema version missing"):
        delta.read(lake, "regimes")


def test_a_folder_left_by_a_crash_during_creation_is_an_absent_table(lake: delta.Lake) -> None:
    assert lake.path is not None
    (lake.path / "regimes" / "_delta_log").mkdir(parents=True)
    assert delta.read(lake, Regimes).collect().is_empty()
    assert delta.write(lake, Regimes, regimes("b", days(1)), {"book": "b"}, BY).version == 1


def test_tables_carry_name_description_and_schema_version(lake: delta.Lake) -> None:
    delta.write(lake, Regimes, regimes("b", days(1)), {"book": "b"}, BY)
    metadata = DeltaTable(lake.table_uri("regimes")).metadata()
    assert metadata.name == "regimes"
    assert metadata.description == "Market regime of a session, measured on the book's benchmark."
    assert metadata.configuration["desk.schemaVersion"] == "1"


def test_files_of_a_lake_behind_a_url(tmp_path: Path) -> None:
    local = delta.create_lake(tmp_path / "lake")
    behind = delta.Lake(f"file://{local.uri}")
    assert behind.path is None
    assert json.loads(remote_file(behind, "lake.json")) == {"format": "deltadesk lake", "layout": 1}
    remove_file(behind, "lake.json")
    with pytest.raises(delta.NotALakeError):
        delta.open_lake(local.uri)


READ_ONLY = """
import os, sys
import delta
from delta.contracts import Regimes, Trades
from lake_rows import BY, days, regimes
lake = delta.open_lake(sys.argv[1])
before = delta.resolve(lake, "regimes")
delta.read(lake, "regimes").collect()
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
for act in (
    lambda: delta.write(lake, Regimes, regimes("b", days(2)), {"book": "b"}, BY),
    lambda: delta.write(lake, Trades, delta.read(lake, "trades").collect(), {"book": "b"}, BY),
    lambda: delta.create_lake(sys.argv[1] + "/../other"),
    lambda: delta.export(lake, "regimes", sys.argv[1] + "/out.csv"),
):
    try:
        act()
        print("written")
    except delta.ReadOnlyLakeError as error:
        print("refused", len(str(error).splitlines()))
print(delta.resolve(lake, "regimes") - before, delta.read(lake, "regimes").collect().height)
"""


def test_a_read_only_lake_can_be_read_and_refuses_writes_clearly(lake: delta.Lake) -> None:
    assert lake.path is not None
    delta.write(lake, Regimes, regimes("b", days(1)), {"book": "b"}, BY)
    parents = [folder for folder in lake.path.parents if folder.stat().st_uid == lake.path.stat().st_uid]
    traversable = [folder for folder in parents if folder != Path("/") and "pytest" in str(folder)]
    for folder in traversable:
        folder.chmod(0o755)
    folders = [lake.path, *(path for path in lake.path.rglob("*") if path.is_dir())]
    for folder in (*folders, lake.path.parent):
        folder.chmod(0o555)
    try:
        said = answer(run_python(READ_ONLY, lake.uri)).splitlines()
    finally:
        for folder in (lake.path.parent, *folders):
            folder.chmod(0o755)
    assert said == ["refused 1"] * 4 + ["0 1"]
