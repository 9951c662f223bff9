"""When an order trades and at which price: the rules for one order, without quantities and costs.

The same functions serve a daily bar (its open is a single price, the rest of it a range) and a stream of
quotes (every quote is a single price).
"""

from __future__ import annotations

from trading.orders import Bar, Order, Side


class OrderError(ValueError):
    """An order that no market can work, such as a limit order without a limit."""


def limit_reached(side: Side, limit: float, price: float) -> bool:
    """Whether a market at ``price`` trades at the limit or better; a touch counts."""
    return price <= limit if side == "BUY" else price >= limit


def stop_reached(side: Side, stop: float, price: float) -> bool:
    """Whether a market at ``price`` is at the stop or beyond it."""
    return price >= stop if side == "BUY" else price <= stop


def trailing_level(order: Order, best: float) -> float:
    """Stop price of a trailing stop that has seen ``best``; an initial stop holds until it is overtaken.

    A selling stop only ever rises, a buying one only ever falls.
    """
    distance = _required(order, "trail_percent", order.trail_percent)
    if order.side == "SELL":
        level = best * (1.0 - distance)
        return level if order.stop_price is None else max(level, order.stop_price)
    level = best * (1.0 + distance)
    return level if order.stop_price is None else min(level, order.stop_price)


def better(side: Side, anchor: float | None, price: float) -> float:
    """Best of two prices for a trailing stop: the higher for one that sells, the lower for one that buys."""
    if anchor is None:
        return price
    return max(anchor, price) if side == "SELL" else min(anchor, price)


def at_price(order: Order, price: float) -> float | None:
    """Price at which a live order trades in a market that stands at one price.

    A limit that the price has passed trades at the better price, a stop that it has passed at the worse
    one. The trailing stop's anchor must have been advanced to ``price`` before.

    Returns
    -------
    float or None
        ``price``, or None when the order goes on resting.
    """
    match order.order_type:
        case "market" | "market_on_close":
            return price
        case "limit":
            reached = limit_reached(order.side, _limit(order), price)
        case "stop":
            reached = order.triggered or stop_reached(order.side, _stop(order), price)
        case "trailing_stop":
            level = trailing_level(order, better(order.side, order.anchor, price))
            reached = order.triggered or stop_reached(order.side, level, price)
        case "stop_limit":
            armed = order.triggered or stop_reached(order.side, _stop(order), price)
            reached = armed and limit_reached(order.side, _limit(order), price)
    return price if reached else None


def within_bar(order: Order, bar: Bar, best: float) -> float | None:
    """Price at which a live order that did not trade at the start trades in the rest of a bar.

    A limit trades at its limit, a stop at its stop. A stop-limit order trades at its stop when that is
    within the limit; else it rests with the trigger pulled, and works as a limit order from the next bar.
    A trailing stop is checked against the level known before the bar; it also trades, at the raised
    level, when the bar closes beyond the level that its best price gives: the close comes after it, so
    the level was certainly crossed.

    Parameters
    ----------
    best : float
        Best price of the bar that is known to come while the order is live: the high (low) of the bar for
        an order that rested before it.
    """
    match order.order_type:
        case "limit":
            limit = _limit(order)
            return limit if limit_reached(order.side, limit, _favourable(order.side, bar)) else None
        case "stop":
            stop = _stop(order)
            return stop if stop_reached(order.side, stop, _adverse(order.side, bar)) else None
        case "stop_limit":
            return _stop_limit_within(order, bar)
        case "trailing_stop":
            return _trailing_within(order, bar, best)
    return None


def reaches(order: Order, bar: Bar) -> bool:
    """Whether a live order may trade in a bar, or have its trigger pulled: the quick test of the day loop."""
    kind, buys = order.order_type, order.side == "BUY"
    if kind == "limit" or (kind == "stop_limit" and order.triggered):
        limit = _limit(order)
        return bar.low <= limit if buys else bar.high >= limit
    if order.triggered:
        return True
    if kind in {"stop", "stop_limit"}:
        stop = _stop(order)
        return bar.high >= stop if buys else bar.low <= stop
    if kind == "trailing_stop":
        level = trailing_level(order, better(order.side, order.anchor, bar.low if buys else bar.high))
        return bar.high >= level if buys else bar.low <= level
    return True


def _trailing_within(order: Order, bar: Bar, best: float) -> float | None:
    side = order.side
    known = trailing_level(order, bar.open if order.anchor is None else order.anchor)
    if stop_reached(side, known, _adverse(side, bar)):
        return known
    raised = trailing_level(order, better(side, order.anchor, best))
    return raised if stop_reached(side, raised, bar.close) else None


def _stop_limit_within(order: Order, bar: Bar) -> float | None:
    side, stop, limit = order.side, _stop(order), _limit(order)
    if order.triggered:
        return limit if limit_reached(side, limit, _favourable(side, bar)) else None
    if stop_reached(side, stop, _adverse(side, bar)) and limit_reached(side, limit, stop):
        return stop
    return None


def _favourable(side: Side, bar: Bar) -> float:
    return bar.low if side == "BUY" else bar.high


def _adverse(side: Side, bar: Bar) -> float:
    return bar.high if side == "BUY" else bar.low


def _limit(order: Order) -> float:
    return _required(order, "limit_price", order.limit_price)


def _stop(order: Order) -> float:
    return _required(order, "stop_price", order.stop_price)


def _required(order: Order, name: str, value: float | None) -> float:
    if value is None:
        raise OrderError(f"order {order.order_ref} ({order.order_type} {order.symbol}) needs {name}")
    return value
