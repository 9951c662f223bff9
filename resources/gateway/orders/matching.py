"""Works tickets against bars with the desk's own market, so that fills equal a backtest's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from resources.gateway.orders.ticket import Ticket
from resources.gateway.orders.translate import may_rest
from trading.book import CostsConfig
from trading.matching import Costs, OrderEvent, costs_of
from trading.matching.session import MarketSession
from trading.orders import Bar, Execution
from trading.slippage import NoSlippage

_PARKED = "\x00"


def costs_for(config: CostsConfig, *, whole_volume: bool = False) -> dict[str, Costs]:
    """Costs by asset class, combinations included.

    Parameters
    ----------
    whole_volume : bool
        For single quotes: an order may take all of the size quoted.
    """
    costs = costs_of(config)
    costs["combination"] = replace(costs["option"], slippage=NoSlippage(), participation=1.0)
    if whole_volume:
        costs = {name: replace(cost, participation=1.0) for name, cost in costs.items()}
    return costs


class SessionWork:
    """One stretch of the market: which tickets may trade is said at each step.

    Tickets that may not trade still take part in their groups and brackets.

    Parameters
    ----------
    costs : mapping
        Costs by asset class.
    tickets : sequence of Ticket
        Every ticket that is not done, in the order of arrival.
    session : date
        Session that day orders end with.
    """

    def __init__(self, costs: Mapping[str, Costs], tickets: Sequence[Ticket], session: date) -> None:
        self._tickets = tickets
        self._day = MarketSession(costs, [ticket.work for ticket in tickets], session)

    def trade(self, chosen: Collection[Ticket], symbol: str, bar: Bar) -> None:
        """Work the chosen tickets of a symbol through a bar; what must not trade in part waits for enough."""
        allowed = {ticket.perm_id for ticket in chosen if self._enough(ticket, bar)}
        parked = [ticket.work for ticket in self._tickets if ticket.perm_id not in allowed]
        types = [work.order_type for work in parked]
        for work in parked:  # no symbol that trades, and a type that does not join when its parent fills
            work.symbol, work.order_type = _PARKED, "market_on_close"
        try:
            self._day.trade_symbol(symbol, bar)
        finally:
            for work, kind in zip(parked, types, strict=True):
                work.order_type = kind
            for ticket in self._tickets:
                ticket.work.symbol = ticket.symbol

    def _enough(self, ticket: Ticket, bar: Bar) -> bool:
        work = ticket.work
        least = work.quantity if ticket.order.get("allOrNone") else ticket.order.get("minQty") or 0.0
        fillable = self._day.costs[work.asset_class].fillable(work.quantity, bar.volume)
        return fillable >= min(float(least), work.quantity)

    def close(self, bars: Callable[[str], Bar | None]) -> None:
        """Fill the market-on-close orders that were decided on this very close."""
        self._day.trade_close(bars)

    def end(self, bars: Callable[[str], Bar | None]) -> None:
        """Move trailing stops on and end the orders whose time in force is over."""
        self._day.end(bars)

    def cancel(self, tickets: Iterable[Ticket], reason: str) -> None:
        """Cancel tickets, and the children that wait for them."""
        for ticket in tickets:
            if ticket.work.quantity > 0.0 or may_rest(ticket.order):
                self._day.finish(ticket.work, "CANCELLED", reason)

    def expire(self, tickets: Iterable[Ticket], reason: str) -> None:
        """End tickets whose time is over."""
        for ticket in tickets:
            if ticket.work.quantity > 0.0 or may_rest(ticket.order):
                self._day.finish(ticket.work, "EXPIRED", reason)

    def results(self) -> tuple[list[Execution], list[OrderEvent]]:
        """Executions and events since the last call."""
        executions, events = self._day.executions[:], self._day.events[:]
        self._day.executions.clear()
        self._day.events.clear()
        return executions, events


def flat_bar(price: float, size: float = float("inf")) -> Bar:
    """Bar of a single price."""
    return Bar(price, price, price, price, size)


def release(ticket: Ticket, quantity: float) -> None:
    """Let an algorithm's ticket work so much of what is left of it."""
    work = ticket.work
    rest = work.quantity + work.held
    work.quantity = min(quantity, rest)
    work.held = rest - work.quantity
    work.live = True
