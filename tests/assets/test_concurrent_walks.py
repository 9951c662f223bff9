"""Two processes walk books of one lake at the same time: no row is lost, and a loser says so in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import chain
from pathlib import Path
from threading import Timer

import pytest

from assets.desk import walk
from assets.inputs import RefusedError
from assets.research import research
from assets.stage import OvertakenError, Stage
from delta import Lake, pin
from delta.contracts import Candidates, Orders
from trading.book import BookConfig

from .walks import DEMO, ROOT, Market, backfill, changed, hashes, rows

START, END = date(2005, 1, 3), date(2005, 12, 30)
ONE, OTHER = (
    changed(DEMO, name=name, start=START, end=END, universe={"symbols": symbols})
    for name, symbols in (("one", ("AAPL", "IBM")), ("other", ("MSFT", "GOOG")))
)
SMALLER = changed(ONE, sizing={"max_position": 0.02})
"""Another configuration of the first book."""

WALKER = """
import json, sys
from datetime import date
import delta
from tests.assets.walks import backfill
from trading.book import BookConfig
for line in sys.stdin:
    uri, book, times, name = json.loads(line)
    lake, config = delta.open_lake(uri), BookConfig.model_validate(book)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(times):
        try:
            backfill(lake, config, date(2005, 1, 3), date(2005, 12, 30), name + str(number))
            print("done", flush=True)
        except RuntimeError as error:
            print(type(error).__name__ + ": " + str(error), flush=True)
"""

Walkers = Sequence[subprocess.Popen[str]]


@pytest.fixture(scope="module")
def walkers() -> Iterator[Walkers]:
    """Two processes that walk books when they are told to, and say nothing else to the end."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WALKER],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    yield processes
    for process in processes:
        output, errors = process.communicate(timeout=120)
        assert (process.returncode, output, errors) == (0, "", "")


def together(walkers: Walkers, lake: Lake, books: Sequence[BookConfig], times: int) -> list[list[str]]:
    """What each of several processes said that walk books at the same time."""
    late = [Timer(120, process.kill) for process in walkers]  # what hangs ends, and fails the test
    for timer in late:
        timer.start()
    try:
        for process, book, name in zip(walkers, books, "ab", strict=True):
            told(process, json.dumps([lake.uri, book.model_dump(mode="json", by_alias=True), times, name]))
        for process in walkers:
            assert line_of(process) == "ready"
        for process in walkers:
            told(process, "go")
        return [[line_of(process) for _ in range(times)] for process in walkers]
    finally:
        for timer in late:
            timer.cancel()


def told(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"the walker ended with {process.wait()}: {process.stderr and process.stderr.read()}"
    return line.rstrip("\n")


@pytest.fixture(scope="module")
def alone(sample_market: Market, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, str]]:
    """Hashes of each book walked by itself."""
    found = {}
    for name, config in {"one": ONE, "other": OTHER, "smaller": SMALLER}.items():
        lake = sample_market.copy(tmp_path_factory.mktemp(name)).lake
        backfill(lake, config, START, END)
        found[name] = hashes(lake, config.name)
    assert found["one"] != found["smaller"]
    return found


def test_two_books(walkers: Walkers, sample_copy: Market, alone: Mapping[str, Mapping[str, str]]) -> None:
    said = together(walkers, sample_copy.lake, [ONE, OTHER], times=2)
    assert said == [["done"] * 2] * 2
    for config in (ONE, OTHER):
        assert hashes(sample_copy.lake, config.name) == alone[config.name]


def test_one_book_twice(
    walkers: Walkers, sample_copy: Market, alone: Mapping[str, Mapping[str, str]]
) -> None:
    said = list(chain.from_iterable(together(walkers, sample_copy.lake, [ONE, ONE], times=2)))
    assert "done" in said
    for line in said:
        assert line == "done" or _one_clear_line(line), line
    assert hashes(sample_copy.lake, "one") == alone["one"]


def test_one_book_with_two_configurations(
    walkers: Walkers, sample_copy: Market, alone: Mapping[str, Mapping[str, str]]
) -> None:
    said = together(walkers, sample_copy.lake, [ONE, SMALLER], times=2)
    for line in chain.from_iterable(said):
        assert line == "done" or _one_clear_line(line), line
    if {said[0][-1], said[1][-1]} != {"done"}:
        backfill(sample_copy.lake, ONE, START, END)  # as the message asks
    assert hashes(sample_copy.lake, "one") in (alone["one"], alone["smaller"])


def _one_clear_line(line: str) -> bool:
    kind, _, said = line.partition(": ")
    return kind in ("OvertakenError", "RefusedError", "ConcurrentWriteError") and "run " in said


def test_a_run_that_was_overtaken_names_the_other(sample_copy: Market) -> None:
    lake, config = sample_copy.lake, ONE
    backfill(lake, config, START, END, "first")
    stage = Stage(lake, "second", "desk/backfill", pin(lake, [Orders]), config)
    scope = {"book": config.name, "session": (START, END)}
    stage.write(Orders, rows(lake, "orders", config.name), scope)
    stage.refuse_overtaken()
    walk(lake, config, START, END, "third")
    with pytest.raises(OvertakenError, match="book one: run third wrote orders at the same time as this one"):
        stage.refuse_overtaken()


def test_another_book_overtakes_nobody(sample_copy: Market) -> None:
    lake = sample_copy.lake
    backfill(lake, ONE, START, END, "first")
    stage = Stage(lake, "second", "research", pin(lake, [Candidates]), ONE)
    scope = {"book": ONE.name, "session": (START, END)}
    stage.write(Candidates, rows(lake, "candidates", ONE.name), scope)
    research(lake, OTHER, START, END, "third")
    stage.refuse_overtaken(all_tables=True)


def test_signals_of_another_configuration_are_refused(sample_copy: Market) -> None:
    lake = sample_copy.lake
    with pytest.raises(RefusedError, match="session 2005-12-30 has not been researched"):
        walk(lake, ONE, START, END, "w")
    research(lake, ONE, START, END, "r")
    with pytest.raises(RefusedError, match="book one: session 2005-12-30 was researched with configuration"):
        walk(lake, SMALLER, START, END, "w")
    assert rows(lake, "portfolio", "one").is_empty()


def test_what_a_walker_is_given_survives_the_way_there() -> None:
    assert BookConfig.model_validate(json.loads(ONE.model_dump_json(by_alias=True))) == ONE
    assert Path(ROOT, "tests/assets/walks.py").is_file()
