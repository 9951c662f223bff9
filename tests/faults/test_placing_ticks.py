"""Repeated ticks, a lost cursor, runs executed again by hand: one broker order, and a retry still possible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from delta.contracts import OrderEvents
from pipelines.placing import place_orders
from pipelines.sensors import approved_orders
from resources.brokers.lease import lease_of
from resources.desk import DeskResource
from resources.gateway import process
from tests.brokers.conftest import RealGateway, start_gateway
from tests.brokers.world import NOW, World, bracket, entry, make_world

pytestmark = pytest.mark.slow

BOOK = """
mode = "paper"
start = 2026-11-19

[strategies.buy_and_hold]

[placement]
broker = "ib"
look_seconds = 0.05
follow_seconds = 1.0
"""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[RealGateway]:
    running = start_gateway(tmp_path / "gateway")
    yield running
    running.control.close()
    process.stop(running.state)


@pytest.fixture
def world(tmp_path: Path, gateway: RealGateway) -> World:
    return make_world(tmp_path, gateway.port)


@pytest.fixture
def desk(tmp_path: Path, gateway: RealGateway) -> DeskResource:
    """A desk of files, as the daemon sees it."""
    folder = tmp_path / "config"
    (folder / "books").mkdir(parents=True)
    (folder / "desk.toml").write_text(
        f'lake = "./lake"\n\n[broker]\nport = {gateway.port}\nconnect_timeout = 2.0\n'
    )
    (folder / "books" / "paper.toml").write_text(BOOK)
    return DeskResource(config_file=str(folder / "desk.toml"), fixed_now=NOW.isoformat())


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run be asked for again at once."""
    monkeypatch.setattr("pipelines.sensors.FIRST_PAUSE", 0.0)


def tick(desk: DeskResource, instance: dg.DagsterInstance, cursor: str | None = None) -> list[dg.RunRequest]:
    """What one tick of the sensor asks for."""
    context = dg.build_sensor_context(instance=instance, cursor=cursor, resources={"desk": desk})
    found = approved_orders.evaluate_tick(context)
    return list(found.run_requests or [])


def run(desk: DeskResource, instance: dg.DagsterInstance, request: dg.RunRequest) -> bool:
    """The run that a tick has asked for, or somebody has started by hand."""
    result = place_orders.execute_in_process(
        run_config=request.run_config,
        tags=request.tags,
        instance=instance,
        resources={"desk": desk},
        raise_on_error=False,
    )
    return bool(result.success)


def test_ticks_without_a_cursor_and_runs_by_hand_place_an_order_once(
    world: World, desk: DeskResource, gateway: RealGateway
) -> None:
    world.approve(*bracket("D1"), entry("D2", "MSFT"))
    with dg.instance_for_test() as instance:
        requests = [*tick(desk, instance), *tick(desk, instance, cursor=None)]
        assert [request.run_config for request in requests] == [requests[0].run_config] * 2
        assert all(run(desk, instance, request) for request in requests * 2)
        assert tick(desk, instance) == [], "nothing is asked for once the orders are known to the broker"
    counts = Counter(order["orderRef"] for order in gateway.orders())
    assert counts == {"D1E": 1, "D1S": 1, "D1T": 1, "D2": 1}
    assert world.states() == {"D1E": "FILLED", "D1S": "ACKED", "D1T": "ACKED", "D2": "FILLED"}


def test_a_run_that_failed_is_wanted_again(
    world: World, desk: DeskResource, gateway: RealGateway, no_pause: None
) -> None:
    world.approve(entry("D1", order_type="limit", limit_price=99.0, valid_until=NOW + timedelta(hours=1)))
    gateway.ask("fault", name="drop_before_ack")
    other = lease_of(desk.lake(), desk.config(), "another desk", "0")
    with dg.instance_for_test() as instance:
        other.acquire()
        [first] = tick(desk, instance)
        assert not run(desk, instance, first), "another desk places the same orders"
        other.release()
        [again] = tick(desk, instance)
        assert first.run_key != again.run_key, "a key that was used starts no run"
        assert run(desk, instance, again)
        assert tick(desk, instance) == []
    assert [order["orderRef"] for order in gateway.orders()] == ["D1"]
    assert world.states() == {"D1": "ACKED"}


def test_a_sweep_is_asked_for_when_a_session_has_closed(
    world: World, desk: DeskResource, gateway: RealGateway, no_pause: None
) -> None:
    world.approve(*bracket("D1"))
    with dg.instance_for_test() as instance:
        [request] = tick(desk, instance)
        assert run(desk, instance, request)
        assert tick(desk, instance) == []
        gateway.ask("price", symbol="AAPL", price=90.0)
        before = world.read(OrderEvents).height
        after_the_close = (NOW + timedelta(hours=6)).isoformat()
        evening = DeskResource(config_file=desk.config_file, fixed_now=after_the_close)
        [sweep] = tick(evening, instance)
        assert run(evening, instance, sweep)
        assert tick(evening, instance) == []
    assert world.states() == {"D1E": "FILLED", "D1S": "FILLED", "D1T": "CANCELLED"}
    assert world.read(OrderEvents).height == before + 2


def test_a_book_that_freezes_is_told_once(world: World, desk: DeskResource, gateway: RealGateway) -> None:
    world.approve(entry("D1"))
    with dg.instance_for_test() as instance:
        [request] = tick(desk, instance)
        assert run(desk, instance, request)
        gateway.ask("split", symbol="AAPL", ratio=2)
        told = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("resources.telling.notify", lambda alerts, targets: told.extend(alerts) or [])
            for _ in range(2):
                assert run(desk, instance, request)
    assert [(alert.kind, alert.severity, alert.book) for alert in told] == [("error", "error", "paper")]
    assert "20 at the broker" in told[0].message
