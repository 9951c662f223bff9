"""Bad input through the real entry point: one clear line, the documented exit code, nothing written."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from unittest import mock

import polars as pl
import pytest

from resources.providers.base import Request
from resources.providers.sample import Sample

from .conftest import PROGRAM
from .shell import Done, Shell, own_environment

CONFIG = """
[data.order]
stock = { default = ["files"] }
[providers.files]
folder = "./data"
[providers.lean]
folder = "./lean"
"""
BOOK = """
mode = "paper"
start = 2004-12-01
end = 2005-01-31
[universe]
symbols = ["AAPL", "MSFT"]
[strategies.turtle]
"""
OWN = """
start = 2004-12-01
end = 2004-12-31
[universe]
symbols = ["AAPL", "MSFT"]
[strategies.own]
class = "mine:Mine"
"""
HEADER = ["session", "open", "high", "low", "close", "volume"]


@dataclass(frozen=True)
class Project:
    """A folder with a desk: configuration, price files and a filled lake."""

    folder: Path

    def write(self, name: str, text: str) -> None:
        """Write a file of the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace a text that occurs once in a file."""
        text = (self.folder / name).read_text(encoding="utf-8")
        assert text.count(old) == 1, (name, old)
        self.write(name, text.replace(old, new))

    def desk(self, *arguments: str) -> Done:
        """Run a command by the program's entry function."""
        with mock.patch.object(sys, "path", [*sys.path]):
            done = Shell(self.folder).desk(*arguments)
        sys.modules.pop("mine", None)  # another one in each case
        return done

    def desk_on_a_full_disk(self, *arguments: str, file_size: int) -> subprocess.CompletedProcess[str]:
        """Run a command in a process whose files cannot grow beyond so many bytes."""
        return subprocess.run(
            [str(PROGRAM), *arguments],
            cwd=self.folder,
            env=own_environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size)),
        )

    def lake(self) -> Mapping[str, str]:
        """Every file of the lake with the hash of its content."""
        root = self.folder / "lake"
        files = (path for path in sorted(root.rglob("*")) if path.is_file())
        return {str(path.relative_to(root)): sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A desk whose book has been walked once."""
    made = Project(tmp_path_factory.mktemp("template"))
    made.write("config/desk.toml", CONFIG)
    made.write("config/books/small.toml", BOOK)
    (made.folder / "data").mkdir()
    for symbol in ("AAPL", "MSFT"):
        prices(symbol).write_csv(made.folder / "data" / f"{symbol}.csv")
    done = made.desk("backtest", "--book", "small")
    assert (done.code, done.err.count("\n")) == (0, 1), done.err
    return made


def prices(symbol: str) -> pl.DataFrame:
    """Real bars of 2003-10 to 2005-01, AAPL's 2:1 split of 2005-02-28 left out."""
    from datetime import date

    bars = Sample().fetch(Request((symbol,), date(2003, 10, 1), date(2005, 1, 31))).bars
    return bars.select(HEADER)


@pytest.fixture
def project(template: Project, tmp_path: Path) -> Project:
    """A copy of the walked desk."""
    shutil.copytree(template.folder, tmp_path / "desk")
    return Project(tmp_path / "desk")


BACKTEST = ("backtest", "--book", "small")
INGEST = ("data", "ingest", "--refetch")
OWN_BACKTEST = ("backtest", "--book", "own")
Broken = Callable[[Project], None]


def replaced(name: str, old: str, new: str) -> Broken:
    """A project with another text in one of its files."""
    return lambda project: project.replace(name, old, new)


def lines(change: Callable[[list[str]], list[str]]) -> Broken:
    """A project whose file of AAPL has other lines."""

    def broken(project: Project) -> None:
        path = project.folder / "data/AAPL.csv"
        path.write_text("\n".join(change(path.read_text().splitlines())) + "\n", encoding="utf-8")

    return broken


def last_prices(*values: str) -> Broken:
    """A project whose last bar of AAPL has other figures."""
    return lines(lambda rows: [*rows[:-1], ",".join([rows[-1].partition(",")[0], *values])])


def own(body: str, head: str = "class Mine:") -> Broken:
    """A project with a book on a strategy of its own."""

    def broken(project: Project) -> None:
        project.write("config/books/own.toml", OWN)
        project.write(
            "mine.py",
            f"import polars as pl\n\n\n{head}\n    def signals(self, frame):\n        {body}\n",
        )

    return broken


def other_schema(project: Project) -> None:
    log = project.folder / "lake/portfolio/_delta_log/00000000000000000000.json"
    text = log.read_text()
    assert text.count('"desk.schemaVersion":"1"') == 1
    log.write_text(text.replace('"desk.schemaVersion":"1"', '"desk.schemaVersion":"99"'))


def broken_zip(project: Project) -> None:
    equity = project.folder / "lean/equity/usa"
    project.write("lean/equity/usa/map_files/aapl.csv", "19980102,aapl,Q\n20501231,aapl,Q\n")
    (equity / "daily").mkdir()
    with zipfile.ZipFile(equity / "daily/aapl.zip", "w") as archive:
        archive.writestr("aapl.csv", "20041201 00:00,670000,680000,660000,677900,1000\n" * 50)
    whole = (equity / "daily/aapl.zip").read_bytes()
    (equity / "daily/aapl.zip").write_bytes(whole[: len(whole) // 2])


def nothing(project: Project) -> None:
    """The project as it is."""


CASES: dict[str, tuple[Broken, tuple[str, ...], int, str]] = {
    "unknown key of the desk": (
        replaced("config/desk.toml", "[providers.lean]", "[brokr]\nport = 1\n[providers.lean]"),
        BACKTEST,
        3,
        "{folder}/config/desk.toml: brokr: unknown key; did you mean broker?",
    ),
    "figure of the desk out of range": (
        replaced("config/desk.toml", "[providers.lean]", "[broker]\nport = 70000\n[providers.lean]"),
        BACKTEST,
        3,
        "{folder}/config/desk.toml: broker.port = 70000: must be a whole number at least 1 and at most 65535",
    ),
    "unknown key of a book": (
        replaced("config/books/small.toml", "[universe]", "[risk]\nmax_positons = 3\n[universe]"),
        BACKTEST,
        3,
        "{folder}/config/books/small.toml: risk.max_positons = 3: unknown key; did you mean max_positions?",
    ),
    "figure of a book out of range": (
        replaced("config/books/small.toml", "[universe]", "[sizing]\nrisk_per_trade = 2\n[universe]"),
        BACKTEST,
        3,
        "{folder}/config/books/small.toml: sizing.risk_per_trade = 2: must be a number above 0 and at most 0.1 "
        "(2 % is written 0.02)",
    ),
    "malformed TOML": (
        replaced("config/books/small.toml", '"paper"', '"paper'),
        BACKTEST,
        3,
        "{folder}/config/books/small.toml:2:14: malformed TOML: Illegal character '\\n'",
    ),
    "book that is not there": (
        nothing,
        ("backtest", "--book", "smal"),
        3,
        "no book 'smal' in {folder}/config/books; did you mean small?",
    ),
    "malformed CSV": (
        lines(lambda rows: [*rows[:5], rows[5] + ",1,2", *rows[6:]]),
        INGEST,
        1,
        "files: AAPL: {folder}/data/AAPL.csv line 6: 8 columns instead of 6: "
        "'2003-10-07,22.05,23.41,21.91,23.22,7467400.0,1,2'; repair the file or set `separator`",
    ),
    "text where a price should be": (
        lines(lambda rows: [*rows[:5], rows[5].replace("23.41", "abc"), *rows[6:]]),
        INGEST,
        1,
        "files: AAPL: {folder}/data/AAPL.csv line 6: high 'abc' is no number; repair or remove the line",
    ),
    "malformed zip": (
        broken_zip,
        ("data", "ingest", "AAPL", "--source", "lean"),
        1,
        "lean: AAPL: {folder}/lean/equity/usa/daily/aapl.zip is truncated or no zip (File is not a zip file); "
        "restore the file from LEAN's data",
    ),
    "symbol without data": (
        replaced("config/books/small.toml", '"MSFT"', '"NOPE"'),
        BACKTEST,
        4,
        "book small: no 1d bars of NOPE up to 2005-01-31; run: desk data ingest "
        "(files: NOPE: not in {folder}/data; it has AAPL, MSFT)",
    ),
    "range before the calendar": (
        nothing,
        (*BACKTEST, "--start", "1901-01-01", "--end", "1901-02-01"),
        3,
        "calendar XNYS: 1901-01-01 .. 1901-02-01 lies outside 1950-01-01 .. 2099-12-31; correct the dates",
    ),
    "range without a session": (
        nothing,
        (*BACKTEST, "--start", "2005-01-01", "--end", "2005-01-02"),
        3,
        "2005-01-01 .. 2005-01-02: no session of XNYS lies in this range and has closed "
        "(the last one that has is {any})",
    ),
    "range that ends before it starts": (
        nothing,
        (*BACKTEST, "--start", "2005-01-03", "--end", "2004-01-05"),
        3,
        "--end 2004-01-05 lies before --start 2005-01-03",
    ),
    "range after the last bar": (
        nothing,
        (*BACKTEST, "--start", "2005-03-01", "--end", "2005-03-31"),
        4,
        "book small-20050301-20050331: the newest 1d bars of its universe are of 2005-01-31, session "
        "2005-03-31 has none; ingest them (desk data ingest), or end the book at 2005-01-31",
    ),
    "name that another book has": (
        nothing,
        (*BACKTEST, "--start", "2005-01-03", "--name", "small"),
        3,
        "{folder}/config/books has another book named small; choose another name",
    ),
    "repeated bar": (
        lines(lambda rows: [*rows, rows[-1]]),
        INGEST,
        1,
        "AAPL: nothing written: bars 2005-01-31 break the rule 'one bar an interval': "
        "more than one 1d bar closes at 2005-01-31 21:00:00.000000+00:00 (and 1 more rows)",
    ),
    "bars not in order": (
        lines(lambda rows: [*rows[:-2], rows[-1], rows[-2]]),
        INGEST,
        1,
        "AAPL: nothing written: bars 2005-01-28 break the rule 'ascending time': closes at 2005-01-28 "
        "21:00:00.000000+00:00 but follows a bar of 2005-01-31 21:00:00.000000+00:00",
    ),
    "negative price": (
        last_prices("-1", "-1", "-1", "-1", "5"),
        INGEST,
        1,
        "AAPL: nothing written: bars 2005-01-31 break the rule 'positive price': low -1.0 is not above 0",
    ),
    "price that is no number": (
        last_prices("nan", "nan", "nan", "nan", "5"),
        INGEST,
        1,
        "AAPL: nothing written: bars 2005-01-31 break the rule 'finite': "
        "not finite: open NaN high NaN low NaN close NaN volume 5.0",
    ),
    "session that has not closed": (
        replaced("config/books/small.toml", "end = 2005-01-31\n", ""),
        ("run", "--book", "small", "--session", "2098-01-06"),
        3,
        "session 2098-01-06 has not closed yet: small can be run from 2004-12-01 to {any}",
    ),
    "day that is no session": (
        nothing,
        ("run", "--book", "small", "--session", "2005-01-01"),
        3,
        "calendar XNYS: 2005-01-01 is no session; the nearest are 2004-12-31 and 2005-01-03",
    ),
    "session outside of the book": (
        nothing,
        ("run", "--book", "small", "--session", "2005-02-01"),
        3,
        "session 2005-02-01 is none of the book's: small can be run from 2004-12-01 to 2005-01-31",
    ),
    "backtest book on the schedule": (
        replaced("config/books/small.toml", '"paper"', '"backtest"'),
        ("run", "--book", "small"),
        5,
        "book small has mode backtest and is not run by session; backfill it by year, or set "
        'mode = "paper" in its file',
    ),
    "table of another schema, read": (
        other_schema,
        ("query", "select * from portfolio"),
        3,
        "{folder}/lake/portfolio: schema version 99, this program knows 1; use the program version that wrote it",
    ),
    "table of another schema, written": (
        other_schema,
        BACKTEST,
        3,
        "{folder}/lake/portfolio: schema version 99, this program knows 1; use the program version that wrote it",
    ),
    "folder that is no lake": (
        nothing,
        ("--lake", "config", *BACKTEST),
        4,
        "{folder}/config: the folder is not empty and is no lake; choose another folder",
    ),
    "file in place of a lake": (
        nothing,
        ("--lake", "config/desk.toml", *BACKTEST),
        4,
        "{folder}/config/desk.toml: is a file, a lake is a folder; choose another address",
    ),
    "strategy that raises": (
        own("raise KeyError('no such column')"),
        OWN_BACKTEST,
        3,
        "mine:Mine: signals raised KeyError: 'no such column' (line 6: raise KeyError('no such column'))",
    ),
    "strategy from the future": (
        own("return frame.with_columns(pl.col('session').dt.offset_by('20y'), entry=True)"),
        OWN_BACKTEST,
        3,
        "mine:Mine: session lies after the last one known, 2004-12-31 in {any}",
    ),
    "strategy with a malformed frame": (
        own("return frame.with_columns(entry=pl.lit('yes'))"),
        OWN_BACKTEST,
        3,
        "mine:Mine: column entry is String, not Boolean",
    ),
    "strategy without its class": (
        own("return frame", head="class Other:"),
        OWN_BACKTEST,
        3,
        "{folder}/config/books/own.toml: strategies.own.class: mine has no class Mine; strategies in it: Other",
    ),
    "statement that is no query": (
        nothing,
        ("query", "drop table portfolio"),
        3,
        "'drop' is refused: a query only reads, and begins with select, with, values, describe",
    ),
    "query of an unknown table": (
        nothing,
        ("query", "select * from portfolios"),
        3,
        "no table 'portfolios'; did you mean portfolio or positions?",
    ),
    "report of a session not decided": (
        nothing,
        ("report", "small", "--session", "2005-02-01"),
        4,
        "book small: session 2005-02-01 has not been decided; run: desk run --book small --session 2005-02-01",
    ),
    "replay of a session not decided": (
        nothing,
        ("replay", "small", "2005-02-01"),
        4,
        "book small: no run has decided session 2005-02-01",
    ),
    "order that does not exist": (
        nothing,
        ("explain", "XYZ"),
        4,
        "no order has the reference 'XYZ'; the references are the column order_ref of orders",
    ),
}
QUARANTINED = {"repeated bar", "bars not in order", "negative price", "price that is no number"}
"""Refused rows are kept with the reason; nothing else is written."""


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_line_and_writes_nothing(project: Project, case: str) -> None:
    broken, arguments, code, line = CASES[case]
    broken(project)
    before = project.lake()
    done = project.desk(*arguments)
    first, _, rest = f"desk: {line}\n".replace("{folder}", str(project.folder)).partition("{any}")
    assert done.err.startswith(first)
    assert done.err.endswith(rest)
    assert done.err.count("\n") == 1
    assert done.code == code
    after = project.lake()
    assert {name: after.get(name) for name in before} == before, "files are only ever added"
    tables = {name.partition("/")[0] for name in after.keys() - before.keys()}
    assert tables == ({"quarantine", "runs"} if case in QUARANTINED else set())


def test_one_symbol_that_cannot_be_refreshed_is_told_beside_the_result(project: Project) -> None:
    last_prices("-1", "-1", "-1", "-1", "5")(project)
    done = project.desk(*BACKTEST)
    assert done.code == 0
    told, run = done.err.splitlines()
    assert told.startswith("desk: AAPL: nothing written: bars 2005-01-31 break the rule 'positive price'")
    assert run.startswith("run ")


def test_a_file_that_cannot_grow(project: Project) -> None:
    shutil.rmtree(project.folder / "lake")
    done = project.desk_on_a_full_disk("data", "ingest", file_size=15_000)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(
        f"desk: {project.folder}/lake/bars: no room left to write; free space and run"
    )
    assert not [name for name in project.lake() if name.startswith("bars/_delta_log/00000000000000000001")]
    again = project.desk("data", "ingest")
    assert (again.code, again.err) == (0, "")


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Mount something until the end of the test; skip where that is not allowed."""
    mounted: set[str] = set()

    def make(*arguments: str) -> None:
        asked = ["mount", *arguments]
        done = subprocess.run(asked, capture_output=True, check=False) if os.getuid() == 0 else None
        if done is None or done.returncode:
            pytest.skip("file systems cannot be mounted here")
        mounted.add(arguments[-1])

    yield make
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_disk_that_is_full_in_the_middle_of_a_run(project: Project, mount: Callable[..., None]) -> None:
    lake = project.folder / "lake"
    size = sum(path.stat().st_size for path in lake.rglob("*"))
    lake.rename(project.folder / "kept")
    lake.mkdir()
    mount("-t", "tmpfs", "-o", f"size={size + 500_000}", "tmpfs", str(lake))
    shutil.copytree(project.folder / "kept", lake, dirs_exist_ok=True)
    with (lake / "ballast").open("wb") as ballast:
        free = shutil.disk_usage(lake).free
        ballast.write(b"\0" * (free - 60_000))
    before = versions(lake)
    done = project.desk(*BACKTEST)
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "no room left to write; free space and run again" in done.err
    after = versions(lake)
    assert after["portfolio"] == before["portfolio"]
    (lake / "ballast").unlink()
    again = project.desk(*BACKTEST)
    assert again.code == 0, again.err
    assert versions(lake)["portfolio"] == before["portfolio"] + 1


def test_a_lake_that_is_read_only(project: Project, mount: Callable[..., None]) -> None:
    lake = str(project.folder / "lake")
    mount("--bind", lake, lake)
    mount("-o", "remount,ro,bind", lake)
    done = project.desk(*BACKTEST)
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "cannot be written; check permissions and mount" in done.err
    assert project.desk("query", "select count(*) from portfolio").code == 0


def versions(lake: Path) -> Mapping[str, int]:
    """Newest version of each table."""
    logs = lake.glob("*/_delta_log")
    return {log.parent.name: max(int(entry.stem) for entry in log.glob("*.json")) for log in logs}


def test_the_debug_option_shows_where_a_run_failed(project: Project) -> None:
    own("raise KeyError('no such column')")(project)
    done = project.desk("--debug", *OWN_BACKTEST)
    assert done.code == 3
    assert done.err.startswith("Traceback")
    assert "\nin run " in done.err
    assert done.err.endswith("(line 6: raise KeyError('no such column'))\n")


def test_a_bad_value_in_json_is_still_one_line(project: Project) -> None:
    done = project.desk("replay", "small", "2004-13-01", "--json")
    assert (done.code, done.out) == (3, "")
    assert done.err == "desk: '2004-13-01' is no date; write it like 2020-01-31\n"
    good = project.desk("replay", "small", "2004-12-15", "--json")
    assert (good.code, good.err) == (0, "")
    assert json.loads(good.out)["identical"] is True
