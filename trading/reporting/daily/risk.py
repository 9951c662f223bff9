"""Limits in use, and the warnings that follow from the session's figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from trading.book import RiskConfig
from trading.reporting.cells import percent, quantity
from trading.reporting.daily.data import Account, Limit, MarketRegime, OpenPosition, Thresholds, Warned
from trading.reporting.rows import ratio

NAMES = {
    "exposure": "exposure",
    "positions": "open positions",
    "daily_loss": "daily loss",
    "sector_exposure": "sector exposure",
}
"""Names of the limits in sentences."""


def limits(
    account: Account | None,
    positions: Sequence[OpenPosition],
    regime: MarketRegime | None,
    risk: RiskConfig,
) -> tuple[Limit, ...]:
    """Exposure, number of positions, loss of the session and exposure by sector, each with its limit."""
    if account is None:
        return ()
    allowed = risk.max_positions
    if risk.regime and regime is not None and regime.max_positions is not None:
        allowed = min(allowed, regime.max_positions)
    loss = None if account.daily_return is None else max(0.0, -account.daily_return)
    return (
        _limit("exposure", "", account.exposure, risk.max_portfolio_exposure),
        _limit("positions", "", account.position_count, float(allowed)),
        _limit("daily_loss", "", loss, risk.max_daily_loss),
        *_sectors(account, positions, risk),
    )


def _sectors(account: Account, positions: Sequence[OpenPosition], risk: RiskConfig) -> Iterator[Limit]:
    values: dict[str, float] = {}
    for held in positions:
        values[held.sector] = values.get(held.sector, 0.0) + abs(held.market_value or 0.0)
    for sector, value in sorted(values.items(), key=lambda item: (-item[1], item[0])):
        limit = risk.max_sector_exposure if sector else None  # an unknown sector has no limit
        yield _limit("sector_exposure", sector, ratio(value, account.equity), limit)


def _limit(measure: str, subject: str, value: float | None, limit: float | None) -> Limit:
    return Limit(measure, subject, value, limit, ratio(value, limit))


def loss_left(account: Account | None, risk: RiskConfig) -> float | None:
    """Further loss, as a fraction of the day's opening equity, at which entries stop; 0 once reached."""
    if account is None or account.daily_return is None:
        return None
    return max(0.0, risk.max_daily_loss + account.daily_return)


def open_risk(positions: Sequence[OpenPosition]) -> float | None:
    """Cash lost from here if every stop fills at its price; positions without a stop are not in it."""
    known = [held.risk for held in positions if held.risk is not None]
    return round(sum(known), 2) if known else None


def warnings(
    account: Account | None,
    positions: Sequence[OpenPosition],
    held_against: Iterable[Limit],
    risk: RiskConfig,
    thresholds: Thresholds,
) -> Iterator[Warned]:
    """Gates near their limit, large unrealised losses, low scores, old prices and missing figures."""
    if account is None:
        yield Warned(
            "data", "error", "portfolio", "the session has no portfolio row: nothing was decided on it"
        )
    for limit in held_against:
        said = limit_sentence(limit, risk, thresholds)
        if said:
            yield Warned("risk", "warning", limit.subject or limit.measure, said)
    if account is not None and account.cash is not None and account.cash < 0:
        yield Warned("risk", "error", "cash", "cash is below zero")
    for held in positions:
        yield from _of_position(held, thresholds)


def limit_sentence(limit: Limit, risk: RiskConfig, thresholds: Thresholds) -> str:
    """Say that a figure is near or at its limit; empty when it is not."""
    if limit.value is None or limit.limit is None or limit.used is None:
        return ""
    warned = limit.measure == "daily_loss" and limit.value >= risk.warn_daily_loss
    if limit.used < thresholds.near_limit and not warned:
        return ""
    show = quantity if limit.measure == "positions" else percent
    name = NAMES.get(limit.measure, limit.measure) + (f" of {limit.subject}" if limit.subject else "")
    state = "above" if limit.used > 1 else "at" if limit.used == 1 else "near"
    return f"{name} {show(limit.value).text} is {state} its limit of {show(limit.limit).text}"


def _of_position(held: OpenPosition, thresholds: Thresholds) -> Iterator[Warned]:
    if held.pnl_fraction is not None and held.pnl_fraction <= -thresholds.large_loss:
        lost = percent(held.pnl_fraction, signed=True).text
        yield Warned("position", "warning", held.symbol, f"unrealised loss of {held.symbol}: {lost}")
    if held.score is not None and held.score < thresholds.low_score:
        yield Warned(
            "position", "warning", held.symbol, f"score of {held.symbol} has fallen to {held.score:.0f}"
        )
    if held.stale:
        yield Warned(
            "data", "warning", held.symbol, f"no bar of {held.symbol} in the session: last price kept"
        )
