"""Target weights: bring a strategy's holdings to the shares of equity that it asks for."""

from __future__ import annotations

from collections.abc import Sequence

from trading.decision.desk import Desk, entry_of, estimate, liquidity_verdicts, place, position_limit, reject
from trading.gates import check_entry, failed
from trading.orders import Side
from trading.signals import Signal
from trading.sizing import Size, trades_whole_units, weight_quantity
from trading.state import Key

ROUNDING = 0.01
"""Cash kept per order of a rebalancing: every fill is rounded to the cent."""


def rebalance(desk: Desk, strategy: str, targets: Sequence[Signal]) -> None:
    """Bring a strategy's holdings to the weights it asks for; what it holds and does not name is sold.

    Reductions come first, so that their proceeds pay for the increases. Increases pass the gates of the
    portfolio (daily loss, positions, exposure, sector, cash); a floor on the size of one entry and the ban
    on a second position make no sense for a weight. A name without a bar in the session is left alone, and
    so is one that is being sold already, or whose exchange is closed.
    """
    held = {symbol: p for (owner, symbol), p in desk.state.ledger.positions.items() if owner == strategy}
    leaving = {o.symbol for o in desk.state.working if o.strategy == strategy and o.purpose == "exit"}
    named = {signal.symbol for signal in targets}
    share = desk.policy.strategies[strategy].share
    equity = desk.account.equity * share - ROUNDING * (len(named) + len(held))
    for symbol, position in held.items():
        closed = not desk.day.prices.trades(desk.day.index, symbol)
        if symbol not in named and symbol not in leaving and not closed:
            reduce(desk, (strategy, symbol), -position.quantity, "not in the target", position.price)
    increases: list[tuple[Signal, float, float]] = []
    for signal in targets:
        bar = desk.day.prices.bar(desk.day.index, signal.symbol)
        if bar is None or signal.weight is None or signal.symbol in leaving:
            continue
        owned = held.get(signal.symbol)
        have = owned.quantity if owned is not None else 0.0
        delta = change_wanted(desk, signal, have, equity, bar.close)
        if have * delta < 0 and have * (have + delta) >= 0:
            reduce(desk, (strategy, signal.symbol), delta, signal.reason, bar.close)
        elif delta:
            increases.append((signal, delta, bar.close))
    for signal, delta, price in increases:
        increase(desk, signal, delta, price, new=signal.symbol not in held)


def change_wanted(desk: Desk, signal: Signal, have: float, equity: float, price: float) -> float:
    """Units between what is held and what a weight asks for."""
    instrument = desk.instrument(signal.symbol)
    sizing = desk.policy.book.sizing
    target = weight_quantity(
        sizing,
        equity=equity,
        weight=signal.weight or 0.0,
        price=price,
        asset_class=instrument.asset_class,
        multiplier=desk.unit_value(signal.symbol),
    )
    delta = target - have
    return delta if trades_whole_units(sizing, instrument.asset_class) else round(delta, 8)


def reduce(desk: Desk, key: Key, delta: float, reason: str, price: float) -> None:
    """Sell of a position, or all of it, and count the proceeds less estimated costs."""
    instrument = desk.instrument(key[1])
    side: Side = "SELL" if delta < 0 else "BUY"
    quantity = abs(delta)
    value = quantity * price * desk.unit_value(key[1])
    costs = estimate(desk, key[1], instrument, side, quantity)
    desk.account.add(key[1], -value, instrument.sector, costs + (-value if side == "SELL" else value))
    closes = abs(desk.state.ledger.positions[key].quantity + delta) == 0
    if abs(desk.account.values.get(key[1], 0.0)) < ROUNDING:
        desk.account.values.pop(key[1], None)
    place(desk, key, "exit" if closes else "rebalance", side, quantity, reason, price)


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
    verdicts += liquidity_verdicts(desk, signal.symbol, side, abs(delta))
    purpose = "entry" if new else "rebalance"
    if failed(verdicts):
        reject(desk, signal, purpose, side, Size(abs(delta), abs(delta), 0.0, 0.0), verdicts, price)
        return
    desk.account.add(signal.symbol, entry.value, instrument.sector, entry.cost)
    place(desk, key, purpose, side, abs(delta), signal.reason, price, verdicts=verdicts)
