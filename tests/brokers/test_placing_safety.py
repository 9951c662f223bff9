"""What keeps orders back: halts, limits, connectivity, accounts; and what freezes a book."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from delta.contracts import Alerts, Executions, Halts, OrderEvents
from resources.brokers.accounts import check_account, is_live, live_allowed
from resources.brokers.base import AccountRefusedError
from resources.brokers.halts import DESK, halted, set_halt
from resources.brokers.needs import placing_needed
from resources.brokers.session import (
    accept_broker,
    gateway_client,
    known_instruments,
    placing_of,
    restart_window,
    ticking,
)
from trading.book import BookConfig, PlacementConfig
from trading.placement import Intent

from .conftest import Gateway
from .world import NOW, PACE, SESSION, World, bracket, entry, make_world, paper_book


def cancel_of(target: Intent, ref: str = "DC") -> Intent:
    return entry(ref, target.symbol, kind="cancel", target_ref=target.order_ref)


def resting(ref: str = "D1", symbol: str = "AAPL", **changes: Any) -> Intent:
    return entry(
        ref, symbol, **{"order_type": "limit", "limit_price": 95.0, "time_in_force": "gtc", **changes}
    )


# ---------------------------------------------------------------------------------------------------- halts


@pytest.mark.parametrize("name", ["paper", DESK])
def test_a_halt_stops_submits_and_lets_cancels_pass_until_a_person_resumes(
    world: World, gateway: Gateway, name: str
) -> None:
    world.approve(resting("D1"))
    world.place()
    set_halt(world.lake, name, "the feed looks wrong", "me", NOW)
    world.approve(resting("D2", "MSFT"), cancel_of(resting("D1")))
    for _ in range(2):  # every run is a restart: what halts is in the lake
        outcome = world.place()
        assert outcome.sent == 0
        assert "the feed looks wrong" in outcome.waiting[0]
    assert world.states() == {"D1": "CANCELLED", "DC": "ACKED"}
    assert [order["status"] for order in gateway.orders()] == ["Cancelled"]
    set_halt(world.lake, name, "fixed", "me", NOW + timedelta(minutes=1), resume=True)
    assert world.place().sent == 1
    assert world.states()["D2"] == "ACKED"


def test_under_a_halt_a_stop_may_come_nearer_and_never_go_away(world: World, gateway: Gateway) -> None:
    world.approve(*bracket("D1"))
    world.place()
    set_halt(world.lake, "paper", "the feed looks wrong", "me", NOW)

    def change(ref: str, target_ref: str, **fields: Any) -> Intent:
        return entry(
            ref, side="SELL", purpose="trailing_stop", kind="modify", target_ref=target_ref, **fields
        )

    world.approve(change("DA", "D1T", order_type="limit", limit_price=120.0))
    assert "the feed looks wrong" in world.place().waiting[0]
    assert placing_needed(world.lake, world.book, NOW) == ""
    world.approve(change("DN", "D1S", order_type="stop", stop_price=97.0))
    assert placing_needed(world.lake, world.book, NOW) == "new"
    world.place()
    assert (world.states().get("DA"), world.states()["DN"]) == (None, "ACKED")
    assert placing_needed(world.lake, world.book, NOW) == ""
    gateway.ask("price", symbol="AAPL", price=96.9)
    assert {row["orderRef"]: row["status"] for row in gateway.orders()}["D1S"] == "Filled"


def test_a_halt_between_reservation_and_wire_sends_nothing(world: World, gateway: Gateway) -> None:
    def halt_at(point: str) -> None:
        if point == "reserved":
            set_halt(world.lake, DESK, "stop", "me", NOW)

    world.approve(entry("D1"))
    clock, instruments = ticking(NOW), known_instruments(world.lake)
    broker = gateway_client(world.desk, world.book, instruments, PACE, clock)
    placing = placing_of(world.lake, world.desk, world.book, broker, instruments, clock, "run", "0", PACE)
    placing.reach = halt_at
    asyncio.run(placing.run())
    assert gateway.orders() == []
    assert world.states() == {"D1": "EXPIRED"}


def test_a_halt_of_a_book_leaves_others_alone(world: World) -> None:
    set_halt(world.lake, "another", "not this one", "me", NOW)
    assert halted(world.lake, "paper") == ""
    assert "not this one" in halted(world.lake, "another")


# --------------------------------------------------------------------------------------------------- limits


LIMITS = {
    "a price that has run away": (
        {"price_collar": 0.02},
        entry("D1", reference_price=90.0),
        "REJECTED",
        "collar",
    ),
    "a limit beyond the quote": (
        {"price_collar": 0.02},
        entry("D1", order_type="limit", limit_price=110.0),
        "REJECTED",
        "collar",
    ),
    "too many units": ({"max_quantity": 5}, entry("D1"), "REJECTED", "at most 5"),
    "too much value": ({"max_notional": 500}, entry("D1"), "REJECTED", "at most 500"),
    "a time that has passed": (
        {},
        entry("D1", valid_until=NOW - timedelta(hours=1)),
        "EXPIRED",
        "has passed",
    ),
    "an order at the close": ({}, entry("D1", order_type="market_on_close"), "REJECTED", "close"),
}


@pytest.mark.parametrize("name", LIMITS)
def test_what_is_refused_at_the_last_moment(tmp_path: Path, gateway: Gateway, name: str) -> None:
    limits, intent, state, message = LIMITS[name]
    world = make_world(tmp_path, gateway.port, book=paper_book(**limits))
    world.approve(intent)
    assert world.place().sent == 0
    event = world.read(OrderEvents).row(0, named=True)
    assert event["state"] == state
    assert message in event["message"]
    assert gateway.orders() == []


def test_an_exit_is_never_too_large(tmp_path: Path, gateway: Gateway) -> None:
    world = make_world(tmp_path, gateway.port, book=paper_book(max_quantity=15, max_notional=1_500))
    world.approve(entry("D1"))
    world.place()
    world.approve(entry("D2", side="SELL", purpose="exit", quantity=10.0, reference_price=400.0))
    world.place()
    assert world.states() == {"D1": "FILLED", "D2": "FILLED"}


def test_the_same_entry_twice_is_refused_once(world: World, gateway: Gateway) -> None:
    world.approve(entry("D1"), entry("D2"), entry("D3", quantity=11.0))
    world.place()
    assert world.states() == {"D1": "FILLED", "D2": "REJECTED", "D3": "FILLED"}


def test_orders_above_the_rate_wait(tmp_path: Path, gateway: Gateway) -> None:
    world = make_world(tmp_path, gateway.port, book=paper_book(orders_per_minute=2))
    world.approve(*(resting(f"D{number}", quantity=float(number)) for number in range(1, 5)))
    outcome = world.place()
    assert outcome.sent == 2
    assert "2 orders sent in a minute" in outcome.waiting[0]
    assert world.place(now=NOW + timedelta(minutes=2)).sent == 2


@pytest.mark.parametrize(
    ("limits", "now", "reason"),
    [
        ({"hours": "regular"}, NOW + timedelta(hours=8), "closed"),
        ({"read_only": True}, NOW, "read-only"),
        ({}, NOW + timedelta(hours=12, minutes=40), "restarts"),
        ({"require_quote": True}, NOW, "no quote"),
    ],
)
def test_what_waits_and_goes_later(
    tmp_path: Path, gateway: Gateway, limits: dict[str, Any], now: Any, reason: str
) -> None:
    world = make_world(tmp_path, gateway.port, book=paper_book(**limits))
    if reason == "no quote":
        gateway.ask("fault", name="no_market_data", times=-1)
    world.approve(resting("D1", valid_until=NOW + timedelta(days=2)))
    outcome = world.place(now=now)
    assert outcome.sent == 0
    assert any(reason in waits for waits in outcome.waiting), outcome
    assert gateway.orders() == []


@pytest.mark.parametrize(
    ("minutes", "held"), [(-16, False), (-9, True), (0, True), (9, True), (16, False), (-1449, True)]
)
def test_the_restart_window(minutes: int, held: bool) -> None:
    restart = NOW.replace(hour=4, minute=45) + timedelta(days=1)  # 23:45 in New York
    assert bool(restart_window(PlacementConfig(), restart + timedelta(minutes=minutes))) == held


# -------------------------------------------------------------------------------------------- connectivity


def test_nothing_is_sent_while_the_gateway_has_lost_the_broker(world: World, gateway: Gateway) -> None:
    gateway.ask("fault", on="request", what="reqAllOpenOrders", do="answer", code=1100, text="lost", times=1)
    world.approve(resting("D1"))
    outcome = world.place(patience=0.7)
    lost = outcome.sent == 0 and not outcome.settled
    assert lost or gateway.ask("status")["orders"] == 1
    assert world.place().settled


def test_notices_of_data_farms_do_not_concern_orders(world: World, gateway: Gateway) -> None:
    for number, code in enumerate((2103, 2105, 2157, 2107, 2119)):
        gateway.ask(
            "fault", on="request", what="reqPositions", do="answer", code=code, text="farm", skip=number
        )
    world.approve(resting("D1"))
    assert world.place().sent == 1


def test_a_client_id_in_use_is_tried_again_with_the_same_id(world: World, gateway: Gateway) -> None:
    gateway.ask("fault", name="client_id_in_use", times=2)
    world.approve(resting("D1"))
    assert world.place().sent == 1
    assert {order["clientId"] for order in gateway.orders()} == {17}


# ------------------------------------------------------------------------------------------------ accounts


@pytest.mark.parametrize(
    ("account", "live"),
    [("DU1234567", False), ("SIM000001", False), ("DF123", False), ("U1234567", True), ("F77", True)],
)
def test_which_accounts_hold_real_money(account: str, live: bool) -> None:
    assert is_live(account) == live


@pytest.mark.parametrize(
    ("mode", "allowed", "environment", "expected"),
    [
        ("live", True, {"DESK_ALLOW_LIVE": "1"}, True),
        ("live", True, {}, False),
        ("live", True, {"DESK_ALLOW_LIVE": "yes"}, False),
        ("live", False, {"DESK_ALLOW_LIVE": "1"}, False),
        ("paper", True, {"DESK_ALLOW_LIVE": "1"}, False),
    ],
)
def test_a_live_account_needs_the_book_and_the_environment(
    mode: str, allowed: bool, environment: dict[str, str], expected: bool
) -> None:
    book = BookConfig.model_validate(
        paper_book().model_dump(by_alias=True) | {"mode": mode, "allow_live": allowed}
    )
    assert live_allowed(book, environment) == expected
    if expected:
        assert check_account(["U1"], "", live_allowed=True) == "U1"
    else:
        with pytest.raises(AccountRefusedError, match="DESK_ALLOW_LIVE"):
            check_account(["U1"], "", live_allowed=False)


@pytest.mark.parametrize(
    ("accounts", "wanted", "problem"),
    [(["DU1", "DU2"], "", "name one"), (["DU1"], "DU9", "not one of"), ([], "", "none")],
)
def test_an_account_that_is_not_the_one(accounts: list[str], wanted: str, problem: str) -> None:
    with pytest.raises(AccountRefusedError, match=problem):
        check_account(accounts, wanted, live_allowed=False)


def test_one_of_several_accounts_is_named() -> None:
    assert check_account(["DU1", "DU2"], "DU2", live_allowed=False) == "DU2"


# ---------------------------------------------------------------------------------- the broker and the ledger


def test_a_position_that_nobody_knows_of_freezes_the_book(world: World, gateway: Gateway) -> None:
    world.approve(entry("D1"))
    world.place()
    gateway.ask("split", symbol="AAPL", ratio=2)
    outcome = world.place()
    assert "AAPL: 10 by the ledger, 20 at the broker" in outcome.frozen
    assert "AAPL" in world.read(Halts)["reason"][0]
    assert world.read(Alerts)["severity"].to_list() == ["error"]
    world.approve(entry("D2", "IBM"))
    assert world.place().sent == 0, "a frozen book sends nothing"


def test_a_person_accepts_what_the_broker_holds(world: World, gateway: Gateway) -> None:
    world.approve(entry("D1"))
    world.place()
    gateway.ask("split", symbol="AAPL", ratio=2)
    world.place()
    reports = accept_broker(
        world.lake,
        world.desk,
        world.book,
        "shares came in from another account",
        now=NOW + timedelta(minutes=2),
        run_id="me",
        code_version="0",
        pace=PACE,
    )
    assert [(one.symbol, one.side, one.quantity, one.cause) for one in reports] == [
        ("AAPL", "BUY", 10.0, "external")
    ]
    set_halt(world.lake, "paper", "accepted", "me", NOW + timedelta(minutes=5), resume=True)
    world.approve(entry("D2", "IBM"))
    outcome = world.place(now=NOW + timedelta(minutes=10))
    assert (outcome.sent, outcome.frozen) == (1, "")


def test_cash_that_differs_freezes_the_book(world: World, gateway: Gateway) -> None:
    world.approve(entry("D1"))
    world.place()
    gateway.ask("pay", amount=-250.0)
    assert "cash" in world.place().frozen


@pytest.mark.parametrize(
    ("command", "arguments", "cause"),
    [
        ("trade", {"symbol": "AAPL", "quantity": -10, "price": 99.0}, "manual"),
        (
            "trade",
            {"symbol": "AAPL", "quantity": -10, "price": 99.0, "reference": "assignment"},
            "assignment",
        ),
    ],
)
def test_trades_of_other_hands_enter_the_ledger_with_their_cause(
    world: World, gateway: Gateway, command: str, arguments: dict[str, Any], cause: str
) -> None:
    broker = world.desk.broker.model_copy(update={"client_id": 0})  # the client that is told of all of them
    seen = replace(world, desk=world.desk.model_copy(update={"broker": broker}))
    seen.approve(entry("D1"))
    seen.place()
    gateway.ask(command, **arguments)
    assert seen.place().frozen == ""
    rows = seen.read(Executions).filter((pl.col("cause") != "order") & (pl.col("report") == "execution"))
    assert rows.select("symbol", "side", "quantity", "cause", "order_ref").rows() == [
        ("AAPL", "SELL", 10.0, cause, "")
    ]


def test_a_correction_counts_once_under_its_newest_revision(world: World, gateway: Gateway) -> None:
    world.approve(entry("D1"))
    world.place()
    [execution] = gateway.ask("executions")["executions"]
    gateway.ask("correct", execId=execution["execId"], price=101.0)
    assert world.place().frozen == ""
    rows = world.read(Executions).filter(pl.col("report") == "execution").sort("revision")
    assert rows.select("execution_id", "revision", "price").rows() == [
        (execution["execId"].rpartition(".")[0], 1, 100.0),
        (execution["execId"].rpartition(".")[0], 2, 101.0),
    ]
    assert world.states() == {"D1": "FILLED"}
    assert world.read(Alerts)["message"].to_list() == [
        f"the broker has corrected BUY AAPL, execution {rows['execution_id'][0]}: 10 at 101"
    ]


def test_a_correction_beyond_the_order_is_told_and_freezes_nothing(world: World, gateway: Gateway) -> None:
    world.approve(entry("D1"))
    world.place()
    [execution] = gateway.ask("executions")["executions"]
    gateway.ask("correct", execId=execution["execId"], shares=12.0)
    assert world.place().frozen == ""
    assert world.states() == {"D1": "FILLED"}
    assert "order D1: 12 executed, 10 intended" in world.read(Alerts)["message"].to_list()


def test_an_execution_taken_back_before_a_look_leaves_nothing_in_doubt(
    world: World, gateway: Gateway
) -> None:
    world.approve(resting("D1", limit_price=95.0))
    world.place()
    gateway.ask("price", symbol="AAPL", price=94.0)
    [execution] = gateway.ask("executions")["executions"]
    gateway.ask("bust", execId=execution["execId"])
    outcome = world.place()
    assert (outcome.settled, outcome.frozen) == (True, "")
    assert world.states() == {"D1": "FILLED"}


def test_ids_that_roll_back_are_never_given_twice(world: World, gateway: Gateway) -> None:
    world.approve(resting("D1"), resting("D2", quantity=4.0))
    world.place()
    gateway.ask("shift_ids", by=50)
    gateway.ask("restart", roll_back=50)
    world.approve(resting("D3", quantity=5.0))
    world.place()
    reserved = world.read(OrderEvents).filter(pl.col("state") == "RESERVED")
    assert reserved["order_id"].n_unique() == 3


def test_after_midnight_what_the_broker_no_longer_tells_is_still_known(
    world: World, gateway: Gateway
) -> None:
    world.approve(*bracket("D1"))
    world.place()
    gateway.ask("purge")
    outcome = world.place(now=NOW + timedelta(days=1))
    assert (outcome.sent, outcome.frozen) == (0, "")
    assert world.states() == {"D1E": "FILLED", "D1S": "ACKED", "D1T": "ACKED"}


def test_the_session_of_an_event_is_that_of_its_order(world: World) -> None:
    world.approve(entry("D1"))
    world.place()
    assert world.read(OrderEvents)["session"].unique().to_list() == [SESSION]
