"""Placing a book's orders at a gateway in a process of its own, with the lake as memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from delta.contracts import BrokerSnapshots, Executions, OrderEvents

from .conftest import RealGateway
from .world import World, bracket, entry, make_world


@pytest.fixture
def gateway(gateway_process: RealGateway) -> RealGateway:
    return gateway_process


@pytest.fixture
def world(tmp_path: Path, gateway: RealGateway) -> World:
    return make_world(tmp_path, gateway.port)


def test_a_bracket_is_placed_once_and_followed_to_its_fill(world: World, gateway: RealGateway) -> None:
    world.approve(*bracket("D1"), *bracket("D2", "MSFT"))
    first = world.place()
    assert first.settled
    assert first.sent == 6
    assert world.states() == {
        "D1E": "FILLED", "D1S": "ACKED", "D1T": "ACKED", "D2E": "FILLED", "D2S": "ACKED", "D2T": "ACKED",
    }  # fmt: skip
    assert world.executed() == {"D1E": 10.0, "D2E": 10.0}
    before = (gateway.orders(), world.read(OrderEvents).height, world.read(Executions).height)
    for _ in range(2):
        again = world.place()
        assert again.settled
        assert again.sent == 0
    assert (gateway.orders(), world.read(OrderEvents).height, world.read(Executions).height) == before


def test_the_tables_tell_the_whole_story(world: World, gateway: RealGateway) -> None:
    world.approve(*bracket("D1"))
    world.place()
    events = world.read(OrderEvents).sort("order_ref", "sequence")
    parent = events.filter(events["order_ref"] == "D1E")
    assert parent["state"].to_list() == ["RESERVED", "SENT", "FILLED"]
    assert parent["order_id"].n_unique() == 1
    assert parent["perm_id"].to_list()[-1] == gateway.orders()[0]["permId"]
    assert events.filter(events["state"] == "RESERVED")["at"].n_unique() == 1, "one commit for the unit"
    executions = world.read(Executions)
    assert sorted(executions["report"]) == ["commission", "execution"]
    assert executions.select("symbol", "side", "quantity", "price", "cause").row(0) == (
        "AAPL", "BUY", 10.0, 100.0, "order",
    )  # fmt: skip
    shown = world.read(BrokerSnapshots)
    assert set(shown["kind"]) == {"position", "cash", "open_order"}
    assert shown.filter(shown["kind"] == "position")["quantity"].to_list() == [10.0]


def test_a_stop_is_sent_on_the_price_step_and_fills_later(world: World, gateway: RealGateway) -> None:
    world.approve(*bracket("D1"))
    world.place()
    gateway.ask("price", symbol="AAPL", price=90.0)
    world.place()
    assert world.states() == {"D1E": "FILLED", "D1S": "FILLED", "D1T": "CANCELLED"}
    assert world.executed() == {"D1E": 10.0, "D1S": 10.0}


def test_an_unknown_symbol_is_refused_before_it_is_sent(world: World, gateway: RealGateway) -> None:
    world.approve(entry("DNONE", "NOPE"))
    outcome = world.place()
    assert world.states() == {"DNONE": "REJECTED"}
    assert outcome.sent == 0
    assert gateway.orders() == []
