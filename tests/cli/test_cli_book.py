"""``desk book``: checking, listing and showing the configurations of books."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from trading.book import BookConfig
from trading.execution_modes import execution_mode, migration, overlaps

from .conftest import Desk

MINIMAL = "start = 2020-01-01\n[strategies.momentum]\n"


def written(folder: Path, content: str, name: str) -> Path:
    books = folder / "config" / "books"
    books.mkdir(parents=True, exist_ok=True)
    (books / name).write_text(content, encoding="utf-8")
    return books / name


def book(**content: object) -> BookConfig:
    return BookConfig.model_validate({"name": "b", "start": "2020-01-01", **content})


def test_books_in_order(desk: Desk, tmp_path: Path) -> None:
    written(tmp_path, 'benchmark = "SPY"\n' + MINIMAL, "a.toml")
    written(tmp_path, "start: 2020-01-01\nmode: live\nstrategies: {turtle: {}}\n", "b.yaml")
    done = desk("book", "check")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith(
        "a: in order; backtest, execution mode framework, strategies momentum, config "
    )
    assert lines[1].startswith("b: in order; live, execution mode framework, strategies turtle, config ")
    assert lines[2:] == [
        "  risk.regime has no effect without a benchmark",
        "  mode is live and allow_live is false: no order will be sent",
    ]
    assert not (tmp_path / "lake").exists()


def test_every_problem_of_every_file_is_told_and_nothing_is_written(desk: Desk, tmp_path: Path) -> None:
    written(tmp_path, MINIMAL, "a.toml")
    written(tmp_path, "x = 1\n" + MINIMAL + "params.entry.rsi_min = 101\n", "b.toml")
    written(tmp_path, 'name = "a"\n' + MINIMAL, "c.toml")
    written(tmp_path, "start = \n", "d.toml")
    before = sorted(tmp_path.rglob("*"))
    done = desk("book", "check")
    problems = [line.replace(f"{tmp_path}/config/books/", "") for line in done.stderr.splitlines()]
    assert done.returncode == 3
    assert [problem.partition(";")[0] for problem in problems] == [
        "desk: b.toml: x = 1: unknown key",
        "desk: d.toml:1:9: malformed TOML: Invalid value",
        'desk: c.toml: name = "a": a.toml has this name already',
    ]
    assert sorted(tmp_path.rglob("*")) == before


def test_parameters_of_strategies_are_checked(desk: Desk, tmp_path: Path) -> None:
    file = written(tmp_path, MINIMAL + "params.entry.rsi_mni = 1\n[strategies.turtel]\n", "a.toml")
    done = desk("book", "check", "a", "--json")
    problems = [
        f"{file}: strategies.momentum.params.entry.rsi_mni = 1: unknown key; did you mean rsi_min?",
        f"{file}: strategies.turtel: no such strategy; did you mean turtle?",
    ]
    assert done.returncode == 3
    assert json.loads(done.stdout) == [{"book": "a", "problems": problems}]
    assert done.stderr.splitlines() == [f"desk: {problem}" for problem in problems]


def test_a_file_anywhere_and_a_name_nowhere(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(MINIMAL, encoding="utf-8")
    assert desk("book", "check", "mine.toml").stdout.startswith("mine: in order")
    written(tmp_path, MINIMAL, "momentum.toml")
    done = desk("book", "check", "momentun")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"desk: no book 'momentun' in {tmp_path}/config/books; did you mean momentum?\n"


def test_no_books_at_all(desk: Desk, tmp_path: Path) -> None:
    done = desk("book", "check")
    assert done.returncode == 4
    assert (
        done.stderr == f"desk: no book files in {tmp_path}/config/books; desk init writes the shipped ones\n"
    )


def test_list_and_show(desk: Desk, tmp_path: Path) -> None:
    content = "capital = 2500\nend = 2021-01-01\n" + MINIMAL + '[alerts]\nurls = ["slack://${TOKEN}"]\n'
    written(tmp_path, content, "a.toml")
    listed = json.loads(desk("book", "list", "--json", TOKEN="s3cret").stdout)
    assert [(row["book"], row["capital"], row["end"]) for row in listed] == [("a", 2500, "2021-01-01")]
    shown = desk("book", "show", "a", "--json", TOKEN="s3cret")
    assert json.loads(shown.stdout)["alerts"]["urls"] == ["***"]
    table = desk("book", "show", "a", TOKEN="s3cret")
    assert "s3cret" not in shown.stdout + shown.stderr + table.stdout
    rows = dict(line.split(maxsplit=1) for line in table.stdout.splitlines() if len(line.split()) > 1)
    assert (rows["capital"], rows["risk.max_positions"]) == ("2,500.00", "8")


def test_strategies_and_their_parameters(desk: Desk) -> None:
    names = [row["strategy"] for row in json.loads(desk("book", "strategies", "--json").stdout)]
    assert "momentum" in names
    parameters = json.loads(desk("book", "strategies", "momentum", "--json").stdout)
    assert {
        key: value
        for row in parameters
        if row["parameter"] == "exit.max_holding_days"
        for key, value in row.items()
        if key != "allowed"
    } == {"parameter": "exit.max_holding_days", "default": 30}
    done = desk("book", "strategies", "momentun")
    assert (done.returncode, done.stderr) == (3, "desk: no strategy 'momentun'; did you mean momentum?\n")


MODES = [
    ({"strategies": {"momentum": {}}}, "framework"),
    ({"stocks": {"AAPL": {"shares": 5}}}, "legacy"),
    ({"stocks": {"AAPL": {"shares": 5}}, "strategies": {"momentum": {}}}, "hybrid"),
    ({"wheel": {"enabled": True}}, "wheel_only"),
    ({"wheel": {"enabled": True}, "stocks": {"AAPL": {"shares": 5}}}, "legacy"),
    ({"wheel": {"enabled": True}, "strategies": {"momentum": {}}}, "framework"),
    ({"wheel": {"enabled": True}, "strategies": {"momentum": {"enabled": False}}}, "wheel_only"),
]


@pytest.mark.parametrize(("content", "mode"), MODES)
def test_the_execution_mode_is_found_from_the_book(content: dict[str, object], mode: str) -> None:
    assert execution_mode(book(**content)) == mode


def test_older_tables_become_strategies() -> None:
    older = book(
        stocks={"AAPL": {"shares": 5}, "BRK.B": {"shares": 2.5}}, wheel={"enabled": True, "symbols": ["F"]}
    )
    assert list(older.strategies) == ["bx_trender_AAPL", "bx_trender_BRK.B", "wheel"]
    assert older.strategies["wheel"].key == "enhanced_wheel"
    assert older.strategies["wheel"].symbols == ("F",)
    assert older.strategies["bx_trender_BRK.B"].params == {"shares": 2.5}


def test_the_migration_loads_and_means_the_same() -> None:
    older = book(stocks={"AAPL": {"shares": 5}, "BRK.B": {"shares": 2.5}})
    newer = book(**tomllib.loads(migration(older)))
    assert newer.strategies == older.strategies
    assert execution_mode(newer) == "framework"
    assert migration(newer) == ""


def test_overlapping_symbols() -> None:
    hybrid = book(
        stocks={"AAPL": {"shares": 5}, "IBM": {"shares": 5}},
        strategies={
            "momentum": {},
            "turtle": {"symbols": ["IBM", "XOM"]},
            "sma_cross": {"symbols": ["AAPL"], "enabled": False},
        },
    )
    assert overlaps(hybrid) == {
        "AAPL": ("bx_trender_AAPL", "momentum"),
        "IBM": ("bx_trender_IBM", "momentum", "turtle"),
        "XOM": ("momentum", "turtle"),
    }
    assert overlaps(book(strategies={"momentum": {}}, universe={"symbols": ["AAPL"]})) == {}
