"""From the protocol's order to the one that the market matches."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from resources.gateway.wire.layout.fields import Values
from resources.gateway.wire.times import EXCHANGE_ZONE, read_time
from trading.orders import Order, OrderType, TimeInForce

TIMES_IN_FORCE: dict[str, TimeInForce] = {
    "": "day",
    "DAY": "day",
    "GTC": "gtc",
    "GTD": "gtd",
    "OPG": "opg",
    "IOC": "ioc",
    "FOK": "fok",
    "DTC": "day",
    "GTX": "gtc",
    "AUC": "opg",
}

_PLAIN: dict[str, OrderType] = {
    "MKT": "market",
    "MTL": "market",
    "MKT PRT": "market",
    "BOX TOP": "market",
    "LMT": "limit",
    "STP": "stop",
    "STP PRT": "stop",
    "STP LMT": "stop_limit",
    "TRAIL LIMIT": "stop_limit",
    "MOC": "market_on_close",
    "LOC": "limit",
    "MIT": "market",
    "LIT": "limit",
}
PEGGED = frozenset(
    {
        "REL",
        "PASSV REL",
        "PEG MKT",
        "PEG PRIM",
        "PEG MID",
        "PEGMID",
        "PEG BEST",
        "PEGBEST",
        "PEG STK",
        "PEG BENCH",
        "PEGBENCH",
        "MIDPRICE",
        "SNAP MKT",
        "SNAP MID",
        "SNAP PRIM",
        "VOL",
    }
)
"""Order types that follow the market without taking from it: they trade at the market, within their cap."""

TYPES = frozenset(_PLAIN) | PEGGED | {"TRAIL"}
HEDGES = frozenset("DBFP")
"""Kinds of hedging orders: delta, beta, currency (FX), pair."""
HEDGE_TYPES = frozenset({"MKT", "LMT", "REL"})
"""Order types that a hedge may have."""
_ANY_PRICE = 1e15


def market_order(values: Values, perm_id: int, symbol: str, asset_class: str, session: date) -> Order:
    """Order that the market matches for a placed one; its reference is the permanent id.

    A trailing stop of a fixed amount becomes a stop that the gateway moves, and a pegged order a limit
    order at its cap, or at any price when it has none.
    """
    work = Order(
        order_ref=str(perm_id),
        session=session,
        strategy="",
        symbol=symbol,
        asset_class=asset_class,
        purpose="entry" if not values.get("parentId") else "exit",
        side="BUY" if values["action"] == "BUY" else "SELL",
        order_type="market",
        quantity=float(values["totalQuantity"]),
    )
    apply_terms(work, values)
    return work


def apply_terms(work: Order, values: Values) -> None:
    """Write prices, type and time in force of a placed or changed order into the market's order."""
    kind = values["orderType"]
    work.order_type = _PLAIN.get(kind, "limit")
    work.limit_price = values.get("lmtPrice")
    work.stop_price = values.get("auxPrice") if kind in {"STP", "STP PRT", "STP LMT"} else None
    work.time_in_force = TIMES_IN_FORCE[values.get("tif") or ""]
    work.good_till = good_till(values)
    if kind == "LMT" and values.get("discretionaryAmt"):
        sign = 1 if work.side == "BUY" else -1
        work.limit_price = (work.limit_price or 0.0) + sign * values["discretionaryAmt"]
    if kind in PEGGED:
        work.limit_price = values.get("lmtPrice") or (_ANY_PRICE if work.side == "BUY" else 0.0)
    if kind in {"TRAIL", "TRAIL LIMIT"}:
        _apply_trail(work, values, kind)


def is_hedge(order: Values) -> bool:
    """Whether an order hedges its parent, so that its quantity comes from what that fills."""
    return bool(order.get("hedgeType"))


def neutral_type(order: Values) -> str:
    """Type of the delta hedge that a volatility order asks for; empty: of none."""
    kind = str(order.get("deltaNeutralOrderType") or "")
    return kind if order.get("orderType") == "VOL" and kind.upper() != "NONE" else ""


def may_rest(order: Values) -> bool:
    """Whether an order may have nothing to trade for a while: a hedge, a scale order that is restored."""
    return is_hedge(order) or bool(order.get("scaleAutoReset"))


def hedge_parameter(order: Values) -> float:
    """Ratio of a pair or beta of a beta hedge, ``1.5`` or ``ratio=1.5``.

    Raises
    ------
    ValueError
        When it is no number.
    """
    return float(str(order.get("hedgeParam") or "").rpartition("=")[2])


def good_till(values: Values) -> date | None:
    """Last session of a good-till-date order."""
    if values.get("tif") != "GTD" or not values.get("goodTillDate"):
        return None
    time = read_time(values["goodTillDate"], datetime(2000, 1, 1, tzinfo=UTC))
    return time.astimezone(ZoneInfo(EXCHANGE_ZONE)).date()


def trail_amount(values: Values, best: float) -> float:
    """Distance of a trailing stop from the best price."""
    percent = values.get("trailingPercent")
    return best * percent / 100 if percent else float(values.get("auxPrice") or 0.0)


def _apply_trail(work: Order, values: Values, kind: str) -> None:
    work.stop_price = values.get("trailStopPrice")
    if kind == "TRAIL" and values.get("trailingPercent"):
        work.order_type = "trailing_stop"
        work.trail_percent = values["trailingPercent"] / 100
        return
    work.order_type = "stop" if kind == "TRAIL" else "stop_limit"
    if work.stop_price is None:
        work.stop_price = -_ANY_PRICE if work.side == "SELL" else _ANY_PRICE
    if kind == "TRAIL LIMIT":
        offset = values.get("lmtPriceOffset")
        if offset is not None:
            work.limit_price = work.stop_price + (offset if work.side == "BUY" else -offset)
