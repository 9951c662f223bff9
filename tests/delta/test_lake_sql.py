"""SQL over all tables at any version; it only reads, and a mistake is answered in one line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from lake_rows import BY, KNOWN, bars, commit_files, days, regimes

import delta
from delta.contracts import TABLES, Bars, Regimes, Table


@pytest.fixture
def filled(lake: delta.Lake) -> delta.Lake:
    """Versions 1 (0.1), 2 (0.2) and 3 (0.2, and book a added) of regimes; one version of bars."""
    delta.write(lake, Regimes, regimes("b", days(3), 0.1), {"book": "b"}, BY)
    delta.write(lake, Regimes, regimes("b", days(3), 0.2), {"book": "b"}, BY)
    delta.write(lake, Regimes, regimes("a", days(2), 0.3), {"book": "a"}, BY)
    delta.write(lake, Bars, bars(3, 4), None, BY)
    return lake


ANSWERS = [
    ("select count(*) as n from regimes", [(5,)]),
    ("SELECT Book, count(*) n FROM Regimes@3 GROUP BY BOOK ORDER BY book", [("a", 2), ("b", 3)]),
    ("select distinct bull_points from regimes@1", [(0.1,)]),
    ("select distinct bull_points from regimes_v2;", [(0.2,)]),
    ("select count(*) from regimes@0", [(0,)]),
    (
        "select sum(n.bull_points - o.bull_points) > 0.29 from regimes n "
        "join regimes@1 o using (book, session)",
        [(True,)],
    ),
    ("select book from regimes@3 except select book from regimes@2", [("a",)]),
    ("select 'regimes@1' as name, 'it''s; -- no comment' as other", [("regimes@1", "it's; -- no comment")]),
    ("select count(*) from regimes -- where book = 'a'; drop table regimes", [(5,)]),
    ("select count(*) from regimes /* ; */ where session = '2024-01-02'", [(2,)]),
    ("with few as (select * from regimes where book = 'a') select count(*) from few", [(2,)]),
    ("select count(*) from regimes where known_at = timestamp '2024-01-01T21:00:00Z'", [(5,)]),
    ("select count(*) from regimes where session between date '2024-01-02' and date '2024-01-03'", [(3,)]),
    ("select count(*) from trades", [(0,)]),
    ("select b.symbol from bars b join regimes r on r.book = b.symbol", []),
    ("values (1), (2)", [(1,), (2,)]),
    ("(select 1 as x)", [(1,)]),
]


@pytest.mark.parametrize(("statement", "rows"), ANSWERS, ids=[case[0] for case in ANSWERS])
def test_a_statement_is_answered(filled: delta.Lake, statement: str, rows: list[tuple[object, ...]]) -> None:
    assert delta.sql(filled, statement).rows() == rows


def test_as_of_holds_for_all_tables_and_versions_for_one(filled: delta.Lake) -> None:
    statement = "select (select max(bull_points) from regimes) r, (select count(*) from bars) b"
    at = delta.history(filled, Regimes).filter(version=2)["committed_at"][0]
    assert delta.sql(filled, statement, as_of=at).rows() == [(0.2, 0)]
    assert delta.sql(filled, statement, as_of=at, versions={"bars": 1}).rows() == [(0.2, 12)]
    assert delta.sql(filled, statement, versions={"regimes": 1}).rows() == [(0.1, 12)]
    long_ago = datetime(2001, 1, 1, tzinfo=UTC)
    assert delta.sql(filled, statement, as_of=long_ago).rows() == [(None, 0)]
    two = "select max(o.bull_points), max(n.bull_points) from regimes_v1 o, regimes_v2 n"
    assert delta.sql(filled, two, versions={"regimes": (1, 2)}).rows() == [(0.1, 0.2)]


MISTAKES = [
    ("select * from regims", "no table 'regims'; did you mean regimes"),
    ("select * from nothing_like_it", "no table 'nothing_like_it'; there are alerts, bars,"),
    ("select bul_points from regimes", "no column 'bul_points'; did you mean bull_points"),
    ("select r.bul_points from regimes r", "no column 'r.bul_points'; did you mean bull_points"),
    ("select book frm regimes where", "Expected"),
    ("selec 1", "'selec' is refused: a query only reads"),
    ("select nosuch(1) from regimes", "nosuch"),
    ("", "an empty statement"),
    ("-- only a comment", "an empty statement"),
    ("select 1; select 2", "more than one statement"),
    ("select * from regimes@9", "regimes has no version 9; it has versions 0 to 3"),
    ("select interval '1 day' as wait", "wait is an interval of months, days and time"),
    ("select [interval '1 day'] as waits", "waits is an interval of months, days and time"),
]


@pytest.mark.parametrize(("statement", "text"), MISTAKES, ids=[case[0] for case in MISTAKES])
def test_a_mistake_is_answered_in_one_line(filled: delta.Lake, statement: str, text: str) -> None:
    with pytest.raises((delta.QueryError, delta.UnknownVersionError)) as caught:
        delta.sql(filled, statement)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_table_in_versions_is_named(filled: delta.Lake) -> None:
    with pytest.raises(delta.UnknownTableError, match="did you mean regimes"):
        delta.sql(filled, "select 1", versions={"regims": 1})


WRITING = [
    "insert into regimes select * from regimes",
    "delete from regimes",
    "update regimes set bull_points = 1",
    "drop table regimes",
    "create table x as select 1",
    "create external table x stored as csv location '/etc/hostname'",
    "copy (select 1) to '{folder}/out.csv'",
    "explain analyze copy (select 1) to '{folder}/out.csv'",
    "explain insert into regimes select * from regimes",
    "set datafusion.execution.batch_size = 1",
    "truncate table regimes",
]


@pytest.mark.parametrize("statement", WRITING)
def test_a_query_only_reads(filled: delta.Lake, tmp_path: Path, statement: str) -> None:
    before = commit_files(filled, "regimes")
    with pytest.raises(delta.QueryError, match="a query only reads"):
        delta.sql(filled, statement.format(folder=tmp_path))
    assert commit_files(filled, "regimes") == before
    assert not (tmp_path / "out.csv").exists()


def test_files_cannot_be_reached(filled: delta.Lake, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with pytest.raises(delta.QueryError):
        delta.sql(filled, f"select * from '{tmp_path}/secret.csv'")


def test_types_are_those_of_the_lake(filled: delta.Lake) -> None:
    answer = delta.sql(
        filled,
        "select n.*, o.close, row_number() over (order by n.symbol) as rank, "
        "date_trunc('month', n.session) as month, cast(1 as smallint) as small "
        "from bars n join bars o on n.symbol = o.symbol and n.session = o.session",
    )
    schema = dict(answer.schema)
    assert {name: schema.pop(name) for name in Bars.columns()} == dict(Bars.schema())
    assert schema == {
        "close_2": pl.Float64(),
        "rank": pl.Int64(),
        "month": pl.Datetime("us"),
        "small": pl.Int64(),
    }
    assert answer["known_at"].unique().to_list() == [KNOWN]


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_every_table_without_rows_has_its_columns(lake: delta.Lake, table: type[Table]) -> None:
    answer = delta.sql(lake, f"select * from {table.name}")
    assert answer.schema == table.schema()
    assert answer.is_empty()


def test_a_time_is_compared_to_the_microsecond(lake: delta.Lake) -> None:
    known = datetime(2024, 1, 1, 21, 0, 0, 999, tzinfo=UTC)
    delta.write(lake, Bars, bars(1, 1, known), None, BY)
    delta.write(lake, Bars, bars(1, 1, known + timedelta(microseconds=1)), None, BY)
    for condition, count in (
        (f"known_at = '{known.isoformat()}'", 1),
        (f"known_at > '{known.isoformat()}'", 1),
        (f"known_at >= '{known.isoformat()}'", 2),
        (f"known_at < '{known.isoformat()}'", 0),
    ):
        assert delta.sql(lake, f"select count(*) from bars where {condition}").item() == count, condition
