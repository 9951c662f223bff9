"""The placing job and the gateway as processes, killed and frozen: the rerun gives the same book."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from delta.contracts import Executions, Halts, OrderEvents
from resources.brokers import crash
from resources.brokers.base import BrokerError
from resources.gateway import process
from tests.brokers.conftest import Gateway, RealGateway, ThreadGateway, give_prices, start_gateway
from tests.brokers.world import GATEWAY, World, bracket, entry, make_world

from .placing_job import end, kill_after, start

pytestmark = pytest.mark.slow

KNOWN = {"ACKED", "PARTIAL", "FILLED", "CANCELLED", "REJECTED", "EXPIRED", "UNRESOLVED"}


@pytest.fixture
def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway in a thread, which starts at once; in a process of its own where that is what dies."""
    if not hasattr(request, "param"):
        thread = ThreadGateway(tmp_path / "gateway", GATEWAY)
        give_prices(thread)
        yield thread
        thread.stop()
        return
    running = start_gateway(tmp_path / "gateway")
    yield running
    where = process.address(running.state)
    if where is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(where.pid, signal.SIGCONT)
    running.control.close()
    process.stop(running.state)


mortal = pytest.mark.parametrize("gateway", ["in a process"], indirect=True)


@pytest.fixture
def world(tmp_path: Path, gateway: Gateway) -> World:
    made = make_world(tmp_path, gateway.port)
    made.approve(
        *bracket("D1"), *bracket("D2", "MSFT", order_type="limit", limit_price=97.0), entry("D3", "IBM")
    )
    return made


def reckon(world: World, gateway: Gateway) -> None:
    """Nothing twice, nothing lost, every order in a known state, the ledger equal to the broker."""
    orders = gateway.orders()
    counts = Counter(order["orderRef"] for order in orders)
    assert all(count == 1 for count in counts.values()), counts
    theirs = {
        row["execId"].rpartition(".")[0]: (row["shares"], row["price"])
        for row in gateway.ask("executions")["executions"]
    }
    rows = world.read(Executions).filter(pl.col("report") == "execution")
    assert {row[0]: row[1:] for row in rows.select("execution_id", "quantity", "price").iter_rows()} == theirs
    states = world.states()
    assert set(states) == {"D1E", "D1S", "D1T", "D2E", "D2S", "D2T", "D3"}
    assert set(states.values()) <= KNOWN, states
    live = {
        order["orderRef"] for order in orders if order["status"] not in {"Filled", "Cancelled", "Inactive"}
    }
    assert live == {ref for ref, state in states.items() if state in {"ACKED", "PARTIAL"}}
    events = world.read(OrderEvents).filter(pl.col("state") == "RESERVED")
    assert events["order_id"].n_unique() == events.height == events["order_ref"].n_unique()
    assert world.read(Halts).is_empty()


def finish(world: World, gateway: Gateway) -> None:
    """Rerun until nothing is new, then compare."""
    assert world.place().settled
    before = world.read(OrderEvents).height
    again = world.place()
    assert (again.sent, world.read(OrderEvents).height) == (0, before)
    reckon(world, gateway)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("point", [point for point in crash.POINTS if point != "requested"])
def test_a_job_killed_at_any_point(
    world: World, gateway: Gateway, tmp_path: Path, point: str, count: int
) -> None:
    code = end(start(tmp_path, gateway.port, f"{point}:{count}"))
    if count == 1:
        assert code == -signal.SIGKILL, f"the job was killed at {point}"
    finish(world, gateway)


@pytest.mark.parametrize("seed", range(6))
def test_a_job_killed_at_any_time(world: World, gateway: Gateway, tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(2):
        kill_after(start(tmp_path, gateway.port), draw.uniform(0.02, 0.4))
    finish(world, gateway)


@mortal
@pytest.mark.parametrize("name", ["kill_before_order", "kill_after_order"])
@pytest.mark.parametrize("skip", [0, 2])
def test_a_gateway_killed_in_the_middle(world: World, gateway: RealGateway, name: str, skip: int) -> None:
    gateway.ask("fault", name=name, skip=skip)
    with contextlib.suppress(BrokerError):
        world.place(patience=1.0)
    where = process.start(gateway.state)
    gateway.control = process.Control(where.control_port)
    assert where.port == gateway.port
    finish(world, gateway)


@mortal
@pytest.mark.parametrize("name", ["freeze_before_order", "freeze_after_order"])
def test_a_gateway_frozen_in_the_middle(world: World, gateway: RealGateway, name: str) -> None:
    gateway.ask("fault", name=name, skip=1)
    with contextlib.suppress(BrokerError):
        world.place(patience=3.0)
    where = process.address(gateway.state)
    assert where is not None
    os.kill(where.pid, signal.SIGCONT)
    finish(world, gateway)


def test_two_jobs_at_once_send_every_order_once(world: World, gateway: Gateway, tmp_path: Path) -> None:
    jobs = [start(tmp_path, gateway.port) for _ in range(3)]
    codes = [end(job) for job in jobs]
    assert set(codes) <= {0, 3}
    assert 0 in codes
    finish(world, gateway)
