"""What holds for every command: help, exit codes, one-line errors, lazy imports."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import pty
import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer

from delta import Provenance, Table, create_lake, write
from delta.contracts import Orders, Portfolio
from delta.kinds import Kind
from pipelines import cli
from pipelines.cli import commands
from pipelines.cli.exits import Exit, MissingError, RefusedError, exit_code
from resources.config import ConfigError
from tests.waiting import wait_until

from .conftest import PROGRAM, Desk

HEAVY = {
    "dagster",
    "deltalake",
    "exchange_calendars",
    "ib_async",
    "matplotlib",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "pydantic",
    "rich",
    "scipy",
    "talib",
    "yaml",
}
"""Packages that take long to import."""
PARSING = {"pydantic"}
"""What reads the arguments of a command."""
LAKE = {"deltalake", "pydantic"}
"""What no command that looks into the lake does without."""
FRAMES = LAKE | {"polars"}
MEASURES = FRAMES | {"numpy"}


def imported(tmp_path: Path, *arguments: str) -> set[str]:
    """Top-level packages that a command line imports."""
    code = (
        "import sys, json\n"
        "from pipelines.cli.main import run\n"
        f"code = run({list(arguments)!r})\n"
        "names = sorted({name.partition('.')[0] for name in sys.modules})\n"
        "print(json.dumps([code, names]), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    status, names = json.loads(done.stderr.splitlines()[-1])
    assert status == 0, done.stderr
    return set(names)


BOOK = "start = 2020-01-01\n[strategies.momentum]\n"
DESK = '[data.order.stock]\ndefault = ["files"]\n[providers.files]\nfolder = "."\n'
IMPORTS = [
    (("--help",), set()),
    (("--version",), set()),
    (("query", "--help"), PARSING),
    (("book", "list"), PARSING),
    (("book", "show", "a"), PARSING),
    (("gateway", "status"), PARSING),
    (("query", "select count(*) from portfolio, trades"), LAKE),
    (("query", "select * from orders", "--json"), LAKE),
    (("history",), LAKE),
    (("history", "orders"), LAKE),
    (("orders",), FRAMES),
    (("report", "a"), MEASURES),
    (("report", "a", "--performance"), MEASURES),
]


@pytest.fixture(scope="module")
def desk_with_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a desk whose book has decided two sessions: what reads an empty lake imports less."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "config" / "books").mkdir(parents=True)
    (folder / "config" / "books" / "a.toml").write_text(BOOK, encoding="utf-8")
    (folder / "config" / "desk.toml").write_text(DESK, encoding="utf-8")
    lake, by = create_lake(folder / "lake"), Provenance("run", "test", "1")
    days = [date(2020, 1, 2), date(2020, 1, 3)]
    write(lake, Portfolio, pl.concat([row(Portfolio, session=day) for day in days]), {"book": "a"}, by)
    order = {
        "intent": "submit",
        "purpose": "entry",
        "side": "BUY",
        "quantity": 1.0,
        "order_type": "market",
        "time_in_force": "day",
        "status": "approved",
    }
    write(lake, Orders, row(Orders, **order), {"book": "a"}, by)
    return folder


def row(table: type[Table], **values: Any) -> pl.DataFrame:
    """One row of a table, plain where no value is given."""
    plain = {
        name: None if column.optional else PLAIN[column.kind] for name, column in table.columns().items()
    }
    return pl.DataFrame([plain | values], schema=table.schema())


PLAIN = {
    Kind.STRING: "a",
    Kind.INTEGER: 1,
    Kind.NUMBER: 0.0,
    Kind.BOOLEAN: False,
    Kind.DATE: date(2020, 1, 2),
    Kind.INSTANT: datetime(2020, 1, 2, 21, tzinfo=UTC),
    Kind.STRINGS: [],
}


@pytest.mark.parametrize(("command", "allowed"), IMPORTS, ids=[" ".join(command) for command, _ in IMPORTS])
def test_what_commands_may_import(desk_with_rows: Path, command: tuple[str, ...], allowed: set[str]) -> None:
    """Imports, not seconds: they are most of what a command that reads takes, and the same everywhere."""
    assert imported(desk_with_rows, *command) & HEAVY <= allowed


def test_checking_a_machine_does_not_import_dagster(tmp_path: Path) -> None:
    create_lake(tmp_path / "lake")
    assert "dagster" not in imported(tmp_path, "doctor")


@pytest.mark.parametrize(("module", "names"), commands.MODULES.items())
def test_every_command_is_where_the_list_says(module: str, names: tuple[str, ...]) -> None:
    app = importlib.import_module(f"pipelines.cli.{module}").app
    assert tuple(typer.main.get_group(app).commands) == names


def test_every_module_of_commands_is_in_the_list() -> None:
    found = {
        info.name
        for info in pkgutil.iter_modules(cli.__path__)
        if hasattr(importlib.import_module(f"pipelines.cli.{info.name}"), "app") and info.name != "main"
    }
    # desk data has some of its commands in a module of their own
    assert found - {"market"} == {*commands.GROUPS, *commands.MODULES}


def test_every_command_has_help(desk_process: Desk) -> None:
    top = desk_process("--help")
    assert top.returncode == 0
    assert "Exit codes: 0 done" in top.stdout
    for command in ("book", "query", "history", "diff", "export", "maintain", "doctor", "ui"):
        assert f"  {command} " in top.stdout


USAGE = [
    (("qurey",), "desk: No such command 'qurey'. Did you mean 'query'? (see desk --help)\n"),
    (("book", "show"), "desk: Missing argument 'book' (see desk book show --help)\n"),
    (
        ("doctor", "--jsn"),
        "desk: No such option: --jsn (Possible options: --json) (see desk doctor --help)\n",
    ),
]


@pytest.mark.parametrize(("arguments", "line"), USAGE, ids=[" ".join(arguments) for arguments, _ in USAGE])
def test_a_wrong_command_line_is_one_line_and_code_2(
    desk_process: Desk, arguments: tuple[str, ...], line: str
) -> None:
    done = desk_process(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)


def test_an_error_is_one_line_and_a_traceback_only_on_demand(desk_process: Desk, tmp_path: Path) -> None:
    line = f"desk: {tmp_path}/lake: no lake here; create one, or name the folder that holds it\n"
    done = desk_process("history")
    assert (done.returncode, done.stdout, done.stderr) == (4, "", line)
    debugged = desk_process("history", "--debug")
    assert debugged.returncode == 4
    assert debugged.stderr.startswith("Traceback")
    assert debugged.stderr.endswith(line)
    assert list(tmp_path.iterdir()) == []


def test_a_bad_desk_file_is_code_3_with_a_line_a_problem(desk_process: Desk, tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text('lakee = 1\n[broker]\nport = "x"\n', encoding="utf-8")
    done = desk_process("--config", "my.toml", "history")
    assert done.returncode == 3
    assert done.stderr == (
        'desk: my.toml: broker.port = "x": must be a whole number at least 1 and at most 65535\n'
        "desk: my.toml: lakee = 1: unknown key; did you mean lake?\n"
    )
    assert list(tmp_path.iterdir()) == [file]


def _raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


def _value_error_of_ours() -> Exception:
    from pipelines.cli.times import Iterable  # noqa: F401 - a module of ours whose code raises below

    namespace = {"__name__": "trading.somewhere"}
    try:
        exec("raise ValueError('bad figure')", namespace)
    except ValueError as error:
        return error.with_traceback(error.__traceback__)
    raise AssertionError


CODES = [
    (RefusedError("x"), Exit.REFUSED),
    (MissingError("x"), Exit.MISSING),
    (ConfigError(["x"]), Exit.INPUT),
    (KeyboardInterrupt(), Exit.INTERRUPTED),
    (_raised(PermissionError("x")), Exit.FAILED),
    (_value_error_of_ours(), Exit.INPUT),
    (_raised(ValueError("somebody else's")), None),
    (_raised(KeyError("x")), None),
]


@pytest.mark.parametrize(
    ("error", "code"), CODES, ids=[type(error).__name__ + str(i) for i, (error, _) in enumerate(CODES)]
)
def test_codes_of_errors(error: BaseException, code: Exit | None) -> None:
    assert exit_code(error) is code


def test_output_to_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    books = tmp_path / "config" / "books"
    books.mkdir(parents=True)
    (books / "a.toml").write_text("start = 2020-01-01\n[strategies.momentum]\n", encoding="utf-8")
    with subprocess.Popen(
        [str(PROGRAM), "book", "show", "a"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        process.wait(timeout=30)


def test_colours_only_on_a_terminal_and_never_with_no_color(desk_process: Desk, tmp_path: Path) -> None:
    assert "\x1b[" not in desk_process("doctor").stdout
    assert "\x1b[32m" in _on_terminal(tmp_path, {})
    assert "\x1b[3" not in _on_terminal(tmp_path, {"NO_COLOR": "1"})


def _on_terminal(folder: Path, variables: dict[str, str]) -> str:
    """What ``desk doctor`` prints on a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(PROGRAM), "doctor"],
        cwd=folder,
        env=os.environ | variables,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    text = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        text += part
    os.close(ours)
    process.wait(timeout=30)
    return text.decode()


def test_an_interrupt_is_code_130(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    process = subprocess.Popen(
        [str(PROGRAM), "query", "-"],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )

    def waits() -> bool:
        assert process.poll() is None
        return _waits_for_input(process.pid)

    wait_until(waits)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, b"desk: interrupted\n")


def _waits_for_input(pid: int) -> bool:
    """Whether a process sleeps in a read of its standard input."""
    try:
        return Path(f"/proc/{pid}/wchan").read_text() in ("pipe_read", "anon_pipe_read") or Path(
            f"/proc/{pid}/syscall"
        ).read_text().startswith("0 0x0 ")
    except OSError:
        pytest.skip("this system does not say what a process waits for")
