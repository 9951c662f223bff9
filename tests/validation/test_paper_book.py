"""A paper book through past sessions by the command line: begun, run in pieces, reported, validated."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from assets.validation import compared_frames
from delta import open_lake, read
from delta.contracts import Executions, Fills, OrderEvents, Portfolio
from pipelines.cli import main
from resources.gateway import process
from tests.assets.walks import Market
from tests.integration.conftest import BOOK, demo_book

FIRST, NEXT, LAST = "2012-01-06", "2012-01-13", "2012-01-20"
Desk = Callable[..., int]


@pytest.fixture
def folder(sample: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A desk's folder with the sample and a paper book."""
    assert sample.lake.path is not None
    shutil.copytree(sample.lake.path, tmp_path / "lake")
    (tmp_path / "config" / "books").mkdir(parents=True)
    (tmp_path / "config" / "desk.toml").write_text('lake = "./lake"\n', encoding="utf-8")
    (tmp_path / "config" / "books" / f"{BOOK}.toml").write_text(
        demo_book(FIRST, "2012-03-30"), encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    for name in ("DESK_LAKE", "DESK_CONFIG", "DESK_BOOKS", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_a_paper_book_goes_on_where_it_stopped(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["paper", "run", BOOK]) == 5
    assert "begin with: desk paper init" in capsys.readouterr().err
    assert main.run(["paper", "init", BOOK]) == 0
    assert main.run(["paper", "init", BOOK]) == 5
    assert process.status(folder / ".gateway" / BOOK) is None

    assert main.run(["paper", "run", BOOK, "--sessions", "2"]) == 0
    assert main.run(["paper", "run", BOOK, "--until", NEXT]) == 0
    lake = open_lake(folder / "lake")
    days = read(lake, Portfolio).sort("session").collect()["session"]
    assert (str(days[0]), str(days[-1]), len(days)) == (FIRST, NEXT, 6)
    fills, told = read(lake, Fills).collect(), read(lake, Executions).collect()
    assert set(fills["execution_id"]) == set(told["execution_id"]) != set()
    assert set(read(lake, OrderEvents).collect()["source"]) == {"broker"}
    assert process.status(folder / ".gateway" / BOOK) is None, "the gateway ends with the run"

    capsys.readouterr()
    assert main.run(["paper", "report", BOOK, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["book"] == BOOK
    assert main.run(["paper", "run", BOOK, "--until", NEXT]) == 4
    assert "no session with bars after 2012-01-13" in capsys.readouterr().err

    # A second book has an account of its own: nothing of the first one is taken for its.
    second = demo_book(FIRST, "2012-03-30", name='"second"')
    (folder / "config" / "books" / "second.toml").write_text(second, encoding="utf-8")
    assert main.run(["paper", "init", "second"]) == 0
    assert main.run(["paper", "run", "second", "--sessions", "2"]) == 0
    for name, columns in (
        ("fills", ["session", "symbol", "side", "quantity", "price", "commission"]),
        ("positions", ["session", "symbol", "quantity", "average_cost", "market_value"]),
        ("portfolio", ["session", "cash", "equity", "realised_pnl"]),
    ):
        frames = (compared_frames(lake, book, days[0], days[1])[name] for book in (BOOK, "second"))
        rows = [frame.select(columns).sort(columns[:2]).rows() for frame in frames]
        assert rows[0] == rows[1] != [], name
    told = read(lake, Executions).select("book", "account", "execution_id").unique().collect()
    assert told["execution_id"].is_unique().all()
    assert told.group_by("book").agg(pl.col("account").n_unique())["account"].to_list() == [1, 1]


def test_a_run_killed_after_the_gateway_played_goes_on(folder: Path) -> None:
    assert main.run(["paper", "init", BOOK]) == 0
    assert main.run(["paper", "run", BOOK, "--sessions", "1"]) == 0
    state = folder / ".gateway" / BOOK
    process.start(state, port=0, control_port=0)
    with process.control(state) as control:
        control.ask("session", session="2012-01-09", only=True)
    assert main.run(["paper", "run", BOOK, "--sessions", "2"]) == 0
    assert process.status(state) is not None, "a gateway that was running is left running"
    process.stop(state)
    frames = compared_frames(open_lake(folder / "lake"), BOOK, *_range(folder))
    assert frames["portfolio"].height == 3
    assert frames["fills"].filter(pl.col("purpose") == "entry").height == 2


def test_validate_from_the_command_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["validate", "--book", BOOK, "--sessions", "8", "--last", LAST, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["equal"], found["sessions"], found["last"]) == (True, 8, LAST)
    assert found["rows"]["fills"] > 0
    assert found["differences"] == []
    assert read(open_lake(folder / "lake"), Portfolio).collect().is_empty(), "nothing is written"
    assert main.run(["validate", "--book", BOOK, "--sessions", "8", "--last", LAST]) == 0
    assert "equal: orders, fills, positions" in capsys.readouterr().out


def test_a_backtest_book_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = demo_book(FIRST, "2012-03-30", name='"past"', mode='"backtest"')
    (folder / "config" / "books" / "past.toml").write_text(text, encoding="utf-8")
    assert main.run(["paper", "init", "past"]) == 3
    assert 'a paper book has mode = "paper"' in capsys.readouterr().err


def _range(folder: Path) -> tuple[object, object]:
    days = read(open_lake(folder / "lake"), Portfolio).collect()["session"]
    return days.min(), days.max()
