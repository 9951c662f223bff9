"""``desk halt``, ``resume``, ``orders`` and ``reconcile`` through the entry point."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from delta import open_lake
from delta.contracts import Halts, Orders
from tests.brokers.conftest import ThreadGateway, give_prices
from tests.brokers.world import BY, GATEWAY, NOW, bracket, make_world, order_rows

from .conftest import Desk

BOOK = 'mode = "paper"\nstart = 2026-11-19\n\n[strategies.buy_and_hold]\n\n[placement]\nbroker = "ib"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A desk with a book and a lake with approved orders, and no gateway."""
    books = tmp_path / "config" / "books"
    books.mkdir(parents=True)
    (tmp_path / "config" / "desk.toml").write_text(
        'lake = "./lake"\n\n[broker]\nport = 1\nconnect_timeout = 0.2\n'
    )
    (books / "paper.toml").write_text(BOOK)
    (books / "plain.toml").write_text(BOOK.replace('"ib"', '"simulated"'))
    make_world(tmp_path, 1).approve(*bracket("D1"))
    return tmp_path


def test_a_halt_lasts_until_it_is_resumed(desk: Desk, folder: Path) -> None:
    halted = desk("halt", "--reason", "the feed looks wrong", "--json")
    assert halted.returncode == 0, halted.stderr
    [row] = json.loads(halted.stdout)
    assert (row["book"], row["action"], row["reason"]) == ("*", "halt", "the feed looks wrong")
    assert desk("halt", "--book", "paper", "--reason", "so does this").returncode == 0
    assert [row["book"] for row in json.loads(desk("resume", "--json").stdout)] == ["paper"]
    done = desk("resume", "--book", "paper", "--reason", "fixed")
    assert (done.returncode, done.stdout) == (0, "")
    assert "nothing is halted" in done.stderr
    again = desk("resume")
    assert again.returncode == 5
    assert "the desk is not halted" in again.stderr
    from delta import read

    rows = read(open_lake(str(folder / "lake")), Halts).collect()
    assert rows.sort("known_at")["action"].to_list() == ["halt", "halt", "resume", "resume"]


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (("halt", "--book", "nope", "--reason", "x"), 3, "no book 'nope'"),
        (("halt", "--reason", "  "), 5, "a halt needs a reason"),
        (("resume", "--book", "paper"), 5, "book paper is not halted"),
        (("reconcile", "--book", "plain"), 3, "has no gateway"),
        (("reconcile", "--book", "nope"), 3, "no book 'nope'"),
    ],
)
def test_what_is_refused(
    desk: Desk, folder: Path, arguments: tuple[str, ...], code: int, problem: str
) -> None:
    answer = desk(*arguments)
    assert answer.returncode == code
    assert problem in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_an_unresolved_order_is_settled(desk: Desk, folder: Path) -> None:
    from delta import write
    from delta.contracts import OrderEvents

    early = desk("orders", "settle", "D1E", "--as", "expired", "--reason", "x")
    assert early.returncode == 5
    assert "order D1E is PLANNED, not UNRESOLVED" in early.stderr
    event = {
        "book": "paper", "session": date(2026, 11, 19), "order_ref": "D1E", "sequence": 1, "state": "UNRESOLVED",
        "at": NOW, "filled": 0.0, "remaining": 10.0, "message": "nowhere", "source": "broker", "run_id": "run",
    }  # fmt: skip
    lake = open_lake(str(folder / "lake"))
    write(lake, OrderEvents, pl.DataFrame([event], schema=OrderEvents.schema()), None, BY)
    wrong = desk("orders", "settle", "D1E", "--as", "lost", "--reason", "x")
    assert wrong.returncode == 3
    assert "--as lost: must be one of filled, cancelled, rejected, expired, done" in wrong.stderr
    done = desk("orders", "settle", "D1E", "--as", "expired", "--reason", "says the statement", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["order_ref"], found["state"], found["remaining"]) == ("D1E", "EXPIRED", 10.0)
    [row] = [row for row in json.loads(desk("orders", "--json").stdout) if row["order_ref"] == "D1E"]
    assert row["state"] == "EXPIRED"
    assert row["message"].endswith("says the statement")


def test_orders_show_where_they_stand(desk: Desk, folder: Path) -> None:
    rows = json.loads(desk("orders", "--json").stdout)
    assert [(row["order_ref"], row["state"]) for row in rows] == [
        ("D1E", "PLANNED"), ("D1S", "PLANNED"), ("D1T", "PLANNED"),
    ]  # fmt: skip
    shown = desk("orders", "--book", "paper").stdout.splitlines()
    assert shown[0].split()[:3] == ["book", "session", "order_ref"]
    assert len(shown) == 4
    assert "no approved orders" in desk("orders", "--book", "plain").stderr


def test_orders_of_another_session(desk: Desk, folder: Path) -> None:
    from delta import write

    lake = open_lake(str(folder / "lake"))
    later = order_rows("paper", bracket("D2"), session=date(2026, 11, 20))
    write(lake, Orders, later, None, BY)
    newest = json.loads(desk("orders", "--json").stdout)
    assert {row["order_ref"] for row in newest} == {"D2E", "D2S", "D2T"}
    chosen = json.loads(desk("orders", "--session", "2026-11-19", "--json").stdout)
    assert {row["order_ref"] for row in chosen} == {"D1E", "D1S", "D1T"}
    assert len(json.loads(desk("orders", "--all", "--json").stdout)) == 6


def test_reconcile_sends_only_when_asked(desk: Desk, folder: Path) -> None:
    gateway = ThreadGateway(folder / "gateway", GATEWAY)
    try:
        give_prices(gateway)
        quick = {"DESK_BROKER__PORT": str(gateway.port), "DESK_BROKER__CONNECT_TIMEOUT": "5"}
        looked = desk("reconcile", "--book", "paper", "--json", **quick)
        assert looked.returncode == 0, looked.stderr
        found = json.loads(looked.stdout)
        assert (found["sent"], found["states"]) == (0, {})
        assert "read-only" in found["waiting"][0]
        assert gateway.orders() == []
    finally:
        gateway.stop()
