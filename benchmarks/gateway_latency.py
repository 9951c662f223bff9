"""Orders through the simulated gateway: latency, a thousand orders in one session, a year of sessions.

``python -m benchmarks.gateway_latency`` places market orders one after the other at a gateway in a process
of its own, in turn through the raw client and through the desk's broker, and takes the times from the call
to the first word of the order and to its execution. It then lets one run of placing bring a thousand
brackets' worth of orders to a gateway that enforces the limit of messages a second, and carries 250
sessions of the offline sample through ``validate``. Parity: every order is filled once, no message is
refused for pacing, and the year equals its backfill bit by bit.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from ib_async import IB, MarketOrder, Stock

from assets.market_data import update_market, wanted
from assets.validation import last_sessions, validate
from benchmarks.workplace import ROOT, describe, table
from delta import create_lake
from resources.brokers.base import Instrument, Outgoing, Pace
from resources.brokers.ib import IBBroker
from resources.brokers.journal import MemoryJournal
from resources.brokers.lease import NoLease
from resources.brokers.placing import Placing
from resources.config import DeskConfig, load_book
from resources.gateway import process
from resources.gateway.settings import Settings
from trading.book import BookConfig, CostConfig, CostsConfig, PlacementConfig, SlippageConfig
from trading.placement import Intent, Part, PlacingPolicy

SYMBOL = "AAPL"
ROW = {"symbol": SYMBOL, "asset_class": "stock", "exchange": "XNAS", "currency": "USD"}
INSTRUMENTS = {SYMBOL: Instrument(SYMBOL, SYMBOL, "stock", exchange="XNAS")}
FREE = CostConfig(slippage=SlippageConfig(model="none", value=0.0))
COSTS = CostsConfig(stock=FREE)
NOW = datetime(2026, 11, 20, 16, tzinfo=UTC)
BLOCKS = 5
"""Times that the two ways of placing take turns."""
LIMITS = PlacementConfig(
    broker="ib", look_seconds=1.0, orders_per_minute=100_000, orders_per_day=100_000, refuse_duplicates=False
)
PACE = Pace(poll=0.02, follow=30.0, patience=300.0)
REPLAY_LIMIT = 60.0
"""Seconds that 250 sessions may take."""
SCAN = {"momentum_threshold": 40, "min_trend_strength": 40, "rsi_max": 90, "rescan_interval_days": 3}
ENTRY = {"mode": "strength", "rsi_max": 90, "strength_threshold": 40}
BUSY = {
    "strategies": {"momentum": {"params": {"scanner": SCAN, "entry": ENTRY}}},
    "sizing": {"max_position": 0.2},
    "risk": {"regime": False, "max_portfolio_exposure": 1.0, "max_sector_exposure": 1.0},
}
"""The demonstration's names by rules that they pass often: orders on most of the sessions."""


class Stopwatch:
    """Times of orders: sent, known to the gateway, executed."""

    def __init__(self) -> None:
        self.acknowledged: list[float] = []
        self.filled: list[float] = []
        self._sent = 0.0
        self._told: asyncio.Event = asyncio.Event()
        self._known = self._executed = True

    def start(self) -> None:
        """An order is about to be sent."""
        self._told = asyncio.Event()
        self._known = self._executed = False
        self._sent = time.perf_counter()

    def hear_order(self) -> None:
        """The gateway has told that it has the order; the first time counts."""
        if not self._known:
            self._known = True
            self.acknowledged.append(time.perf_counter() - self._sent)

    def hear_execution(self) -> None:
        """The gateway has told the execution; what it tells of earlier ones does not count."""
        if self._executed:
            return
        self._executed = True
        self.filled.append(time.perf_counter() - self._sent)
        self._told.set()

    async def executed(self) -> None:
        """Wait for the execution."""
        await asyncio.wait_for(self._told.wait(), 10)

    def listen(self, ib: IB) -> None:
        """Hear what the client is told, before it makes anything of it."""
        wrapper: Any = ib.wrapper
        order, execution = wrapper.openOrder, wrapper.execDetails

        def hear_order(*given: Any) -> None:
            self.hear_order()
            order(*given)

        def hear_execution(*given: Any) -> None:
            self.hear_execution()
            execution(*given)

        wrapper.openOrder, wrapper.execDetails = hear_order, hear_execution


async def raw_orders(port: int, count: int, watch: Stopwatch) -> None:
    """Market orders through the client alone."""
    ib = IB()
    await ib.connectAsync("127.0.0.1", port, clientId=1, timeout=10)
    watch.listen(ib)
    ib.client.MaxRequests = 0
    contract = Stock(SYMBOL, "SMART", "USD")
    await ib.qualifyContractsAsync(contract)
    for _ in range(count):
        watch.start()
        ib.placeOrder(contract, MarketOrder("BUY", 1, tif="DAY", account=ib.managedAccounts()[0]))
        await watch.executed()
    ib.disconnect()


async def desk_orders(port: int, count: int, watch: Stopwatch) -> None:
    """Market orders through the desk's broker: contract by symbol, price steps, references, account."""
    broker = IBBroker(INSTRUMENTS, port=port, client_id=2)
    await broker.connect()
    ib = broker._ib
    assert ib is not None
    watch.listen(ib)
    ib.client.MaxRequests = 0
    view = await broker.look([SYMBOL])
    for number in range(count):
        intent = _intent(f"L{view.next_id + number}")
        watch.start()
        await broker.place([Outgoing(intent, Part(intent.order_ref, view.next_id + number, None, True))])
        await watch.executed()
    await broker.disconnect()


async def whole_runs(port: int, count: int) -> list[float]:
    """Seconds of whole runs of placing, one order each: connect, look, reserve, send, follow, look again."""
    seconds, journal = [], MemoryJournal()
    for number in range(count):
        journal.orders.append(_intent(f"R{number}"))
        began = time.perf_counter()
        await _placing(port, journal, client=3)
        seconds.append(time.perf_counter() - began)
    return seconds


async def thousand(port: int, count: int) -> tuple[float, int]:
    """Seconds in which one run brings so many orders to the gateway, and how many it has."""
    journal = MemoryJournal(orders=[_intent(f"T{number}", order_type="limit") for number in range(count)])
    began = time.perf_counter()
    outcome = await _placing(port, journal, client=4)
    return time.perf_counter() - began, sum(state == "ACKED" for state in outcome.states.values())


async def _placing(port: int, journal: MemoryJournal, client: int) -> Any:
    broker = IBBroker(INSTRUMENTS, port=port, client_id=client, clock=lambda: NOW)
    policy = PlacingPolicy(client, LIMITS, timedelta(seconds=LIMITS.look_seconds))
    return await Placing(broker, journal, NoLease(), policy, PACE, lambda: NOW).run()


def _intent(ref: str, **changes: Any) -> Intent:
    fields: dict[str, Any] = {"order_type": "market", "quantity": 1.0, "reference_price": 100.0} | changes
    if fields["order_type"] == "limit":
        fields["limit_price"] = 99.0
    return Intent(ref, NOW.date(), SYMBOL, "BUY", **fields)


def at_gateway(folder: Path, settings: Settings, work: Callable[[int, process.Control], Any]) -> Any:
    """Result of work at a gateway in a process of its own."""
    where = process.start(folder, settings)
    try:
        with process.control(folder) as control:
            control.ask("instruments", rows=[ROW])
            control.ask("price", symbol=SYMBOL, price=100.0)
            return work(where.port, control)
    finally:
        process.stop(folder)


def measure_latency(folder: Path, orders: int) -> bool:
    """Print the latencies; whether every order was filled once."""
    raw, desk = Stopwatch(), Stopwatch()

    def work(port: int, control: process.Control) -> int:
        for _ in range(BLOCKS):
            asyncio.run(raw_orders(port, orders // BLOCKS, raw))
            asyncio.run(desk_orders(port, orders // BLOCKS, desk))
        return int(control.ask("status")["executions"])

    settings = Settings(costs=COSTS, max_messages=0, capital=1e9)
    executed = at_gateway(folder / "orders", settings, work)
    runs = at_gateway(folder / "runs", settings, lambda port, _: asyncio.run(whole_runs(port, 20)))
    named = [
        ("raw client, acknowledged", raw.acknowledged),
        ("desk's broker, acknowledged", desk.acknowledged),
        ("raw client, filled", raw.filled),
        ("desk's broker, filled", desk.filled),
        ("whole run of placing one order", runs),
    ]
    rows = [
        (name, str(len(found)), *(f"{quantile(found, q) * 1e3:.2f}" for q in (0.5, 0.99)))
        for name, found in named
    ]
    print(table(("placeOrder to", "orders", "p50 ms", "p99 ms"), rows))
    wanted = 2 * (orders // BLOCKS) * BLOCKS
    print(f"executions at the gateway: {executed}, wanted {wanted}")
    return bool(executed == wanted)


def measure_thousand(folder: Path, orders: int) -> bool:
    """Print how long a thousand orders of one session take; whether all arrived and none was refused."""

    def work(port: int, control: process.Control) -> tuple[float, int, int]:
        seconds, acknowledged = asyncio.run(thousand(port, orders))
        return seconds, acknowledged, int(control.ask("status")["active_orders"])

    settings = Settings(market="sessions", costs=COSTS, max_messages=50, capital=1e9, start=NOW)
    seconds, acknowledged, active = at_gateway(folder, settings, work)
    print(
        f"{orders} orders in one run, at most 50 messages a second: {seconds:.1f} s, "
        f"{orders / seconds:.0f} a second, {acknowledged} acknowledged, {active} at the gateway"
    )
    return bool(acknowledged == active == orders)


def measure_replay(folder: Path, sessions: int) -> bool:
    """Print how long a year through the gateway takes; whether it equals its backfill and is in time."""
    shipped = load_book(ROOT / "config/books/momentum-demo.toml")
    book = BookConfig.model_validate(shipped.model_dump(by_alias=True) | BUSY)
    config = DeskConfig.model_validate({"lake": str(folder / "lake")})
    lake = create_lake(folder / "lake")
    now = datetime(2024, 1, 2, tzinfo=UTC)
    update_market(lake, config, wanted(lake, config, [book], now), now=now, run_id="benchmark")
    found = validate(lake, book, last_sessions(book, sessions, date(2005, 12, 30)))
    print(
        f"{found.sessions} sessions, {found.first} to {found.last}: backfill {found.backfill_seconds:.2f} s, "
        f"through the gateway {found.gateway_seconds:.1f} s, {found.rows['orders']} orders, "
        f"{found.rows['fills']} fills, {'equal' if found.equal else 'DIFFERENT'}"
    )
    return found.equal and found.gateway_seconds < REPLAY_LIMIT


def quantile(values: list[float], share: float) -> float:
    """Value below which a share of the values lies."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def main() -> int:
    """Measure, and fail when something is lost, refused, different or too slow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--orders", type=int, default=1000, help="orders each way")
    parser.add_argument("--burst", type=int, default=1000, help="orders in one session")
    parser.add_argument("--sessions", type=int, default=250)
    chosen = parser.parse_args()
    print(describe())
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        passed = [
            measure_latency(folder / "latency", chosen.orders),
            measure_thousand(folder / "burst", chosen.burst),
            measure_replay(folder, chosen.sessions),
        ]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
