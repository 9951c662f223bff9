"""``desk data``, ``desk scan``, ``desk analyze``: the sample's bars into a lake, checked and judged."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .conftest import Desk
from .shell import Shell
from .test_cli_frame import HEAVY, MEASURES, imported

BOOK = """
start = 2011-01-03
end = 2012-12-31
[universe]
symbols = ["AAPL", "IBM"]
[strategies.momentum]
params.scanner.momentum_threshold = 50
params.scanner.min_trend_strength = 40
[strategies.turtle]
symbols = ["IBM"]
"""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Lake with two years and their lead of the book's symbols."""
    folder = tmp_path_factory.mktemp("market")
    (folder / "book.toml").write_text(BOOK, encoding="utf-8")
    done = Shell(folder).desk("data", "ingest", "--book", "book.toml", "--json")
    assert (done.code, done.err) == (0, "")
    counts = done.json
    assert counts["new"] == counts["unchanged"] + counts["new"] > 1500
    assert counts["problems"] == []
    assert {"bars", "corporate_actions", "instruments"} <= counts["versions"].keys()
    return str(folder / "lake")


@pytest.fixture
def book(tmp_path: Path) -> str:
    (tmp_path / "book.toml").write_text(BOOK, encoding="utf-8")
    return "book.toml"


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_an_ingest_of_what_is_known_writes_nothing(desk: Desk, lake: str, book: str) -> None:
    again = answer(desk("data", "ingest", "--book", book, "--json", DESK_LAKE=lake))
    assert (again["new"], again["corrected"], again["versions"]) == (0, 0, {})


def test_symbols_that_nobody_serves_are_named_and_the_others_written(desk: Desk, lake: str) -> None:
    done = desk("data", "ingest", "MSFT", "XYZ", "--from", "2012-01-03", "--to", "2012-01-31", DESK_LAKE=lake)
    assert done.returncode == 1
    assert done.stdout.startswith("20 new, 0 corrected, 0 unchanged bars")
    assert done.stderr == "desk: sample: XYZ: not in the sample; it has AAPL, FB, GOOG, IBM, MSFT\n"


def test_check_tells_coverage_and_oddities(desk: Desk, lake: str) -> None:
    found = answer(desk("data", "check", "AAPL", "IBM", "--json", DESK_LAKE=lake))
    assert [row["symbol"] for row in found["symbols"]] == ["AAPL", "IBM"]
    assert all(row["sources"] == "sample" and row["last"] == "2012-12-31" for row in found["symbols"])
    assert found["rejected"] == []
    missing = desk("data", "check", "ZZZ", DESK_LAKE=lake)
    assert (missing.returncode, missing.stderr) == (4, "desk: the lake has no 1d bars of ZZZ\n")


def test_asking_shows_and_writes_nothing(desk: Desk, tmp_path: Path) -> None:
    week = ("--from", "2012-01-03", "--to", "2012-01-06")
    done = desk("data", "ask", "AAPL", *week, "--as", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["session"], row["close"]) for row in rows] == [
        ("2012-01-03", "411.23"),
        ("2012-01-04", "413.44"),
        ("2012-01-05", "418.03"),
        ("2012-01-06", "422.4"),
    ]
    actions = answer(
        desk("data", "ask", "IBM", "--actions", "--from", "2012-02-01", "--to", "2012-03-01", "--json")
    )
    assert [(row["ex_date"], row["value"]) for row in actions] == [("2012-02-08", 0.75)]
    unknown = desk("data", "ask", "XYZ", *week)
    assert (unknown.returncode, unknown.stderr.count("\n")) == (4, 1)
    assert list(tmp_path.iterdir()) == []


def test_sources_and_their_settings(desk: Desk) -> None:
    listed = {
        row["provider"]: row for row in answer(desk("data", "sources", "--json", TIINGO_API_KEY="s3cret"))
    }
    assert listed["sample"]["in use"] is True
    assert (listed["sample"]["health"], listed["tiingo"]["health"]) == ("ready", "not asked")
    assert listed["tiingo"]["key"] == "TIINGO_API_KEY is set"
    assert listed["alpha_vantage"]["key"].startswith("ALPHA_VANTAGE_API_KEY is ")
    settings = answer(desk("data", "sources", "lean", "--json", DESK_PROVIDERS__LEAN__FOLDER="/data"))
    assert settings[0] == {"setting": "folder", "value": "/data", "default": "required", "allowed": "a path"}
    assert desk("data", "sources", "leen").stderr.startswith("desk: no provider 'leen'; did you mean lean?")


def test_scan_shows_candidates_and_signals(desk: Desk, lake: str, book: str) -> None:
    found = answer(desk("scan", book, "--date", "2011-01-18", "--json", DESK_LAKE=lake))
    assert (found["book"], found["session"]) == ("book", "2011-01-18")
    assert {row["strategy"] for row in found["candidates"]} <= {"momentum"}
    assert {row["symbol"] for row in found["candidates"]} <= {"AAPL", "IBM"}
    assert found["candidates"]
    momentum = [row for row in found["signals"] if row["strategy"] == "momentum"]
    assert [(row["symbol"], row["action"], row["reason"]) for row in momentum] == [("IBM", "BUY", "breakout")]
    assert {row["symbol"] for row in found["signals"] if row["strategy"] == "turtle"} <= {"IBM"}
    text = desk("scan", book, "--date", "2011-01-18", DESK_LAKE=lake)
    assert text.stdout.startswith(f"book, close of 2011-01-18: {len(found['candidates'])} candidates, ")


OUTSIDE = """
start = 2011-01-03
benchmark = "IBM"
[universe]
symbols = ["AAPL"]
[strategies.momentum]
params.scanner.momentum_threshold = 50
params.scanner.min_trend_strength = 40
[strategies.resting]
key = "momentum"
enabled = false
"""


def test_scan_shows_what_a_run_would_find_not_the_benchmark(desk: Desk, lake: str, tmp_path: Path) -> None:
    """IBM is read for the regime alone: no run would trade it, though its rules hold on this session."""
    (tmp_path / "outside.toml").write_text(OUTSIDE, encoding="utf-8")
    found = answer(desk("scan", "outside.toml", "--date", "2011-01-18", "--json", DESK_LAKE=lake))
    assert {row["symbol"] for row in found["candidates"]} == {"AAPL"}
    assert {row["symbol"] for row in found["signals"]} <= {"AAPL"}
    assert {row["strategy"] for row in found["candidates"]} == {"momentum"}


def test_what_scan_imports(lake: str, book: str, tmp_path: Path) -> None:
    """Of TA-Lib and the calendars no pandas, and nothing that runs or draws."""
    found = imported(tmp_path, "--lake", lake, "scan", book, "--date", "2011-01-18")
    assert found & HEAVY <= {*MEASURES, "pyarrow", "talib"}  # polars reads several files through pyarrow


def test_scan_of_a_book_whose_strategies_rest_finds_nothing(desk: Desk, lake: str, tmp_path: Path) -> None:
    (tmp_path / "resting.toml").write_text(
        BOOK.replace("[strategies.turtle]", "[strategies.turtle]\nenabled = false").replace(
            "params.scanner.min_trend", "enabled = false\nparams.scanner.min_trend"
        ),
        encoding="utf-8",
    )
    found = answer(desk("scan", "resting.toml", "--date", "2011-01-18", "--json", DESK_LAKE=lake))
    assert (found["candidates"], found["signals"]) == ([], [])


def test_analyze_tells_every_condition_and_draws(desk: Desk, lake: str) -> None:
    found = answer(desk("analyze", "AAPL", "--date", "2012-02-01", "--json", DESK_LAKE=lake))
    assert (found["verdict"], found["close"]) == ("NONE", 456.19)
    assert {one["name"]: one["holds"] for one in found["entry"]}["breakout"] is False
    assert found["indicators"]["rsi_14"] == pytest.approx(74.22, abs=0.01)
    text = desk("analyze", "AAPL", "--date", "2012-02-01", DESK_LAKE=lake).stdout
    assert text.startswith("AAPL at the close of 2012-02-01: 456.19 -> NONE")
    assert "SMA 50" in text
    assert "\x1b[" not in text
    assert "SMA 50" not in desk("analyze", "AAPL", "--no-chart", DESK_LAKE=lake).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (("analyze", "XYZ"), 4, "desk: the lake has no 1d bars of XYZ; run: desk data ingest"),
        (
            ("analyze", "AAPL", "--date", "2012-01-01"),
            4,
            "desk: AAPL: no bar on 2012-01-01; the bar before is of",
        ),
        (("analyze", "AAPL", "--date", "soon"), 3, "desk: 'soon' is no date; write it like 2020-01-31"),
        (("analyze", "AAPL", "--as-of", "2001-01-01"), 4, "desk: the lake has no 1d bars of AAPL; run:"),
        (("scan", "book.toml", "--date", "2012-01-01"), 3, "desk: 2012-01-01 is no session of XNYS that"),
    ],
)
def test_what_is_not_there(
    desk: Desk, lake: str, book: str, arguments: tuple[str, ...], code: int, line: str
) -> None:
    done = desk(*arguments, DESK_LAKE=lake)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1
