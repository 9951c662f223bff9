"""Reading announced figures back out of rounded factors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.providers.factors import shortest, split_ratio


@pytest.mark.parametrize(
    ("low", "high", "number"),
    [
        (2.6498, 2.6501, 2.65),
        (0.07999, 0.08001, 0.08),
        (1.9, 2.1, 2.0),
        (0.313381, 0.313389, 0.313385),
        (3.0, 3.0, 3.0),
    ],
)
def test_the_number_with_the_fewest_decimals(low, high, number):
    assert shortest(low, high) == number


@pytest.mark.parametrize(
    ("low", "high", "ratio"),
    [
        (1.99999, 2.00001, 2.0),
        (6.99999, 7.00001, 7.0),
        (1.4999995, 1.5000005, 1.5),
        (1.2499, 1.2501, 1.25),
        (0.1249999, 0.1250001, 0.125),
        (0.3333332, 0.3333334, 1 / 3),
        (1.00269998, 1.00270001, 1.0027),
    ],
)
def test_splits_are_ratios_of_small_numbers_where_they_can_be(low, high, ratio):
    assert split_ratio(low, high) == pytest.approx(ratio, rel=1e-12)


def test_reversed_bounds_are_refused():
    with pytest.raises(ValueError, match="reversed"):
        shortest(2, 1)


@given(
    cents=st.integers(1, 5000),
    close=st.integers(6000, 100_000),
    later=st.floats(0.1, 1.0),
)
def test_a_dividend_of_cents_survives_factors_of_seven_decimals(cents, close, later):
    dividend, price = cents / 100, close / 100
    after = round(later, 7)
    before = round(after * (1 - dividend / price), 7)
    slack = 0.5e-7 / before + 0.5e-7 / after
    ratio = before / after
    found = shortest(price * (1 - ratio * (1 + slack)), price * (1 - ratio * (1 - slack)))
    assert abs(found - dividend) <= price * 2 * slack
    if price * 2 * slack < 0.005:
        assert found == dividend
