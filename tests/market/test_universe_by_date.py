"""Who was there when: real map files, lists of constituents, capitalisations and coarse files."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from delta import pin, read
from delta.contracts import Bars, CorporateActions, Instruments, Memberships
from resources.calendar import sessions
from resources.ingest import ingest, ingest_rows
from resources.providers.base import NoData, Request
from resources.providers.registry import provider
from tests.trading.market_frames import actions_frame, bars_frame, calendar_frame, day, instruments_frame
from trading.history import history_from_frames, newest, select, until
from trading.universe import UniverseError, capitalised, member_mask, members, most_traded, symbol_of, tickers

NOW = datetime(2021, 4, 2, tzinfo=UTC)
FIRST, LAST = date(1998, 1, 1), date(2021, 3, 31)


@pytest.fixture(scope="module")
def lean(shared_data):
    return provider("lean", {"folder": shared_data / "lean"})


@pytest.fixture(scope="module")
def listed(lean):
    return lean.fetch(Request(("AAA.1", "FB", "QQQ", "GOOGL", "GOOG", "WM"), FIRST, LAST)).instruments


@pytest.mark.parametrize(
    ("name", "when", "symbol"),
    [
        ("QQQQ", date(2010, 6, 1), "QQQ"),
        ("QQQQ", None, "QQQ"),
        ("QQQ", date(2015, 1, 2), "QQQ"),
        ("WMI", date(2000, 6, 1), "WM"),
        ("GOOGL", date(2013, 1, 2), "GOOGL"),
        ("FB", date(2020, 1, 2), "FB"),
    ],
)
def test_a_ticker_leads_to_who_had_it(listed, name, when, symbol):
    assert symbol_of(listed, name, when) == symbol


def test_a_ticker_that_went_to_another_share_names_both(listed):
    uses = tickers(listed, "GOOG")
    assert uses["symbol"].to_list() == ["GOOGL", "GOOG"]
    assert uses["last"][0] < uses["first"][1]
    assert uses["last"][1] is None


@pytest.mark.parametrize(
    ("name", "when", "words"),
    [("QQQQ", date(2015, 1, 2), "QQQ from 2004-12-01"), ("XYZ", None, "XYZ: no instrument")],
)
def test_a_ticker_that_nobody_had_is_refused(listed, name, when, words):
    with pytest.raises(UniverseError, match=words):
        symbol_of(listed, name, when)


def test_lists_of_constituents_count_from_their_day_on(lake, run, lean):
    rows = pl.concat([lean.constituents("SPY", FIRST, LAST), lean.constituents("QQQQ", FIRST, LAST)])
    for _ in range(2):
        result = ingest_rows(
            lake, Memberships, rows, pl.col("universe").is_in(["SPY", "QQQQ"]), now=NOW, provenance=run
        )
    assert (result.new, result.unchanged) == (0, rows.height)
    known = read(lake, Memberships).collect()
    assert members(known, "SPY", date(2020, 11, 29)) == ()
    first, second = members(known, "SPY", date(2020, 11, 30)), members(known, "SPY", date(2021, 1, 4))
    assert 490 < len(first) < 510
    assert {"AAPL", "IBM", "FB"} <= set(first)
    assert set(first) ^ set(second) == set(
        pl.concat([known.filter(universe="SPY").group_by("symbol").len().filter(pl.col("len") == 1)])[
            "symbol"
        ]
    )
    assert abs(known.filter(universe="SPY", observed=date(2020, 12, 1))["weight"].sum() - 1) < 0.02
    with pytest.raises(NoData, match="it has 2020-11-30, 2020-12-01"):
        lean.constituents("SPY", FIRST, date(2010, 1, 1))


def test_members_by_bar_follow_the_newest_list():
    bars = pl.concat([bars_frame([10.0] * 10, name) for name in "AB"])
    history = history_from_frames(bars, actions_frame(), instruments_frame("A", "B"), calendar_frame(10))
    lists = pl.DataFrame(
        [("I", "A", day(2)), ("I", "B", day(2)), ("I", "B", day(5)), ("I", "C", day(5)), ("J", "A", day(0))],
        schema=["universe", "symbol", "observed"],
        orient="row",
    )
    mask = member_mask(history, lists, "I")
    assert mask[history.rows("A")].tolist() == [2 <= i < 5 for i in range(10)]
    assert mask[history.rows("B")].tolist() == [i >= 2 for i in range(10)]
    for t in range(10):
        held = [name for name in "AB" if mask[history.rows(name)][t]]
        assert held == [name for name in members(lists, "I", day(t)) if name in "AB"]


def test_capitalisation_is_told_by_period_and_carried_through_the_history():
    bars = pl.concat([bars_frame([10.0] * 80, name) for name in "AB"])
    plain = instruments_frame("A", "B")
    caps = pl.DataFrame(
        {
            "symbol": "A",
            "session": [day(n) for n in range(10, 70)],
            "market_cap": [1e9 + n for n in range(10, 70)],
        }
    )
    told = capitalised(plain, caps, "tiingo")
    assert told.select("valid_from", "valid_to", "market_cap").rows() == [
        (day(10), date(2020, 1, 31), 1e9 + 10),
        (date(2020, 2, 1), date(2020, 2, 29), 1e9 + 31),
        (date(2020, 3, 1), date(2020, 3, 31), 1e9 + 60),
    ]
    assert told["sector"].to_list() == ["Energy"] * 3
    instruments = pl.concat([plain, told])
    history = history_from_frames(bars, actions_frame(), instruments, calendar_frame(80))
    own = history.market_cap[history.rows("A")]
    assert np.isnan(own[:10]).all()
    assert own[10:31].tolist() == [1e9 + 10] * 21
    assert own[60:].tolist() == [1e9 + 60] * 20
    assert np.isnan(history.market_cap[history.rows("B")]).all()
    cut = until(history, day(40))
    assert np.array_equal(cut.market_cap[cut.rows("A")], own[:41], equal_nan=True)
    assert np.array_equal(select(history, ("A",)).market_cap, own, equal_nan=True)
    later = capitalised(instruments, caps.with_columns(pl.col("session") + timedelta(days=40)), "tiingo")
    assert later["valid_from"].to_list() == [day(50), date(2020, 3, 1), date(2020, 4, 1)]


def test_cutting_the_future_off_changes_no_capitalisation():
    bars = bars_frame([10.0] * 60)
    caps = pl.DataFrame(
        {"symbol": "A", "session": [day(n) for n in range(60)], "market_cap": [1e9 + n for n in range(60)]}
    )
    plain = instruments_frame("A").with_columns(valid_from=pl.lit(day(-30)))
    whole = history_from_frames(
        bars, actions_frame(), pl.concat([plain, capitalised(plain, caps, "t")]), calendar_frame(60)
    )
    for t in (0, 15, 45):
        then = caps.filter(pl.col("session") <= day(t))
        known = pl.concat([plain, capitalised(plain, then, "t")])
        cut = history_from_frames(bars.head(t + 1), actions_frame(), known, calendar_frame(t + 1))
        assert np.array_equal(cut.market_cap, whole.market_cap[: t + 1], equal_nan=True)


def test_a_delisted_name_is_there_until_its_last_session(lake, run, lean):
    ingest(
        lake, lean, Request(("AAA.1", "SPY"), date(2006, 1, 3), date(2007, 12, 31)), now=NOW, provenance=run
    )
    pins = pin(lake, [Bars, CorporateActions, Instruments])
    actions = pins.read(CorporateActions).collect()
    gone = actions.filter(symbol="AAA.1", action="delisting")["ex_date"].item()
    calendar = sessions("XNYS", date(2006, 1, 3), date(2007, 12, 31))
    instruments = newest(pins.read(Instruments).collect(), Instruments.key[:-1])
    history = history_from_frames(pins.read(Bars).collect(), actions, instruments, calendar)
    last = history.sessions[history.session_index[history.rows("AAA.1")]][-1].item()
    assert last < gone <= date(2007, 12, 31)
    assert "AAA.1" in until(history, last).symbols
    assert history.rows("AAA.1").stop - history.rows("AAA.1").start > 250
    assert not (history.session_index[history.rows("AAA.1")] > history.index(last)).any()
    assert symbol_of(instruments, "AAA", date(2007, 1, 3)) == "AAA.1"


def test_seven_thousand_stocks_of_a_day_are_ranked_at_once(lean):
    days = lean.snapshot(date(2014, 4, 2)), lean.snapshot(date(2014, 4, 3))
    top = [most_traded(found, 50, lowest_price=5) for found in days]
    assert all(6500 < found.height < 8000 for found in days)
    assert all({"AAPL", "SPY", "FB"} <= set(names) for names in top)
    # The ticker GOOG passed from one share to the other between these days.
    before, after = (dict(found.select("ticker", "symbol").rows()) for found in days)
    assert (before["GOOG"], after["GOOG"], after["GOOGL"]) == ("GOOGL", "GOOG", "GOOGL")
