"""What corporate actions do to a book that holds the name: real prices, the stage functions of the desk."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest

from assets.observations import Observing, record_actions
from delta import read
from delta.contracts import Bars, CorporateActions, Fills, Portfolio, Positions
from tests.assets.walks import NOW, backfill, book, market


def holding(symbol: str, start: date, end: date, **changes):
    """A book that buys one name with most of its money and keeps it."""
    return book(
        "hold",
        start,
        end,
        mode="backtest",
        universe={"symbols": [symbol]},
        strategies={"hold": {"key": "buy_and_hold", "params": {"exposure": 0.9}}},
        sizing={"mode": "target_weight", "max_position": 1.0},
        risk={"max_portfolio_exposure": 1.0, "max_sector_exposure": 1.0, "regime": False},
        **changes,
    )


def test_a_spin_off_is_held_valued_and_not_traded(tmp_path):
    made = market(tmp_path)
    start, end, day = date(2012, 6, 1), date(2012, 8, 31), date(2012, 7, 2)
    config = holding("IBM", start, end)
    made.ingest(config, holding("MSFT", start, end))
    told = pl.DataFrame(
        {"symbol": "IBM", "ex_date": [day], "action": "spin_off", "value": 0.5, "new_symbol": "MSFT"}
    )
    desk = Observing(made.lake, made.config, NOW + timedelta(hours=1), "told")
    assert record_actions(desk, told).problems() == []
    backfill(made.lake, config, start, end)
    held = read(made.lake, Positions).collect().sort("session", "symbol")
    before, after = held.filter(pl.col("session") < day), held.filter(pl.col("session") >= day)
    assert set(before["symbol"]) == {"IBM"}
    shares = before["quantity"][-1]
    assert after.filter(symbol="MSFT")["quantity"].unique().to_list() == [int(shares * 0.5)]
    close = read(made.lake, Bars).filter(symbol="MSFT").select("session", "close").collect()
    marks = after.filter(symbol="MSFT").join(close, on="session")
    assert marks.height == after["session"].n_unique()
    assert (marks["price"] == marks["close"]).all()
    assert not marks["stale"].any()
    # Nothing but the first purchase was ordered, and the cost of the holding was split, not made up.
    assert read(made.lake, Fills).filter(pl.col("order_ref") != "").collect()["symbol"].to_list() == ["IBM"]
    cost = {day: rows["cost_basis"].sum() for (day,), rows in held.group_by("session")}
    sessions = sorted(cost)
    assert all(cost[b] == pytest.approx(cost[a], abs=200) for a, b in pairwise(sessions))


def test_a_delisted_name_is_held_until_its_last_session_and_then_cash(tmp_path, shared_data):
    made = market(tmp_path, "lean", folder=str(shared_data / "lean"))
    start, end = date(2007, 2, 1), date(2007, 6, 29)
    config = holding("AAA.1", start, end)
    made.ingest(config, holding("SPY", start, end))
    gone = (
        read(made.lake, CorporateActions)
        .filter(symbol="AAA.1", action="delisting")
        .collect()["ex_date"]
        .item()
    )
    backfill(made.lake, config, start, end)
    held = read(made.lake, Positions).collect()
    assert held["session"].max() < gone
    assert (gone - held["session"].max()).days <= 4
    fills = read(made.lake, Fills).collect().sort("session")
    assert fills["purpose"].to_list()[-1] == "delisting"
    assert fills["session"][-1] == gone
    money = read(made.lake, Portfolio).collect().sort("session")
    assert money["session"][-1] == end
    assert (money.filter(pl.col("session") >= gone)["positions_value"] == 0).all()


def test_what_was_known_then_decides_the_series(tmp_path):
    """A split told late changes the series asked for with today's knowledge, not the one known before."""
    from assets.series import adjusted_series

    made = market(tmp_path)
    config = holding("IBM", date(2012, 6, 1), date(2012, 8, 31))
    made.ingest(config)
    told = pl.DataFrame({"symbol": "IBM", "ex_date": [date(2012, 7, 2)], "action": "split", "value": 2.0})
    later = NOW + timedelta(days=10)
    record_actions(Observing(made.lake, made.config, later, "told"), told)
    day = date(2012, 7, 31)

    def first(known: datetime | None) -> float:
        _, series = adjusted_series(made.lake, "IBM", day, kind="split", known=known)
        return float(series["factor"][0])

    assert first(None) == 0.5
    assert first(later) == 0.5
    assert first(later - timedelta(hours=1)) == 1.0
    _, before = adjusted_series(made.lake, "IBM", date(2012, 6, 29), kind="split")
    assert before["factor"].unique().to_list() == [1.0]
