"""Every measure on cases small enough to compute by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trading import performance as p

NAN = float("nan")


def array(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


# 100 -> 110 -> 99 -> 99 -> 108.9
FOUR = array(0.10, -0.10, 0.0, 0.10)


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        (p.total_return(FOUR), 0.089),
        (p.annual_return(FOUR, periods=8), 1.089**2 - 1),
        (p.annual_return(FOUR), 1.089**63 - 1),
        # deviations from the mean 0.025: 0.075, -0.125, -0.025, 0.075; squares sum to 0.0275
        (p.annual_volatility(FOUR), math.sqrt(0.0275 / 3 * 252)),
        (p.sharpe_ratio(FOUR), 0.025 / math.sqrt(0.0275 / 3) * math.sqrt(252)),
        # one shortfall of 0.10 in four sessions
        (p.downside_deviation(FOUR), math.sqrt(0.01 / 4 * 252)),
        (p.sortino_ratio(FOUR), 0.025 * 252 / math.sqrt(0.01 / 4 * 252)),
        (p.max_drawdown(FOUR), -0.10),
        (p.calmar_ratio(FOUR, periods=4), 0.89),
        (p.max_drawdown_duration(FOUR), 3.0),
        (p.longest_drawdown(FOUR), 3.0),
        (p.best_session(FOUR), 0.10),
        (p.worst_session(FOUR), -0.10),
        (p.positive_sessions(FOUR), 0.5),
        (p.value_at_risk(array(-0.04, -0.02, 0.0, 0.02, 0.04), tail=0.25), -0.02),
        (p.expected_shortfall(array(-0.04, -0.02, 0.0, 0.02, 0.04), tail=0.25), -0.03),
    ],
)
def test_returns(figure: float, expected: float) -> None:
    assert figure == pytest.approx(expected, rel=1e-12)


def test_risk_free_rate_is_annual_and_compounds() -> None:
    session = 1.05 ** (1 / 252) - 1
    assert p.sharpe_ratio(FOUR, risk_free=0.05) == pytest.approx(p.sharpe_ratio(FOUR - session), rel=1e-12)
    assert p.sortino_ratio(FOUR, risk_free=0.05) == pytest.approx(p.sortino_ratio(FOUR - session), rel=1e-12)


@pytest.mark.parametrize("hole", [NAN, float("inf"), float("-inf")])
def test_sessions_without_a_return_are_left_out(hole: float) -> None:
    holed = array(hole, 0.10, -0.10, hole, 0.0, 0.10, hole)
    for measure in (
        p.total_return,
        p.annual_return,
        p.annual_volatility,
        p.sharpe_ratio,
        p.sortino_ratio,
        p.calmar_ratio,
        p.max_drawdown,
        p.value_at_risk,
        p.expected_shortfall,
        p.positive_sessions,
    ):
        assert measure(holed) == measure(FOUR), measure.__name__


OF_RETURNS = [
    p.total_return,
    p.annual_return,
    p.annual_volatility,
    p.sharpe_ratio,
    p.sortino_ratio,
    p.calmar_ratio,
    p.max_drawdown,
    p.max_drawdown_duration,
    p.longest_drawdown,
    p.best_session,
    p.worst_session,
    p.positive_sessions,
    p.value_at_risk,
    p.expected_shortfall,
    p.downside_deviation,
]


@pytest.mark.parametrize("measure", OF_RETURNS, ids=lambda measure: measure.__name__)
@pytest.mark.parametrize("returns", [array(), array(NAN), array(NAN, NAN, NAN)], ids=["empty", "nan", "nans"])
def test_no_return_is_not_defined(measure, returns) -> None:
    assert math.isnan(measure(returns))


@pytest.mark.parametrize(
    ("measure", "returns"),
    [
        (p.sharpe_ratio, array(0.01)),
        (p.sharpe_ratio, array(0.0, 0.0, 0.0)),
        (p.sharpe_ratio, array(0.01, 0.01, 0.01)),
        (p.annual_volatility, array(0.01)),
        (p.sortino_ratio, array(-0.01)),
        (p.sortino_ratio, array(0.01, 0.02)),
        (p.calmar_ratio, array(0.01, 0.02)),
        (p.annual_return, array(0.5, -1.5)),
        (p.calmar_ratio, array(-1.5)),
    ],
)
def test_undefined_ratios_are_nan_and_never_infinite(measure, returns) -> None:
    assert math.isnan(measure(returns))


def test_constant_growth_has_no_sharpe_ratio_despite_rounding() -> None:
    equity = 100.0 * 1.001 ** np.arange(500)
    returns = equity[1:] / equity[:-1] - 1
    assert returns.std() > 0  # the rounding that must not become a ratio of 1e13
    assert math.isnan(p.sharpe_ratio(returns))


def test_losing_everything() -> None:
    assert p.total_return(array(0.1, -1.0)) == -1.0
    assert p.annual_return(array(0.1, -1.0)) == -1.0
    assert p.max_drawdown(array(0.1, -1.0)) == -1.0


# --------------------------------------------------------------------------------------------- drawdowns


@pytest.mark.parametrize(
    ("returns", "episodes"),
    [
        (array(), []),
        (array(0.1, 0.0, 0.2), []),
        # down on the first session: the starting value is the peak
        (array(-0.5, 1.0), [p.Drawdown(-1, 0, 1, 1, -0.5)]),
        # still under water at the end
        (array(0.1, -0.5, 0.1), [p.Drawdown(0, 1, None, 2, -0.5)]),
        # two episodes; the peak of the second is the recovery of the first
        (
            array(-0.5, 1.0, -0.25, -0.25, 1.0),
            [p.Drawdown(-1, 0, 1, 1, -0.5), p.Drawdown(1, 3, 4, 4, -0.4375)],
        ),
        # a session without a return stays under water
        (array(0.0, -0.5, NAN, 1.0), [p.Drawdown(0, 1, 3, 3, -0.5)]),
        # a session back at the peak ends it
        (array(-0.5, 1.0, 0.0, -0.5), [p.Drawdown(-1, 0, 1, 1, -0.5), p.Drawdown(2, 3, None, 3, -0.5)]),
    ],
)
def test_drawdown_episodes(returns, episodes) -> None:
    assert p.drawdown_episodes(returns) == episodes


def test_durations_count_sessions_from_the_peak() -> None:
    returns = array(-0.5, 1.0, 0.0, -0.01, 0.001, 0.001, 0.001)
    assert p.max_drawdown_duration(returns) == 2.0  # the deepest recovered on the second session
    assert p.longest_drawdown(returns) == 4.0  # the shallow one lasts since the third
    assert p.max_drawdown_duration(array(0.1, 0.1)) == 0.0
    assert p.longest_drawdown(array(0.1, 0.1)) == 0.0


def test_equal_depths_name_the_earlier_episode() -> None:
    episodes = p.drawdown_episodes(array(-0.5, 1.0, -0.5, 1.0))
    assert p.deepest(episodes) == episodes[0]


# ------------------------------------------------------------------------------------------------ trades

PNL = array(300.0, -100.0, 100.0, 0.0, -100.0, NAN)


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        (p.win_rate(PNL), 0.4),
        (p.profit_factor(PNL), 2.0),
        (p.expectancy(PNL), 40.0),
        (p.average_win(PNL), 200.0),
        (p.average_loss(PNL), -100.0),
        (p.payoff_ratio(PNL), 2.0),
        (p.average_trade(PNL / 1000), 0.04),
        (p.best_trade(PNL / 1000), 0.3),
        (p.worst_trade(PNL / 1000), -0.1),
        (p.average_holding(array(1, 2, 6)), 3.0),
        (p.longest_streak(array(1, 2, -1, 3, 4, 5, 0, 6), winning=True), 3.0),
        (p.longest_streak(array(1, 2, -1, 3, 4, 5, 0, 6), winning=False), 1.0),
        (p.longest_streak(array(1, 2), winning=False), 0.0),
    ],
)
def test_trades(figure: float, expected: float) -> None:
    assert figure == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("measure", "pnl"),
    [
        (p.win_rate, array()),
        (p.expectancy, array(NAN)),
        (p.profit_factor, array()),
        (p.profit_factor, array(1.0, 2.0)),
        (p.payoff_ratio, array(-1.0)),
        (p.average_loss, array(1.0)),
        (p.average_win, array(-1.0)),
        (p.average_trade, array()),
        (p.best_trade, array()),
        (p.worst_trade, array()),
        (p.average_holding, array()),
        (lambda pnl: p.longest_streak(pnl, winning=True), array()),
    ],
)
def test_trades_not_defined(measure, pnl) -> None:
    assert math.isnan(measure(pnl))


def test_only_losing_trades_have_a_profit_factor_of_zero() -> None:
    assert p.profit_factor(array(-1.0, -2.0)) == 0.0


# --------------------------------------------------------------------------------- activity and benchmark


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        (p.average_exposure(array(0.0, 0.5, 1.0, NAN)), 0.5),
        (p.time_in_market(array(0.0, 0.5, 1.0, 0.0)), 0.5),
        (p.annual_turnover(array(0.0, 0.02, 0.01)), 2.52),
        (p.annual_turnover(array(0.0, 0.02, 0.01), periods=365), 3.65),
    ],
)
def test_activity(figure: float, expected: float) -> None:
    assert figure == pytest.approx(expected, rel=1e-12)


MARKET = array(0.01, -0.01, 0.02, -0.02)


def test_twice_the_market_plus_a_constant() -> None:
    own = 2 * MARKET + 0.001
    assert p.beta(own, MARKET) == pytest.approx(2.0)
    assert p.alpha(own, MARKET) == pytest.approx(1.001**252 - 1)
    assert p.correlation(own, MARKET) == pytest.approx(1.0)
    # above the market: the market plus 0.001
    assert p.tracking_error(own, MARKET) == pytest.approx(p.annual_volatility(MARKET))
    assert p.information_ratio(own, MARKET) == pytest.approx(
        0.001 / math.sqrt(0.001 / 3) * math.sqrt(252), rel=1e-9
    )


def test_a_session_missing_on_either_side_is_left_out_of_both() -> None:
    own, market = np.append(2 * MARKET, [NAN, 0.5]), np.append(MARKET, [0.3, NAN])
    assert p.beta(own, market) == pytest.approx(2.0)
    assert p.tracking_error(own, market) == p.tracking_error(2 * MARKET, MARKET)


@pytest.mark.parametrize("measure", [p.beta, p.alpha, p.correlation, p.information_ratio])
@pytest.mark.parametrize(
    ("own", "market"),
    [
        (array(), array()),
        (array(0.1), array(0.1)),
        (array(NAN, 0.1), array(0.1, NAN)),
        (array(0.02, 0.02, 0.02), array(0.01, 0.01, 0.01)),
    ],
    ids=["empty", "one", "disjoint", "constant"],
)
def test_comparison_not_defined(measure, own, market) -> None:
    assert math.isnan(measure(own, market))


def test_benchmark_against_itself() -> None:
    assert p.beta(MARKET, MARKET) == pytest.approx(1.0)
    assert p.alpha(MARKET, MARKET) == pytest.approx(0.0, abs=1e-12)
    assert p.tracking_error(MARKET, MARKET) == 0.0
    assert math.isnan(p.information_ratio(MARKET, MARKET))
