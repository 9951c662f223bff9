"""Symbols of the desk and contracts of the protocol, both ways."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ib_async import Contract, Crypto, Forex, Option, Stock

from resources.brokers.base import Instrument
from resources.brokers.contracts import Names, contract_of, order_of, side_of, to_tick
from resources.gateway.instruments.database import Instruments
from trading.placement import Part

from .world import entry

CONTRACTS: dict[str, tuple[Instrument, Contract]] = {
    "stock": (Instrument("AAPL", "AAPL", "stock", exchange="XNAS"), Stock("AAPL", "SMART", "USD", primaryExchange="NASDAQ")),
    "renamed stock": (Instrument("FB.1", "META", "stock", exchange="XNAS"), Stock("META", "SMART", "USD", primaryExchange="NASDAQ")),
    "stock of New York": (Instrument("IBM", "IBM", "stock", exchange="XNYS"), Stock("IBM", "SMART", "USD", primaryExchange="NYSE")),
    "stock of London": (Instrument("VOD", "VOD", "stock", "GBP", "XLON"), Stock("VOD", "SMART", "GBP", primaryExchange="LSE")),
    "stock of nowhere in particular": (Instrument("X", "X", "stock", exchange="????"), Stock("X", "SMART", "USD")),
    "etf": (Instrument("SPY", "SPY", "etf", exchange="ARCX"), Stock("SPY", "SMART", "USD", primaryExchange="ARCA")),
    "pair": (Instrument("EURUSD", "EURUSD", "fx"), Forex("EURUSD")),
    "pair with a dot": (Instrument("EUR.CHF", "EUR.CHF", "fx", "CHF"), Forex("EURCHF")),
    "coin": (Instrument("BTC-USD", "BTC-USD", "crypto"), Crypto("BTC", "PAXOS", "USD")),
    "coin, one word": (Instrument("ETHUSD", "ETHUSD", "crypto"), Crypto("ETH", "PAXOS", "USD")),
    "call": (Instrument("AAPL  240216C00102500", "AAPL", "option"), Option("AAPL", "20240216", 102.5, "C", "SMART", currency="USD")),
    "put": (Instrument("SPY240216P00400000", "SPY", "option"), Option("SPY", "20240216", 400.0, "P", "SMART", currency="USD")),
    "option of another name": (Instrument("odd", "odd", "option"), Contract(secType="OPT", localSymbol="odd", exchange="SMART")),
    "future": (
        Instrument("ESH4", "ESH4", "future", exchange="XCME", multiplier=50), Contract(secType="FUT", localSymbol="ESH4", exchange="CME", currency="USD"),
    ),
    "index": (
        Instrument("SPX", "SPX", "index", exchange="XCBO"), Contract(secType="IND", localSymbol="SPX", exchange="CBOE", currency="USD"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTRACTS)
def test_what_the_broker_is_asked_for(name: str) -> None:
    instrument, expected = CONTRACTS[name]
    assert contract_of(instrument) == expected


@pytest.mark.parametrize(
    "name", [name for name in CONTRACTS if name not in {"option of another name", "stock of London"}]
)
def test_the_gateway_finds_what_is_asked_for_and_its_name_leads_back(name: str) -> None:
    instrument, _ = CONTRACTS[name]
    known = Instruments()
    for symbol in ("AAPL", "SPY") if instrument.asset_class == "option" else ():
        known.add({"symbol": symbol, "asset_class": "stock", "exchange": "XNAS"})
    stray = known.add({"symbol": "ES stock", "ticker": "ESH4", "asset_class": "stock", "exchange": "XNYS"})
    row = {field: getattr(instrument, field) for field in Instrument._fields}
    added = known.add(row)
    wanted = contract_of(instrument)
    fields = {
        "symbol": wanted.symbol, "secType": wanted.secType, "lastTradeDate": wanted.lastTradeDateOrContractMonth,
        "strike": wanted.strike, "right": wanted.right, "exchange": wanted.exchange, "currency": wanted.currency,
        "localSymbol": wanted.localSymbol, "primaryExchange": wanted.primaryExchange,
    }  # fmt: skip
    assert known.find(fields) == [added]
    assert name != "future" or added is not stray, "a stock may have the ticker of a future"
    told = added.contract()
    reported = Contract(
        secType=told["secType"], symbol=told["symbol"], currency=told["currency"], localSymbol=told["localSymbol"],
    )  # fmt: skip
    names = Names({instrument.symbol: instrument})
    unlearned = names.symbol(reported)
    names.learn(7, instrument.symbol)
    reported.conId = 7
    assert names.symbol(reported) == instrument.symbol
    if name not in {"coin, one word", "pair with a dot", "pair"}:
        assert unlearned == instrument.symbol


def test_the_name_of_what_the_desk_does_not_know_is_the_broker_s() -> None:
    names = Names({})
    assert names.symbol(Contract(secType="STK", symbol="ABC", localSymbol="ABC")) == "ABC"
    option = Contract(secType="OPT", symbol="ABC", localSymbol="ABC   240216C00102500")
    assert names.symbol(option) == "ABC   240216C00102500"


def test_options_of_one_underlying_are_told_apart_whatever_the_padding_of_their_names() -> None:
    known = {
        symbol: Instrument(symbol, "AAPL", "option")
        for symbol in ("AAPL  240216C00102500", "AAPL240216P00102500")
    }
    names = Names(known)
    for local, symbol in (
        ("AAPL  240216C00102500", "AAPL  240216C00102500"),
        ("AAPL  240216P00102500", "AAPL240216P00102500"),
        ("AAPL240216C00105000", "AAPL  240216C00105000"),
    ):
        assert names.symbol(Contract(secType="OPT", symbol="AAPL", localSymbol=local)) == symbol


@given(
    st.floats(0.0001, 1e6, allow_nan=False), st.sampled_from([0.01, 0.00005, 0.25, 0.1, 0.0001, 1.0, 0.05])
)
def test_a_price_on_its_step_is_the_nearest_and_stays_there(price: float, tick: float) -> None:
    rounded = to_tick(price, tick)
    assert abs(rounded - price) <= tick / 2 + 1e-9
    assert to_tick(rounded, tick) == rounded
    assert rounded == pytest.approx(round(rounded / tick) * tick, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "side"), [("BUY", "BUY"), ("BOT", "BUY"), ("SELL", "SELL"), ("SLD", "SELL")]
)
def test_sides(text: str, side: str) -> None:
    assert side_of(text) == side


ORDERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "market": ({}, {"orderType": "MKT", "lmtPrice": None, "auxPrice": None}),
    "on close": ({"order_type": "market_on_close"}, {"orderType": "MOC"}),
    "limit": ({"order_type": "limit", "limit_price": 99.994}, {"orderType": "LMT", "lmtPrice": 99.99}),
    "limit of nothing": ({"order_type": "limit", "limit_price": 0.0}, {"lmtPrice": 0.0}),
    "stop": ({"order_type": "stop", "stop_price": 95.006}, {"orderType": "STP", "auxPrice": 95.01, "lmtPrice": None}),
    "stop limit": (
        {"order_type": "stop_limit", "stop_price": 95.0, "limit_price": 94.0},
        {"orderType": "STP LMT", "auxPrice": 95.0, "lmtPrice": 94.0},
    ),
    "trail": (
        {"order_type": "trailing_stop", "trail_percent": 0.075}, {"orderType": "TRAIL", "trailingPercent": 7.5, "auxPrice": None},
    ),
    "trail with a first stop": (
        {"order_type": "trailing_stop", "trail_percent": 0.05, "stop_price": 90.001}, {"trailStopPrice": 90.0},
    ),
    "good till a day": (
        {"time_in_force": "gtd", "good_till": date(2026, 12, 1)}, {"tif": "GTD", "goodTillDate": "20261201 23:59:59 UTC"},
    ),
    "group": ({"oca_group": "OX"}, {"ocaGroup": "OX", "ocaType": 2}),
    "no group": ({}, {"ocaGroup": "", "ocaType": 0}),
}  # fmt: skip


@pytest.mark.parametrize("name", ORDERS)
def test_how_an_order_is_sent(name: str) -> None:
    changes, expected = ORDERS[name]
    order = order_of(entry("DREF", **changes), Part("DREF", 7, 6, transmit=False), "DU1", 0.01)
    unset = 1.7976931348623157e308
    found = {field: getattr(order, field) for field in expected}
    assert {field: None if value == unset else value for field, value in found.items()} == expected
    assert (order.orderId, order.parentId, order.transmit, order.orderRef) == (7, 6, False, "DREF")
    assert (order.account, order.outsideRth, order.totalQuantity) == ("DU1", False, 10.0)
    assert order.tif in {"DAY", "GTC", "GTD"}, "always named"


@pytest.mark.parametrize("tif", ["day", "gtc", "gtd", "opg", "ioc", "fok"])
def test_the_time_in_force_is_always_named(tif: Any) -> None:
    assert (
        order_of(entry("D", time_in_force=tif), Part("D", 1, None, transmit=True), "DU1", 0.01).tif
        == tif.upper()
    )


def test_a_part_may_be_smaller_than_the_order() -> None:
    assert (
        order_of(entry("D"), Part("D", 1, None, transmit=True, quantity=4.0), "DU1", 0.01).totalQuantity
        == 4.0
    )
