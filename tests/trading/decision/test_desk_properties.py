"""Properties of whole walks: money adds up, a cut changes nothing, the future changes nothing."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from delta import violations
from delta.contracts import TABLES
from tests.trading.decision.desks import Desk, actions, book, day, signal
from trading.rules import ExitRule, Rules
from trading.state import from_json, new_state

NAMES = ("A", "B", "C", "D")
RULES = Rules(exits={"stock": ExitRule(True, 0.05, 0.04)})
COSTS = {"stock": {"slippage": {"value": 0.001}, "commission": {"model": "ib_fixed"}, "participation": 0.1}}


def random_desk(seed: int, length: int = 24, **changes) -> Desk:
    """Random candles with gaps and missing bars, splits, dividends, entries, exits and weights."""
    rng = np.random.default_rng(seed)
    candles, signals, corporate = {}, [], []
    for name in NAMES:
        price, series = float(rng.uniform(5, 200)), []
        for index in range(length):
            if index and rng.random() < 0.03:
                ratio = float(rng.choice([2.0, 3.0, 0.5]))
                corporate.append({"symbol": name, "on": index, "action": "split", "value": ratio})
                price /= ratio
            if index and rng.random() < 0.05:
                dividend = round(price * 0.02, 2) or 0.01
                corporate.append(
                    {
                        "symbol": name,
                        "on": index,
                        "action": "cash_dividend",
                        "value": dividend,
                        "pay": index + 2,
                    }
                )
            opening = price * float(np.exp(rng.normal(0, 0.02)))
            closing = opening * float(np.exp(rng.normal(0, 0.03)))
            high, low = max(opening, closing) * 1.01, min(opening, closing) * 0.99
            series.append(None if rng.random() < 0.08 else (opening, high, low, closing))
            price = closing
            if rng.random() < 0.2:
                signals.append(
                    signal(index, name, "BUY", price=price, stop=price * 0.93, target=price * 1.1, max_hold=6)
                )
            if rng.random() < 0.1:
                signals.append(signal(index, name, "CLOSE", price=price, reason="own"))
        series[0] = series[0] or (price, price, price, price)
        candles[name] = series
    config = book(costs=COSTS, sizing={"max_position": 0.3, "min_position": 0.0}, **changes)
    return Desk(
        candles,
        signals,
        config=config,
        rules=RULES,
        corporate=actions(*corporate),
        volume=float(rng.uniform(2e3, 1e5)),
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["raw", "split", "total_return"]))
def test_every_row_keeps_its_contract_and_money_adds_up(seed, prices):
    frames = random_desk(seed, prices=prices).frames()
    for table, frame in frames.items():
        assert violations(TABLES[table], frame) == (), table
    book_value = frames["portfolio"]
    cents = (book_value.select("cash", "positions_value", "receivables", "equity") * 100).cast(pl.Int64)
    held = (
        frames["positions"]
        .group_by("session")
        .agg((pl.col("market_value") * 100).round().cast(pl.Int64).sum())
    )
    joined = book_value.join(held.rename({"market_value": "held"}), on="session", how="left")
    assert ((joined["positions_value"] * 100).round().cast(pl.Int64) == joined["held"].fill_null(0)).all()
    assert cents.height == book_value.height


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 23), st.sampled_from(["raw", "total_return"]))
def test_walking_in_two_pieces_equals_walking_once(seed, cut, prices):
    """A backfill equals the schedule: the state between two sessions holds everything."""
    whole = random_desk(seed, prices=prices).frames()
    desk = random_desk(seed, prices=prices)
    state = new_state(100_000.0)
    first = desk.walk(state, 0, cut).frames()
    second = desk.walk(from_json(first["portfolio"]["state"][-1]), cut).frames()
    for table, frame in whole.items():
        assert pl.concat([first[table], second[table]]).equals(frame), table


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 22))
def test_cutting_the_future_off_changes_no_decision(seed, cut):
    whole = random_desk(seed).frames()
    known = random_desk(seed).walk(end=cut).frames()
    for table, frame in known.items():
        assert frame.equals(whole[table].filter(pl.col("session") < day(cut))), table


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_order_executes_beyond_itself_and_no_position_beyond_its_entry(seed):
    frames = random_desk(seed).frames()
    splits = frames["positions"].filter(pl.col("quantity") < 0)
    assert splits.is_empty()  # exits never sell more than is held
    refs = frames["fills"].filter(pl.col("order_ref") != "")["order_ref"]
    approved = frames["orders"].filter(pl.col("status") == "approved", pl.col("intent") == "submit")[
        "order_ref"
    ]
    assert set(refs) <= set(approved)
    assert frames["orders"]["order_ref"].is_unique().all()
