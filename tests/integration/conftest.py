"""A desk of its own for each module: books, lake and Dagster home under a temporary folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import dagster as dg
import pytest

from delta import Lake, open_lake
from pipelines.definitions import defs
from resources.desk import DeskResource
from tests.integration.page import Page, serving

ROOT = Path(__file__).resolve().parents[2]
BOOK = "momentum-demo"


@dataclass(frozen=True)
class Place:
    """Where a desk of a test lives."""

    folder: Path

    @property
    def variables(self) -> dict[str, str]:
        """Environment of a process of this desk."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("DESK_", "DAGSTER_"))}
        return kept | {
            "DESK_LAKE": str(self.folder / "lake"),
            "DESK_DAGSTER_HOME": str(self.folder / "home"),
            "DESK_BOOKS": str(self.folder / "books"),
        }

    def lake(self) -> Lake:
        """The desk's lake."""
        return open_lake(self.folder / "lake", create=True)

    def add_book(self, text: str, name: str = BOOK) -> None:
        """Write a book file."""
        (self.folder / "books").mkdir(exist_ok=True)
        (self.folder / "books" / f"{name}.toml").write_text(text, encoding="utf-8")


OwnDesk = tuple[Place, dg.DagsterInstance]


def demo_book(start: str, end: str, **changed: str) -> str:
    """The demonstration book over another range; FB is left out, which was listed in May 2012."""
    text = (ROOT / "config" / "books" / f"{BOOK}.toml").read_text(encoding="utf-8").replace('"FB", ', "")
    lines = {"start": start, "end": end} | changed
    kept = [line for line in text.splitlines() if line.split(" = ")[0] not in lines]
    table = next(at for at, line in enumerate(kept) if line.startswith("["))
    return "\n".join([*kept[:table], *(f"{k} = {v}" for k, v in lines.items()), "", *kept[table:]])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """An empty desk."""
    return Place(tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def page(place: Place) -> Iterator[Page]:
    """The desk's page and daemon as ``desk ui`` starts them."""
    with serving(place.variables, ROOT, place.folder / "ui.log") as started:
        yield started


@pytest.fixture
def own_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnDesk]:
    """A desk for a single test in this process, and a Dagster instance in memory."""
    place = Place(tmp_path)
    with here(place, monkeypatch), dg.DagsterInstance.ephemeral() as instance:
        yield place, instance


@pytest.fixture(scope="module")
def disk_instance() -> Iterator[dg.DagsterInstance]:
    """A Dagster instance on disk: a schedule opens it by its address."""
    with dg.instance_for_test() as made:
        yield made


@pytest.fixture
def desk(disk_instance: dg.DagsterInstance, own_desk: OwnDesk) -> OwnDesk:
    """An empty desk of the test's own, for schedules."""
    return own_desk[0], disk_instance


def tick(own: OwnDesk, schedule: dg.ScheduleDefinition, at: datetime) -> dg.ScheduleExecutionData:
    """What a schedule asks for at a time."""
    place, instance = own
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=at,
        resources={"desk": resource(place)},
        repository_def=defs.get_repository_def(),
    )
    with dg.partition_loading_context(dynamic_partitions_store=instance):
        return schedule.evaluate_tick(context)


@contextmanager
def here(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make this process one of the desk's."""
    for name in [name for name in os.environ if name.startswith(("DESK_", "DAGSTER_"))]:
        monkeypatch.delenv(name)
    for name, value in place.variables.items():
        if name.startswith("DESK_"):
            monkeypatch.setenv(name, value)
    yield


def resource(place: Place, now: str = "", lake: str = "") -> DeskResource:
    """The desk as Dagster gets it, at a fixed time; with another lake on request."""
    return DeskResource(lake_uri=lake or str(place.folder / "lake"), fixed_now=now)
