"""Requests for past data: bars, ticks, schedules, scanners."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from resources.gateway.instruments.database import Instrument
from resources.gateway.market.prices import TimedBar
from resources.gateway.orders.placing import resolve
from resources.gateway.service.handlers.registry import handles
from resources.gateway.service.hub import Hub
from resources.gateway.service.pacing import historical_violation
from resources.gateway.service.session import Session
from resources.gateway.wire.layout.fields import Values
from resources.gateway.wire.times import EXCHANGE_ZONE, TimeSpellingError, read_time, spell_time
from trading.resampling import SPANS

_SIZES = {
    "1 min": "1m",
    "5 mins": "5m",
    "15 mins": "15m",
    "30 mins": "30m",
    "1 hour": "1h",
    "4 hours": "4h",
    "1 day": "1d",
    "1 week": "1w",
    "1W": "1w",
}
_UNITS = {
    "S": timedelta(seconds=1),
    "D": timedelta(days=1),
    "W": timedelta(weeks=1),
    "M": timedelta(days=30.4375),
    "Y": timedelta(days=365.25),
}
_DURATION = re.compile(r"(\d{1,6}) ([SDWMY])", re.ASCII)
_SHOWN = frozenset(
    {
        "TRADES",
        "MIDPOINT",
        "BID",
        "ASK",
        "BID_ASK",
        "ADJUSTED_LAST",
        "HISTORICAL_VOLATILITY",
        "AGGTRADES",
        "SCHEDULE",
    }
)
_NO_DATA = "Historical Market Data Service error message:HMDS query returned no data: "


@handles("reqHistoricalData")
def historical_data(hub: Hub, session: Session, values: Values) -> None:
    """Tell past bars, and their updates when the client wants to be kept up to date."""
    number = values["reqId"]
    instrument = resolve(hub.broker, values)
    if instrument is None:
        session.error(number, 200, "No security definition has been found for the request")
        return
    violation = historical_violation(session, values, time.monotonic()) if hub.settings.pacing else None
    if violation:
        session.error(number, 162, f"Historical Market Data Service error message:{violation}")
        return
    try:
        first, last = _range(values, hub.broker.clock.now())
    except (TimeSpellingError, ValueError, OverflowError) as error:
        session.error(number, 321, f"Error validating request.-'bO' : cause - {error}")
        return
    if values["whatToShow"] == "SCHEDULE":
        _schedule(hub, session, number, instrument, first, last)
        return
    bars = hub.tape.bars(instrument.symbol, _SIZES[values["barSize"]], first, last)
    if not bars and not values["keepUpToDate"]:
        session.error(
            number, 162, f"{_NO_DATA}{instrument.ticker}@{instrument.exchange} {values['whatToShow']}"
        )
        return
    daily = values["barSize"] in {"1 day", "1 week", "1W"}
    session.send(
        "historicalData",
        reqId=number,
        start=spell_time(first, "bare"),
        end=spell_time(last, "bare"),
        bars=[bar_values(entry, values["formatDate"] or 1, daily=daily) for entry in bars],
    )
    if values["keepUpToDate"]:
        session.streams["history", number] = {"symbol": instrument.symbol, "barSize": values["barSize"]}


@handles("cancelHistoricalData")
def cancel_historical_data(hub: Hub, session: Session, values: Values) -> None:
    """End the updates of bars; say so when there are none."""
    del hub
    if session.streams.pop(("history", values["reqId"]), None) is None:
        session.error(values["reqId"], 366, f"No historical data query found for ticker id:{values['reqId']}")


@handles("reqHeadTimeStamp")
def head_timestamp(hub: Hub, session: Session, values: Values) -> None:
    """Tell the time of the earliest bar."""
    instrument = resolve(hub.broker, values)
    first = _first_bar(hub, instrument) if instrument else None
    if first is None:
        session.error(values["reqId"], 162, f"{_NO_DATA}no head time stamp")
        return
    stamp = (
        str(int(first.closes_at.timestamp()))
        if values["formatDate"] == 2
        else spell_time(first.closes_at, "utc")
    )
    session.send("headTimestamp", reqId=values["reqId"], time=stamp)


@handles("reqHistogramData")
def histogram(hub: Hub, session: Session, values: Values) -> None:
    """Tell how much traded at which price."""
    instrument = resolve(hub.broker, values)
    counts: dict[float, float] = {}
    if instrument is not None:
        now = hub.broker.clock.now()
        for entry in hub.tape.bars(instrument.symbol, "1d", now - timedelta(days=30), now):
            price = round(entry.bar.close, 2)
            counts[price] = counts.get(price, 0.0) + entry.bar.volume
    bins = [{"price": price, "count": int(count)} for price, count in sorted(counts.items())]
    session.send("histogramData", reqId=values["reqId"], bins=bins)


@handles("reqHistoricalTicks")
def historical_ticks(hub: Hub, session: Session, values: Values) -> None:
    """Tell past ticks: the closes of the finest bars there are."""
    number = values["reqId"]
    instrument = resolve(hub.broker, values)
    if instrument is None:
        session.error(number, 200, "No security definition has been found for the request")
        return
    now = hub.broker.clock.now()
    try:
        first = read_time(values["start"], now) if values["start"] else datetime.min.replace(tzinfo=UTC)
        last = read_time(values["end"], now) if values["end"] else now
    except TimeSpellingError as error:
        session.error(number, 321, f"Error validating request.-'bS' : cause - {error}")
        return
    frames = hub.tape.timeframes(instrument.symbol)
    bars = hub.tape.bars(instrument.symbol, frames[0], first, last) if frames else []
    count = values["count"] or 1000
    chosen = bars[:count] if values["start"] else bars[-count:]
    name, spell = _TICKS.get(values["whatToShow"], _TICKS["MIDPOINT"])
    session.send(name, reqId=number, ticks=[spell(entry) for entry in chosen], done=True)


@handles("reqScannerParameters")
def scanner_parameters(hub: Hub, session: Session, values: Values) -> None:
    """Tell which scans there are."""
    del hub, values
    codes = "".join(f"<ScanType><scanCode>{code}</scanCode></ScanType>" for code in _SCANS)
    session.send(
        "scannerParameters",
        xml=f"<ScanParameterResponse><ScanTypeList>{codes}</ScanTypeList></ScanParameterResponse>",
    )


@handles("reqScannerSubscription")
def scanner(hub: Hub, session: Session, values: Values) -> None:
    """Tell the instruments that lead a scan."""
    number = values["reqId"]
    measure = _SCANS.get(values["scanCode"])
    if measure is None:
        session.error(
            number,
            162,
            f"Historical Market Data Service error message:Scan code {values['scanCode']} is not supported",
        )
        return
    ranked = sorted(_scannable(hub, values), key=lambda entry: -measure(hub, entry))
    rows = [
        {
            **entry.contract(),
            "rank": rank,
            "marketName": entry.trading_class,
            "distance": "",
            "benchmark": "",
            "projection": "",
            "legs": "",
        }
        for rank, entry in enumerate(ranked[: values["rows"] if (values["rows"] or -1) > 0 else 50])
    ]
    session.streams["scanner", number] = {}
    session.send("scannerData", reqId=number, rows=rows)


@handles("cancelScannerSubscription")
def cancel_scanner(hub: Hub, session: Session, values: Values) -> None:
    """End a scan."""
    del hub
    session.streams.pop(("scanner", values["reqId"]), None)


def bar_values(entry: TimedBar, style: int, *, daily: bool) -> Values:
    """Values of one bar; the date is a day, or the start of the bar in seconds or in words."""
    if daily:
        stamp = f"{entry.session:%Y%m%d}"
    else:
        stamp = str(int(entry.closes_at.timestamp())) if style == 2 else spell_time(entry.closes_at)
    bar = entry.bar
    average = (bar.high + bar.low + bar.close) / 3
    return {"date": stamp, **bar._asdict(), "average": average, "count": 1}


def push_bars(hub: Hub, session: Session, symbol: str) -> None:
    """Tell a client the newest bar of a symbol that it is kept up to date on."""
    for (kind, number), kept in list(session.streams.items()):
        if kind != "history" or kept["symbol"] != symbol:
            continue
        daily = kept["barSize"] in {"1 day", "1 week", "1W"}
        frame = _SIZES[kept["barSize"]]
        now = hub.broker.clock.now()
        bars = hub.tape.bars(symbol, frame, now - SPANS[frame] * 10, now)
        if bars:
            session.send("historicalDataUpdate", bar_values(bars[-1], 1, daily=daily), reqId=number)


def _range(values: Values, now: datetime) -> tuple[datetime, datetime]:
    if values["whatToShow"] not in _SHOWN:
        raise ValueError(f"what to show {values['whatToShow']} is not known")
    if values["barSize"] not in _SIZES:
        raise ValueError(f"Historical data bar size setting is invalid: {values['barSize']}")
    match = _DURATION.fullmatch(values["duration"])
    if match is None:
        raise ValueError(f"Historical data duration {values['duration']!r} is invalid")
    last = read_time(values["end"], now) if values["end"] else now
    return last - _UNITS[match[2]] * int(match[1]), last


def _schedule(
    hub: Hub, session: Session, number: int, instrument: Instrument, first: datetime, last: datetime
) -> None:
    days = [entry.session for entry in hub.tape.bars(instrument.symbol, "1d", first, last)]
    sessions = [_session_times(hub, instrument, day) for day in days]
    session.send(
        "historicalSchedule",
        reqId=number,
        start=spell_time(first, "utc"),
        end=spell_time(last, "utc"),
        timeZone=EXCHANGE_ZONE,
        sessions=sessions,
    )


def _session_times(hub: Hub, instrument: Instrument, day: date) -> Values:
    hours = hub.tape.hours(day, [instrument.symbol])
    return {
        "start": spell_time(hours.opens_at, "utc"),
        "end": spell_time(hours.closes_at, "utc"),
        "date": f"{day:%Y%m%d}",
    }


def _first_bar(hub: Hub, instrument: Instrument) -> TimedBar | None:
    earliest = [
        bars[0]
        for frame in hub.tape.timeframes(instrument.symbol)
        if (
            bars := hub.tape.bars(
                instrument.symbol, frame, datetime.min.replace(tzinfo=UTC), hub.broker.clock.now()
            )
        )
    ]
    return min(earliest, default=None)


def _scannable(hub: Hub, values: Values) -> list[Instrument]:
    wanted = {"STK": "STK", "ETF.EQ.US": "STK", "IND": "IND", "FUT.US": "FUT"}.get(
        values["instrument"], "STK"
    )
    found = []
    for entry in hub.broker.instruments.all():
        price = hub.broker.quotes.price(entry)
        quote = hub.broker.quotes.get(entry.symbol)
        if entry.sec_type != wanted or price is None or quote is None:
            continue
        above, below, volume = values["abovePrice"], values["belowPrice"], values["aboveVolume"]
        if (
            (above is None or price >= above)
            and (below is None or price <= below)
            and quote.volume >= (volume or 0)
        ):
            found.append(entry)
    return found


def _change(hub: Hub, instrument: Instrument) -> float:
    quote = hub.broker.quotes.get(instrument.symbol)
    return quote.last / quote.previous_close - 1.0 if quote else 0.0


def _volume(hub: Hub, instrument: Instrument) -> float:
    quote = hub.broker.quotes.get(instrument.symbol)
    return quote.volume if quote else 0.0


_SCANS: dict[str, Callable[[Hub, Instrument], float]] = {
    "TOP_PERC_GAIN": _change,
    "TOP_PERC_LOSE": lambda hub, instrument: -_change(hub, instrument),
    "MOST_ACTIVE": _volume,
    "HOT_BY_VOLUME": _volume,
}


def _mid(entry: TimedBar) -> Values:
    return {"time": int(entry.closes_at.timestamp()), "mask": 0, "price": entry.bar.close, "size": 0}


def _last(entry: TimedBar) -> Values:
    return {**_mid(entry), "size": entry.bar.volume, "exchange": "ISLAND", "conditions": ""}


def _bid_ask(entry: TimedBar) -> Values:
    close = entry.bar.close
    return {**_mid(entry), "bid": close, "ask": close, "bidSize": 100, "askSize": 100}


_TICKS: dict[str, tuple[str, Callable[[TimedBar], Values]]] = {
    "MIDPOINT": ("historicalTicks", _mid),
    "TRADES": ("historicalTicksLast", _last),
    "BID_ASK": ("historicalTicksBidAsk", _bid_ask),
}
