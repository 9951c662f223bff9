"""Folders of CSV and Parquet files in the forms that users have them."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from resources.providers import base
from resources.providers.registry import provider

DAYS = (date(2020, 1, 1), date(2020, 12, 31))
PLAIN = (
    "Date,Open,High,Low,Close,Adj Close,Volume\n"
    "2020-01-02,10,11,9,10.5,10.4,1000\n2020-01-03,10.5,12,10,11,10.9,900\n"
)
HEAD = "date,open,high,low,close\n"


def files(folder: Path, **settings):
    return provider("files", {"folder": folder, **settings})


def fetch(folder: Path, symbol: str = "ABC", **settings) -> base.Answer:
    return files(folder, **settings).fetch(base.Request((symbol,), *DAYS))


def put(folder: Path, text: str, name: str = "ABC.csv") -> Path:
    (folder / name).write_text(text)
    return folder


def test_the_usual_names_are_found_whatever_the_case(tmp_path):
    bars = fetch(put(tmp_path, PLAIN)).bars
    assert bars.schema == base.BARS
    assert bars.select("symbol", "open", "high", "low", "close", "volume").row(0) == (
        "ABC",
        10,
        11,
        9,
        10.5,
        1000,
    )
    assert bars["closes_at"][0] == datetime(2020, 1, 2, 21, tzinfo=UTC)


def fetch_intraday(folder, **settings):
    return files(folder, timeframe="30m", **settings).fetch(base.Request(("ABC",), *DAYS, "30m"))


FORMS = {
    "ISO": ("2020-01-02", None),
    "ISO with a midnight": ("2020-01-02 00:00:00", None),
    "compact": ("20200102", None),
    "German": ("02.01.2020", "%d.%m.%Y"),
    "American": ("01/02/2020", "%m/%d/%Y"),
    "American with a time": ("1/2/2020 12:00:00 AM", "%m/%d/%Y %I:%M:%S %p"),
}


@pytest.mark.parametrize(("text", "form"), FORMS.values(), ids=FORMS.keys())
def test_dates_in_many_forms(tmp_path, text, form):
    put(tmp_path, f"date,open,high,low,close\n{text},1,2,1,2\n")
    bars = fetch(tmp_path, date_format=form).bars
    assert bars["session"].to_list() == [date(2020, 1, 2)]
    assert bars["volume"].to_list() == [0.0]


def test_columns_by_map_and_another_separator(tmp_path):
    put(tmp_path, "Tag;E;H;T;S;Stk\n2020-01-02;1;3;1;2;7\n")
    names = {"date": "Tag", "open": "E", "high": "H", "low": "T", "close": "S", "volume": "Stk"}
    bar = fetch(tmp_path, separator=";", columns=names).bars.row(0, named=True)
    assert (bar["open"], bar["high"], bar["low"], bar["close"], bar["volume"]) == (1, 3, 1, 2, 7)


def test_parquet_and_compressed_csv(tmp_path):
    frame = pl.DataFrame(
        {"date": [date(2020, 1, 2)], "open": [1.0], "high": [2.0], "low": [1.0], "close": [2]}
    )
    frame.write_parquet(tmp_path / "PQ.parquet")
    (tmp_path / "GZ.csv.gz").write_bytes(gzip.compress(PLAIN.encode()))
    assert files(tmp_path).symbols() == ["GZ", "PQ"]
    assert fetch(tmp_path, "PQ").bars["close"].to_list() == [2.0]
    assert fetch(tmp_path, "GZ").bars["close"].to_list() == [10.5, 11.0]


def test_long_files_hold_many_symbols(shared_data):
    long = files(shared_data / "universe", layout="long")
    assert long.symbols() == ["AMZN", "GOOG", "META", "NFLX"]
    answer = long.fetch(base.Request(("NFLX", "META"), date(2013, 1, 1), date(2016, 12, 31)))
    assert dict(answer.bars.group_by("symbol").len().iter_rows()) == {"NFLX": 1008, "META": 1008}
    assert answer.instruments["symbol"].to_list() == ["NFLX", "META"]


def test_columns_of_dividends_and_splits_become_actions(tmp_path):
    put(
        tmp_path,
        "date,open,high,low,close,dividends,stock splits\n"
        "2020-01-02,4,4,4,4,0,0\n2020-01-03,2,2,2,2,0,2\n2020-01-06,2,2,2,2,0.05,1\n",
    )
    found = fetch(tmp_path).corporate_actions.select("ex_date", "action", "value").rows()
    assert found == [(date(2020, 1, 3), "split", 2.0), (date(2020, 1, 6), "cash_dividend", 0.05)]


INTRADAY = "time,open,high,low,close,volume\n2020-07-01 09:30:00,1,1,1,1,5\n2020-07-01 15:30:00,2,2,2,2,5\n"


@pytest.mark.parametrize(
    ("stamp", "closes"),
    [("start", [(14, 0), (20, 0)]), ("close", [(19, 30)])],
)
def test_intraday_times_are_local_and_name_start_or_close(tmp_path, stamp, closes):
    """A bar that closes at 09:30 lies before the open and is left out."""
    put(tmp_path, INTRADAY)
    bars = fetch_intraday(tmp_path, timezone="America/New_York", stamp=stamp).bars
    assert [(at.hour, at.minute) for at in bars["closes_at"]] == closes


BROKEN = {
    "no number": (HEAD + "2020-01-02,1,2,1,2\n2020-01-03,1,two,1,2\n", "line 3: high 'two' is no number"),
    "empty cell": (HEAD + "2020-01-02,1,2,1,\n", "line 2: close None is no number"),
    "no date": (HEAD + "soon,1,2,1,2\n", "line 2: date 'soon' is no date; set `date_format`"),
    "ragged": (HEAD + "2020-01-02,1,2,1,2\n2020-01-03,1,2,1,2,3\n", "line 3: 6 columns instead of 5"),
    "no column": ("date,open,high,low,price\n2020-01-02,1,2,1,2\n", "has no column 'close', only date, open"),
    "nothing": ("", "ABC.csv"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_named_with_its_line(tmp_path, text, words):
    with pytest.raises(base.MalformedAnswer) as caught:
        fetch(put(tmp_path, text))
    assert words in str(caught.value)
    assert str(caught.value).startswith("files: ABC: ")
    assert "\n" not in str(caught.value)


def test_a_parquet_file_that_is_none(tmp_path):
    (tmp_path / "ABC.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(base.MalformedAnswer, match=r"files: ABC: cannot read .*ABC\.parquet"):
        fetch(tmp_path)


def test_faulty_figures_pass_through_to_the_quality_checks(tmp_path):
    """The provider reads; judging is not its business: unsorted, repeated and NaN bars stay as they are."""
    put(tmp_path, "date,open,high,low,close\n2020-01-03,1,2,1,2\n2020-01-02,1,2,1,nan\n2020-01-02,-1,2,1,2\n")
    bars = fetch(tmp_path).bars
    assert bars["session"].to_list() == [date(2020, 1, 3), date(2020, 1, 2), date(2020, 1, 2)]
    assert bars["close"].is_nan().sum() == 1


@pytest.mark.parametrize(
    ("symbol", "first", "error", "words"),
    [
        ("XYZ", DAYS[0], base.UnknownSymbol, "files: XYZ: not in "),
        ("ABC", date(2020, 6, 1), base.NoData, "its file has 2020-01-02 .. 2020-01-03"),
    ],
)
def test_missing_symbols_and_ranges(tmp_path, symbol, first, error, words):
    put(tmp_path, PLAIN)
    with pytest.raises(error) as caught:
        files(tmp_path).fetch(base.Request((symbol,), first, DAYS[1]))
    assert words in str(caught.value)


def test_another_timeframe_than_the_files_hold(tmp_path):
    put(tmp_path, PLAIN)
    with pytest.raises(base.Unsupported, match="the setting `timeframe` says that the files hold 1d"):
        files(tmp_path).fetch(base.Request(("ABC",), *DAYS, "1h"))


SETTINGS = {
    "unknown column": ({"columns": {"price": "x"}}, "unknown column 'price'; allowed are symbol, date"),
    "time zone": ({"timezone": "New York"}, "'New York' is no time zone"),
    "unknown key": ({"folderr": "x"}, "folderr: Extra inputs are not permitted"),
    "layout": ({"layout": "wide"}, "layout: Input should be 'per_symbol' or 'long'"),
}


@pytest.mark.parametrize(("settings", "words"), SETTINGS.values(), ids=SETTINGS.keys())
def test_bad_settings_name_the_key(tmp_path, settings, words):
    with pytest.raises(base.ProviderError) as caught:
        files(tmp_path, **settings)
    assert words in str(caught.value)
