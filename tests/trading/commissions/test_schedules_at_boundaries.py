"""Commission schedules where one rule hands over to the next, and against a slow exact calculation."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.book import CommissionConfig
from trading.commissions import (
    InteractiveBrokersFixed,
    InteractiveBrokersTiered,
    NoCommission,
    PercentCommission,
    commission_model,
)
from trading.commissions.ib_tiered import TIERS

FIXED, TIERED = InteractiveBrokersFixed(), InteractiveBrokersTiered()

BOUNDARIES = [
    # model, shares, price, commission: on either side of where the rule changes
    (FIXED, 1, 200.00, 1.00),  # the minimum for a single share
    (FIXED, 1, 100.00, 1.00),  # 1 % of the value is just the minimum
    (FIXED, 1, 99.99, 1.00),  # 0.9999 to the cent
    (FIXED, 1, 99.00, 0.99),  # from here on down the maximum of 1 %
    (FIXED, 199, 25.00, 1.00),  # 0.995: still the minimum
    (FIXED, 200, 25.00, 1.00),  # 0.005 a share is just the minimum
    (FIXED, 202, 25.00, 1.01),
    (FIXED, 204, 25.00, 1.02),
    (FIXED, 1_000, 0.50, 5.00),  # 1 % of the value is just 0.005 a share
    (FIXED, 1_000, 0.49, 4.90),  # below half a dollar the maximum binds
    (FIXED, 1_000, 0.51, 5.00),
    (FIXED, 100, 1.00, 1.00),
    (FIXED, 100, 0.99, 0.99),
    (FIXED, 3, 0.0101, 0.00),  # a maximum of a thirtieth of a cent
    (TIERED, 1, 35.00, 0.35),  # 1 % of the value is just the minimum
    (TIERED, 1, 34.00, 0.34),
    (TIERED, 100, 25.00, 0.35),  # 0.0035 a share is just the minimum
    (TIERED, 99, 25.00, 0.35),
    (TIERED, 102, 25.00, 0.36),
    (TIERED, 106, 25.00, 0.37),
    (TIERED, 1_000, 0.35, 3.50),  # 1 % of the value is just 0.0035 a share
    (TIERED, 1_000, 0.34, 3.40),
    (TIERED, 300_000, 50.00, 1_050.00),  # the whole first tier
    (TIERED, 300_001, 50.00, 1_050.00),  # one share of the second costs a fifth of a cent
    (TIERED, 300_010, 50.00, 1_050.02),
]


@pytest.mark.parametrize(("model", "shares", "price", "commission"), BOUNDARIES)
def test_each_side_of_a_boundary(model, shares, price, commission):
    assert model.cost(shares, price) == commission


@pytest.mark.parametrize("tier", range(len(TIERS) - 1))
def test_a_month_that_stands_at_the_end_of_a_tier(tier):
    """The next thousand shares after exactly the tier's volume pay the next rate, those before it their own."""
    bound, rate = TIERS[tier]
    following = TIERS[tier + 1][1]
    assert InteractiveBrokersTiered(bound).cost(1_000, 50.0) == round(max(1_000 * following, 0.35), 2)
    assert InteractiveBrokersTiered(bound - 1_000).cost(1_000, 50.0) == round(1_000 * rate, 2)
    straddling = InteractiveBrokersTiered(bound - 400).cost(1_000, 50.0)
    assert straddling == round(400 * rate + 600 * following, 2)


def exact_fixed(shares: int, price: Fraction) -> Fraction:
    return min(max(shares * Fraction(5, 1000), Fraction(1)), shares * price / 100)


def exact_tiered(shares: int, price: Fraction, month: int) -> Fraction:
    """Share by share in thought: the part of the order that lies in each tier."""
    bounds = [0, 300_000, 3_000_000, 20_000_000, 100_000_000, 10**12]
    rates = [
        Fraction(35, 10_000),
        Fraction(20, 10_000),
        Fraction(15, 10_000),
        Fraction(10, 10_000),
        Fraction(5, 10_000),
    ]
    total = sum(
        (
            max(min(month + shares, upper) - max(month, lower), 0) * rate
            for (lower, upper), rate in zip(pairwise(bounds), rates, strict=True)
        ),
        Fraction(0),
    )
    return min(max(total, Fraction(35, 100)), shares * price / 100)


def within_a_cents_rounding(found: float, exact: Fraction) -> bool:
    cents = Decimal(exact.numerator) / Decimal(exact.denominator) * 100
    nearest = cents.quantize(Decimal(1), ROUND_HALF_EVEN)
    off_half = abs(abs(cents - nearest) - Decimal("0.5")) < Decimal("1e-6")
    # At a half cent the binary figure may lie on either side; everywhere else there is one answer.
    return abs(round(found * 100) - nearest) <= (1 if off_half else 0)


prices = st.integers(1, 100_000_000).map(lambda n: Fraction(n, 10_000))
shares_ = st.one_of(st.integers(1, 2_000), st.integers(1, 200_000_000))


@given(shares_, prices)
def test_the_fixed_schedule_against_exact_arithmetic(shares, price):
    found = FIXED.cost(float(shares), float(price))
    assert within_a_cents_rounding(found, exact_fixed(shares, price))


@given(shares_, prices, st.one_of(st.just(0), st.integers(0, 150_000_000)))
def test_the_tiered_schedule_against_exact_arithmetic(shares, price, month):
    found = InteractiveBrokersTiered(float(month)).cost(float(shares), float(price))
    assert within_a_cents_rounding(found, exact_tiered(shares, price, month))


@given(shares_, prices, st.integers(0, 100_000_000))
def test_splitting_an_order_never_makes_it_cheaper_than_the_rounding_of_its_parts(shares, price, month):
    """The minimum holds for every part, so two halves pay at least what the whole does, to a cent each.

    Below a dollar the maximum of 1 % takes the place of the rates, and this no longer holds.
    """
    first, price = shares // 2, price + 1
    if first == 0:
        return
    whole = InteractiveBrokersTiered(float(month)).cost(shares, float(price))
    parts = InteractiveBrokersTiered(float(month)).cost(first, float(price))
    parts += InteractiveBrokersTiered(float(month + first)).cost(shares - first, float(price))
    assert parts >= whole - 0.02


@given(shares_, prices, st.sampled_from(["none", "percent", "ib_fixed", "ib_tiered"]), st.floats(0, 0.05))
def test_every_schedule_gives_cents_that_grow_with_the_order_and_never_pass_its_value(
    shares, price, name, value
):
    model = commission_model(CommissionConfig(model=name, value=value))
    small, large = model.cost(shares, float(price)), model.cost(shares * 2, float(price))
    assert 0.0 <= small <= large
    assert small == round(small, 2)
    assert small <= shares * float(price) * 0.05 + 0.01


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("none", NoCommission),
        ("percent", PercentCommission),
        ("ib_fixed", InteractiveBrokersFixed),
        ("ib_tiered", InteractiveBrokersTiered),
    ],
)
def test_a_book_names_its_schedule(name, kind):
    assert type(commission_model(CommissionConfig(model=name, value=0.0))) is kind


def test_the_maximum_counts_the_multiplier_of_a_contract():
    """One contract of 100 at 0.20 is worth 20: its 1 % is 0.20, below either minimum."""
    assert FIXED.cost(1, 0.20, 100.0) == 0.20
    assert TIERED.cost(1, 0.20, 100.0) == 0.20
    assert FIXED.cost(1, 2.00, 100.0) == 1.00
