"""The same sessions by backfill and over sockets through a gateway's process: every row is the same.

Real prices with splits, dividends and a special one; the figures asserted beside the equality show that
the sessions had them in them.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from assets.validation import COMPARED, EXCLUDED, Validation, traded_book, validate, validate_in_lakes
from assets.validation.gateway import gateway_settings
from assets.validation.validate import backfill_frames, last_sessions
from tests.assets.conftest import LEAN
from tests.assets.walks import DEMO, EAGER, Market, changed, days_of
from trading.book import BookConfig, CommissionConfig, CostConfig, CostsConfig

YEAR = days_of(date(2004, 11, 1), date(2005, 12, 30))
"""MSFT pays 3.08 on 2004-11-15, AAPL splits 2:1 on 2005-02-28, IBM and MSFT pay every quarter."""
BUSY = {
    "strategies": {"momentum": {"params": EAGER}},
    "sizing": {"max_position": 0.2},
    "risk": {"regime": False, "max_portfolio_exposure": 1.0, "max_sector_exposure": 1.0},
}
"""Momentum rules that trade often and hold most of the time."""
IN_PARTS = {
    "stock": {
        "slippage": {"model": "volume_share", "value": 0.1, "volume_limit": 0.025},
        "commission": {"model": "ib_tiered"},
        "participation": 3e-6,
    }
}
"""Costs under which orders fill over several sessions."""


def equal(found: Validation) -> None:
    assert found.equal, found.differences
    assert set(found.rows) == {*(table.name for table in COMPARED), "order_states", "account"}


@pytest.fixture(scope="module")
def busy(sample: Market) -> tuple[BookConfig, dict[str, pl.DataFrame]]:
    """A book that trades all year, and its backfill."""
    book = changed(DEMO, **BUSY)
    return book, backfill_frames(sample.lake, book, YEAR)


@pytest.mark.slow
def test_a_year_with_a_split_and_dividends_held(
    sample: Market, busy: tuple[BookConfig, dict[str, pl.DataFrame]]
) -> None:
    book, frames = busy
    equal(validate(sample.lake, book, YEAR))
    assert len(YEAR) >= 250
    assert frames["fills"].height > 40
    assert set(frames["fills"]["purpose"]) > {"entry", "exit", "stop_loss"}
    assert frames["portfolio"]["dividends"].max() > 0
    held = frames["positions"].filter(pl.col("symbol") == "AAPL").sort("session")
    before = held.filter(pl.col("session") == date(2005, 2, 25))["quantity"].to_list()
    after = held.filter(pl.col("session") == date(2005, 2, 28))["quantity"].to_list()
    assert before != []
    assert after == [2 * before[0]]


def test_the_demonstration_book_as_it_is_shipped(sample: Market) -> None:
    found = validate(sample.lake, DEMO, YEAR[:60])
    equal(found)
    assert found.rows["fills"] > 0
    assert found.sessions == 60


def test_orders_that_fill_in_parts_with_commissions(sample: Market) -> None:
    book = changed(DEMO, **BUSY, costs=IN_PARTS)
    days = YEAR[:80]
    fills = backfill_frames(sample.lake, book, days)["fills"]
    assert fills["order_ref"].is_duplicated().any()
    assert fills["commission"].min() > 0
    equal(validate(sample.lake, book, days))


@pytest.mark.slow
def test_two_splits_a_new_listing_and_a_regime(lean: Market) -> None:
    days = days_of(date(2014, 2, 3), date(2014, 6, 30))
    frames = backfill_frames(lean.lake, LEAN, days)
    split = pl.col("session").is_in([date(2014, 4, 3), date(2014, 6, 9)])
    held = frames["positions"].filter(split & (pl.col("opened") < pl.col("session")))
    assert {"AAPL", "GOOGL"} & set(held["symbol"])
    assert frames["portfolio"]["dividends"].max() > 0
    equal(validate(lean.lake, LEAN, days))


def test_with_every_table_written_by_the_stages(sample: Market, tmp_path: Path) -> None:
    book, days = changed(DEMO, **BUSY), days_of(date(2005, 2, 18), date(2005, 3, 8))
    found = validate_in_lakes(sample.lake, sample.config, book, days, tmp_path)
    assert found.equal, found.differences
    assert found.rows["fills"] > 0


@pytest.mark.parametrize(
    ("costs", "causes"),
    [
        pytest.param(
            CostsConfig(stock=CostConfig(commission=CommissionConfig(model="ib_fixed"))),
            {"commission"},
            id="other commissions",
        ),
        pytest.param(
            CostsConfig.model_validate({"stock": {"slippage": {"value": 0.0}}}),
            {"slippage"},
            id="no slippage",
        ),
        pytest.param(
            CostsConfig.model_validate({"stock": {"participation": 1e-9}}),
            {"missing execution"},
            id="no volume",
        ),
    ],
)
def test_a_gateway_of_other_costs_is_found_out(sample: Market, costs: CostsConfig, causes: set[str]) -> None:
    days = days_of(date(2004, 11, 1), date(2004, 11, 16))
    trial = traded_book(DEMO, days[0], days[-1])
    other = gateway_settings(trial.model_copy(update={"costs": costs}), sample.lake, days[0])
    found = validate(sample.lake, DEMO, days, settings=other)
    assert not found.equal
    first = found.differences.filter(pl.col("table") == "fills")
    assert causes <= {cause.split(":")[0] for cause in first["cause"]}, found.differences


def test_what_is_left_out_belongs_to_the_broker() -> None:
    assert EXCLUDED == {
        "fills": ("execution_id", "executed_at"),
        "trades": ("trade_id",),
        "portfolio": ("state",),
    }


def test_the_last_sessions_of_a_book() -> None:
    def days(count: int, last: date, **fields: Any) -> list[date]:
        return last_sessions(changed(DEMO, **fields), count, last)

    assert days(3, date(2005, 1, 4)) == [date(2004, 12, 31), date(2005, 1, 3), date(2005, 1, 4)]
    assert days(2, date(2030, 1, 1), end=date(2005, 1, 1)) == [date(2004, 12, 30), date(2004, 12, 31)]
    assert len(days(100, date(2000, 3, 10))) == 8
