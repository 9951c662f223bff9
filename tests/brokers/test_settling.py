"""An order that the desk gave up: it keeps its symbol blocked until a person says how it ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

import delta
from delta.contracts import Executions, OrderEvents
from resources.brokers.lease import DeltaLease, LeaseError, NoLease
from resources.brokers.settling import Settled, SettleError, settle
from trading.placement import Intent, Report

from .conftest import Gateway
from .test_placing_safety import cancel_of, resting
from .world import NOW, World, entry

DAY = {"time_in_force": "day"}


def become_unresolved(world: World, gateway: Gateway, *orders: Intent) -> None:
    """Let orders end at the broker while nobody looks, and midnight pass: the next look finds nothing."""
    world.approve(*(orders or [resting("D1", **DAY)]))
    world.place()
    gateway.ask("end_day")
    gateway.ask("purge")


def settled(
    world: World, ref: str, end: Any, reason: str = "the statement says so", **options: Any
) -> Settled:
    return settle(
        world.lake, ref, end, reason, "me", options.pop("lease", NoLease()), clock=lambda: NOW, **options
    )


def test_the_symbol_is_blocked_until_the_order_is_settled(world: World, gateway: Gateway) -> None:
    become_unresolved(world, gateway)
    world.place()
    assert world.states() == {"D1": "UNRESOLVED"}
    world.approve(entry("D2"), entry("D3", "MSFT"))
    outcome = world.place()
    assert outcome.waiting == ("order D1 in AAPL is unresolved",)
    assert world.states() == {"D1": "UNRESOLVED", "D3": "FILLED"}

    done = settled(world, "D1", "cancelled")
    assert done == Settled(
        "paper", "D1", "AAPL", "CANCELLED", 0.0, 10.0, "settled by me: the statement says so"
    )
    last = world.read(OrderEvents).filter(pl.col("order_ref") == "D1").sort("sequence").tail(1)
    assert last.select("state", "source", "run_id").row(0) == ("CANCELLED", "broker", "settle")
    assert world.place().waiting == ()
    assert world.states() == {"D1": "CANCELLED", "D2": "FILLED", "D3": "FILLED"}


@pytest.mark.parametrize(
    ("end", "recorded", "options", "problem"),
    [
        ("rejected", 4.0, {}, "4 executed, so it was not rejected"),
        ("cancelled", 10.0, {}, "all 10 are executed; it is filled, not cancelled"),
        ("expired", 0.0, {"filled": 10.0}, "all 10 are executed"),
        ("filled", 4.0, {"filled": 3.0}, "4 executed are recorded, it cannot have filled 3"),
        ("filled", 0.0, {"filled": 3.0}, "3 of 10 filled is not filled; cancelled or expired"),
        ("cancelled", 4.0, {"filled": 2.0}, "4 executed are recorded"),
        ("done", 0.0, {}, "neither a change nor a cancel"),
        ("filled", 0.0, {"reason": "  "}, "needs a reason"),
    ],
)
def test_what_contradicts_the_executions_is_refused(
    world: World, end: str, recorded: float, options: dict[str, Any], problem: str
) -> None:
    unresolved(world, resting("D1"), recorded)
    with pytest.raises(SettleError, match=problem):
        settled(world, "D1", end, **options)
    assert world.states() == {"D1": "UNRESOLVED"}


@pytest.mark.parametrize(
    ("end", "recorded", "filled", "expected"),
    [
        ("filled", 4.0, None, ("FILLED", 10.0, 0.0)),
        ("filled", 10.0, None, ("FILLED", 10.0, 0.0)),
        ("cancelled", 4.0, None, ("CANCELLED", 4.0, 6.0)),
        ("cancelled", 0.0, 3.0, ("CANCELLED", 3.0, 7.0)),
        ("expired", 0.0, None, ("EXPIRED", 0.0, 10.0)),
        ("rejected", 0.0, None, ("REJECTED", 0.0, 10.0)),
    ],
)
def test_how_an_order_may_have_ended(
    world: World, end: str, recorded: float, filled: float | None, expected: tuple[str, float, float]
) -> None:
    unresolved(world, resting("D1"), recorded)
    done = settled(world, "D", end, filled=filled)
    assert (done.state, done.filled, done.remaining) == expected
    assert world.states() == {"D1": expected[0]}


def test_only_an_unresolved_order_that_is_known_is_settled(world: World) -> None:
    world.approve(resting("D1"), resting("D12"))
    for ref, problem in (
        ("D9", "no approved order is called 'D9'"),
        ("", "no approved order is called ''"),
        ("D12", "order D12 is PLANNED, not UNRESOLVED"),
        ("D", "'D' is the start of 2 orders: D1, D12"),
        ("D1", "order D1 is PLANNED"),
    ):
        with pytest.raises(SettleError, match=problem):
            settled(world, ref, "expired")
    assert world.states() == {}


def test_a_cancel_that_was_never_confirmed_is_settled_or_seen_to_be_done(
    world: World, gateway: Gateway
) -> None:
    world.approve(resting("D1"))
    world.place()
    world.approve(cancel_of(resting("D1")))
    unresolved(world, None, 0.0, ref="DC")
    world.approve(entry("D2"))
    assert world.place().waiting == ("order DC in AAPL is unresolved",)
    with pytest.raises(SettleError, match="DC is a cancel of order D1: done, rejected or expired"):
        settled(world, "DC", "filled")
    [working] = gateway.orders()
    gateway.ask("price", symbol="AAPL", price=94.0)  # it fills: there is nothing to cancel any more
    assert working["status"] == "Submitted"
    world.place()
    assert world.states()["DC"] == "EXPIRED"
    unresolved(world, replace(cancel_of(resting("D3"), "DX")), 0.0, ref="DX")
    assert settled(world, "DX", "done").state == "ACKED"


def test_a_run_of_placing_is_not_disturbed(world: World) -> None:
    unresolved(world, resting("D1"), 0.0)

    def lease() -> DeltaLease:
        return DeltaLease(world.lake, "client", "run", "0", datetime.now().astimezone)

    busy = lease()
    busy._holder = "other host 1"
    busy.acquire()
    with pytest.raises(LeaseError, match="is placing orders until"):
        settled(world, "D1", "expired", lease=lease())
    busy.release()
    assert settled(world, "D1", "expired", lease=lease()).state == "EXPIRED"


def unresolved(world: World, order: Intent | None, recorded: float, ref: str = "") -> None:
    """An order in that state, with some of it executed."""
    if order is not None:
        world.approve(order)
    name = ref or (order.order_ref if order else "")
    row = {
        "book": "paper",
        "session": NOW.date(),
        "order_ref": name,
        "sequence": 1,
        "state": "UNRESOLVED",
        "at": NOW - timedelta(hours=1),
        "order_id": 5,
        "client_id": 17,
        "filled": 0.0,
        "remaining": 10.0,
        "message": "nowhere",
        "source": "broker",
        "run_id": "run",
    }
    world.write(OrderEvents, pl.DataFrame([row], schema=OrderEvents.schema()))
    if recorded:
        report = Report("x1", 1, name, 9, "AAPL", "BUY", recorded, 95.0, NOW, 1.0)
        values = report._asdict() | {
            "account": "SIM", "execution_id": "x1", "report": "execution", "book": "paper", "cause": "order",
            "known_at": NOW, "run_id": "run",
        }  # fmt: skip
        schema = Executions.schema()
        frame = pl.DataFrame([{n: values[n] for n in schema}], schema=schema)
        delta.write(world.lake, Executions, frame, None, delta.Provenance("t", "t", "0"))
