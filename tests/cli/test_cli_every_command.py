"""Every command that there is: help, a wrong command line, JSON, an empty folder, a bad argument."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from pipelines.cli.main import app

from .shell import Shell

ROOT: Any = typer.main.get_command(app)


def leaves(command: Any = ROOT, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Commands that do something, by the words that call them."""
    for name, inner in getattr(command, "commands", {}).items():
        yield from leaves(inner, (*path, name))
    if not hasattr(command, "commands"):
        yield path, command


COMMANDS = dict(leaves())
IDS = [" ".join(path) for path in COMMANDS]


def required(command: Any) -> list[Any]:
    """Parameters that must be given."""
    return [parameter for parameter in command.params if parameter.required]


def test_the_commands_of_the_design_are_there() -> None:
    design = [
        "demo",
        "ui",
        "run",
        "backtest",
        "paper",
        "scan",
        "analyze",
        "report",
        "query",
        "explain",
        "replay",
        "validate",
        "book",
        "data",
        "orders",
        "reconcile",
        "halt",
        "resume",
        "gateway",
        "doctor",
    ]
    assert set(design) <= set(ROOT.commands)


@pytest.mark.parametrize("path", COMMANDS, ids=IDS)
def test_help_says_what_a_command_and_each_of_its_options_does(shell: Shell, path: tuple[str, ...]) -> None:
    done = shell.desk(*path, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: desk {' '.join(path)}")
    summary = next(line.strip() for line in done.out.splitlines()[1:] if line.strip())
    assert summary.endswith((".", ":", ";")) or len(summary) > 60, "a sentence, perhaps wrapped"
    for parameter in COMMANDS[path].params:
        if parameter.param_type_name == "option" and parameter.name != "help":
            assert parameter.help, (path, parameter.name)
            assert max(parameter.opts, key=len) in done.out
    assert not list(shell.folder.iterdir())


@pytest.mark.parametrize("path", COMMANDS, ids=IDS)
def test_an_unknown_option_is_one_line_with_the_way_to_the_help(shell: Shell, path: tuple[str, ...]) -> None:
    done = shell.desk(*path, "--no-such-thing")
    assert (done.code, done.out) == (2, "")
    assert "No such option: --no-such-thing" in done.error
    assert done.error.endswith(f"(see desk {' '.join(path)} --help)")
    assert not list(shell.folder.iterdir())


NEEDING = {path: command for path, command in COMMANDS.items() if required(command)}


@pytest.mark.parametrize("path", NEEDING, ids=[" ".join(path) for path in NEEDING])
def test_what_is_left_out_is_named(shell: Shell, path: tuple[str, ...]) -> None:
    done = shell.desk(*path)
    named = required(NEEDING[path])[0]
    if getattr(named, "prompt", None):
        assert done.code == 130, "asked for it, and nobody answered"
        return
    assert (done.code, done.out) == (2, "")
    kind = "argument" if named.param_type_name == "argument" else "option"
    assert done.error.startswith(f"Missing {kind} ")
    assert done.error.endswith(f"(see desk {' '.join(path)} --help)")


@pytest.mark.parametrize(
    "words", [("qurey",), ("data", "ingst"), ("book", "chek"), ("gateway", "strat")], ids=" ".join
)
def test_a_misspelt_command_is_answered_with_the_right_one(shell: Shell, words: tuple[str, ...]) -> None:
    done = shell.desk(*words)
    assert done.code == 2
    meant = {"qurey": "query", "ingst": "ingest", "chek": "check", "strat": "start"}[words[-1]]
    assert f"No such command {words[-1]!r}. Did you mean {meant!r}" in done.error or (
        f"No such command {words[-1]!r}" in done.error and meant in done.error
    )


@pytest.mark.parametrize("group", ["book", "data", "gateway"])
def test_a_group_alone_shows_its_commands(shell: Shell, group: str) -> None:
    done = shell.desk(group)
    for name in ROOT.commands[group].commands:
        assert re.search(rf"^  {name}\b", done.out + done.err, re.MULTILINE)


# --------------------------------------------------------------------------------------- JSON

READERS: dict[str, tuple[str, ...]] = {
    "books": ("book", "list"),
    "checked books": ("book", "check"),
    "one book": ("book", "show", "eager"),
    "strategies": ("book", "strategies"),
    "parameters": ("book", "strategies", "turtle"),
    "providers": ("data", "sources"),
    "settings": ("data", "sources", "files"),
    "checked data": ("data", "check", "IBM"),
    "bars": ("data", "bars", "IBM", "--from", "2005-01-03", "--to", "2005-01-07"),
    "weeks": ("data", "bars", "IBM", "--timeframe", "1w", "--from", "2005-01-03", "--to", "2005-01-14"),
    "adjusted": ("data", "adjusted", "AAPL", "--from", "2005-02-24", "--as-of", "2005-03-01"),
    "actions": ("data", "actions", "AAPL"),
    "fetched": ("data", "ask", "AAPL", "--from", "2012-01-03", "--to", "2012-01-04"),
    "orders": ("orders", "--book", "eager"),
    "history": ("history",),
    "commits": ("history", "portfolio"),
    "differences": ("diff", "portfolio", "1", "2"),
    "answer": ("query", "select book, count(*) as n from portfolio group by book order by book"),
    "scan": ("scan", "eager", "--date", "2004-10-12"),
    "analysis": ("analyze", "AAPL", "--book", "eager", "--date", "2004-10-12"),
    "replay": ("replay", "eager", "2004-10-12"),
    "report": ("report", "eager"),
    "performance": ("report", "hold", "--performance"),
    "plan of the upkeep": ("maintain", "--dry-run"),
    "health": ("doctor",),
}


@pytest.mark.parametrize("name", READERS)
def test_a_reading_command_gives_json_and_nothing_else_and_writes_nothing(
    walked_shell: Shell, name: str
) -> None:
    before = walked_shell.files()
    done = walked_shell.desk(*READERS[name], "--json")
    assert done.code == 0, done.err
    assert isinstance(done.json, list | dict)
    assert done.json
    assert "NaN" not in done.out
    assert "Infinity" not in done.out
    assert walked_shell.files() == before


@pytest.mark.parametrize("name", READERS)
def test_a_reading_command_prints_text_without_colours_where_nobody_looks(
    walked_shell: Shell, name: str
) -> None:
    done = walked_shell.desk(*READERS[name])
    assert done.code == 0, done.err
    assert done.out.strip()
    assert "\x1b" not in done.out + done.err
    assert "None" not in done.out.split(), "a missing figure is an empty cell or a dash"


def test_the_same_figures_in_every_form(walked_shell: Shell) -> None:
    statement = "select session, cash, equity from portfolio where book = 'hold' order by session limit 3"
    rows = walked_shell.desk("query", statement, "--json").json
    as_csv = walked_shell.desk("query", statement, "--as", "csv").out.splitlines()
    assert as_csv[0] == "session,cash,equity"
    assert [line.split(",")[0] for line in as_csv[1:]] == [row["session"] for row in rows]
    assert [float(line.split(",")[2]) for line in as_csv[1:]] == [row["equity"] for row in rows]
    table = walked_shell.desk("query", statement).out.splitlines()
    assert [line.split()[-1] for line in table[1:]] == [f"{row['equity']:,.2f}" for row in rows]


@pytest.mark.parametrize(
    ("statement", "cells"),
    [
        ("select flags from bars limit 1", "[]"),
        ("select make_array(1, 2) as x", '"[1, 2]"'),
        ("select make_array('a', null) as x", '"[""a"", null]"'),
        ("select cast(null as bigint) as x", '""'),
        ("select true as x", "true"),
        ("select 'a,b' as x", '"a,b"'),
        ("select 'a\"b' as x", '"a""b"'),
        ("select date '2020-01-31' as x", "2020-01-31"),
        ("select struct(1 as a) as x", None),
    ],
    ids=str,
)
def test_every_type_in_csv(walked_shell: Shell, statement: str, cells: str | None) -> None:
    """Lists and structs are JSON within a cell, as the user reads them in a file that is exported."""
    done = walked_shell.desk("query", statement, "--as", "csv")
    assert done.code == 0, done.err
    printed = done.out.split("\n", 1)[1].rstrip("\n")
    target = walked_shell.folder.parent / "answer.csv"
    walked_shell.desk("query", statement, "--to", str(target))
    assert "shape:" not in printed
    if cells is not None:
        assert printed == cells or (cells == '""' and printed in ("", '""'))
    else:
        assert printed.startswith('"{')
    stored = target.read_text().split("\n", 1)[1].rstrip("\n")
    assert re.sub(r"\s", "", stored) == re.sub(r"\s", "", printed)


# --------------------------------------------------------------------------------------- an empty folder

WITHOUT_LAKE = {
    "query": ("query", "select 1"),
    "history": ("history", "bars"),
    "diff": ("diff", "bars", "0", "1"),
    "export": ("export", "bars"),
    "maintain": ("maintain",),
    "orders": ("orders",),
    "explain": ("explain", "D"),
    "replay": ("replay", "x", "2005-01-03"),
    "data check": ("data", "check"),
    "data bars": ("data", "bars", "IBM"),
    "data adjusted": ("data", "adjusted", "IBM"),
    "data actions": ("data", "actions"),
    "data depth": ("data", "depth", "--measures"),
    "resume": ("resume",),
}


@pytest.mark.parametrize("name", WITHOUT_LAKE)
def test_without_a_lake_a_command_says_so_and_makes_none(shell: Shell, name: str) -> None:
    done = shell.desk(*WITHOUT_LAKE[name])
    assert (done.code, done.out) == (4, "")
    assert done.error == (f"{shell.folder}/lake: no lake here; create one, or name the folder that holds it")
    assert not list(shell.folder.iterdir())


WITHOUT_BOOKS = {
    "scan": (("scan", "x"), 3),
    "analyze": (("analyze", "IBM", "--book", "x"), 3),
    "backtest": (("backtest", "--book", "x"), 3),
    "run": (("run", "--book", "x"), 3),
    "book show": (("book", "show", "x"), 3),
    "book check": (("book", "check"), 4),
    "halt": (("halt", "--book", "x", "--reason", "r"), 3),
    "demo": (("demo",), 3),
    "reconcile": (("reconcile", "--book", "x"), 3),
    "paper": (("paper", "x"), None),
    "validate": (("validate", "--book", "x"), None),
}


@pytest.mark.parametrize("name", WITHOUT_BOOKS)
def test_without_books_a_command_says_where_they_come_from(shell: Shell, name: str) -> None:
    arguments, code = WITHOUT_BOOKS[name]
    done = shell.desk(*arguments)
    assert done.out == ""
    assert done.code == code or (code is None and done.code in (2, 3, 4))
    if code is not None:
        assert "desk init" in done.error
    assert not list(shell.folder.iterdir())


# --------------------------------------------------------------------------------------- bad arguments

REFUSED: dict[str, tuple[tuple[str, ...], int, str]] = {
    "scan of a day before the data": (
        ("scan", "eager", "--date", "1999-01-04"),
        3,
        "1999-01-04 is no session of XNYS that the lake has bars of",
    ),
    "scan of a Saturday": (
        ("scan", "eager", "--date", "2004-10-09"),
        3,
        "2004-10-09 is no session of XNYS that the lake has bars of",
    ),
    "scan of no date": (
        ("scan", "eager", "--date", "monday"),
        3,
        "'monday' is no date; write it like 2020-01-31",
    ),
    "scan before anything was known": (
        ("scan", "eager", "--as-of", "2001-01-01"),
        4,
        "the lake has no 1d bars of the universe of eager; run: desk data ingest",
    ),
    "unknown book": (("scan", "eagre"), 3, "no book 'eagre' in {folder}/config/books; did you mean eager?"),
    "file that is not there": (("book", "check", "mine.toml"), 3, "mine.toml: no such file"),
    "unknown symbol": (("analyze", "NOPE"), 4, "the lake has no 1d bars of NOPE; run: desk data ingest"),
    "day without a bar": (
        ("analyze", "AAPL", "--date", "2004-10-09"),
        4,
        "AAPL: no bar on 2004-10-09; the bar before is of 2004-10-08",
    ),
    "rules that a book does not have": (
        ("analyze", "IBM", "--book", "hold"),
        3,
        "book hold has no momentum strategy; desk analyze explains its rules only",
    ),
    "report of a day not decided": (
        ("report", "eager", "--session", "2005-04-01"),
        4,
        "book eager: session 2005-04-01 has not been decided; run: desk run --book eager --session 2005-04-01",
    ),
    "report of a book never run": (
        ("report", "unused"),
        3,
        "book unused has decided no session yet; run: desk backtest --book unused",
    ),
    "report of no book": (
        ("report", "nope"),
        3,
        "book 'nope' is unknown; the book files in {folder}/config/books are: eager, hold, unused",
    ),
    "orders of no book": (
        ("orders", "--book", "nope"),
        3,
        "book 'nope' is unknown; the book files in {folder}/config/books are: eager, hold, unused",
    ),
    "replay of a day that is no session": (
        ("replay", "eager", "2004-10-09"),
        4,
        "book eager: 2004-10-09 is no session of XNYS",
    ),
    "replay of a day not decided": (
        ("replay", "eager", "2005-04-01"),
        4,
        "book eager: no run has decided session 2005-04-01",
    ),
    "several orders": (("explain", "D"), 4, "'D' is the beginning of several orders; give more of it"),
    "no table": (("history", "portfolios"), 3, "no table 'portfolios'; did you mean portfolio or positions?"),
    "no version": (("diff", "portfolio", "1", "7"), 3, "portfolio has no version 7; it has versions 0 to 2"),
    "no time": (
        ("diff", "portfolio", "1", "x"),
        3,
        "'x' is no time; write 2020-01-31 or 2020-01-31T21:00:00+00:00",
    ),
    "division by zero": (("query", "select 1/0"), 3, "Divide by zero error (in: select 1/0)"),
    "text that is no number": (
        ("query", "select cast('a' as int)"),
        3,
        "Cast error: Cannot cast string 'a' to value of Int32 type (in: select cast( as int))",
    ),
    "text compared with a date": (
        ("query", "select * from bars where session > 'x'"),
        3,
        "Cast error: Cannot cast string 'x' to value of Date32 type (in: select * from bars where session >)",
    ),
    "function that is none": (
        ("query", "select nosuch(1)"),
        3,
        "Invalid function 'nosuch'. Did you mean 'cosh'? (in: select nosuch(1))",
    ),
    "function of another type": (
        ("query", "select sum(symbol) from bars"),
        3,
        "no function sum(Utf8View) (in: select sum(symbol) from bars)",
    ),
    "form of a file": (
        ("query", "select 1", "--to", "x.txt"),
        3,
        "x.txt: export writes .csv or .parquet; choose one of them",
    ),
    "timeframe": (
        ("data", "bars", "IBM", "--timeframe", "2h"),
        3,
        "--timeframe '2h': choose one of 1m, 5m, 15m, 30m, 1h, 4h, 1d, 1w",
    ),
    "bars of no symbol": (
        ("data", "bars", "NOPE", "--from", "2005-01-03", "--to", "2005-01-07"),
        4,
        "the lake has no 1d bars of NOPE from 2005-01-03 to 2005-01-07, nor shorter ones",
    ),
    "bars backwards": (
        ("data", "bars", "IBM", "--from", "2005-01-07", "--to", "2005-01-03"),
        3,
        "--to 2005-01-03 lies before --from 2005-01-07",
    ),
    "kind of adjusting": (
        ("data", "adjusted", "IBM", "--kind", "x"),
        3,
        "--kind 'x': choose total_return or split",
    ),
    "actions of no file": (("data", "actions", "--record", "x.csv"), 3, "x.csv: No such file{any}"),
    "provider": (
        ("data", "ask", "IBM", "--source", "nope"),
        3,
        "nope: no such provider; choose one of alpaca,{any}",
    ),
    "settings of no provider": (
        ("data", "sources", "samlpe"),
        3,
        "no provider 'samlpe'; did you mean sample?",
    ),
    "symbol of no provider": (
        ("data", "ask", "NOPE"),
        4,
        "sample: NOPE: not in the sample; it has AAPL, FB, GOOG, IBM, MSFT",
    ),
    "timeframe of a provider": (
        ("data", "ask", "IBM", "--timeframe", "1h"),
        3,
        "sample: no 1h bars; it serves 1d",
    ),
    "fetch backwards": (
        ("data", "ask", "IBM", "--from", "2012-01-06", "--to", "2012-01-03"),
        3,
        "request: the last session 2012-01-03 lies before the first 2012-01-06",
    ),
    "check of no symbol": (("data", "check", "NOPE"), 4, "the lake has no 1d bars of NOPE"),
    "book of another mode": (
        ("run", "--book", "unused"),
        5,
        'book unused has mode backtest and is not run by session; backfill it by year, or set mode = "paper" '
        "in its file",
    ),
    "halt of no book": (("halt", "--book", "nope", "--reason", "x"), 3, "no book 'nope' in {any}"),
    "halt without a reason": (("halt", "--reason", " "), 5, "a halt needs a reason: --reason TEXT"),
    "resume of nothing": (("resume",), 5, "the desk is not halted"),
    "resume of a book": (("resume", "--book", "eager"), 5, "book eager is not halted"),
    "reconcile without a gateway": (
        ("reconcile", "--book", "eager"),
        3,
        'book eager has no gateway: mode must be paper or live and placement.broker "ib"',
    ),
    "backtest backwards": (
        ("backtest", "--book", "eager", "--start", "2005-01-03", "--end", "2004-01-05"),
        3,
        "--end 2004-01-05 lies before --start 2005-01-03",
    ),
    "backtest with a bad name": (
        ("backtest", "--book", "eager", "--name", "No Name"),
        3,
        "--name No Name: {any}",
    ),
    "backtest with a taken name": (
        ("backtest", "--book", "eager", "--start", "2005-01-03", "--name", "hold"),
        3,
        "{folder}/config/books has another book named hold; choose another name",
    ),
    "versions that are given up": (
        ("maintain", "--unreferenced"),
        5,
        "--unreferenced gives up versions for good; look with --dry-run, then add --yes",
    ),
    "members nobody knows": (
        ("data", "members", "SP500", "--on", "2004-10-12"),
        4,
        "the lake knows no members of SP500 on 2004-10-12",
    ),
    "order books nobody wrote": (
        ("data", "depth", "BTC", "--measures"),
        4,
        "the lake has no order books of them; desk data depth --file writes some",
    ),
    "order books of nothing": (("data", "depth"), 3, "name instruments, or give --file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_argument_is_one_line_and_writes_nothing(walked_shell: Shell, case: str) -> None:
    arguments, code, line = REFUSED[case]
    before = walked_shell.files()
    done = walked_shell.desk(*arguments)
    pattern = re.escape(line.replace("{folder}", str(walked_shell.folder))).replace(r"\{any\}", ".*")
    assert re.fullmatch(pattern, done.error), done.error
    assert (done.code, done.out) == (code, "")
    assert walked_shell.files() == before
