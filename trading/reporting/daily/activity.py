"""What happened in the session and what was decided on its close."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trading.reporting.daily.data import Candidate, Exited, Filled, Moved, NotTaken, Planned
from trading.reporting.rows import Row, figure, ratio, text, whole
from trading.reporting.verdicts import refusal

ENTRY_ACTIONS = ("BUY", "SHORT")


def fills(found: Sequence[Row], reasons: Mapping[str, str]) -> tuple[Filled, ...]:
    """Executions of the session in the order they happened."""
    ordered = sorted(found, key=lambda row: (str(row.get("executed_at")), text(row, "execution_id")))
    return tuple(
        Filled(
            symbol=text(row, "symbol"),
            strategy=text(row, "strategy"),
            purpose=text(row, "purpose"),
            side=text(row, "side"),
            quantity=figure(row, "quantity"),
            price=figure(row, "price"),
            commission=figure(row, "commission"),
            slippage=figure(row, "slippage"),
            realised_pnl=figure(row, "realised_pnl"),
            reason=reasons.get(text(row, "order_ref"), ""),
        )
        for row in ordered
    )


def exits(found: Sequence[Row]) -> tuple[Exited, ...]:
    """Round trips that ended in the session, one a position and reason."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in found:
        key = tuple(text(row, name) for name in ("symbol", "strategy", "direction", "exit_reason"))
        groups.setdefault(key, []).append(row)
    return tuple(_exit(key, lots) for key, lots in sorted(groups.items()))


def _exit(key: tuple[str, ...], lots: Sequence[Row]) -> Exited:
    symbol, strategy, direction, reason = key
    pnl = _total(lots, "pnl")
    costs = [ratio(figure(lot, "pnl"), figure(lot, "trade_return")) for lot in lots]
    known = [cost for cost in costs if cost is not None]
    single = figure(lots[0], "trade_return") if len(lots) == 1 else None
    opened = [lot["opened"] for lot in lots if lot.get("opened") is not None]
    held = [days for lot in lots if (days := whole(lot, "sessions_held")) is not None]
    return Exited(
        symbol=symbol,
        strategy=strategy,
        direction=direction,
        quantity=_total(lots, "quantity"),
        opened=min(opened, default=None),
        entry_price=_average(lots, "entry_price"),
        exit_price=_average(lots, "exit_price"),
        pnl=None if pnl is None else round(pnl, 2),
        pnl_fraction=single
        if single is not None
        else ratio(pnl, sum(known) if len(known) == len(lots) else None),
        days=max(held, default=None),
        reason=reason,
    )


def _total(lots: Sequence[Row], name: str) -> float | None:
    values = [value for lot in lots if (value := figure(lot, name)) is not None]
    return sum(values) if values else None


def _average(lots: Sequence[Row], name: str) -> float | None:
    """Mean of a price, weighted by quantity."""
    pairs = [(figure(lot, name), figure(lot, "quantity")) for lot in lots]
    known = [(price, held) for price, held in pairs if price is not None and held]
    return ratio(sum(price * held for price, held in known), sum(held for _, held in known))


def planned(orders: Sequence[Row]) -> tuple[Planned, ...]:
    """Orders approved on the close, each with the stop and target that belong to it."""
    children: dict[str, dict[str, float | None]] = {}
    for row in orders:
        price = figure(row, "stop_price")
        children.setdefault(text(row, "parent_ref"), {})[text(row, "purpose")] = (
            figure(row, "limit_price") if price is None else price
        )
    return tuple(
        _planned(row, children.get(text(row, "order_ref"), {}))
        for row in orders
        if _is(row, "submit", "approved") and not text(row, "parent_ref")
    )


def _planned(row: Row, levels: Mapping[str, float | None]) -> Planned:
    return Planned(
        symbol=text(row, "symbol"),
        strategy=text(row, "strategy"),
        purpose=text(row, "purpose"),
        side=text(row, "side"),
        order_type=text(row, "order_type"),
        quantity=figure(row, "quantity"),
        reference_price=figure(row, "reference_price"),
        stop=levels.get("stop_loss", levels.get("trailing_stop")),
        target=levels.get("profit_target"),
        risk=figure(row, "actual_risk"),
        intended_risk=figure(row, "intended_risk"),
        reason=text(row, "reason"),
    )


def moved(orders: Sequence[Row]) -> tuple[Moved, ...]:
    """Working orders that were changed or cancelled on the close."""
    changes = (row for row in orders if text(row, "intent") in ("modify", "cancel"))
    return tuple(
        Moved(
            symbol=text(row, "symbol"),
            strategy=text(row, "strategy"),
            intent=text(row, "intent"),
            purpose=text(row, "purpose"),
            price=next((v for n in ("stop_price", "limit_price") if (v := figure(row, n)) is not None), None),
            reason=text(row, "reason"),
        )
        for row in changes
    )


def not_taken(signals: Sequence[Row], orders: Sequence[Row]) -> tuple[NotTaken, ...]:
    """Entry signals that did not become an order, the strongest first, with the reason."""
    decided = {
        (text(row, "strategy"), text(row, "symbol")): row
        for row in sorted(orders, key=lambda row: text(row, "status"), reverse=True)
        if text(row, "intent") == "submit" and text(row, "purpose") in ("entry", "rebalance")
    }
    left = [
        _not_taken(row, decided.get((text(row, "strategy"), text(row, "symbol"))))
        for row in signals
        if text(row, "action") in ENTRY_ACTIONS or _refused_weight(row, decided)
    ]
    refused = [item for item in left if item is not None]
    return tuple(sorted(refused, key=lambda item: (-(item.strength or 0.0), item.symbol, item.strategy)))


def _refused_weight(row: Row, decided: Mapping[tuple[str, str], Row]) -> bool:
    """Whether a target weight asked for an increase that a gate refused."""
    order = decided.get((text(row, "strategy"), text(row, "symbol")))
    return text(row, "action") == "TARGET" and order is not None and text(order, "status") == "rejected"


def _not_taken(signal: Row, order: Row | None) -> NotTaken | None:
    if order is not None and text(order, "status") == "approved":
        return None
    why = "no order was decided for it" if order is None else refusal(text(order, "gates")) or "rejected"
    return NotTaken(
        symbol=text(signal, "symbol"),
        strategy=text(signal, "strategy"),
        action=text(signal, "action"),
        strength=figure(signal, "strength"),
        price=figure(signal, "price"),
        signal=text(signal, "reason"),
        reason=why,
    )


def candidates(found: Sequence[Row]) -> tuple[Candidate, ...]:
    """Candidates of the session by strategy and rank."""
    ordered = sorted(
        found, key=lambda row: (text(row, "strategy"), figure(row, "rank") or 0, text(row, "symbol"))
    )
    return tuple(
        Candidate(
            rank=whole(row, "rank"),
            symbol=text(row, "symbol"),
            strategy=text(row, "strategy"),
            score=figure(row, "score"),
            trend_strength=figure(row, "trend_strength"),
            rsi=figure(row, "rsi"),
            close=figure(row, "close"),
            dollar_volume=figure(row, "dollar_volume"),
            scan=text(row, "scan"),
        )
        for row in ordered
    )


def _is(row: Row, intent: str, status: str) -> bool:
    return text(row, "intent") == intent and text(row, "status") == status
