"""What a split does to a working order."""

from __future__ import annotations

from math import floor

from trading.orders import Order


def split_order(order: Order, ratio: float, *, whole_units: bool = False) -> Order:
    """Adjust a working order in place for a split, so that it asks for the same value.

    Parameters
    ----------
    ratio : float
        New units per old one: 2.0 for a 2:1 split, 0.1 for a reverse split of 1:10.
    whole_units : bool
        Round quantities down to whole units, as the holding is when its fractions are paid in cash; an
        order left with quantity 0 has nothing more to do.

    Returns
    -------
    Order
        The same order: quantities times ratio; limit, stop and anchor divided by it.
    """
    if not ratio > 0:
        raise ValueError(f"split of {order.symbol}: ratio {ratio} must be above 0")
    for name in ("quantity", "held", "original", "filled"):
        units = getattr(order, name) * ratio
        setattr(order, name, float(floor(units + 1e-9)) if whole_units and name != "filled" else units)
    for name in ("limit_price", "stop_price", "anchor"):
        price = getattr(order, name)
        if price is not None:
            setattr(order, name, price / ratio)
    return order
