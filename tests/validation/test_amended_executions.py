"""What the broker tells of executions after a session has booked them, over the gateway's sockets.

A book holds two names, each with a stop and a target. In the evening, after the session was decided, the
broker changes its mind; the session after books the difference, and then ledger and account agree again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import delta
from assets.explain import explain
from assets.replay import replay
from assets.research import research
from assets.validation import gateway_settings
from assets.validation.comparison import account_rows, expected_account
from assets.validation.gateway import PACE, desk_at, evening_of, next_evening, traded_book
from delta import Lake, Table
from delta.contracts import Executions, Fills, OrderEvents, Orders, Portfolio, Positions
from resources.brokers.placing import Outcome
from resources.brokers.session import place_book
from resources.config import DeskConfig
from resources.gateway import process
from tests.assets.walks import DEMO, Market, changed, days_of
from trading.book import BookConfig

DAYS = days_of(date(2012, 1, 6), date(2012, 1, 12))
"""Decided on the first, filled on the second."""


@dataclass
class Evenings:
    """A book on its way through sessions at a gateway of its own."""

    lake: Lake
    desk: DeskConfig
    book: BookConfig
    gateway: process.Control
    days: list[date] = field(default_factory=lambda: list(DAYS))

    def pass_session(self) -> date:
        """The next session, decided and its orders placed."""
        day = self.days.pop(0)
        next_evening(self.lake, self.desk, self.book, day, self.gateway, run_id=f"evening {day}")
        return day

    def look(self, day: date, **options: Any) -> Outcome:
        """A look at the broker later in the evening of a session."""
        now = evening_of(self.book, day) + timedelta(minutes=30)
        return place_book(
            self.lake, self.desk, self.book, now=now, run_id="look", code_version="0", pace=PACE, **options
        )

    def execution(self, symbol: str) -> Mapping[str, Any]:
        """The broker's newest record of an execution in a symbol."""
        found = [e for e in self.gateway.ask("executions")["executions"] if e["contract"]["symbol"] == symbol]
        return dict(found[-1])

    def rows(self, table: type[Table], day: date | None = None) -> pl.DataFrame:
        where = pl.lit(value=True) if day is None else pl.col("session") == day
        return delta.read(self.lake, table, where=where).sort(list(table.key)).collect()

    def agrees(self, day: date) -> None:
        """Cash and positions of the ledger are the account's, to the cent."""
        held = self.gateway.ask("positions")
        rows = [(day, symbol, units) for symbol, units in held["positions"].items() if units]
        rows += [(day, f"cash {code}", amount) for code, amount in held["cash"].items()]
        tables = {"portfolio": self.rows(Portfolio, day), "positions": self.rows(Positions, day)}
        ours = expected_account(tables, self.book.currency)
        theirs = account_rows(rows)
        assert ours["item"].to_list() == theirs["item"].to_list()
        assert ours["amount"].to_list() == pytest.approx(theirs["amount"].to_list(), abs=0.004)

    def working(self) -> dict[tuple[str, str], float]:
        """What works at the broker: symbol and order type to units."""
        orders = self.gateway.ask("orders", active=True)["orders"]
        return {(order["symbol"], order["orderType"]): order["total"] for order in orders}


@pytest.fixture
def evenings(sample: Market, tmp_path: Path) -> Iterator[Evenings]:
    """The demonstration book with its entries filled at the end of the second session."""
    assert sample.lake.path is not None
    shutil.copytree(sample.lake.path, tmp_path / "lake")
    lake = delta.open_lake(tmp_path / "lake")
    costs = {"stock": {"commission": {"model": "ib_fixed"}}}
    book = traded_book(changed(DEMO, costs=costs), DAYS[0], DAYS[-1])
    state = tmp_path / "gateway"
    where = process.start(state, gateway_settings(book, lake, DAYS[0]), port=0, control_port=0)
    research(lake, book, DAYS[0], DAYS[-1], "research")
    with process.control(state) as control:
        yield Evenings(lake, desk_at(sample.config, where), book, control)
    process.stop(state)


def test_a_bust_and_a_correction_are_booked_the_session_after(evenings: Evenings) -> None:
    first, second = evenings.pass_session(), evenings.pass_session()
    booked = {table: evenings.rows(table) for table in (Fills, Portfolio, Positions)}
    assert booked[Fills]["symbol"].to_list() == ["AAPL", "MSFT"]
    evenings.agrees(second)
    gone, changed_ = evenings.execution("AAPL"), evenings.execution("MSFT")
    units = changed_["shares"] - 7
    evenings.gateway.ask("bust", execId=gone["execId"])
    evenings.gateway.ask("correct", execId=changed_["execId"], shares=units, price=changed_["price"] + 0.1)
    outcome = evenings.look(second)
    assert (outcome.frozen, outcome.settled) == ("", True), "told, not booked yet, and no difference"
    assert evenings.look(second).executions == 0, "told once"

    third = evenings.pass_session()
    evenings.agrees(third)
    fills = evenings.rows(Fills, third)
    assert fills.select("symbol", "purpose", "side", "quantity").rows() == [
        ("AAPL", "bust", "SELL", gone["shares"]),
        ("MSFT", "correction", "SELL", changed_["shares"]),
        ("MSFT", "correction", "BUY", units),
    ]
    assert dict(evenings.rows(Positions, third).select("symbol", "quantity").iter_rows()) == {"MSFT": units}
    asked = evenings.rows(Orders, third).filter(pl.col("intent") != "submit").sort("symbol", "purpose")
    assert asked.select("symbol", "intent", "purpose").rows() == [
        ("AAPL", "cancel", "profit_target"),
        ("AAPL", "cancel", "stop_loss"),
        ("MSFT", "modify", "profit_target"),
        ("MSFT", "modify", "stop_loss"),
    ]
    assert evenings.working() == {("MSFT", "LMT"): units, ("MSFT", "STP"): units}
    states = evenings.rows(OrderEvents).sort("sequence").group_by("order_ref").last()
    assert set(states.filter(pl.col("order_ref").is_in(asked["order_ref"].to_list()))["state"]) == {"ACKED"}
    for table, before in booked.items():
        kept = evenings.rows(table).filter(pl.col("session") <= second)
        assert kept.equals(before), f"{table.name} of earlier sessions is as it was"
    assert replay(evenings.lake, evenings.book.name, third).identical
    story = explain(evenings.lake, gone["orderRef"])
    assert [(row["revision"], row["report"]) for row in story.executions][:2] == [
        (1, "execution"), (1, "commission"),
    ]  # fmt: skip
    assert [(row["purpose"], row["quantity"]) for row in story.fills] == [
        ("entry", gone["shares"]), ("bust", gone["shares"]),
    ]  # fmt: skip
    assert [row["message"][:26] for row in story.alerts] == ["the broker has taken back "]

    fourth = evenings.pass_session()
    evenings.agrees(fourth)
    assert evenings.rows(Fills, fourth).is_empty()
    assert first < second < third < fourth


def test_an_exit_that_is_taken_back_is_protected_again(evenings: Evenings) -> None:
    evenings.pass_session()
    second = evenings.pass_session()
    before = evenings.working()
    units = before["AAPL", "STP"]
    evenings.gateway.ask("price", symbol="AAPL", price=evenings.execution("AAPL")["price"] * 0.7)
    stopped = evenings.execution("AAPL")
    assert (stopped["side"], stopped["shares"]) == ("SLD", units)
    evenings.look(second)
    third = evenings.pass_session()
    evenings.agrees(third)
    assert {symbol for symbol, _ in evenings.working()} == {"MSFT"}
    evenings.gateway.ask("bust", execId=stopped["execId"])
    evenings.look(third)
    fourth = evenings.pass_session()
    evenings.agrees(fourth)
    assert evenings.working() == before
    asked = evenings.rows(Orders, fourth).filter(pl.col("symbol") == "AAPL").sort("purpose")
    assert asked.select("intent", "purpose", "quantity").rows() == [
        ("submit", "profit_target", units), ("submit", "stop_loss", units),
    ]  # fmt: skip
    assert replay(evenings.lake, evenings.book.name, fourth).identical


@pytest.mark.parametrize("told", [None, -1.0, 0.6], ids=["not at first", "as -1", "another one at first"])
def test_a_commission_told_late_or_anew_is_booked_the_session_after(
    evenings: Evenings, told: float | None
) -> None:
    evenings.pass_session()
    evenings.gateway.ask("fault", name="commission_unset", values={"commission": told})
    second = evenings.pass_session()
    assert evenings.rows(Fills, second)["commission"].to_list() == [max(told or 0.0, 0.0)] * 2
    evenings.gateway.ask("faults", clear=True)
    outcome = evenings.look(second)
    assert (outcome.frozen, outcome.executions) == ("", 2)
    third = evenings.pass_session()
    evenings.agrees(third)
    fills = evenings.rows(Fills, third)
    assert set(fills["purpose"]) == {"commission_adjustment"}
    assert fills["quantity"].to_list() == [0.0, 0.0]
    everything = evenings.rows(Fills)
    assert evenings.rows(Portfolio, third)["commissions"][0] == pytest.approx(everything["commission"].sum())
    revisions = evenings.rows(Executions).filter(pl.col("report") != "execution")
    assert revisions.height == (4 if told == 0.6 else 2)
