"""The client of Interactive Brokers: connecting, proving the connection, looking, and asking for data."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.brokers.accounts import check_account, is_live, live_allowed
from resources.brokers.base import (
    AccountRefusedError,
    BrokerError,
    ClientIdInUseError,
    ConnectionFailedError,
    Instrument,
    NoViewError,
    Outgoing,
    RefusedRequestError,
)
from resources.brokers.data_limits import HistoryLimits
from resources.brokers.ib import IBBroker
from resources.brokers.session import market_open, restart_window, ticking
from resources.brokers.strikes import strike_of_delta
from resources.gateway.service.faults import NOTICES
from resources.gateway.service.pacing import historical_violation
from resources.gateway.service.session import Session
from trading.book import BookConfig, PlacementConfig
from trading.placement import Part

from .conftest import ThreadGateway, give_prices
from .world import GATEWAY, PACE, SYMBOLS, entry, paper_book

PATIENT = replace(PACE, connect=5.0, request=5.0, quote=3.0)
QUICK = replace(PACE, connect=0.5, request=0.3, quote=0.3)
"""For what must not come."""
KNOWN = {
    **{symbol: Instrument(symbol, symbol, "stock", exchange="XNAS") for symbol in SYMBOLS},
    "EURUSD": Instrument("EURUSD", "EURUSD", "fx"),
    "BTC-USD": Instrument("BTC-USD", "BTCUSD", "crypto"),
    "GONE": Instrument("GONE", "GONE", "stock"),
}
Work = Callable[[IBBroker], Awaitable[Any]]
_ids = itertools.count(1000)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreadGateway]:
    """A gateway for all tests of the module, with stocks, a pair and a coin."""
    running = ThreadGateway(tmp_path_factory.mktemp("gateway"), replace(GATEWAY, pacing=False))
    give_prices(running)
    rows = [
        {"symbol": "EURUSD", "asset_class": "fx", "currency": "USD"},
        {"symbol": "BTCUSD", "asset_class": "crypto", "currency": "USD"},
    ]
    running.ask("instruments", rows=rows)
    yield running
    running.stop()


@pytest.fixture
def gateway(shared: ThreadGateway) -> Iterator[ThreadGateway]:
    """The same without faults, orders left over, and price moves."""
    yield shared
    shared.ask("faults", clear=True)


def client(gateway: ThreadGateway, **options: Any) -> IBBroker:
    chosen = {"pace": PATIENT, "client_id": next(_ids), **options}
    return IBBroker(chosen.pop("instruments", KNOWN), port=gateway.port, **chosen)


def run(gateway: ThreadGateway, work: Work, **options: Any) -> Any:
    """What a connected client makes of some work."""

    async def main() -> Any:
        broker = client(gateway, **options)
        await broker.connect()
        try:
            return await work(broker)
        finally:
            await broker.disconnect()

    return asyncio.run(main())


# ------------------------------------------------------------------------------------------- connecting


@pytest.mark.parametrize(
    "fault",
    [
        "silent",
        "hang_up",
        "old_version",
        "malformed_version",
        "no_accounts",
        "no_next_id",
        "client_id_in_use",
    ],
)
def test_a_connection_that_fails_is_told_in_time_and_tried_again(gateway: ThreadGateway, fault: str) -> None:
    async def main() -> None:
        broker = client(gateway, pace=QUICK)
        gateway.ask("fault", name=fault)
        wanted = ClientIdInUseError if fault == "client_id_in_use" else ConnectionFailedError
        with pytest.raises(wanted, match=str(gateway.port)):
            await asyncio.wait_for(broker.connect(), 3)
        assert not broker.connected()
        assert broker.trouble() == "not connected"
        await broker.connect()
        assert (broker.connected(), broker.connection, broker.trouble()) == (True, 2, "")
        await broker.disconnect()

    asyncio.run(main())


def test_a_client_id_that_another_has_is_told_at_once(gateway: ThreadGateway) -> None:
    from tests.gateway.wire import Wire

    number = next(_ids)
    other = Wire(gateway.port, number)

    async def main() -> None:
        broker = client(gateway, client_id=number, pace=replace(PACE, connect=30.0))
        with pytest.raises(ClientIdInUseError, match=f"client id {number} is in use"):
            await asyncio.wait_for(broker.connect(), 5)

    asyncio.run(main())
    other.close()


def test_a_late_order_id_only_delays(gateway: ThreadGateway) -> None:
    gateway.ask("fault", name="late_next_id", delay=0.05)
    assert run(gateway, lambda broker: broker.executions()) == []


ACCOUNTS: dict[str, tuple[str, str, bool, str | None]] = {
    # accounts of the login, the one wanted, live allowed; the account, or None for a refusal
    "the only one": ("DU1", "", False, "DU1"),
    "the one named": ("DU1,DU2,DF3", "DU2", False, "DU2"),
    "one of several, not named": ("DU1,DU2", "", False, None),
    "not of the login": ("DU1", "DU9", False, None),
    "live": ("U123", "", False, None),
    "live, named": ("DU1,U123", "U123", False, None),
    "live, allowed": ("U123", "", True, "U123"),
    "live, allowed, of several": ("U1,U2", "U2", True, "U2"),
    "paper beside live": ("U123,DU1", "DU1", False, "DU1"),
    "advisor": ("F777", "", False, None),
}


@pytest.mark.parametrize("name", ACCOUNTS)
def test_which_account_is_traded(gateway: ThreadGateway, name: str) -> None:
    accounts, wanted, allowed, expected = ACCOUNTS[name]
    gateway.ask("fault", on="reply", what="managedAccounts", do="change", values={"accounts": accounts})

    async def main() -> str:
        broker = client(gateway, account=wanted, live_allowed=allowed)
        try:
            await broker.connect()
            return broker.account
        finally:
            assert broker.connected() == (expected is not None)
            await broker.disconnect()

    if expected is None:
        with pytest.raises(AccountRefusedError, match=r"account|accounts"):
            asyncio.run(main())
    else:
        assert asyncio.run(main()) == expected
    assert (
        check_account(accounts.split(","), wanted, live_allowed=allowed) if expected else None
    ) == expected


@pytest.mark.parametrize(
    ("account", "live"),
    [("DU1", False), ("du1", False), ("DF1", False), ("SIM1", False), ("U1", True), ("F1", True), ("", True)],
)
def test_accounts_that_may_hold_money(account: str, live: bool) -> None:
    assert is_live(account) == live


@pytest.mark.parametrize("mode", ["paper", "live"])
@pytest.mark.parametrize("file", [True, False])
@pytest.mark.parametrize("environment", ["1", "0", "yes", None])
def test_real_money_needs_the_mode_the_file_and_the_environment(
    mode: str, file: bool, environment: str | None
) -> None:
    book = paper_book()
    changed = BookConfig.model_validate({**book.model_dump(), "mode": mode, "allow_live": file})
    variables = {} if environment is None else {"DESK_ALLOW_LIVE": environment}
    assert live_allowed(changed, variables) == (mode == "live" and file and environment == "1")


# ------------------------------------------------------------------------------- is there a connection


def test_the_heartbeat_is_a_round_trip_in_bounded_time(gateway: ThreadGateway) -> None:
    async def work(broker: IBBroker) -> None:
        await broker.heartbeat()
        gateway.ask("fault", on="reply", what="currentTime", do="mute", times=-1)
        with pytest.raises(ConnectionFailedError, match=r"the time: no answer within 0\.3 s"):
            await asyncio.wait_for(broker.heartbeat(), 3)
        assert not broker.connected(), "a late answer would be taken for another's"
        with pytest.raises(ConnectionFailedError, match="gone"):
            await broker.heartbeat()

    run(gateway, work, pace=QUICK)


@pytest.mark.parametrize("fault", ["half_frame", "reset", "close", "oversize"])
def test_a_connection_that_breaks_ends_what_waits_for_it(gateway: ThreadGateway, fault: str) -> None:
    async def work(broker: IBBroker) -> None:
        gateway.ask("fault", name=fault)
        with pytest.raises(ConnectionFailedError):
            await asyncio.wait_for(broker.look(), 3)
        assert not broker.connected()
        await broker.connect()
        assert (await broker.look()).connection == 2

    run(gateway, work, pace=QUICK)


HARMLESS = {2103, 2104, 2105, 2106, 2107, 2108, 2119, 2157, 2158, 1101, 1102}


@pytest.mark.parametrize("name", sorted(NOTICES))
def test_notices_trouble_orders_only_when_the_broker_is_lost(gateway: ThreadGateway, name: str) -> None:
    code = NOTICES[name][0]

    async def work(broker: IBBroker) -> str:
        gateway.ask("notice", name=name)
        await broker.heartbeat()
        assert broker.connected(), "the order channel stays"
        assert (-1, code) in {(number, told) for number, told, _ in broker.codes}
        return broker.trouble()

    trouble = run(gateway, work)
    assert (trouble == "") == (code in HARMLESS)
    assert code in HARMLESS or str(code) in trouble


@pytest.mark.parametrize("lost", ["connectivity_lost", "port_reset", "server_broken"])
@pytest.mark.parametrize(
    ("after", "troubled"),
    [
        ("connectivity_restored", False),
        ("connectivity_restored_data_lost", False),
        ("market_data_ok", True),
        ("definitions_ok", True),
        ("history_broken", True),
    ],
)
def test_what_ends_the_trouble(gateway: ThreadGateway, lost: str, after: str, troubled: bool) -> None:
    async def work(broker: IBBroker) -> bool:
        gateway.ask("notice", name=lost)
        gateway.ask("notice", name=after)
        await broker.heartbeat()
        return bool(broker.trouble())

    assert run(gateway, work) == troubled


def test_a_new_connection_on_which_the_farms_are_connected_ends_the_trouble(gateway: ThreadGateway) -> None:
    async def work(broker: IBBroker) -> None:
        gateway.ask("notice", name="connectivity_lost")
        await broker.heartbeat()
        assert broker.trouble()
        gateway.ask("fault", on="reply", what="error", do="mute", times=3)
        await broker.connect()
        await broker.heartbeat()
        assert broker.trouble(), "connected, and not a word of the farms yet"
        gateway.ask("notice", name="market_data_ok")
        await broker.heartbeat()
        assert broker.trouble() == ""

    run(gateway, work)


# ------------------------------------------------------------------------------------------------- looks


@pytest.mark.parametrize(
    ("what", "reply"),
    [
        ("open orders", "openOrderEnd"),
        ("completed orders", "completedOrdersEnd"),
        ("executions", "execDetailsEnd"),
        ("positions", "positionEnd"),
        ("account values", "accountUpdateMultiEnd"),
        ("contract of AAPL", "contractDetailsEnd"),
        ("the time", "currentTime"),
    ],
)
def test_a_source_that_is_silent_is_no_look(gateway: ThreadGateway, what: str, reply: str) -> None:
    async def work(broker: IBBroker) -> None:
        gateway.ask("fault", on="reply", what=reply, do="mute", times=-1)
        with pytest.raises(NoViewError, match=f"{what}: no answer"):
            await asyncio.wait_for(broker.look(["AAPL"], money=True), 5)
        assert not broker.connected()

    run(gateway, work, pace=QUICK)


def test_prices_that_do_not_come_are_no_reason_to_stop(gateway: ThreadGateway) -> None:
    async def work(broker: IBBroker) -> dict[str, float]:
        gateway.ask("fault", on="reply", what="tickSnapshotEnd", do="mute", times=-1)
        return dict((await broker.look(["AAPL", "MSFT"])).quotes)

    assert run(gateway, work, pace=replace(PATIENT, quote=0.2)) == {}


@pytest.mark.parametrize("fault", ["no_market_data", "competing_session", "absent_ticks"])
def test_a_price_that_is_none_is_absent(gateway: ThreadGateway, fault: str) -> None:
    async def work(broker: IBBroker) -> dict[str, float]:
        gateway.ask("fault", name=fault, times=-1)
        return dict((await broker.look(["AAPL"])).quotes)

    assert run(gateway, work) == {}


def placed(broker: IBBroker, ref: str, number: int, **changes: Any) -> Awaitable[None]:
    limit = {"order_type": "limit", "limit_price": 90.0, "time_in_force": "gtc", **changes}
    return broker.place([Outgoing(entry(ref, **limit), Part(ref, number, None, transmit=True))])


def test_a_look_tells_orders_executions_positions_and_what_others_did(gateway: ThreadGateway) -> None:
    from tests.gateway.wire import Wire

    other = Wire(gateway.port, next(_ids))
    theirs = other.place("MSFT", orderRef="theirs", orderType="LMT", lmtPrice=80.0)
    gateway.ask("trade", symbol="IBM", quantity=-3, price=101.0, reference="by hand")

    async def work(broker: IBBroker) -> None:
        await broker.look(["AAPL"])
        await placed(broker, "DOPEN", 1)
        await placed(broker, "DGONE", 2)
        await placed(broker, "DDONE", 3, limit_price=101.0)
        await broker.cancel(2)
        view = await broker.look(["AAPL"])
        open_orders = {order.order_ref: order for order in view.open}
        assert (open_orders["DOPEN"].order_id, open_orders["DOPEN"].limit_price) == (1, 90.0)
        assert (open_orders["theirs"].symbol, open_orders["theirs"].client_id) == ("MSFT", other.client_id)
        completed = {order.order_ref: order for order in view.completed}
        assert (completed["DGONE"].status, completed["DGONE"].filled) == ("Cancelled", 0)
        assert (completed["DDONE"].status, completed["DDONE"].filled) == ("Filled", 10)
        mine = [report for report in view.executions if report.order_ref == "DDONE"]
        assert [(one.side, one.quantity, one.price, one.cause) for one in mine] == [("BUY", 10, 100, "")]
        hand = [report for report in view.executions if report.order_ref == "by hand"]
        assert [(one.symbol, one.side, one.quantity, one.cause) for one in hand] == [
            ("IBM", "SELL", 3, "manual")
        ]
        assert (view.positions["AAPL"], view.positions["IBM"]) == (10, -3)
        assert view.next_id > 3
        await broker.cancel(1)
        await broker.heartbeat()

    run(gateway, work)
    other.cancel(theirs)
    other.close()
    gateway.ask("trade", symbol="AAPL", quantity=-10, price=100.0)
    gateway.ask("trade", symbol="IBM", quantity=3, price=101.0)


CODES = [
    103, 104, 105, 110, 135, 161, 162, 200, 201, 202, 321, 354, 366, 399, 404, 434, 460, 492, 10089, 10090, 10147,
    10148, 10167, 10197, 10349, 99999,
]  # fmt: skip


@pytest.mark.parametrize("code", CODES)
def test_a_message_about_an_order_is_kept_with_it_and_changes_nothing_else(
    gateway: ThreadGateway, code: int
) -> None:
    async def work(broker: IBBroker) -> None:
        await broker.look(["AAPL"])
        await placed(broker, "DREF", 1)
        await broker.heartbeat()
        gateway.ask("notice", code=code, text="said the broker", id=1)
        view = await broker.look(["AAPL"])
        assert view.notices["DREF"] == (code, "said the broker")
        assert [order.status for order in view.open if order.order_ref == "DREF"] == ["Submitted"]
        assert broker.connected()
        assert broker.trouble() == ""
        await broker.cancel(1)
        await broker.heartbeat()

    run(gateway, work)


def test_messages_about_requests_are_not_taken_for_those_about_orders(gateway: ThreadGateway) -> None:
    async def work(broker: IBBroker) -> None:
        await broker.look(["AAPL"])
        await placed(broker, "DREF", 1)
        for number in (-1, 2, 77):
            gateway.ask("notice", code=201, text="not about that order", id=number)
        assert (await broker.look()).notices == {}
        await broker.connect()
        gateway.ask("notice", code=201, text="what this connection calls 1", id=1)
        assert (await broker.look()).notices == {}
        await broker.cancel(1)
        await broker.heartbeat()

    run(gateway, work)


def test_an_order_in_what_was_not_asked_for_is_not_sent(gateway: ThreadGateway) -> None:
    async def work(broker: IBBroker) -> None:
        with pytest.raises(ConnectionFailedError, match="was not asked for"):
            await placed(broker, "DREF", 1)

    run(gateway, work)


# --------------------------------------------------------------------------------------------- past data


class Watch:
    """Seconds that pass only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def give_bars(gateway: ThreadGateway, *symbols: str) -> None:
    days = [date(2026, 11, day) for day in (16, 17, 18)]
    gateway.ask(
        "bars",
        rows=[
            {"symbol": symbol, "session": f"{day}", "open": 99.0, "high": 101.0, "low": 98.0,
             "close": 100.0 + number, "volume": 1000.0}
            for symbol in symbols for number, day in enumerate(days)
        ],
    )  # fmt: skip


END = datetime(2026, 11, 19, tzinfo=UTC)


def asked(gateway: ThreadGateway, name: str) -> int:
    """How often the gateway was asked."""
    return int(gateway.ask("status")["requests"].get(name, 0))


@pytest.mark.parametrize(("symbol", "volume"), [("AAPL", 1000.0), ("EURUSD", -1.0), ("BTC-USD", 1000.0)])
def test_bars_of_every_kind_of_instrument(gateway: ThreadGateway, symbol: str, volume: float) -> None:
    give_bars(gateway, "AAPL", "EURUSD", "BTCUSD")
    bars = run(gateway, lambda broker: broker.historical_bars(symbol, END, "1 W", "1 day"))
    assert bars.schema["at"] == pl.Datetime("us", "UTC")
    assert bars["at"].dt.date().to_list() == [date(2026, 11, day) for day in (16, 17, 18)]
    assert bars["close"].to_list() == [100.0, 101.0, 102.0]
    assert bars["volume"].to_list() == [volume] * 3


@pytest.mark.parametrize(
    ("symbol", "duration", "words"),
    [
        ("GONE", "1 W", "knows no single contract"),
        ("NEVER", "1 W", "knows no single contract"),
        ("MSFT", "1 W", "bars of MSFT: .*162.*no data"),
        ("AAPL", "soon", "bars of AAPL: .*321"),
    ],
)
def test_a_refusal_is_told_and_the_connection_stays(
    gateway: ThreadGateway, symbol: str, duration: str, words: str
) -> None:
    async def work(broker: IBBroker) -> None:
        with pytest.raises(RefusedRequestError, match=words):
            await broker.historical_bars(symbol, END, duration, "1 day")
        assert (broker.connected(), broker.connection) == (True, 1)
        await broker.heartbeat()

    run(gateway, work)


def test_a_pacing_violation_is_a_refusal_not_an_empty_answer(gateway: ThreadGateway) -> None:
    gateway.ask("fault", name="pacing_violation")

    async def work(broker: IBBroker) -> None:
        with pytest.raises(RefusedRequestError, match="pacing violation"):
            await broker.historical_bars("AAPL", END, "1 W", "1 day")

    run(gateway, work)


def test_the_same_bars_are_asked_for_once_in_a_while(gateway: ThreadGateway) -> None:
    give_bars(gateway, "AAPL")
    watch = Watch()

    async def work(broker: IBBroker) -> None:
        before = asked(gateway, "reqHistoricalData")
        first = await broker.historical_bars("AAPL", END, "1 W", "1 day")
        watch.now += 14.9
        again = await broker.historical_bars("AAPL", END, "1 W", "1 day")
        assert first.equals(again)
        assert asked(gateway, "reqHistoricalData") == before + 1
        await broker.historical_bars("AAPL", END, "2 W", "1 day")
        assert asked(gateway, "reqHistoricalData") == before + 2

    run(gateway, work, seconds=watch, sleep=watch.sleep)


def test_many_requests_are_spread_within_the_limits(gateway: ThreadGateway) -> None:
    give_bars(gateway, "AAPL")
    watch = Watch()

    async def work(broker: IBBroker) -> None:
        for number in range(1, 13):
            await broker.historical_bars("AAPL", END, f"{number} W", "1 day")
        assert watch.slept == pytest.approx([2.05, 2.05])

    run(gateway, work, seconds=watch, sleep=watch.sleep, pace=replace(PATIENT, history=5.0))


def test_a_pause_that_is_too_long_is_told_instead_of_waited(gateway: ThreadGateway) -> None:
    watch = Watch()

    async def work(broker: IBBroker) -> None:
        for number in range(60):
            broker._limits.reserve(f"request {number}", f"S{number}", 1.0, watch.now)
        watch.now += 100.0
        with pytest.raises(RefusedRequestError, match="may be sent in 500 s"):
            await broker.historical_bars("AAPL", END, "1 W", "1 day")
        assert watch.slept == []

    run(gateway, work, seconds=watch, sleep=watch.sleep)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from("ABC"), st.floats(0, 5, allow_nan=False)), min_size=1, max_size=150)
)
def test_requests_that_keep_the_limits_break_none_at_the_gateway(moves: list[tuple[str, float]]) -> None:
    limits, session, now = HistoryLimits(), Session(), 0.0
    for number, (symbol, idle) in enumerate(moves):
        now += idle
        now += limits.reserve(f"request {number}", symbol, 1.0, now)
        values = {
            "conId": 0,
            "symbol": symbol,
            "exchange": "SMART",
            "whatToShow": "TRADES",
            "duration": number,
        }
        assert historical_violation(session, values, now) is None


# ------------------------------------------------------------------------------------------------ chains


def test_a_chain_is_asked_for_once_a_day_and_cut_to_its_window(gateway: ThreadGateway) -> None:
    days = [END]

    async def work(broker: IBBroker) -> None:
        before = asked(gateway, "reqSecDefOptParams")
        whole = await broker.chains("AAPL")
        assert set(whole.columns) == {"exchange", "trading_class", "multiplier", "expiry", "strike"}
        assert (whole["strike"].min(), whole["strike"].max()) == (70.0, 130.0)
        part = await broker.chains("AAPL", low=95.0, high=105.0)
        assert sorted(part["strike"].unique()) == [95.0, 97.5, 100.0, 102.5, 105.0]
        assert asked(gateway, "reqSecDefOptParams") == before + 1
        days.append(END + timedelta(days=1))
        await broker.chains("AAPL")
        assert asked(gateway, "reqSecDefOptParams") == before + 2

    run(gateway, work, clock=lambda: days[-1])


@pytest.mark.parametrize("symbol", ["GONE", "NEVER"])
def test_the_chain_of_what_nobody_knows_is_refused(gateway: ThreadGateway, symbol: str) -> None:
    async def work(broker: IBBroker) -> None:
        with pytest.raises(RefusedRequestError, match="knows no single contract"):
            await broker.chains(symbol)

    run(gateway, work)


@pytest.mark.parametrize(("right", "delta"), [("C", 0.3), ("P", -0.3), ("C", 0.5)])
def test_the_strike_of_a_delta_takes_few_questions(gateway: ThreadGateway, right: str, delta: float) -> None:
    async def work(broker: IBBroker) -> None:
        chain = await broker.chains("AAPL")
        expiry = sorted(chain["expiry"].unique())[2]
        strikes = sorted(chain.filter(pl.col("expiry") == expiry)["strike"].unique())
        before = asked(gateway, "reqMktData")
        strike, told = await broker.strike_of_delta("AAPL", expiry, right, delta)
        assert abs(told - delta) < 0.05
        assert asked(gateway, "reqMktData") - before <= math.ceil(math.log2(len(strikes))) + 1
        near = [await broker.delta("AAPL", expiry, one, right) for one in strikes if abs(one - strike) == 2.5]
        assert all(abs(other - delta) >= abs(told - delta) for other in near)

    run(gateway, work)


def test_greeks_that_are_none_are_refused(gateway: ThreadGateway) -> None:
    async def work(broker: IBBroker) -> None:
        chain = await broker.chains("AAPL")
        expiry = sorted(chain["expiry"].unique())[2]
        for fault in ("no_market_data", "competing_session"):
            gateway.ask("fault", name=fault)
            assert math.isnan(await broker.delta("AAPL", expiry, 100.0, "C"))
        assert math.isnan(await broker.delta("AAPL", expiry, 101.3, "C")), "no such strike"
        gateway.ask("fault", name="absent_greeks")
        assert math.isnan(await broker.delta("AAPL", expiry, 100.0, "C"))
        with pytest.raises(BrokerError, match="no option of the chain has a delta"):
            await broker.strike_of_delta("AAPL", expiry, "C", 0.3)

    run(gateway, work)


@settings(max_examples=40, deadline=None)
@given(
    levels=st.lists(st.floats(0.001, 0.999), min_size=1, max_size=40, unique=True),
    missing=st.sets(st.integers(0, 39)),
    wanted=st.floats(0.01, 0.99),
)
def test_bisection_finds_the_nearest_delta_that_is_told(
    levels: list[float], missing: set[int], wanted: float
) -> None:
    deltas = sorted(levels, reverse=True)
    told = {100.0 + number: math.nan if number in missing else delta for number, delta in enumerate(deltas)}
    questions: list[float] = []

    async def ask(strike: float) -> float:
        questions.append(strike)
        return told[strike]

    known = {strike: delta for strike, delta in told.items() if not math.isnan(delta)}
    if not known:
        with pytest.raises(BrokerError):
            asyncio.run(strike_of_delta(list(told), wanted, ask))
        return
    strike, delta = asyncio.run(strike_of_delta(list(told), wanted, ask))
    assert known[strike] == delta
    assert abs(delta - wanted) == min(abs(other - wanted) for other in known.values())
    assert len(set(questions)) == len(questions) <= math.ceil(math.log2(len(told) + 1)) + len(missing)


# ------------------------------------------------------------------------------------------------- times


WINDOWS: list[tuple[str, str, int, str, bool]] = [
    # restart, zone, minutes around it, the time, whether it is in the window
    ("23:45", "America/New_York", 10, "2026-11-20T04:44:00+00:00", True),
    ("23:45", "America/New_York", 10, "2026-11-20T04:35:00+00:00", True),
    ("23:45", "America/New_York", 10, "2026-11-20T04:34:59+00:00", False),
    ("23:45", "America/New_York", 10, "2026-11-20T04:55:00+00:00", True),
    ("23:45", "America/New_York", 10, "2026-11-20T04:55:01+00:00", False),
    ("23:45", "America/New_York", 30, "2026-11-20T05:10:00+00:00", True),
    ("00:05", "America/New_York", 10, "2026-11-20T04:58:00+00:00", True),
    ("00:05", "America/New_York", 10, "2026-11-20T05:12:00+00:00", True),
    ("23:45", "America/New_York", 0, "2026-11-20T04:45:00+00:00", False),
    ("23:45", "America/New_York", 10, "2026-07-20T03:45:00+00:00", True),
    ("23:45", "America/New_York", 10, "2026-07-20T04:45:00+00:00", False),
    ("06:00", "Europe/Berlin", 10, "2026-11-20T05:00:00+00:00", True),
    ("02:30", "America/New_York", 10, "2026-03-08T07:30:00+00:00", True),
]  # fmt: skip


@pytest.mark.parametrize(("restart", "zone", "minutes", "now", "inside"), WINDOWS)
def test_nothing_is_sent_around_the_restart(
    restart: str, zone: str, minutes: int, now: str, inside: bool
) -> None:
    limits = PlacementConfig(restart_time=restart, restart_timezone=zone, restart_minutes=minutes)
    why = restart_window(limits, datetime.fromisoformat(now))
    assert bool(why) == inside
    assert not inside or (restart in why and zone in why)


@pytest.mark.parametrize(
    ("now", "is_open"),
    [
        ("2026-11-20T16:00:00+00:00", True),
        ("2026-11-20T14:29:59+00:00", False),
        ("2026-11-20T14:30:00+00:00", True),
        ("2026-11-20T21:00:00+00:00", False),
        ("2026-11-21T16:00:00+00:00", False),
        ("2026-11-26T16:00:00+00:00", False),
        ("2026-11-27T17:59:00+00:00", True),
        ("2026-11-27T18:00:00+00:00", False),
        ("2026-07-20T13:30:00+00:00", True),
    ],
)
def test_the_market_is_open_in_its_sessions(now: str, is_open: bool) -> None:
    assert market_open("XNYS", datetime.fromisoformat(now)) == is_open


def test_the_desk_s_clock_goes_on_from_where_it_was_set() -> None:
    clock = ticking(END)
    first = clock()
    assert END <= first <= clock() < END + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("zone", "now", "began"),
    [
        ("America/New_York", "2026-11-20T16:00:00+00:00", "2026-11-20T05:00:00+00:00"),
        ("America/New_York", "2026-11-20T04:59:00+00:00", "2026-11-19T05:00:00+00:00"),
        ("America/New_York", "2026-07-20T04:00:00+00:00", "2026-07-20T04:00:00+00:00"),
        ("Asia/Tokyo", "2026-11-20T16:00:00+00:00", "2026-11-20T15:00:00+00:00"),
    ],
)
def test_a_day_of_the_gateway_begins_at_its_midnight(
    gateway: ThreadGateway, zone: str, now: str, began: str
) -> None:
    view = run(
        gateway, lambda broker: broker.look(), timezone=zone, clock=lambda: datetime.fromisoformat(now)
    )
    assert view.day_began == datetime.fromisoformat(began)


@pytest.mark.parametrize(("messages", "borne"), [(9, True), (0, False)])
def test_messages_are_sent_no_faster_than_the_gateway_bears_them(
    tmp_path: Path, messages: int, *, borne: bool
) -> None:
    """A gateway that bears ten messages a second ends the connection of who does not wait."""
    narrow = ThreadGateway(tmp_path, replace(GATEWAY, max_messages=10))
    try:
        give_prices(narrow)

        async def ask_twenty_times(broker: IBBroker) -> list[int]:
            with contextlib.suppress(BrokerError):
                for _ in range(20):
                    await broker.time()
            return [code for _, code, _ in broker.codes]

        codes = run(narrow, ask_twenty_times, pace=replace(PATIENT, messages=messages))
        assert (100 not in codes) == borne
    finally:
        narrow.stop()
