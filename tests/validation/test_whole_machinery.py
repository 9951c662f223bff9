"""Five sessions as the desk runs them: schedule, daily run, sensor, order job, a gateway's own process.

Every evening the schedule's tick asks for the daily run, the sensor's for the order job, and both run on a
Dagster instance; the gateway plays the session in between. The rows equal those of one backfill.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

import delta
from assets.desk import walk
from assets.research import research
from assets.validation import compared_frames, differences, gateway_settings
from assets.validation.comparison import account_rows, expected_account
from delta.contracts import Fills, Halts, OrderEvents, Orders, Portfolio
from pipelines.definitions import defs
from pipelines.schedules import after_close
from pipelines.sensors import approved_orders
from resources.calendar import session_close
from resources.config import load_book
from resources.desk import DeskResource
from resources.gateway import process
from tests.assets.walks import Market, days_of
from tests.integration.conftest import BOOK, Place, demo_book, here, resource
from trading.book import BookConfig

DAYS = days_of(date(2012, 1, 6), date(2012, 1, 12))
PLACEMENT = '\n[placement]\nbroker = "ib"\nlook_seconds = 0.2\n'


@dataclass
class Machine:
    """A desk with its Dagster instance and its gateway."""

    place: Place
    instance: dg.DagsterInstance
    gateway: process.Control
    book: BookConfig
    cursor: str | None = None

    def evening(self, day: date) -> None:
        """What happens once a session has closed: the schedule's tick, its run, the sensor's tick, its runs."""
        at = session_close("XNYS", day) + timedelta(minutes=5)
        desk = resource(self.place, at.isoformat())
        repository = defs.get_repository_def()
        ticked = dg.build_schedule_context(
            instance=self.instance,
            scheduled_execution_time=at,
            resources={"desk": desk},
            repository_def=repository,
        )
        with dg.partition_loading_context(dynamic_partitions_store=self.instance):
            asked = after_close.evaluate_tick(ticked).run_requests
        assert [request.run_key for request in asked] == [f"{BOOK}|{day}"]
        done = defs.resolve_job_def("daily").execute_in_process(
            partition_key=asked[0].partition_key,
            tags=dict(asked[0].tags),
            instance=self.instance,
            resources={"desk": desk},
        )
        assert done.success
        self.sensor(desk)

    def evening_sweep(self, day: date) -> None:
        """The sensor's tick before the gateway's midnight, and its runs."""
        at = session_close("XNYS", day) + timedelta(hours=7, minutes=15)
        self.sensor(resource(self.place, at.isoformat()))

    def sensor(self, desk: DeskResource) -> None:
        """One tick of the sensor, and its runs."""
        looked = dg.build_sensor_context(
            self.instance, self.cursor, resources={"desk": desk}, repository_def=defs.get_repository_def()
        )
        for request in approved_orders.evaluate_tick(looked).run_requests:
            placed = defs.resolve_job_def("place_orders").execute_in_process(
                run_config=request.run_config,
                tags=dict(request.tags),
                instance=self.instance,
                resources={"desk": desk},
            )
            assert placed.success
        self.cursor = looked.cursor

    def account(self, day: date) -> list[tuple[date, str, float]]:
        """What the gateway's account holds."""
        held = self.gateway.ask("positions")
        rows = [(day, symbol, units) for symbol, units in held["positions"].items()]
        return [*rows, *((day, f"cash {code}", amount) for code, amount in held["cash"].items())]


@pytest.fixture
def machine(sample: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    place = Place(tmp_path)
    assert sample.lake.path is not None
    shutil.copytree(sample.lake.path, tmp_path / "lake")
    place.add_book(demo_book(str(DAYS[0]), "2012-03-30") + PLACEMENT)
    book = load_book(tmp_path / "books" / f"{BOOK}.toml")
    state = tmp_path / "gateway"
    where = process.start(state, gateway_settings(book, place.lake(), DAYS[0]))
    with (
        here(place, monkeypatch),
        process.control(state) as control,
        dg.DagsterInstance.local_temp(str(tmp_path)) as instance,
    ):
        monkeypatch.setenv("DESK_BROKER__PORT", str(where.port))
        yield Machine(place, instance, control, book)
    process.stop(state)


@pytest.mark.slow
def test_a_book_without_orders_runs_for_days_and_books_what_was_done_by_hand(machine: Machine) -> None:
    text = demo_book(str(DAYS[0]), "2012-03-30") + PLACEMENT
    machine.place.add_book(text.replace("momentum_threshold", "momentum_threshold = 100 #"))
    for number, day in enumerate(DAYS[:3]):
        if number:
            machine.gateway.ask("purge")
            machine.gateway.ask("session", session=day.isoformat(), only=True)
        machine.evening(day)
        if number == 1:
            machine.gateway.ask("trade", symbol="IBM", quantity=3, price=180.0)
            machine.evening_sweep(day)
    lake = machine.place.lake()
    assert delta.read(lake, Orders, where=pl.col("status") == "approved").collect().is_empty()
    fills = delta.read(lake, Fills).collect()
    assert fills.select("session", "symbol", "quantity", "purpose").rows() == [
        (DAYS[2], "IBM", 3.0, "manual")
    ]
    held = delta.read(lake, Portfolio).sort("session").collect()
    assert held["session"].to_list() == DAYS[:3]
    assert held["cash"][-1] == {item: units for _, item, units in machine.account(DAYS[2])}["cash USD"]
    assert delta.read(lake, Halts).collect().is_empty()


@pytest.mark.slow
def test_five_sessions_through_the_whole_machinery_equal_a_backfill(
    machine: Machine, sample: Market, tmp_path: Path
) -> None:
    account = []
    for number, day in enumerate(DAYS):
        if number:
            machine.gateway.ask("session", session=day.isoformat(), only=True)
        machine.evening(day)
        account += machine.account(day)

    backfilled = sample.copy(tmp_path / "backfilled").lake
    research(backfilled, machine.book, DAYS[0], DAYS[-1], "backfill")
    walk(backfilled, machine.book, DAYS[0], DAYS[-1], "backfill")
    ours = compared_frames(backfilled, BOOK, DAYS[0], DAYS[-1])
    theirs = compared_frames(machine.place.lake(), BOOK, DAYS[0], DAYS[-1])
    found = differences(
        {**ours, "account": expected_account(ours, "USD")}, {**theirs, "account": account_rows(account)}
    )
    assert found.is_empty(), found
    assert ours["fills"].height >= 2
    assert ours["portfolio"].height == len(DAYS)

    lake = machine.place.lake()
    approved = delta.read(lake, Orders, where=pl.col("status") == "approved").collect()
    assert {"submit", "modify"} == set(approved["intent"])
    events = delta.read(lake, OrderEvents).collect()
    assert events["source"].unique().to_list() == ["broker"]
    assert set(approved["order_ref"]) == set(events["order_ref"])
    runs = machine.instance.get_runs(dg.RunsFilter(job_name="daily"))
    assert len(runs) == len(DAYS)
