"""The simulated market: works the resting orders of a session against its bars."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Literal

from trading.matching.costs import Costs
from trading.matching.prices import reaches
from trading.matching.result import MatchResult
from trading.matching.session import MarketSession
from trading.matching.source import never
from trading.orders import Bar, Order


class Market:
    """A market that fills orders from bars, with costs by asset class.

    Rules
    -----
    - Orders rest before the bar opens. A market order fills at the open; a limit or stop that the open
      has passed fills at the open; otherwise a limit fills at its limit, a stop at its stop.
    - Stops, targets and entries of one bar: stops first, then exits, then entries. Stop and target in one
      bar: the stop.
    - A child of a bracket is live once its parent has filled, for the quantity filled. A parent filled at
      the open leaves the whole bar to its children. After a parent filled within the bar its stop may
      trigger in the same bar (the low may have come later), its target may not.
    - A fill of an order of a one-cancels-all group takes its quantity off the others; a complete fill
      cancels them.
    - One order takes at most ``participation`` of a bar's volume and trades once a bar; the rest works on
      as its time in force says. No bar or no volume: no fill.
    - opg, ioc and fok orders trade at the open or not at all.
    """

    __slots__ = ("costs",)

    simulated = True

    def __init__(self, costs: Mapping[str, Costs]) -> None:
        self.costs = costs

    def match_session(
        self,
        orders: Sequence[Order],
        bars: Callable[[str], Bar | None],
        session: date,
        *,
        phase: Literal["session", "close"] = "session",
        closed: Callable[[str], bool] = never,
    ) -> MatchResult:
        """Work orders for one session; the orders are changed in place.

        Parameters
        ----------
        orders : sequence of Order
            Working orders in the order they were approved, which decides ties.
        bars : callable
            Bar of a symbol in the session, or None; ``dict.get`` serves.
        phase : str
            ``session``: orders that rested before the open, market-on-close ones included.
            ``close``: market-on-close orders decided at this close; all others are left alone.
        closed : callable
            Whether the exchange of a symbol has no session: its orders wait for the next one.
        """
        day = MarketSession(self.costs, orders, session)
        if phase == "close":
            day.trade_close(bars)
        else:
            for symbol, bar, resting in _touched(orders, bars):
                day.trade_symbol(symbol, bar, resting)
            day.end(bars, closed)
        return MatchResult(day.executions, day.events, [order for order in orders if order.quantity > 0.0])

    def cancel(
        self, orders: Sequence[Order], order_refs: Iterable[str], session: date, reason: str
    ) -> MatchResult:
        """Cancel working orders by reference, and the children that wait for them."""
        day = MarketSession(self.costs, orders, session)
        wanted = set(order_refs)
        for order in orders:
            if order.order_ref in wanted and order.quantity > 0.0:
                day.finish(order, "CANCELLED", reason)
        return MatchResult(day.executions, day.events, [order for order in orders if order.quantity > 0.0])


def _touched(
    orders: Sequence[Order], bars: Callable[[str], Bar | None]
) -> Iterable[tuple[str, Bar, list[Order]]]:
    """Symbol, bar and orders of each symbol in which a live order may trade, in the order of the orders."""
    touched: dict[str, Bar] = {}
    for order in orders:
        if order.live and order.symbol not in touched:
            bar = bars(order.symbol)
            if bar is not None and bar.volume > 0.0 and reaches(order, bar):
                touched[order.symbol] = bar
    if not touched:
        return ()
    resting: dict[str, list[Order]] = {symbol: [] for symbol in touched}
    for order in orders:
        if order.symbol in touched:
            resting[order.symbol].append(order)
    return [(symbol, bar, resting[symbol]) for symbol, bar in touched.items()]
