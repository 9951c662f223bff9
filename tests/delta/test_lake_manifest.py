"""The manifest says which versions a step read and wrote, and lets it be replayed from them."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from lake_rows import BY, MONDAY, days, regimes

import delta
from delta import RunRecord
from delta.contracts import Regimes


def step(run_id: str = "run-1", name: str = "signals", **columns: object) -> RunRecord:
    values: dict[str, object] = {
        "reads": {"bars": 3},
        "writes": {"signals": 1},
        "code_version": "1.0",
        "config_hash": "cafe",
        "book": "b",
        "first_session": MONDAY,
        "last_session": days(5)[4],
    }
    return RunRecord(run_id, name, **{**values, **columns})  # type: ignore[arg-type]


def test_a_step_is_recorded_as_it_was(lake: delta.Lake) -> None:
    before = datetime.now(UTC)
    delta.record_run(lake, step(reads={"bars": 3, "orders": -1}))
    found = delta.run_of(lake, run_id="run-1")
    assert found is not None
    assert (found.reads, found.writes) == ({"bars": 3, "orders": -1}, {"signals": 1})
    assert (found.book, found.first_session, found.last_session) == ("b", MONDAY, days(5)[4])
    assert found.known_at is not None
    assert before <= found.known_at <= datetime.now(UTC)
    assert delta.runs(lake).select("run_id", "step", "reads").rows() == [
        ("run-1", "signals", '{"bars": 3, "orders": -1}')
    ]


def test_market_steps_have_no_book_and_no_sessions(lake: delta.Lake) -> None:
    record = step(book=None, first_session=None, last_session=None, config_hash=None, reads={})
    delta.record_run(lake, record)
    found = delta.run_of(lake, step="signals")
    assert found is not None
    assert (found.book, found.first_session, found.config_hash, found.reads) == (None, None, None, {})
    assert delta.run_of(lake, session=MONDAY) is None


FOUND = [
    ({"run_id": "run-1"}, ("run-1", "orders")),
    ({"step": "signals"}, ("run-3", "signals")),
    ({"step": "signals", "book": "b"}, ("run-1", "signals")),
    ({"book": "b", "session": days(5)[2]}, ("run-1", "orders")),
    ({"book": "b", "session": days(9)[8]}, ("run-2", "orders")),
    ({"run_id": "run-4"}, None),
    ({"session": days(30)[29]}, None),
]


@pytest.mark.parametrize(("wanted", "expected"), FOUND)
def test_the_newest_step_that_matches_is_found(lake, wanted, expected) -> None:  # type: ignore[no-untyped-def]
    delta.record_run(lake, step("run-2", "orders", first_session=days(9)[7], last_session=days(9)[8]))
    delta.record_run(lake, step("run-1", "signals"))
    delta.record_run(lake, step("run-1", "orders"))
    delta.record_run(lake, step("run-3", "signals", book="other", first_session=None, last_session=None))
    found = delta.run_of(lake, **wanted)
    assert (found and (found.run_id, found.step)) == expected
    assert delta.runs(lake)["run_id"].to_list() == ["run-3", "run-1", "run-1", "run-2"]


def test_a_step_is_replayed_from_the_versions_it_saw(lake: delta.Lake) -> None:
    delta.write(lake, Regimes, regimes("b", days(2), 0.1), {"book": "b"}, BY)
    pins = delta.pin(lake, ["regimes", "bars"])
    delta.record_run(lake, step(reads=pins.versions))
    delta.write(lake, Regimes, regimes("b", days(2), 0.9), {"book": "b"}, BY)
    found = delta.run_of(lake, run_id="run-1")
    assert found is not None
    replay = found.pins(lake)
    assert replay.versions == pins.versions == {"regimes": 1, "bars": -1}
    assert replay.read("regimes").collect()["bull_points"].to_list() == [0.1, 0.1]
    assert replay.read("bars").collect().is_empty()


def test_the_manifest_itself_can_be_read_as_of_a_time(lake: delta.Lake) -> None:
    first = delta.record_run(lake, step("run-1"))
    delta.record_run(lake, step("run-2"))
    assert delta.runs(lake, first.at)["run_id"].to_list() == ["run-1"]
    assert delta.run_of(lake, run_id="run-2", as_of=first.at) is None


def test_every_version_that_a_run_names_is_referenced(lake: delta.Lake) -> None:
    assert delta.referenced_versions(lake) == {}
    delta.record_run(lake, step("run-1", reads={"bars": 3, "orders": -1}, writes={"signals": 1}))
    delta.record_run(lake, step("run-2", reads={"bars": 4}, writes={"signals": 1, "orders": 0}))
    assert delta.referenced_versions(lake) == {"bars": {3, 4}, "signals": {1}, "orders": {0}}


def test_two_steps_of_one_run_at_one_time_are_one_key_each(lake: delta.Lake) -> None:
    at = datetime(2024, 1, 2, tzinfo=UTC)
    delta.record_run(lake, step("run-1", "signals", known_at=at))
    delta.record_run(lake, step("run-1", "orders", known_at=at))
    with pytest.raises(delta.ContractError, match="is not in the table already"):
        delta.record_run(lake, step("run-1", "orders", known_at=at))
    assert delta.runs(lake).filter(pl.col("known_at") == at).height == 2
