"""Requests for streaming market data: ticks, depth, real-time bars, tick by tick."""

from __future__ import annotations

from collections.abc import Sequence

from resources.gateway.instruments.blackscholes import (
    VOLATILITY,
    implied_volatility,
    option_greeks,
    years_to,
)
from resources.gateway.instruments.database import Instrument
from resources.gateway.market.generic_ticks import LEGAL, MOVING, OF_OPTIONS, generic_ticks
from resources.gateway.orders.placing import resolve
from resources.gateway.service.handlers.registry import handles
from resources.gateway.service.hub import Hub
from resources.gateway.service.session import Session
from resources.gateway.wire.layout.fields import Values
from resources.gateway.wire.layout.replies import TICK_BY_TICK
from trading.option_symbols import option_terms

MAX_LINES = 100
MAX_ROWS = 20
MAX_DEPTHS = 3
_BAR_SECONDS = 5
_BAR_SHOWS = frozenset({"TRADES", "MIDPOINT", "BID", "ASK"})
_SIZE = 100
_MODEL = 13
"""Tick type of the greeks that the gateway's model gives, whatever is quoted."""
_DELAYED = {1: 66, 2: 67, 4: 68, 6: 72, 7: 73, 9: 75, 14: 76}
_DELAYED_SIZES = {0: 69, 3: 70, 5: 71, 8: 74}
_NO_DEFINITION = (200, "No security definition has been found for the request")


@handles("reqMarketDataType")
def market_data_type(hub: Hub, session: Session, values: Values) -> None:
    """Choose live (1), frozen (2), delayed (3) or delayed frozen (4) data."""
    del hub
    session.market_data_type = values["marketDataType"] or 1


@handles("reqMktData")
def market_data(hub: Hub, session: Session, values: Values) -> None:
    """Tell quotes of a contract once or from now on."""
    number = values["reqId"]
    hub.know_options(values)
    instrument = resolve(hub.broker, values)
    if instrument is None:
        session.error(number, *_NO_DEFINITION)
        return
    if sum(kind == "mktData" for kind, _ in session.streams) >= MAX_LINES:
        session.error(number, 101, "Max number of tickers has been reached")
        return
    generic = [name for name in values["genericTicks"].replace(" ", "").split(",") if name]
    refusal = _refuse_generic(generic, snapshot=values["snapshot"] or values["regulatorySnapshot"])
    if refusal:
        session.error(number, 321, f"Error validating request.-'bQ' : cause - {refusal}")
        return
    session.send("marketDataType", reqId=number, marketDataType=session.market_data_type)
    session.send(
        "tickReqParams",
        reqId=number,
        minTick=instrument.min_tick,
        bboExchange="9c0001",
        snapshotPermissions=3,
    )
    send_quote(hub, session, number, instrument)
    _send_generic(hub, session, number, instrument, generic)
    if values["snapshot"] or values["regulatorySnapshot"]:
        session.send("tickSnapshotEnd", reqId=number)
    else:
        session.streams["mktData", number] = {"symbol": instrument.symbol, "generic": generic}


@handles("reqMktDepth")
def market_depth(hub: Hub, session: Session, values: Values) -> None:
    """Tell the levels of a made-up book around the quote."""
    number = values["reqId"]
    instrument = resolve(hub.broker, values)
    if instrument is None:
        session.error(number, *_NO_DEFINITION)
        return
    if sum(kind == "depth" for kind, _ in session.streams) >= MAX_DEPTHS:
        session.error(number, 309, f"Max number ({MAX_DEPTHS}) of market depth requests has been reached")
        return
    smart = bool(values["smartDepth"])
    rows = min(max(values["rows"] or 5, 1), MAX_ROWS)
    session.streams["depth", number] = {
        "symbol": instrument.symbol,
        "rows": rows,
        "smart": smart,
    }
    send_depth(hub, session, number, session.streams["depth", number], operation=0)


@handles("reqRealTimeBars")
def real_time_bars(hub: Hub, session: Session, values: Values) -> None:
    """Tell a bar of five seconds for every price from now on."""
    instrument = resolve(hub.broker, values)
    if instrument is None:
        session.error(values["reqId"], *_NO_DEFINITION)
        return
    if values["barSize"] != _BAR_SECONDS or values["whatToShow"] not in _BAR_SHOWS:
        text = f"bars of {values['barSize']} seconds of {values['whatToShow']} are not to be had in real time"
        session.error(values["reqId"], 321, f"Error validating request.-'bJ' : cause - {text}")
        return
    session.streams["realtimeBars", values["reqId"]] = {"symbol": instrument.symbol}


@handles("reqTickByTickData")
def tick_by_tick(hub: Hub, session: Session, values: Values) -> None:
    """Tell every single tick from now on."""
    instrument = resolve(hub.broker, values)
    if instrument is None:
        session.error(values["reqId"], *_NO_DEFINITION)
    elif values["tickType"] not in TICK_BY_TICK:
        session.error(values["reqId"], 10189, f"Failed to request tick-by-tick data: {values['tickType']}")
    else:
        kept = {"symbol": instrument.symbol, "tickType": values["tickType"]}
        session.streams["tickByTick", values["reqId"]] = kept


@handles("cancelMktData", "cancelMktDepth", "cancelRealTimeBars", "cancelTickByTickData")
def cancel_stream(hub: Hub, session: Session, values: Values) -> None:
    """End a subscription; say so when there is none."""
    del hub
    number = values["reqId"]
    kinds = ("mktData", "depth", "realtimeBars", "tickByTick")
    known = [kind for kind in kinds if session.streams.pop((kind, number), None) is not None]
    if not known:
        session.error(number, 300, f"Can't find EId with tickerId:{number}")


def push_quotes(hub: Hub, session: Session, symbol: str) -> None:
    """Tell a client what it listens to of a symbol whose price changed."""
    for (kind, number), values in list(session.streams.items()):
        if values.get("symbol") != symbol:
            continue
        if kind == "mktData":
            instrument = hub.broker.instruments.by_symbol(symbol)
            if instrument is not None:
                send_quote(hub, session, number, instrument)
                moving = [name for name in values["generic"] if name in MOVING]
                _send_generic(hub, session, number, instrument, moving)
        elif kind == "depth":
            send_depth(hub, session, number, values, operation=1)
        elif kind == "realtimeBars":
            _send_bar(hub, session, number, symbol)
        elif kind == "tickByTick":
            _send_tick(hub, session, number, symbol, values["tickType"])


def send_quote(hub: Hub, session: Session, number: int, instrument: Instrument) -> None:
    """Tell bid, offer, last and the day's figures of an instrument, and greeks of an option."""
    price = hub.price(instrument)
    if price is None:
        return
    delayed = session.market_data_type in {3, 4}
    quote = hub.broker.quotes.get(instrument.symbol)
    bid, ask = hub.bid_ask(instrument, price)
    ticks = [(1, bid, _SIZE), (2, ask, _SIZE), (4, price, (quote.size if quote else 0) or _SIZE)]
    if quote is not None:
        ticks += [(6, quote.high, 0), (7, quote.low, 0), (9, quote.previous_close, 0), (14, quote.open, 0)]
    for kind, value, size in ticks:
        code = _DELAYED[kind] if delayed else kind
        session.send("tickPrice", reqId=number, tickType=code, price=value, size=size, mask=0)
    for kind, size in ((0, _SIZE), (3, _SIZE), (5, _SIZE), (8, quote.volume if quote else 0)):
        code = _DELAYED_SIZES[kind] if delayed else kind
        session.send("tickSize", reqId=number, tickType=code, size=size)
    if quote is not None:
        stamp = 88 if delayed else 45
        session.send("tickString", reqId=number, tickType=stamp, value=str(int(quote.at.timestamp())))
    if instrument.sec_type == "OPT":
        _send_greeks(hub, session, number, instrument, (bid, ask, price))


def _refuse_generic(generic: Sequence[str], *, snapshot: bool) -> str:
    unknown = [name for name in generic if name.partition(":")[0] not in LEGAL]
    if unknown:
        legal = ",".join(sorted(LEGAL, key=lambda name: (len(name), name)))
        return f"Incorrect generic tick list of {','.join(unknown)}. Legal ones are: {legal}."
    if generic and snapshot:
        return "Snapshot market data subscription is not applicable to generic ticks."
    return ""


def _send_generic(
    hub: Hub, session: Session, number: int, instrument: Instrument, generic: Sequence[str]
) -> None:
    if not generic:
        return
    quotes, now = hub.broker.quotes, hub.broker.clock.now()
    options = hub.broker.instruments.options(instrument.con_id) if OF_OPTIONS & set(generic) else []
    of_options = [(option, quotes.get(option.symbol)) for option in options]
    quote = quotes.get(instrument.symbol)
    for tick in generic_ticks(hub.tape, instrument, quote, now, generic, of_options):
        name = {"tickPrice": "price", "tickSize": "size"}.get(tick.message, "value")
        further = {"size": 0, "mask": 0} if tick.message == "tickPrice" else {}
        session.send(tick.message, {**further, name: tick.value}, reqId=number, tickType=tick.kind)


def send_depth(hub: Hub, session: Session, number: int, values: Values, operation: int) -> None:
    """Tell every level of both sides."""
    instrument = hub.broker.instruments.by_symbol(values["symbol"])
    price = hub.price(instrument) if instrument else None
    if instrument is None or price is None:
        return
    bid, ask = hub.bid_ask(instrument, price)
    for position in range(values["rows"]):
        for side, best, sign in ((1, bid, -1), (0, ask, 1)):
            level = {
                "reqId": number,
                "position": position,
                "marketMaker": "ISLAND",
                "operation": operation,
                "side": side,
                "price": round(best + sign * position * instrument.min_tick, 8),
                "size": _SIZE * (position + 1),
                "smart": values["smart"],
            }
            session.send("updateMktDepthL2" if values["smart"] else "updateMktDepth", level)


def _send_greeks(
    hub: Hub, session: Session, number: int, instrument: Instrument, prices: tuple[float, float, float]
) -> None:
    terms = option_terms(instrument.local_symbol)
    owner = hub.broker.instruments.by_id(instrument.under_con_id)
    spot = hub.broker.quotes.price(owner) if owner else None
    if terms is None or spot is None:
        return
    spot *= instrument.deliverable
    years = years_to(terms.expiry, hub.broker.clock.now().date())
    delayed = 70 if session.market_data_type in {3, 4} else 0
    for kind, price in ((10, prices[0]), (11, prices[1]), (12, prices[2]), (_MODEL, prices[2])):
        volatility = implied_volatility(terms.right, spot, terms.strike, years, price)
        if kind == _MODEL:
            volatility = volatility or VOLATILITY
        greeks = option_greeks(terms.right, spot, terms.strike, years, volatility) if volatility else None
        session.send(
            "tickOptionComputation",
            reqId=number,
            tickType=kind + delayed,
            attribute=0,
            impliedVolatility=volatility if volatility else -1,
            delta=greeks.delta if greeks else -2,
            price=price,
            dividends=0,
            gamma=greeks.gamma if greeks else -2,
            vega=greeks.vega if greeks else -2,
            theta=greeks.theta if greeks else -2,
            underlyingPrice=spot,
        )


def _send_bar(hub: Hub, session: Session, number: int, symbol: str) -> None:
    quote = hub.broker.quotes.get(symbol)
    if quote is None:
        return
    price = quote.last
    session.send(
        "realtimeBar",
        reqId=number,
        time=int(quote.at.timestamp()),
        open=price,
        high=price,
        low=price,
        close=price,
        volume=quote.size,
        average=price,
        count=1,
    )


def _send_tick(hub: Hub, session: Session, number: int, symbol: str, kind: str) -> None:
    quote = hub.broker.quotes.get(symbol)
    instrument = hub.broker.instruments.by_symbol(symbol)
    if quote is None or instrument is None:
        return
    bid, ask = hub.bid_ask(instrument, quote.last)
    values = {
        "reqId": number,
        "tickType": {"Last": 1, "AllLast": 2, "BidAsk": 3, "MidPoint": 4}[kind],
        "time": int(quote.at.timestamp()),
        "price": quote.last,
        "size": quote.size,
        "mask": 0,
        "exchange": "ISLAND",
        "conditions": "",
        "bid": bid,
        "ask": ask,
        "bidSize": _SIZE,
        "askSize": _SIZE,
        "midpoint": (bid + ask) / 2,
    }
    session.send_message(TICK_BY_TICK[kind], values)
