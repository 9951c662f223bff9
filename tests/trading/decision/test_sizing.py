"""Sizes of entries: the vectors of the rules, caps, streaks, rounding."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.book import SizingConfig
from trading.sizing import conviction_factor, entry_size, round_quantity, streak_risk, weight_quantity

FRACTIONAL = SizingConfig(whole_shares=False)


@pytest.mark.parametrize(
    ("price", "stop", "asset_class", "intended", "quantity"),
    [
        (100.0, 93.0, "stock", 142.857, 50.0),
        (50_000.0, 44_000.0, "crypto", 0.11667, 0.10),
        (150.0, 140.0, "stock", 100.0, 33.3333),
        (380.0, 355.0, "stock", 40.0, 13.1579),
        (140.0, 130.0, "stock", 100.0, 35.7143),
        (160.0, 150.0, "stock", 100.0, 31.25),
        (100.0, 70.0, "stock", 33.3333, 33.3333),  # a stop further than 20 %: the cap does not bind
    ],
)
def test_risk_per_trade_and_cap(price, stop, asset_class, intended, quantity):
    size = entry_size(FRACTIONAL, equity=100_000, price=price, stop=stop, asset_class=asset_class)
    assert size.intended == pytest.approx(intended, rel=1e-4)
    assert size.quantity == pytest.approx(quantity, rel=1e-4)
    assert size.intended_risk == pytest.approx(size.intended * (price - stop))
    assert size.actual_risk == pytest.approx(size.quantity * (price - stop))


def test_whole_shares_round_down_but_crypto_stays_fractional():
    whole = SizingConfig()
    assert entry_size(whole, equity=100_000, price=150, stop=140).quantity == 33.0
    assert entry_size(whole, equity=100_000, price=50_000, stop=44_000, asset_class="crypto").quantity == 0.1


def test_modes_without_a_stop():
    fraction = SizingConfig(mode="fraction", fraction=0.02, whole_shares=False)
    assert entry_size(fraction, equity=10_000, price=10, stop=None).quantity == pytest.approx(20.0)
    # risk mode without a stop falls back to the fraction: nothing can be divided by an unknown distance
    assert entry_size(SizingConfig(), equity=100_000, price=100, stop=None).quantity == 50.0


@pytest.mark.parametrize(
    ("streak", "risk"), [(0, 0.01), (4, 0.01), (5, 0.012), (9, 0.012), (-4, 0.01), (-5, 0.007), (-20, 0.007)]
)
def test_streaks_move_the_risk(streak, risk):
    assert streak_risk(SizingConfig(), streak) == risk


def test_streaks_stay_within_the_bounds():
    wild = SizingConfig(winning_streak_risk=0.09, losing_streak_risk=0.0001)
    assert streak_risk(wild, 5) == wild.max_risk_per_trade
    assert streak_risk(wild, -5) == wild.min_risk_per_trade


@pytest.mark.parametrize(
    ("score", "factor"), [(None, 1.0), (95, 1.0), (90, 1.0), (89.9, 0.8), (80, 0.8), (70, 0.6)]
)
def test_conviction(score, factor):
    assert conviction_factor(score) == factor


@given(st.floats(0, 1e9), st.booleans())
def test_rounding_never_goes_up_beyond_rounding_error(quantity, whole):
    rounded = round_quantity(quantity, whole=whole)
    step = 1.0 if whole else 1e-8
    assert rounded <= quantity * (1 + 2e-12) + 1e-12
    assert rounded > quantity - step * (1 + 1e-6) - quantity * 1e-12


def test_a_division_does_not_cost_a_share():
    assert round_quantity(0.1 * 3 * 10, whole=True) == 3.0
    assert round_quantity(2.9999999, whole=True) == 2.0
    assert round_quantity(-2.5, whole=True) == -2.0


def test_target_weight_keeps_the_buffer():
    sizing = SizingConfig(cash_buffer=0.05, whole_shares=False)
    assert weight_quantity(sizing, equity=1_000, weight=0.5, price=10) == pytest.approx(47.5)
    assert weight_quantity(SizingConfig(), equity=1_000, weight=0.5, price=30) == 16.0
    assert weight_quantity(SizingConfig(), equity=1_000, weight=-0.5, price=30) == -16.0


@given(st.floats(1e3, 1e7), st.floats(1, 1e4), st.floats(0.5, 0.999), st.floats(0.1, 1.0))
def test_the_cap_always_holds(equity, price, stop_ratio, scale):
    size = entry_size(FRACTIONAL, equity=equity, price=price, stop=price * stop_ratio, scale=scale)
    assert size.quantity * price <= equity * FRACTIONAL.max_position * (1 + 1e-9)
    assert size.quantity <= size.intended * (1 + 1e-9)
    assert math.isfinite(size.actual_risk)
