"""The gateway in a process of its own: start, status, stop, and what survives a kill."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from subprocess import PIPE

import pytest
from ib_async import IB, ExecutionFilter, LimitOrder, MarketOrder, Stock

from resources.gateway.journal import Journal, JournalError
from resources.gateway.process import GatewayError, address, control, settings_of, start, status, stop
from resources.gateway.settings import Settings
from trading.book import CostConfig, CostsConfig, SlippageConfig

FREE = CostConfig(slippage=SlippageConfig(model="none", value=0.0))
SETTINGS = Settings(
    costs=CostsConfig(stock=FREE), start=datetime(2024, 1, 2, 15, 0, tzinfo=UTC), capital=50_000.0
)
STOCK = Stock("AAPL", "SMART", "USD")


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "gateway"
    yield folder
    stop(folder)


def kill(folder) -> None:
    channel = control(folder)
    os.kill(address(folder).pid, signal.SIGKILL)
    channel.wait_for_end()
    channel.close()


def with_client(port: int, scenario) -> None:
    async def main() -> None:
        client = IB()
        await client.connectAsync("127.0.0.1", port, clientId=1, timeout=5, raiseSyncErrors=True)
        try:
            await scenario(client)
        finally:
            client.disconnect()

    asyncio.run(main())


def prepare(folder) -> None:
    with control(folder) as channel:
        channel.ask("instruments", rows=[{"symbol": "AAPL", "asset_class": "stock", "exchange": "XNAS"}])
        channel.ask("price", symbol="AAPL", price=100.0)


def test_start_status_and_stop(state):
    assert status(state) is None
    where = start(state, SETTINGS)
    assert status(state)["port"] == where.port
    with pytest.raises(GatewayError, match="running"):
        start(state, SETTINGS)
    with control(state) as channel, pytest.raises(GatewayError, match="no command is called 'nonsense'"):
        channel.ask("nonsense")
    assert stop(state)
    assert status(state) is None
    assert not stop(state)
    assert start(state).port == where.port, "a restart listens where the clients look for it"
    assert replace(settings_of(state), account="") == SETTINGS


def test_every_folder_has_an_account_of_its_own_and_keeps_it(state):
    """Two gateways of one desk: neither account, nor execution id, nor order may be taken for the other's."""
    other, seen = state.parent / "other", {}

    def told(name, folder, settings):
        where = start(folder, settings)
        prepare(folder)

        async def trade(client):
            [account] = client.managedAccounts()
            trade = client.placeOrder(STOCK, MarketOrder("BUY", 10, tif="DAY", account=account))
            await asyncio.wait_for(client.reqCurrentTimeAsync(), 5)
            [position] = client.positions(account)
            codes = {row.value for row in client.accountValues() if row.tag == "AccountCode"}
            executions = await asyncio.wait_for(
                client.reqExecutionsAsync(ExecutionFilter(acctCode=account)), 5
            )
            seen[name] = (account, {fill.execution.execId for fill in executions})
            assert {fill.commissionReport.execId for fill in trade.fills} <= seen[name][1]
            assert (
                {fill.execution.acctNumber for fill in executions} == {position.account} == codes == {account}
            )

        with_client(where.port, trade)
        stop(folder)

    told("first", state, SETTINGS)
    told("second", other, SETTINGS)
    told("first again", state, None)
    assert seen["first"][0] == seen["first again"][0] != seen["second"][0]
    assert seen["first"][1] < seen["first again"][1]
    assert not seen["first again"][1] & seen["second"][1]
    assert all(account.startswith("SIM") for account, _ in seen.values())


def test_the_account_of_another_gateway_is_refused(state):
    where = start(state, SETTINGS)
    prepare(state)

    async def trade(client):
        order = MarketOrder("BUY", 10, tif="DAY", account="SIM000001")
        refused = client.placeOrder(STOCK, order)
        await asyncio.wait_for(client.reqCurrentTimeAsync(), 5)
        assert [entry.errorCode for entry in refused.log if entry.errorCode] == [321]
        assert client.positions() == []

    with_client(where.port, trade)


def test_a_gateway_that_cannot_start_says_why(state):
    where = start(state, SETTINGS)
    other = state.parent / "other"
    with pytest.raises(GatewayError, match="did not start"):
        start(other, SETTINGS, port=where.port)


def test_orders_positions_executions_and_ids_survive_a_kill(state):
    where = start(state, SETTINGS)
    prepare(state)

    async def trade(client):
        client.placeOrder(STOCK, MarketOrder("BUY", 10, tif="DAY", orderRef="filled"))
        client.placeOrder(STOCK, LimitOrder("BUY", 5, 90.0, tif="GTC", orderRef="open"))
        client.placeOrder(
            STOCK, LimitOrder("BUY", 5, 80.0, tif="GTC", orderRef="parent only", transmit=False)
        )
        await asyncio.wait_for(client.reqCurrentTimeAsync(), 5)

    with_client(where.port, trade)
    kill(state)
    assert status(state) is None
    again = start(state)
    assert again.port == where.port

    async def look(client):
        [opened] = client.openTrades()
        assert (opened.order.orderRef, opened.order.lmtPrice) == ("open", 90.0)
        [fill] = client.fills()
        assert (fill.execution.orderRef, fill.execution.shares) == ("filled", 10.0)
        [position] = client.positions()
        assert (position.position, position.avgCost) == (10.0, 100.0)
        assert client.client.getReqId() > opened.order.orderId
        values = {row.tag: row.value for row in client.accountValues() if row.currency == "USD"}
        assert values["TotalCashValue"] == "49000.00"
        with control(state) as channel:
            channel.ask("price", symbol="AAPL", price=89.0)
        await asyncio.wait_for(client.reqCurrentTimeAsync(), 5)
        assert opened.orderStatus.status == "Filled"

    with_client(again.port, look)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_around_the_acceptance_of_an_order_leaves_one_or_none(state, when):
    where = start(state, SETTINGS)
    prepare(state)

    async def place(client):
        with control(state) as channel:
            channel.ask("fault", name=f"kill_{when}_order")
        client.placeOrder(STOCK, MarketOrder("BUY", 10, tif="DAY", orderRef="R1"))
        with pytest.raises((ConnectionError, TimeoutError)):
            await asyncio.wait_for(client.reqCurrentTimeAsync(), 5)

    with_client(where.port, place)
    again = start(state)

    async def look(client):
        assert [fill.execution.orderRef for fill in client.fills()] == (["R1"] if when == "after" else [])

    with_client(again.port, look)


def test_a_frozen_gateway_still_executes_what_it_has_taken(state):
    where = start(state, SETTINGS)
    prepare(state)

    async def place(client):
        with control(state) as channel:
            channel.ask("fault", name="freeze_before_order")
        trade = client.placeOrder(STOCK, MarketOrder("BUY", 10, tif="DAY"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.reqCurrentTimeAsync(), 0.3)
        assert client.isConnected()
        assert trade.orderStatus.status == "PendingSubmit"
        os.kill(where.pid, signal.SIGCONT)
        done = asyncio.Event()
        trade.filledEvent += lambda _: done.set()
        await asyncio.wait_for(done.wait(), 5)

    with_client(where.port, place)


@pytest.mark.parametrize("leashed", [True, False])
def test_what_is_leashed_ends_with_the_process_that_started_it(state, leashed):
    starts = f"from pathlib import Path; from resources.gateway.process import start; start(Path({str(state)!r}), leashed={leashed})"
    owner = subprocess.Popen(
        [sys.executable, "-c", f"{starts}; print(flush=True); input()"], stdin=PIPE, stdout=PIPE
    )
    owner.stdout.readline()
    with control(state) as channel:
        owner.kill()
        owner.wait()
        if leashed:
            channel.wait_for_end()
    assert (status(state) is None) == leashed
    assert start(state) if leashed else stop(state), "its state is whole, and the folder free"
    owner.stdin.close()
    owner.stdout.close()


def test_a_torn_last_line_is_forgiven_and_damage_before_it_is_not(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    for number in range(3):
        journal.append("n", {"number": number})
        journal.commit()
    journal.close()
    content = path.read_bytes()
    for cut in range(len(content) - 1, content[:-1].rindex(b"\n"), -1):
        path.write_bytes(content[:cut])
        again = Journal(path)
        assert [record["number"] for record in again.records] == [0, 1]
        again.append("n", {"number": 9})
        again.close()
        assert [record["number"] for record in Journal(path).records] == [0, 1, 9]
    damaged = bytearray(content)
    damaged[20] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(JournalError, match="line 1"):
        Journal(path)


def test_the_journal_is_json_lines_with_a_checksum(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.append("kind", {"value": 1.5})
    assert path.read_bytes() == b"", "nothing is written before the commit"
    journal.commit()
    [line] = path.read_text().splitlines()
    assert json.loads(line.partition(" ")[2]) == [{"kind": "kind", "value": 1.5}]
    journal.close()
