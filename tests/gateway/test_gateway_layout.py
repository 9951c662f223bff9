"""Field tables: what the client sends is read whole, what the gateway writes is what the client reads."""

from __future__ import annotations

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ib_async import (
    IB,
    ComboLeg,
    Contract,
    DeltaNeutralContract,
    ExecutionFilter,
    LimitOrder,
    Order,
    OrderComboLeg,
    ScannerSubscription,
    Stock,
    TagValue,
    Wrapper,
)
from ib_async.client import Client
from ib_async.objects import WshEventData
from ib_async.order import (
    ExecutionCondition,
    MarginCondition,
    PercentChangeCondition,
    PriceCondition,
    TimeCondition,
    VolumeCondition,
)

from resources.gateway.wire.frames import FrameError, FrameReader, client_versions, pack, unpack
from resources.gateway.wire.layout.fields import (
    Choice,
    Field,
    LayoutError,
    Many,
    Message,
    Repeat,
    decode,
    encode,
)
from resources.gateway.wire.layout.replies import REPLIES, REPLY_NUMBERS, TICK_BY_TICK
from resources.gateway.wire.layout.requests import REQUEST_NAMES, REQUESTS
from resources.gateway.wire.values import ValueSpellingError, read, spell

VERSIONS = [157, 158, 160, 162, 163, 164, 166, 169, 170, 171, 173, 176, 177, 178]
STOCK = Stock("AAPL", "SMART", "USD", conId=265598)
BAG = Contract(
    symbol="SPY",
    secType="BAG",
    exchange="SMART",
    currency="USD",
    comboLegs=[ComboLeg(1, 1, "BUY", "SMART"), ComboLeg(2, 2, "SELL", "SMART")],
)


class Recorder(Client):
    """The client's own encoder, writing to a list."""

    def __init__(self, version: int) -> None:
        super().__init__(Wrapper(IB()))
        self.connState = Client.CONNECTED
        self.version = version
        self.sent: list[list[str]] = []

    def serverVersion(self) -> int:  # noqa: N802 - the client's own name
        return self.version

    def sendMsg(self, msg: str) -> None:  # noqa: N802 - the client's own name
        self.sent.append(msg.split("\0")[:-1])


def sent(version: int, name: str, *arguments: object) -> list[str]:
    client = Recorder(version)
    getattr(client, name)(*arguments)
    [fields] = client.sent
    return fields


ORDERS = {
    "plain": (STOCK, LimitOrder("BUY", 10, 1.5)),
    "combination": (
        BAG,
        Order(
            action="BUY",
            totalQuantity=1,
            orderType="LMT",
            lmtPrice=-1.5,
            orderComboLegs=[OrderComboLeg(1.0), OrderComboLeg()],
            smartComboRoutingParams=[TagValue("NonGuaranteed", "1")],
        ),
    ),
    "algorithm": (
        STOCK,
        LimitOrder("BUY", 10, 1.5, algoStrategy="Twap", algoParams=[TagValue("startTime", "x")]),
    ),
    "scale": (STOCK, LimitOrder("BUY", 10, 1.5, scalePriceIncrement=0.1, scaleInitLevelSize=5)),
    "hedge": (STOCK, LimitOrder("BUY", 10, 1.5, hedgeType="D", hedgeParam="1")),
    "delta neutral": (
        Contract(secType="OPT", symbol="SPY", deltaNeutralContract=DeltaNeutralContract(5, 0.5, 10.0)),
        LimitOrder("BUY", 10, 1.5, deltaNeutralOrderType="MKT", deltaNeutralConId=7),
    ),
    "conditions": (
        STOCK,
        LimitOrder(
            "BUY",
            10,
            1.5,
            conditions=[
                PriceCondition(price=3.5, conId=5, exch="SMART"),
                TimeCondition(time="20240102 10:00:00 UTC"),
                MarginCondition(percent=10),
                ExecutionCondition(secType="STK", exch="SMART", symbol="AAPL"),
                VolumeCondition(volume=100, conId=5, exch="SMART"),
                PercentChangeCondition(changePercent=1.5, conId=5, exch="SMART"),
            ],
            conditionsCancelOrder=True,
        ),
    ),
    "pegged to a benchmark": (STOCK, Order(action="BUY", totalQuantity=1, orderType="PEG BENCH")),
    "pegged to the midpoint": (
        STOCK,
        Order(action="BUY", totalQuantity=1, orderType="PEG MID", midOffsetAtHalf=0.1),
    ),
    "pegged to the best": (
        STOCK,
        Order(action="BUY", totalQuantity=1, orderType="PEG BEST", competeAgainstBestOffset=math.inf),
    ),
    "ats": (Stock("AAPL", "IBKRATS", "USD"), LimitOrder("BUY", 10, 1.5, minTradeQty=5)),
}


@pytest.mark.parametrize("name", sorted(ORDERS))
def test_orders_are_read_as_the_client_writes_them(name):
    contract, order = ORDERS[name]
    expected = (7, order.action, order.orderType, order.totalQuantity, len(order.conditions))
    for version in VERSIONS:
        fields = sent(version, "placeOrder", 7, contract, order)
        values = decode(REQUESTS[3], fields[1:], version)
        read = [values[field] for field in ("orderId", "action", "orderType", "totalQuantity")]
        assert (*read, len(values["conditions"])) == expected, version
        assert decode(REQUESTS[3], encode(REQUESTS[3], values, version)[1:], version) == values, version


def test_a_plain_limit_order_has_114_fields_at_178():
    assert len(sent(178, "placeOrder", 7, STOCK, LimitOrder("BUY", 10, 1.5))) == 114


CALLS: list[tuple[str, tuple]] = [
    ("reqMktData", (1, STOCK, "233", False, False, [])),
    ("reqMktData", (1, BAG, "", True, False, [])),
    ("cancelMktData", (1,)),
    ("cancelOrder", (1, "")),
    ("reqOpenOrders", ()),
    ("reqAccountUpdates", (True, "SIM000001")),
    ("reqExecutions", (1, ExecutionFilter(symbol="AAPL"))),
    ("reqIds", (1,)),
    ("reqContractDetails", (1, STOCK)),
    ("reqMktDepth", (1, STOCK, 5, False, [])),
    ("cancelMktDepth", (1, False)),
    ("reqNewsBulletins", (True,)),
    ("cancelNewsBulletins", ()),
    ("setServerLogLevel", (2,)),
    ("reqAutoOpenOrders", (True,)),
    ("reqAllOpenOrders", ()),
    ("reqManagedAccts", ()),
    ("requestFA", (1,)),
    ("replaceFA", (1, 1, "<x/>")),
    ("reqHistoricalData", (1, STOCK, "", "1 Y", "1 day", "TRADES", True, 1, False, [])),
    ("reqHistoricalData", (1, BAG, "", "1 Y", "1 day", "TRADES", True, 1, True, [TagValue("a", "b")])),
    ("exerciseOptions", (1, STOCK, 1, 2, "SIM000001", 0)),
    ("reqScannerSubscription", (1, ScannerSubscription(instrument="STK", scanCode="MOST_ACTIVE"), [], [])),
    ("cancelScannerSubscription", (1,)),
    ("reqScannerParameters", ()),
    ("cancelHistoricalData", (1,)),
    ("reqCurrentTime", ()),
    ("reqRealTimeBars", (1, STOCK, 5, "TRADES", True, [])),
    ("cancelRealTimeBars", (1,)),
    ("reqFundamentalData", (1, STOCK, "ReportsFinSummary", [])),
    ("calculateImpliedVolatility", (1, STOCK, 5.0, 100.0, [])),
    ("calculateOptionPrice", (1, STOCK, 0.3, 100.0, [])),
    ("reqGlobalCancel", ()),
    ("reqMarketDataType", (3,)),
    ("reqPositions", ()),
    ("reqAccountSummary", (1, "All", "NetLiquidation")),
    ("reqPositionsMulti", (1, "SIM000001", "")),
    ("reqAccountUpdatesMulti", (1, "SIM000001", "", False)),
    ("reqSecDefOptParams", (1, "AAPL", "", "STK", 5)),
    ("reqSoftDollarTiers", (1,)),
    ("reqFamilyCodes", ()),
    ("reqMatchingSymbols", (1, "AA")),
    ("reqMktDepthExchanges", ()),
    ("reqSmartComponents", (1, "9c0001")),
    ("reqNewsArticle", (1, "BZ", "x", [])),
    ("reqNewsProviders", ()),
    ("reqHistoricalNews", (1, 5, "BZ", "", "", 10, [])),
    ("reqHeadTimeStamp", (1, STOCK, "TRADES", True, 1)),
    ("reqHistogramData", (1, STOCK, True, "3 days")),
    ("reqMarketRule", (26,)),
    ("reqPnL", (1, "SIM000001", "")),
    ("reqPnLSingle", (1, "SIM000001", "", 5)),
    ("reqHistoricalTicks", (1, STOCK, "", "", 10, "TRADES", True, False, [])),
    ("reqTickByTickData", (1, STOCK, "Last", 0, False)),
    ("reqCompletedOrders", (False,)),
    ("reqWshMetaData", (1,)),
    ("reqWshEventData", (1, WshEventData())),
    ("reqUserInfo", (1,)),
]


@pytest.mark.parametrize(
    ("name", "arguments"), CALLS, ids=[f"{name}{number}" for number, (name, _) in enumerate(CALLS)]
)
def test_requests_are_read_as_the_client_writes_them(name, arguments):
    for version in VERSIONS:
        fields = sent(version, name, *arguments)
        message = REQUESTS[int(fields[0])]
        assert message.name == name
        values = decode(message, fields[1:], version)
        assert decode(message, encode(message, values, version)[1:], version) == values, version


def test_every_request_of_the_client_has_a_table():
    numbers = {int(sent(178, name, *arguments)[0]) for name, arguments in CALLS} | {3, 71}
    assert numbers <= set(REQUESTS)
    assert len(REQUEST_NAMES) == len(REQUESTS)
    assert len(REPLY_NUMBERS) == len(REPLIES)


def filled(items: object, seed: int) -> dict:
    values: dict = {}
    for item in items:
        if isinstance(item, Field):
            values[item.name] = _value(item.kind, seed + len(values))
        elif isinstance(item, Many):
            values[item.name] = [_value(item.kind, seed + number) for number in range(seed % 3)]
        elif isinstance(item, Repeat):
            values[item.name] = [_entry(item, seed + number) for number in range(seed % 3)]
            values.update(filled(item.then, seed))
        elif not isinstance(item, Choice) and hasattr(item, "items"):
            values.update(filled(item.items, seed))
    return values


def _entry(item: Repeat, seed: int) -> dict:
    choices = [inner for inner in item.items if isinstance(inner, Choice)]
    if not choices:
        return filled(item.items, seed)
    kinds = sorted(choices[0].options)
    kind = kinds[seed % len(kinds)]
    return {"type": kind, **filled(choices[0].options[kind], seed)}


def _value(kind: str, seed: int) -> object:
    if kind == "text":
        return ["", "x", "Müller; a=b"][seed % 3]
    if kind == "flag":
        return bool(seed % 2)
    if kind in {"integer", "size"}:
        return [None, 0, 17, -3][seed % 4]
    return [None, 0.0, 1.25, -3.5, 1e-9, math.inf][seed % 6]


@pytest.mark.parametrize("name", sorted(REPLIES))
def test_replies_are_read_as_they_were_written(name):
    message = REPLIES[name]
    for version, seed in product([157, 163, 164, 170, 178], range(12)):
        texts = encode(message, filled(message.items, seed), version)
        values = decode(message, texts[1:], version)
        assert encode(message, values, version) == texts, (version, seed)


@pytest.mark.parametrize("kind", sorted(TICK_BY_TICK))
def test_tick_by_tick_replies_are_read_as_they_were_written(kind):
    message = TICK_BY_TICK[kind]
    texts = encode(message, filled(message.items, 2), 178)
    assert encode(message, decode(message, texts[1:], 178), 178) == texts


@given(
    st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1),
    st.integers(1, 7),
)
def test_frames_survive_any_cut(fields, size):
    data = b"API\0" + pack(fields) + pack(["1"])
    reader = FrameReader()
    greeted, found = False, []
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
        greeted = greeted or reader.hello()
        if greeted:
            found += [unpack(payload) for payload in reader.payloads()]
    assert found == [fields, ["1"]]


def test_frames_refuse_what_no_client_sends():
    reader = FrameReader(limit=100)
    reader.feed(b"GET / HTTP/1.1")
    with pytest.raises(FrameError, match="instead of"):
        reader.hello()
    large = FrameReader(limit=100)
    large.feed(b"\0\0\0\x65")
    with pytest.raises(FrameError, match="101 bytes"):
        list(large.payloads())


@pytest.mark.parametrize(
    ("text", "versions"),
    [
        (b"v157..178", (157, 178)),
        (b"v100..157", (100, 157)),
        (b"v157..178 +PACEAPI", (157, 178)),
        (b"v170", (170, 170)),
    ],
)
def test_offered_versions(text, versions):
    assert client_versions(text) == versions


@pytest.mark.parametrize("text", [b"", b"v", b"v1..2..3", b"hello", b"\xff\xfe"])
def test_offers_that_are_none(text):
    with pytest.raises(FrameError, match="offers no versions"):
        client_versions(text)


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (100.0, "number", "100"),
        (0.1, "number", "0.1"),
        (-0.0, "number", "0"),
        (None, "number", ""),
        (None, "limit", "1.7976931348623157E308"),
        (math.inf, "number", "Infinite"),
        (True, "flag", "1"),
        (None, "flag", "0"),
        (3, "integer", "3"),
        ("a\0b", "text", "ab"),
        (1e22, "number", "1e+22"),
    ],
)
def test_values_are_spelled_as_a_gateway_spells_them(value, kind, text):
    assert spell(value, kind, 178) == text


def test_sizes_are_whole_numbers_before_163():
    assert (spell(1000.5, "size", 162), spell(1000.5, "size", 163)) == ("1000", "1000.5")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1_0", "integer"),
        ("x", "number"),
        ("nan", "number"),
        ("1e999", "number"),
        ("2", "flag"),
        ("٣", "integer"),
    ],
)
def test_values_that_are_none(text, kind):
    with pytest.raises(ValueSpellingError):
        read(text, kind)


def test_tables_say_what_is_wrong_with_a_message():
    simple = Message(1, "simple", (Field("a", "integer"), Repeat("list", (Field("b", "text"),))))
    for texts, words in (
        ([], "ends before field 1"),
        (["x", "0"], r"field 1 \(a\)"),
        (["1", "3", "x"], "announces 3 list"),
        (["1", "0", "x"], "1 fields more"),
        (["1", "-1"], "no count"),
    ):
        with pytest.raises(LayoutError, match=words):
            decode(simple, texts, 178)
