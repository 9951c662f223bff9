"""When instruments trade, as contract details tell it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from resources.gateway.instruments.database import Instrument
from resources.gateway.wire.times import EXCHANGE_ZONE

DAYS = 6
"""Days that are told, the first included."""
_EVENING = timedelta(days=-1)

Session = Callable[[date], tuple[datetime, datetime] | None]
"""Opening and close of a day's session; None: there is none."""


class TradingHours(NamedTuple):
    """Zone, and the hours of all and of regular trading: ``YYYYMMDD:HHMM-YYYYMMDD:HHMM;YYYYMMDD:CLOSED``."""

    zone: str
    all: str
    regular: str


def trading_hours(instrument: Instrument, today: date, session: Session) -> TradingHours:
    """Hours of an instrument from a day on.

    Stocks, options and indices trade in their exchange's sessions, stocks also from four in the morning to
    eight in the evening; futures and currencies from the evening before, coins always.
    """
    days = [today + timedelta(days=number) for number in range(DAYS)]
    if instrument.sec_type == "CRYPTO":
        whole = ";".join(_span(day, time(0), day, time(23, 59)) for day in days)
        return TradingHours(EXCHANGE_ZONE, whole, whole)
    if instrument.sec_type in {"FUT", "CASH"}:
        zone, opens, closes = _AROUND_THE_CLOCK[instrument.sec_type]
        text = ";".join(_weekday(day, opens, closes) for day in days)
        return TradingHours(zone, text, text)
    regular = [_regular(day, session(day)) for day in days]
    if instrument.sec_type != "STK":
        return TradingHours(EXCHANGE_ZONE, ";".join(regular), ";".join(regular))
    extended = [
        text if text.endswith("CLOSED") else _span(day, time(4), day, time(20))
        for day, text in zip(days, regular, strict=True)
    ]
    return TradingHours(EXCHANGE_ZONE, ";".join(extended), ";".join(regular))


_AROUND_THE_CLOCK = {
    "FUT": ("US/Central", time(17), time(16)),
    "CASH": (EXCHANGE_ZONE, time(17, 15), time(17)),
}


@lru_cache(1024)
def _regular(day: date, hours: tuple[datetime, datetime] | None) -> str:
    if hours is None:
        return f"{day:%Y%m%d}:CLOSED"
    opens, closes = (moment.astimezone(ZoneInfo(EXCHANGE_ZONE)) for moment in hours)
    return _span(opens.date(), opens.time(), closes.date(), closes.time())


def _weekday(day: date, opens: time, closes: time) -> str:
    if day.weekday() >= 5:
        return f"{day:%Y%m%d}:CLOSED"
    return _span(day + _EVENING, opens, day, closes)


@lru_cache(1024)
def _span(first: date, opens: time, last: date, closes: time) -> str:
    return f"{first:%Y%m%d}:{opens:%H%M}-{last:%Y%m%d}:{closes:%H%M}"
