"""``desk data`` beyond bars, through the program's entry point."""

from __future__ import annotations

import json
from datetime import date

import polars as pl
import pytest

from pipelines.cli.main import run


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys):
    """Run a command in an empty folder; gives exit code, standard output and error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DESK_LAKE", str(tmp_path / "lake"))

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(["data", *arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


@pytest.fixture
def stocked(desk):
    code, _, error = desk("fetch", "AAPL", "--from", "2004-12-01", "--to", "2005-04-29")
    assert (code, error) == (0, "")
    return desk


def test_what_the_lake_has_is_not_fetched_again(stocked):
    code, out, _ = stocked("fetch", "AAPL", "--from", "2004-12-01", "--to", "2005-05-06")
    assert (code, out) == (0, "5 new, 0 corrected, 10 unchanged bars\n")


def series(answer: tuple[int, str, str]) -> dict[str, float]:
    code, out, error = answer
    assert (code, error) == (0, "")
    return {row["session"]: row["close"] for row in json.loads(out)}


def test_a_series_is_in_shares_of_the_day_asked_for(stocked):
    before = series(stocked("adjusted", "AAPL", "--as-of", "2005-02-25", "--json"))
    after = series(stocked("adjusted", "AAPL", "--as-of", "2005-02-28", "--json"))
    assert max(before) == "2005-02-25"
    assert max(after) == "2005-02-28"
    assert all(before[day] == pytest.approx(2 * after[day]) for day in before)
    raw = series(
        stocked(
            "adjusted", "AAPL", "--as-of", "2005-02-28", "--kind", "split", "--from", "2005-02-28", "--json"
        )
    )
    assert list(raw) == ["2005-02-28"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("adjusted", "XYZ"), 4, "XYZ: no instrument of that name"),
        (("adjusted", "AAPL", "--kind", "half"), 3, "choose total_return or split"),
        (("adjusted", "AAPL", "--as-of", "2004-01-02"), 4, "no 1d bars of AAPL up to 2004-01-02"),
        (("chain", "AAPL", "--source", "sample"), 3, "it serves no chain; choose cboe or deribit"),
        (("depth",), 3, "name instruments, or give --file"),
        (("depth", "BTCUSDT", "--measures"), 4, "no order books"),
        (("members", "SPY", "--on", "2020-12-01"), 4, "knows no members of SPY on 2020-12-01"),
        (("actions", "--record", "none.csv"), 3, "none.csv"),
    ],
)
def test_what_cannot_be_is_one_line_and_its_code(stocked, arguments, code, words):
    found, out, error = stocked(*arguments)
    assert (found, out) == (code, "")
    assert words in error
    assert error.count("\n") == 1


def test_actions_told_by_a_person_are_shown_with_the_others(stocked, tmp_path):
    (tmp_path / "told.csv").write_text(
        "symbol,ex_date,action,value,new_symbol\nAAPL,2005-03-01,spin_off,0.1,NEWCO\nAAPL,2005-03-02,rename,,AAPQ\n"
    )
    code, out, _ = stocked("actions", "--record", "told.csv")
    assert (code, out) == (0, "corporate_actions: 2 new, 0 corrected, 0 unchanged rows\n")
    _, out, _ = stocked("actions", "AAPL", "--json")
    assert [(row["ex_date"], row["action"], row["source"]) for row in json.loads(out)] == [
        ("2005-02-28", "split", "sample"),
        ("2005-03-01", "spin_off", "person"),
        ("2005-03-02", "rename", "person"),
    ]


def test_a_wrong_split_is_withdrawn_and_its_versions_are_shown(stocked):
    before = series(stocked("adjusted", "AAPL", "--as-of", "2005-03-31", "--kind", "split", "--json"))
    code, out, _ = stocked("correct", "AAPL", "2005-02-28", "split", "--withdraw", "--reason", "to show it")
    assert (code, out) == (0, "corporate_actions: 0 new, 1 corrected, 0 unchanged rows\n")
    after = series(stocked("adjusted", "AAPL", "--as-of", "2005-03-31", "--kind", "split", "--json"))
    assert after["2005-02-25"] == pytest.approx(2 * before["2005-02-25"])
    standing = json.loads(stocked("actions", "AAPL", "--json")[1])
    assert "split" not in {row["action"] for row in standing}
    versions = json.loads(stocked("actions", "AAPL", "--history", "--json")[1])
    assert [(row["withdrawn"], row["reason"]) for row in versions if row["action"] == "split"] == [
        (False, None),
        (True, "to show it"),
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("2005-02-28", "split", "--withdraw"), 2, "--reason"),
        (("2005-02-28", "split", "--reason", "x"), 3, "say --withdraw, or what is right"),
        (("2005-02-28", "split", "--withdraw", "--value", "3", "--reason", "x"), 3, "say --withdraw, or"),
        (("2005-02-28", "split", "--withdraw", "--reason", " "), 3, "--reason is empty"),
        (("2005-02-27", "split", "--withdraw", "--reason", "x"), 4, "known are: split of 2005-02-28"),
        (("2005-02-28", "split", "--value", "0", "--reason", "x"), 1, "AAPL: positive value"),
    ],
)
def test_a_correction_that_corrects_nothing_is_refused(stocked, arguments, code, words):
    found, _, error = stocked("correct", "AAPL", *arguments)
    assert found == code
    assert words in error


def test_order_books_of_a_file_are_written_and_measured(desk, shared_data):
    file = shared_data / "providers/binance/http_spot_market_depth.json"
    code, out, _ = desk("depth", "BTCUSDT", "--file", str(file), "--at", "2021-10-22T12:00:00", "--json")
    assert (code, json.loads(out)["new"]) == (0, 20)
    code, out, _ = desk("depth", "--measures", "--lot", "0.01", "--json")
    assert code == 0
    assert json.loads(out)[0]["liquidity"] in {"high", "medium", "fair", "low"}
    assert json.loads(out)[0]["spread"] == pytest.approx(0.01 / 60650.005)


def test_check_repairs_on_request_and_says_what(desk, stocked, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    _, out, _ = desk("ask", "IBM", "--from", "2004-12-01", "--to", "2005-04-29", "--json")
    bars = pl.DataFrame(json.loads(out)).select(
        date=pl.col("session").str.to_date(),
        **{n: pl.col(n) for n in ("open", "high", "low", "close", "volume")},
    )
    early = pl.col("date") < date(2005, 3, 1)
    halved = bars.with_columns(
        pl.when(early).then(pl.col(n) / 2).otherwise(n).alias(n) for n in ("open", "high", "low", "close")
    )
    halved.with_columns(
        split=pl.when(pl.col("date") == date(2005, 3, 1)).then(2.0).otherwise(1.0)
    ).write_parquet(folder / "IBM.parquet")
    (tmp_path / "config").mkdir()
    (tmp_path / "config/desk.toml").write_text('[providers.files]\nfolder = "files"\n')
    code, _, error = desk("ingest", "IBM", "--from", "2004-12-01", "--to", "2005-04-29", "--source", "files")
    assert (code, error) == (0, "")
    code, out, _ = desk("check", "IBM", "--json")
    assert code == 0
    assert [row["session"] for row in json.loads(out)["warnings"] if row["rule"] == "jump"] == ["2005-03-01"]
    code, out, _ = desk("check", "IBM", "--repair", "--json")
    told = json.loads(out)
    assert code == 0
    assert len(told["repairs"]) == halved.filter(early).height
    assert "2005-03-01" not in [row["session"] for row in told["warnings"] if row["rule"] == "jump"]


def test_weeks_are_made_of_the_days_that_the_lake_has(stocked):
    code, out, error = stocked(
        "bars", "AAPL", "--timeframe", "1w", "--from", "2005-02-01", "--to", "2005-02-28", "--json"
    )
    assert (code, error) == (0, "made of 1d bars\n")
    weeks = json.loads(out)
    assert [row["session"] for row in weeks] == ["2005-02-04", "2005-02-11", "2005-02-18", "2005-02-25"]
    _, out, _ = stocked("bars", "AAPL", "--from", "2005-02-22", "--to", "2005-02-25", "--json")
    days = json.loads(out)
    assert weeks[-1]["volume"] == sum(row["volume"] for row in days)
    assert (weeks[-1]["high"], weeks[-1]["close"]) == (max(row["high"] for row in days), days[-1]["close"])
    assert stocked("bars", "AAPL", "--timeframe", "1h")[0] == 4
    assert stocked("bars", "AAPL", "--timeframe", "2h")[0] == 3


def test_hours_are_made_of_real_minutes(desk, shared_data, tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config/desk.toml").write_text(f'[providers.lean]\nfolder = "{shared_data / "lean"}"\n')
    span = ("--from", "2014-06-05", "--to", "2014-06-09")
    assert desk("ingest", "AAPL", *span, "--timeframe", "1m", "--source", "lean")[0] == 0
    code, out, error = desk("bars", "AAPL", *span, "--timeframe", "1h", "--json")
    assert (code, error) == (0, "made of 1m bars\n")
    hours = json.loads(out)
    assert len(hours) == 21
    assert hours[0]["closes_at"].startswith("2014-06-05T14:00:00")
