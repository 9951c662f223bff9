"""Slippage as an execution pays it: by size, by volume, within the limits of its order."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from math import sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.book import CostConfig, CostsConfig, SlippageConfig
from trading.commissions import NoCommission
from trading.matching import Costs, Market, costs_of
from trading.orders import Bar, Order
from trading.slippage import slippage_model

DAY = date(2024, 1, 2)


def bought(model: str, value: float, quantity: float, volume: float, **fields: object):
    """The one execution of a market order to buy at an open of 100."""
    costs = Costs(slippage_model(SlippageConfig(model=model, value=value)), NoCommission(), participation=1.0)
    order = Order("a", date(2024, 1, 1), "s", "X", "stock", "entry", "BUY", "market", quantity)
    working = replace(order, **fields)
    bar = Bar(100.0, 120.0, 80.0, 100.0, volume)
    [fill] = Market({"stock": costs}).match_session([working], {"X": bar}.get, DAY).executions
    return fill


@pytest.mark.parametrize(
    ("model", "value", "quantity", "volume", "price"),
    [
        ("none", 0.0, 1_000, 1_000, 100.0),
        ("fixed", 0.05, 1, 1_000, 100.05),
        ("fixed", 0.05, 1_000, 1_000, 100.05),  # whatever the size
        ("percent", 0.001, 1, 1_000, 100.1),
        ("percent", 0.001, 1_000, 1_000, 100.1),
        ("volume_share", 0.1, 50, 1_000, 100 * (1 + 0.1 * 0.05**2)),
        ("volume_share", 0.1, 100, 1_000, 100 * (1 + 0.1 * 0.1**2)),  # just at the limit of 10 %
        ("volume_share", 0.1, 101, 1_000, 100 * (1 + 0.1 * 0.1**2)),  # and beyond it
        ("volume_share", 0.1, 1_000, 1_000, 100 * (1 + 0.1 * 0.1**2)),
        ("square_root", 0.02, 10, 1_000, 100 * (1 + 0.02 * sqrt(0.01))),
        ("square_root", 0.02, 250, 1_000, 101.0),
        ("square_root", 0.02, 1_000, 1_000, 102.0),
    ],
)
def test_prices_paid_by_size(model, value, quantity, volume, price):
    fill = bought(model, value, float(quantity), float(volume))
    assert fill.price == pytest.approx(price, rel=1e-12)
    assert fill.slippage == pytest.approx((price - 100) * quantity, abs=1e-9)


@settings(max_examples=30)
@given(
    st.sampled_from(["volume_share", "square_root"]),
    st.floats(0.001, 0.5),
    st.floats(1, 500),
    st.floats(1, 500),
    st.floats(1_000, 1e6),
)
def test_a_larger_order_pays_no_less_a_unit_and_a_busier_bar_no_more(model, value, size, more, volume):
    small, large = (bought(model, value, each, volume).price for each in (size, size + more))
    busy = bought(model, value, size, volume * 2).price
    assert busy <= small <= large


@settings(max_examples=30)
@given(st.floats(0.001, 0.5), st.floats(1, 900), st.floats(1_000, 1e6))
def test_the_square_root_law_quadruples_the_size_for_twice_the_impact(value, size, volume):
    one, four = (bought("square_root", value, each, volume * 4).price - 100 for each in (size, size * 4))
    assert four == pytest.approx(2 * one)


@pytest.mark.parametrize(
    ("side", "limit", "price"),
    [("BUY", 105.4, 105.4), ("BUY", 110.0, 105.5), ("SELL", 94.6, 94.6), ("SELL", 90.0, 94.5)],
)
def test_a_stop_limit_pays_slippage_up_to_its_limit(side, limit, price):
    costs = Costs(slippage_model(SlippageConfig(model="fixed", value=0.5)), NoCommission())
    stop = 105.0 if side == "BUY" else 95.0
    order = Order(
        "a", date(2024, 1, 1), "s", "X", "stock", "entry", side, "stop_limit", 10.0,
        stop_price=stop, limit_price=limit,
    )  # fmt: skip
    bar = Bar(100.0, 108.0, 92.0, 100.0, 1e6)
    [fill] = Market({"stock": costs}).match_session([order], {"X": bar}.get, DAY).executions
    assert fill.price == pytest.approx(price)
    assert fill.slippage == pytest.approx(abs(price - stop) * 10)


@pytest.mark.parametrize("model", ["none", "fixed", "percent", "volume_share", "square_root"])
def test_a_book_prices_every_asset_class_by_its_own_table(model):
    own = CostConfig(slippage=SlippageConfig(model=model, value=0.01))
    costs = costs_of(CostsConfig(option=own))
    assert costs["option"].slippage == slippage_model(own.slippage)
    assert costs["stock"].slippage == slippage_model(CostsConfig().stock.slippage)
    assert {name for name in costs if costs[name] is costs["stock"]} == {"stock", "etf", "index", "future"}
