"""Every kind of order is explained back to the bars and the versions that it came from."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

import delta
from assets.explain import Explanation, explain
from assets.inputs import MissingDataError
from assets.research import research
from delta import Lake

from .conftest import Walked
from .walks import Market, changed, rows


def order_of(walked: Walked, lake: Lake, *conditions: pl.Expr) -> str:
    """Reference of the last order that fulfils conditions."""
    asked = rows(lake, "orders", walked.book.name).filter(*conditions)
    return str(asked.sort("session", "order_ref")["order_ref"][-1])


def whole(found: Explanation) -> None:
    """What every explanation has."""
    session = found.order["session"]
    assert set(found.runs) == {"research", "decision"}
    assert found.runs["decision"]["reads"]["signals"] >= found.runs["research"]["writes"]["signals"]
    assert found.runs["decision"]["writes"]["orders"] >= 0
    assert found.runs["research"]["config_hash"] == found.runs["decision"]["config_hash"]
    assert found.bars[-1]["session"] == session
    assert all(bar["symbol"] == found.order["symbol"] for bar in found.bars)
    assert all(bar["file"].endswith(".parquet") for bar in found.bars)


def test_an_entry(walked: Walked) -> None:
    lake = walked.lake
    ref = order_of(walked, lake, pl.col("purpose") == "entry", pl.col("status") == "approved")
    found = explain(lake, ref)
    whole(found)
    assert found.signal is not None
    assert (found.signal["action"], found.signal["session"]) == ("BUY", found.order["session"])
    assert found.candidate is not None
    assert found.candidate["symbol"] == found.order["symbol"]
    assert all(gate["passed"] for gate in found.gates)
    assert {"daily_loss", "size", "max_positions", "cash"} <= {gate["gate"] for gate in found.gates}
    assert {"rsi", "score"} <= set(found.indicators)
    assert {row["purpose"] for row in found.related} >= {"stop_loss", "profit_target"}
    assert [row["state"] for row in found.events] == ["ACKED", "FILLED"]
    assert sum(fill["quantity"] for fill in found.fills) == found.order["quantity"]


def test_a_stop_that_was_hit_or_cancelled(walked: Walked) -> None:
    lake = walked.lake
    ref = order_of(walked, lake, pl.col("purpose") == "stop_loss", pl.col("intent") == "submit")
    found = explain(lake, ref)
    whole(found)
    parents = [row for row in found.related if row["order_ref"] == found.order["parent_ref"]]
    assert [row["purpose"] for row in parents] == ["entry"]
    assert {row["purpose"] for row in found.related} >= {"profit_target"}
    assert found.signal is not None
    assert found.order["stop_price"] == pytest.approx(found.signal["stop"])


def test_a_stop_that_was_moved(demo_walked: Walked) -> None:
    lake = demo_walked.lake
    ref = order_of(demo_walked, lake, pl.col("purpose") == "trailing_stop", pl.col("intent") == "modify")
    found = explain(lake, ref)
    whole(found)
    target = [row for row in found.related if row["order_ref"] == found.order["target_ref"]]
    assert [row["purpose"] for row in target] == ["stop_loss"]
    assert found.order["stop_price"] > 0
    assert "trailing" in found.order["reason"]


def test_an_order_that_was_rejected(walked: Walked) -> None:
    lake = walked.lake
    ref = order_of(walked, lake, pl.col("status") == "rejected")
    found = explain(lake, ref)
    whole(found)
    failed = [gate for gate in found.gates if not gate["passed"]]
    assert failed
    assert all(gate["figure"] is not None and gate["limit"] is not None for gate in failed)
    assert (found.events, found.fills) == ([], [])
    assert found.signal is not None


def test_the_beginning_of_a_reference_will_do(demo_walked: Walked) -> None:
    lake = demo_walked.lake
    ref = order_of(demo_walked, lake, pl.col("purpose") == "entry")
    assert explain(lake, ref[:12]).order == explain(lake, ref).order
    with pytest.raises(MissingDataError, match="'D' is the beginning of several orders; give more of it"):
        explain(lake, "D")
    with pytest.raises(MissingDataError, match="no order has the reference 'XYZ'"):
        explain(lake, "XYZ")


def test_research_done_again_does_not_change_the_explanation(
    demo_walked: Walked, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made: Market = demo_walked.market.copy(tmp_path_factory.mktemp("again"))
    ref = order_of(demo_walked, made.lake, pl.col("purpose") == "entry", pl.col("status") == "approved")
    before = explain(made.lake, ref)
    session: date = before.order["session"]
    quiet = changed(demo_walked.book, strategies={"turtle": {}})
    research(made.lake, quiet, session, session, "another look")
    assert rows(made.lake, "candidates", quiet.name, session, session).is_empty()
    after = explain(made.lake, ref)
    assert (after.signal, after.candidate, after.runs) == (before.signal, before.candidate, before.runs)
    assert delta.runs(made.lake)["run_id"][0] == "another look"
