"""Generic ticks: what a subscription may ask for besides the quote, as far as the desk's bars give it.

What bars do not tell (open interest, shortable shares, auctions, fundamentals, numbers of trades) is left
out, as a broker does for data that a contract does not have. Volumes of minutes are those of the bars that
are finer than the minutes asked for; volumes of options those of the contracts that the lake has bars of.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from resources.gateway.instruments.blackscholes import VOLATILITY
from resources.gateway.instruments.database import Instrument
from resources.gateway.market.history import SIZES, PastBar, past_bars, shown_bars
from resources.gateway.market.prices import Tape
from resources.gateway.market.quotes import Quote
from trading.resampling import SPANS

LEGAL = frozenset(
    [
        "100",
        "101",
        "104",
        "105",
        "106",
        "162",
        "165",
        "221",
        "225",
        "232",
        "233",
        "236",
        "258",
        "291",
        "292",
        "293",
        "294",
        "295",
        "318",
        "375",
        "411",
        "456",
        "460",
        "512",
        "576",
        "577",
        "586",
        "587",
        "588",
        "595",
        "614",
        "619",
        "623",
        "mdoff",
    ]
)
"""Generic ticks that may be asked for."""
MOVING = frozenset({"100", "221", "232", "233", "295", "318", "375", "411", "595", "619"})
"""Those that a trade changes."""
_YEAR = 252
_RETURNS = 30
_WEEKS = ((13, 15, 16), (26, 17, 18), (52, 19, 20))
_AVERAGED = 90
_RATE = 56
_MINUTES = {"295": ((1, 56),), "595": ((3, 63), (5, 64), (10, 65))}
"""Minutes and tick types by generic tick: the rate of the volume a minute, and volumes of short terms."""
OF_OPTIONS = frozenset({"100", "105"})
"""Those that come from the options on an underlying."""
_DIVIDENDS = frozenset({"cash_dividend", "special_dividend"})


class Tick(NamedTuple):
    """One tick: the message that carries it, its type and its value."""

    message: str
    kind: int
    value: float | str


def generic_ticks(
    tape: Tape,
    instrument: Instrument,
    quote: Quote | None,
    now: datetime,
    wanted: Collection[str],
    options: Sequence[tuple[Instrument, Quote | None]] = (),
) -> list[Tick]:
    """Ticks of the generic types wanted that can be told of an instrument.

    Parameters
    ----------
    wanted : collection of str
        Generic tick types, such as ``"233"``.
    options : sequence of (Instrument, Quote)
        Options on the instrument, where ticks of them are wanted.
    """
    ticks: list[Tick] = []
    if {"104", "165", "411"} & set(wanted):
        ticks += _of_days(_days(tape, instrument, now), quote, wanted)
    if "106" in wanted and instrument.sec_type == "STK":
        ticks.append(Tick("tickGeneric", 24, VOLATILITY))
    if quote is not None:
        ticks += _of_quote(quote, wanted)
    for name in _MINUTES.keys() & set(wanted):
        ticks += _of_minutes(tape, instrument.symbol, now, _MINUTES[name])
    if OF_OPTIONS & set(wanted) and options:
        ticks += _of_options(tape, options, now, wanted)
    if "456" in wanted and instrument.sec_type == "STK":
        ticks.append(Tick("tickString", 59, _dividends(tape, instrument.symbol, now)))
    return ticks


def _days(tape: Tape, instrument: Instrument, now: datetime) -> list[PastBar]:
    """Daily bars of a year, adjusted for the splits since."""
    found = past_bars(tape, instrument, SIZES["1 day"], now - timedelta(weeks=52), now, regular=True)
    return shown_bars(tape, instrument, found, "TRADES", now.date())


def _of_days(days: Sequence[PastBar], quote: Quote | None, wanted: Collection[str]) -> list[Tick]:
    ticks: list[Tick] = []
    closes = [one.bar.close for one in days]
    if "104" in wanted:
        ticks += _volatility(23, closes)
    if "411" in wanted and quote is not None:
        today = bool(days) and days[-1].closes_at >= quote.at
        ticks += _volatility(58, closes if today else [*closes, quote.last])
    if "165" in wanted and days:
        for weeks, low, high in _WEEKS:
            since = [one.bar for one in days if one.closes_at > days[-1].closes_at - timedelta(weeks=weeks)]
            ticks.append(Tick("tickPrice", low, min(bar.low for bar in since)))
            ticks.append(Tick("tickPrice", high, max(bar.high for bar in since)))
        volumes = [one.bar.volume for one in days[-_AVERAGED:]]
        ticks.append(Tick("tickSize", 21, round(statistics.fmean(volumes))))
    return ticks


def _volatility(kind: int, closes: Sequence[float]) -> list[Tick]:
    """Standard deviation of the last thirty daily log returns, a year's."""
    returns = [math.log(after / before) for before, after in pairwise(closes[-_RETURNS - 1 :])]
    if len(returns) < 2:
        return []
    return [Tick("tickGeneric", kind, round(statistics.stdev(returns) * math.sqrt(_YEAR), 8))]


def _of_quote(quote: Quote, wanted: Collection[str]) -> list[Tick]:
    ticks = []
    if {"221", "232"} & set(wanted):
        ticks.append(Tick("tickPrice", 37, quote.last))
    if "619" in wanted:
        ticks.append(Tick("tickPrice", 79, quote.last))
    if "318" in wanted:
        ticks.append(Tick("tickPrice", 57, quote.last))
    for name, kind in (("233", 48), ("375", 77)):
        if name in wanted and quote.size > 0 and quote.volume > 0:
            ticks.append(Tick("tickString", kind, _trade(quote)))
    return ticks


def _of_minutes(tape: Tape, symbol: str, now: datetime, terms: Sequence[tuple[int, int]]) -> list[Tick]:
    """Volume of the last minutes, of the finest bars that they are made of."""
    ticks = []
    for minutes, kind in terms:
        length = timedelta(minutes=minutes)
        finest = next((name for name in tape.timeframes(symbol) if not length % SPANS[name]), None)
        found = tape.bars(symbol, finest, now - length, now) if finest else []
        if found:
            volume = sum(entry.bar.volume for entry in found)
            ticks.append(Tick("tickGeneric" if kind == _RATE else "tickSize", kind, volume))
    return ticks


def _of_options(
    tape: Tape, options: Sequence[tuple[Instrument, Quote | None]], now: datetime, wanted: Collection[str]
) -> list[Tick]:
    """Volume of the day by right, and the average of all options together."""
    tape.need(option.symbol for option, _ in options)
    by_session: dict[date, dict[str, float]] = defaultdict(lambda: {"C": 0.0, "P": 0.0})
    for option, _ in options:
        for entry in tape.bars(option.symbol, "1d", now - timedelta(weeks=52), now):
            by_session[entry.session][option.right] += entry.bar.volume
    days = [by_session[session] for session in sorted(by_session)]
    quoted = [(option.right, quote.volume) for option, quote in options if quote is not None and quote.volume]
    today = {right: sum(volume for one, volume in quoted if one == right) for right in "CP"}
    if not quoted and days:
        today = days[-1]
    ticks = []
    if "100" in wanted and (quoted or days):
        ticks += [Tick("tickSize", 29, today["C"]), Tick("tickSize", 30, today["P"])]
    if "105" in wanted and days:
        average = statistics.fmean(sum(day.values()) for day in days[-_AVERAGED:])
        ticks.append(Tick("tickSize", 87, round(average)))
    return ticks


def _trade(quote: Quote) -> str:
    """Price, size, time in milliseconds, volume and average price of the day, whether it was one trade."""
    average = quote.value / quote.volume
    stamp = int(quote.at.timestamp() * 1000)
    return f"{quote.last:g};{quote.size:g};{stamp};{quote.volume:g};{average:.8g};true"


def _dividends(tape: Tape, symbol: str, now: datetime) -> str:
    """Dividends of the past and the next twelve months, and date and amount of the next one."""
    today, year = now.date(), timedelta(days=365)
    known = [
        (row["ex_date"], float(row.get("value") or 0.0))
        for row in tape.actions_since(symbol, today - year, today + year)
        if row["action"] in _DIVIDENDS
    ]
    past = sum(amount for day, amount in known if day <= today)
    to_come = sorted(pair for pair in known if pair[0] > today)
    if not to_come:
        return f"{past:g},,,"
    day, amount = to_come[0]
    return f"{past:g},{sum(value for _, value in to_come):g},{day:%Y%m%d},{amount:g}"
