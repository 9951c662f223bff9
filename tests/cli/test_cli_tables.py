"""``desk query``, ``history``, ``diff``, ``export``, ``maintain``: the tables of the lake and their past."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from delta import Provenance, create_lake, history, sql, write
from delta.contracts import Halts
from pipelines.cli.exits import InputError
from pipelines.cli.output import print_frame, print_json
from pipelines.cli.times import instant, table_versions, version_or_instant

from .conftest import Desk

QUERY = "select action, reason from halts order by known_at"


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Lake in which ``halts`` has two rows at version 1 and three at version 2."""
    opened = create_lake(tmp_path / "lake")
    for number, reasons in enumerate([["first", "second"], ["third"]]):
        rows = [
            {
                "book": "*",
                "action": "halt",
                "reason": reason,
                "person": "me",
                "known_at": _at(number, position),
            }
            for position, reason in enumerate(reasons)
        ]
        write(
            opened,
            Halts,
            pl.DataFrame(rows, schema=Halts.schema()),
            None,
            Provenance(f"run{number}", "test", "1"),
        )
    return tmp_path / "lake"


def _at(day: int, second: int) -> datetime:
    return datetime(2020, 1, 1 + day, 12, 0, second, tzinfo=UTC)


def test_query_in_every_form(desk: Desk, lake: Path) -> None:
    table = desk("query", QUERY)
    assert (table.returncode, table.stderr) == (0, "")
    assert table.stdout == "action  reason\nhalt    first\nhalt    second\nhalt    third\n"
    rows = json.loads(desk("query", QUERY, "--json").stdout)
    assert rows == [{"action": "halt", "reason": reason} for reason in ("first", "second", "third")]
    as_csv = desk("query", "-", "--as", "csv", stdin=QUERY).stdout
    assert list(csv.DictReader(io.StringIO(as_csv))) == rows


TYPES = """
select cast(1 as tinyint) tiny, cast(2 as bigint unsigned) large, 1.5 number, 'nan'::double nothing,
  arrow_cast(1.25, 'Float32') small, arrow_cast(3, 'Decimal128(10,2)') exact, date '2020-01-01' day,
  timestamp '2020-01-01 10:00:00.123456789' fine, time '10:11:12' clock, true yes, null as none, 'ä' text,
  arrow_cast(timestamp '2020-01-01', 'Timestamp(Microsecond, Some("UTC"))') instant, [1, null] list,
  timestamp '2020-01-02' - timestamp '2020-01-01' passed, arrow_cast('x', 'Dictionary(Int32, Utf8)') code,
  named_struct('a', 1, 'b', 'x') nested, arrow_cast('x', 'Binary') bytes
union all select tiny, large, null, null, null, null, null, null, null, null, null, null, null, [],
  null, null, null, null from (select cast(4 as tinyint) tiny, cast(5 as bigint unsigned) large)
"""


def test_an_answer_is_printed_as_the_frame_of_it_would_be(
    desk: Desk, lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = sql(create_lake(lake), TYPES)
    table, as_json = desk("query", TYPES), desk("query", TYPES, "--json")
    capsys.readouterr()
    print_frame(frame)
    assert table.stdout == capsys.readouterr().out
    print_json(frame)
    assert as_json.stdout == capsys.readouterr().out
    assert len(json.loads(as_json.stdout)) == 2


def test_a_long_answer_is_cut_and_says_so(desk: Desk, lake: Path) -> None:
    done = desk("query", QUERY, "--rows", "1")
    assert done.stdout == "action  reason\nhalt    first\n"
    assert done.stderr == "2 more rows; --rows 0 shows all\n"


def test_query_as_of_a_version_and_a_time(desk: Desk, lake: Path) -> None:
    def count(*arguments: str) -> int:
        return int(
            json.loads(desk("query", "select count(*) n from halts", "--json", *arguments).stdout)[0]["n"]
        )

    committed = dict(history(create_lake(lake), "halts").select("version", "committed_at").iter_rows())
    assert count() == 3
    assert count("--version", "1") == count("--version", "halts=1") == 2
    assert count("--as-of", committed[1].isoformat()) == 2
    assert count("--as-of", "2001-01-01") == 0
    both = "select (select count(*) from halts@1) a, (select count(*) from halts) b"
    assert json.loads(desk("query", both, "--json").stdout) == [{"a": 2, "b": 3}]


REFUSED = [
    (("query", "select * from halt"), 3, "desk: no table 'halt'; did you mean halts or alerts?"),
    (("query", "select actoin from halts"), 3, "desk: no column 'actoin'; did you mean action?"),
    (("query", "delete from halts"), 3, "desk: 'delete' is refused: a query only reads, and begins with"),
    (("query", QUERY, "--as-of", "noon"), 3, "desk: 'noon' is no time; write 2020-01-31 or"),
    (("query", QUERY, "--version", "x"), 3, "desk: 'x' is no version; write 12 or orders=12"),
    (("query", QUERY, "--version", "9"), 3, "desk: halts has no version 9; it has versions 0 to 2"),
    (
        ("query", QUERY, "--version", "1", "--as-of", "2020-01-01"),
        3,
        "desk: --as-of and --version say different",
    ),
    (("history", "halt"), 3, "desk: no table 'halt'; did you mean"),
    (("diff", "halts", "0", "9"), 3, "desk: halts has no version 9"),
    (
        ("export", "halts", "--as", "parquet", "--to", "x.csv"),
        3,
        "desk: x.csv: --as parquet writes a file that ends",
    ),
    (("export", "halts", "--version", "orders=1"), 3, "desk: export writes one version of halts"),
    (
        ("maintain", "--unreferenced"),
        5,
        "desk: --unreferenced gives up versions for good; look with --dry-run",
    ),
]


@pytest.mark.parametrize(("arguments", "code", "line"), REFUSED, ids=[" ".join(case[0]) for case in REFUSED])
def test_what_is_refused(desk: Desk, lake: Path, arguments: tuple[str, ...], code: int, line: str) -> None:
    done = desk(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1


def test_history_of_one_table_and_of_all(desk: Desk, lake: Path) -> None:
    commits = json.loads(desk("history", "halts", "--json").stdout)
    assert [(row["version"], row["run_id"], row["rows"]) for row in commits][:2] == [
        (2, "run1", 1),
        (1, "run0", 2),
    ]
    assert len(json.loads(desk("history", "halts", "--limit", "1", "--json").stdout)) == 1
    overview = json.loads(desk("history", "--json").stdout)
    assert [(row["table"], row["version"]) for row in overview] == [("halts", 2)]


def test_differences(desk: Desk, lake: Path) -> None:
    done = desk("diff", "halts", "1", "2")
    assert done.stdout.splitlines()[1].split() == [
        *["*", "2020-01-02", "12:00:00+00:00", "added", "action", "halt,", "reason", "third,", "person", "me"]
    ]
    assert [row["change"] for row in json.loads(desk("diff", "halts", "2", "1", "--json").stdout)] == [
        "removed"
    ]
    assert desk("diff", "halts", "2", "2").stderr == "no differences\n"


def test_export(desk: Desk, lake: Path, tmp_path: Path) -> None:
    assert desk("export", "halts").stderr == "3 rows written to halts.csv\n"
    assert pl.read_csv(tmp_path / "halts.csv").height == 3
    done = desk("export", "halts", "--as", "parquet", "--to", "old/halts.parquet", "--version", "1")
    assert (done.returncode, done.stdout) == (0, "")
    assert pl.read_parquet(tmp_path / "old" / "halts.parquet").height == 2
    assert desk("query", QUERY, "--to", "answer.csv").stderr == "3 rows written to answer.csv\n"
    assert pl.read_csv(tmp_path / "answer.csv")["reason"].to_list() == ["first", "second", "third"]


def test_maintenance_keeps_every_version(desk: Desk, lake: Path) -> None:
    done = desk("maintain", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["checkpoints"] == {"halts": 2}
    assert json.loads(desk("query", "select count(*) n from halts@1", "--json").stdout) == [{"n": 2}]
    assert "would be removed" in desk("maintain", "--dry-run").stderr


def test_times_and_versions_of_arguments() -> None:
    assert instant("2020-01-31") == datetime(2020, 1, 31, 23, 59, 59, 999999, tzinfo=UTC)
    assert instant("2020-01-31T10:00") == datetime(2020, 1, 31, 10, tzinfo=UTC)
    assert instant("2020-01-31T10:00+02:00") == datetime(2020, 1, 31, 8, tzinfo=UTC)
    assert version_or_instant("12") == 12
    assert table_versions(["12"]) == (12, {})
    assert table_versions(["orders=1", "orders=3", "bars=2"]) == (None, {"orders": (1, 3), "bars": (2,)})
    with pytest.raises(InputError, match="no version"):
        table_versions(["orders="])
