"""Figures of round trips. One trade is one lot opened and closed; profit is after commissions.

Arrays hold one value a trade, shape (N,). NaN marks a trade without a figure, which is left out. A trade
that broke even neither won nor lost, and counts in the total. A figure that is not defined is NaN.
"""

from __future__ import annotations

import numpy as np

from trading.performance._arrays import Floats, mean, present, quotient


def win_rate(pnl: Floats) -> float:
    """Share of trades with a profit; NaN without a trade."""
    return mean((present(pnl) > 0.0).astype(np.float64))


def profit_factor(pnl: Floats) -> float:
    """Sum of profits over the size of the sum of losses; NaN without a losing trade."""
    counted = present(pnl)
    return quotient(float(counted[counted > 0.0].sum()), float(-counted[counted < 0.0].sum()))


def expectancy(pnl: Floats) -> float:
    """Mean profit of a trade in cash; NaN without a trade."""
    return mean(present(pnl))


def average_win(pnl: Floats) -> float:
    """Mean profit of the winning trades in cash; NaN without one."""
    counted = present(pnl)
    return mean(counted[counted > 0.0])


def average_loss(pnl: Floats) -> float:
    """Mean loss of the losing trades in cash, negative; NaN without one."""
    counted = present(pnl)
    return mean(counted[counted < 0.0])


def payoff_ratio(pnl: Floats) -> float:
    """Mean profit of the winners over the mean size of the losers; NaN without one of either."""
    return quotient(average_win(pnl), -average_loss(pnl))


def average_trade(trade_returns: Floats) -> float:
    """Mean return of a trade on its own cost, every trade weighing the same; NaN without a trade."""
    return mean(present(trade_returns))


def best_trade(trade_returns: Floats) -> float:
    """Highest return of a trade on its own cost; NaN without a trade."""
    counted = present(trade_returns)
    return float(counted.max()) if counted.size else np.nan


def worst_trade(trade_returns: Floats) -> float:
    """Lowest return of a trade on its own cost; NaN without a trade."""
    counted = present(trade_returns)
    return float(counted.min()) if counted.size else np.nan


def average_holding(sessions_held: Floats) -> float:
    """Mean number of sessions that a trade was held; NaN without a trade."""
    return mean(present(sessions_held))


def longest_streak(pnl: Floats, *, winning: bool) -> float:
    """Most trades in a row with a profit (or a loss), in the order given; NaN without a trade."""
    counted = present(pnl)
    if not counted.size:
        return np.nan
    hits = np.concatenate(([0], (counted > 0.0) if winning else (counted < 0.0), [0]))
    edges = np.flatnonzero(np.diff(hits))
    return float((edges[1::2] - edges[::2]).max()) if edges.size else 0.0
