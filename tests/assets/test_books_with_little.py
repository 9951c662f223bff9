"""Books that hardly trade, or whose prices stop, still walk on and report."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import delta
from assets import reports
from assets.inputs import MARKET_READS, MissingDataError
from delta import pin
from delta.contracts import TABLES
from resources.providers.base import Request
from resources.providers.sample import Sample
from trading.book import BookConfig
from trading.reporting import BacktestReport, DailyReport, to_html, to_json, to_text

from .walks import Market, backfill, book, days_of, hashes, market, rows, schedule

HOLD: dict[str, Any] = {
    "strategies": {"buy_and_hold": {"params": {"exposure": 0.9}}},
    "sizing": {"mode": "target_weight", "max_position": 1.0},
    "risk": {"max_portfolio_exposure": 1.0, "max_sector_exposure": 1.0, "regime": False},
}


def reported(made: Market, config: BookConfig) -> str:
    """All reports of a book, after a look whether every table keeps its contract."""
    lake, name = made.lake, config.name
    for table in TABLES.values():
        assert not delta.violations(table, delta.read(lake, table).collect()), table.name
    sessions = rows(lake, "portfolio", name)["session"].sort().to_list()
    pins = pin(lake, [*reports.READS, *MARKET_READS])
    made_of: list[DailyReport | BacktestReport] = [
        reports.backtest(pins, config, sessions[0], sessions[-1]),
        *(reports.daily(pins, config, day) for day in {sessions[0], sessions[-1]}),
    ]
    texts = [to_text(each) for each in made_of]
    assert all(to_html(each) and to_json(each) for each in made_of)
    assert not any("nan" in text.lower().split() for text in texts)
    assert not rows(lake, "risk", name).is_empty()
    assert not delta.read(lake, "performance", where=pl.col("book") == name).collect().is_empty()
    return "\n".join(texts)


def test_a_book_that_never_trades(sample_copy: Market) -> None:
    config = book(
        "idle",
        date(2005, 1, 3),
        date(2005, 6, 30),
        universe={"symbols": ("AAPL", "IBM")},
        strategies={"momentum": {"params": {"scanner": {"momentum_threshold": 100}}}},
    )
    backfill(sample_copy.lake, config, config.start, date(2005, 6, 30))
    assert rows(sample_copy.lake, "orders", "idle").is_empty()
    assert set(rows(sample_copy.lake, "portfolio", "idle")["equity"]) == {100_000.0}
    reported(sample_copy, config)


@pytest.mark.parametrize("strategy", ["buy_and_hold", "turtle"])
def test_a_book_of_one_session(sample_copy: Market, strategy: str) -> None:
    day = date(2005, 1, 3)
    config = book("once", day, day, universe={"symbols": ("AAPL",)}, strategies={strategy: {}})
    backfill(sample_copy.lake, config, day, day)
    assert rows(sample_copy.lake, "portfolio", "once").height == 1
    reported(sample_copy, config)


def test_a_book_that_is_in_cash_again(sample_copy: Market) -> None:
    config = book(
        "out",
        date(2005, 1, 3),
        date(2005, 12, 30),
        universe={"symbols": ("AAPL",)},
        strategies={"turtle": {}},
    )
    backfill(sample_copy.lake, config, date(2005, 1, 1), date(2005, 12, 31))
    assert rows(sample_copy.lake, "trades", "out").height > 0
    reported(sample_copy, config)


GAP = days_of(date(2005, 2, 7), date(2005, 2, 18))
"""Sessions without a bar of any symbol."""


@pytest.fixture(scope="module")
def with_gap(tmp_path_factory: pytest.TempPathFactory) -> tuple[Market, BookConfig]:
    """A market of two symbols in which ten sessions of both are missing."""
    root = tmp_path_factory.mktemp("gap")
    (root / "prices").mkdir()
    config = book("gap", date(2005, 1, 3), date(2005, 2, 25), universe={"symbols": ("IBM", "MSFT")}, **HOLD)
    for symbol in config.universe.symbols:
        bars = Sample().fetch(Request((symbol,), date(2003, 11, 3), date(2005, 2, 25))).bars
        kept = bars.filter(~pl.col("session").is_in(GAP))
        kept.select("session", "open", "high", "low", "close", "volume").write_csv(
            root / "prices" / f"{symbol}.csv"
        )
    made = market(root, "files", folder=str(root / "prices"))
    made.ingest(config)
    return made, config


def test_a_book_without_any_bar_for_a_while(with_gap: tuple[Market, BookConfig], tmp_path: Path) -> None:
    made, config = with_gap
    copies = [made.copy(tmp_path / name) for name in ("a", "b")]
    backfill(copies[0].lake, config, config.start, date(2005, 2, 25))
    backfill(copies[1].lake, config, config.start, date(2005, 2, 4))
    schedule(copies[1].lake, config, days_of(date(2005, 2, 7), date(2005, 2, 25)))
    assert hashes(copies[0].lake, "gap") == hashes(copies[1].lake, "gap")
    held = rows(copies[0].lake, "positions", "gap")
    assert held.filter(pl.col("session").is_in(GAP))["stale"].all()
    assert not held.filter(~pl.col("session").is_in(GAP))["stale"].any()
    equity = rows(copies[0].lake, "portfolio", "gap").filter(pl.col("session").is_in(GAP))["equity"]
    assert equity.n_unique() == 1
    reported(copies[0], config)


def test_bars_that_have_not_come_yet_are_waited_for(
    with_gap: tuple[Market, BookConfig], tmp_path: Path
) -> None:
    made, config = with_gap
    lake = made.copy(tmp_path).lake
    longer = config.model_copy(update={"end": date(2005, 3, 31)})
    with pytest.raises(
        MissingDataError, match="bars of its universe are of 2005-02-25, session 2005-02-28 has none"
    ):
        schedule(lake, longer, [date(2005, 2, 28)])
    assert rows(lake, "portfolio", "gap").is_empty()


def lean_book(name: str, first: date, last: date, *symbols: str, **changes: Any) -> BookConfig:
    return book(name, first, last, universe={"symbols": symbols}, **(HOLD | changes))


def delisted(made: Market, config: BookConfig, symbol: str) -> dict[str, Any]:
    """The fill by which a symbol left a book."""
    leaving = pl.col("purpose") == "delisting"
    (fill,) = rows(made.lake, "fills", config.name).filter(leaving, pl.col("symbol") == symbol).to_dicts()
    return fill


def test_a_name_until_it_was_delisted(shared_data: Path, tmp_path: Path) -> None:
    """AAA.1 paid 47.06 a share on its last days and traded until 2007-05-18."""
    made = market(tmp_path, "lean", folder=str(shared_data / "lean"))
    config = lean_book("gone", date(2007, 5, 1), date(2007, 6, 29), "AAA.1")
    made.ingest(config)
    backfill(made.lake, config, config.start, date(2007, 6, 29))
    last = delta.read(made.lake, "bars", where=pl.col("session") == date(2007, 5, 18)).collect()["close"][0]
    fill = delisted(made, config, "AAA.1")
    assert (fill["session"], fill["price"]) == (date(2007, 5, 21), last)
    portfolio = rows(made.lake, "portfolio", "gone")
    assert portfolio["session"][-1] == date(2007, 6, 29)
    assert portfolio["position_count"][-1] == 0
    assert portfolio["dividends"][-1] == pytest.approx(47.0566 * fill["quantity"], abs=0.01)
    assert rows(made.lake, "trades", "gone")["exit_reason"].to_list() == ["delisting"]
    reported(made, config)


def test_a_name_that_was_renamed_is_held_on(shared_data: Path, tmp_path: Path) -> None:
    """WMI became WM on 2009-08-05."""
    made = market(tmp_path, "lean", folder=str(shared_data / "lean"))
    config = lean_book("waste", date(2009, 7, 1), date(2009, 9, 30), "WM")
    made.ingest(config)
    backfill(made.lake, config, config.start, date(2009, 9, 30))
    held = rows(made.lake, "positions", "waste")
    assert held["session"].to_list() == days_of(date(2009, 7, 2), date(2009, 9, 30))
    assert held["quantity"].n_unique() == 1
    assert not held["stale"].any()
    reported(made, config)


TICKERS = {
    # An older company's symbol, the younger one's, and a range in which only one of them trades.
    "Facebook's": ("FB", "FB.1", date(2012, 5, 1), date(2012, 7, 31), {"FB"}),
    "the older company's": ("FB", "FB.1", date(2003, 3, 3), date(2003, 5, 30), {"FB.1"}),
    "oil before the fund": ("USO", "BNO", date(2010, 5, 3), date(2010, 7, 30), {"USO", "BNO"}),
}


@pytest.mark.parametrize("case", TICKERS)
def test_a_ticker_that_two_companies_used(case: str, shared_data: Path, tmp_path: Path) -> None:
    one, other, first, last, traded = TICKERS[case]
    made = market(tmp_path, "lean", folder=str(shared_data / "lean"))
    config = lean_book("tickers", first, last, one, other, strategies={"turtle": {}}, sizing={})
    whole = config.model_copy(update={"start": date(2000, 1, 3), "end": date(2013, 12, 31)})
    made.ingest(whole)
    backfill(made.lake, config, first, last)
    asked = pl.col("session").is_between(first, last)
    bars = delta.read(made.lake, "bars", where=asked).collect()
    assert set(bars["symbol"]) == traded
    assert set(rows(made.lake, "orders", "tickers")["symbol"]) <= traded
    reported(made, config)
