"""What corporate actions do to a book that holds the name: real prices, the stage functions of the desk."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest

from assets.actions import ActionError, correct_action, record_actions
from assets.observations import Observing
from delta import read
from delta.contracts import Bars, CorporateActions, Fills, Instruments, Portfolio, Positions
from tests.assets.walks import NOW, backfill, book, market
from trading.corporate_actions import standing
from trading.history import newest


def holding(symbol: str, start: date, end: date, **changes):
    """A book that buys one name with most of its money and keeps it."""
    return book(
        changes.pop("name", "hold"),
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


def test_a_split_that_never_was_is_withdrawn_replays_as_decided_and_a_fresh_book_is_right(tmp_path):
    """IBM did not split in 2012: the old book keeps what it decided, a fresh one is as if it had never been told."""
    from assets.replay import replay

    made = market(tmp_path)
    start, end, day = date(2012, 6, 1), date(2012, 7, 31), date(2012, 7, 2)
    plain, wrong, right = (
        holding("IBM", start, end, **named) for named in ({}, {"name": "wrong"}, {"name": "right"})
    )
    made.ingest(plain)
    backfill(made.lake, plain, start, end)
    phantom = pl.DataFrame({"symbol": "IBM", "ex_date": [day], "action": "split", "value": 2.0})
    told = NOW + timedelta(hours=1)
    record_actions(Observing(made.lake, made.config, told, "told"), phantom)
    backfill(made.lake, wrong, start, end)
    held = read(made.lake, Positions).collect().sort("session")
    quantities = {
        name: held.filter(book=name)["quantity"].unique(maintain_order=True).to_list()
        for name in ("hold", "wrong")
    }
    assert quantities["wrong"] == [quantities["hold"][0], 2 * quantities["hold"][0]]
    later = told + timedelta(hours=1)
    desk = Observing(made.lake, made.config, later, "mended")
    assert correct_action(desk, "IBM", day, "split", reason="no such split").problems() == []
    backfill(made.lake, right, start, end)
    columns = ["session", "cash", "positions_value", "equity"]
    money = read(made.lake, Portfolio).collect().sort("session")
    assert money.filter(book="right").select(columns).equals(money.filter(book="hold").select(columns))
    assert not money.filter(book="wrong").select(columns).equals(money.filter(book="hold").select(columns))
    for session in (day, date(2012, 7, 20)):
        again = replay(made.lake, "wrong", session)
        assert again.identical, again.differences
    assert factor(made, date(2012, 7, 31), None) == 1.0
    assert factor(made, date(2012, 7, 31), told) == 0.5


def factor(made, day: date, known: datetime | None) -> float:
    from assets.series import adjusted_series

    _, series = adjusted_series(made.lake, "IBM", day, kind="split", known=known)
    return float(series["factor"][0])


@pytest.mark.parametrize(
    ("figures", "split_days", "ratio"),
    [
        ({"value": 4.0}, [date(2012, 7, 2)], 4.0),
        ({"ex_date": date(2012, 7, 5)}, [date(2012, 7, 5)], 2.0),
        ({"ex_date": date(2012, 7, 5), "value": 3.0}, [date(2012, 7, 5)], 3.0),
    ],
)
def test_a_wrong_ratio_or_day_is_corrected_in_one_commit(tmp_path, figures, split_days, ratio):
    made = market(tmp_path)
    made.ingest(holding("IBM", date(2012, 6, 1), date(2012, 8, 31)))
    phantom = pl.DataFrame({"symbol": "IBM", "ex_date": [date(2012, 7, 2)], "action": "split", "value": 2.0})
    record_actions(Observing(made.lake, made.config, NOW + timedelta(hours=1), "told"), phantom)
    desk = Observing(made.lake, made.config, NOW + timedelta(hours=2), "mended")
    update = correct_action(desk, "IBM", date(2012, 7, 2), "split", reason="misread", right=figures)
    assert (update.problems(), len(update.commits)) == ([], 1)
    splits = standing(read(made.lake, CorporateActions).filter(action="split").collect())
    assert (splits["ex_date"].to_list(), splits["value"].to_list()) == (split_days, [ratio])
    assert factor(made, date(2012, 7, 31), None) == pytest.approx(1 / ratio)
    assert factor(made, date(2012, 7, 31), NOW + timedelta(hours=1)) == 0.5
    assert factor(made, date(2012, 7, 3), None) == (1.0 if "ex_date" in figures else 0.25)


def test_a_delisting_that_never_was_lets_the_listing_go_on(tmp_path, shared_data):
    made = market(tmp_path, "lean", folder=str(shared_data / "lean"))
    config = holding("AAA.1", date(2007, 2, 1), date(2007, 6, 29))
    made.ingest(config, holding("SPY", date(2007, 2, 1), date(2007, 6, 29)))
    gone = (
        read(made.lake, CorporateActions)
        .filter(symbol="AAA.1", action="delisting")
        .collect()["ex_date"]
        .item()
    )
    desk = Observing(made.lake, made.config, NOW + timedelta(hours=1), "mended")
    correct_action(desk, "AAA.1", gone, "delisting", reason="moved to another exchange")
    rows = newest(read(made.lake, Instruments).filter(symbol="AAA.1").collect(), Instruments.key[:-1])
    assert rows.sort("valid_from")["valid_to"][-1] is None
    with pytest.raises(ActionError, match=r"AAA\.1: no delisting of 2007-01-01 stands; known are: "):
        correct_action(desk, "AAA.1", date(2007, 1, 1), "delisting", reason="no")


def test_a_row_that_replaces_another_needs_a_reason(tmp_path):
    made = market(tmp_path)
    made.ingest(holding("IBM", date(2012, 6, 1), date(2012, 8, 31)))
    paid = read(made.lake, CorporateActions).filter(action="cash_dividend").collect().tail(1)
    row = paid.select("symbol", "ex_date", "action", value=pl.lit(9.0))
    desk = Observing(made.lake, made.config, NOW + timedelta(hours=1), "told")
    update = record_actions(desk, row)
    assert update.problems() == [
        f"IBM: cash_dividend of {paid['ex_date'][0]} is known otherwise; give the reason (--reason)"
    ]
    assert update.commits == {}
    assert record_actions(desk, row, reason="the company's letter").result.corrected == 1
