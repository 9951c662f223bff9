"""A broker's record in place of the simulated market: what it has executed, and which orders it has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Literal

from trading.ledger import Amendment
from trading.matching.costs import Costs
from trading.matching.market import Market
from trading.matching.prices import at_price, reaches, within_bar
from trading.matching.result import MatchResult, OrderState
from trading.matching.session import MarketSession
from trading.matching.source import never
from trading.orders import Bar, Execution, Order


class RecordedMarket:
    """Executions and ends of one session as a broker has reported them.

    Quantities, children and groups of the working orders follow by the rules of the simulated market, so
    that a book is in the same state whichever of the two its executions came from.

    Parameters
    ----------
    executions : sequence of Execution
        In the order to book them, without slippage, which is measured here.
    ended : mapping
        Order to the state that it has ended in and the broker's reason.
    amendments : sequence of Amendment
        What the broker tells of executions that earlier sessions have booked.
    """

    simulated = False

    def __init__(
        self,
        costs: Mapping[str, Costs],
        executions: Sequence[Execution] = (),
        ended: Mapping[str, tuple[OrderState, str]] | None = None,
        amendments: Sequence[Amendment] = (),
    ) -> None:
        self._costs = costs
        self._executions = executions
        self._ended = ended or {}
        self._amendments = amendments

    def match_session(
        self,
        orders: Sequence[Order],
        bars: Callable[[str], Bar | None],
        session: date,
        *,
        phase: Literal["session", "close"] = "session",
        closed: Callable[[str], bool] = never,
    ) -> MatchResult:
        """Book what was executed, and end the orders that the broker has ended.

        An execution whose order is not working any more (a late fill, or nobody's order) is handed on as
        it is.
        """
        del phase, closed  # the broker knows both
        day = MarketSession(self._costs, orders, session)
        by_ref = {order.order_ref: order for order in orders}
        for amendment in self._amendments:
            _count(by_ref.get(amendment.execution.order_ref), amendment)
        for execution in in_market_order(self._executions, orders, bars):
            order = by_ref.get(execution.order_ref)
            if order is None:
                day.executions.append(execution)
            else:
                day.book(order, execution._replace(slippage=slippage(order, execution, bars(order.symbol))))
        for order in orders:
            if order.quantity > 0.0 and order.order_ref in self._ended:
                day.finish(order, *self._ended[order.order_ref])
        working = [order for order in orders if order.quantity > 0.0]
        return MatchResult(day.executions, day.events, working, self._amendments)

    def cancel(
        self, orders: Sequence[Order], order_refs: Iterable[str], session: date, reason: str
    ) -> MatchResult:
        """End working orders by reference, and the children that wait for them."""
        return Market(self._costs).cancel(orders, order_refs, session, reason)


def _count(order: Order | None, amendment: Amendment) -> None:
    """Let an order that still works have filled what the broker says now; what is left of it stays."""
    if order is not None:
        was, now = amendment.was, amendment.now
        order.filled = max(order.filled + (now.quantity - was.quantity) * amendment.ratio, 0.0)
        order.value += now.quantity * now.price - was.quantity * was.price


def in_market_order(
    executions: Sequence[Execution], orders: Sequence[Order], bars: Callable[[str], Bar | None]
) -> list[Execution]:
    """Executions symbol by symbol, in the order in which the simulated market works through the orders.

    Nothing but streaks of round trips depends on the order of symbols, whose daily bars name no times.
    Within a symbol the broker's own order counts.
    """
    place: dict[str, int] = {}
    for number, order in enumerate(orders):
        bar = bars(order.symbol) if order.live and order.symbol not in place else None
        if bar is not None and reaches(order, bar):
            place[order.symbol] = number
    return sorted(executions, key=lambda execution: place.get(execution.symbol, len(orders)))


def slippage(order: Order, execution: Execution, bar: Bar | None) -> float:
    """Cash lost against the price that a market without slippage would have given; 0 without a bar."""
    if bar is None:
        return 0.0
    if execution.phase == "open":
        price = at_price(order, bar.open)
    elif execution.phase == "close" or order.order_type in ("market", "market_on_close"):
        price = bar.close
    else:
        price = within_bar(order, bar, bar.high if order.side == "SELL" else bar.low)
    if price is None or order.order_type == "limit":
        return 0.0
    return abs(execution.price - price) * execution.quantity * order.multiplier
