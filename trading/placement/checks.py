"""Checks of the last moment before an order leaves: price collar, size, rate, duplicates, hours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from trading.book import PlacementConfig
from trading.placement.intents import Event, Intent, Standing

OPENING = frozenset({"entry", "rebalance"})
"""Purposes that may add to a position; limits on size hold for them, an exit is never too large."""


class Verdict(NamedTuple):
    """Whether an order may leave: ``pass``, ``wait`` (later, perhaps) or ``refuse`` (never)."""

    outcome: Literal["pass", "wait", "refuse"]
    reason: str = ""


PASS = Verdict("pass")


class Moment(NamedTuple):
    """What the checks look at besides the order.

    Attributes
    ----------
    quote : float, optional
        Last price of the symbol; None where the broker has none.
    sent : sequence of datetime
        When orders were sent, this run and before.
    """

    now: datetime
    limits: PlacementConfig
    quote: float | None
    sent: Sequence[datetime]
    multiplier: float = 1.0


def check(intent: Intent, moment: Moment, others: Iterable[tuple[Intent, Standing]]) -> Verdict:
    """First check that does not pass, or a pass.

    Parameters
    ----------
    others : iterable
        The book's other orders and where they stand.
    """
    for verdict in (
        _validity(intent, moment),
        _collar(intent, moment),
        _size(intent, moment),
        _duplicate(intent, moment, others),
        _rate(moment),
    ):
        if verdict.outcome != "pass":
            return verdict
    return PASS


def _validity(intent: Intent, moment: Moment) -> Verdict:
    if intent.order_type == "market_on_close":
        return Verdict("refuse", "an order at the close just decided on cannot be placed any more")
    if intent.valid_until is not None and moment.now > intent.valid_until:
        return Verdict("refuse", f"valid until {intent.valid_until:%Y-%m-%d %H:%M} UTC, which has passed")
    return PASS


def _collar(intent: Intent, moment: Moment) -> Verdict:
    """Refuse what would trade far from the last price: a stale decision or a wrong price."""
    limits, quote = moment.limits, moment.quote
    if quote is None:
        if limits.require_quote:
            return Verdict("wait", f"no quote of {intent.symbol}")
        quote = intent.reference_price
    if quote <= 0:
        return PASS
    worst = intent.limit_price
    if worst is None and intent.order_type == "market" and intent.purpose in OPENING:
        gap = abs(quote / intent.reference_price - 1) if intent.reference_price > 0 else 0.0
        if gap > limits.price_collar:
            return _outside(intent, "decided at", intent.reference_price, quote, limits.price_collar)
    if worst is not None and intent.order_type == "limit" and intent.parent_ref is None:
        away = (worst / quote - 1) * (1 if intent.side == "BUY" else -1)
        if away > limits.price_collar:
            return _outside(intent, "limit", worst, quote, limits.price_collar)
    return PASS


def _outside(intent: Intent, what: str, price: float, quote: float, collar: float) -> Verdict:
    reason = f"{what} {price:g}, last quote {quote:g}: beyond the collar of {collar:.1%}"
    return Verdict("refuse", f"{intent.symbol} {reason}")


def _size(intent: Intent, moment: Moment) -> Verdict:
    if intent.purpose not in OPENING:
        return PASS
    limits = moment.limits
    price = moment.quote or intent.limit_price or intent.reference_price
    notional = intent.quantity * price * moment.multiplier
    if limits.max_quantity and intent.quantity > limits.max_quantity:
        return Verdict("refuse", f"{intent.quantity:g} units, at most {limits.max_quantity:g} an order")
    if limits.max_notional and notional > limits.max_notional:
        return Verdict("refuse", f"notional {notional:.2f}, at most {limits.max_notional:.2f} an order")
    return PASS


def _duplicate(intent: Intent, moment: Moment, others: Iterable[tuple[Intent, Standing]]) -> Verdict:
    """Refuse an opening order that equals one of the same session, strategy and symbol."""
    if intent.purpose not in OPENING or not moment.limits.refuse_duplicates:
        return PASS
    mine = _fingerprint(intent)
    for other, standing in others:
        if other.order_ref != intent.order_ref and standing.order_id and _fingerprint(other) == mine:
            return Verdict("refuse", f"the same as order {other.order_ref}, which was placed already")
    return PASS


def _fingerprint(intent: Intent) -> tuple[object, ...]:
    names = ("session", "strategy", "symbol", "side", "order_type", "quantity", "limit_price", "stop_price")
    return tuple(getattr(intent, name) for name in names)


def _rate(moment: Moment) -> Verdict:
    limits, now = moment.limits, moment.now
    minute = sum(1 for at in moment.sent if now - at < timedelta(minutes=1))
    day = sum(1 for at in moment.sent if now - at < timedelta(days=1))
    if day >= limits.orders_per_day:
        return Verdict("wait", f"{day} orders sent in 24 hours, at most {limits.orders_per_day}")
    if minute >= limits.orders_per_minute:
        return Verdict("wait", f"{minute} orders sent in a minute, at most {limits.orders_per_minute}")
    return PASS


def sending_times(events: Iterable[Event]) -> list[datetime]:
    """When orders were reserved to be sent."""
    return [event.at for event in events if event.state == "RESERVED"]


def quote_of(quotes: Mapping[str, float], symbol: str) -> float | None:
    """Last price of a symbol, None for what is no price."""
    value = quotes.get(symbol)
    return value if value is not None and value > 0 else None
