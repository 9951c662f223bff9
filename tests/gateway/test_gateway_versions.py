"""Versions 157 to 178: agreed in the handshake, honoured in both directions, read by the client's own decoder."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import math
import socket
import struct
from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any

import pytest
from ib_async import IB, LimitOrder, MarketOrder, Stock
from ib_async.decoder import Decoder

from resources.gateway.settings import LOWEST_VERSION, SERVER_VERSION
from resources.gateway.wire.frames import FrameReader, pack, unpack
from resources.gateway.wire.layout.fields import (
    Before,
    Choice,
    Field,
    Items,
    Many,
    Message,
    Repeat,
    Since,
    Values,
    When,
    encode,
)
from resources.gateway.wire.layout.replies import REPLIES, TICK_BY_TICK
from resources.gateway.wire.layout.requests import REQUEST_NAMES

from .wire import Floor, named

VERSIONS = range(LOWEST_VERSION, SERVER_VERSION + 1)


# --------------------------------------------------------------------- replies, read by the client's decoder


class Recorder:
    """Stands where the client's wrapper does, and keeps what the decoder hands on."""

    defaultTimezone = UTC  # noqa: N815 - the client's own name

    def __init__(self) -> None:
        self.told: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *values: self.told.append((name, values))


class Marks:
    """Values of a message of which no two are alike, so that each can be found again."""

    def __init__(self, version: int, given: Mapping[str, Any]) -> None:
        self.version, self.given = version, given
        self.made: dict[str, Any] = {}
        self._numbers = itertools.count(1)

    def values(self, items: Items) -> Values:
        found: Values = {}
        for item in items:
            if isinstance(item, Field):
                found[item.name] = self._mark(item)
            elif isinstance(item, Many):
                found[item.name] = ["one", "two"] if item.kind == "text" else [1.5, 2.5]
            elif isinstance(item, Repeat):
                found[item.name] = [self._entry(item.items, number) for number in range(2)]
                found.update(self.values(item.then))
            elif isinstance(item, (Since, Before, When)) and self._there(item):
                found.update(self.values(item.items))
        return found

    def _there(self, item: Since | Before | When) -> bool:
        if isinstance(item, When):
            return True
        return (self.version >= item.version) == isinstance(item, Since)

    def _entry(self, items: Items, number: int) -> Values:
        for item in items:
            if isinstance(item, Choice):
                kind = sorted(item.options)[number]
                return {"type": kind, **self.values(item.options[kind])}
        return self.values(items)

    def _mark(self, item: Field) -> Any:
        number = next(self._numbers)
        if item.name in self.given:
            return self.given[item.name]
        mark: Any = {
            "text": f"text{number}", "flag": True, "integer": 5000 + number, "size": 7000 + number,
        }.get(item.kind, 1000.25 + number)  # fmt: skip
        if item.kind != "flag":
            self.made[f"{item.name} {number}"] = mark
        return mark


def flat(value: Any) -> Iterator[Any]:
    """Single values of what the decoder handed on."""
    if isinstance(value, Mapping):
        yield from flat(tuple(value.values()))
    elif isinstance(value, (list, tuple, set)):
        for entry in value:
            yield from flat(entry)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from flat(getattr(value, field.name))
    else:
        yield value


MESSAGES: dict[str, tuple[Message, dict[str, Any]]] = {
    **{name: (message, {}) for name, message in REPLIES.items()},
    **{
        f"tickByTick {kind}": (message, {"tickType": number, "time": 1_700_000_000})
        for number, (kind, message) in enumerate(TICK_BY_TICK.items(), start=1)
    },
    "openOrder pegged to a benchmark": (REPLIES["openOrder"], {"orderType": "PEG BENCH"}),
    "completedOrder pegged to a benchmark": (REPLIES["completedOrder"], {"orderType": "PEG BENCH"}),
}
_TIME = {
    "execDetails": {"time": "20240102 10:00:00 UTC"},
    "historicalData": {"date": "20240102"},
    "historicalTicks": {"time": 1_700_000_000},
    "historicalTicksBidAsk": {"time": 1_700_000_000},
    "historicalTicksLast": {"time": 1_700_000_000},
}
_PEG = {"referenceContractId", "peggedChangeAmount", "referenceChangeAmount", "referenceExchangeId"}
IGNORED = {
    # what the client's decoder leaves out itself
    "tickPrice": {"mask"},
    "openOrder": {
        "trailStopPrice",
        *_PEG,
    },  # there only for one type; the second stop price overwrites the first
    "completedOrder": {"trailStopPrice", *_PEG},
    "openOrder pegged to a benchmark": {"trailStopPrice"},
    "completedOrder pegged to a benchmark": {"trailStopPrice"},
    "tickByTick Last": {"mask"},
    "tickByTick AllLast": {"mask"},
    "tickByTick BidAsk": {"mask"},
    "historicalTicksLast": {"mask"},
    "historicalTicksBidAsk": {"mask"},
    "historicalTicks": {"mask"},
}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_client_s_decoder_finds_every_field_of_every_reply(version: int, decoder_log: list[str]) -> None:
    for name, (message, given) in MESSAGES.items():
        marks = Marks(version, {**_TIME.get(name, {}), **given})
        texts = encode(message, marks.values(message.items), version)
        recorder = Recorder()
        Decoder(recorder, version).interpret(texts)
        assert decoder_log == [], (name, version)
        assert len(recorder.told) >= 1, name
        found = {str(value) for value in flat(recorder.told)}
        lost = {
            field.split()[0]
            for field, mark in marks.made.items()
            if str(mark) not in found and str(float(mark) if not isinstance(mark, str) else mark) not in found
        }
        assert lost <= IGNORED.get(name, set()), (name, version)


# ------------------------------------------------------------------------------------------------ the gates


GATES: list[tuple[int, str, str, int]] = [
    # version, direction, message, fields more (or fewer) than at the version before
    (158, "to", "placeOrder", 1),
    (159, "from", "openOrder", 1),
    (160, "to", "placeOrder", 1),
    (160, "from", "openOrder", 1),
    (162, "to", "placeOrder", 1),
    (162, "from", "openOrder", 1),
    (163, "from", "contractDetails", 1),
    (164, "from", "contractDetails", 0),
    (166, "from", "error", 1),
    (166, "to", "placeOrder", 1),
    (169, "to", "placeOrder", 1),
    (169, "to", "cancelOrder", 1),
    (170, "from", "openOrder", 5),
    (170, "from", "completedOrder", 5),
    (171, "to", "reqWshEventData", 4),
    (173, "to", "reqWshEventData", 3),
    (176, "to", "reqContractDetails", 1),
    (176, "from", "symbolSamples", 2),
    (177, "to", "placeOrder", -1),
    (177, "from", "openOrder", -1),
    (177, "from", "completedOrder", -1),
    (178, "from", "execDetails", 1),
]


def fields_of(direction: str, name: str, version: int) -> int:
    message = REQUEST_NAMES[name] if direction == "to" else REPLIES[name]
    values = {"samples": [{}]} if name == "symbolSamples" else {}
    return len(encode(message, values, version))


@pytest.mark.parametrize(("version", "direction", "name", "more"), GATES)
def test_a_gate_opens_at_its_version(version: int, direction: str, name: str, more: int) -> None:
    before, after = (fields_of(direction, name, number) for number in (version - 1, version))
    assert after - before == more


def test_there_are_no_other_gates() -> None:
    opened = {
        (version, direction, name)
        for direction, names in (("to", REQUEST_NAMES), ("from", REPLIES))
        for name in names
        for version in VERSIONS[1:]
        if fields_of(direction, name, version) != fields_of(direction, name, version - 1)
    }
    assert opened == {(version, direction, name) for version, direction, name, more in GATES if more}


@pytest.mark.parametrize("kind", ["PEG BEST", "PEG MID", "LMT"])
@pytest.mark.parametrize("exchange", ["SMART", "IBKRATS"])
@pytest.mark.parametrize("version", [169, 170])
def test_fields_of_pegged_and_internal_orders(version: int, exchange: str, kind: str) -> None:
    order = {"exchange": exchange, "orderType": kind, "competeAgainstBestOffset": math.inf}
    plain = len(encode(REQUEST_NAMES["placeOrder"], {"exchange": "SMART", "orderType": "LMT"}, version))
    more = len(encode(REQUEST_NAMES["placeOrder"], order, version)) - plain
    expected = {"PEG BEST": 4, "PEG MID": 2, "LMT": 0}[kind] + (exchange == "IBKRATS")
    assert more == (expected if version >= 170 else 0)


# ------------------------------------------------------------------------------------------- the handshake


def greet(port: int, offer: bytes) -> list[str] | None:
    """What the gateway answers to an offer of versions; None when it hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"API\0" + struct.pack(">I", len(offer)) + offer)
        frames = FrameReader()
        while data := connection.recv(4096):
            frames.feed(data)
            for payload in frames.payloads():
                return unpack(payload)
    return None


@pytest.mark.parametrize(
    ("offer", "agreed"),
    [
        *((f"v100..{version}", version) for version in VERSIONS),
        *((f"v157..{version}", version) for version in VERSIONS),
        ("v100..187", 178),
        ("v100..225", 178),
        ("v178..999", 178),
        ("v157", 157),
        ("v157..178 +PACEAPI", 178),
        ("v100..156", None),
        ("v179..225", None),
        ("v178..157", 157),
        ("v157...178", None),
        ("hello", None),
        ("", None),
    ],
)
def test_the_lower_of_both_highest_versions_is_agreed(
    shared_gateway: Any, offer: str, agreed: int | None
) -> None:
    answer = greet(shared_gateway.port, offer.encode())
    if offer == "v178..157" or agreed is None:
        assert answer is None
        return
    assert answer is not None
    assert len(answer) == 2, "a third field would be taken for a message"
    assert answer[0] == str(agreed)
    assert len(answer[1].split()) == 3


@pytest.mark.parametrize("version", VERSIONS)
def test_an_order_lives_from_placing_to_completion_at_every_version(floor: Floor, version: int) -> None:
    client = floor.client(version=version)
    assert client.hello[0] == str(version)
    extra = {"duration": 5, "postToAts": 1, "autoCancelParent": True, "faProfile": ""}
    filled = client.place(floor.symbol, orderRef="whole", totalQuantity=10.0, **extra)
    assert client.fills(filled) == [(10, 100)]
    open_id = client.place(floor.symbol, orderType="LMT", lmtPrice=90.0, orderRef="open", **extra)
    [told] = [row for row in named(client.ask("reqOpenOrders"), "openOrder") if row["orderId"] == open_id]
    assert told["orderRef"] == "open"
    assert told.get("duration", 5 if version < 159 else None) == 5
    assert told.get("autoCancelParent", version < 162)
    client.cancel(open_id)
    assert client.status(open_id) == "Cancelled"
    done = named(client.ask("reqCompletedOrders", apiOnly=True), "completedOrder")
    assert {"whole", "open"} <= {row["orderRef"] for row in done}
    executions = named(client.ask("reqExecutions", clientId=client.client_id), "execDetails")
    assert [row["orderRef"] for row in executions] == ["whole"]
    details = named(client.ask("reqContractDetails", symbol=floor.symbol), "contractDetails")
    assert [row["symbol"] for row in details] == [floor.symbol]
    client.place("NOWHERE")
    assert client.codes()[-1] == 200


@pytest.mark.parametrize("version", VERSIONS)
def test_the_unmodified_client_connects_and_trades_at_every_version(
    floor: Floor, version: int, decoder_log: list[str]
) -> None:
    async def main() -> None:
        client = IB()
        client.client.MaxRequests = 0
        client.client.MaxClientVersion = version
        await client.connectAsync(
            "127.0.0.1", floor.gateway.port, clientId=9000 + version, timeout=10, raiseSyncErrors=True
        )
        try:
            assert client.client.serverVersion() == version
            stock = Stock(floor.symbol, "SMART", "USD")
            trade = client.placeOrder(stock, MarketOrder("BUY", 10, tif="DAY", orderRef="R"))
            resting = client.placeOrder(stock, LimitOrder("BUY", 10, 90.0, tif="GTC"))
            await client.reqCurrentTimeAsync()
            assert (trade.orderStatus.status, trade.filled()) == ("Filled", 10.0)
            assert trade.fills[0].commissionReport.execId == trade.fills[0].execution.execId
            assert resting.orderStatus.status == "Submitted"
            client.cancelOrder(resting.order)
            [details] = await client.reqContractDetailsAsync(stock)
            assert details.longName == floor.symbol
            completed = await client.reqCompletedOrdersAsync(True)
            assert "R" in {one.order.orderRef for one in completed}
            assert resting.orderStatus.status == "Cancelled"
        finally:
            client.disconnect()

    asyncio.run(main())
    assert decoder_log == []


def test_whole_sizes_below_163_and_fractions_from_there(floor: Floor) -> None:
    for version in (162, 163):
        client = floor.client(version=version)
        number = client.request_id()
        floor.ask("price", symbol=floor.symbol, price=100.0, size=1.5)
        client.ask("reqMktData", reqId=number, symbol=floor.symbol)
        sizes = [row["size"] for row in client.all_of("tickSize") if row["tickType"] == 8]
        assert sizes[-1] == (1 if version < 163 else 1.5 * (version - 161))


def test_frames_of_another_version_than_agreed_are_refused_by_their_length(floor: Floor) -> None:
    client = floor.client(version=178)
    order = {"symbol": floor.symbol, "orderId": 5, "action": "BUY", "totalQuantity": 1.0, "orderType": "MKT"}
    for version in (157, 160, 165):
        client._socket.sendall(pack(encode(REQUEST_NAMES["placeOrder"], order, version)))
        client.settle()
    assert client.codes()[-3:] == [320, 320, 320]
    assert floor.orders() == []
