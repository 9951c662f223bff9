"""What a broker says of an order, and the state it ends in, with the reason kept."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from delta.contracts import Executions, Fills, OrderEvents
from resources.brokers.lake_holdings import expected_holdings

from .conftest import Gateway
from .world import NOW, SESSION, World, bracket, entry

LIMIT: dict[str, Any] = {"order_type": "limit", "limit_price": 95.0, "time_in_force": "gtc"}

ENDS: dict[str, tuple[str, dict[str, Any], str, int | None]] = {
    "refused": ("rejected", LIMIT, "REJECTED", 201),
    "price off the step": ("bad_tick", LIMIT, "REJECTED", 110),
    "no such contract": ("no_definition", LIMIT, "REJECTED", 200),
    "not valid": ("validation_error", LIMIT, "REJECTED", 321),
    "no size": ("size_zero", LIMIT, "REJECTED", 434),
    "read-only gateway": ("read_only", LIMIT, "REJECTED", 321),
    "inactive": ("inactive", LIMIT, "REJECTED", 201),
    "time in force set": ("tif_preset", LIMIT, "ACKED", None),
    "held until the open": ("held_message", LIMIT, "ACKED", None),
    "duplicate id of a live order": ("duplicate_id", LIMIT, "ACKED", None),
    "104 on a live order": ("modify_filled", LIMIT, "ACKED", None),
    "time in force set, filled": ("tif_preset", {}, "FILLED", None),
    "lost market order": ("order_lost", {}, "EXPIRED", None),
    "lost limit order": ("order_lost", LIMIT, "ACKED", None),
    "acknowledgement lost": ("drop_before_ack", LIMIT, "ACKED", None),
    "acknowledgement of a fill lost": ("drop_before_ack", {}, "FILLED", None),
    "connection lost before": ("drop_before_delivery", LIMIT, "ACKED", None),
    "a part, then cancelled": ("partial_then_cancel", {}, "CANCELLED", None),
    "only executions are told": ("no_order_messages", {}, "FILLED", None),
}


@pytest.mark.parametrize("name", ENDS)
def test_where_an_order_ends(world: World, gateway: Gateway, name: str) -> None:
    fault, changes, state, code = ENDS[name]
    gateway.ask("fault", name=fault)
    world.approve(entry("D1", **changes))
    world.place()
    events = world.read(OrderEvents).sort("sequence")
    last = events.row(-1, named=True)
    assert last["state"] == state, events.select("state", "code", "message").rows()
    assert len({order["permId"] for order in gateway.orders()}) <= 1
    if code is not None:
        assert code in set(events["code"])
        assert last["message"]
    gateway.ask("faults", clear=True)
    assert world.place().sent == 0


@pytest.mark.parametrize("replies", range(7))
@pytest.mark.parametrize("order_type", ["market", "limit"])
def test_a_connection_that_ends_after_any_reply(
    world: World, gateway: Gateway, replies: int, order_type: str
) -> None:
    gateway.ask("fault", on="request", what="placeOrder", do="drop_after", replies=replies, skip=replies % 3)
    world.approve(*bracket("D1", **({} if order_type == "market" else LIMIT)))
    world.place()
    references = [order["orderRef"] for order in gateway.orders()]
    assert len(references) == len(set(references))
    states = world.states()
    assert set(states.values()) <= {"FILLED", "ACKED", "EXPIRED", "CANCELLED"}, states
    assert {
        order["orderRef"] for order in gateway.orders() if order["status"] not in {"Filled", "Cancelled"}
    } == {ref for ref, state in states.items() if state == "ACKED"}


LATE = {
    "not cancellable": ("cancel_not_possible", "CANCELLED", "ACKED"),
    "not found": ("cancel_not_found", "CANCELLED", "ACKED"),
    "wrong state": ("cancel_wrong_state", "CANCELLED", "ACKED"),
    "filled first": ("fill_before_cancel", "FILLED", "EXPIRED"),
    "filled after": ("fill_after_cancel", "FILLED", None),
}


@pytest.mark.parametrize("name", LATE)
def test_a_cancel_that_is_answered_wrongly_or_late(world: World, gateway: Gateway, name: str) -> None:
    fault, target, cancel = LATE[name]
    world.approve(entry("D1", **LIMIT))
    world.place()
    gateway.ask("fault", name=fault)
    world.approve(entry("DC", kind="cancel", target_ref="D1"))
    world.place()
    states = world.states()
    assert states["D1"] == target
    assert cancel is None or states["DC"] == cancel
    executed = world.read(Executions).filter(pl.col("report") == "execution")["quantity"].sum()
    assert executed == sum(row["shares"] for row in gateway.ask("executions")["executions"])


def test_a_commission_that_comes_later_is_merged(world: World, gateway: Gateway) -> None:
    gateway.ask("fault", name="commission_never")
    world.approve(entry("D1"))
    world.place()
    assert world.read(Executions)["commission"].to_list() == [None]
    gateway.ask("faults", clear=True)
    assert world.place().executions == 1
    rows = world.read(Executions)
    assert sorted(rows["report"]) == ["commission", "execution"]
    assert rows["execution_id"].n_unique() == 1


def test_a_commission_told_after_the_fill_was_booked_is_no_difference(world: World, gateway: Gateway) -> None:
    world.approve(entry("D1"))
    world.place()
    [report] = [one for one in world.read(Executions).iter_rows(named=True) if one["report"] == "execution"]
    fill = {
        "book": "paper",
        "session": SESSION,
        "execution_id": report["execution_id"],
        "order_ref": "D1",
        "strategy": "momentum",
        "symbol": "AAPL",
        "purpose": "entry",
        "side": "BUY",
        "quantity": 10.0,
        "price": 100.0,
        "commission": -2.5,  # booked before the broker said that there was none
        "slippage": 0.0,
        "realised_pnl": 0.0,
        "currency": "USD",
        "price_currency": "USD",
        "rate": 1.0,
        "executed_at": NOW,
    }
    world.write(Fills, pl.DataFrame([fill], schema=Fills.schema()))
    expected = expected_holdings(world.lake, "SIM000001", "paper", NOW)
    assert expected is not None
    assert expected.cash == {"USD": 100_000.0 - 2.5}
    assert expected.positions == {}, (
        "what is booked is held by the portfolio, which has not been written here"
    )


def test_a_modify_reaches_the_broker_on_its_price_step(world: World, gateway: Gateway) -> None:
    world.approve(*bracket("D1"))
    world.place()
    world.approve(
        entry(
            "DM",
            side="SELL",
            purpose="trailing_stop",
            order_type="stop",
            kind="modify",
            target_ref="D1S",
            stop_price=95.123,
        )
    )
    world.place()
    assert world.states()["DM"] == "ACKED"
    gateway.ask("price", symbol="AAPL", price=95.1)
    world.place()
    assert world.states()["D1S"] == "FILLED"
    assert world.states()["D1T"] == "CANCELLED"


def test_a_modify_leaves_the_quantity_that_a_group_has_left(world: World, gateway: Gateway) -> None:
    world.approve(*bracket("D1"))
    world.place()
    gateway.ask("price", symbol="AAPL", price=116.0, size=4)
    world.place()
    assert world.states()["D1T"] == "PARTIAL"
    world.approve(
        entry("DM", side="SELL", order_type="stop", kind="modify", target_ref="D1S", stop_price=98.0)
    )
    world.place()
    assert world.states()["DM"] == "ACKED"
    gateway.ask("price", symbol="AAPL", price=97.0)
    world.place()
    assert world.executed() == {"D1E": 10.0, "D1T": 4.0, "D1S": 6.0}
    assert gateway.ask("positions")["positions"] == {}


def test_orders_of_a_session_before_are_not_sent(world: World, gateway: Gateway) -> None:
    world.approve(entry("OLD"))
    world.approve(entry("NEW", "MSFT", session=NOW.date()))
    world.place()
    assert [order["orderRef"] for order in gateway.orders()] == ["NEW"]
