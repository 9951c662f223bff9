"""Data as it comes: ticks, snapshots, delayed data, depth, bars in real time, and what can be looked up."""

from __future__ import annotations

import asyncio
import math
import statistics
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ib_async import ScannerSubscription, Stock

from resources.brokers.base import Instrument as DeskInstrument
from resources.brokers.contracts import contract_of, exchange_of
from resources.contract_words import EXCHANGES

from .conftest import AAPL
from .wire import Floor, Wire, named

LIVE = {"bid": 1, "ask": 2, "last": 4, "high": 6, "low": 7, "close": 9, "open": 14}
DELAYED = {"bid": 66, "ask": 67, "last": 68, "high": 72, "low": 73, "close": 75, "open": 76}
GENERIC_BARS = ((26, 100.0, 1000), (27, 102.0, 2000), (28, 100.0, 1000), (29, 102.0, 2000))
"""Day of December 2023, close and volume."""
GENERIC_NOW = datetime(2024, 1, 2, 15, 0, tzinfo=UTC)
_RETURNS = [math.log(1.02), -math.log(1.02), math.log(1.02)]
VOLATILITY = statistics.stdev(_RETURNS) * math.sqrt(252)
VOLATILITY_NOW = statistics.stdev([*_RETURNS, math.log(100 / 102)]) * math.sqrt(252)
SIZES = {"bid": (0, 69), "ask": (3, 70), "last": (5, 71), "volume": (8, 74)}


@pytest.fixture
def client(floor: Floor) -> Wire:
    return floor.client()


def prices(client: Wire, number: int) -> dict[int, float]:
    """Last price of each tick type of a request."""
    return {row["tickType"]: row["price"] for row in client.all_of("tickPrice") if row["reqId"] == number}


def sizes(client: Wire, number: int) -> dict[int, float]:
    return {row["tickType"]: row["size"] for row in client.all_of("tickSize") if row["reqId"] == number}


def stream(client: Wire, name: str, symbol: str, **wanted: Any) -> int:
    number = client.request_id()
    client.ask(name, reqId=number, symbol=symbol, secType="STK", exchange="SMART", currency="USD", **wanted)
    return number


# ----------------------------------------------------------------------------------------------- ticks


@pytest.mark.parametrize(("kind", "types"), [(1, LIVE), (2, LIVE), (3, DELAYED), (4, DELAYED)])
def test_ticks_of_live_frozen_and_delayed_data(
    floor: Floor, client: Wire, kind: int, types: dict[str, int]
) -> None:
    client.ask("reqMarketDataType", marketDataType=kind)
    number = stream(client, "reqMktData", floor.symbol)
    assert [row["marketDataType"] for row in client.all_of("marketDataType")] == [kind]
    [parameters] = client.all_of("tickReqParams")
    assert (parameters["reqId"], parameters["minTick"]) == (number, 0.01)
    for price in (103.0, 97.0, 101.0):
        floor.price(price, size=10)
    expected = {"bid": 100.99, "ask": 101.01, "last": 101, "high": 103, "low": 97, "close": 100, "open": 100}
    assert prices(client, number) == {types[name]: price for name, price in expected.items()}
    place = 1 if types is DELAYED else 0
    told = sizes(client, number)
    assert told[SIZES["volume"][place]] == 30
    assert set(told) == {pair[place] for pair in SIZES.values()}
    stamps = [row for row in client.all_of("tickString") if row["reqId"] == number]
    assert {row["tickType"] for row in stamps} == {88 if types is DELAYED else 45}
    assert int(stamps[-1]["value"]) == int(floor.now().timestamp())


def test_a_snapshot_is_told_once_and_ends(floor: Floor, client: Wire) -> None:
    for fields in ({"snapshot": True}, {"regulatorySnapshot": True}):
        number = stream(client, "reqMktData", floor.symbol, **fields)
        assert prices(client, number)[4] == 100
        assert number in {row["reqId"] for row in client.all_of("tickSnapshotEnd")}
        floor.price(105.0)
        floor.price(100.0)
        assert [
            row["price"]
            for row in client.all_of("tickPrice")
            if row["reqId"] == number and row["tickType"] == 4
        ] == [100]


def test_a_snapshot_of_what_has_no_price_ends_empty(floor: Floor, client: Wire) -> None:
    silent = f"{floor.symbol}Q"
    floor.list(silent)
    number = stream(client, "reqMktData", silent, snapshot=True)
    assert prices(client, number) == {}
    assert number in {row["reqId"] for row in client.all_of("tickSnapshotEnd")}


def test_quotes_are_as_told_until_the_next_trade(floor: Floor, client: Wire) -> None:
    number = stream(client, "reqMktData", floor.symbol)
    floor.ask("price", symbol=floor.symbol, bid=99.5, ask=100.75)
    told = prices(client, number)
    assert (told[1], told[2], told[4]) == (99.5, 100.75, 100)
    floor.price(101.0)
    told = prices(client, number)
    assert (told[1], told[2], told[4]) == (100.99, 101.01, 101)


@pytest.mark.parametrize(
    ("ask", "cancel", "reply", "wanted"),
    [
        ("reqMktData", "cancelMktData", "tickPrice", {}),
        ("reqMktDepth", "cancelMktDepth", "updateMktDepth", {"rows": 2}),
        ("reqMktDepth", "cancelMktDepth", "updateMktDepthL2", {"rows": 2, "smartDepth": True}),
        ("reqRealTimeBars", "cancelRealTimeBars", "realtimeBar", {"barSize": 5, "whatToShow": "TRADES"}),
        ("reqTickByTickData", "cancelTickByTickData", "tickByTick", {"tickType": "Last"}),
    ],
)
def test_streams_go_on_until_they_are_cancelled(
    floor: Floor, client: Wire, ask: str, cancel: str, reply: str, wanted: dict[str, Any]
) -> None:
    number = stream(client, ask, floor.symbol, **wanted)
    seen = len(client.seen)
    floor.price(101.0)
    assert {values["reqId"] for name, values in client.seen[seen:] if name == reply} == {number}
    client.ask(cancel, reqId=number)
    seen = len(client.seen)
    floor.price(102.0)
    assert [name for name, _ in client.seen[seen:] if name == reply] == []
    client.ask(cancel, reqId=number)
    assert client.codes(number) == [300]


@pytest.mark.parametrize("name", ["reqMktData", "reqMktDepth", "reqRealTimeBars", "reqTickByTickData"])
def test_streams_of_what_nobody_knows_are_refused(client: Wire, name: str) -> None:
    assert client.codes(stream(client, name, "NOWHERE", tickType="Last")) == [200]


def test_a_client_has_a_hundred_lines(floor: Floor, client: Wire) -> None:
    for _ in range(100):
        client.send("reqMktData", reqId=client.request_id(), symbol=floor.symbol, secType="STK")
    number = stream(client, "reqMktData", floor.symbol)
    assert client.codes(number) == [101]
    snapshot = floor.client()
    assert snapshot.codes(stream(snapshot, "reqMktData", floor.symbol)) == [], "the next client has its own"
    client.ask("cancelMktData", reqId=number - 1)
    assert client.codes(stream(client, "reqMktData", floor.symbol)) == []


# ----------------------------------------------------------------------------------------- depth and bars


@pytest.mark.parametrize(("rows", "levels"), [(1, 1), (5, 5), (0, 5), (99, 20)])
@pytest.mark.parametrize("smart", [True, False])
def test_the_book_has_its_rows_on_both_sides(
    floor: Floor, client: Wire, rows: int, levels: int, smart: bool
) -> None:
    stream(client, "reqMktDepth", floor.symbol, rows=rows, smartDepth=smart)
    told = client.all_of("updateMktDepthL2" if smart else "updateMktDepth")
    assert len(told) == 2 * levels
    assert {row["operation"] for row in told} == {0}
    bids = [row["price"] for row in told if row["side"] == 1]
    asks = [row["price"] for row in told if row["side"] == 0]
    assert bids == pytest.approx([99.99 - 0.01 * place for place in range(levels)])
    assert asks == pytest.approx([100.01 + 0.01 * place for place in range(levels)])
    floor.price(101.0)
    later = client.all_of("updateMktDepthL2" if smart else "updateMktDepth")[2 * levels :]
    assert {row["operation"] for row in later} == {1}
    assert max(row["price"] for row in later if row["side"] == 1) == pytest.approx(100.99)


def test_a_client_has_three_books(floor: Floor, client: Wire) -> None:
    for _ in range(3):
        assert client.codes(stream(client, "reqMktDepth", floor.symbol, rows=1)) == []
    assert client.codes(stream(client, "reqMktDepth", floor.symbol, rows=1)) == [309]


def test_the_unmodified_client_empties_its_book_on_a_reset(play: Any) -> None:
    from ib_async import Stock

    async def scenario(desk: Any) -> None:
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        [stock] = await client.qualifyContractsAsync(Stock("AAPL", "SMART", "USD"))
        ticker = client.reqMktDepth(stock, 3)
        await desk.settle(client)
        assert len(ticker.domBids) == 3
        number = max(desk.gateway.hub.sessions[0].streams)[1]
        await desk.do("notice", code=317, text="Market depth data has been RESET.", id=number)
        assert (ticker.domBids, ticker.domAsks) == ([], [])
        await desk.do("price", symbol="AAPL", price=101.0)

    play(scenario)


@pytest.mark.parametrize(
    ("changes", "codes"),
    [({}, []), ({"whatToShow": "MIDPOINT"}, []), ({"barSize": 10}, [321]), ({"whatToShow": "DREAMS"}, [321])],
)
def test_bars_in_real_time(floor: Floor, client: Wire, changes: dict[str, Any], codes: list[int]) -> None:
    number = stream(
        client, "reqRealTimeBars", floor.symbol, **{"barSize": 5, "whatToShow": "TRADES", **changes}
    )
    assert client.codes(number) == codes
    floor.price(101.5, size=7)
    told = client.all_of("realtimeBar")
    assert [(row["close"], row["volume"], row["count"]) for row in told] == ([] if codes else [(101.5, 7, 1)])
    assert not told or told[0]["time"] == int(floor.now().timestamp())


TICKS: dict[str, dict[str, Any]] = {
    "Last": {"tickType": 1, "price": 101.5, "size": 7},
    "AllLast": {"tickType": 2, "price": 101.5, "size": 7},
    "BidAsk": {"tickType": 3, "bid": 101.49, "ask": 101.51, "bidSize": 100, "askSize": 100},
    "MidPoint": {"tickType": 4, "midpoint": 101.5},
}


@pytest.mark.parametrize("kind", TICKS)
def test_tick_by_tick(floor: Floor, client: Wire, kind: str) -> None:
    stream(client, "reqTickByTickData", floor.symbol, tickType=kind)
    floor.price(101.5, size=7)
    [told] = client.all_of("tickByTick")
    assert {name: told[name] for name in TICKS[kind]} == pytest.approx(TICKS[kind])
    assert client.codes(stream(client, "reqTickByTickData", floor.symbol, tickType="Thoughts")) == [10189]


# ---------------------------------------------------------------------------------------- what can be looked up


CONTRACTS: dict[str, tuple[dict[str, Any], int]] = {
    # what is asked for besides the symbol; how many contracts it may mean
    "symbol alone": ({}, 1),
    "in small letters": ({"symbol": "lower"}, 1),
    "kind": ({"secType": "STK"}, 1),
    "kind of another": ({"secType": "OPT", "symbol": "nothing"}, 0),
    "routed": ({"exchange": "SMART"}, 1),
    "listed": ({"exchange": "NASDAQ"}, 1),
    "primary exchange": ({"exchange": "SMART", "primaryExchange": "NASDAQ"}, 1),
    "primary exchange of another": ({"exchange": "SMART", "primaryExchange": "NYSE"}, 0),
    "currency": ({"currency": "USD"}, 1),
    "currency of another": ({"currency": "JPY"}, 0),
    "unknown symbol": ({"symbol": "NOWHERE"}, 0),
    "nothing": ({"symbol": ""}, 0),
}


@pytest.mark.parametrize("name", CONTRACTS)
def test_what_a_contract_may_mean(floor: Floor, client: Wire, name: str) -> None:
    wanted, count = CONTRACTS[name]
    symbol = {None: floor.symbol, "lower": floor.symbol.lower()}.get(
        wanted.get("symbol"), wanted.get("symbol")
    )
    asked = {**wanted, "symbol": symbol}
    number = client.request_id()
    told = client.ask("reqContractDetails", reqId=number, **asked)
    assert len(named(told, "contractDetails")) == count
    assert client.codes(number) == ([] if count else [200])
    assert bool(named(told, "contractDetailsEnd")) == bool(count)


@pytest.mark.parametrize("exchange", sorted(EXCHANGES))
def test_a_stock_of_any_exchange_is_found_as_the_desk_asks_for_it(
    floor: Floor, client: Wire, exchange: str
) -> None:
    symbol = f"{floor.symbol}X"
    floor.list(symbol, exchange=exchange)
    asked = contract_of(DeskInstrument(symbol, symbol, "stock", exchange=exchange))
    wanted = {"symbol": symbol, "secType": "STK", "exchange": asked.exchange, "currency": asked.currency}
    found = client.ask("reqContractDetails", primaryExchange=asked.primaryExchange, **wanted)
    [told] = named(found, "contractDetails")
    assert exchange_of(Stock(symbol, primaryExchange=told["primaryExchange"])) == exchange


def test_a_contract_id_is_enough_and_stays_the_same(floor: Floor, client: Wire) -> None:
    [first] = named(client.ask("reqContractDetails", symbol=floor.symbol), "contractDetails")
    [again] = named(client.ask("reqContractDetails", conId=first["conId"]), "contractDetails")
    assert again == {**first, "reqId": again["reqId"]}
    local = named(client.ask("reqContractDetails", localSymbol=first["localSymbol"]), "contractDetails")
    assert [row["conId"] for row in local] == [first["conId"]]
    wrong = client.request_id()
    client.ask("reqContractDetails", reqId=wrong, conId=first["conId"], currency="JPY")
    assert client.codes(wrong) == [200]


def test_symbols_that_match_a_pattern(floor: Floor, client: Wire) -> None:
    start = f"M{floor.symbol}"
    rows = [
        {"symbol": f"{start}{number:02d}", "asset_class": "stock", "exchange": "XNAS", "currency": "USD", "name": f"Firm {floor.symbol} {number}"}
        for number in range(20)
    ]  # fmt: skip
    floor.ask("instruments", rows=[*rows, {"symbol": start, "asset_class": "stock", "exchange": "XNAS"}])
    [told] = named(client.ask("reqMatchingSymbols", pattern=start.lower()), "symbolSamples")
    assert [row["symbol"] for row in told["samples"]] == [
        start,
        *(f"{start}{number:02d}" for number in range(15)),
    ]
    assert told["samples"][0]["derivatives"] == ["OPT"]
    [by_name] = named(client.ask("reqMatchingSymbols", pattern=f"firm {floor.symbol} 7"), "symbolSamples")
    assert [row["symbol"] for row in by_name["samples"]] == [f"{start}07"]
    [none] = named(client.ask("reqMatchingSymbols", pattern="zzzz"), "symbolSamples")
    assert none["samples"] == []


@pytest.mark.parametrize("step", [0.01, 0.25, 0.00005, 0.001, 0.5])
def test_market_rules_name_the_price_step_of_the_contract(floor: Floor, client: Wire, step: float) -> None:
    symbol = f"{floor.symbol}T{round(1 / step)}"
    floor.ask(
        "instruments", rows=[{"symbol": symbol, "asset_class": "stock", "exchange": "XNAS", "min_tick": step}]
    )
    floor.price(100.0, symbol)
    [details] = named(client.ask("reqContractDetails", symbol=symbol), "contractDetails")
    assert details["minTick"] == step
    [rule] = set(details["marketRuleIds"].split(","))
    [told] = named(client.ask("reqMarketRule", ruleId=int(rule)), "marketRule")
    assert told["increments"] == [{"lowEdge": 0, "increment": step}]
    off = client.place(symbol, orderType="LMT", lmtPrice=99.0 + step / 2)
    on = client.place(symbol, orderType="LMT", lmtPrice=99.0 + step)
    assert (client.codes(off), client.status(on)) == ([110], "Submitted")
    client.ask("reqMarketRule", ruleId=999)
    assert client.codes()[-1] == 321


def test_option_parameters_of_a_chain_made_up_and_of_one_that_is_known(floor: Floor, client: Wire) -> None:
    con = named(client.ask("reqContractDetails", symbol=floor.symbol), "contractDetails")[0]["conId"]
    told = client.ask("reqSecDefOptParams", symbol=floor.symbol, secType="STK", conId=con)
    chains = named(told, "securityDefinitionOptionParameter")
    assert [chain["exchange"] for chain in chains] == ["SMART", "CBOE"]
    assert len(chains[0]["expirations"]) == 6
    assert (min(chains[0]["strikes"]), max(chains[0]["strikes"]), chains[0]["multiplier"]) == (70, 130, "100")
    assert told[-1][0] == "securityDefinitionOptionParameterEnd"
    day = f"{floor.now() + timedelta(days=30):%y%m%d}"
    floor.ask("instruments", rows=[{"symbol": f"{floor.symbol:<6}{day}P00095000", "asset_class": "option"}])
    told = client.ask("reqSecDefOptParams", symbol=floor.symbol, secType="STK", conId=con)
    [chain, _] = named(told, "securityDefinitionOptionParameter")
    assert (chain["expirations"], chain["strikes"]) == ([f"20{day}"], [95])
    number = client.request_id()
    client.ask("reqSecDefOptParams", reqId=number, symbol="NOWHERE", secType="STK", conId=4711)
    assert client.codes(number) == [200]


SCANS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "gainers": ({"scanCode": "TOP_PERC_GAIN"}, ["UP", "FLAT", "DOWN"]),
    "losers": ({"scanCode": "TOP_PERC_LOSE"}, ["DOWN", "FLAT", "UP"]),
    "active": ({"scanCode": "MOST_ACTIVE"}, ["FLAT", "DOWN", "UP"]),
    "by volume": ({"scanCode": "HOT_BY_VOLUME"}, ["FLAT", "DOWN", "UP"]),
    "dear ones": ({"scanCode": "TOP_PERC_GAIN", "abovePrice": 7001.0}, ["UP"]),
    "cheap ones": ({"scanCode": "TOP_PERC_GAIN", "belowPrice": 6999.0}, ["DOWN"]),
    "traded ones": ({"scanCode": "TOP_PERC_GAIN", "aboveVolume": 20}, ["FLAT", "DOWN"]),
}


@pytest.mark.parametrize("name", SCANS)
def test_a_scan_ranks_what_passes_its_filters(floor: Floor, client: Wire, name: str) -> None:
    wanted, expected = SCANS[name]
    for suffix, price, size in (("UP", 7700.0, 10), ("FLAT", 7000.0, 90), ("DOWN", 6300.0, 20)):
        floor.list(f"{floor.symbol}{suffix}", 7000.0)
        floor.price(price, f"{floor.symbol}{suffix}", size=size)
    among = {
        "instrument": "STK",
        "location": "STK.US",
        "rows": 50,
        "abovePrice": 5000.0,
        "belowPrice": 9000.0,
    }
    told = client.ask("reqScannerSubscription", **{**among, **wanted})
    [data] = named(told, "scannerData")
    mine = [
        row["symbol"].removeprefix(floor.symbol)
        for row in data["rows"]
        if row["symbol"].startswith(floor.symbol)
    ]
    assert [suffix for suffix in mine if suffix] == expected
    assert [row["rank"] for row in data["rows"]] == list(range(len(data["rows"])))
    for suffix in ("UP", "FLAT", "DOWN"):
        floor.price(1.0, f"{floor.symbol}{suffix}")


GENERIC: dict[str, tuple[str, dict[str, dict[int, Any]]]] = {
    # generic ticks asked for; what is told by message and tick type, computed by hand from GENERIC_BARS
    "volatility of the last days": ("104", {"tickGeneric": {23: pytest.approx(VOLATILITY, abs=1e-8)}}),
    "volatility with the price of now": (
        "411",
        {"tickGeneric": {58: pytest.approx(VOLATILITY_NOW, abs=1e-8)}},
    ),
    "implied volatility of the model": ("106", {"tickGeneric": {24: 0.25}}),
    "ranges of weeks and average volume": (
        "165",
        {"tickPrice": {15: 97, 16: 107, 17: 97, 18: 107, 19: 97, 20: 107}, "tickSize": {21: 1500}},
    ),
    "mark price": ("221", {"tickPrice": {37: 100}}),
    "last trade in regular hours": ("318", {"tickPrice": {57: 100}}),
    "dividends": ("456", {"tickString": {59: "0.75,1,20240201,1"}}),
    "several": ("221, 318,456", {"tickPrice": {37: 100, 57: 100}, "tickString": {59: "0.75,1,20240201,1"}}),
    "slow mark price": ("619", {"tickPrice": {79: 100}}),
    "volume of options": ("100", {"tickSize": {29: 30, 30: 7}}),
    "average volume of options": ("105", {"tickSize": {87: 28}}),  # of 20 and 37, rounded to the even one
    "volumes of short terms": ("595", {"tickSize": {63: 500, 64: 1400, 65: 1400}}),
    "volume of a minute": ("295", {"tickGeneric": {56: 300}}),
    "what bars do not tell": ("101,162,225,236,258,293,294,460,577,588,614,623", {}),
    "trades, none yet": ("233,375", {}),
}


@pytest.mark.parametrize("name", GENERIC)
def test_generic_ticks_that_bars_can_tell(play: Any, name: str) -> None:
    asked, expected = GENERIC[name]

    async def scenario(desk: Any) -> None:
        rows = [
            {"symbol": "AAPL", "session": f"2023-12-{day}", "open": close, "high": close + 5, "low": close - 3,
             "close": close, "volume": volume}
            for day, close, volume in GENERIC_BARS
        ]  # fmt: skip
        await desk.do("bars", rows=rows)
        for right, volumes in (("C", (12, 30)), ("P", (8, 7))):
            option = f"AAPL  240119{right}00100000"
            row = {"symbol": option, "asset_class": "option", "underlying": "AAPL"}
            await desk.do("instruments", rows=[AAPL, row])
            prices = dict.fromkeys(("open", "high", "low", "close"), 5.0)
            days = zip((28, 29), volumes, strict=True)
            rows = [
                {"symbol": option, "session": f"2023-12-{day}", "volume": volume, **prices}
                for day, volume in days
            ]
            await desk.do("bars", rows=rows)
        minutes = ((0, 300), (-2, 200), (-4, 900), (-10, 50))
        rows = [
            {"symbol": "AAPL", "session": "2024-01-02", "timeframe": "1m", "volume": volume,
             "closes_at": (GENERIC_NOW + timedelta(minutes=minute)).isoformat(),
             **dict.fromkeys(("open", "high", "low", "close"), 100.0)}
            for minute, volume in minutes
        ]  # fmt: skip
        await desk.do("bars", rows=rows)
        dividends = (("2022-12-01", 9.0), ("2023-06-01", 0.5), ("2023-12-28", 0.25), ("2024-02-01", 1.0))
        actions = [
            {"symbol": "AAPL", "ex_date": day, "action": "cash_dividend", "value": value}
            for day, value in dividends
        ]
        await desk.do("actions", rows=actions)
        await desk.market(AAPL=100.0)

        def told() -> dict[str, dict[int, Any]]:
            wire = Wire(desk.gateway.port, 7)
            number = stream(wire, "reqMktData", "AAPL", genericTicks=asked)
            wire.close()
            plain = {
                "tickPrice": set(LIVE.values()),
                "tickSize": {0, 3, 5, 8},
                "tickString": {45},
                "tickGeneric": set(),
            }
            found: dict[str, dict[int, Any]] = {}
            for message, left_out in plain.items():
                for row in wire.all_of(message):
                    if row["reqId"] == number and row["tickType"] not in left_out:
                        value = row.get("price", row.get("value", row.get("size")))
                        found.setdefault(message, {})[row["tickType"]] = value
            return found

        assert await asyncio.to_thread(told) == expected

    play(scenario, start=GENERIC_NOW)


def test_generic_ticks_that_there_are_not_and_those_of_snapshots_are_refused(
    floor: Floor, client: Wire
) -> None:
    for wanted, snapshot in (("233,999", False), ("233", True)):
        number = stream(client, "reqMktData", floor.symbol, genericTicks=wanted, snapshot=snapshot)
        assert client.codes(number) == [321]
        assert prices(client, number) == {}


def test_the_unmodified_client_hears_of_trades_and_of_scans_that_change(play: Any) -> None:
    async def scenario(desk: Any) -> None:
        await desk.market(
            *({"symbol": name, "asset_class": "stock", "exchange": "XNAS", "currency": "USD"} for name in ("AAPL", "IBM")),
            AAPL=100.0, IBM=50.0,
        )  # fmt: skip
        client = await desk.connect()
        [stock] = await client.qualifyContractsAsync(Stock("AAPL", "SMART", "USD"))
        ticker = client.reqMktData(stock, "233,221,456")
        scan = client.reqScannerSubscription(
            ScannerSubscription(instrument="STK", locationCode="STK.US", scanCode="TOP_PERC_GAIN")
        )
        await desk.settle(client)
        for price, size in ((102.0, 30), (101.0, 10)):
            await desk.do("price", symbol="AAPL", price=price, size=size)
        assert (ticker.rtVolume, ticker.markPrice) == (40, 101.0)
        assert ticker.vwap == pytest.approx((102.0 * 30 + 101.0 * 10) / 40)
        assert (ticker.dividends.past12Months, ticker.dividends.nextDate) == (0.0, None)

        def leaders() -> list[str]:
            return [row.contractDetails.contract.symbol for row in scan]

        assert leaders() == ["AAPL", "IBM"]
        await desk.do("price", symbol="IBM", price=60.0)
        assert leaders() == ["IBM", "AAPL"]
        heard = []
        scan.updateEvent += heard.append
        await desk.do("price", symbol="IBM", price=61.0)
        assert heard == [], "the same ranking is not told twice"
        client.cancelScannerSubscription(scan)
        await desk.do("price", symbol="AAPL", price=200.0)
        assert leaders() == ["IBM", "AAPL"]

    play(scenario)


def test_scans_that_are_not_there(client: Wire) -> None:
    number = client.request_id()
    client.ask("reqScannerSubscription", reqId=number, instrument="STK", scanCode="BEST_TOMORROW")
    assert client.codes(number) == [162]
    [told] = named(client.ask("reqScannerParameters"), "scannerParameters")
    assert "TOP_PERC_GAIN" in told["xml"]


SMALL: list[tuple[str, str, dict[str, Any]]] = [
    ("reqManagedAccts", "managedAccounts", {}),
    ("reqFamilyCodes", "familyCodes", {}),
    ("reqSoftDollarTiers", "softDollarTiers", {}),
    ("reqUserInfo", "userInfo", {}),
    ("queryDisplayGroups", "displayGroupList", {}),
    ("reqMktDepthExchanges", "mktDepthExchanges", {}),
    ("reqSmartComponents", "smartComponents", {"bboExchange": "9c0001"}),
    ("reqNewsProviders", "newsProviders", {}),
    ("reqHistoricalNews", "historicalNewsEnd", {"conId": 1, "providers": "BZ", "count": 5}),
]


@pytest.mark.parametrize(("request_name", "reply", "wanted"), SMALL)
def test_small_questions_have_their_answers(
    client: Wire, request_name: str, reply: str, wanted: dict[str, Any]
) -> None:
    assert [name for name, _ in client.ask(request_name, **wanted)] == [reply]


REFUSED: list[tuple[str, int, dict[str, Any]]] = [
    ("requestFA", 321, {"kind": 1}),
    ("replaceFA", 321, {"kind": 1, "xml": "<x/>"}),
    ("reqFundamentalData", 10358, {"symbol": "AAPL"}),
    ("reqWshMetaData", 10358, {}),
    ("reqWshEventData", 10358, {"conId": 1}),
    ("reqNewsArticle", 10172, {"provider": "BZ", "articleId": "x"}),
]


@pytest.mark.parametrize(("name", "code", "wanted"), REFUSED)
def test_what_there_is_no_subscription_to_is_refused(
    client: Wire, name: str, code: int, wanted: dict[str, Any]
) -> None:
    assert [values["code"] for kind, values in client.ask(name, **wanted) if kind == "error"] == [code]


@pytest.mark.parametrize(
    "name",
    ["setServerLogLevel", "cancelHeadTimeStamp", "cancelHistogramData", "cancelFundamentalData", "cancelNewsBulletins",
     "subscribeToGroupEvents", "unsubscribeFromGroupEvents", "cancelWshMetaData", "cancelCalculateOptionPrice"],
)  # fmt: skip
def test_requests_that_need_no_answer_have_none(client: Wire, name: str) -> None:
    assert client.ask(name) == []
