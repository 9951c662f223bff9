"""Target weights: bring a strategy's holdings to the shares of equity that it asks for."""

from __future__ import annotations

from collections.abc import Sequence

from trading.decision.desk import Desk, entry_of, estimate, place, position_limit, reject
from trading.gates import check_entry, failed
from trading.orders import Side
from trading.signals import Signal
from trading.sizing import Size, trades_whole_units, weight_quantity
from trading.state import Key

ROUNDING = 0.01
"""Cash kept per order of a rebalancing: every fill is rounded to the cent."""


def rebalance(desk: Desk, strategy: str, targets: Sequence[Signal]) -> None:
    """Bring a strategy's holdings to the weights it asks for; what it holds and does not name is sold.

    Sells come first, so that their proceeds pay for the buys. Increases pass the gates of the portfolio
    (daily loss, positions, exposure, sector, cash); a floor on the size of one entry and the ban on a
    second position make no sense for a weight.
    """
    held = {symbol: p for (owner, symbol), p in desk.state.ledger.positions.items() if owner == strategy}
    named = {signal.symbol for signal in targets}
    equity = desk.account.equity * desk.policy.strategies[strategy].share - ROUNDING * (
        len(named) + len(held)
    )
    buys: list[tuple[Signal, float, float]] = []
    for symbol, position in held.items():
        if symbol not in named:
            side: Side = "SELL" if position.quantity > 0 else "BUY"
            sell(
                desk,
                (strategy, symbol),
                "exit",
                side,
                abs(position.quantity),
                "not in the target",
                position.price,
            )
    for signal in targets:
        bar = desk.day.prices.bar(desk.day.index, signal.symbol)
        if bar is None or signal.weight is None:
            continue
        instrument = desk.instrument(signal.symbol)
        target = weight_quantity(
            desk.policy.book.sizing,
            equity=equity,
            weight=signal.weight,
            price=bar.close,
            asset_class=instrument.asset_class,
            multiplier=instrument.multiplier,
        )
        position = held.get(signal.symbol)
        have = position.quantity if position else 0.0
        delta = target - have
        if not trades_whole_units(desk.policy.book.sizing, instrument.asset_class):
            delta = round(delta, 8)
        if delta == 0:
            continue
        if have * delta < 0 and abs(target) <= abs(have):
            purpose = "exit" if target == 0 else "rebalance"
            sell(
                desk,
                (strategy, signal.symbol),
                purpose,
                "SELL" if delta < 0 else "BUY",
                abs(delta),
                signal.reason,
                bar.close,
            )
        else:
            buys.append((signal, delta, bar.close))
    for signal, delta, price in buys:
        increase(desk, signal, delta, price, new=signal.symbol not in held)


def sell(desk: Desk, key: Key, purpose: str, side: Side, quantity: float, reason: str, price: float) -> None:
    """Reduce a position and count its proceeds, less estimated costs."""
    instrument = desk.instrument(key[1])
    value = quantity * price * instrument.multiplier
    costs = estimate(desk, key[1], instrument, side, quantity)
    desk.account.add(key[1], -value, instrument.sector, costs + (-value if side == "SELL" else value))
    if abs(desk.account.values.get(key[1], 0.0)) < ROUNDING:
        desk.account.values.pop(key[1], None)
    place(desk, key, purpose, side, quantity, reason, price)


def increase(desk: Desk, signal: Signal, delta: float, price: float, *, new: bool) -> None:
    """Ask the gates of the portfolio for an increase towards a target weight."""
    instrument = desk.instrument(signal.symbol)
    key = (signal.strategy, signal.symbol)
    side: Side = "BUY" if delta > 0 else "SELL"
    entry = entry_of(desk, signal.symbol, instrument, side, abs(delta), price)
    verdicts = [
        verdict
        for verdict in check_entry(
            entry,
            desk.account,
            risk=desk.policy.book.risk,
            sizing=desk.policy.book.sizing,
            returns=lambda _: None,
            position_limit=position_limit(desk),
        )
        if verdict.gate not in ("size", "correlation", "second_position")
    ]
    purpose = "entry" if new else "rebalance"
    if failed(verdicts):
        reject(desk, signal, purpose, side, Size(abs(delta), abs(delta), 0.0, 0.0), verdicts, price)
        return
    desk.account.add(signal.symbol, entry.value, instrument.sector, entry.cost)
    place(desk, key, purpose, side, abs(delta), signal.reason, price, verdicts=verdicts)
