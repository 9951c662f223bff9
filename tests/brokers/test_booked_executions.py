"""What the tables say of executions that were booked, and what the broker has told since."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from assets.executions import READS, recorded_market
from delta import Table, pin
from delta.contracts import CorporateActions, Executions, Fills, OrderEvents, Trades
from resources.brokers.lake_holdings import expected_holdings
from trading.ledger import Ledger, Terms, amend
from trading.state import BookState, new_state
from trading.window import SessionTimes

from .world import NOW, SESSION, World, make_world

DAY = timedelta(days=1)
TODAY = SESSION + 4 * DAY
TIMES = SessionTimes(TODAY, NOW + 3 * DAY, NOW + 3 * DAY + timedelta(hours=6), NOW + 4 * DAY)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A lake; no gateway is asked."""
    return make_world(tmp_path, 1)


def put(world: World, table: type[Table], *rows: Mapping[str, Any]) -> None:
    """Rows with what matters; the rest is empty, nothing or now."""
    usual = {pl.String(): "", pl.Float64(): 0.0, pl.Int64(): 0, pl.Boolean(): False, pl.Date(): SESSION}
    filled = []
    for row in rows:
        columns = table.columns().items()
        whole = {n: None if c.optional else usual.get(c.dtype, NOW) for n, c in columns}
        filled.append(whole | {"book": "paper"} | dict(row) if "book" in whole else whole | dict(row))
    world.write(table, pl.DataFrame(filled, schema=table.schema()))


def fill(world: World, identity: str, side: str, units: float, price: float, on: date, **fields: Any) -> None:
    row = {"execution_id": identity, "session": on, "strategy": "s", "symbol": "AAPL", "side": side}
    usual = {"purpose": "entry", "quantity": units, "price": price, "commission": 1.0, "currency": "USD"}
    usual |= {"price_currency": "USD", "rate": 1.0}
    put(world, Fills, row | usual | fields)


def told(
    world: World, root: str, side: str, units: float, price: float, revision: int = 1, **fields: Any
) -> None:
    row = {"account": "SIM", "execution_id": root, "revision": revision, "report": "execution"}
    what = {"cause": "order", "symbol": "AAPL", "side": side, "quantity": units, "price": price}
    put(world, Executions, row | what | {"multiplier": 1.0, "currency": "USD", "commission": 1.0} | fields)


def recorded(world: World, times: SessionTimes = TIMES) -> Any:
    state: BookState = new_state(100_000.0)
    pins = pin(world.lake, [*READS, OrderEvents])
    return recorded_market(pins, world.book, state, times).match_session([], lambda _: None, times.session)


def test_only_what_no_other_session_has_booked_is_booked(world: World) -> None:
    told(world, "x1", "BUY", 10, 100.0)
    told(world, "x2", "BUY", 5, 100.0)
    fill(world, "x1", "BUY", 10, 100.0, SESSION)
    assert [one.execution_id for one in recorded(world).executions] == ["x2"]
    fill(world, "x2", "BUY", 5, 100.0, TODAY)
    assert [one.execution_id for one in recorded(world).executions] == ["x2"], "a session decided again"
    later = SessionTimes(TODAY + DAY, *(at + DAY for at in TIMES[1:]))
    assert recorded(world, later).executions == []


def test_an_exit_taken_back_after_a_split_holds_the_lot_again(world: World) -> None:
    bought, sold = SESSION, SESSION + DAY
    fill(world, "b", "BUY", 10, 100.0, bought)
    fill(world, "s", "SELL", 10, 110.0, sold, purpose="profit_target")
    put(
        world,
        Trades,
        {
            "session": sold, "trade_id": "b:s", "strategy": "s", "symbol": "AAPL", "direction": "long",
            "quantity": 10.0, "opened": bought, "entry_price": 100.0, "exit_price": 110.0,
            "commissions": 2.0, "pnl": 98.0, "trade_return": 98.0 / 1001.0, "mae": -0.02, "mfe": 0.12,
            "sessions_held": 1, "exit_reason": "profit_target",
        },
    )  # fmt: skip
    put(
        world,
        CorporateActions,
        {"symbol": "AAPL", "ex_date": TODAY, "action": "split", "value": 2.0, "currency": "USD"},
    )
    told(world, "b", "BUY", 10, 100.0)
    told(world, "s", "SELL", 10, 110.0)
    told(world, "s", "SELL", 0, 110.0, 2, commission=0.0)
    [amendment] = recorded(world).amendments
    assert (amendment.was, amendment.now) == (Terms(10, 110.0, 1.0), Terms(0, 110.0, 0.0))
    assert (amendment.ratio, amendment.units, amendment.cash()) == (2.0, 20.0, -109_900)
    [(trip, ago)] = amendment.trips
    assert (trip.quantity, trip.entry_price, trip.cost, trip.pnl, ago) == (20.0, 50.0, 100_100, 9_800, 1)

    ledger = Ledger(1000.0)
    for day in (bought, sold, TODAY):
        ledger.open_session(day)
    [(row, booking)] = amend(ledger, amendment)
    assert (row.execution_id, row.side, row.quantity, row.price) == ("s/2", "BUY", 20.0, 55.0)
    [position] = ledger.positions.values()
    assert (position.quantity, position.cost, position.opened) == (20.0, 100_100, bought)
    assert booking.realised == -9_800
    assert position.lots[0].opened_at == 1


def test_what_is_booked_is_the_sum_of_its_rows(world: World) -> None:
    told(world, "x", "BUY", 10, 100.0)
    told(world, "x", "BUY", 8, 101.0, 2)
    fill(world, "x", "BUY", 10, 100.0, SESSION)
    assert [one.cause for one in recorded(world).amendments] == ["correction"]
    fill(world, "x/2", "SELL", 10, 100.0, SESSION + DAY, purpose="correction", commission=-1.0)
    fill(world, "x/3", "BUY", 8, 101.0, SESSION + DAY, purpose="correction")
    assert list(recorded(world).amendments) == []
    told(world, "x", "BUY", 8, 101.0, 2, report="commission 2", commission=1.2, known_at=NOW + DAY)
    [amendment] = recorded(world).amendments
    assert (amendment.cause, amendment.commission, amendment.number) == ("commission_adjustment", 20, 3)


def test_an_execution_of_another_side_or_symbol_is_left_to_a_person(world: World) -> None:
    told(world, "x", "BUY", 10, 100.0)
    told(world, "x", "SELL", 10, 100.0, 2)
    fill(world, "x", "BUY", 10, 100.0, SESSION)
    assert list(recorded(world).amendments) == []


def test_a_bust_that_no_session_has_seen_is_booked_only_where_it_costs(world: World) -> None:
    for root, commission in (("x1", 1.0), ("x2", 0.0)):
        told(world, root, "BUY", 10, 100.0)
        told(world, root, "BUY", 0, 100.0, 2, commission=commission)
    result = recorded(world)
    assert result.executions == []
    [amendment] = result.amendments
    assert (amendment.execution.execution_id, amendment.cause, amendment.cash()) == ("x1", "bust", -100)
    ledger = Ledger(1000.0)
    ledger.open_session(TODAY)
    [(row, booking)] = amend(ledger, amendment)
    assert (row.execution_id, row.quantity, row.commission, booking.realised) == ("x1", 0.0, 1.0, -100)


@pytest.mark.parametrize("revision", [1, 2])
def test_the_account_is_expected_to_hold_what_the_broker_says_now(world: World, revision: int) -> None:
    before = expected_holdings(world.lake, "SIM", "paper", NOW)
    assert before is not None
    told(world, "x", "BUY", 10, 100.0)
    if revision == 2:
        told(world, "x", "BUY", 8, 101.0, 2, commission=0.8)
    unbooked = expected_holdings(world.lake, "SIM", "paper", NOW)
    assert unbooked is not None
    assert unbooked.positions == {"AAPL": 10.0 if revision == 1 else 8.0}
    paid = 1001.0 if revision == 1 else 808.8
    assert unbooked.cash["USD"] == pytest.approx(before.cash["USD"] - paid)
    fill(world, "x", "BUY", 10, 100.0, SESSION)  # booked as first told; the portfolio row is still without
    booked = expected_holdings(world.lake, "SIM", "paper", NOW)
    assert booked is not None
    assert booked.positions == ({} if revision == 1 else {"AAPL": -2.0})
    assert booked.cash["USD"] - before.cash["USD"] == pytest.approx(0.0 if revision == 1 else 192.2)
