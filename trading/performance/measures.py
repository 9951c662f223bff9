"""The measures of a summary: name, unit, convention and when the figure is not defined.

Values in ``percent`` are percent (12.5 is 12.5 %), in ``ratio`` plain numbers, in ``cash`` in the book's
currency.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from trading.performance import activity, benchmark, drawdown, ratios, returns, trades
from trading.performance._arrays import Floats

Unit = Literal["ratio", "percent", "cash", "sessions", "count"]


@dataclass(frozen=True)
class Inputs:
    """What the measures of one summary are computed from.

    Attributes
    ----------
    returns, benchmark, exposure, turnover : numpy.ndarray
        One value a session, shape (T,), NaN where there is none.
    pnl, trade_returns, sessions_held : numpy.ndarray
        One value a round trip, shape (N,), in order of closing.
    benchmark_growth, net_profit, final_equity, commissions, dividends : float
        Figures of the whole range; NaN where not known.
    risk_free : float
        Annual rate.
    periods : int
        Sessions a year.
    """

    returns: Floats
    benchmark: Floats
    exposure: Floats
    turnover: Floats
    pnl: Floats
    trade_returns: Floats
    sessions_held: Floats
    benchmark_growth: float
    net_profit: float
    final_equity: float
    commissions: float
    dividends: float
    risk_free: float
    periods: int


@dataclass(frozen=True)
class Measure:
    """One figure of a summary.

    Attributes
    ----------
    convention : str
        How it is computed; ``{periods}`` and ``{risk_free}`` are filled in.
    undefined : str
        When there is no figure.
    """

    name: str
    unit: Unit
    compute: Callable[[Inputs], float]
    convention: str
    undefined: str


NO_RETURN = "no session has a return"
FEW_RETURNS = "fewer than two sessions have a return"
NO_TRADE = "no trade was closed"
NO_ROW = "no session was recorded"
NO_PAIR = "fewer than two sessions have a return of both, or one does not vary"

OF_RETURNS: tuple[Measure, ...] = (
    Measure(
        "sessions",
        "count",
        lambda i: float(i.returns.size),
        "rows of the portfolio in the range",
        NO_ROW,
    ),
    Measure(
        "total_return",
        "percent",
        lambda i: returns.total_return(i.returns) * 100,
        "compounded time-weighted return; capital put in counts from the session after",
        NO_RETURN,
    ),
    Measure(
        "annual_return",
        "percent",
        lambda i: returns.annual_return(i.returns, i.periods) * 100,
        "compound growth, {periods} sessions a year, sessions with a return",
        f"{NO_RETURN}, or more than everything was lost",
    ),
    Measure(
        "annual_volatility",
        "percent",
        lambda i: returns.annual_volatility(i.returns, i.periods) * 100,
        "standard deviation of session returns, ddof 1, times sqrt({periods})",
        FEW_RETURNS,
    ),
    Measure(
        "sharpe_ratio",
        "ratio",
        lambda i: ratios.sharpe_ratio(i.returns, i.risk_free, i.periods),
        "mean excess return / standard deviation (ddof 1) x sqrt({periods}), risk-free {risk_free:.2%} "
        "a year",
        f"{FEW_RETURNS}, or they do not vary",
    ),
    Measure(
        "sortino_ratio",
        "ratio",
        lambda i: ratios.sortino_ratio(i.returns, i.risk_free, i.periods),
        "mean excess return x {periods} / annual downside deviation over all sessions, required return "
        "{risk_free:.2%} a year",
        f"{FEW_RETURNS}, or none falls short of the required return",
    ),
    Measure(
        "calmar_ratio",
        "ratio",
        lambda i: ratios.calmar_ratio(i.returns, i.periods),
        "annual return / size of the maximum drawdown, whole range",
        f"{NO_RETURN}, or there is no drawdown",
    ),
    Measure(
        "max_drawdown",
        "percent",
        lambda i: drawdown.max_drawdown(i.returns) * 100,
        "lowest value over the highest before it, closes, starting capital included",
        NO_RETURN,
    ),
    Measure(
        "max_drawdown_duration",
        "sessions",
        lambda i: drawdown.max_drawdown_duration(i.returns),
        "from the peak of the maximum drawdown to its recovery, or to the last session",
        NO_RETURN,
    ),
    Measure(
        "longest_drawdown",
        "sessions",
        lambda i: drawdown.longest_drawdown(i.returns),
        "longest time from a peak to its recovery, or to the last session",
        NO_RETURN,
    ),
    Measure(
        "best_session",
        "percent",
        lambda i: returns.best_session(i.returns) * 100,
        "highest return of one session",
        NO_RETURN,
    ),
    Measure(
        "worst_session",
        "percent",
        lambda i: returns.worst_session(i.returns) * 100,
        "lowest return of one session",
        NO_RETURN,
    ),
    Measure(
        "positive_sessions",
        "percent",
        lambda i: returns.positive_sessions(i.returns) * 100,
        "share of sessions with a return above 0",
        NO_RETURN,
    ),
    Measure(
        "value_at_risk",
        "percent",
        lambda i: returns.value_at_risk(i.returns) * 100,
        "5 % quantile of session returns, linear interpolation, negative for a loss",
        NO_RETURN,
    ),
    Measure(
        "expected_shortfall",
        "percent",
        lambda i: returns.expected_shortfall(i.returns) * 100,
        "mean of the worst 5 % of session returns, one at least",
        NO_RETURN,
    ),
)

OF_ACTIVITY: tuple[Measure, ...] = (
    Measure(
        "average_exposure",
        "percent",
        lambda i: activity.average_exposure(i.exposure) * 100,
        "mean over all sessions of the positions' absolute value / equity",
        NO_ROW,
    ),
    Measure(
        "time_in_market",
        "percent",
        lambda i: activity.time_in_market(i.exposure) * 100,
        "share of sessions that closed with an open position",
        NO_ROW,
    ),
    Measure(
        "annual_turnover",
        "ratio",
        lambda i: activity.annual_turnover(i.turnover, i.periods),
        "value bought plus value sold over equity, mean of a session x {periods}",
        NO_ROW,
    ),
    Measure(
        "final_equity", "cash", lambda i: i.final_equity, "equity at the close of the last session", NO_ROW
    ),
    Measure(
        "net_profit",
        "cash",
        lambda i: i.net_profit,
        "change of equity over the range, capital put in taken out",
        NO_ROW,
    ),
    Measure("commissions", "cash", lambda i: i.commissions, "paid since the start of the book", NO_ROW),
    Measure("dividends", "cash", lambda i: i.dividends, "earned since the start of the book", NO_ROW),
)

OF_TRADES: tuple[Measure, ...] = (
    Measure("trades", "count", lambda i: float(i.pnl.size), "lots opened and closed", NO_TRADE),
    Measure(
        "win_rate",
        "percent",
        lambda i: trades.win_rate(i.pnl) * 100,
        "share of trades with a profit after commissions",
        NO_TRADE,
    ),
    Measure(
        "profit_factor",
        "ratio",
        lambda i: trades.profit_factor(i.pnl),
        "sum of profits / size of the sum of losses, after commissions",
        "no trade lost",
    ),
    Measure(
        "expectancy",
        "cash",
        lambda i: trades.expectancy(i.pnl),
        "mean profit of a trade after commissions",
        NO_TRADE,
    ),
    Measure(
        "payoff_ratio",
        "ratio",
        lambda i: trades.payoff_ratio(i.pnl),
        "mean profit of the winners / mean size of the losers",
        "no trade won, or none lost",
    ),
    Measure(
        "average_win",
        "cash",
        lambda i: trades.average_win(i.pnl),
        "mean profit of the winning trades",
        "no trade won",
    ),
    Measure(
        "average_loss",
        "cash",
        lambda i: trades.average_loss(i.pnl),
        "mean loss of the losing trades",
        "no trade lost",
    ),
    Measure(
        "average_trade",
        "percent",
        lambda i: trades.average_trade(i.trade_returns) * 100,
        "mean return of a trade on its cost, every trade weighing the same",
        NO_TRADE,
    ),
    Measure(
        "best_trade",
        "percent",
        lambda i: trades.best_trade(i.trade_returns) * 100,
        "highest return of a trade on its cost",
        NO_TRADE,
    ),
    Measure(
        "worst_trade",
        "percent",
        lambda i: trades.worst_trade(i.trade_returns) * 100,
        "lowest return of a trade on its cost",
        NO_TRADE,
    ),
    Measure(
        "average_holding",
        "sessions",
        lambda i: trades.average_holding(i.sessions_held),
        "mean sessions from the opening to the closing fill",
        NO_TRADE,
    ),
    Measure(
        "longest_winning_streak",
        "count",
        lambda i: trades.longest_streak(i.pnl, winning=True),
        "most winning trades in a row, in order of closing",
        NO_TRADE,
    ),
    Measure(
        "longest_losing_streak",
        "count",
        lambda i: trades.longest_streak(i.pnl, winning=False),
        "most losing trades in a row, in order of closing",
        NO_TRADE,
    ),
)

OF_BENCHMARK: tuple[Measure, ...] = (
    Measure(
        "benchmark_total_return",
        "percent",
        lambda i: i.benchmark_growth * 100,
        "last close / close before the first session, less 1, splits and dividends adjusted",
        "the benchmark has fewer than two closes",
    ),
    Measure(
        "benchmark_sharpe_ratio",
        "ratio",
        lambda i: ratios.sharpe_ratio(i.benchmark, i.risk_free, i.periods),
        "as sharpe_ratio, of the benchmark",
        f"{FEW_RETURNS}, or they do not vary",
    ),
    Measure(
        "benchmark_max_drawdown",
        "percent",
        lambda i: drawdown.max_drawdown(i.benchmark) * 100,
        "as max_drawdown, of the benchmark",
        NO_RETURN,
    ),
    Measure(
        "beta",
        "ratio",
        lambda i: benchmark.beta(i.returns, i.benchmark),
        "covariance with the benchmark / its variance, sessions that have both",
        NO_PAIR,
    ),
    Measure(
        "alpha",
        "percent",
        lambda i: benchmark.alpha(i.returns, i.benchmark, i.risk_free, i.periods) * 100,
        "(1 + mean(excess - beta x benchmark's excess)) ^ {periods} - 1, risk-free {risk_free:.2%} a year",
        NO_PAIR,
    ),
    Measure(
        "correlation",
        "ratio",
        lambda i: benchmark.correlation(i.returns, i.benchmark),
        "Pearson correlation of session returns, sessions that have both",
        NO_PAIR,
    ),
    Measure(
        "tracking_error",
        "percent",
        lambda i: benchmark.tracking_error(i.returns, i.benchmark, i.periods) * 100,
        "standard deviation (ddof 1) of the return above the benchmark x sqrt({periods})",
        NO_PAIR,
    ),
    Measure(
        "information_ratio",
        "ratio",
        lambda i: benchmark.information_ratio(i.returns, i.benchmark, i.periods),
        "mean return above the benchmark / its standard deviation (ddof 1) x sqrt({periods})",
        NO_PAIR,
    ),
)

MEASURES: tuple[Measure, ...] = (*OF_RETURNS, *OF_ACTIVITY, *OF_TRADES, *OF_BENCHMARK)
"""Every measure of a summary, in the order of the report."""
