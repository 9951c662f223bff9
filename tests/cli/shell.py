"""The program's own entry function in this process: quick, where a process is not the point."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest import mock

import delta
from pipelines.cli.main import run
from resources.config import load_book, load_desk
from tests.assets.walks import Market, backfill

EAGER = """
name = "eager"
mode = "paper"
start = 2004-06-01
end = 2005-03-31
[universe]
symbols = ["AAPL", "IBM", "MSFT"]
[strategies.momentum.params.scanner]
momentum_threshold = 40
min_trend_strength = 40
rsi_max = 90
rescan_interval_days = 3
[strategies.momentum.params.entry]
mode = "strength"
rsi_max = 90
strength_threshold = 40
[risk]
regime = false
max_positions = 2
"""
HOLD = """
mode = "paper"
start = 2004-06-01
end = 2004-12-31
[universe]
symbols = ["IBM", "MSFT"]
[strategies.buy_and_hold]
[sizing]
mode = "target_weight"
max_position = 1.0
cash_buffer = 0.02
[risk]
regime = false
max_portfolio_exposure = 1.0
max_sector_exposure = 1.0
"""
UNUSED = """
start = 2004-06-01
end = 2004-12-31
[universe]
symbols = ["IBM"]
[strategies.turtle]
"""
BOOKS = {"eager": EAGER, "hold": HOLD, "unused": UNUSED}


def own_environment() -> dict[str, str]:
    """Variables of the caller without those that concern the desk or how it draws."""
    return {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(("DESK_", "DAGSTER_")) and name not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")
    }


@dataclass(frozen=True)
class Done:
    """What a command has left behind: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line of an error, without the program's name."""
        assert self.err.count("\n") == 1, self.err
        assert self.err.startswith("desk: "), self.err
        return self.err.removeprefix("desk: ").rstrip("\n")


@dataclass(frozen=True)
class Shell:
    """A folder in which commands are typed."""

    folder: Path

    @property
    def lake(self) -> delta.Lake:
        return delta.open_lake(self.folder / "lake")

    def desk(self, *arguments: str, stdin: str = "", **variables: str) -> Done:
        """Run a command line as the program does."""
        out, err = io.StringIO(), io.StringIO()
        clean = own_environment()
        with (
            contextlib.chdir(self.folder),
            mock.patch.dict(os.environ, clean | variables, clear=True),
            mock.patch("sys.stdin", io.StringIO(stdin)),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = run([str(argument) for argument in arguments])
        return Done(code, out.getvalue(), err.getvalue())

    def write(self, name: str, text: str) -> Path:
        """Write a file of the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def copy(self, folder: Path) -> Shell:
        """The same in another folder."""
        shutil.copytree(self.folder, folder)
        return Shell(folder)

    def files(self) -> Mapping[str, str]:
        """Every file with the hash of its content."""
        found = (path for path in sorted(self.folder.rglob("*")) if path.is_file())
        return {str(path.relative_to(self.folder)): sha256(path.read_bytes()).hexdigest() for path in found}


def walked(folder: Path) -> Shell:
    """A folder whose books have been walked over the offline sample."""
    shell = Shell(folder)
    shell.write("config/desk.toml", 'lake = "./lake"\n')
    for name, text in BOOKS.items():
        shell.write(f"config/books/{name}.toml", text)
    config = load_desk(folder / "config/desk.toml", {})
    books = {name: load_book(folder / f"config/books/{name}.toml") for name in BOOKS}
    made = Market(delta.create_lake(folder / "lake"), config)
    made.ingest(*books.values())
    for name in ("eager", "hold"):
        book = books[name]
        backfill(made.lake, book, book.start, book.end or date.max, f"backfill {name}")
    return shell
