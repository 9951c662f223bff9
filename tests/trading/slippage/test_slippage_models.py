"""Slippage models against figures worked by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.book import SlippageConfig
from trading.orders import Bar
from trading.slippage import slippage_model

BAR = Bar(100.0, 101.0, 99.0, 100.0, 10_000.0)


@pytest.mark.parametrize(
    ("model", "value", "quantity", "bought", "sold"),
    [
        ("none", 0.5, 100, 100.0, 100.0),
        ("fixed", 0.05, 100, 100.05, 99.95),
        ("percent", 0.001, 100, 100.1, 99.9),
        ("volume_share", 0.1, 100, 100.001, 99.999),  # 1 % of the volume: 0.1 x 0.01 ** 2 of 100
        ("volume_share", 0.1, 500, 100.025, 99.975),
        ("volume_share", 0.1, 5000, 100.1, 99.9),  # capped at the limit of 10 %
        ("square_root", 0.02, 100, 100.2, 99.8),  # 0.02 x sqrt(0.01) of 100
        ("square_root", 0.02, 400, 100.4, 99.6),
    ],
)
def test_prices_by_hand(model: str, value: float, quantity: float, bought: float, sold: float) -> None:
    slippage = slippage_model(SlippageConfig(model=model, value=value))
    assert slippage.price("BUY", 100.0, quantity, BAR) == pytest.approx(bought)
    assert slippage.price("SELL", 100.0, quantity, BAR) == pytest.approx(sold)


@pytest.mark.parametrize(
    ("model", "value", "bought"), [("volume_share", 0.1, 100.1), ("square_root", 0.02, 102.0)]
)
def test_a_bar_without_volume_counts_as_taken_whole(model: str, value: float, bought: float) -> None:
    slippage = slippage_model(SlippageConfig(model=model, value=value))
    assert slippage.price("BUY", 100.0, 10, BAR._replace(volume=0.0)) == pytest.approx(bought)


@given(
    model=st.sampled_from(["none", "fixed", "percent", "volume_share", "square_root"]),
    value=st.floats(0, 2),
    price=st.floats(0.01, 1e4),
    quantity=st.floats(1e-6, 1e7),
)
def test_slippage_is_always_against_the_order_and_never_below_zero(
    model: str, value: float, price: float, quantity: float
) -> None:
    slippage = slippage_model(SlippageConfig(model=model, value=value))
    assert slippage.price("BUY", price, quantity, BAR) >= price
    assert 0.0 <= slippage.price("SELL", price, quantity, BAR) <= price
