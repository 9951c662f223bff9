"""A broker's later word on executions, booked by the walk: money, positions, and the orders that protect them."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tests.trading.decision.desks import Desk, day, flat, signal
from trading.ledger import Amendment, Terms
from trading.matching import RecordedMarket
from trading.orders import Execution
from trading.rules import ExitRule, Rules
from trading.state import BookState, from_json, new_state, to_json

BUY = signal(0, "A", "BUY", stop=92.0, target=130.0, max_hold=30)
UNITS = 125.0
"""1 % of the capital at risk over 8 a share."""


class Followed:
    """A book whose fills come from a record, session by session; the entry fills on the second one at 100."""

    def __init__(self, *, rules: Rules | None = None) -> None:
        self.desk = Desk({"A": flat(100.0, 6)}, [BUY], rules=rules)
        self.state: BookState = new_state(self.desk.config.capital)
        self.index = 0
        self.step()
        self.entry = self.state.working[0]
        self.step(self.fill(self.entry.order_ref, "x", "BUY", UNITS))

    def fill(self, ref: str, root: str, side: Any, units: float, purpose: str = "entry") -> Execution:
        return Execution(root, ref, "s", "A", purpose, side, units, 100.0, 0.0, 0.0, day(self.index), "open")

    def step(self, *executions: Execution, amendments: tuple[Amendment, ...] = ()) -> dict[str, pl.DataFrame]:
        """Decide one more session."""
        market = RecordedMarket(self.desk.policy.costs, executions, {}, amendments)
        frames = self.desk.walk(
            self.state, self.index, self.index + 1, market=market, acknowledge=False
        ).frames()
        self.index += 1
        assert self.state.ledger.cash / 100 == frames["portfolio"]["cash"][0]
        return frames

    def amended(self, quantity: float, price: float = 100.0, commission: float = 0.0) -> Amendment:
        """The entry, otherwise told."""
        execution = self.fill(self.entry.order_ref, "x", "BUY", UNITS)
        return Amendment(execution, Terms(UNITS, 100.0, 0.0), Terms(quantity, price, commission))

    def working(self) -> dict[str, float]:
        return {order.purpose: order.quantity for order in self.state.working}


def asked(frames: dict[str, pl.DataFrame]) -> list[tuple[str, str, float]]:
    rows = frames["orders"].filter(pl.col("intent") != "submit").sort("intent", "purpose")
    return list(rows.select("intent", "purpose", "quantity").iter_rows())


def test_a_bust_of_the_entry_cancels_stop_and_target() -> None:
    book_ = Followed()
    assert book_.working() == {"stop_loss": UNITS, "profit_target": UNITS}
    refs = {order.order_ref for order in book_.state.working}
    frames = book_.step(amendments=(book_.amended(0.0),))
    assert asked(frames) == [("cancel", "profit_target", UNITS), ("cancel", "stop_loss", UNITS)]
    assert set(frames["orders"]["target_ref"]) == refs
    assert frames["orders"]["status"].unique().to_list() == ["approved"]
    assert (book_.working(), book_.state.plans, book_.state.ledger.positions) == ({}, {}, {})
    fill = frames["fills"].row(0, named=True)
    assert (fill["execution_id"], fill["purpose"], fill["side"]) == ("x/2", "bust", "SELL")
    assert (fill["session"], fill["quantity"], fill["realised_pnl"]) == (day(2), UNITS, 0.0)
    assert frames["portfolio"]["equity"][0] == 100_000.0
    assert book_.step()["orders"].is_empty()


@pytest.mark.parametrize("units", [100.0, 150.0])
def test_a_correction_of_the_entry_changes_stop_and_target_to_what_is_held(units: float) -> None:
    book_ = Followed()
    frames = book_.step(amendments=(book_.amended(units, 101.0),))
    assert asked(frames) == [("modify", "profit_target", units), ("modify", "stop_loss", units)]
    assert frames["orders"].sort("purpose").select("limit_price", "stop_price").rows() == [
        (130.0, None), (None, 92.0),
    ]  # fmt: skip
    assert book_.working() == {"stop_loss": units, "profit_target": units}
    assert frames["positions"].select("quantity", "cost_basis", "entry_price").row(0) == (
        units, units * 101.0, pytest.approx(101.0),
    )  # fmt: skip
    assert frames["fills"].select("side", "quantity", "price").rows() == [
        ("SELL", UNITS, 100.0), ("BUY", units, 101.0),
    ]  # fmt: skip
    assert book_.step()["orders"].is_empty(), "asked for once"


def test_price_and_quantity_change_in_one_order() -> None:
    book_ = Followed(rules=Rules(exits={"stock": ExitRule(trailing_activation=0.0, trailing_distance=0.05)}))
    book_.state.plans["s", "A"].stop = 92.0
    frames = book_.step(amendments=(book_.amended(100.0),))
    moved = frames["orders"].filter(pl.col("target_ref") == book_.state.plans["s", "A"].stop_ref)
    assert moved["quantity"].to_list() == [100.0]


def test_a_late_commission_changes_no_order() -> None:
    book_ = Followed()
    frames = book_.step(amendments=(book_.amended(UNITS, commission=1.25),))
    assert frames["orders"].is_empty()
    assert frames["fills"].select("purpose", "quantity", "commission", "realised_pnl").rows() == [
        ("commission_adjustment", 0.0, 1.25, 0.0)
    ]
    row = frames["portfolio"].row(0, named=True)
    assert (row["cash"], row["commissions"], row["unrealised_pnl"]) == (100_000 - 12_500 - 1.25, 1.25, -1.25)


@pytest.mark.parametrize(("sold", "left"), [(UNITS, 0.0), (25.0, 100.0)], ids=["all of it", "part of it"])
def test_a_trade_by_hand_leaves_no_order_that_closes_more_than_is_held(sold: float, left: float) -> None:
    book_ = Followed()
    frames = book_.step(book_.fill("", "m", "SELL", sold, "manual"))
    kind = "modify" if left else "cancel"
    assert asked(frames) == [(kind, "profit_target", left or UNITS), (kind, "stop_loss", left or UNITS)]
    assert book_.working() == ({"stop_loss": left, "profit_target": left} if left else {})


@pytest.mark.parametrize("taken_back", [UNITS, 25.0], ids=["all of it", "part of it"])
@pytest.mark.parametrize("ended_by", ["stop_loss", "profit_target", "hand"])
@pytest.mark.parametrize("later", [0, 1])
def test_a_bust_of_the_exit_puts_stop_and_target_to_work_again(
    taken_back: float, ended_by: str, later: int
) -> None:
    book_ = Followed()
    refs = {order.purpose: order.order_ref for order in book_.state.working}
    exits = (("y", taken_back), ("z", UNITS - taken_back))
    purpose = ended_by if ended_by in refs else "manual"
    fills = [
        book_.fill(refs.get(ended_by, ""), root, "SELL", units, purpose) for root, units in exits if units
    ]
    book_.step(*fills)
    assert (book_.working(), book_.state.ledger.positions) == ({}, {})
    for _ in range(later):
        assert book_.step()["orders"].is_empty()
    book_.state = from_json(to_json(book_.state))

    execution = Execution(
        "y", refs.get(ended_by, ""), "s", "A", purpose, "SELL", taken_back, 100.0, 0.0, 0.0, day(2), "open"
    )
    bust = Amendment(execution, Terms(taken_back, 100.0, 0.0), Terms(0.0, 100.0, 0.0))
    frames = book_.step(amendments=(bust,))
    orders = frames["orders"].sort("purpose")
    columns = ["intent", "status", "purpose", "side", "order_type", "quantity", "limit_price", "stop_price"]
    assert orders.select(columns).rows() == [
        ("submit", "approved", "profit_target", "SELL", "limit", taken_back, 130.0, None),
        ("submit", "approved", "stop_loss", "SELL", "stop", taken_back, None, 92.0),
    ]
    assert orders["parent_ref"].to_list() == [None, None]
    assert orders["oca_group"].n_unique() == 1, "one fill ends the other"
    assert set(orders["order_ref"]).isdisjoint(refs.values())
    assert book_.working() == {"stop_loss": taken_back, "profit_target": taken_back}
    assert book_.step()["orders"].is_empty(), "asked for once"
