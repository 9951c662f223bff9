"""Bars of the past in every size the protocol knows, made of the bars that there are."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from resources.gateway.instruments.blackscholes import VOLATILITY
from resources.gateway.instruments.database import Instrument
from resources.gateway.market.prices import Tape, TimedBar
from resources.gateway.wire.times import EXCHANGE_ZONE
from trading.orders import Bar
from trading.resampling import SPANS

_DAY = timedelta(days=1)
SIZES: dict[str, timedelta] = {
    **{f"{number} secs": timedelta(seconds=number) for number in (1, 5, 10, 15, 30)},
    "1 min": timedelta(minutes=1),
    **{f"{number} mins": timedelta(minutes=number) for number in (2, 3, 5, 10, 15, 20, 30)},
    "1 hour": timedelta(hours=1),
    **{f"{number} hours": timedelta(hours=number) for number in (2, 3, 4, 8)},
    "1 day": _DAY,
    "1 week": timedelta(weeks=1),
    "1W": timedelta(weeks=1),
    "1 month": timedelta(days=31),
    "1M": timedelta(days=31),
}
"""Length of a bar by its name."""

_MONTH = SIZES["1 month"]
_RETURNS = 30
_YEAR = 252
_IN_SESSIONS = frozenset({"STK", "OPT", "IND"})
_DIVIDENDS = frozenset({"cash_dividend", "special_dividend"})


class PastBar(NamedTuple):
    """A bar with the start of its interval, or its session, and its close."""

    starts_at: datetime
    closes_at: datetime
    session: date
    bar: Bar


def past_bars(
    tape: Tape,
    instrument: Instrument,
    size: timedelta,
    first: datetime,
    last: datetime,
    *,
    regular: bool = False,
) -> list[PastBar]:
    """Bars of one size that close after ``first`` and not after ``last``.

    Where there are none of the size they are made of the longest shorter ones that divide it: an hour begins
    at the full hour of the exchange's clock, a week on Monday, a month on its first day.

    Parameters
    ----------
    regular : bool
        Whether bars outside of the regular session are left out.
    """
    ready = next((name for name, span in SPANS.items() if span == size and size < _MONTH), None)
    if ready is not None and (found := tape.bars(instrument.symbol, ready, first, last)):
        placed = _placed(tape, instrument, size, found)
        return [one for one in placed if not regular or size >= _DAY or _in_session(tape, instrument, one)]
    source = _source(tape, instrument.symbol, size)
    if source is None:
        return []
    span = SPANS[source]
    parts = _placed(tape, instrument, span, tape.bars(instrument.symbol, source, _since(first, size), last))
    chosen = [one for one in parts if not regular or span >= _DAY or _in_session(tape, instrument, one)]
    return _joined(chosen, lambda one: _interval(one, size))


def shown_bars(
    tape: Tape, instrument: Instrument, bars: Sequence[PastBar], what: str, today: date
) -> list[PastBar]:
    """Bars as what is to be shown has them.

    Trades are adjusted for splits since, adjusted ones also for dividends. Quotes are one price step around
    the trades and have no volume. Volatilities are annual: of thirty daily returns, or the option model's.
    """
    if what in {"TRADES", "AGGTRADES", "ADJUSTED_LAST"}:
        dividends = what == "ADJUSTED_LAST"
        return [_adjusted(tape, instrument.symbol, one, today, dividends=dividends) for one in bars]
    if what == "HISTORICAL_VOLATILITY":
        return _volatilities(tape, instrument.symbol, bars)
    if what == "OPTION_IMPLIED_VOLATILITY":
        return [one._replace(bar=_level(VOLATILITY)) for one in bars]
    steps = _STEPS.get(what, (0, 0, 0, 0))
    return [_moved(one, *(number * instrument.min_tick for number in steps)) for one in bars]


_STEPS = {"BID": (-1, -1, -1, -1), "ASK": (1, 1, 1, 1), "BID_ASK": (-1, 1, -1, 1)}
"""Price steps between the trades and what of the quotes is shown: open, high, low, close."""


def interval_start(at: datetime, size: timedelta) -> datetime:
    """Start of the interval that an instant lies in, by the exchange's clock."""
    local = at.astimezone(ZoneInfo(EXCHANGE_ZONE))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if size >= _DAY else midnight + (local - midnight) // size * size


def _placed(tape: Tape, instrument: Instrument, span: timedelta, bars: Iterable[TimedBar]) -> list[PastBar]:
    """Bars with the start of their interval: never before the session that they end in has opened."""
    placed = []
    for entry in bars:
        starts_at = entry.closes_at - span
        hours = tape.session_of(entry.session) if instrument.sec_type in _IN_SESSIONS else None
        if hours is not None and hours.opens_at < entry.closes_at:
            starts_at = max(starts_at, hours.opens_at)
        placed.append(PastBar(starts_at, entry.closes_at, entry.session, entry.bar))
    return placed


def _in_session(tape: Tape, instrument: Instrument, one: PastBar) -> bool:
    if instrument.sec_type not in _IN_SESSIONS:
        return True
    hours = tape.session_of(one.session)
    return hours is None or (one.starts_at >= hours.opens_at and one.closes_at <= hours.closes_at)


def _source(tape: Tape, symbol: str, size: timedelta) -> str | None:
    """Longest timeframe there is that divides a size."""
    shorter = [
        name
        for name in tape.timeframes(symbol)
        if SPANS[name] < size and (size >= _DAY or size % SPANS[name] == timedelta()) and SPANS[name] <= _DAY
    ]
    return max(shorter, key=lambda name: SPANS[name], default=None)


def _since(first: datetime, size: timedelta) -> datetime:
    """Where the parts of the first interval begin."""
    if size == _MONTH:
        return first.replace(day=1, hour=0, minute=0, second=0)
    if size > _DAY:
        return (first - timedelta(days=first.weekday())).replace(hour=0, minute=0, second=0)
    return first


def _interval(one: PastBar, size: timedelta) -> object:
    if size == _MONTH:
        return one.session.year, one.session.month
    if size > _DAY:
        return one.session.isocalendar()[:2]
    return one.session if size == _DAY else (one.session, interval_start(one.starts_at, size))


def _joined(parts: Iterable[PastBar], interval: Callable[[PastBar], object]) -> list[PastBar]:
    joined: list[PastBar] = []
    open_interval: object = None
    for one in parts:
        where = interval(one)
        if joined and where == open_interval:
            whole, part = joined[-1].bar, one.bar
            bar = Bar(
                whole.open, max(whole.high, part.high), min(whole.low, part.low), part.close,
                whole.volume + part.volume,
            )  # fmt: skip
            joined[-1] = PastBar(joined[-1].starts_at, one.closes_at, one.session, bar)
        else:
            joined.append(one)
            open_interval = where
    return joined


def _moved(one: PastBar, opened: float, high: float, low: float, close: float) -> PastBar:
    bar = one.bar
    moved = Bar(bar.open + opened, bar.high + high, bar.low + low, bar.close + close, -1.0)
    return one._replace(bar=_rounded(moved))


def _adjusted(tape: Tape, symbol: str, one: PastBar, today: date, *, dividends: bool) -> PastBar:
    factor = units = 1.0
    for row in tape.actions_since(symbol, one.session, today):
        value = float(row.get("value") or 0.0)
        if row["action"] == "split" and value > 0:
            factor /= value
            units *= value
        elif dividends and row["action"] in _DIVIDENDS and value > 0:
            before = tape.close_before(symbol, row["ex_date"])
            factor *= 1.0 - value / before if before else 1.0
    if factor == units == 1.0:
        return one
    bar = one.bar
    adjusted = Bar(
        bar.open * factor, bar.high * factor, bar.low * factor, bar.close * factor, bar.volume * units
    )
    return one._replace(bar=_rounded(adjusted))


def _rounded(bar: Bar) -> Bar:
    return Bar(round(bar.open, 8), round(bar.high, 8), round(bar.low, 8), round(bar.close, 8), bar.volume)


def _volatilities(tape: Tape, symbol: str, bars: Sequence[PastBar]) -> list[PastBar]:
    """Standard deviation of the daily returns before each bar, a year's; a split is no return."""
    result = []
    for one in bars:
        known = tape.bars(symbol, "1d", one.closes_at - timedelta(days=3 * _RETURNS), one.closes_at)
        days = [PastBar(entry.closes_at, *entry) for entry in known[-_RETURNS - 1 :]]
        closes = [_adjusted(tape, symbol, day, one.session, dividends=False).bar.close for day in days]
        returns = [math.log(after / before) for before, after in pairwise(closes)]
        if len(returns) > 1:
            level = round(statistics.stdev(returns) * math.sqrt(_YEAR), 8)
            result.append(one._replace(bar=_level(level)))
    return result


def _level(value: float) -> Bar:
    return Bar(value, value, value, value, -1.0)
