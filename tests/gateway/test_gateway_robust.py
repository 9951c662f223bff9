"""Whatever arrives on the socket is answered or refused, and the gateway goes on."""

from __future__ import annotations

import asyncio
import random
import struct
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ib_async import MarketOrder, Stock

from resources.gateway.broker import Broker
from resources.gateway.instruments.database import Instruments
from resources.gateway.journal import Journal
from resources.gateway.market.clock import RealClock
from resources.gateway.market.prices import Tape
from resources.gateway.orders.moving import quote
from resources.gateway.service.hub import Hub
from resources.gateway.service.intercept import deliver
from resources.gateway.service.session import Session
from resources.gateway.settings import Settings
from resources.gateway.wire.frames import FrameReader, pack, unpack
from resources.gateway.wire.layout.fields import Choice, Field, Many, Repeat, encode
from resources.gateway.wire.layout.requests import REQUESTS

TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["", "0", "1", "-1", "2147483647", "2147483648", "1e308", "nan", "AAPL", "STK", "BAG", "BUY", "MKT"]
    ),
)


def small_hub(folder) -> Hub:
    known = Instruments()
    known.add({"symbol": "AAPL", "asset_class": "stock", "exchange": "XNAS"})
    broker = Broker(Settings(pacing=False), known, RealClock(), Journal(folder / "journal.jsonl", sync=False))
    broker.quotes.trade("AAPL", 100.0, 0.0, broker.clock.now())
    return Hub(broker.settings, broker, Tape())


def nonsense(chance: random.Random, items) -> dict:
    """Values of a request that are well spelled and may well be nonsense together."""
    values: dict = {}
    for item in items:
        if isinstance(item, Field):
            values[item.name] = _value(chance, item.name, item.kind)
        elif isinstance(item, Many):
            values[item.name] = ["1", "2"][: chance.randrange(3)]
        elif isinstance(item, Repeat):
            values[item.name] = [_entry(chance, item) for _ in range(chance.randrange(3))]
            values.update(nonsense(chance, item.then))
        elif not isinstance(item, Choice) and hasattr(item, "items"):
            values.update(nonsense(chance, item.items))
    return values


def _entry(chance: random.Random, item: Repeat) -> dict:
    choices = [inner for inner in item.items if isinstance(inner, Choice)]
    if not choices:
        return nonsense(chance, item.items)
    kind = chance.choice(sorted(choices[0].options))
    return {"type": kind, **nonsense(chance, choices[0].options[kind])}


_USUAL: dict[str, list] = {
    "conId": [None],
    "symbol": ["AAPL"],
    "secType": ["STK"],
    "lastTradeDate": [""],
    "strike": [None],
    "right": [""],
    "multiplier": [""],
    "primaryExchange": [""],
    "localSymbol": [""],
    "tradingClass": [""],
    "currency": ["USD"],
    "exchange": ["SMART"],
    "orderId": list(range(1, 30)),
    "reqId": list(range(1, 30)),
    "parentId": [0, 0, 1, 2],
    "totalQuantity": [1.0, 5.0, 10.0],
    "lmtPrice": [95.0, 100.0, 101.0],
    "auxPrice": [1.0, 95.0, 105.0],
    "trailingPercent": [None, 2.0],
    "action": ["BUY", "SELL"],
    "orderType": [
        "MKT",
        "LMT",
        "STP",
        "STP LMT",
        "TRAIL",
        "TRAIL LIMIT",
        "MIT",
        "LIT",
        "LOC",
        "MOC",
        "MIDPRICE",
        "REL",
    ],
    "tif": ["DAY", "GTC", "GTD", "IOC", "FOK", ""],
    "ocaGroup": ["", "", "G"],
    "ocaType": [0, 1, 2, 3],
    "adjustedOrderType": [*[""] * 15, "STP", "TRAIL", "STP LMT"],
    "transmit": [True, True, True, False],
    "whatIf": [False],
    "adjustedStopPrice": [90.0],
    "lmtPriceOffset": [0.5],
    "triggerPrice": [101.0],
    "adjustedTrailingAmount": [1.0],
    "whatToShow": ["TRADES", "SCHEDULE", "MIDPOINT"],
    "duration": ["1 D", "1 Y"],
    "goodAfterTime": ["", "", "20240102 10:00:00 UTC"],
    "goodTillDate": ["20990102 10:00:00 UTC"],
    "time": ["", "20240102 10:00:00 UTC"],
    "algoStrategy": [*[""] * 8, "Twap", "Adaptive"],
    "tickType": ["Last", "BidAsk"],
    "group": ["All"],
    "account": ["", "SIM000001"],
    "end": [""],
    "conjunction": ["a", "o"],
}
"""Values that requests make sense with; one field in forty is nonsense all the same."""


def _value(chance: random.Random, name: str, kind: str) -> object:
    usual = _USUAL.get(name, [None])
    if isinstance(usual[-1], str) == (kind == "text") and name in _USUAL and chance.random() > 0.025:
        return chance.choice(usual)
    choices: dict[str, list] = {
        "flag": [False, True],
        "text": ["", "x", "1"],
        "integer": [None, 0, 1, 2, 7, -1, 2**31 - 2],
        "size": [None, 0, 1],
    }
    return chance.choice(choices.get(kind, [None, 0.0, 1.0, 99.5, 100.0, -5.0, 1e300]))


def consistent(hub: Hub) -> None:
    """Orders, executions and positions say the same."""
    filled: dict[int, float] = defaultdict(float)
    held = 0.0
    for record in hub.broker.executions:
        filled[record["permId"]] += record["shares"]
        held += record["shares"] if record["side"] == "BOT" else -record["shares"]
    for ticket in hub.broker.book.tickets.values():
        assert ticket.filled == pytest.approx(filled[ticket.perm_id])
        assert ticket.filled <= ticket.total + 1e-9
        assert (ticket.status == "Filled") == (ticket.filled > 0 and ticket.remaining < 1e-9)
    positions = sum(position.quantity for position in hub.broker.account.held().values())
    assert positions == pytest.approx(held)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**9), version=st.sampled_from([157, 163, 178]))
def test_any_request_is_answered_without_an_unexpected_failure(tmp_path_factory, seed, version):
    hub = small_hub(tmp_path_factory.mktemp("state"))
    session = Session(version=version, client_id=0)
    hub.sessions.append(session)
    chance = random.Random(seed)
    for _ in range(60):
        message = chance.choice([*REQUESTS.values(), *[REQUESTS[3]] * 40, *[REQUESTS[20]] * 5])
        payload = pack(encode(message, nonsense(chance, message.items), version))[4:]
        read = hub.read(session, payload)
        assert read is not None, hub.refused_frames
        deliver(hub, session, *read)
        hub.distribute()
        if chance.random() < 0.2:
            quote(hub.broker, "AAPL", chance.choice([94.0, 99.5, 100.0, 106.0]))
            hub.price_changed("AAPL")
            hub.distribute()
        failures = [values for name, values, _ in session.take() if name == "error" and values["code"] == 322]
        assert not [values for values in failures if "Error'" in values["text"]], (read, failures)
    consistent(hub)


@settings(max_examples=150, deadline=None)
@given(fields=st.lists(TEXTS, max_size=30), version=st.sampled_from([157, 178]))
def test_any_frame_is_refused_or_understood(tmp_path_factory, fields, version):
    hub = small_hub(tmp_path_factory.mktemp("state"))
    session = Session(version=version, client_id=1)
    for number in ("3", "20", "", "9", "nonsense"):
        payload = pack([number, *fields])[4:]
        read = hub.read(session, payload)
        refused = [values for name, values, _ in session.take() if name == "error"]
        assert (read is None) == bool(refused)
        assert all(values["code"] == 320 for values in refused)
        if read is None:
            assert payload[:10].hex(" ") in hub.refused_frames[-1], "the bytes are kept"


def test_frames_that_no_client_sends_end_that_connection_alone(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        for data in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"API\0" + struct.pack(">I", 1 << 30) + b"x",
            b"API\0" + pack(["v300..400"]),
            b"API\0" + pack(["v100..120"]),
            b"API\0" + b"\0\0\0\x09v157..178" + pack(["3", "1"]),
            b"API\0" + b"\0\0\0\x09v157..178" + pack(["71", "2", "x", ""]),
            b"AP",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", desk.gateway.port)
            writer.write(data)
            if data == b"AP":
                writer.write_eof()
            await asyncio.wait_for(reader.read(), 5)
            writer.close()
        assert client.isConnected()
        assert (await desk.connect(2)).isConnected()

    play(scenario)


def test_who_sends_too_much_is_told_so_before_the_connection_ends(play):
    async def scenario(desk):
        reader, writer = await asyncio.open_connection("127.0.0.1", desk.gateway.port)
        writer.write(b"API\0" + b"\0\0\0\x09v157..178" + pack(["71", "2", "9", ""]))
        # Far more than is read at once: the end of it is still on its way when the gateway has enough.
        writer.write(pack(["49", "1"]) * 500_000)
        frames = FrameReader()
        told: list[list[str]] = []
        while data := await asyncio.wait_for(reader.read(65536), 5):
            frames.feed(data)
            told += [unpack(payload) for payload in frames.payloads()]
        assert told[-1][2:4] == ["-1", "100"]
        writer.close()
        assert (await desk.connect(1)).isConnected()

    play(scenario)


def test_unreadable_requests_are_refused_with_their_bytes_and_the_connection_stays(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        codes = []
        client.errorEvent += lambda number, code, text, contract: codes.append((number, code))
        client.client.send(999, "x")
        client.client.send(3, 50, "too short")
        client.client.send(4, 1, "abc", "")
        await desk.settle(client)
        assert codes == [(-1, 320), (50, 320), (-1, 320)]
        assert len((await desk.do("status"))["refused_frames"]) == 3
        trade = client.placeOrder(Stock("AAPL", "SMART", "USD"), MarketOrder("BUY", 1, tif="DAY"))
        await desk.settle(client)
        assert trade.orderStatus.status == "Filled"

    play(scenario)


def test_single_bytes_make_whole_requests(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        reader, writer = await asyncio.open_connection("127.0.0.1", desk.gateway.port)
        data = b"API\0" + b"\0\0\0\x09v157..178" + pack(["71", "2", "9", ""]) + pack(["49", "1"])
        for place in range(len(data)):
            writer.write(data[place : place + 1])
            await writer.drain()
        frames = FrameReader()
        numbers: list[str] = []
        while "49" not in numbers:
            frames.feed(await asyncio.wait_for(reader.read(1000), 5))
            numbers += [unpack(payload)[0] for payload in frames.payloads()]
        assert numbers[:3] == ["178", "15", "9"]
        writer.close()

    play(scenario)


def test_control_commands_that_are_wrong_say_so(play):
    async def scenario(desk):
        for command in (
            {"command": "price", "symbol": "NONE", "price": 1},
            {"command": "price"},
            {"command": "bust", "execId": "x"},
            {"command": "advance", "seconds": 5},
            {"command": "session", "session": "yesterday"},
            {"command": "bars", "rows": [{"symbol": "A"}]},
            {"command": ["list"]},
            {},
        ):
            answer = await desk.gateway.control.carry_out(command)
            assert answer["ok"] is False
            assert answer["error"]
        reader, writer = await asyncio.open_connection("127.0.0.1", desk.gateway.control_port)
        writer.write(b"no json\n[1]\n")
        assert b"no JSON" in await asyncio.wait_for(reader.readline(), 5)
        assert b"no command" in await asyncio.wait_for(reader.readline(), 5)
        writer.close()

    play(scenario)
