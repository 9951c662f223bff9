"""Commission schedules against the broker's published examples and figures worked by hand."""

from __future__ import annotations

import pytest

from trading.book import CommissionConfig
from trading.commissions import InteractiveBrokersTiered, commission_model


@pytest.mark.parametrize(
    ("model", "value", "quantity", "price", "cost"),
    [
        ("none", 0.5, 1000, 25.0, 0.0),
        ("percent", 0.001, 0.5, 30_000.0, 15.0),
        ("percent", 0.001, 7, 3.33, 0.02),
        ("ib_fixed", 0.0, 100, 25.0, 1.00),  # the broker's example: the minimum
        ("ib_fixed", 0.0, 1000, 25.0, 5.00),  # the broker's example
        ("ib_fixed", 0.0, 1000, 0.25, 2.50),  # the broker's example: the maximum of 1 %
        ("ib_fixed", 0.0, 10, 0.20, 0.02),  # the maximum below the minimum: the maximum
        ("ib_tiered", 0.0, 50, 25.0, 0.35),  # the minimum
        ("ib_tiered", 0.0, 1000, 25.0, 3.50),
        ("ib_tiered", 0.0, 1000, 0.25, 2.50),  # the maximum of 1 %
        ("ib_tiered", 300_000, 1000, 25.0, 2.00),  # second tier
        ("ib_tiered", 299_500, 1000, 25.0, 2.75),  # 500 at 0.0035 and 500 at 0.002
        ("ib_tiered", 150_000_000, 1000, 25.0, 0.50),  # last tier
    ],
)
def test_costs_by_hand(model: str, value: float, quantity: float, price: float, cost: float) -> None:
    assert commission_model(CommissionConfig(model=model, value=value)).cost(quantity, price) == cost


def test_an_order_over_every_tier_pays_each_for_its_part() -> None:
    paid = InteractiveBrokersTiered().cost(200_000_000, 50.0)
    by_hand = 300_000 * 0.0035 + 2_700_000 * 0.002 + 17e6 * 0.0015 + 80e6 * 0.001 + 100e6 * 0.0005
    assert paid == pytest.approx(by_hand)


def test_the_value_of_a_contract_counts_its_multiplier() -> None:
    assert commission_model(CommissionConfig(model="percent", value=0.001)).cost(2, 5.0, 100.0) == 1.0
