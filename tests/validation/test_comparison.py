"""Differences between two ways through the same sessions: found bit by bit, named, and explained."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from assets.validation import differences
from assets.validation.comparison import order_states

DAY, NEXT = date(2024, 1, 2), date(2024, 1, 3)


def fills(**changes: Any) -> pl.DataFrame:
    row = {
        "session": DAY, "order_ref": "D1", "symbol": "AAPL", "side": "BUY", "number": 0, "quantity": 10.0,
        "price": 100.25, "commission": 1.0, "slippage": 0.5,
    }  # fmt: skip
    return pl.DataFrame([row | changes])


def ended(state: str = "FILLED", message: str = "") -> pl.DataFrame:
    return pl.DataFrame(
        [{"session": None, "order_ref": "D1", "state": state, "filled": 10.0, "message": message}]
    )


def cash(amount: float, session: date = DAY) -> pl.DataFrame:
    return pl.DataFrame([{"session": session, "cash": amount}])


def test_equal_frames_have_no_differences() -> None:
    frames = {"fills": fills(), "order_states": ended()}
    assert differences(frames, {"fills": fills(), "order_states": ended(message="told otherwise")}).is_empty()


@pytest.mark.parametrize(
    ("changes", "column", "cause"),
    [
        ({"price": 100.35}, "price", "slippage"),
        ({"price": 100.25 + 2e-14}, "price", "rounding"),
        ({"commission": 1.35}, "commission", "commission"),
        ({"quantity": 9.0}, "quantity", "partial execution"),
    ],
)
def test_a_value_that_differs_is_explained(changes: dict[str, Any], column: str, cause: str) -> None:
    found = differences({"fills": fills()}, {"fills": fills(**changes)})
    assert found.select("table", "session", "row", "column", "cause").rows() == [
        ("fills", DAY, "D1 AAPL BUY 0", column, cause)
    ]
    assert found.select("backfill", "gateway").row(0) == (str(fills()[column][0]), str(changes[column]))


def test_missing_executions_say_how_the_order_ended() -> None:
    ours, none = {"fills": fills(), "order_states": ended()}, fills().clear()
    theirs = {"fills": none, "order_states": ended("REJECTED", "beyond the collar")}
    found = differences(ours, theirs)
    assert found["cause"].to_list() == [
        "missing execution: order REJECTED beyond the collar",
        "order state: beyond the collar",
    ]
    unasked = differences({"fills": none}, {"fills": fills()})
    assert unasked["cause"].to_list() == ["execution that the backfill does not have"]


def test_what_comes_after_the_first_difference_follows_from_it() -> None:
    ours = {"fills": fills(), "portfolio": pl.concat([cash(1.0), cash(2.0, NEXT)])}
    theirs = {"fills": fills(price=101.0), "portfolio": pl.concat([cash(5.0), cash(6.0, NEXT)])}
    assert differences(ours, theirs).select("table", "cause").rows() == [
        ("fills", "slippage"),
        ("portfolio", "follows from the session's fills"),
        ("portfolio", f"follows from a difference of {DAY}"),
    ]


def test_an_order_that_expired_and_one_that_was_cancelled_ended_alike() -> None:
    events = pl.DataFrame(
        {
            "order_ref": ["A", "A", "B", "C"],
            "sequence": [2, 1, 1, 1],
            "state": ["EXPIRED", "ACKED", "CANCELLED", "ACKED"],
            "filled": [0.0, 0.0, 3.0, 0.0],
            "message": ["day order", "", "by hand", ""],
        }
    )
    assert order_states(events).select("order_ref", "state", "filled").rows() == [
        ("A", "CANCELLED", 0.0),
        ("B", "CANCELLED", 3.0),
    ]
