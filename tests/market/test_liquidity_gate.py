"""The order book at the close stands between a signal and its order: real prices, the stage functions."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl
import pytest

from assets.replay import replay
from delta import Lake, Provenance, read, write
from delta.contracts import Depth, Orders
from resources.calendar import session_close
from tests.assets.walks import NOW, Market, backfill, book, market
from trading.book import BookConfig
from trading.gates import as_mapping

START, END = date(2012, 6, 1), date(2012, 6, 29)
PRICE = 189.08  # IBM's close of the first session


def holding(name: str, **limits: object) -> BookConfig:
    """A book that buys IBM on the first session, as far as the order book lets it."""
    return book(
        name,
        START,
        END,
        mode="backtest",
        universe={"symbols": ["IBM"]},
        strategies={"hold": {"key": "buy_and_hold", "params": {"exposure": 0.5}}},
        sizing={"mode": "target_weight", "max_position": 1.0},
        risk={
            "max_portfolio_exposure": 1.0,
            "max_sector_exposure": 1.0,
            "regime": False,
            "liquidity": {"enabled": True, **limits},
        },
    )


def snapshot(lake: Lake, at: datetime, *, spread: float = 0.0002, size: float = 1000.0) -> None:
    """Five levels on each side around the close."""
    rows = [
        ("IBM", at.date(), at, side, level, PRICE * (1 + sign * spread * (0.5 + level)), size, "test", NOW)
        for side, sign in (("bid", -1), ("ask", 1))
        for level in range(5)
    ]
    frame = pl.DataFrame(rows, schema=Depth.schema(), orient="row")
    write(lake, Depth, frame, None, Provenance("depth", "test", "1"))


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Market:
    made = market(tmp_path_factory.mktemp("liquidity"))
    made.ingest(holding("any"))
    return made


def first_entry(lake: Lake, name: str) -> tuple[str, dict[str, dict[str, object]]]:
    orders = read(lake, Orders).filter(book=name, session=START, purpose="entry").collect()
    return orders["status"].item(), as_mapping(orders["gates"].item())


CLOSE = session_close("XNYS", START)


@pytest.mark.parametrize(
    ("at", "spread", "size", "limits", "status", "failing"),
    [
        (CLOSE - timedelta(minutes=1), 0.0002, 1000.0, {}, "approved", []),
        (CLOSE - timedelta(minutes=1), 0.02, 1000.0, {}, "rejected", ["spread", "impact"]),
        (CLOSE - timedelta(minutes=1), 0.0002, 1000.0, {"min_depth": 1e7}, "rejected", ["depth"]),
        (CLOSE - timedelta(minutes=1), 0.0002, 1.0, {}, "rejected", ["impact"]),
        (CLOSE - timedelta(minutes=16), 0.02, 1000.0, {}, "approved", []),
        (CLOSE - timedelta(minutes=16), 0.0002, 1000.0, {"missing": "refuse"}, "rejected", ["liquidity"]),
        (CLOSE + timedelta(seconds=1), 0.0002, 1000.0, {"missing": "refuse"}, "rejected", ["liquidity"]),
    ],
    ids=["liquid", "wide", "shallow", "thin", "stale passes", "stale refused", "from the future"],
)
def test_an_entry_meets_the_order_book_before_it_is_approved(
    stocked: Market,
    tmp_path,
    at: datetime,
    spread: float,
    size: float,
    limits: dict[str, object],
    status: str,
    failing: list[str],
) -> None:
    lake = stocked.copy(tmp_path).lake
    snapshot(lake, at, spread=spread, size=size)
    config = holding("one", **limits)
    backfill(lake, config, START, END)
    found, gates = first_entry(lake, "one")
    assert (found, [name for name, gate in gates.items() if not gate["passed"]]) == (status, failing)
    again = replay(lake, "one", START)
    assert again.identical, again.differences


def test_a_book_that_does_not_look_reads_no_order_book(stocked: Market, tmp_path) -> None:
    lake = stocked.copy(tmp_path).lake
    snapshot(lake, CLOSE - timedelta(minutes=1), spread=0.02)
    config = holding("blind", enabled=False)
    backfill(lake, config, START, END)
    status, gates = first_entry(lake, "blind")
    assert status == "approved"
    assert not {"spread", "depth", "impact", "liquidity"} & gates.keys()
    assert "depth" not in replay(lake, "blind", START).decision.reads


def test_the_newest_version_of_a_snapshot_counts(stocked: Market, tmp_path) -> None:
    lake = stocked.copy(tmp_path).lake
    at = CLOSE - timedelta(minutes=1)
    snapshot(lake, at, spread=0.02)
    rows = read(lake, Depth).collect().with_columns(pl.col("known_at") + timedelta(hours=1))
    right = rows.with_columns(
        price=PRICE
        * (1 + pl.when(pl.col("side") == "ask").then(1).otherwise(-1) * 0.0001 * (1 + pl.col("level")))
    )
    write(lake, Depth, right, None, Provenance("depth", "test", "1"))
    backfill(lake, holding("one"), START, END)
    assert first_entry(lake, "one")[0] == "approved"
