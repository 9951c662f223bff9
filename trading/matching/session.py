"""One session of the simulated market: moments of the bar, fills, groups, children and expiry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Literal

from trading.matching.costs import Costs
from trading.matching.prices import at_price, better, limit_reached, stop_reached, within_bar
from trading.matching.result import OrderEvent, OrderState
from trading.matching.source import never
from trading.orders import Bar, Execution, Order

DUST = 1e-9
"""Less than this is no quantity: what rounding of fractional units leaves behind."""

_AT_ONCE = ("opg", "ioc", "fok")
_STOPS = ("stop", "trailing_stop", "stop_limit")


class MarketSession:
    """Works orders through the moments of one session: open, the rest of the bar, close, end of day."""

    __slots__ = (
        "_children",
        "_groups",
        "_late",
        "_next",
        "_traded",
        "costs",
        "events",
        "executions",
        "orders",
        "session",
    )

    def __init__(self, costs: Mapping[str, Costs], orders: Sequence[Order], session: date) -> None:
        self.costs = costs
        self.orders = orders
        self.session = session
        self.executions: list[Execution] = []
        self.events: list[OrderEvent] = []
        self._traded: set[str] = set()
        self._late: set[str] = set()  # made live after the open: the bar's extremes may have come before
        self._next: set[str] = set()  # made live at the close: works from the next session
        self._children: dict[str, list[Order]] | None = None
        self._groups: dict[str, list[Order]] = {}

    # ------------------------------------------------------------------------------------------ moments

    def trade_symbol(self, symbol: str, bar: Bar, orders: Sequence[Order] | None = None) -> None:
        """Work the orders of one symbol through its bar; ``orders`` saves looking for them."""
        if orders is None:
            orders = [order for order in self.orders if order.symbol == symbol and order.quantity > 0.0]
        resting = [order for order in orders if not _expired(order, self.session)]
        self._open([order for order in resting if order.live], bar)
        self._rest(sorted((order for order in resting if order.live), key=_pessimistic), bar)
        self._close(resting, bar)

    def trade_close(self, bars: Callable[[str], Bar | None]) -> None:
        """Fill the market-on-close orders; those that are good for the day expire when they cannot."""
        asked = [order for order in self.orders if order.order_type == "market_on_close" and order.live]
        for order in asked:
            bar = bars(order.symbol)
            if bar is not None and bar.volume > 0.0:
                self._close([order], bar)
            self._expire(order)

    def end(self, bars: Callable[[str], Bar | None], closed: Callable[[str], bool] = never) -> None:
        """Ratchet the trailing stops and end the orders whose time in force is over.

        An order of an exchange that was closed has had no session yet.
        """
        for order in self.orders:
            if order.time_in_force != "gtc" and not closed(order.symbol):
                self._expire(order)
            if order.order_type == "trailing_stop" and order.live and order.quantity > 0.0:
                self._ratchet(order, bars(order.symbol))

    def _open(self, queue: list[Order], bar: Bar) -> None:
        for order in queue:  # children that a fill makes live join the queue
            if order.order_type == "market_on_close" or not _works(order):
                continue
            self._see(order, bar.open)
            price = at_price(order, bar.open)
            if price is not None:
                queue.extend(self._fill(order, price, bar, "open"))

    def _rest(self, queue: list[Order], bar: Bar) -> None:
        for order in queue:
            if order.time_in_force in _AT_ONCE or order.order_ref in self._late or not _works(order):
                continue
            price = within_bar(order, bar, bar.high if order.side == "SELL" else bar.low)
            if price is None:
                self._pull_trigger(order, bar)
            else:
                self._follow(self._fill(order, price, bar, "intraday"), price, bar)

    def _follow(self, children: list[Order], start: float, bar: Bar) -> None:
        """Let the stops of a parent that filled within the bar trigger in what may be left of it."""
        for order in children:
            self._late.add(order.order_ref)
            if order.order_type in ("limit", "market_on_close") or not _works(order):
                continue
            self._see(order, start)
            price = at_price(order, start)
            if price is None:
                price = within_bar(order, bar, start)
            if price is not None:
                self._follow(self._fill(order, price, bar, "intraday"), price, bar)

    def _close(self, orders: Sequence[Order], bar: Bar) -> None:
        for order in orders:
            if order.order_type == "market_on_close" and _works(order):
                for child in self._fill(order, bar.close, bar, "close"):
                    self._late.add(child.order_ref)
                    self._next.add(child.order_ref)
                    self._see(child, bar.close)

    def _see(self, order: Order, price: float) -> None:
        if order.order_type == "trailing_stop":
            order.anchor = better(order.side, order.anchor, price)
        elif order.order_type == "stop_limit" and order.stop_price is not None:
            order.triggered = order.triggered or stop_reached(order.side, order.stop_price, price)

    def _pull_trigger(self, order: Order, bar: Bar) -> None:
        if order.order_type == "stop_limit" and order.stop_price is not None:
            worst = bar.high if order.side == "BUY" else bar.low
            order.triggered = order.triggered or stop_reached(order.side, order.stop_price, worst)

    def _ratchet(self, order: Order, bar: Bar | None) -> None:
        """Raise the anchor by the best price that certainly came while the order was live."""
        if bar is None:
            return
        whole_bar = bar.high if order.side == "SELL" else bar.low
        best = bar.close if order.order_ref in self._late else whole_bar
        order.anchor = better(order.side, order.anchor, best)

    # -------------------------------------------------------------------------------------------- fills

    def _fill(
        self, order: Order, price: float, bar: Bar, phase: Literal["open", "intraday", "close"]
    ) -> list[Order]:
        """Fill what the bar's volume allows; the children that this made live are returned."""
        if order.order_ref in self._traded:
            return []
        if order.order_type in _STOPS:
            order.triggered = True
        costs = self.costs[order.asset_class]
        quantity = costs.fillable(order.quantity, bar.volume)
        if quantity <= 0.0 or (order.time_in_force == "fok" and quantity < order.quantity):
            return []
        self._execute(order, quantity, price, bar, costs, phase)
        self._reduce_group(order, quantity)
        activated = self._release_children(order, quantity)
        _rest_if_waiting(order)
        return activated

    def _execute(
        self,
        order: Order,
        quantity: float,
        price: float,
        bar: Bar,
        costs: Costs,
        phase: Literal["open", "intraday", "close"],
    ) -> None:
        paid = _with_slippage(order, price, quantity, bar, costs)
        order.fills += 1
        order.filled += quantity
        order.value += quantity * paid
        order.quantity = 0.0 if quantity == order.quantity else order.quantity - quantity
        self._traded.add(order.order_ref)
        self.executions.append(
            Execution(
                f"{order.order_ref}.{order.fills}",
                order.order_ref,
                order.strategy,
                order.symbol,
                order.purpose,
                order.side,
                quantity,
                paid,
                costs.commission.cost(quantity, paid, order.multiplier),
                abs(paid - price) * quantity * order.multiplier,
                self.session,
                phase,
            )
        )
        self._note(order, "PARTIAL" if order.quantity + order.held > 0.0 else "FILLED", order.reason)

    def book(self, order: Order, execution: Execution) -> None:
        """Book an execution that a broker reports as this market would its own."""
        quantity = execution.quantity
        order.live = True
        if order.order_type in _STOPS:
            order.triggered = True
        order.fills += 1
        order.filled += quantity
        order.value += quantity * execution.price
        order.quantity = 0.0 if quantity >= order.quantity - DUST else order.quantity - quantity
        self.executions.append(execution)
        self._note(order, "PARTIAL" if order.quantity + order.held > 0.0 else "FILLED", order.reason)
        self._reduce_group(order, quantity)
        self._release_children(order, quantity)
        _rest_if_waiting(order)

    def _reduce_group(self, filled: Order, quantity: float) -> None:
        if filled.oca_group is None:
            return
        self._index()
        complete = filled.quantity + filled.held <= 0.0
        for order in self._groups[filled.oca_group]:
            if order is filled or order.quantity <= 0.0:
                continue
            if complete or order.quantity + order.held - quantity <= DUST:
                self.finish(order, "CANCELLED", f"filled: {filled.purpose} of the same group")
            elif order.live:
                order.quantity = max(order.quantity - quantity, 0.0)
                _rest_if_waiting(order)
            else:
                order.quantity -= quantity

    def _release_children(self, parent: Order, quantity: float) -> list[Order]:
        self._index()
        activated = []
        for child in (self._children or {}).get(parent.order_ref, ()):
            if child.quantity <= 0.0 or (child.live and child.held <= 0.0):
                continue
            _release(child, parent, quantity)
            _rest_if_waiting(child)
            if child.live:
                activated.append(child)
        return activated

    def _index(self) -> None:
        if self._children is not None:
            return
        self._children = {}
        for order in self.orders:
            if order.parent_ref is not None:
                self._children.setdefault(order.parent_ref, []).append(order)
            if order.oca_group is not None:
                self._groups.setdefault(order.oca_group, []).append(order)

    # ---------------------------------------------------------------------------------------------- end

    def _expire(self, order: Order) -> None:
        if order.quantity <= 0.0:
            return
        tif = order.time_in_force
        if tif == "gtd":
            if order.good_till is not None and self.session >= order.good_till:
                self.finish(order, "EXPIRED", f"good till {order.good_till}")
        elif not order.live or order.order_ref in self._next:
            return
        elif tif == "day":
            self.finish(order, "EXPIRED", "day order: the session is over")
        elif tif == "opg":
            self.finish(order, "EXPIRED", "opening order: not filled at the open")
        elif tif == "ioc":
            self.finish(order, "CANCELLED", "immediate or cancel: the rest")
        elif tif == "fok":
            self.finish(order, "CANCELLED", "fill or kill: not wholly fillable at the open")

    def finish(self, order: Order, state: OrderState, reason: str) -> None:
        """End an order, and what of its children waits for it."""
        self._note(order, state, reason)
        order.quantity = order.held = 0.0
        self._index()
        for child in (self._children or {}).get(order.order_ref, ()):
            if child.live:
                child.held = 0.0
            elif child.quantity > 0.0:
                self.finish(child, "CANCELLED", f"parent {state.lower()}")

    def _note(self, order: Order, state: OrderState, reason: str) -> None:
        average = order.value / order.filled if order.filled else None
        remaining = order.quantity + order.held
        self.events.append(OrderEvent(order.order_ref, state, reason, order.filled, remaining, average))


def _works(order: Order) -> bool:
    return order.live and order.quantity > 0.0


def _expired(order: Order, session: date) -> bool:
    return order.time_in_force == "gtd" and order.good_till is not None and session > order.good_till


def _pessimistic(order: Order) -> int:
    """Rank within the bar: stops before limits, exits before entries."""
    return (0 if order.order_type in _STOPS else 2) + (order.parent_ref is None)


def _with_slippage(order: Order, price: float, quantity: float, bar: Bar, costs: Costs) -> float:
    if order.order_type == "limit":
        return price
    paid = costs.slippage.price(order.side, price, quantity, bar)
    limit = order.limit_price
    if order.order_type == "stop_limit" and limit is not None and not limit_reached(order.side, limit, paid):
        return limit
    return paid


def _release(child: Order, parent: Order, quantity: float) -> None:
    """Make live what a fill of the parent allows of a child, in the proportion of their sizes."""
    waiting = child.held if child.live else child.quantity
    complete = parent.quantity + parent.held <= 0.0
    share = quantity if child.original == parent.original else _proportion(child, parent, quantity, waiting)
    released = share if share <= waiting + DUST else waiting
    child.quantity = child.quantity + released if child.live else released
    child.held = 0.0 if complete else max(waiting - released, 0.0)
    child.live = True


def _proportion(child: Order, parent: Order, quantity: float, waiting: float) -> float:
    """Share of a child of another size; whole units until the parent's last fill releases the rest."""
    if parent.quantity + parent.held <= 0.0:
        return max(waiting - child.original * (1.0 - parent.filled / parent.original), 0.0)
    share = quantity * child.original / parent.original
    return float(int(share)) if child.original == int(child.original) else share


def _rest_if_waiting(order: Order) -> None:
    """Let an order whose live part is gone wait for its parent with the rest."""
    if order.quantity <= 0.0 and order.held > 0.0:
        order.quantity, order.held, order.live, order.triggered = order.held, 0.0, False, False
