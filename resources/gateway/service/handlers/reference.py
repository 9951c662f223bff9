"""Requests about contracts and about the gateway itself."""

from __future__ import annotations

from resources.gateway.instruments.blackscholes import chain_terms
from resources.gateway.instruments.database import Instrument
from resources.gateway.instruments.hours import TradingHours, trading_hours
from resources.gateway.service.handlers.registry import handles
from resources.gateway.service.hub import Hub
from resources.gateway.service.session import Session
from resources.gateway.wire.layout.fields import Values

ORDER_TYPES = (
    "ACTIVETIM,AD,ADDONT,ADJUST,ALERT,ALGO,ALLOC,AVGCOST,BASKET,COND,CONDORDER,DAY,DEACT,FOK,GAT,GTC,GTD,GTT,"
    "IOC,LIT,LMT,LOC,MIDPX,MIT,MKT,MOC,MTL,NGCOMB,OCA,OPG,PEGBENCH,REL,SNAPMID,SNAPMKT,SNAPREL,STP,STPLMT,"
    "TRAIL,TRAILLIT,TRAILLMT,TRAILMIT,WHATIF"
)
_RULES = {0.01: 26, 0.00005: 239, 0.25: 67}
_RULE_UNIT = 1e-6
"""Rules of other price steps are numbered by the step in millionths, above a thousand."""


@handles("reqCurrentTime")
def current_time(hub: Hub, session: Session, values: Values) -> None:
    """Tell the gateway's time in seconds."""
    del values
    session.send("currentTime", time=int(hub.broker.clock.now().timestamp()))


@handles("reqContractDetails")
def contract_details(hub: Hub, session: Session, values: Values) -> None:
    """Tell every contract that the given fields may mean."""
    hub.know_options(values)
    found = hub.broker.instruments.find(values)
    if not found:
        session.error(values["reqId"], 200, "No security definition has been found for the request")
        return
    for instrument in found:
        hours = trading_hours(instrument, hub.broker.clock.now().date(), hub.tape.session_of)
        session.send("contractDetails", details(instrument, hours), reqId=values["reqId"])
    session.send("contractDetailsEnd", reqId=values["reqId"])


@handles("reqMatchingSymbols")
def matching_symbols(hub: Hub, session: Session, values: Values) -> None:
    """Tell instruments whose ticker or name starts with a pattern."""
    samples = [
        {
            **entry.contract(),
            "derivatives": ["OPT"] if entry.sec_type == "STK" else [],
            "description": entry.long_name,
            "issuerId": "",
        }
        for entry in hub.broker.instruments.matching(values["pattern"])
    ]
    session.send("symbolSamples", reqId=values["reqId"], samples=samples)


@handles("reqSecDefOptParams")
def option_parameters(hub: Hub, session: Session, values: Values) -> None:
    """Tell expiries and strikes of the options on an instrument."""
    underlying = hub.broker.instruments.by_id(values["conId"] or 0)
    if underlying is None:
        session.error(values["reqId"], 200, "No security definition has been found for the request")
        return
    known = hub.broker.instruments.options(underlying.con_id)
    expiries = sorted({entry.last_trade_date for entry in known})
    strikes = sorted({entry.strike for entry in known})
    if not known:
        terms = chain_terms(
            underlying.ticker, hub.broker.quotes.price(underlying), hub.broker.clock.now().date()
        )
        expiries = sorted({f"{entry.expiry:%Y%m%d}" for entry in terms})
        strikes = sorted({entry.strike for entry in terms})
    for exchange in ("SMART", "CBOE") if strikes else ():
        session.send(
            "securityDefinitionOptionParameter",
            reqId=values["reqId"],
            exchange=exchange,
            underConId=underlying.con_id,
            tradingClass=underlying.ticker,
            multiplier="100",
            expirations=expiries,
            strikes=strikes,
        )
    session.send("securityDefinitionOptionParameterEnd", reqId=values["reqId"])


@handles("reqMarketRule")
def market_rule(hub: Hub, session: Session, values: Values) -> None:
    """Tell the price increments of a rule."""
    number = values["ruleId"] or 0
    steps = {entry.min_tick for entry in hub.broker.instruments.all()} | set(_RULES)
    step = next((step for step in steps if rule_of(step) == number), None)
    if step is None:
        session.error(-1, 321, f"Error validating request.-'cq' : cause - Unknown market rule {number}.")
        return
    session.send("marketRule", ruleId=number, increments=[{"lowEdge": 0.0, "increment": step}])


@handles("reqMktDepthExchanges")
def depth_exchanges(hub: Hub, session: Session, values: Values) -> None:
    """Tell where market depth is to be had."""
    del hub, values
    rows = [
        {"exchange": name, "secType": "STK", "listingExchange": "", "service": "Deep2", "aggGroup": None}
        for name in ("ISLAND", "ARCA", "NYSE")
    ]
    session.send("mktDepthExchanges", rows=[{**row, "aggGroup": 2147483647} for row in rows])


@handles("reqSmartComponents")
def smart_components(hub: Hub, session: Session, values: Values) -> None:
    """Tell the exchanges behind the letters of a composite quote."""
    del hub
    components = [
        {"bit": number, "exchange": name, "letter": name[0]}
        for number, name in enumerate(("ISLAND", "ARCA", "NYSE"))
    ]
    session.send("smartComponents", reqId=values["reqId"], components=components)


@handles("reqFamilyCodes")
def family_codes(hub: Hub, session: Session, values: Values) -> None:
    """Tell account families: the simulated account is in none."""
    del hub, values
    session.send("familyCodes", codes=[{"account": "*", "code": ""}])


@handles("reqSoftDollarTiers")
def soft_dollar_tiers(hub: Hub, session: Session, values: Values) -> None:
    """Tell soft dollar tiers: there are none."""
    del hub
    session.send("softDollarTiers", reqId=values["reqId"], tiers=[])


@handles("reqUserInfo")
def user_info(hub: Hub, session: Session, values: Values) -> None:
    """Tell the white-branding id: there is none."""
    del hub
    session.send("userInfo", reqId=values["reqId"], brand="")


@handles("queryDisplayGroups")
def display_groups(hub: Hub, session: Session, values: Values) -> None:
    """Tell display groups: there is no display."""
    del hub
    session.send("displayGroupList", reqId=values["reqId"], groups="")


@handles(
    "setServerLogLevel",
    "subscribeToGroupEvents",
    "updateDisplayGroup",
    "unsubscribeFromGroupEvents",
    "cancelHeadTimeStamp",
    "cancelHistogramData",
    "cancelFundamentalData",
    "cancelWshMetaData",
    "cancelWshEventData",
    "cancelCalculateImpliedVolatility",
    "cancelCalculateOptionPrice",
)
def nothing_to_do(hub: Hub, session: Session, values: Values) -> None:
    """Take a request that needs no answer."""
    del hub, session, values


@handles("reqFundamentalData", "reqWshMetaData", "reqWshEventData")
def no_subscription(hub: Hub, session: Session, values: Values) -> None:
    """Refuse data that needs a subscription."""
    del hub
    session.error(values["reqId"], 10358, "Fundamentals data is not allowed")


def rule_of(step: float) -> int:
    """Number of the market rule of a price step."""
    return _RULES.get(step) or 1000 + round(step / _RULE_UNIT)


def details(instrument: Instrument, hours: TradingHours) -> Values:
    """Values of a contractDetails message."""
    fractional = instrument.sec_type in {"STK", "CRYPTO", "CASH"}
    rule = rule_of(instrument.min_tick)
    exchanges = ",".join(
        dict.fromkeys(name for name in (instrument.exchange, instrument.primary_exchange) if name)
    )
    return {
        **instrument.contract(),
        "marketName": instrument.trading_class,
        "minTick": instrument.min_tick,
        "orderTypes": ORDER_TYPES,
        "validExchanges": exchanges,
        "priceMagnifier": 1,
        "underConId": instrument.under_con_id,
        "longName": instrument.long_name.encode("unicode_escape").decode(),
        "contractMonth": instrument.last_trade_date[:6],
        "industry": instrument.industry,
        "category": "",
        "subcategory": "",
        "timeZone": hours.zone,
        "tradingHours": hours.all,
        "liquidHours": hours.regular,
        "evRule": "",
        "evMultiplier": 0,
        "secIds": [],
        "aggGroup": 1,
        "underSymbol": instrument.under_symbol,
        "underSecType": "STK" if instrument.sec_type == "OPT" else "",
        "marketRuleIds": ",".join([str(rule)] * (exchanges.count(",") + 1)),
        "realExpiry": instrument.last_trade_date,
        "stockType": {"stock": "COMMON", "etf": "ETF"}.get(instrument.asset_class, ""),
        "minSize": 0.0001 if fractional else 1,
        "sizeIncrement": 0.0001 if fractional else 1,
        "suggestedSizeIncrement": 100 if instrument.sec_type == "STK" else 1,
    }
