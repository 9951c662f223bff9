"""The measures agree with an independent library to 1e-10, on generated and on real returns."""

from __future__ import annotations

import math
import warnings

import empyrical
import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trading import performance as p

# Whole basis points: a difference is then no rounding, and a drawdown never so shallow that dividing by it
# (Calmar) multiplies the rounding of the product it was taken from.
session_returns = st.integers(-2_000, 2_000).map(lambda points: points / 1e4)
series = st.lists(session_returns, min_size=1, max_size=120).map(np.array)
pairs = st.lists(st.tuples(session_returns, session_returns), min_size=2, max_size=120).map(np.array)
rates = st.sampled_from([0.0, 0.01, 0.05])


def agree(ours: float, theirs: float) -> None:
    """Equal to 1e-10, or ours not defined where theirs is not a finite number."""
    if not math.isfinite(theirs):
        assert math.isnan(ours)
    else:
        assert ours == pytest.approx(theirs, rel=1e-10, abs=1e-10)


def check_returns(returns: np.ndarray, risk_free: float, periods: int) -> None:
    session = (1 + risk_free) ** (1 / periods) - 1
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        agree(p.total_return(returns), empyrical.cum_returns_final(returns))
        agree(p.annual_return(returns, periods), empyrical.annual_return(returns, annualization=periods))
        agree(
            p.annual_volatility(returns, periods), empyrical.annual_volatility(returns, annualization=periods)
        )
        agree(
            p.sharpe_ratio(returns, risk_free, periods),
            empyrical.sharpe_ratio(returns, risk_free=session, annualization=periods),
        )
        agree(
            p.sortino_ratio(returns, risk_free, periods),
            empyrical.sortino_ratio(returns, required_return=session, annualization=periods),
        )
        agree(
            p.downside_deviation(returns, session, periods),
            empyrical.downside_risk(returns, required_return=session, annualization=periods),
        )
        agree(p.max_drawdown(returns), empyrical.max_drawdown(returns))
        agree(p.calmar_ratio(returns, periods), empyrical.calmar_ratio(returns, annualization=periods))
        agree(p.value_at_risk(returns), empyrical.value_at_risk(returns))
        agree(p.expected_shortfall(returns), empyrical.conditional_value_at_risk(returns))


def check_pair(own: np.ndarray, market: np.ndarray, risk_free: float, periods: int) -> None:
    session = (1 + risk_free) ** (1 / periods) - 1
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        agree(p.beta(own, market), empyrical.beta_aligned(own, market, risk_free=session))
        unexplained = np.nanmean(own - session - p.beta(own, market) * (market - session))
        ours = p.alpha(own, market, risk_free, periods)
        if (
            unexplained <= -1
        ):  # more than everything in a session: empyrical takes a power of less than nothing
            assert math.isnan(ours)
        else:
            agree(ours, empyrical.alpha_aligned(own, market, risk_free=session, annualization=periods))
        agree(
            p.information_ratio(own, market, periods),
            empyrical.excess_sharpe(own, market) * math.sqrt(periods),
        )


@settings(max_examples=150, deadline=None)
@given(series, rates, st.sampled_from([252, 365, 12]))
def test_generated_returns(returns: np.ndarray, risk_free: float, periods: int) -> None:
    check_returns(returns, risk_free, periods)


@settings(max_examples=150, deadline=None)
@example(np.array([(0.0, 0.0026), (-0.0385, 0.0025)]), 0.0)
@given(pairs, rates)
def test_generated_pairs(both: np.ndarray, risk_free: float) -> None:
    check_pair(both[:, 0], both[:, 1], risk_free, 252)


@settings(max_examples=60, deadline=None)
@given(pairs, st.data())
def test_missing_sessions(both: np.ndarray, data: st.DataObject) -> None:
    holes = data.draw(st.lists(st.integers(0, len(both) - 1), max_size=5))
    own = both[:, 0].copy()
    own[holes] = math.nan
    if np.isfinite(own).sum() >= 2:
        check_returns(own[np.isfinite(own)], 0.0, 252)
        assert p.sharpe_ratio(own) == pytest.approx(
            p.sharpe_ratio(own[np.isfinite(own)]), rel=1e-12, nan_ok=True
        )
        check_pair(own, both[:, 1], 0.0, 252)


@pytest.mark.parametrize("symbol", ["AAPL", "IBM", "MSFT", "GOOG", "FB"])
def test_real_returns(closes: pl.DataFrame, symbol: str) -> None:
    prices = closes.filter(pl.col("symbol") == symbol)["close"].to_numpy()
    check_returns(prices[1:] / prices[:-1] - 1, 0.02, 252)


@pytest.mark.parametrize("symbol", ["AAPL", "MSFT"])
def test_real_comparison(closes: pl.DataFrame, symbol: str) -> None:
    wide = closes.filter(pl.col("symbol") == symbol).join(
        closes.filter(pl.col("symbol") == "IBM"), on="session", suffix="_market"
    )
    own, market = wide["close"].to_numpy(), wide["close_market"].to_numpy()
    own, market = own[1:] / own[:-1] - 1, market[1:] / market[:-1] - 1
    check_pair(own, market, 0.02, 252)
    assert p.correlation(own, market) == pytest.approx(np.corrcoef(own, market)[0, 1], rel=1e-10)
