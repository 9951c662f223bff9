"""Files of bars that were cut, altered or are something else: whole rows or a typed error that names the file."""

from __future__ import annotations

import gzip
import io
import random
import shutil
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from resources.providers.base import BARS, CORPORATE_ACTIONS, INSTRUMENTS, ProviderError, Request
from resources.providers.depth_files import DEPTH, read_depth
from resources.providers.registry import provider

FIRST, LAST = date(2020, 1, 2), date(2020, 3, 31)
DAYS = pl.date_range(FIRST, LAST, "1d", eager=True)
DAYS = DAYS.filter(DAYS.dt.weekday() < 6)
HEADER = "Date,Open,High,Low,Close,Volume,Dividends,Stock Splits"
LINES = [
    f"{day},{100 + n % 7},{101 + n % 7}.5,{99 + n % 7},{100 + n % 7}.25,{1000 + n},{0.5 if n == 20 else 0},0"
    for n, day in enumerate(DAYS)
]
TEXT = "\n".join([HEADER, *LINES]).encode() + b"\n"

GARBLES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "one byte": lambda body: body[:1],
    "half": lambda body: body[: len(body) // 2],
    "without its end": lambda body: body[:-3],
    "zeros": lambda body: bytes(len(body)),
    "a page": lambda _: b"<!DOCTYPE html><title>Sign in</title>" * 20,
    "another encoding": lambda body: body.decode("latin-1").encode("utf-16"),
    "twice": lambda body: body + body,
    "random": lambda body: random.Random(5).randbytes(len(body)),
}


def altered(body: bytes, seed: int) -> bytes:
    """A few bytes of a file changed, removed or repeated."""
    chance = random.Random(seed)
    content = bytearray(body)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(content))
        match chance.randrange(3):
            case 0:
                content[at] = chance.randrange(256)
            case 1:
                del content[at : at + chance.randrange(1, 30)]
            case _:
                content[at:at] = content[at : at + chance.randrange(1, 30)]
    return bytes(content)


def parquet() -> bytes:
    out = io.BytesIO()
    pl.read_csv(TEXT).with_columns(pl.col("Date").str.to_date()).write_parquet(out)
    return out.getvalue()


FORMS = {"A.csv": TEXT, "A.csv.gz": gzip.compress(TEXT), "A.parquet": parquet()}


def outcome(folder: Path, name: str, symbol: str = "A", **settings: object) -> pl.DataFrame | ProviderError:
    """Bars of a request, after a look at their soundness, or the typed error."""
    source = provider(name, {"folder": folder, **settings})
    try:
        answer = source.fetch(Request((symbol,), FIRST, LAST))
    except ProviderError as error:
        return error
    assert answer.bars.schema == BARS
    assert answer.corporate_actions.schema == CORPORATE_ACTIONS
    assert answer.instruments.schema == INSTRUMENTS
    assert answer.bars.height > 0
    figures = answer.bars.select("session", "closes_at", "open", "high", "low", "close")
    assert sum(figures.null_count().row(0)) == 0
    return answer.bars


def expect_error_of(found: object, file: Path, provider_name: str) -> None:
    assert isinstance(found, ProviderError), found
    assert found.provider == provider_name
    assert "\n" not in str(found)
    assert str(file) in str(found) or file.name in str(found) or str(file.parent) in str(found)


@pytest.mark.parametrize("form", FORMS)
def test_the_files_themselves_are_read(tmp_path, form):
    (tmp_path / form).write_bytes(FORMS[form])
    bars = outcome(tmp_path, "files")
    assert bars.height == len(LINES)
    assert bars["close"].to_list() == [100.25 + n % 7 for n in range(len(LINES))]


@pytest.mark.parametrize("garble", GARBLES)
@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_is_not_whole_is_told_by_name(tmp_path, form, garble):
    file = tmp_path / form
    file.write_bytes(GARBLES[garble](FORMS[form]))
    found = outcome(tmp_path, "files")
    if isinstance(found, pl.DataFrame):
        # Whole lines of a table that ends early, or the same table once more, are rows all the same.
        assert (form, garble) in {
            ("A.csv", "half"), ("A.csv", "without its end"), ("A.csv", "twice"), ("A.csv.gz", "twice"),
            ("A.parquet", "twice"),
        }  # fmt: skip
    else:
        expect_error_of(found, file, "files")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("layout", ["per_symbol", "long"])
def test_a_few_bytes_make_rows_or_a_typed_error(tmp_path, form, layout):
    body = FORMS[form]
    if layout == "long":
        rows = pl.read_csv(TEXT, infer_schema=False).with_columns(Symbol=pl.lit("A"))
        out = io.BytesIO()
        (rows.write_parquet if form.endswith("parquet") else rows.write_csv)(out)
        body = gzip.compress(out.getvalue()) if form.endswith("gz") else out.getvalue()
    file = tmp_path / form
    for seed in range(30):
        file.write_bytes(altered(body, seed))
        found = outcome(tmp_path, "files", layout=layout)
        if isinstance(found, ProviderError):
            assert found.provider == "files", seed
            assert "\n" not in str(found), seed


# ----------------------------------------------------------------------------------------------- LEAN folder

KEPT = (
    "equity/usa/daily/ibm.zip", "equity/usa/factor_files/ibm.csv", "equity/usa/map_files/ibm.csv",
    "market-hours/market-hours-database.json", "symbol-properties/symbol-properties-database.csv",
)  # fmt: skip


@pytest.fixture(scope="module")
def ibm(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LEAN folder with one stock."""
    folder = tmp_path_factory.mktemp("lean")
    for name in KEPT:
        if (shared_data / "lean" / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(shared_data / "lean" / name, folder / name)
    return folder


@pytest.fixture
def garbled(ibm: Path):
    """Changes one file of the folder for the time of a test."""
    changed: dict[Path, bytes] = {}

    def change(name: str, body: bytes) -> Path:
        file = ibm / name
        changed.setdefault(file, file.read_bytes())
        file.write_bytes(body)
        return file

    yield change
    for file, body in changed.items():
        file.write_bytes(body)


def test_the_folder_itself_is_read(ibm):
    assert outcome(ibm, "lean", "IBM").height == 62


@pytest.mark.parametrize("garble", GARBLES)
@pytest.mark.parametrize("name", KEPT[:3])
def test_a_lean_file_that_is_not_whole_is_told_by_name(ibm, garbled, name, garble):
    file = garbled(name, GARBLES[garble]((ibm / name).read_bytes()))
    found = outcome(ibm, "lean", "IBM")
    if isinstance(found, pl.DataFrame):
        # An empty table of events is one without events; a table cut at a line is a shorter table.
        assert garble in (
            {"empty", "half", "without its end", "twice"} if name.endswith(".csv") else {"twice"}
        )
    else:
        expect_error_of(found, file, "lean")


@pytest.mark.parametrize("name", KEPT[:3])
def test_a_few_bytes_of_a_lean_file_make_rows_or_a_typed_error(ibm, garbled, name):
    whole = (ibm / name).read_bytes()
    for seed in range(25):
        garbled(name, altered(whole, seed))
        found = outcome(ibm, "lean", "IBM")
        if isinstance(found, ProviderError):
            assert found.provider == "lean", seed
            assert "\n" not in str(found), seed


def test_a_zip_with_another_name_or_nothing_inside_is_told(ibm, garbled):
    for names in ([], ["readme.txt"]):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for each in names:
                archive.writestr(each, "hello")
        file = garbled(KEPT[0], out.getvalue())
        expect_error_of(outcome(ibm, "lean", "IBM"), file, "lean")


# --------------------------------------------------------------------------------------------- order books


@pytest.mark.parametrize("form", ["csv", "parquet", "json"])
def test_a_few_bytes_of_an_order_book_make_rows_or_a_typed_error(tmp_path, form):
    frame = pl.DataFrame(
        {
            "symbol": ["A"] * 4,
            "quoted_at": ["2022-11-01T20:00:00"] * 4,
            "side": ["bid", "bid", "ask", "ask"],
            "price": [9.9, 9.8, 10.1, 10.2],
            "size": [100.0, 200.0, 100.0, 300.0],
        }
    )
    out = io.BytesIO()
    if form == "json":
        out.write(b'{"lastUpdateId": 1, "bids": [["9.9", "100"], ["9.8", "200"]], "asks": [["10.1", "100"]]}')
    else:
        (frame.write_csv if form == "csv" else frame.write_parquet)(out)
    file = tmp_path / f"book.{form}"
    named = (
        {"symbol": "A", "quoted_at": pl.Series(["2022-11-01T20:00:00Z"]).str.to_datetime()[0]}
        if form == "json"
        else {}
    )
    for seed in range(40):
        file.write_bytes(altered(out.getvalue(), seed) if seed else out.getvalue())
        try:
            found = read_depth([file], **named)
        except ProviderError:
            continue
        assert found.schema == DEPTH, seed
        assert found["level"].min() in {0, None}, seed
