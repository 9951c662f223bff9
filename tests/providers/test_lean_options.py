"""Option files of the LEAN folder: real contracts, and small files with the faults that the real ones have."""

from __future__ import annotations

import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from assets.observations import Observing, update_chains
from delta import read
from delta.contracts import OptionQuotes, Quarantine
from resources.config import DeskConfig
from resources.providers import base
from resources.providers._frames import OPTION_QUOTES
from resources.providers.lean import Lean, LeanSettings
from resources.providers.lean_options import option_quotes

HEAD = "#expiry,strike,right,open,high,low,close,volume,open_interest,implied_volatility,delta,gamma,vega,theta,rho"
DAYS = [date(2015, 12, day) for day in (22, 23, 24, 28)]
BARS = pl.DataFrame({"session": DAYS, "close": [50.0, 51.0, 52.0, 53.0], "volume": [10.0, 20.0, 30.0, 40.0]})


@pytest.fixture(scope="module")
def goog(shared_data) -> pl.DataFrame:
    return Lean(LeanSettings(folder=shared_data / "lean")).chain("GOOG")


def test_a_real_contract_day_by_day(goog):
    """Printed in the folder's own files: quotes in 1/10000, open interest of the morning, half day of the 24th."""
    rows = goog.filter(symbol="GOOG  160115C00750000")
    assert goog.schema == OPTION_QUOTES
    assert rows.select("session", "bid", "ask", "last", "volume", "open_interest").rows() == [
        (date(2015, 12, 23), 13.7, 14.1, 14.0, 4066.0, 661.0),
        (date(2015, 12, 24), 12.1, 12.6, 12.5, 717.0, 889.0),
        (date(2015, 12, 28), None, None, 20.6, 306.0, 838.0),
        (date(2015, 12, 29), None, None, 31.0, 131.0, 710.0),
        (date(2015, 12, 30), None, None, 29.7, 20.0, 664.0),
    ]
    assert rows["quoted_at"].to_list()[:2] == [
        datetime(2015, 12, 23, 21, tzinfo=UTC),
        datetime(2015, 12, 24, 18, tzinfo=UTC),
    ]
    first = rows.row(0, named=True)
    assert (first["expiry"], first["strike"], first["right"]) == (date(2016, 1, 15), 750.0, "call")
    assert (first["multiplier"], first["underlying"], first["underlying_price"]) == (100.0, "GOOG", 750.31)


def test_greeks_are_there_where_a_volatility_was_found(goog):
    found = pl.col("implied_volatility").is_not_null()
    assert goog.filter(found).height > 8000
    greeks = ("delta", "gamma", "vega", "theta")
    assert goog.filter(found).select(greeks).null_count().sum_horizontal().item() == 0
    assert goog.filter(found.not_()).select(greeks).count().sum_horizontal().item() == 0
    row = goog.filter(symbol="GOOG  151231C00450000", session=date(2015, 12, 24)).row(0, named=True)
    assert [row[name] for name in ("implied_volatility", *greeks)] == [
        1.7405772, 0.9915959, 0.0001368, 0.0219203, -0.3277778,
    ]  # fmt: skip
    assert goog.filter(pl.col("expiry") < pl.col("session")).is_empty()


def test_a_split_replaces_contracts_and_a_file_a_session_early_is_put_right(shared_data):
    aapl = Lean(LeanSettings(folder=shared_data / "lean")).chain(
        "AAPL", expiries=[date(2014, 6, 13), date(2016, 1, 15)]
    )
    call = aapl.filter(right="call", expiry=date(2014, 6, 13))
    assert call.filter(strike=650.0)["session"].max() == date(2014, 6, 6)
    assert call.filter(strike=92.86)["session"].min() == date(2014, 6, 9)
    assert call.filter(pl.col("session") >= date(2014, 6, 9))["strike"].max() < 200
    assert aapl["multiplier"].unique().to_list() == [100.0]
    # The universe file named 2015-12-11 has the trade of the 14th: 13.25, 1119 contracts.
    told = aapl.filter(symbol="AAPL  160115C00100000").filter(pl.col("delta").is_not_null())
    assert told.select("session", "last", "volume", "delta", "open_interest").rows() == [
        (date(2015, 12, 14), 13.25, 1119.0, 0.877048, None),
        (date(2015, 12, 15), 11.45, 830.0, 0.8482556, 87309.0),
    ]


def write(folder: Path, day: date, *lines: str) -> None:
    target = folder / "universes/x"
    target.mkdir(parents=True, exist_ok=True)
    (target / f"{day:%Y%m%d}.csv").write_text("\n".join((HEAD, *lines, "")), encoding="utf-8")


def own(volume: int) -> str:
    return f",,,50,51,49,50,{volume},,,,,,,"


def quotes(folder: Path) -> pl.DataFrame:
    return option_quotes(folder, "X", "X", BARS, DAYS[0], DAYS[-1], "lean")


def test_a_copy_of_the_day_before_and_a_dead_line_tell_nothing(tmp_path):
    live = "20160115,50,C,1,1,1,1.5,7,100,0.2,0.5,0.1,0.1,-0.01,0.1"
    dead = "20160115,350,C,1,1,1,1.5,0,100,0,0.5,0.1,0.1,-0.01,0.1"
    write(tmp_path, DAYS[0], own(10), live, dead)
    write(tmp_path, DAYS[1], own(10), live, dead)
    rows = quotes(tmp_path)
    assert rows.select("symbol", "session", "open_interest").rows() == [
        ("X     160115C00050000", DAYS[0], None)
    ]


def test_the_open_interest_of_a_day_is_known_in_the_next_session(tmp_path):
    line = "20160115,50,C,1,1,1,1.5,7,{},0.2,0.5,0.1,0.1,-0.01,0.1"
    for day, count in zip(DAYS, (100, 200, 300, 400), strict=True):
        write(tmp_path, day, own(1), line.format(count))
    assert quotes(tmp_path)["open_interest"].to_list() == [None, 100.0, 200.0, 300.0]


def test_nan_greeks_go_to_quarantine_and_the_others_are_written(tmp_path, shared_data):
    from delta import create_lake

    lean = tmp_path / "lean"
    for name in ("equity/usa/daily", "equity/usa/map_files", "option/usa/universes/goog"):
        (lean / name).mkdir(parents=True)
    for name in ("daily/goog.zip", "map_files/goog.csv"):
        (lean / "equity/usa" / name).symlink_to((shared_data / "lean/equity/usa" / name).resolve())
    lines = (
        HEAD,
        ",,,747.93,748.77,747.86,748.4,106129,,,,,,,",
        "20160115,750,C,1,1,1,12.5,7,100,0.2,NaN,0.1,0.1,-0.01,0.1",
        "20160115,760,C,1,1,1,8.5,7,100,0.2,0.4,0.1,0.1,-0.01,0.1",
    )
    (lean / "option/usa/universes/goog/20151224.csv").write_text("\n".join(lines), encoding="utf-8")
    config = DeskConfig.model_validate({"providers": {"lean": {"folder": str(lean)}}})
    lake = create_lake(tmp_path / "lake")
    desk = Observing(lake, config, datetime(2026, 1, 2, tzinfo=UTC), "run")
    span = (date(2015, 12, 1), date(2015, 12, 31))
    update = update_chains(desk, ["GOOG"], source="lean", span=span)
    assert update.problems() == ["1 rows rejected: delta is not NaN"]
    rows = read(lake, OptionQuotes).collect()
    assert rows["symbol"].to_list() == ["GOOG  160115C00760000"]
    assert rows["known_at"].to_list() == [datetime(2026, 1, 2, tzinfo=UTC)]
    assert read(lake, Quarantine).collect()["symbol"].to_list() == ["GOOG  160115C00750000"]
    again = update_chains(desk, ["GOOG"], source="lean", span=span)
    assert (again.result.new, again.result.unchanged, again.commits) == (0, 1, {})


def test_past_quotes_are_asked_of_who_has_them(tmp_path):
    from delta import create_lake

    desk = Observing(create_lake(tmp_path / "lake"), DeskConfig(), datetime(2026, 1, 2, tzinfo=UTC), "run")
    with pytest.raises(base.Unsupported, match="cboe: GOOG: it has no past option quotes"):
        update_chains(desk, ["GOOG"], source="cboe", span=(date(2015, 12, 1), date(2015, 12, 31)))


@pytest.mark.parametrize(
    ("member", "line", "words"),
    [
        (
            "x_quote_american_call_500000_20160115.csv",
            "20151224 00:00,1,1,1,oops,1,1,1,1,1,1",
            "'oops' is no number",
        ),
        (
            "x_quote_american_call_500000_20160115.csv",
            "20151224 00:00,1,1",
            "cannot read '20151224 00:00,1,1'",
        ),
        ("x_quote_call.csv", "20151224 00:00,1,1,1,1,1,1,1,1,1,1", "x_quote_call.csv: cannot read"),
    ],
)
def test_daily_files_that_cannot_be_read_are_named(tmp_path, member, line, words):
    from resources.providers.lean_files import FileError

    (tmp_path / "daily").mkdir()
    path = tmp_path / "daily/x_2015_quote_american.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, line)
    with pytest.raises(FileError, match=words) as found:
        quotes(tmp_path)
    assert str(path) in str(found.value)


def test_one_side_without_an_offer_is_nothing_and_not_zero(tmp_path):
    (tmp_path / "daily").mkdir()
    with zipfile.ZipFile(tmp_path / "daily/x_2015_quote_american.zip", "w") as archive:
        archive.writestr("x_quote_american_put_500000_20160115.csv", "20151224 00:00,,,,,,1,1,1,12500,3")
    row = quotes(tmp_path).row(0, named=True)
    assert (row["symbol"], row["bid"], row["ask"], row["underlying_price"]) == (
        "X     160115P00050000", None, 1.25, 52.0,
    )  # fmt: skip
