"""The market's other promises: costs, identities, the close, cancels, splits and quotes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from trading.book import CostsConfig
from trading.commissions import NoCommission, PercentCommission
from trading.matching import Costs, Market, OrderError, at_price, costs_of, split_order
from trading.orders import Bar, Order
from trading.slippage import FixedSlippage, NoSlippage, PercentSlippage

DAY = date(2024, 1, 2)
BAR = Bar(100.0, 101.0, 94.0, 100.0, 1_000_000.0)


def order(ref: str, side: str, kind: str, quantity: float = 100.0, **fields: object) -> Order:
    symbol = fields.pop("symbol", "X")
    asset_class = fields.pop("asset_class", "stock")
    return Order(ref, date(2024, 1, 1), "s", symbol, asset_class, "entry", side, kind, quantity, **fields)


def market(slippage: object = NoSlippage(), commission: object = NoCommission()) -> Market:
    return Market({"stock": Costs(slippage, commission)})


@pytest.mark.parametrize(
    ("working", "price", "lost"),
    [
        (order("a", "BUY", "market"), 100.5, 50.0),
        (order("a", "SELL", "market"), 99.5, 50.0),
        (order("a", "SELL", "stop", stop_price=95.0), 94.5, 50.0),
        (order("a", "SELL", "trailing_stop", trail_percent=0.05, anchor=100.0), 94.5, 50.0),
        (order("a", "BUY", "limit", limit_price=95.0), 95.0, 0.0),
        (order("a", "SELL", "stop_limit", stop_price=95.0, limit_price=94.8), 94.8, 20.0),
        (order("a", "SELL", "stop_limit", stop_price=95.0, limit_price=90.0), 94.5, 50.0),
        (order("a", "BUY", "market_on_close"), 100.5, 50.0),
    ],
)
def test_who_pays_slippage(working: Order, price: float, lost: float) -> None:
    result = market(FixedSlippage(0.5)).match_session([replace(working)], {"X": BAR}.get, DAY)
    (fill,) = result.executions
    assert fill.price == pytest.approx(price)
    assert fill.slippage == pytest.approx(lost)


def test_commission_and_slippage_of_a_contract_use_its_multiplier() -> None:
    contract = order("a", "BUY", "market", 2.0, multiplier=100.0)
    costs = market(FixedSlippage(0.5), PercentCommission(0.01))
    (fill,) = costs.match_session([contract], {"X": BAR}.get, DAY).executions
    assert fill.slippage == pytest.approx(2 * 100 * 0.5)
    assert fill.commission == pytest.approx(0.01 * 2 * 100 * 100.5)


def test_execution_ids_count_the_fills_of_the_order() -> None:
    thin = Bar(100.0, 101.0, 94.0, 100.0, 400.0)
    result = market().match_session([order("ref", "BUY", "market")], {"X": thin}.get, DAY)
    again = market().match_session(result.working, {"X": thin}.get, date(2024, 1, 3))
    assert [fill.execution_id for fill in result.executions + again.executions] == ["ref.1", "ref.2"]


def test_events_tell_what_is_filled_what_is_left_and_the_average_price() -> None:
    working = [order("ref", "BUY", "market", time_in_force="gtd", good_till=date(2024, 1, 3))]
    thin = Bar(100.0, 101.0, 94.0, 100.0, 400.0)
    first = market().match_session(working, {"X": thin}.get, DAY)
    second = market().match_session(first.working, {"X": thin._replace(open=97.0)}.get, date(2024, 1, 3))
    assert [tuple(event)[3:] for event in first.events] == [(40.0, 60.0, 100.0)]
    assert [(event.state, *event[3:]) for event in second.events] == [
        ("PARTIAL", 80.0, 20.0, 98.5),
        ("EXPIRED", 80.0, 20.0, 98.5),
    ]
    assert second.working == []


def test_the_close_fills_only_market_on_close_orders() -> None:
    entry = order("moc", "BUY", "market_on_close", time_in_force="day")
    stop = order("stop", "SELL", "stop", stop_price=99.0, parent_ref="moc", live=False)
    other = order("other", "BUY", "market", time_in_force="day")
    result = market().match_session([entry, stop, other], {"X": BAR}.get, DAY, phase="close")
    assert [(fill.order_ref, fill.price, fill.phase) for fill in result.executions] == [
        ("moc", 100.0, "close")
    ]
    assert [item.order_ref for item in result.working] == ["stop", "other"]
    assert stop.live


def test_a_market_on_close_order_without_a_bar_expires_at_the_close() -> None:
    entry = order("moc", "BUY", "market_on_close", time_in_force="day")
    stop = order("stop", "SELL", "stop", stop_price=99.0, parent_ref="moc", live=False)
    result = market().match_session([entry, stop], {}.get, DAY, phase="close")
    assert [(event.order_ref, event.state) for event in result.events] == [
        ("moc", "EXPIRED"),
        ("stop", "CANCELLED"),
    ]
    assert result.working == []


def test_a_group_may_span_symbols() -> None:
    working = [
        order("x", "BUY", "limit", limit_price=95.0, oca_group="g"),
        order("y", "BUY", "limit", limit_price=50.0, oca_group="g", symbol="Y"),
    ]
    bars = {"X": BAR, "Y": Bar(49.0, 51.0, 48.0, 50.0, 1e6)}
    result = market().match_session(working, bars.get, DAY)
    assert [fill.order_ref for fill in result.executions] == ["x"]
    assert [(event.order_ref, event.state) for event in result.events] == [
        ("x", "FILLED"),
        ("y", "CANCELLED"),
    ]


def test_cancel_takes_waiting_children_along_and_leaves_the_rest() -> None:
    working = [
        order("entry", "BUY", "limit", limit_price=90.0),
        order("stop", "SELL", "stop", stop_price=80.0, parent_ref="entry", live=False),
        order("other", "BUY", "limit", limit_price=90.0),
    ]
    result = market().cancel(working, ["entry", "unknown"], DAY, "rule 4")
    assert [(event.order_ref, event.state, event.reason) for event in result.events] == [
        ("entry", "CANCELLED", "rule 4"),
        ("stop", "CANCELLED", "parent cancelled"),
    ]
    assert [item.order_ref for item in result.working] == ["other"]


def test_cancelling_a_partly_filled_entry_keeps_the_stop_for_what_was_filled() -> None:
    working = [
        order("entry", "BUY", "market"),
        order("stop", "SELL", "stop", stop_price=80.0, parent_ref="entry", live=False),
    ]
    thin = Bar(100.0, 101.0, 94.0, 100.0, 400.0)
    first = market().match_session(working, {"X": thin}.get, DAY)
    result = market().cancel(first.working, ["entry"], DAY, "asked for")
    assert [(item.order_ref, item.quantity, item.held) for item in result.working] == [("stop", 40.0, 0.0)]


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("limit", "limit_price"),
        ("stop", "stop_price"),
        ("stop_limit", "stop_price"),
        ("trailing_stop", "trail_percent"),
    ],
)
def test_an_order_that_no_market_can_work_is_named(kind: str, missing: str) -> None:
    with pytest.raises(OrderError, match=f"order bad .*{missing}"):
        market().match_session([order("bad", "BUY", kind)], {"X": BAR}.get, DAY)


def test_costs_by_asset_class_follow_the_configuration() -> None:
    costs = costs_of(CostsConfig())
    assert costs["etf"] is costs["stock"]
    assert costs["stock"].slippage == PercentSlippage(0.001)
    assert costs["crypto"].slippage == PercentSlippage(0.003)
    assert costs["crypto"].commission == PercentCommission(0.001)
    assert costs["stock"].fillable(100.0, 905.0) == 90.0
    assert costs["crypto"].fillable(100.0, 905.0) == pytest.approx(90.5)


@pytest.mark.parametrize(
    ("working", "quotes", "fills_at"),
    [
        (order("a", "BUY", "limit", limit_price=95.0), [96.0, 95.5, 94.9], 94.9),
        (order("a", "SELL", "stop", stop_price=95.0), [96.0, 95.1, 94.9], 94.9),
        (order("a", "SELL", "trailing_stop", trail_percent=0.1, anchor=100.0), [95.0, 91.0, 89.0], 89.0),
        (order("a", "BUY", "market"), [96.0], 96.0),
    ],
)
def test_the_rules_serve_quotes_as_well(working: Order, quotes: list[float], fills_at: float) -> None:
    assert [at_price(working, quote) for quote in quotes[:-1]] == [None] * (len(quotes) - 1)
    assert at_price(working, quotes[-1]) == fills_at


# ------------------------------------------------------------------------------------------------- splits


def test_a_two_for_one_split_adjusts_an_open_bracket() -> None:
    stop = order("stop", "SELL", "stop", 50.0, stop_price=92.0, oca_group="g")
    target = order("target", "SELL", "limit", 50.0, limit_price=120.0, oca_group="g")
    trail = order("trail", "SELL", "trailing_stop", 50.0, trail_percent=0.08, anchor=110.0)
    for item in (stop, target, trail):
        split_order(item, 2.0)
    assert (stop.quantity, stop.original, stop.stop_price) == (100.0, 100.0, 46.0)
    assert (target.quantity, target.limit_price) == (100.0, 60.0)
    assert (trail.quantity, trail.anchor, trail.trail_percent) == (100.0, 55.0, 0.08)


def test_a_reverse_split_keeps_whole_units() -> None:
    stop = split_order(order("stop", "SELL", "stop", 15.0, stop_price=9.0), 0.1, whole_units=True)
    assert (stop.quantity, stop.stop_price) == (1.0, pytest.approx(90.0))
    assert (
        split_order(order("tiny", "SELL", "stop", 5.0, stop_price=9.0), 0.1, whole_units=True).quantity == 0.0
    )


def test_a_split_keeps_the_average_price_of_the_fills() -> None:
    thin = Bar(100.0, 101.0, 94.0, 100.0, 400.0)
    working = market().match_session([order("a", "BUY", "market")], {"X": thin}.get, DAY).working
    split_order(working[0], 2.0)
    assert working[0].filled == 80.0
    result = market().match_session(working, {"X": Bar(50.0, 51.0, 49.0, 50.0, 1e6)}.get, date(2024, 1, 3))
    assert result.events[0].average_price == pytest.approx(50.0)
    assert result.events[0].filled == 200.0


@pytest.mark.parametrize("ratio", [0.0, -2.0, float("nan")])
def test_a_split_without_a_ratio_is_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match="ratio"):
        split_order(order("a", "BUY", "market"), ratio)
