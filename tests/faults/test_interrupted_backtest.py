"""``desk backtest`` interrupted or killed at any moment: whole tables, and a next run as if nothing had been."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import delta
from delta import Lake
from delta.contracts import TABLES
from pipelines.interrupts import interrupts_kept
from tests.assets.walks import COMPARED, hashes, rows
from tests.waiting import wait_until

from .forks import FORKS

BOOK = """
start = 2004-10-01
end = 2005-12-30
[universe]
symbols = ["AAPL", "IBM", "MSFT"]
[strategies.turtle]
"""
NAME = "small"


class Run:
    """A backtest in a process of its own, forked from one that has read Dagster already."""

    def __init__(self, folder: Path) -> None:
        self.said = [folder / "output.txt", folder / "errors.txt"]
        self.process = FORKS.Process(target=_work, args=(str(folder), *map(str, self.said)), daemon=True)
        self.process.start()

    def alive(self) -> bool:
        return self.process.exitcode is None

    def signal(self, number: int) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def end(self, timeout: float = 120.0) -> tuple[int | None, str, str]:
        """Exit code, negative for a signal, and what was written to both outputs."""
        self.process.join(timeout)
        output, errors = (path.read_text(encoding="utf-8") for path in self.said)
        return self.process.exitcode, output, errors


def _work(folder: str, output: str, errors: str) -> None:
    from pipelines.cli.main import run

    for number, path in ((1, output), (2, errors)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    for name in [name for name in os.environ if name.startswith(("DESK_", "DAGSTER_"))]:
        del os.environ[name]
    os.chdir(folder)
    os.setsid()
    sys.exit(run(["backtest", "--book", NAME]))


def finish(folder: Path) -> Lake:
    """Run a backtest to its end."""
    code, _, errors = Run(folder).end()
    assert code == 0, errors
    assert errors.startswith("run ")
    assert errors.count("\n") == 1
    return delta.open_lake(folder / "lake")


def version(folder: Path, table: str) -> int:
    """Newest version of a table by the files of its log; -1 where there is none."""
    log = folder / "lake" / table / "_delta_log"
    names = os.listdir(log) if log.is_dir() else []
    return max((int(name[:20]) for name in names if name.endswith(".json") and "#" not in name), default=-1)


def reach(moment: Callable[[], bool], process: Run) -> None:
    """Wait for a moment while the process lives."""

    def seen() -> bool:
        assert process.alive(), process.end()
        return moment()

    wait_until(seen)


def written(table: str) -> Callable[[Path], Callable[[], bool]]:
    """The moment at which a run has written rows to a table; version 0 is its creation."""

    def moment(folder: Path) -> Callable[[], bool]:
        wanted = max(version(folder, table), 0) + 1
        return lambda: version(folder, table) >= wanted

    return moment


def begun(table: str) -> Callable[[Path], Callable[[], bool]]:
    """The moment at which a run has a file of a table under its hands that no version has yet."""

    def moment(folder: Path) -> Callable[[], bool]:
        place = folder / "lake" / table
        before = {*os.listdir(place)} if place.is_dir() else set()
        return lambda: place.is_dir() and bool({*os.listdir(place)} - before - {"_delta_log"})

    return moment


MOMENTS = {
    "bars are there": written("bars"),
    "signals are being written": begun("signals"),
    "orders are there": written("orders"),
    "fills are being written": begun("fills"),
    "the portfolio is there": written("portfolio"),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a book that has never run."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "config/books").mkdir(parents=True)
    (folder / f"config/books/{NAME}.toml").write_text(BOOK, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def undisturbed(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Hash of each table after a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed") / "desk"
    shutil.copytree(project, folder)
    lake = finish(folder)
    assert not rows(lake, "trades", NAME).is_empty()
    return everything(lake)


def everything(lake: Lake) -> Mapping[str, str]:
    """Hashes of the book's tables and of the order events without the run that wrote them."""
    events = rows(lake, "order_events", NAME).drop("run_id")
    return {**hashes(lake, NAME), "order_events": str(events.hash_rows().to_list())}


def refuse_torn(lake: Lake) -> None:
    """Every table reads whole at every version that it has: a commit is there or it is not."""
    for table in TABLES.values():
        for each in range(delta.resolve(lake, table) + 1):
            assert not delta.violations(table, delta.read(lake, table, each).collect()), (table.name, each)
    for name in COMPARED:
        found = rows(lake, name, NAME)
        assert found.height == found.unique(list(TABLES[name].key)).height


def test_killed_at_any_moment(project: Path, undisturbed: Mapping[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "desk"
    shutil.copytree(project, folder)
    for name, moment in MOMENTS.items():
        seen = moment(folder)
        process = Run(folder)
        reach(seen, process)
        process.signal(signal.SIGKILL)
        assert process.end()[0] == -signal.SIGKILL, name
        refuse_torn(delta.open_lake(folder / "lake"))
    left = everything(delta.open_lake(folder / "lake"))
    assert left["portfolio"] == undisturbed["portfolio"]
    assert left == undisturbed, "a portfolio says that everything before it is there"
    assert everything(finish(folder)) == undisturbed


def test_interrupted_at_any_moment(project: Path, undisturbed: Mapping[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "desk"
    shutil.copytree(project, folder)
    moments = {"the home of Dagster is there": _home, **MOMENTS}
    for name, moment in moments.items():
        if name in ("fills are being written", "orders are there"):
            continue
        seen = moment(folder)
        process = Run(folder)
        reach(seen, process)
        process.signal(signal.SIGINT)
        assert process.end() == (130, "", "desk: interrupted\n"), name
        refuse_torn(delta.open_lake(folder / "lake", create=True))
    assert everything(finish(folder)) == undisturbed


def _home(folder: Path) -> Callable[[], bool]:
    return (folder / ".dagster/dagster.yaml").exists


def test_an_interrupt_that_fell_on_a_callback_comes_again() -> None:
    """Python drops what the callback of a weak reference raises, and a signal may be handled there."""

    class Thing:
        pass

    def raises(_: object) -> None:
        raise KeyboardInterrupt

    thing = Thing()
    watched = weakref.ref(thing, raises)
    with pytest.raises(KeyboardInterrupt), interrupts_kept():  # noqa: PT012 - it comes while waiting
        del thing
        assert watched() is None
        assert threading.Event().wait(10), "the interrupt was lost"
