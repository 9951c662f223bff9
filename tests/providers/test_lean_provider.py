"""LEAN folders: the traps of real data, each by name, and files that are broken."""

from __future__ import annotations

import shutil
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from resources.calendar import sessions
from resources.providers import base
from resources.providers.lean import Lean, LeanSettings
from resources.providers.lean_files import read_factors
from trading.history import history_from_frames

EVER = (date(1990, 1, 1), date(2024, 12, 31))


@pytest.fixture(scope="module")
def lean(shared_data) -> Lean:
    return Lean(LeanSettings(folder=shared_data / "lean"))


def fetch(lean: Lean, symbol: str, first=EVER[0], last=EVER[1], timeframe="1d") -> base.Answer:
    return lean.fetch(base.Request((symbol,), first, last, timeframe))


def span(answer: base.Answer) -> tuple[date, date, int]:
    return answer.bars["session"].min(), answer.bars["session"].max(), answer.bars.height


def actions(answer: base.Answer) -> list[tuple]:
    return list(answer.corporate_actions.select("ex_date", "action", "value", "new_symbol").iter_rows())


def test_prices_are_scaled_from_deci_cents_to_the_nearest_decimal(lean):
    bar = fetch(lean, "AAPL", date(1998, 1, 2), date(1998, 1, 2)).bars.row(0, named=True)
    assert [bar[name] for name in ("open", "high", "low", "close", "volume")] == [
        13.63, 16.25, 13.5, 16.25, 6315000.0
    ]  # fmt: skip
    closes = fetch(lean, "GOOGL").bars["close"]
    assert (closes == pl.Series([float(f"{close:.4f}") for close in closes])).all()


def test_fb_the_reused_ticker_does_not_lend_its_older_bars(lean):
    assert span(fetch(lean, "FB")) == (date(2012, 5, 18), date(2021, 3, 31), 2231)
    assert span(fetch(lean, "FB.1")) == (date(1999, 9, 29), date(2003, 3, 28), 716)
    assert (date(2003, 3, 31), "delisting", None, None) in actions(fetch(lean, "FB.1"))


@pytest.mark.parametrize(("symbol", "first"), [("USO", date(2006, 4, 10)), ("BNO", date(2010, 6, 2))])
def test_uso_and_bno_leave_out_the_companies_that_had_their_tickers_before(lean, symbol, first):
    assert fetch(lean, symbol).bars["session"].min() == first


def test_aaa_1_was_delisted_in_2007_and_the_fund_aaa_is_another_instrument(lean):
    old, new = fetch(lean, "AAA.1"), fetch(lean, "AAA")
    assert span(old) == (date(2002, 5, 22), date(2007, 5, 18), 1230)
    assert actions(old)[-1] == (date(2007, 5, 21), "delisting", None, None)
    assert old.instruments.row(0, named=True)["valid_to"] == date(2007, 5, 18)
    assert span(new)[0] == date(2020, 9, 9)
    assert new.instruments["asset_class"].to_list() == ["etf"]


def test_aaa_1_paid_two_thirds_of_its_price_as_a_special_dividend(lean):
    special = [row for row in actions(fetch(lean, "AAA.1")) if row[1] == "special_dividend"]
    assert [(day, round(value, 2)) for day, _, value, _ in special] == [(date(2007, 5, 15), 47.06)]


def test_qqq_was_qqqq_from_2004_12_to_2011_03(lean):
    answer = fetch(lean, "QQQ")
    periods = list(answer.instruments.select("ticker", "valid_from", "valid_to").iter_rows())
    assert periods == [
        ("QQQ", date(1999, 3, 10), date(2004, 11, 30)),
        ("QQQQ", date(2004, 12, 1), date(2011, 3, 22)),
        ("QQQ", date(2011, 3, 23), None),
    ]
    renames = [row for row in actions(answer) if row[1] == "rename"]
    assert renames == [
        (date(2004, 12, 1), "rename", None, "QQQQ"),
        (date(2011, 3, 23), "rename", None, "QQQ"),
    ]


def test_goog_became_googl_with_a_split_and_the_ticker_went_to_another_share(lean):
    class_a, class_c = fetch(lean, "GOOGL"), fetch(lean, "GOOG")
    assert span(class_a) == (date(2004, 8, 19), date(2021, 3, 31), 4183)
    assert [row[:3] for row in actions(class_a) if row[1] == "split"] == [(date(2014, 4, 3), "split", 2.0)]
    assert (date(2014, 4, 3), "rename", None, "GOOGL") in actions(class_a)
    assert span(class_c)[0] == date(2014, 3, 27)
    closes = class_a.bars.filter(pl.col("session").is_between(date(2014, 4, 2), date(2014, 4, 3)))["close"]
    assert closes.to_list() == [1135.1, 571.5]


def test_wmi_became_wm_and_was_uw_before(lean):
    answer = fetch(lean, "WM")
    assert span(answer) == (date(1998, 1, 2), date(2021, 3, 31), 5849)
    assert answer.instruments["ticker"].to_list() == ["UW", "WMI", "WM"]
    washington_mutual = date(2008, 9, 26)
    assert answer.bars.filter(session=washington_mutual)["close"].item() > 20


def test_bank_of_america_does_not_take_the_bars_of_the_company_it_bought(lean):
    assert fetch(lean, "BAC").bars["session"].min() == date(1998, 10, 1)


def test_apple_split_7_for_1_on_2014_06_09(lean):
    found = [row[:3] for row in actions(fetch(lean, "AAPL")) if row[1] == "split"]
    assert found == [
        (date(2000, 6, 21), "split", 2.0),
        (date(2005, 2, 28), "split", 2.0),
        (date(2014, 6, 9), "split", 7.0),
        (date(2020, 8, 31), "split", 4.0),
    ]


def test_dividends_come_back_as_they_were_announced(lean):
    paid = {row[0]: row[2] for row in actions(fetch(lean, "AAPL")) if row[1] == "cash_dividend"}
    assert paid[date(2012, 8, 9)] == 2.65
    assert paid[date(2013, 5, 9)] == 3.05
    assert paid[date(2014, 5, 8)] == 3.29
    assert paid[date(2014, 8, 7)] == 0.47


def test_the_half_day_of_2015_12_24_closes_at_13(lean):
    day = date(2015, 12, 24)
    assert fetch(lean, "AAPL", day, day).bars["closes_at"].to_list() == [
        datetime(2015, 12, 24, 18, tzinfo=UTC)
    ]
    hours = fetch(lean, "AAPL", day, day, "1h").bars["closes_at"]
    assert [at.hour for at in hours] == [15, 16, 17, 18]


def test_hours_begin_at_the_open_and_end_at_the_close_in_summer_and_winter(lean):
    for day, closes in ((date(2016, 1, 4), range(15, 22)), (date(2016, 7, 5), range(14, 21))):
        bars = fetch(lean, "SPY", day, day, "1h").bars
        assert [at.hour for at in bars["closes_at"]] == list(closes)


def test_minutes_around_the_split_leave_out_the_extended_hours(lean):
    bars = fetch(lean, "AAPL", timeframe="1m").bars
    assert bars["session"].unique().sort().to_list() == [date(2014, 6, 5), date(2014, 6, 6), date(2014, 6, 9)]
    assert bars.group_by("session").len()["len"].to_list() == [390] * 3
    first = bars.filter(session=date(2014, 6, 9)).row(0, named=True)
    assert first["closes_at"] == datetime(2014, 6, 9, 13, 31, tzinfo=UTC)
    assert 90 < first["open"] < 95


def test_currencies_are_mid_prices_and_sunday_evening_belongs_to_monday(lean):
    answer = fetch(lean, "EURUSD", date(2007, 1, 1), date(2007, 2, 1))
    bar = answer.bars.row(0, named=True)
    assert bar["open"] == pytest.approx((1.31927 + 1.32027) / 2, rel=1e-15)
    assert set(answer.bars["session"].dt.weekday()) <= {1, 2, 3, 4, 5}
    assert answer.instruments.select("asset_class", "calendar", "currency").row(0) == ("fx", "24/5", "USD")


def test_crypto_trades_every_day_of_the_week(lean):
    answer = fetch(lean, "BTCUSD", date(2018, 1, 1), date(2018, 1, 14))
    assert answer.bars.height == 14
    assert answer.bars["closes_at"][0] == datetime(2018, 1, 2, tzinfo=UTC)
    assert answer.instruments["calendar"].to_list() == ["24/7"]


DERIVED = (
    "AAA.1",
    "AAPL",
    "AIG",
    "BAC",
    "BNO",
    "EEM",
    "FB",
    "GOOG",
    "GOOGL",
    "IBM",
    "IWM",
    "SPY",
    "USO",
    "WM",
)


@pytest.mark.parametrize("symbol", DERIVED)
def test_forward_factors_equal_the_factor_file_to_its_printed_digits(lean, shared_data, symbol):
    """LEAN: adjusted = raw x price factor x split factor of the row dated on or after the bar."""
    answer = fetch(lean, symbol)
    history = history_from_frames(
        answer.bars, answer.corporate_actions, answer.instruments, sessions("XNYS", *EVER)
    )
    rows = read_factors(shared_data / "lean/equity/usa/factor_files" / f"{symbol.lower()}.csv")
    row = np.searchsorted(
        np.array([each.last for each in rows], "datetime64[D]"), history.sessions[history.session_index]
    )
    price, split = np.array([(each.price, each.split) for each in rows]).T
    for theirs, ours in ((price * split, history.price_factor), (split, history.split_factor)):
        # Each of the two printed factors may be off by half of its last digit.
        tolerance = 1e-7 / price[row] + 1e-7 / split[row] + 2e-7
        ratio = (theirs[row] / theirs[row][-1]) / (ours / ours[-1])
        assert np.all(np.abs(ratio - 1) <= tolerance)


@pytest.mark.parametrize(
    ("symbol", "first", "last", "timeframe", "error", "words"),
    [
        (
            "GOOCV",
            *EVER,
            "1d",
            base.UnknownSymbol,
            "the ticker of GOOG from 2014-03-27 to 2014-04-02; ask for GOOG",
        ),
        ("NOPE", *EVER, "1d", base.UnknownSymbol, "lean: NOPE: not in "),
        ("VXX.1", *EVER, "1d", base.NoData, "lean: VXX.1: no daily file for any of its tickers (VXX)"),
        (
            "AAA.1",
            date(2010, 1, 1),
            date(2011, 1, 1),
            "1d",
            base.NoData,
            "the folder has 2002-05-22 .. 2007-05-18",
        ),
        ("AAPL", *EVER, "5m", base.Unsupported, "lean: no 5m bars; it serves 1d, 1h, 1m"),
    ],
)
def test_errors_name_symbol_and_remedy(lean, symbol, first, last, timeframe, error, words):
    with pytest.raises(error) as caught:
        fetch(lean, symbol, first, last, timeframe)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_symbol_listed_can_be_fetched(lean):
    for symbol in lean.symbols():
        served = 0
        for timeframe in ("1d", "1h", "1m"):
            try:
                served += fetch(lean, symbol, timeframe=timeframe).bars.height
            except base.NoData:
                continue
        assert served, symbol


# ------------------------------------------------------------------------------- folders made by hand


def folder(tmp_path: Path, text: str = "20200102 00:00,100000,110000,90000,100000,5\n") -> Path:
    daily = tmp_path / "equity/usa/daily"
    daily.mkdir(parents=True)
    with zipfile.ZipFile(daily / "xyz.zip", "w") as archive:
        archive.writestr("xyz.csv", text)
    return tmp_path


def made(tmp_path: Path) -> Lean:
    return Lean(LeanSettings(folder=tmp_path))


def test_a_folder_without_map_files_takes_tickers_as_symbols(tmp_path):
    lean = made(folder(tmp_path))
    assert lean.symbols() == ["XYZ"]
    answer = fetch(lean, "XYZ")
    assert answer.bars.select("open", "high", "low", "close", "volume").row(0) == (10.0, 11.0, 9.0, 10.0, 5.0)
    assert answer.instruments["valid_from"].to_list() == [date(2020, 1, 2)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("20200102 00:00,1,2,3,4,5\n20200103 00:00,1,x,3,4,5\n", "xyz.zip line 2: 'x' is no number"),
        ("20200102 00:00,1,2,3,4,5\n20200103 00:00,1,2,3\n", "xyz.zip line 2: 4 columns instead of 6"),
        ("20200102 00:00,1,2,3,4,5\nsoon,1,2,3,4,5\n", "xyz.zip line 2: 'soon' is no time stamp"),
        ("20200102 00:00,1,2,3,4\n", "xyz.zip line 1: 5 columns instead of 6"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, text, words):
    with pytest.raises(base.MalformedAnswer) as caught:
        fetch(made(folder(tmp_path, text)), "XYZ")
    assert words in str(caught.value)
    assert str(caught.value).startswith("lean: XYZ: ")


@pytest.mark.parametrize("keep", [0, 10, 60, -30])
def test_a_truncated_zip_is_named(tmp_path, keep):
    path = folder(tmp_path) / "equity/usa/daily/xyz.zip"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(base.MalformedAnswer, match=r"lean: XYZ: .*xyz\.zip is truncated or no zip"):
        fetch(made(tmp_path), "XYZ")


def test_a_zip_with_a_flipped_bit_is_named(tmp_path, shared_data):
    daily = tmp_path / "equity/usa/daily"
    daily.mkdir(parents=True)
    shutil.copyfile(shared_data / "lean/equity/usa/daily/uw.zip", daily / "uw.zip")
    content = bytearray((daily / "uw.zip").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (daily / "uw.zip").write_bytes(bytes(content))
    with pytest.raises(base.MalformedAnswer, match=r"uw\.zip"):
        fetch(made(tmp_path), "UW")


def test_a_broken_map_or_factor_file_names_its_line(tmp_path):
    folder(tmp_path)
    for name, text, line in (
        ("map_files", "20200101,xyz,N\nlater,xyz,N\n", 2),
        ("factor_files", "20200101,0,1,1\n", 1),
    ):
        path = tmp_path / "equity/usa" / name / "xyz.csv"
        path.parent.mkdir()
        path.write_text(text)
        with pytest.raises(base.MalformedAnswer, match=rf"xyz\.csv line {line}: cannot read"):
            fetch(made(tmp_path), "XYZ")
        path.unlink()


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(base.ProviderError, match=r"lean: no folder .*nowhere; set `folder`"):
        made(tmp_path / "nowhere")
