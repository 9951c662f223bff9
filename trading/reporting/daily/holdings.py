"""Open positions and what may soon end them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from trading.reporting.daily.data import OpenPosition, Thresholds, Upcoming
from trading.reporting.rows import Row, figure, ratio, text, whole


def open_positions(found: Sequence[Row], scores: Mapping[str, float]) -> tuple[OpenPosition, ...]:
    """Positions of the session, the largest first."""
    positions = [_position(row, scores) for row in found]
    return tuple(sorted(positions, key=lambda p: (-abs(p.market_value or 0.0), p.symbol, p.strategy)))


def _position(row: Row, scores: Mapping[str, float]) -> OpenPosition:
    price, held, value = figure(row, "price"), figure(row, "quantity"), figure(row, "market_value")
    stop, target, cost = figure(row, "stop"), figure(row, "target"), figure(row, "cost_basis")
    side = -1.0 if (held or 0.0) < 0 else 1.0
    to_stop = _distance(price, stop, -side)
    return OpenPosition(
        symbol=text(row, "symbol"),
        strategy=text(row, "strategy"),
        opened=row.get("opened"),
        entry_price=figure(row, "entry_price"),
        price=price,
        quantity=held,
        market_value=value,
        pnl=figure(row, "unrealised_pnl"),
        pnl_fraction=ratio(figure(row, "unrealised_pnl"), abs(cost) if cost else None),
        days=whole(row, "sessions_held"),
        stop=stop,
        target=target,
        to_stop=to_stop,
        to_target=_distance(price, target, side),
        risk=None if to_stop is None or value is None else round(max(to_stop, 0.0) * abs(value), 2),
        trailing=row.get("trailing") is True,
        stale=row.get("stale") is True,
        sector=text(row, "sector"),
        score=scores.get(text(row, "symbol")),
    )


def _distance(price: float | None, level: float | None, direction: float) -> float | None:
    """Way from the price to a level as a fraction of the price, positive in the given direction."""
    share = ratio(level, price)
    return None if share is None else direction * (share - 1.0)


def upcoming(positions: Sequence[OpenPosition], thresholds: Thresholds) -> tuple[Upcoming, ...]:
    """Positions near their target or stop, and those whose stop trails; a stop or target passed is near."""
    found: list[Upcoming] = []
    for held in positions:
        if _within(held.to_target, thresholds.near_target):
            found.append(Upcoming(held.symbol, "near target", held.price, held.target, held.to_target))
        if _within(held.to_stop, thresholds.near_stop):
            found.append(Upcoming(held.symbol, "near stop", held.price, held.stop, held.to_stop))
        if held.trailing:
            found.append(Upcoming(held.symbol, "trailing stop active", held.price, held.stop, held.to_stop))
    return tuple(found)


def _within(distance: float | None, near: float) -> bool:
    """Whether a level is near; to nine decimals, so that 105 is five per cent above 100."""
    return distance is not None and round(distance, 9) <= near


def known_scores(candidates: Sequence[Row], signals: Sequence[Row]) -> dict[str, float]:
    """Score of every name that the session's candidates or signals mention; candidates win."""
    scores: dict[str, float] = {}
    for row in signals:
        score = _score(text(row, "indicators"))
        if score is not None:
            scores[text(row, "symbol")] = score
    for row in candidates:
        score = figure(row, "score")
        if score is not None:
            scores[text(row, "symbol")] = score
    return scores


def _score(indicators: str) -> float | None:
    try:
        values = json.loads(indicators or "{}")
    except ValueError:
        return None
    return figure(values, "score") if isinstance(values, dict) else None
