"""``desk data`` over price files of a user's own: what comes in, once, corrected, refused, adjusted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from resources.calendar import sessions

from .shell import Done, Shell

DESK = """
[data.order]
stock = { default = ["files"] }
[providers.files]
folder = "./data"
"""
DAYS = sessions("XNYS", date(2012, 1, 3), date(2012, 3, 30))["session"].to_list()
HEADER = "date,open,high,low,close,volume"


def line(number: int, close: float | None = None) -> str:
    """Bar of a session: a close that rises a tenth a day, within a range of one."""
    at = close if close is not None else 50 + number / 10
    return f"{DAYS[number]},{at},{at + 0.5},{at - 0.5},{at},{100_000 + number % 7}"


def prices(count: int, first: int = 0) -> list[str]:
    return [line(number) for number in range(first, first + count)]


@pytest.fixture
def files(shell: Shell) -> Shell:
    """A desk over a folder with one stock."""
    shell.write("config/desk.toml", DESK)
    put(shell, "ACME", prices(20))
    return shell


def put(shell: Shell, symbol: str, lines: list[str], header: str = HEADER) -> None:
    shell.write(f"data/{symbol}.csv", "\n".join([header, *lines]) + "\n")


def ingest(shell: Shell, *arguments: str) -> Done:
    return shell.desk("data", "ingest", *arguments, "--json")


def closes(shell: Shell, symbol: str = "ACME") -> dict[str, float]:
    rows = shell.desk("data", "bars", symbol, "--json").json
    return {row["session"]: row["close"] for row in rows}


# ------------------------------------------------------------------------------------------ what comes in


def test_bars_come_in_once_and_then_what_is_new(files: Shell) -> None:
    first = ingest(files, "ACME", "--to", str(DAYS[19]))
    assert first.code == 0, first.err
    assert (first.json["new"] >= 20, first.json["problems"]) == (True, [])
    again = ingest(files, "ACME", "--to", str(DAYS[19]))
    assert (again.json["new"], again.json["corrected"], again.json["versions"]) == (0, 0, {})
    put(files, "ACME", prices(22))
    grown = ingest(files, "ACME", "--to", str(DAYS[21]))
    assert (grown.json["corrected"], grown.json["quarantined"]) == (0, 0)
    assert len(closes(files)) == 22
    bars = files.desk("query", "select count(*) as n from bars", "--json").json
    assert bars == [{"n": 22}]


def test_a_corrected_file_is_a_new_row_and_the_old_one_stays(files: Shell) -> None:
    ingest(files, "ACME", "--to", str(DAYS[19]))
    at = files.desk("history", "bars", "--json").json[0]["committed_at"]
    put(files, "ACME", [*prices(5), line(5, 51.0), *prices(14, 6)])
    fixed = ingest(files, "ACME", "--to", str(DAYS[19]), "--refetch")
    assert (fixed.code, fixed.json["corrected"], fixed.json["new"]) == (0, 1, 0)
    assert closes(files)[str(DAYS[5])] == 51.0
    statement = f"select close from bars where session = '{DAYS[5]}' order by known_at"
    assert files.desk("query", statement, "--json").json == [{"close": 50.5}, {"close": 51.0}]
    assert files.desk("query", statement, "--json", "--as-of", at).json == [{"close": 50.5}]
    assert ingest(files, "ACME", "--to", str(DAYS[19]), "--refetch").json["corrected"] == 0


def test_one_bad_symbol_leaves_the_others_and_is_kept_with_its_reason(files: Shell) -> None:
    put(files, "BAD", [*prices(9), line(9, -1.0)])
    done = ingest(files, "ACME", "BAD", "--to", str(DAYS[19]))
    assert done.code == 1
    assert done.json["quarantined"] == 1
    assert len(done.json["problems"]) == 1
    assert done.json["problems"][0].startswith("BAD: nothing written: bars 2012-01-17 break the rule")
    assert done.err == f"desk: {done.json['problems'][0]}\n"
    assert len(closes(files)) == 20
    kept = files.desk("query", "select symbol, session, rule from quarantine", "--json").json
    assert [(row["symbol"], row["session"]) for row in kept] == [("BAD", str(DAYS[9]))]
    assert files.desk("data", "bars", "BAD").code == 4


def put_bytes(shell: Shell, content: bytes) -> None:
    (shell.folder / "data/ACME.csv").write_bytes(content)


def put_long(shell: Shell) -> None:
    """Two symbols in one file."""
    (shell.folder / "data/ACME.csv").unlink()
    rows = [*(f"ACME,{row}" for row in prices(5)), *(f"B,{row}" for row in prices(3))]
    shell.write("data/all.csv", "\n".join(["symbol," + HEADER, *rows]) + "\n")


FORMS: dict[str, tuple[str, Callable[[Shell], None]]] = {
    "other names of columns": (
        'columns = { date = "Day", close = "Last" }',
        lambda shell: put(shell, "ACME", prices(5), "Day,open,high,low,Last,volume"),
    ),
    "semicolons": (
        'separator = ";"',
        lambda shell: put(
            shell, "ACME", [row.replace(",", ";") for row in prices(5)], HEADER.replace(",", ";")
        ),
    ),
    "compact dates": (
        "",
        lambda shell: put(shell, "ACME", [row.replace("-", "", 2) for row in prices(5)]),
    ),
    "dates of another form": (
        'date_format = "%d.%m.%Y"',
        lambda shell: put(
            shell,
            "ACME",
            [f"{DAYS[number]:%d.%m.%Y},{line(number).partition(',')[2]}" for number in range(5)],
        ),
    ),
    "a byte order mark": (
        "",
        lambda shell: put(shell, "ACME", prices(5), "\ufeff" + HEADER),
    ),
    "lines of another system": (
        "",
        lambda shell: put_bytes(shell, "\r\n".join([HEADER, *prices(5), ""]).encode()),
    ),
    "capitals": ("", lambda shell: put(shell, "ACME", prices(5), HEADER.title())),
    "one file of many symbols": ('layout = "long"', put_long),
}


@pytest.mark.parametrize("form", FORMS)
def test_files_of_many_forms_give_the_same_bars(files: Shell, form: str) -> None:
    setting, make = FORMS[form]
    files.write("config/desk.toml", DESK + setting + "\n")
    make(files)
    done = ingest(files, "ACME", "--to", str(DAYS[4]))
    assert (done.code, done.err) == (0, ""), done.err
    assert closes(files) == {str(DAYS[number]): pytest.approx(50 + number / 10) for number in range(5)}


def test_parquet_files_are_read_like_csv(files: Shell) -> None:
    frame = pl.read_csv(files.folder / "data/ACME.csv", try_parse_dates=True)
    (files.folder / "data/ACME.csv").unlink()
    frame.write_parquet(files.folder / "data/ACME.parquet")
    assert ingest(files, "ACME", "--to", str(DAYS[19])).code == 0
    assert len(closes(files)) == 20


BROKEN: dict[str, tuple[list[str], str, str]] = {
    "no column for the close": (
        [",".join(row.split(",")[:4] + row.split(",")[5:]) for row in prices(3)],
        "date,open,high,low,volume",
        "close",
    ),
    "no lines": ([], HEADER, "ACME"),
    "a date that is none": ([*prices(2), "2012-13-45,1,2,1,1,5"], HEADER, "line 4"),
    "a word for a price": ([*prices(2), f"{DAYS[2]},1,2,1,one,5"], HEADER, "close 'one' is no number"),
    "a column too many": ([*prices(2), line(2) + ",9"], HEADER, "line 4: 7 columns instead of 6"),
    "a column too few": ([*prices(2), line(2).rpartition(",")[0]], HEADER, "line 4"),
    "two bars of a day": ([*prices(3), line(2)], HEADER, "one bar an interval"),
    "days out of order": ([line(1), line(0)], HEADER, "ascending time"),
    "a Saturday": ([*prices(2), "2012-01-07,50,51,49,50,5"], HEADER, "trading session"),
    "high below low": ([f"{DAYS[0]},50,40,60,50,5"], HEADER, "low <= open, close <= high"),
    "negative volume": ([f"{DAYS[0]},50,51,49,50,-5"], HEADER, "volume >= 0"),
    "nothing where a price should be": ([f"{DAYS[0]},50,51,49,,5"], HEADER, "ACME"),
    "infinity": ([f"{DAYS[0]},50,inf,49,50,5"], HEADER, "finite"),
    "quotes left open": ([*prices(2), f'{DAYS[2]},"50,51,49,50,5'], HEADER, "ACME"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_one_line_and_writes_no_bar(files: Shell, case: str) -> None:
    lines, header, said = BROKEN[case]
    put(files, "ACME", lines, header)
    done = files.desk("data", "ingest", "ACME", "--to", str(DAYS[19]))
    assert done.code == 1
    assert "ACME" in done.error
    assert said in done.error
    bars = files.desk("query", "select count(*) as n from bars", "--json")
    assert bars.json == [{"n": 0}]


def test_a_session_that_has_not_closed_is_not_asked_for(files: Shell) -> None:
    done = files.desk("data", "ingest", "ACME", "--to", "2098-01-06")
    assert done.code == 3
    assert done.error.startswith("session 2098-01-06 of XNYS closes at 2098-01-06 21:00 UTC and it is ")


# ------------------------------------------------------------------------------------------ actions and adjusting


def record(shell: Shell, *lines: str, header: str = "symbol,ex_date,action,value,new_symbol") -> Done:
    shell.write("actions.csv", "\n".join([header, *lines]) + "\n")
    return shell.desk("data", "actions", "--record", "actions.csv", "--json")


def test_a_recorded_split_adjusts_the_series_from_its_day_on(files: Shell) -> None:
    half = [line(number, (50 + number / 10) / 2) for number in range(10, 20)]
    put(files, "ACME", [*prices(10), *half])
    ingest(files, "ACME", "--to", str(DAYS[19]))
    before = files.desk("data", "adjusted", "ACME", "--json").json
    at = files.desk("history", "bars", "--json").json[0]["committed_at"]
    assert record(files, f"ACME,{DAYS[10]},split,2,").code == 0
    after = files.desk("data", "adjusted", "ACME", "--json").json
    assert [row["close"] for row in before[:10]] == pytest.approx([50 + i / 10 for i in range(10)])
    assert [row["close"] for row in after] == pytest.approx([(50 + i / 10) / 2 for i in range(20)])
    assert [row["raw_close"] for row in after] == [row["raw_close"] for row in before]
    day_before = files.desk("data", "adjusted", "ACME", "--as-of", str(DAYS[9]), "--json").json
    assert [row["close"] for row in day_before] == pytest.approx([50 + i / 10 for i in range(10)])
    known = files.desk("data", "adjusted", "ACME", "--known", at, "--json").json
    assert [row["close"] for row in known] == [row["close"] for row in before], "then the split was not known"


def test_a_dividend_adjusts_the_total_return_and_not_the_split_series(files: Shell) -> None:
    ingest(files, "ACME", "--to", str(DAYS[19]))
    assert record(files, f"ACME,{DAYS[10]},cash_dividend,5,").code == 0
    total = files.desk("data", "adjusted", "ACME", "--json").json
    split = files.desk("data", "adjusted", "ACME", "--kind", "split", "--json").json
    assert [row["close"] for row in split] == pytest.approx([50 + i / 10 for i in range(20)])
    factor = 1 - 5 / 50.9
    expected = [(50 + i / 10) * (factor if i < 10 else 1.0) for i in range(20)]
    assert [row["close"] for row in total] == pytest.approx(expected)
    shown = files.desk("data", "actions", "ACME", "--json").json
    assert [(row["action"], row["value"], row["ex_date"]) for row in shown] == [
        ("cash_dividend", 5.0, str(DAYS[10]))
    ]


WRONG_ACTIONS = {
    "unknown kind": (f"ACME,{DAYS[3]},splitt,2,", "action is one of split, cash_dividend, "),
    "split of nothing": (f"ACME,{DAYS[3]},split,0,", "positive value"),
    "no date": (
        "ACME,soon,split,2,",
        "actions.csv line 2: ex_date 'soon' is no date; write it like 2020-01-31",
    ),
    "no number": (f"ACME,{DAYS[3]},split,two,", "actions.csv line 2: value 'two' is no number"),
    "dividend above the price": (f"ACME,{DAYS[3]},cash_dividend,900,", "dividend below the price"),
}


@pytest.mark.parametrize("case", WRONG_ACTIONS)
def test_an_action_that_cannot_be_is_refused(files: Shell, case: str) -> None:
    row, said = WRONG_ACTIONS[case]
    ingest(files, "ACME", "--to", str(DAYS[19]))
    done = record(files, row)
    assert done.code != 0
    assert said in done.err
    assert files.desk("data", "actions", "--json").json == []


HEADS = {
    "without the day": (
        "symbol,action,value",
        "actions.csv: no column ex_date; the first line names the columns",
    ),
    "misspelt": (
        "symbol,ex_date,action,valeu",
        "actions.csv: column 'valeu' is unknown; did you mean value?",
    ),
}


@pytest.mark.parametrize("case", HEADS)
def test_a_file_of_actions_with_another_head_is_refused(files: Shell, case: str) -> None:
    header, said = HEADS[case]
    done = record(files, ",".join("x" for _ in header.split(",")), header=header)
    assert (done.code, done.error) == (3, said)


# ------------------------------------------------------------------------------------------ looking at it


def test_check_tells_coverage_jumps_and_missing_sessions(files: Shell) -> None:
    rows = [line(number) for number in range(50) if number != 30]
    rows[40] = line(41, 90.0)
    put(files, "ACME", rows)
    assert ingest(files, "ACME", "--to", str(DAYS[49])).code == 0
    found = files.desk("data", "check", "--json")
    assert found.code == 0, "warnings alone are no failure"
    assert found.json["rejected"] == []
    rules = {(row["rule"], row["session"]) for row in found.json["warnings"]}
    assert ("missing sessions", str(DAYS[31])) in rules
    assert ("jump", str(DAYS[41])) in rules
    covered = found.json["symbols"][0]
    assert (covered["symbol"], covered["bars"], covered["sources"]) == ("ACME", 49, "files")
    assert (covered["first"], covered["last"]) == (str(DAYS[0]), str(DAYS[49]))


def test_weeks_of_days(files: Shell) -> None:
    ingest(files, "ACME", "--to", str(DAYS[19]))
    weeks = files.desk("data", "bars", "ACME", "--timeframe", "1w", "--json").json
    days = files.desk("data", "bars", "ACME", "--json").json
    by_week: dict[tuple[int, ...], list[dict[str, float]]] = {}
    for row in days:
        by_week.setdefault(date.fromisoformat(row["session"]).isocalendar()[:2], []).append(row)
    assert len(weeks) == len(by_week)
    for week, inside in zip(weeks, by_week.values(), strict=True):
        assert week["open"] == inside[0]["open"]
        assert week["close"] == inside[-1]["close"]
        assert week["high"] == max(row["high"] for row in inside)
        assert week["low"] == min(row["low"] for row in inside)
        assert week["volume"] == sum(row["volume"] for row in inside)


def test_fetch_looks_and_writes_nothing(files: Shell, tmp_path: Path) -> None:
    before = files.files()
    shown = files.desk("data", "ask", "ACME", "--from", str(DAYS[3]), "--to", str(DAYS[5]), "--json")
    assert [row["session"] for row in shown.json] == [str(DAYS[number]) for number in (3, 4, 5)]
    assert files.files() == before
    target = tmp_path / "out" / "fetched.csv"
    done = files.desk(
        "data", "ask", "ACME", "--from", str(DAYS[3]), "--to", str(DAYS[5]), "--to-file", str(target)
    )
    assert (done.code, done.out) == (0, "")
    assert pl.read_csv(target)["close"].to_list() == pytest.approx([50.3, 50.4, 50.5])
