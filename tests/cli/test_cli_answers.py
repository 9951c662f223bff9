"""Answers about the past: any version and time, two of them side by side, why an order, and again."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

import delta
from delta import Provenance, write
from delta.contracts import Bars, Portfolio, Positions
from tests.assets.walks import rows

from .shell import Shell

COUNT = "select count(*) as n from {table}"


def count(shell: Shell, table: str, *arguments: str) -> int:
    """Rows of a table as a query sees them."""
    return int(shell.desk("query", COUNT.format(table=table), "--json", *arguments).json[0]["n"])


def commits(shell: Shell, table: str) -> dict[int, datetime]:
    """Time of each version of a table."""
    found = shell.desk("history", table, "--json").json
    return {row["version"]: datetime.fromisoformat(row["committed_at"]) for row in found}


def references(shell: Shell, where: str) -> list[str]:
    """References of orders, the oldest first."""
    statement = f"select order_ref from orders where {where} order by session, order_ref"
    return [row["order_ref"] for row in shell.desk("query", statement, "--json").json]


# --------------------------------------------------------------------------------------- versions and times


def test_a_table_at_each_of_its_versions(walked_shell: Shell) -> None:
    """``hold`` was walked after ``eager``: version 1 knows one book, version 2 both."""
    both = (
        rows(walked_shell.lake, "portfolio", "eager").height,
        rows(walked_shell.lake, "portfolio", "hold").height,
    )
    assert count(walked_shell, "portfolio", "--version", "portfolio=0") == 0
    assert count(walked_shell, "portfolio", "--version", "portfolio=1") == both[0]
    assert (
        count(walked_shell, "portfolio", "--version", "portfolio=2")
        == count(walked_shell, "portfolio")
        == sum(both)
    )
    assert count(walked_shell, "portfolio@1") == both[0]


def test_a_time_means_what_had_been_committed_by_then(walked_shell: Shell) -> None:
    tick = timedelta(microseconds=1)
    for version, at in commits(walked_shell, "portfolio").items():
        here = count(walked_shell, "portfolio", "--version", f"portfolio={version}")
        assert count(walked_shell, "portfolio", "--as-of", at.isoformat()) == here
        before = count(walked_shell, "portfolio", "--as-of", (at - tick).isoformat())
        earlier = count(walked_shell, "portfolio", "--version", f"portfolio={version - 1}") if version else 0
        assert before == earlier


def test_a_time_holds_for_every_table_of_the_statement(walked_shell: Shell) -> None:
    """Between the two books, each table is as the first one left it."""
    before = min(at for version, at in commits(walked_shell, "signals").items() if version == 2)
    at = (before - timedelta(microseconds=1)).isoformat()
    for table in ("orders", "fills", "portfolio", "positions", "signals", "books"):
        found = walked_shell.desk("query", f"select distinct book from {table}", "--json", "--as-of", at).json
        assert found == [{"book": "eager"}], table


ZONES = ["+00:00", "-05:00", "+05:30", "Z"]


@pytest.mark.parametrize("zone", ZONES)
def test_a_time_may_be_told_in_any_zone(walked_shell: Shell, zone: str) -> None:
    at = commits(walked_shell, "portfolio")[1]
    told = {"+00:00": at, "Z": at}.get(zone) or at.astimezone(
        datetime.fromisoformat(f"2020-01-01T00:00{zone}").tzinfo
    )
    text = told.isoformat().replace("+00:00", "Z") if zone == "Z" else told.isoformat()
    assert text.endswith(zone)
    expected = count(walked_shell, "portfolio", "--version", "portfolio=1")
    assert count(walked_shell, "portfolio", "--as-of", text) == expected


def test_a_date_means_its_end(walked_shell: Shell) -> None:
    day = commits(walked_shell, "portfolio")[2].date()
    assert count(walked_shell, "portfolio", "--as-of", day.isoformat()) == count(walked_shell, "portfolio")
    assert count(walked_shell, "portfolio", "--as-of", (day - timedelta(days=1)).isoformat()) == 0


def test_two_versions_side_by_side(walked_shell: Shell) -> None:
    statement = """
        select n.book, count(*) as sessions, count(o.equity) as known
        from portfolio@2 n left join portfolio@1 o on n.book = o.book and n.session = o.session
        group by n.book order by n.book
    """
    eager = rows(walked_shell.lake, "portfolio", "eager").height
    hold = rows(walked_shell.lake, "portfolio", "hold").height
    assert walked_shell.desk("query", statement, "--json").json == [
        {"book": "eager", "sessions": eager, "known": eager},
        {"book": "hold", "sessions": hold, "known": 0},
    ]
    named = walked_shell.desk(
        "query",
        "select (select count(*) from portfolio_v1) a, (select count(*) from portfolio_v2) b",
        "--version",
        "portfolio=1",
        "--version",
        "portfolio=2",
        "--json",
    )
    assert named.json == [{"a": eager, "b": eager + hold}]


STATEMENTS: Mapping[str, tuple[str, list[dict[str, Any]]]] = {
    "a window": (
        "select session, equity - lag(equity) over (order by session) as change from portfolio "
        "where book = 'hold' order by session limit 1",
        [{"session": "2004-06-01", "change": None}],
    ),
    "a common table expression": (
        "with a as (select book, max(equity) as top from portfolio group by book) select count(*) as n from a",
        [{"n": 2}],
    ),
    "a union": ("select 1 as x union all select 2 order by x", [{"x": 1}, {"x": 2}]),
    "names twice": (
        "select a.x, b.x from (select 1 as x) a, (select 2 as x) b",
        [{"x": 1, "x_2": 2}],
    ),
    "words in a string": ("select 'portfolio@99' as x", [{"x": "portfolio@99"}]),
    "a comment": ("select 1 as x -- from portfolio@99", [{"x": 1}]),
    "a name in capitals": ("SELECT COUNT(*) AS n FROM Books", [{"n": 2}]),
    "a semicolon at the end": ("select 1 as x;", [{"x": 1}]),
    "dates": (
        "select min(session) as first, max(session) as last from portfolio where book = 'hold'",
        [{"first": "2004-06-01", "last": "2004-12-31"}],
    ),
    "truth": ("select 1 = 1 as x, null as y", [{"x": True, "y": None}]),
    "nothing": ("select symbol from trades where symbol = 'NOPE'", []),
    "values": ("values (1, 'a')", [{"column1": 1, "column2": "a"}]),
    "no table": ("select 0.1 + 0.2 as x", [{"x": pytest.approx(0.3)}]),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_statements_of_many_kinds(walked_shell: Shell, name: str) -> None:
    statement, expected = STATEMENTS[name]
    done = walked_shell.desk("query", statement, "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json == expected
    assert walked_shell.desk("query", "-", "--json", stdin=statement).json == expected


def test_what_is_exported_is_what_is_queried(walked_shell: Shell, tmp_path: Any) -> None:
    for form in ("csv", "parquet"):
        target = tmp_path / f"p.{form}"
        done = walked_shell.desk("export", "portfolio", "--as", form, "--to", str(target), "--version", "1")
        assert (done.code, done.out) == (0, "")
        frame = pl.read_csv(target, try_parse_dates=True) if form == "csv" else pl.read_parquet(target)
        asked = walked_shell.desk("query", "select * from portfolio@1 order by book, session", "--json").json
        assert frame.sort("book", "session")["equity"].to_list() == [row["equity"] for row in asked]
        assert done.err == f"{len(asked):,} rows written to {target}\n"


def test_differences_tell_key_column_before_and_after(own_shell: Shell) -> None:
    """A figure changed by hand is one line; the diff the other way round says the opposite."""
    frame = delta.read(own_shell.lake, Portfolio, where=pl.col("book") == "hold").collect()
    at = frame["session"][3]
    changed = frame.with_columns(
        turnover=pl.when(pl.col("session") == at).then(pl.col("turnover") + 0.5).otherwise("turnover")
    )
    scope = {"book": "hold", "session": (date(2004, 6, 1), date(2004, 12, 31))}
    write(own_shell.lake, Portfolio, changed, scope, Provenance("hand", "test", "1"))
    found = own_shell.desk("diff", "portfolio", "2", "3", "--json").json
    assert [(row["book"], row["session"], row["change"], row["differing"]) for row in found] == [
        ("hold", at.isoformat(), "changed", ["turnover"])
    ]
    assert found[0]["after"]["turnover"] - found[0]["before"]["turnover"] == pytest.approx(0.5)
    back = own_shell.desk("diff", "portfolio", "3", "2", "--json").json
    assert back[0]["after"] == found[0]["before"]
    line = own_shell.desk("diff", "portfolio", "2", "3").out.splitlines()[1].split()
    assert line[:4] == ["hold", at.isoformat(), "changed", "turnover"]


def test_history_tells_who_wrote_what_from_which_versions(walked_shell: Shell) -> None:
    newest = walked_shell.desk("history", "portfolio", "--json").json[0]
    assert (newest["run_id"], newest["asset"], newest["operation"]) == (
        "backfill hold",
        "desk/backfill",
        "WRITE",
    )
    inputs = newest["inputs"] if isinstance(newest["inputs"], dict) else json.loads(newest["inputs"])
    assert inputs["bars"] == 1
    assert inputs["signals"] == 2
    config = {row["book"]: row["config"] for row in walked_shell.desk("book", "list", "--json").json}
    assert newest["config_hash"] == config["hold"]
    assert newest["rows"] == rows(walked_shell.lake, "portfolio", "hold").height


# --------------------------------------------------------------------------------------- why


KINDS = {
    "entry that filled": "purpose = 'entry' and status = 'approved' and book = 'eager'",
    "entry that was refused": "status = 'rejected'",
    "exit": "purpose = 'exit'",
    "stop": "purpose = 'stop_loss' and intent = 'submit'",
    "target": "purpose = 'profit_target' and intent = 'submit'",
    "stop that was moved": "purpose = 'stop_loss' and intent = 'modify'",
    "target that was moved": "purpose = 'profit_target' and intent = 'modify'",
    "trailing stop": "purpose = 'trailing_stop'",
    "weight": "book = 'hold'",
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_order_of_every_kind_is_explained(walked_shell: Shell, kind: str) -> None:
    ref = references(walked_shell, KINDS[kind])[-1]
    found = walked_shell.desk("explain", ref, "--json").json
    order = found["order"]
    assert order["order_ref"] == ref
    assert set(found["runs"]) == {"research", "decision"}
    assert found["runs"]["decision"]["run_id"] == f"backfill {order['book']}"
    assert found["bars"][-1]["session"] == order["session"]
    assert all(
        (walked_shell.folder / "lake" / "bars" / bar["file"]).is_file() or bar["file"]
        for bar in found["bars"]
    )
    if order["purpose"] == "entry":
        assert found["signal"]["symbol"] == order["symbol"]
    if order["intent"] == "modify":
        assert order["target_ref"] in {row["order_ref"] for row in found["related"]}
        assert (found["events"], found["fills"]) == ([], [])
    text = walked_shell.desk("explain", ref[:12])
    assert text.code == 0
    first = text.out.splitlines()[0]
    assert first == (
        f"{ref}: {order['side']} {order['quantity']:g} {order['symbol']} "
        f"({order['purpose']}, {order['order_type']}), {order['status']}"
    )
    assert f"decided on the close of {order['session']}" in text.out
    for name in ("research: run ", "decision: run ", "  read  ", "  wrote "):
        assert name in text.out


def test_an_explained_fill_is_the_fill_of_the_table(walked_shell: Shell) -> None:
    for ref in references(walked_shell, "purpose = 'entry' and status = 'approved'")[::5]:
        found = walked_shell.desk("explain", ref, "--json").json
        statement = f"select execution_id, price, quantity from fills where order_ref = '{ref}'"
        table = walked_shell.desk("query", statement, "--json").json
        assert [(fill["execution_id"], fill["price"], fill["quantity"]) for fill in found["fills"]] == [
            (row["execution_id"], row["price"], row["quantity"]) for row in table
        ]
        states = [event["state"] for event in found["events"]]
        assert states[0] == "ACKED"
        assert states[-1] == ("FILLED" if table else states[-1])


def test_every_refused_order_says_which_gate_with_which_figures(walked_shell: Shell) -> None:
    for ref in references(walked_shell, "status = 'rejected'")[::90]:
        found = walked_shell.desk("explain", ref, "--json").json
        failed = [gate for gate in found["gates"] if not gate["passed"]]
        assert failed
        assert all({"gate", "figure", "limit"} <= set(gate) for gate in failed)
        text = walked_shell.desk("explain", ref).out
        assert re.search(rf"^{failed[0]['gate']} +false", text, re.MULTILINE)


def test_orders_show_where_each_one_stands(walked_shell: Shell) -> None:
    listed = walked_shell.desk("orders", "--book", "hold", "--all", "--json").json
    assert {(row["symbol"], row["purpose"], row["state"]) for row in listed} == {
        ("IBM", "entry", "FILLED"),
        ("MSFT", "entry", "FILLED"),
    }
    for row in listed:
        statement = f"select sum(quantity) q, sum(quantity * price) / sum(quantity) p from fills where order_ref = '{row['order_ref']}'"
        filled = walked_shell.desk("query", statement, "--json").json[0]
        assert row["filled"] == filled["q"]
        assert row["average_price"] == pytest.approx(filled["p"])
    session = listed[0]["session"]
    assert walked_shell.desk("orders", "--book", "hold", "--session", session, "--json").json == listed
    none = walked_shell.desk("orders", "--session", "2004-06-05")
    assert (none.code, none.out, none.err) == (0, "", "no approved orders\n")


# --------------------------------------------------------------------------------------- scan and analysis


def candidate_days(shell: Shell) -> list[tuple[str, int]]:
    found = shell.desk(
        "query",
        "select session, count(*) as n from candidates where book = 'eager' group by session order by session",
        "--json",
    ).json
    return [(row["session"], row["n"]) for row in found]


def test_scan_says_what_the_backfill_wrote(walked_shell: Shell) -> None:
    """The same rows, recomputed from the bars for one session alone."""
    for session, number in candidate_days(walked_shell)[::25]:
        scanned = walked_shell.desk("scan", "eager", "--date", session, "--json").json
        assert len(scanned["candidates"]) == number
        stored = rows(
            walked_shell.lake, "candidates", "eager", date.fromisoformat(session), date.fromisoformat(session)
        )
        by_symbol = {row["symbol"]: row for row in stored.to_dicts()}
        for row in scanned["candidates"]:
            kept = by_symbol[row["symbol"]]
            assert (row["rank"], row["scan"]) == (kept["rank"], kept["scan"])
            assert row["score"] == pytest.approx(kept["score"], rel=1e-12)
            assert row["dollar_volume"] == pytest.approx(kept["dollar_volume"], rel=1e-12)
        signals = rows(
            walked_shell.lake, "signals", "eager", date.fromisoformat(session), date.fromisoformat(session)
        )
        assert sorted((row["symbol"], row["action"]) for row in scanned["signals"]) == sorted(
            signals.select("symbol", "action").iter_rows()
        )


def test_analysis_has_the_figures_of_the_candidate(walked_shell: Shell) -> None:
    """Where a name is listed, ``analyze`` says the same score, and BUY where a signal says so."""
    looked = 0
    for session, _ in candidate_days(walked_shell)[::40]:
        stored = rows(
            walked_shell.lake, "candidates", "eager", date.fromisoformat(session), date.fromisoformat(session)
        )
        signals = rows(
            walked_shell.lake, "signals", "eager", date.fromisoformat(session), date.fromisoformat(session)
        )
        bought = set(signals.filter(pl.col("action") == "BUY")["symbol"])
        for kept in stored.to_dicts():
            found = walked_shell.desk(
                "analyze", kept["symbol"], "--book", "eager", "--date", session, "--no-chart", "--json"
            ).json
            assert found["score"] == pytest.approx(kept["score"])
            assert found["trend_strength"] == pytest.approx(kept["trend_strength"])
            assert (found["verdict"] == "BUY") == (kept["symbol"] in bought)
            looked += 1
    assert looked > 4


def test_the_chart_is_drawn_on_request_and_fits(walked_shell: Shell) -> None:
    with_chart = walked_shell.desk("analyze", "AAPL", "--book", "eager", "--date", "2004-10-12")
    without = walked_shell.desk("analyze", "AAPL", "--book", "eager", "--date", "2004-10-12", "--no-chart")
    assert with_chart.out.startswith(without.out.rstrip("\n"))
    drawn = with_chart.out.removeprefix(without.out.rstrip("\n"))
    assert "SMA 20" in drawn
    assert "SMA 50" in drawn
    assert max(map(len, drawn.splitlines())) <= 120
    assert "\x1b" not in drawn


# --------------------------------------------------------------------------------------- again

DAYS = ("2004-06-02", "2004-07-02", "2004-10-12", "2005-02-25", "2005-02-28", "2005-03-01", "2005-03-31")
"""Among them the sessions around AAPL's split of 2005-02-28, and the last one."""


@pytest.mark.parametrize("day", DAYS)
def test_a_session_is_decided_again_and_is_identical(walked_shell: Shell, day: str) -> None:
    found = walked_shell.desk("replay", "eager", day, "--json").json
    assert (found["book"], found["session"], found["identical"]) == ("eager", day, True)
    assert found["rows"] > 0
    assert found["differences"] == []
    text = walked_shell.desk("replay", "eager", day)
    assert text.code == 0
    assert text.out.startswith(
        f"identical: {found['rows']} rows of eager on {day}, decided again from bars v1"
    )


def corrected(shell: Shell, symbol: str, session: date, close: float) -> None:
    """A price that turns out to have been wrong."""
    old = delta.read(
        shell.lake, Bars, where=(pl.col("symbol") == symbol) & (pl.col("session") == session)
    ).collect()
    new = old.with_columns(
        close=pl.lit(close), low=pl.min_horizontal("low", pl.lit(close)), known_at=pl.lit(datetime.now(UTC))
    ).cast(old.schema)
    write(shell.lake, Bars, new, None, Provenance("correction", "test", "1"))


def test_a_corrected_price_changes_no_answer_about_the_past(own_shell: Shell) -> None:
    """The bars changed, and replay, report and the old version of the table still say what they said."""
    day = "2004-10-12"
    before = own_shell.desk("report", "eager", "--session", day, "--json").json
    scanned = own_shell.desk("scan", "eager", "--date", day, "--json").json
    corrected(own_shell, "AAPL", date(2004, 10, 12), 30.0)
    assert own_shell.desk("replay", "eager", day, "--json").json["identical"] is True
    assert own_shell.desk("replay", "eager", "2004-10-13", "--json").json["identical"] is True
    after = own_shell.desk("report", "eager", "--session", day, "--json").json
    assert after["account"] == before["account"]
    ref = references(own_shell, f"book = 'eager' and symbol = 'AAPL' and session = '{day}'")[0]
    bars = own_shell.desk("explain", ref, "--json").json["bars"]
    assert bars[-1]["close"] != 30.0, "explain shows the bar that the decision saw"
    fresh = own_shell.desk("scan", "eager", "--date", day, "--json").json
    assert fresh != scanned, "a fresh look takes the corrected price"
    at = (min(commits(own_shell, "bars").values())).isoformat()
    assert own_shell.desk("query", COUNT.format(table="bars"), "--json", "--as-of", at).json == [{"n": 0}]
    old = own_shell.desk(
        "scan", "eager", "--date", day, "--json", "--as-of", commits(own_shell, "bars")[1].isoformat()
    )
    assert old.json == scanned, "as of the time before, the old price counts"


def test_a_row_changed_by_hand_is_shown_and_ends_with_code_1(own_shell: Shell) -> None:
    day = date(2004, 10, 12)
    frame = delta.read(
        own_shell.lake, Positions, where=(pl.col("book") == "eager") & (pl.col("session") == day)
    ).collect()
    assert not frame.is_empty()
    tampered = frame.with_columns(sector=pl.lit("Nowhere"))
    scope = {"book": "eager", "session": (day, day)}
    write(own_shell.lake, Positions, tampered, scope, Provenance("hand", "test", "1"))
    done = own_shell.desk("replay", "eager", day.isoformat(), "--json")
    assert done.code == 1
    assert done.json["identical"] is False
    assert {row["table"] for row in done.json["differences"]} == {"positions"}
    assert {row["side"] for row in done.json["differences"]} == {"recorded", "replayed"}
    text = own_shell.desk("replay", "eager", day.isoformat())
    assert text.code == 1
    assert text.out.startswith(f"{2 * frame.height} differing rows of eager on {day}")


# --------------------------------------------------------------------------------------- reports


def test_a_report_has_the_figures_of_the_tables(walked_shell: Shell) -> None:
    portfolio = {
        row["session"].isoformat(): row for row in rows(walked_shell.lake, "portfolio", "eager").to_dicts()
    }
    for day in ("2004-06-01", "2004-10-12", "2005-02-28", "2005-03-31"):
        found = walked_shell.desk("report", "eager", "--session", day, "--json").json
        row = portfolio[day]
        account = found["account"]
        for name in ("equity", "cash", "positions_value", "position_count", "realised_pnl", "dividends"):
            assert account[name] == pytest.approx(row[name], abs=0.005), (day, name)
        held = rows(walked_shell.lake, "positions", "eager", date.fromisoformat(day), date.fromisoformat(day))
        assert sorted(each["symbol"] for each in found["positions"]) == sorted(held["symbol"])
        text = walked_shell.desk("report", "eager", "--session", day).out
        assert f"${row['equity']:,.2f}" in text
        assert f"session {day}" in text


def test_the_newest_session_is_reported_when_none_is_named(walked_shell: Shell) -> None:
    assert walked_shell.desk("report", "eager", "--json").json["session"] == "2005-03-31"
    assert walked_shell.desk("report", "hold", "--json").json["session"] == "2004-12-31"


def test_a_page_is_written_where_it_is_asked_for(walked_shell: Shell, tmp_path: Any) -> None:
    target = tmp_path / "new" / "folder" / "report.html"
    for what in ((), ("--performance",)):
        done = walked_shell.desk("report", "eager", *what, "--html", str(target))
        assert (done.code, done.out, done.err) == (0, f"{target}\n", "")
        page = target.read_text(encoding="utf-8")
        assert page.startswith("<!doctype html>") or page.lower().startswith("<!doctype html>")
        assert "<script" not in page


def test_the_performance_of_a_report_is_that_of_the_table(walked_shell: Shell) -> None:
    statement = "select measure, value from performance where book = 'eager'"
    stored = {row["measure"]: row["value"] for row in walked_shell.desk("query", statement, "--json").json}
    text = walked_shell.desk("report", "eager", "--performance").out
    assert f"{stored['total_return']:+.2f} %" in text
    assert f"{stored['sharpe_ratio']:.2f}" in text
    assert f"{stored['max_drawdown']:.2f} %" in text


# --------------------------------------------------------------------------------------- books


def test_a_shown_book_is_the_whole_book(walked_shell: Shell) -> None:
    shown = walked_shell.desk("book", "show", "eager", "--json").json
    assert (shown["name"], shown["capital"], shown["risk"]["max_positions"]) == ("eager", 100_000.0, 2)
    table = walked_shell.desk("book", "show", "eager").out
    for key in ("sizing.risk_per_trade", "costs.crypto.commission.model", "placement.restart_timezone"):
        assert re.search(rf"^{re.escape(key)} +\S", table, re.MULTILINE)


def test_a_note_where_a_warning_can_never_come_first(own_shell: Shell) -> None:
    file = own_shell.folder / "config/books/unused.toml"
    file.write_text(file.read_text() + "[risk]\nwarn_daily_loss = 0.05\n", encoding="utf-8")
    done = own_shell.desk("book", "check", "unused")
    assert done.code == 0
    assert (
        "risk.warn_daily_loss lies above risk.max_daily_loss: the limit comes before its warning" in done.out
    )


def test_halts_are_kept_shown_and_lifted_one_by_one(own_shell: Shell) -> None:
    first = own_shell.desk("halt", "--reason", "all", "--json").json
    assert [(row["book"], row["reason"]) for row in first] == [("*", "all")]
    both = own_shell.desk("halt", "--book", "eager", "--reason", "one", "--json").json
    assert sorted((row["book"], row["reason"]) for row in both) == [("*", "all"), ("eager", "one")]
    left = own_shell.desk("resume", "--json").json
    assert [row["book"] for row in left] == ["eager"], "the halt of a book outlives that of the desk"
    assert own_shell.desk("resume", "--book", "hold").code == 5
    assert own_shell.desk("resume", "--book", "eager", "--json").json == []
    statement = "select book, action, reason from halts order by known_at"
    told = list(csv.DictReader(io.StringIO(own_shell.desk("query", statement, "--as", "csv").out)))
    assert [(row["book"], row["action"]) for row in told] == [
        ("*", "halt"),
        ("eager", "halt"),
        ("*", "resume"),
        ("eager", "resume"),
    ]


def test_upkeep_breaks_no_answer(own_shell: Shell) -> None:
    statement = "select sum(equity) as x from portfolio@1"
    before = own_shell.desk("query", statement, "--json").json
    done = own_shell.desk("maintain", "--json")
    assert done.code == 0
    assert set(done.json["checkpoints"]) >= {"portfolio", "bars"}
    assert own_shell.desk("query", statement, "--json").json == before
    assert own_shell.desk("replay", "eager", "2004-10-12", "--json").json["identical"] is True
    again = own_shell.desk("maintain", "--unreferenced", "--yes", "--json")
    assert again.code == 0
    assert own_shell.desk("replay", "eager", "2004-10-12", "--json").json["identical"] is True
