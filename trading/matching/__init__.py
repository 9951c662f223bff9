"""The simulated market: price rules for one order, costs, and the session that works many."""

from __future__ import annotations

from trading.matching.costs import Costs, costs_of
from trading.matching.market import Market
from trading.matching.prices import (
    OrderError,
    at_price,
    better,
    limit_reached,
    stop_reached,
    trailing_level,
    within_bar,
)
from trading.matching.recorded import RecordedMarket
from trading.matching.result import MatchResult, OrderEvent, OrderState
from trading.matching.source import FillSource
from trading.matching.splits import split_order

__all__ = [
    "Costs",
    "FillSource",
    "Market",
    "MatchResult",
    "OrderError",
    "OrderEvent",
    "OrderState",
    "RecordedMarket",
    "at_price",
    "better",
    "costs_of",
    "limit_reached",
    "split_order",
    "stop_reached",
    "trailing_level",
    "within_bar",
]
