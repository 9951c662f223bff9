"""The writer: one commit replaces exactly its scope, or appends keys that are new."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lake_rows import BY, MONDAY, bars, commit_files, data_files, days, fills, order_events, regimes
from polars.testing import assert_frame_equal

import delta
from delta.contracts import Bars, Fills, Halts, OrderEvents, Regimes, Trades
from delta.writing import FEW


def points(lake: delta.Lake) -> dict[tuple[str, date], float]:
    rows = delta.read(lake, Regimes, columns=["book", "session", "bull_points"]).collect().iter_rows()
    return {(book, session): value for book, session, value in rows}


def test_a_rerun_gives_the_same_rows(lake: delta.Lake) -> None:
    frame = regimes("b", days(5))
    scope = {"book": "b", "session": (MONDAY, MONDAY + timedelta(days=4))}
    first = delta.write(lake, Regimes, frame, scope, BY)
    second = delta.write(lake, Regimes, frame, scope, BY)
    assert (first.version, first.rows, first.replaced) == (1, 5, 0)
    assert (second.version, second.rows, second.replaced) == (2, 5, 5)
    assert second.at > first.at
    assert_frame_equal(delta.read(lake, Regimes).collect(), frame)


ALL = [("a", day) for day in days(4)] + [("b'x", day) for day in days(4)]
SCOPES = [
    ("one book", {"book": "a"}, [row for row in ALL if row[0] == "a"]),
    ("a quote in the name", {"book": "b'x"}, [row for row in ALL if row[0] == "b'x"]),
    ("one session", {"session": MONDAY}, [row for row in ALL if row[1] == MONDAY]),
    ("book and session", {"book": "a", "session": MONDAY}, [("a", MONDAY)]),
    ("a list", {"book": ["a", "b'x"], "session": days(2)}, [row for row in ALL if row[1] in days(2)]),
    ("a range", {"book": "a", "session": (days(4)[1], days(4)[2])}, [("a", day) for day in days(4)[1:3]]),
    (
        "open to the end of time",
        {"book": "a", "session": (days(4)[2], date.max)},
        [("a", d) for d in days(4)[2:]],
    ),
    ("nothing there", {"book": "c"}, []),
]


@pytest.mark.parametrize(("scope", "inside"), [case[1:] for case in SCOPES], ids=[case[0] for case in SCOPES])
def test_exactly_the_scope_is_replaced(
    lake: delta.Lake, scope: dict[str, object], inside: list[tuple[str, date]]
) -> None:
    for book in ("a", "b'x"):
        delta.write(lake, Regimes, regimes(book, days(4), 0.1), {"book": book}, BY)
    kept = inside[1:]
    frames = [regimes(book, session, 0.9) for book, session in kept]
    frame = pl.concat(frames) if frames else regimes("a", []).clear()
    commit = delta.write(lake, Regimes, frame, scope, BY)
    assert commit.replaced == len(inside)
    assert points(lake) == {row: 0.1 for row in ALL if row not in inside} | dict.fromkeys(kept, 0.9)
    # Creation, two books, and one commit for all of it; none where nothing changes.
    assert len(commit_files(lake, "regimes")) == 3 + bool(inside)
    assert commit.version == 2 + bool(inside)


WRONG_SCOPES = [
    (Regimes, {"benchmark": "SPY"}, "benchmark cannot be a scope; use book, session"),
    (Regimes, {}, "an empty scope"),
    (Regimes, {"book": []}, "an empty list names no rows"),
    (Regimes, {"session": (days(2)[1], MONDAY)}, "2024-01-02 comes after 2024-01-01"),
    (Regimes, {"session": (MONDAY, MONDAY, MONDAY)}, r"a range is \(first, last\)"),
    (Regimes, {"session": "2024-01-01"}, "'2024-01-01' is no date"),
    (Regimes, {"session": datetime(2024, 1, 1, tzinfo=UTC)}, "is no date"),
    (Regimes, {"book": 3}, "3 is no str"),
    (Halts, {"book": "b"}, "rows are only appended; write with scope None"),
]


@pytest.mark.parametrize(("table", "scope", "text"), WRONG_SCOPES, ids=[case[2] for case in WRONG_SCOPES])
def test_a_scope_that_does_not_fit_is_refused(
    lake: delta.Lake, table: type[delta.Table], scope: dict[str, object], text: str
) -> None:
    with pytest.raises(delta.ScopeError, match=text):
        delta.write(lake, table, pl.DataFrame(schema=table.schema()), scope, BY)


def test_rows_outside_of_the_scope_are_refused_and_shown(lake: delta.Lake) -> None:
    delta.write(lake, Regimes, regimes("b", days(2)), {"book": "b"}, BY)
    with pytest.raises(
        delta.ScopeError, match=r"1 rows lie outside of the scope \(book b, session 2024-01-0"
    ) as e:
        delta.write(lake, Regimes, regimes("b", days(3)), {"book": "b", "session": (MONDAY, days(2)[1])}, BY)
    assert "datetime.date(2024, 1, 3)" in str(e.value)
    assert delta.resolve(lake, Regimes) == 1


def test_an_empty_frame_empties_its_scope_in_one_commit(lake: delta.Lake) -> None:
    delta.write(lake, Regimes, pl.concat([regimes("a", days(2)), regimes("b", days(3))]), None, BY)
    commit = delta.write(lake, Regimes, regimes("b", []), {"book": "b"}, BY)
    assert (commit.version, commit.rows, commit.replaced) == (2, 0, 3)
    assert set(points(lake)) == {("a", day) for day in days(2)}


def test_what_a_scope_holds_is_told_by_statistics_where_they_can_tell(lake: delta.Lake) -> None:
    first, second, third = days(3)
    for day in (first, third):
        delta.write(lake, Regimes, regimes("b", day), {"book": "b", "session": day}, BY)
    for file in data_files(lake, "regimes"):
        file.unlink()  # a look into it would fail
    assert delta.write(lake, Regimes, regimes("b", []), {"book": "b", "session": second}, BY).version == 2
    commit = delta.write(lake, Regimes, regimes("c", second), {"book": "c", "session": (first, third)}, BY)
    assert (commit.version, commit.rows, commit.replaced) == (3, 1, 0)


def test_names_longer_than_statistics_keep_are_told_apart(lake: delta.Lake) -> None:
    one, other = ("long" * 30 + end for end in "ab")
    for name in (one, other, one):
        commit = delta.write(lake, Regimes, regimes(name, days(2)), {"book": name}, BY)
    assert (commit.rows, commit.replaced) == (2, 2)
    assert set(points(lake)) == {(name, day) for name in (one, other) for day in days(2)}


def test_appending_nothing_commits_nothing(lake: delta.Lake) -> None:
    commit = delta.write(lake, OrderEvents, order_events("b", []), None, BY)
    assert (commit.version, commit.rows) == (-1, 0)
    delta.write(lake, OrderEvents, order_events("b", ["x"]), None, BY)
    assert delta.write(lake, OrderEvents, order_events("b", []), None, BY).version == 1
    assert delta.resolve(lake, OrderEvents) == 1


def test_a_key_that_exists_is_not_appended_again(lake: delta.Lake) -> None:
    delta.write(lake, OrderEvents, order_events("b", ["x", "y", "z"]), None, BY)
    delta.write(lake, OrderEvents, order_events("b", ["x"], sequence=2), None, BY)
    with pytest.raises(delta.ContractError, match="is not in the table already is broken in 1 row") as caught:
        delta.write(lake, OrderEvents, order_events("b", ["w", "y"]), None, BY)
    assert caught.value.violations[0].rows == ({"book": "b", "order_ref": "y", "sequence": 1},)
    assert delta.read(lake, OrderEvents).collect().height == 4


def test_a_key_outside_of_the_replaced_scope_is_seen(lake: delta.Lake) -> None:
    # A fill's key is book and execution, its scope book and session.
    tuesday = days(2)[1]
    delta.write(lake, Fills, fills("b", MONDAY, ["e1", "e2"]), {"book": "b", "session": MONDAY}, BY)
    with pytest.raises(delta.ContractError, match=r"outside of the scope \(book b, session 2024-01-02\)"):
        delta.write(lake, Fills, fills("b", tuesday, ["e2"]), {"book": "b", "session": tuesday}, BY)
    delta.write(lake, Fills, fills("b", MONDAY, ["e2", "e3"]), {"book": "b", "session": MONDAY}, BY)
    delta.write(lake, Fills, fills("b", tuesday, ["e1"]), {"book": "b", "session": tuesday}, BY)
    assert delta.read(lake, Fills).sort("execution_id").collect()["execution_id"].to_list() == [
        "e1",
        "e2",
        "e3",
    ]


def test_existing_keys_are_looked_up_in_the_files_that_may_hold_them(lake: delta.Lake) -> None:
    for ref in ("a", "m", "z"):
        delta.write(lake, OrderEvents, order_events("b", [ref]), None, BY)
    for file in data_files(lake, "order_events"):
        held = pl.read_parquet(file)["order_ref"][0]
        if held != "m":
            file.unlink()  # a look into it would fail
    delta.write(lake, OrderEvents, order_events("b", ["c", "p"]), None, BY)
    with pytest.raises(delta.ContractError):
        delta.write(lake, OrderEvents, order_events("b", ["m"]), None, BY)


def test_a_large_append_is_looked_up_by_its_range(lake: delta.Lake) -> None:
    for k in range(5):
        delta.write(lake, OrderEvents, order_events("b", [f"x{k}{i:05d}" for i in range(3)]), None, BY)
    many = [f"y{i:06d}" for i in range(60_000)]
    assert delta.write(lake, OrderEvents, order_events("b", many), None, BY).rows == 60_000
    again = [*(f"z{i:06d}" for i in range(60_000)), "x300001"]
    with pytest.raises(delta.ContractError, match="broken in 1 row,"):
        delta.write(lake, OrderEvents, order_events("b", again), None, BY)


def test_the_commit_says_who_wrote_what_from_which_inputs(lake: delta.Lake) -> None:
    by = delta.Provenance("run-7", "regimes", "1.2.3", "cafe", {"bars": 12, "sessions": 3})
    before = datetime.now(UTC)
    commit = delta.write(lake, Regimes, regimes("b", days(2)), {"book": "b", "session": days(2)}, by)
    logged = json.loads(commit_files(lake, "regimes")[-1].read_text().splitlines()[0])["commitInfo"]["desk"]
    at = datetime.fromtimestamp(logged.pop("at") / 1e6, UTC)
    assert abs(at - commit.at) < timedelta(microseconds=2)
    assert before <= commit.at <= datetime.now(UTC)
    assert len(logged.pop("write_id")) == 32
    assert logged == {
        "run_id": "run-7",
        "asset": "regimes",
        "code_version": "1.2.3",
        "config_hash": "cafe",
        "inputs": {"bars": 12, "sessions": 3},
        "scope": "book b, session 2024-01-01 or 2024-01-02",
        "rows": 2,
    }


@pytest.mark.parametrize("symbols", [20, FEW // 30 + 1], ids=["few rows", "many rows"])
def test_rows_are_kept_in_the_order_that_prunes_reads(lake: delta.Lake, symbols: int) -> None:
    frame = bars(symbols, 30).sample(fraction=1.0, shuffle=True, seed=3)
    delta.write(lake, Bars, frame, None, BY)
    kept = delta.read(lake, Bars).collect()
    assert_frame_equal(kept, frame.sort(*Bars.sort))


def test_every_type_comes_back_as_it_went_in(lake: delta.Lake) -> None:
    frame = bars(1, 3).with_columns(
        flags=pl.Series([["a", "ü'\"\\"], [], ["\U0001f600" * 50]]),
        known_at=pl.Series([datetime(1990, 1, 1, 0, 0, 0, 1, UTC)] * 3, dtype=Bars.schema()["known_at"]),
        source=pl.Series(["", "\x00", "z" * 100_000]),
        volume=pl.Series([0.0, 1e308, 5e-324]),
    )
    delta.write(lake, Bars, frame, None, BY)
    assert_frame_equal(delta.read(lake, Bars).collect(), frame, check_exact=True)


def test_many_rows_go_into_row_groups_that_statistics_can_tell_apart(lake: delta.Lake) -> None:
    delta.write(lake, Bars, bars(500, 600), None, BY)
    (file,) = data_files(lake, "bars")
    footer = pl.scan_parquet(file).select(pl.len()).collect().item()
    assert footer == 300_000
    assert delta.read(lake, Bars, where=pl.col("session") == date(2010, 1, 5)).collect().height == 500


def test_later_commits_have_later_times_even_if_the_clock_stands_still(lake: delta.Lake) -> None:
    times = [delta.write(lake, Regimes, regimes("b", MONDAY), {"book": "b"}, BY).at for _ in range(4)]
    assert times == sorted(set(times))


def test_the_table_says_how_long_history_is_kept(lake: delta.Lake) -> None:
    delta.write(lake, Trades, pl.DataFrame(schema=Trades.schema()), {"book": "b"}, BY)
    kept = DeltaTable(lake.table_uri("trades")).metadata().configuration
    assert kept["delta.enableExpiredLogCleanup"] == "false"
    assert kept["delta.logRetentionDuration"] == "interval 36500 days"
    assert kept["delta.deletedFileRetentionDuration"] == "interval 36500 days"


books = st.sampled_from(["a", "b", "b'x", "ü%_\\"])
sessions = st.integers(0, 5).map(lambda i: days(6)[i])
writes = st.tuples(
    books,
    st.one_of(sessions, st.tuples(sessions, sessions).map(sorted).map(tuple), st.lists(sessions, min_size=1)),
    st.sets(sessions),
    st.floats(0, 1),
)


@given(st.lists(writes, min_size=1, max_size=5))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_sequence_of_writes_equals_a_dictionary(tmp_path_factory, sequence) -> None:  # type: ignore[no-untyped-def]
    lake = delta.create_lake(tmp_path_factory.mktemp("lake") / "lake")
    expected: dict[tuple[str, date], float] = {}
    for book, session, rows, value in sequence:
        if isinstance(session, tuple):
            inside = {day for day in days(6) if session[0] <= day <= session[1]}
        else:
            inside = set(session) if isinstance(session, list) else {session}
        frame = regimes(book, sorted(rows & inside), value)
        commit = delta.write(lake, Regimes, frame, {"book": book, "session": session}, BY)
        gone = {key for key in expected if key[0] == book and key[1] in inside}
        assert commit.replaced == len(gone)
        expected = {key: old for key, old in expected.items() if key not in gone}
        expected |= {(book, day): value for day in rows & inside}
        assert points(lake) == expected
