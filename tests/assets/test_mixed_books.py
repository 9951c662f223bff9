"""Stocks, crypto and foreign exchange in one book over real prices, each on its own sessions."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import delta
from assets.inputs import MARKET_READS, MissingDataError, RefusedError, read_market
from assets.paper import at_gateway
from assets.replay import replay
from assets.research import research
from assets.validation.gateway import traded_book
from delta.contracts import Bars, Instruments
from trading.book import BookConfig

from .walks import NOW, Market, backfill, book, changed, days_of, hashes, market, rows, schedule

FREE: dict[str, Any] = {"max_correlated": 100, "max_positions": 20, "regime": False}
MIXED = book(
    "mixed",
    date(2017, 6, 1),
    date(2017, 9, 30),
    calendar="24/7",
    capital=1_000_000.0,
    conversion={"GBP": "GBPUSD"},
    universe={
        "symbols": ("AAPL", "SPY", "BTCUSD", "EURUSD", "EURGBP"),
        "classes": {"BTCUSD": "crypto", "EURUSD": "fx", "EURGBP": "fx"},
    },
    strategies={"turtle": {}},
    risk=FREE | {"max_portfolio_exposure": 2.0, "max_sector_exposure": 2.0},
)
"""EURGBP is priced in pounds; AAPL and SPY pay dividends; Independence and Labor Day close New York only."""


@pytest.fixture(scope="module")
def mixed_market(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Market:
    made = market(tmp_path_factory.mktemp("mixed"), "lean", folder=str(shared_data / "lean"))
    made.ingest(MIXED)
    return made


@pytest.fixture(scope="module")
def walked(mixed_market: Market, tmp_path_factory: pytest.TempPathFactory) -> Market:
    """The whole summer in one backfill."""
    made = mixed_market.copy(tmp_path_factory.mktemp("walked"))
    backfill(made.lake, MIXED, MIXED.start, date(2017, 9, 30))
    return made


def test_each_class_comes_with_its_own_calendar_and_currency(mixed_market: Market) -> None:
    told = delta.read(mixed_market.lake, Instruments).collect()
    described = {row["symbol"]: (row["calendar"], row["currency"]) for row in told.iter_rows(named=True)}
    assert described == {
        "AAPL": ("XNYS", "USD"),
        "SPY": ("XNYS", "USD"),
        "BTCUSD": ("24/7", "USD"),
        "EURUSD": ("24/5", "USD"),
        "EURGBP": ("24/5", "GBP"),
        "GBPUSD": ("24/5", "USD"),
    }
    last = delta.read(mixed_market.lake, Bars).group_by("symbol").agg(pl.col("session").max()).collect()
    newest = dict(last.iter_rows())
    assert newest["BTCUSD"] == date(2017, 9, 30), "a Saturday"
    assert newest["SPY"] == newest["EURGBP"] == date(2017, 9, 29), "the Friday before"


def test_every_day_is_decided_and_every_class_trades_on_its_own_sessions(walked: Market) -> None:
    portfolio = rows(walked.lake, "portfolio", "mixed")
    assert portfolio["session"].to_list() == days_of(MIXED.start, date(2017, 9, 30), "24/7")
    fills = rows(walked.lake, "fills", "mixed")
    assert set(fills["symbol"]) == set(MIXED.universe.symbols)
    weekend = fills.filter(pl.col("session").dt.weekday() > 5)
    assert set(weekend["symbol"]) == {"BTCUSD"}
    exchange = set(days_of(MIXED.start, date(2017, 9, 30)))
    stocks = fills.filter(pl.col("symbol").is_in(["AAPL", "SPY"]))
    assert set(stocks["session"]) <= exchange
    assert date(2017, 7, 4) in portfolio["session"].to_list()
    assert date(2017, 7, 4) not in exchange


def test_pounds_are_converted_at_the_close_before(walked: Market) -> None:
    lake = walked.lake
    rates = (
        delta.read(lake, Bars, where=pl.col("symbol") == "GBPUSD").select("closes_at", "close").collect()
    ).sort("closes_at")
    fills = rows(lake, "fills", "mixed").filter(symbol="EURGBP").sort("executed_at")
    known = fills.join_asof(rates, left_on="executed_at", right_on="closes_at")
    assert fills.height > 1
    assert fills["rate"].to_list() == known["close"].to_list()
    assert set(fills["price_currency"]) == {"GBP"}
    others = rows(lake, "fills", "mixed").filter(pl.col("symbol") != "EURGBP")
    assert set(others["rate"]) == {1.0}


def test_money_adds_up_on_every_day(walked: Market) -> None:
    held = rows(walked.lake, "positions", "mixed")
    values = held.group_by("session").agg(value=pl.col("market_value").sum())
    portfolio = rows(walked.lake, "portfolio", "mixed").join(values, on="session", how="left")
    cents = portfolio.select(
        value=(pl.col("positions_value") - pl.col("value").fill_null(0.0)).abs().max(),
        equity=(pl.col("cash") + pl.col("positions_value") + pl.col("receivables") - pl.col("equity"))
        .abs()
        .max(),
    )
    assert max(cents.row(0)) < 0.005
    priced = held.filter(symbol="EURGBP")
    expected = (priced["quantity"] * priced["price"] * priced["rate"]).round(2)
    assert (expected - priced["market_value"]).abs().max() < 0.011
    assert portfolio["dividends"].max() > 0.0


def test_two_weeks_one_by_one_equal_the_backfill(
    walked: Market, mixed_market: Market, tmp_path: Path
) -> None:
    first, last = date(2017, 6, 29), date(2017, 7, 12)
    made = mixed_market.copy(tmp_path)
    backfill(made.lake, MIXED, MIXED.start, first - timedelta(days=1))
    schedule(made.lake, MIXED, days_of(first, last, "24/7"))
    assert hashes(made.lake, "mixed", first, last) == hashes(walked.lake, "mixed", first, last)
    assert replay(made.lake, "mixed", date(2017, 7, 8)).identical, "a Saturday"


def test_a_rate_corrected_later_changes_no_past_decision(mixed_market: Market, tmp_path: Path) -> None:
    lake = mixed_market.copy(tmp_path).lake
    config = changed(MIXED, name="short", universe={"symbols": ("EURGBP",), "classes": {"EURGBP": "fx"}})
    backfill(lake, config, config.start, config.end)  # type: ignore[arg-type]
    before = rows(lake, "portfolio", "short")["equity"].to_list()
    held = rows(lake, "positions", "short")["session"]
    middle = held[held.len() // 2]
    later = (pl.col("symbol") == "GBPUSD") & (pl.col("session") >= middle - timedelta(days=3))
    wrong = delta.read(lake, Bars, where=later).collect()
    corrected = wrong.with_columns(
        pl.col("open", "high", "low", "close") * 1.05,
        known_at=pl.lit(NOW + timedelta(days=1), Bars.schema()["known_at"]),
    )
    delta.write(lake, Bars, corrected, None, delta.Provenance("correction", "test", "test"))
    assert replay(lake, "short", middle).identical
    backfill(lake, changed(config, name="again"), config.start, config.end)  # type: ignore[arg-type]
    assert rows(lake, "portfolio", "again")["equity"].to_list() != before


def refusal(made: Market, config: BookConfig, last: date = date(2017, 7, 31)) -> str:
    with pytest.raises((RefusedError, MissingDataError)) as refused:
        backfill(made.lake, config, config.start, last)
    return str(refused.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"calendar": "XNYS"},
            "on which BTCUSD trades, does not lie within one of XNYS; choose a calendar that contains it",
        ),
        ({"calendar": "24/5"}, "of 24/7, on which BTCUSD trades, does not lie within one of 24/5"),
        ({"conversion": {}}, "EURGBP is priced in GBP, the book is kept in USD; say how to convert"),
        (
            {"conversion": {"GBP": "EURGBP"}},
            "conversion.GBP = 'EURGBP', priced in GBP, is no pair of GBP and USD",
        ),
        ({"conversion": {"GBP": "GBPCHF"}}, "conversion.GBP = 'GBPCHF': no bar of the 7 days before"),
    ],
    ids=["exchange", "weekdays", "no rate", "a pair of other currencies", "a pair without bars"],
)
def test_what_cannot_be_decided_honestly_is_refused(
    changes: dict[str, Any], said: str, mixed_market: Market, tmp_path: Path
) -> None:
    made = mixed_market.copy(tmp_path)
    message = refusal(made, changed(MIXED, name="refused", **changes))
    assert said in message
    assert rows(made.lake, "portfolio", "refused").is_empty()


def test_a_gateway_is_refused() -> None:
    for placed in (at_gateway, lambda config: traded_book(config, date(2017, 7, 3), date(2017, 7, 31))):
        with pytest.raises(RefusedError, match="book mixed converts GBP: a gateway keeps a balance in each"):
            placed(MIXED)


def test_missing_bars_of_one_calendar_are_not_hidden_by_those_of_another(
    shared_data: Path, tmp_path: Path
) -> None:
    made = market(tmp_path, "lean", folder=str(shared_data / "lean"))
    made.ingest(MIXED, now=datetime(2017, 7, 13, 12, tzinfo=UTC))
    crypto = changed(
        MIXED,
        universe={"symbols": ("BTCUSD",), "asset_classes": ("crypto",)},
        conversion={},
        end=date(2017, 7, 15),
    )
    made.ingest(crypto, now=datetime(2017, 7, 16, 12, tzinfo=UTC))
    research(made.lake, MIXED, MIXED.start, date(2017, 7, 12), "before")
    with pytest.raises(
        MissingDataError, match=r"1d bars of \w.* are of 2017-07-12, session 2017-07-14 has none"
    ):
        research(made.lake, MIXED, MIXED.start, date(2017, 7, 15), "stale")


def test_a_book_reads_only_sessions_that_lie_within_its_own(mixed_market: Market) -> None:
    """Where the book's session contains those of all instruments, no bar closes after the decision."""
    found = read_market(delta.pin(mixed_market.lake, MARKET_READS), MIXED, date(2017, 7, 31))
    assert set(found.calendars) == {"XNYS", "24/5"}
    closes = delta.read(mixed_market.lake, Bars, columns=["session", "closes_at"]).collect()
    ends = pl.DataFrame({"session": days_of(date(2016, 1, 1), date(2017, 9, 30), "24/7")}).with_columns(
        ends_at=(pl.col("session") + pl.duration(days=1)).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    )
    assert closes.join(ends, on="session").filter(pl.col("closes_at") > pl.col("ends_at")).is_empty()
