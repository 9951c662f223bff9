"""Requests for past data: bars, ticks, schedules, scanners."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from resources.gateway.instruments.database import Instrument
from resources.gateway.market.history import SIZES, PastBar, interval_start, past_bars, shown_bars
from resources.gateway.market.prices import TimedBar
from resources.gateway.market.quotes import Quote
from resources.gateway.orders.placing import resolve
from resources.gateway.service.handlers.registry import handles
from resources.gateway.service.hub import Hub
from resources.gateway.service.pacing import historical_violation
from resources.gateway.service.session import Session
from resources.gateway.wire.layout.fields import Values
from resources.gateway.wire.times import EXCHANGE_ZONE, TimeSpellingError, read_time, spell_time
from trading.orders import Bar
from trading.resampling import SPANS

_UNITS = {
    "S": timedelta(seconds=1),
    "D": timedelta(days=1),
    "W": timedelta(weeks=1),
    "M": timedelta(days=30.4375),
    "Y": timedelta(days=365.25),
}
_DAY = timedelta(days=1)
_EVER = datetime.min.replace(tzinfo=UTC) + timedelta(days=366)
_PERIOD = re.compile(r"(\d{1,4}) (day|week|month)s?", re.ASCII)
_SESSIONS = {"day": 1, "week": 5, "month": 21}
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
        "OPTION_IMPLIED_VOLATILITY",
        "AGGTRADES",
        "SCHEDULE",
    }
)
_LIVE_ONLY = "an end date is not supported"
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
    what, size = values["whatToShow"], SIZES[values["barSize"]]
    if instrument.sec_type == "CRYPTO" and what == "TRADES":
        session.error(number, 10299, "Expected what to show is AGGTRADES, please use that instead of TRADES.")
        return
    found = past_bars(hub.tape, instrument, size, first, last, regular=bool(values["useRth"]))
    bars = shown_bars(hub.tape, instrument, found, what, hub.broker.clock.now().date())
    foreign = (instrument.sec_type == "CASH" and what == "TRADES") or (
        instrument.sec_type != "CRYPTO" and what == "AGGTRADES"
    )
    if foreign or (not bars and not values["keepUpToDate"]):
        session.error(number, 162, f"{_NO_DATA}{instrument.ticker}@{instrument.exchange} {what}")
        return
    style = values["formatDate"] or 1
    session.send(
        "historicalData",
        reqId=number,
        start=spell_time(first, "bare"),
        end=spell_time(last, "bare"),
        bars=[bar_values(entry, style, size) for entry in bars],
    )
    if values["keepUpToDate"]:
        kept = {"symbol": instrument.symbol, "size": size, "style": style, "what": what}
        session.streams["history", number] = {**kept, "forming": None}


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
        str(int(first.starts_at.timestamp()))
        if values["formatDate"] == 2
        else spell_time(first.starts_at, "utc")
    )
    session.send("headTimestamp", reqId=values["reqId"], time=stamp)


@handles("reqHistogramData")
def histogram(hub: Hub, session: Session, values: Values) -> None:
    """Tell how much traded at which price in the last days, weeks or months that have bars."""
    number = values["reqId"]
    instrument = resolve(hub.broker, values)
    period = _PERIOD.fullmatch(values["period"])
    if instrument is None:
        session.error(number, 200, "No security definition has been found for the request")
        return
    if period is None:
        session.error(
            number, 321, f"Error validating request.-'bV' : cause - invalid period {values['period']!r}"
        )
        return
    counts: dict[float, float] = {}
    known = hub.tape.bars(instrument.symbol, "1d", _EVER, hub.broker.clock.now())
    for entry in known[-int(period[1]) * _SESSIONS[period[2]] :]:
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
        first = read_time(values["start"], now) if values["start"] else _EVER
        last = read_time(values["end"], now) if values["end"] else now
    except TimeSpellingError as error:
        session.error(number, 321, f"Error validating request.-'bS' : cause - {error}")
        return
    if values["whatToShow"] not in _TICKS:
        what = values["whatToShow"]
        session.error(
            number, 321, f"Error validating request.-'bS' : cause - what to show {what} is not known"
        )
        return
    frames = hub.tape.timeframes(instrument.symbol)
    bars = hub.tape.bars(instrument.symbol, frames[0], first, last) if frames else []
    count = values["count"] or 1000
    chosen = bars[:count] if values["start"] else bars[-count:]
    name, spell = _TICKS[values["whatToShow"]]
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
    """Tell the instruments that lead a scan, and again whenever others do."""
    number = values["reqId"]
    if values["scanCode"] not in _SCANS:
        session.error(
            number,
            162,
            f"Historical Market Data Service error message:Scan code {values['scanCode']} is not supported",
        )
        return
    session.streams["scanner", number] = {"scan": values, "told": None}
    push_scans(hub, session)


def push_scans(hub: Hub, session: Session) -> None:
    """Tell a client the scans whose ranking is not the one told last."""
    for (kind, number), kept in list(session.streams.items()):
        if kind == "scanner":
            rows = _ranking(hub, kept["scan"])
            if rows != kept["told"]:
                kept["told"] = rows
                session.send("scannerData", reqId=number, rows=rows)


def _ranking(hub: Hub, values: Values) -> list[Values]:
    measure = _SCANS[values["scanCode"]]
    ranked = sorted(_scannable(hub, values), key=lambda entry: -measure(hub, entry))
    return [
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


@handles("cancelScannerSubscription")
def cancel_scanner(hub: Hub, session: Session, values: Values) -> None:
    """End a scan."""
    del hub
    session.streams.pop(("scanner", values["reqId"]), None)


def bar_values(entry: PastBar, style: int, size: timedelta) -> Values:
    """Values of one bar; the date is a day, or the start of the bar in seconds or in words."""
    if size >= _DAY:
        stamp = f"{entry.session:%Y%m%d}"
    else:
        stamp = str(int(entry.starts_at.timestamp())) if style == 2 else spell_time(entry.starts_at)
    bar = entry.bar
    if bar.volume < 0:  # quotes and volatilities: nothing was traded
        return {"date": stamp, **bar._asdict(), "average": -1.0, "count": -1}
    average = (bar.high + bar.low + bar.close) / 3
    return {"date": stamp, **bar._asdict(), "average": average, "count": 1}


def push_bars(hub: Hub, session: Session, symbol: str) -> None:
    """Tell a client the newest bar of a symbol that it is kept up to date on, or the one that forms."""
    instrument = hub.broker.instruments.by_symbol(symbol)
    for (kind, number), kept in list(session.streams.items()):
        if kind != "history" or kept["symbol"] != symbol or instrument is None:
            continue
        size, now = kept["size"], hub.broker.clock.now()
        quote = hub.broker.quotes.get(symbol)
        known = past_bars(hub.tape, instrument, size, now - size * 10, now)
        if quote is None or (known and known[-1].closes_at >= quote.at):
            newest = known[-1:]
        else:
            kept["forming"] = _forming(quote, kept["forming"], size)
            newest = [kept["forming"]]
        for bar in shown_bars(hub.tape, instrument, newest, kept["what"], now.date()):
            session.send("historicalDataUpdate", bar_values(bar, kept["style"], size), reqId=number)


def _forming(quote: Quote, before: PastBar | None, size: timedelta) -> PastBar:
    """Bar that a price belongs to, as far as it has come: what it had before, and that price."""
    start = interval_start(quote.at, size)
    session, last = start.date(), quote.last
    if size >= _DAY:
        bar = Bar(quote.open, quote.high, quote.low, last, quote.volume)
    elif before is None or before.starts_at != start:
        bar = Bar(last, last, last, last, quote.size)
    else:
        so_far = before.bar
        bar = Bar(
            so_far.open, max(so_far.high, last), min(so_far.low, last), last, so_far.volume + quote.size
        )
    return PastBar(start, start + size, session, bar)


def _range(values: Values, now: datetime) -> tuple[datetime, datetime]:
    if values["whatToShow"] not in _SHOWN:
        raise ValueError(f"what to show {values['whatToShow']} is not known")
    if values["barSize"] not in SIZES:
        raise ValueError(f"Historical data bar size setting is invalid: {values['barSize']}")
    match = _DURATION.fullmatch(values["duration"])
    if match is None:
        raise ValueError(f"Historical data duration {values['duration']!r} is invalid")
    if values["end"] and (values["keepUpToDate"] or values["whatToShow"] == "ADJUSTED_LAST"):
        raise ValueError(f"{_LIVE_ONLY} for {values['whatToShow']} that is kept up to date or adjusted")
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


def _first_bar(hub: Hub, instrument: Instrument) -> PastBar | None:
    now = hub.broker.clock.now()
    frames = hub.tape.timeframes(instrument.symbol)
    known = [past_bars(hub.tape, instrument, SPANS[frame], _EVER, now)[:1] for frame in frames]
    return min((bar for bars in known for bar in bars), default=None)


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
