"""Entries: the candidate list, size, gates, and approval with protective orders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from trading.decision.desk import Desk, entry_of, liquidity_verdicts, order_row, position_limit, reject
from trading.decision.protection import attach
from trading.gates import Verdict, check_entry, failed
from trading.orders import Order, Side
from trading.signals import Signal
from trading.sizing import Size, conviction_factor, entry_size, streak_risk
from trading.state import Plan
from trading.window import Instrument


def candidate_lists(desk: Desk, entries: Sequence[Signal]) -> dict[str, dict[str, int]]:
    """Strategy to its candidate list: names not held, best first, cut to its length and sector limit."""
    lists: dict[str, dict[str, int]] = {}
    for strategy in sorted({signal.strategy for signal in entries}):
        rules = desk.policy.strategies[strategy]
        if rules.max_candidates is None:
            continue
        sectors: Counter[str] = Counter()
        chosen: dict[str, int] = {}
        for candidate in desk.day.candidates.get(strategy, ()):
            sector = desk.instrument(candidate.symbol).sector
            if candidate.symbol in desk.account.values:
                continue
            if sector is not None and rules.max_per_sector is not None:
                if sectors[sector] >= rules.max_per_sector:
                    continue
                sectors[sector] += 1
            chosen[candidate.symbol] = len(chosen) + 1
            if len(chosen) >= rules.max_candidates:
                break
        lists[strategy] = chosen
    return lists


def consider(desk: Desk, signal: Signal, listed: Mapping[str, int] | None) -> None:
    """Size an entry, ask every gate, and approve it with its protective orders, or reject it."""
    book, day = desk.policy.book, desk.day
    instrument = desk.instrument(signal.symbol)
    bar = day.prices.bar(day.index, signal.symbol)
    side: Side = "BUY" if signal.action == "BUY" else "SELL"
    if bar is None:
        missing = Verdict("price", False, 0.0, 0.0, "no bar in this session")
        reject(desk, signal, "entry", side, Size(0.0, 0.0, 0.0, 0.0), [missing], signal.price)
        return
    ratio = day.prices.scale(day.index, signal.symbol)
    stop = desk.level(signal.symbol, signal.stop * ratio) if signal.stop is not None else None
    target = desk.level(signal.symbol, signal.target * ratio) if signal.target is not None else None
    size = size_of(desk, signal, instrument, bar.close, stop)
    entry = entry_of(desk, signal.symbol, instrument, side, size.quantity, bar.close)
    window = book.risk.correlation_window
    verdicts = check_entry(
        entry,
        desk.account,
        risk=book.risk,
        sizing=book.sizing,
        returns=lambda symbol: day.prices.returns(day.index, symbol, window),
        position_limit=position_limit(desk),
    )
    verdicts += liquidity_verdicts(desk, signal.symbol, side, size.quantity)
    if listed is not None:
        place, length = listed.get(signal.symbol), desk.policy.strategies[signal.strategy].max_candidates or 0
        verdicts.append(
            Verdict("candidate_list", place is not None, float(place or signal.rank or 0), float(length))
        )
    if failed(verdicts):
        reject(desk, signal, "entry", side, size, verdicts, bar.close)
        return
    desk.account.add(signal.symbol, entry.value, instrument.sector, entry.cost)
    approve(desk, signal, side, size, verdicts, bar.close, stop, target)


def size_of(desk: Desk, signal: Signal, instrument: Instrument, price: float, stop: float | None) -> Size:
    """Size of an entry after streak, regime and conviction."""
    sizing = desk.policy.book.sizing
    scale = desk.day.regime.size_multiplier if desk.day.regime else 1.0
    if sizing.conviction:
        scale *= conviction_factor(signal.score)
    return entry_size(
        sizing,
        equity=desk.account.equity * desk.policy.strategies[signal.strategy].share,
        price=price,
        stop=stop,
        asset_class=instrument.asset_class,
        risk=streak_risk(sizing, desk.state.streak),
        scale=scale,
        multiplier=desk.unit_value(signal.symbol),
    )


def approve(
    desk: Desk,
    signal: Signal,
    side: Side,
    size: Size,
    verdicts: Sequence[Verdict],
    price: float,
    stop: float | None,
    target: float | None,
) -> None:
    """Approve an entry with its stop and target as children in one group."""
    key = (signal.strategy, signal.symbol)
    exit_side: Side = "SELL" if side == "BUY" else "BUY"
    reference = desk.reference(*key, "entry")
    group = "O" + reference[1:]
    session = desk.day.times.session
    instrument = desk.instrument(signal.symbol)
    entry = Order(
        order_ref=reference,
        session=session,
        strategy=signal.strategy,
        symbol=signal.symbol,
        asset_class=instrument.asset_class,
        purpose="entry",
        side=side,
        order_type="market_on_close" if desk.policy.book.fill == "same_close" else "market",
        quantity=size.quantity,
        time_in_force="day",
        reason=signal.reason,
        multiplier=instrument.multiplier,
    )
    plan = Plan(reference, price, stop, target, signal.max_hold, oca_group=group)
    desk.state.plans[key] = plan
    desk.decided.orders.append(entry)
    desk.decided.rows.append(
        order_row(
            desk, ref=reference, order=entry, reason=signal.reason, verdicts=verdicts, price=price, size=size
        )
    )
    attach(desk, key, exit_side, size.quantity, signal.reason, price, parent_ref=reference)
