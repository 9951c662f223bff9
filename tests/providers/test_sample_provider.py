"""The offline sample: bars, and the corporate actions read back out of its adjusted closes."""

from __future__ import annotations

import csv
import gzip
from datetime import date
from importlib.resources import files
from itertools import pairwise

import polars as pl
import pytest

from resources.providers import base
from resources.providers.sample import Sample

WHOLE = (date(2000, 1, 1), date(2013, 12, 31))


@pytest.fixture(scope="module")
def answer():
    return Sample().fetch(base.Request(("AAPL", "FB", "GOOG", "IBM", "MSFT"), *WHOLE))


def actions(answer, symbol: str, action: str) -> list[tuple[date, float]]:
    rows = answer.corporate_actions.filter(symbol=symbol, action=action)
    return list(rows.select("ex_date", "value").iter_rows())


def test_frames_have_the_columns_of_the_tables(answer):
    assert answer.bars.schema == base.BARS
    assert answer.corporate_actions.schema == base.CORPORATE_ACTIONS
    assert answer.instruments.schema == base.INSTRUMENTS


@pytest.mark.parametrize(
    ("symbol", "bars", "first"),
    [
        ("AAPL", 3270, date(2000, 3, 1)),
        ("IBM", 3270, date(2000, 3, 1)),
        ("MSFT", 3270, date(2000, 3, 1)),
        ("GOOG", 2148, date(2004, 8, 19)),
        ("FB", 196, date(2012, 5, 18)),
    ],
)
def test_every_session_from_the_first_to_2013_03_01_is_there(answer, symbol, bars, first):
    rows = answer.bars.filter(symbol=symbol)
    assert (rows.height, rows["session"].min(), rows["session"].max()) == (bars, first, date(2013, 3, 1))


def test_prices_are_raw_and_stamped_with_the_close_of_the_session(answer):
    half_day = answer.bars.filter(symbol="AAPL", session=date(2012, 11, 23)).row(0, named=True)
    assert half_day["closes_at"].isoformat() == "2012-11-23T18:00:00+00:00"
    assert half_day["close"] == 571.5


@pytest.mark.parametrize(
    ("symbol", "splits"),
    [
        ("AAPL", [(date(2000, 6, 21), 2.0), (date(2005, 2, 28), 2.0)]),
        ("MSFT", [(date(2003, 2, 18), 2.0)]),
        ("IBM", []),
        ("GOOG", []),
        ("FB", []),
    ],
)
def test_splits(answer, symbol, splits):
    assert actions(answer, symbol, "split") == splits


def test_ibm_paid_52_dividends_of_whole_cents(answer):
    paid = actions(answer, "IBM", "cash_dividend")
    assert len(paid) == 52
    assert paid[0] == (date(2000, 5, 8), 0.13)
    assert paid[-1] == (date(2013, 2, 6), 0.85)
    assert all(round(cash, 2) == cash for _, cash in paid)


def test_apple_resumed_its_dividend_in_2012(answer):
    assert actions(answer, "AAPL", "cash_dividend") == [
        (date(2012, 8, 9), 2.65),
        (date(2012, 11, 7), 2.65),
        (date(2013, 2, 7), 2.65),
    ]


def test_microsoft_paid_three_dollars_beside_its_ordinary_dividend(answer):
    day = date(2004, 11, 15)
    assert actions(answer, "MSFT", "special_dividend") == [(day, 3.0)]
    assert (day, 0.08) in actions(answer, "MSFT", "cash_dividend")


def test_dividends_and_splits_rebuild_the_adjusted_series(answer):
    """The source divides by (close + dividend) / close of the ex date: every printed ratio comes back."""
    text = gzip.decompress((files("bokeh_sampledata") / "_data/stocks.csv.gz").read_bytes()).decode()
    worst = 0.0
    steps = {}
    for row in answer.corporate_actions.iter_rows(named=True):
        steps.setdefault((row["symbol"], str(row["ex_date"])), []).append((row["action"], row["value"]))
    for one, two in pairwise(csv.DictReader(text.splitlines())):
        if one["Ticker"] != two["Ticker"]:
            continue
        ratio = 1.0
        events = steps.get((two["Ticker"], two["Date"]), [])
        ratio *= 1 + sum(value for action, value in events if action != "split") / float(two["Close"])
        for action, value in events:
            ratio *= value if action == "split" else 1.0
        printed = [float(row["Adj Close"]) for row in (one, two)]
        got = printed[1] / float(two["Close"]) * float(one["Close"]) / printed[0]
        tolerance = sum(5.1e-7 / price for price in printed)
        worst = max(worst, abs(got / ratio - 1) - tolerance)
    assert worst <= 0


def test_only_actions_of_the_range_are_given():
    answer = Sample().fetch(base.Request(("AAPL",), date(2005, 1, 3), date(2005, 2, 25)))
    assert answer.corporate_actions.is_empty()
    assert answer.bars["session"].max() == date(2005, 2, 25)


@pytest.mark.parametrize(
    ("request_", "error", "words"),
    [
        (
            base.Request(("TSLA",), *WHOLE),
            base.UnknownSymbol,
            "sample: TSLA: not in the sample; it has AAPL, FB",
        ),
        (
            base.Request(("FB",), date(2001, 1, 1), date(2002, 1, 1)),
            base.NoData,
            "sample: FB: no bars in 2001-01-01 .. 2002-01-01; the sample has 2012-05-18 .. 2013-03-01",
        ),
        (base.Request(("FB",), *WHOLE, "1h"), base.Unsupported, "sample: no 1h bars; it serves 1d"),
    ],
)
def test_errors_name_provider_symbol_and_remedy(request_, error, words):
    with pytest.raises(error) as caught:
        Sample().fetch(request_)
    assert words in str(caught.value)


def test_a_request_must_make_sense():
    with pytest.raises(ValueError, match="the last session 2000-01-01 lies before the first 2001-01-01"):
        base.Request(("AAPL",), date(2001, 1, 1), date(2000, 1, 1))
    with pytest.raises(ValueError, match="no symbols"):
        base.Request((), *WHOLE)


def test_instruments_begin_with_their_first_bar(answer):
    first = dict(answer.bars.group_by("symbol").agg(pl.col("session").min()).iter_rows())
    assert dict(answer.instruments.select("symbol", "valid_from").iter_rows()) == first
