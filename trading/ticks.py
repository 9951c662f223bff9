"""Price steps: what a broker accepts as a price of an order."""

from __future__ import annotations

STEPS: dict[str, float] = {"fx": 0.00005}
"""Step by asset class, where it is not a cent."""


def on_step(price: float, asset_class: str) -> float:
    """Price on the nearest step of its asset class.

    An order that goes to a broker is decided on the price it will have there, so that a backtest of the
    same book works the same order.
    """
    step = STEPS.get(asset_class, 0.01)
    return round(round(price / step) * step, 10)
