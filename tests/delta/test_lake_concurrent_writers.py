"""Writers in several processes: nothing is lost, no key is written twice, and who loses is told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from lake_rows import BY, MONDAY, Rival, answer, days, fills, order_events, regimes, run_python

import delta
from delta import writing
from delta.contracts import Fills, OrderEvents, Regimes

RACER = """
import sys
import delta
from delta.contracts import OrderEvents, Regimes
from lake_rows import BY, days, order_events, regimes
lake, me, kind = delta.open_lake(sys.argv[1]), sys.argv[2], sys.argv[3]
print("ready", flush=True)
sys.stdin.readline()
refused = 0
for i, day in enumerate(days(12)):
    try:
        if kind == "append":
            delta.write(lake, OrderEvents, order_events("b", [f"{me}{i}"]), None, BY)
        elif kind == "same keys":
            event = order_events("b", [f"{i}"], source=["broker", "person"][int(me)])
            delta.write(lake, OrderEvents, event, None, BY)
        elif kind == "own book":
            delta.write(lake, Regimes, regimes(me, day), {"book": me, "session": day}, BY)
        else:
            delta.write(lake, Regimes, regimes("b", days(5), float(me)), {"book": "b"}, BY)
    except delta.ContractError:
        refused += 1
print(refused)
"""


def race(lake: delta.Lake, kind: str) -> list[int]:
    """Two processes write 12 commits each, begun together; returns how many each was refused."""
    racers = [run_python(RACER, lake.uri, me, kind) for me in range(2)]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    return [int(answer(racer)) for racer in racers]


def test_appends_of_two_processes_are_all_kept(lake: delta.Lake) -> None:
    assert race(lake, "append") == [0, 0]
    kept = delta.read(lake, OrderEvents).collect()
    assert set(kept["order_ref"]) == {f"{me}{i}" for me in range(2) for i in range(12)}
    assert kept.height == 24
    times = delta.history(lake, OrderEvents).sort("version")["committed_at"]
    assert times.is_sorted()
    assert times.n_unique() == len(times)


def test_replacements_of_other_scopes_are_all_kept(lake: delta.Lake) -> None:
    assert race(lake, "own book") == [0, 0]
    kept = delta.read(lake, Regimes).collect()
    assert set(kept.select("book", "session").iter_rows()) == {(b, day) for b in "01" for day in days(12)}
    assert kept.height == 24


def test_of_two_writers_of_one_key_one_is_refused(lake: delta.Lake) -> None:
    refused = race(lake, "same keys")
    kept = delta.read(lake, OrderEvents).collect()
    assert kept.height == kept["order_ref"].n_unique() == 12
    written = [kept.filter(source=source).height for source in ("broker", "person")]
    assert written == [12 - count for count in refused]


def test_replacements_of_one_scope_leave_one_of_them_whole(lake: delta.Lake) -> None:
    race(lake, "same scope")
    for version in range(1, delta.resolve(lake, Regimes) + 1):
        kept = delta.read(lake, Regimes, version).collect()
        assert kept["session"].to_list() == days(5)
        assert kept["bull_points"].n_unique() == 1


def test_a_beaten_writer_tries_again_from_the_newest_version(lake: delta.Lake) -> None:
    def rival() -> None:
        delta.write(lake, Regimes, regimes("rival", MONDAY), {"book": "rival"}, BY)

    by = delta.Provenance("run-2", "test", "1", inputs=Rival(rival, times=3))
    commit = delta.write(lake, Regimes, regimes("b", days(2)), {"book": "b"}, by)
    assert commit.version == 4  # creation is 0, and each of the rival's three commits comes first
    assert set(delta.read(lake, Regimes).collect()["book"]) == {"b", "rival"}


def test_the_replaced_scope_is_looked_at_again_after_a_lost_attempt(lake: delta.Lake) -> None:
    delta.write(lake, Regimes, regimes("b", days(1), 0.1), {"book": "b"}, BY)

    def rival() -> None:
        delta.write(lake, Regimes, regimes("b", days(4), 0.9), {"book": "b"}, BY)

    by = delta.Provenance("run-2", "test", "1", inputs=Rival(rival, times=1))
    commit = delta.write(lake, Regimes, regimes("b", days(2), 0.2), {"book": "b"}, by)
    assert commit.replaced == 4
    assert delta.read(lake, Regimes).collect()["bull_points"].to_list() == [0.2, 0.2]


def test_a_key_that_a_rival_wrote_in_between_is_refused(lake: delta.Lake) -> None:
    def append() -> None:
        delta.write(lake, OrderEvents, order_events("b", ["x"], source="broker"), None, BY)

    by = delta.Provenance("run-2", "test", "1", inputs=Rival(append, times=1))
    with pytest.raises(delta.ContractError, match="is not in the table already"):
        delta.write(lake, OrderEvents, order_events("b", ["x", "y"]), None, by)
    assert delta.read(lake, OrderEvents).collect()["source"].to_list() == ["broker"]


def test_a_key_that_a_rival_wrote_outside_of_the_scope_is_refused(lake: delta.Lake) -> None:
    tuesday = MONDAY + timedelta(days=1)

    def book_it() -> None:
        delta.write(lake, Fills, fills("b", MONDAY, ["e1"]), {"book": "b", "session": MONDAY}, BY)

    by = delta.Provenance("run-2", "test", "1", inputs=Rival(book_it, times=1))
    with pytest.raises(delta.ContractError, match="outside of the scope"):
        delta.write(lake, Fills, fills("b", tuesday, ["e1"]), {"book": "b", "session": tuesday}, by)
    assert delta.read(lake, Fills).collect().height == 1


def test_who_is_always_beaten_is_told_after_a_bounded_number_of_attempts(
    lake: delta.Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "ATTEMPTS", 4)

    def rival() -> None:
        delta.write(lake, Regimes, regimes("rival", MONDAY), {"book": "rival"}, BY)

    inputs = Rival(rival)
    by = delta.Provenance("run-2", "test", "1", inputs=inputs)
    with pytest.raises(delta.ConcurrentWriteError, match="other writers won 4 attempts, nothing written"):
        delta.write(lake, Regimes, regimes("b", days(2)), {"book": "b"}, by)
    assert inputs.times == 10**9 - 4
    assert set(delta.read(lake, Regimes).collect()["book"]) == {"rival"}
