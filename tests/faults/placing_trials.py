"""Trials of placing: seeded orders, faults of the gateway and deaths of the job, then what must hold.

A trial runs the job again and again against one gateway: first with faults in force and with deaths, then
without, until the broker and the ledger must agree. What is compared is the gateway's own book.

``python -m tests.faults.placing_trials --trials 10000`` runs many and prints what was found; what lands has
passed a thousand (``make campaign``), and every run of the tests plays some of them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

from resources.brokers import crash
from resources.brokers.base import BrokerError, Instrument, Pace
from resources.brokers.ib import IBBroker
from resources.brokers.journal import MemoryJournal
from resources.brokers.lease import NoLease
from resources.brokers.placing import Decide, Placing
from resources.gateway.running import RunningGateway, running_gateway
from resources.gateway.settings import Settings
from tests.brokers.world import NO_COSTS, ROWS, SYMBOLS, bracket, entry
from tests.faults.run_apart import Job, run_apart
from trading.book import PlacementConfig
from trading.placement import ENDED, Intent, PlacingPolicy, newest, next_steps, standings

CLIENT = 17
CALM = Pace(
    connect=3.0,
    request=3.0,
    quote=1.0,
    poll=0.004,
    follow=0.05,
    patience=8.0,
    backoff=(0.005, 0.02),
    messages=0,
)
"""Times of runs without faults: long enough for a busy machine."""
FAULTY = replace(CALM, connect=0.2, request=0.15, quote=0.1, patience=0.6)
"""Times of runs with faults: short, so that what never comes costs little."""
SPACING = timedelta(seconds=0.02)
RUN_LIMIT = 12.0
"""Seconds within which every run must end by itself."""
KNOWN = ENDED | {"ACKED", "PARTIAL", "UNRESOLVED"}
FAULTS_MET, ENDS_MET = 50, {"FILLED", "CANCELLED", "EXPIRED", "REJECTED", "UNRESOLVED"}
"""What a campaign must at least have met to say something: more kinds of faults, and these ends of orders."""

ORDER_FAULTS = (
    "order_lost", "drop_before_delivery", "drop_before_ack", "drop_after_ack", "order_swallowed",
    "order_swallowed_id_burnt", "accepted_twice", "rejected", "bad_tick", "no_definition", "validation_error",
    "size_zero", "duplicate_id", "modify_filled", "held_message", "tif_preset", "inactive", "held",
    "partial_then_cancel", "partial", "read_only",
)  # fmt: skip
"""Faults that strike a placeOrder: of a random order of the trial."""
CANCEL_FAULTS = (
    "cancel_not_possible", "cancel_not_found", "cancel_wrong_state", "fill_before_cancel", "fill_after_cancel",
)  # fmt: skip
CONNECT_FAULTS = (
    "silent", "hang_up", "old_version", "malformed_version", "client_id_in_use", "no_accounts", "late_next_id",
    "no_next_id",
)  # fmt: skip
LOOK_FAULTS = (
    "no_positions_end", "no_open_orders_end", "no_completed_orders_end", "no_executions_end", "no_account_end",
    "no_contract_end", "slow",
)  # fmt: skip
REPLY_FAULTS = (
    "no_order_messages", "duplicate_status", "duplicate_executions", "execution_before_order",
    "commission_before_execution", "status_before_execution", "commission_delayed", "commission_never",
    "commission_unset", "commission_negative",
)  # fmt: skip
BYTE_FAULTS = ("half_frame", "dribble", "oversize", "garbage", "reset", "close")
DATA_FAULTS = ("no_market_data", "competing_session", "delayed_data_notice", "absent_ticks")
PROCESS_FAULTS = ("freeze_before_order", "freeze_after_order", "kill_before_order", "kill_after_order")
"""Faults that stop the gateway's process: for trials with real processes."""
OTHER_FAULTS = ("legs_only", "pacing_violation", "empty_history", "absent_greeks")
"""Faults that no order of these trials can meet."""
FAULTS = (
    *ORDER_FAULTS, *CANCEL_FAULTS, *CONNECT_FAULTS, *LOOK_FAULTS, *REPLY_FAULTS, *BYTE_FAULTS, *DATA_FAULTS,
)  # fmt: skip
EVENTS = (
    "restart", "roll_back", "logout", "notice_1100_1102", "notice_1100_1101", "farms", "disconnect", "price",
    "shift_ids",
)  # fmt: skip
"""What may happen to the gateway in the middle of a run."""


@dataclass
class Result:
    """What a trial found."""

    seed: int
    faults: list[str]
    deaths: list[str]
    violations: list[str] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    lost_fills: int = 0
    runs: int = 0
    intents: int = 0
    seconds: float = 0.0

    def blame(self, text: str) -> None:
        """Add a violation."""
        self.violations.append(text)


@dataclass
class Trial:
    """One trial: runs that are to die are processes of their own, killed by SIGKILL; the others are not.

    Parameters
    ----------
    decide : callable
        Makes the pure part of a run; another one shows that the trials can fail.
    forced : sequence of str, optional
        Faults; else random ones.
    death : (str, int), optional
        Point at which the first run is killed, and for the how-many-th time; else random.
    """

    seed: int
    gateway: RunningGateway
    decide: Callable[[], Decide] = lambda: next_steps
    forced: Sequence[str] | None = None
    death: tuple[str, int] | str | None = "random"

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.journal = MemoryJournal(opening_cash={"USD": 1_000_000.0})
        self.faults = list(self.forced) if self.forced is not None else self._choose_faults()
        self.result = Result(self.seed, list(self.faults), [])
        self.errors: list[str] = []
        self.undecoded: list[str] = []
        self.shift = timedelta()
        self.waiting: tuple[str, ...] = ()

    async def do(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Carry out a control command of the gateway."""
        answer = await self.gateway.control.carry_out({"command": command, **arguments})
        assert answer["ok"], answer
        return answer

    # ------------------------------------------------------------------------------------------- the play

    async def play(self) -> Result:
        """Orders, faults, deaths; then calm, and the reckoning."""
        began = time.monotonic()
        await self.do("instruments", rows=ROWS)
        for symbol in SYMBOLS:
            await self.do("price", symbol=symbol, price=100.0)
        self.journal.orders = self._orders()
        self.result.intents = len(self.journal.orders)
        await self._put_faults_in_force()
        for number in range(self.random.choice((1, 2, 2, 3))):
            if number and self.random.random() < 0.5:
                self._change_something()
            await self._run(death=self._next_death(), event=self._next_event(), pace=FAULTY)
        await self.do("faults", clear=True)
        await self.do("login")
        if self.random.random() < 0.8:
            await self.do("release")
        over = await self._run_calmly()
        freed = await self.do("release")
        over = over and not (freed["delivered"] or freed["released"])
        if self.random.random() < 0.5:
            await self._move_prices()
            over = False
        for _ in range(4):
            over = over or await self._run_calmly()
        await self._reckon()
        self.result.seconds = time.monotonic() - began
        return self.result

    async def _run_calmly(self) -> bool:
        """A run without faults; whether it had nothing to do, as the last one of a trial must have."""
        before = len(self.journal.events), len(self.journal.reports)
        await self._run()
        return (len(self.journal.events), len(self.journal.reports)) == before

    async def _run(
        self,
        death: tuple[str, int] | None = None,
        event: Callable[[], Awaitable[None]] | None = None,
        pace: Pace = CALM,
    ) -> None:
        """One run of the job; it may be killed, and something may happen at the gateway meanwhile."""
        self.result.runs += 1
        happening = asyncio.ensure_future(self._later(event)) if event is not None else None

        job = partial(self._job, pace=pace)
        try:
            if death is None:
                self.waiting = await asyncio.wait_for(job(self.journal), RUN_LIMIT)
            else:
                await self._run_to_death(job, death)
        except TimeoutError:
            self.result.blame(f"a run did not end within {RUN_LIMIT:g} s")
        except BrokerError as error:
            self.errors.append(str(error))
        finally:
            if happening is not None:
                await happening

    async def _job(self, journal: MemoryJournal, pace: Pace) -> tuple[str, ...]:
        broker = IBBroker(
            {symbol: Instrument(symbol, symbol, "stock") for symbol in SYMBOLS},
            port=self.gateway.port,
            client_id=CLIENT,
            pace=pace,
            clock=self._now,
        )
        limits = PlacementConfig(look_seconds=SPACING.total_seconds(), orders_per_minute=10_000)
        policy = PlacingPolicy(CLIENT, limits, SPACING)
        placing = Placing(broker, journal, NoLease(), policy, pace, self._now, decide=self.decide())
        try:
            return (await placing.run()).waiting
        finally:
            await broker.disconnect()

    async def _run_to_death(self, job: Job, death: tuple[str, int]) -> None:
        """A run in a process of its own, killed when it reaches a point for the n-th time, if it does."""
        point, count = death
        ending = await run_apart(job, self.journal, f"{point}:{count}", RUN_LIMIT)
        self.undecoded += ending.undecoded
        if ending.late:
            raise TimeoutError
        if ending.failure:
            self.result.blame(f"a run failed: {ending.failure}")
        elif ending.killed:
            self.result.deaths.append(point)
        elif ending.error:
            raise BrokerError(ending.error)
        else:
            self.waiting = ending.waiting

    def _now(self) -> datetime:
        return datetime.now(UTC) + self.shift

    async def _later(self, event: Callable[[], Awaitable[None]]) -> None:
        await asyncio.sleep(self.random.uniform(0.0, 0.05))
        await event()

    # --------------------------------------------------------------------------------------- the material

    def _orders(self) -> list[Intent]:
        draw = self.random
        orders: list[Intent] = []
        for number in range(draw.choice((1, 1, 2, 3))):
            symbol = draw.choice(SYMBOLS)
            ref = f"D{number}"
            kind = draw.choice(
                ("market", "limit_away", "limit_now", "alone_market", "alone_limit", "alone_away")
            )
            changes: dict[str, Any] = {"quantity": float(draw.choice((2, 7, 10)))}
            if kind.endswith("away"):
                changes |= {"order_type": "limit", "limit_price": 97.0}
            elif kind in {"limit_now", "alone_limit"}:
                changes |= {"order_type": "limit", "limit_price": 101.0}
            if draw.random() < 0.7:
                changes["valid_until"] = self._now() + timedelta(seconds=draw.choice((0.15, 60, 3600)))
            if kind.startswith("alone"):
                orders.append(entry(f"{ref}E", symbol, **changes))
            else:
                orders += bracket(ref, symbol, **changes)
        return orders

    def _change_something(self) -> None:
        """A later decision: cancel or modify one of the orders, or leave with a market order."""
        draw = self.random
        submits = [one for one in self.journal.orders if one.kind == "submit"]
        target = draw.choice(submits)
        number = sum(one.kind != "submit" for one in self.journal.orders)
        if draw.random() < 0.5:
            change = replace(target, order_ref=f"DC{number}", kind="cancel", target_ref=target.order_ref)
        elif target.limit_price or target.stop_price:
            change = replace(
                target,
                order_ref=f"DM{number}",
                kind="modify",
                target_ref=target.order_ref,
                limit_price=target.limit_price and target.limit_price + 0.5,
                stop_price=target.stop_price and target.stop_price + 0.5,
                valid_until=None,
            )
        else:
            return
        self.journal.orders.append(replace(change, parent_ref=None, oca_group=None))

    def _choose_faults(self) -> list[str]:
        count = self.random.choice((0, 1, 1, 1, 2, 2, 3))
        return [self.random.choice(FAULTS) for _ in range(count)]

    async def _put_faults_in_force(self) -> None:
        for name in self.faults:
            options: dict[str, Any] = {"name": name, "skip": self.random.choice((0, 0, 0, 1, 2))}
            if name == "slow":
                options["delay"] = self.random.choice((0.005, 0.03, 0.4))
            if name in {"late_next_id", "commission_delayed"}:
                options["delay"] = 0.05
            if name in BYTE_FAULTS:
                options["skip"] = self.random.randrange(0, 40)
            if name == "read_only":
                options["times"] = self.random.choice((1, -1))
            if name in ORDER_FAULTS and self.random.random() < 0.2:
                options["times"] = 2
            await self.do("fault", **options)

    def _next_death(self) -> tuple[str, int] | None:
        if self.death != "random":
            chosen, self.death = self.death, None
            return chosen if isinstance(chosen, tuple) else None
        if self.random.random() < 0.6:
            return None
        return self.random.choice(crash.POINTS), self.random.choice((1, 1, 1, 2))

    def _next_event(self) -> Callable[[], Awaitable[None]] | None:
        if self.random.random() < 0.6:
            return None
        name = self.random.choice(EVENTS)
        self.result.faults.append(name)
        return getattr(self, f"_{name}")

    async def _restart(self) -> None:
        await self.do("restart")

    async def _roll_back(self) -> None:
        await self.do("restart", roll_back=5)

    async def _logout(self) -> None:
        await self.do("logout")
        await asyncio.sleep(0.03)
        await self.do("login")

    async def _notice_1100_1102(self) -> None:
        await self._outage("connectivity_restored")

    async def _notice_1100_1101(self) -> None:
        await self._outage("connectivity_restored_data_lost")

    async def _outage(self, end: str) -> None:
        await self.do("notice", name="connectivity_lost")
        await asyncio.sleep(0.05)
        await self.do("notice", name=end)

    async def _farms(self) -> None:
        for name in ("market_data_broken", "history_broken", "definitions_broken", "market_data_ok"):
            await self.do("notice", name=name)

    async def _disconnect(self) -> None:
        await self.do("disconnect", reset=self.random.random() < 0.5)

    async def _price(self) -> None:
        await self._move_prices()

    async def _shift_ids(self) -> None:
        await self.do("shift_ids", by=self.random.choice((3, 100)))

    async def _move_prices(self) -> None:
        for symbol in SYMBOLS:
            price = self.random.choice((96.0, 100.0, 91.0, 116.0))
            size = self.random.choice((float("inf"), 3.0))
            await self.do("price", symbol=symbol, price=price, size=size)

    # -------------------------------------------------------------------------------------- the reckoning

    async def _reckon(self) -> None:
        orders = (await self.do("orders"))["orders"]
        executed = (await self.do("executions"))["executions"]
        held = (await self.do("positions"))["positions"]
        self._reckon_orders(orders)
        self._reckon_executions(executed)
        self._reckon_states(orders, executed)
        self._reckon_holdings(held)

    def _reckon_orders(self, orders: list[dict[str, Any]]) -> None:
        """One broker order for each intent, one id for each intent, reserved before it was seen."""
        twice = "accepted_twice" in self.faults
        counts = Counter(row["orderRef"] for row in orders)
        doubled = {ref: count for ref, count in counts.items() if count > 1}
        self.result.duplicates = 0 if twice else sum(count - 1 for count in doubled.values())
        if doubled and not twice:
            self.result.blame(f"broker orders more than once: {doubled}")
        live = Counter(row["orderRef"] for row in orders if row["status"] not in _DONE)
        if any(count > 1 for count in live.values()):
            self.result.blame(f"more than one live order: {live}")
        reserved: dict[str, set[int]] = {}
        for event in self.journal.events:
            if event.state == "RESERVED" and event.order_id is not None:
                reserved.setdefault(event.order_ref, set()).add(event.order_id)
        for row in orders:
            if row["orderId"] not in reserved.get(row["orderRef"], set()):
                self.result.blame(f"order {row['orderRef']} was sent under {row['orderId']}, not reserved")
        submits = {one.order_ref for one in self.journal.orders if one.kind == "submit"}
        ids = [number for ref in submits for number in reserved.get(ref, ())]
        if len(ids) != len(set(ids)) or any(len(reserved.get(ref, ())) > 1 for ref in submits):
            self.result.blame(f"order ids are not one to one: {reserved}")

    def _reckon_executions(self, executed: list[dict[str, Any]]) -> None:
        """The same executions on both sides, to the quantity, the price and the commission."""
        ours = newest(self.journal.reports)
        theirs = {row["execId"].rpartition(".")[0]: row for row in executed}
        self.result.lost_fills = len(theirs.keys() - ours.keys())
        if theirs.keys() != ours.keys():
            self.result.blame(f"executions differ: {sorted(theirs.keys() ^ ours.keys())}")
        for root in theirs.keys() & ours.keys():
            row, report = theirs[root], ours[root]
            if (row["shares"], row["price"]) != (report.quantity, report.price):
                self.result.blame(f"execution {root}: {report} and {row}")
            if report.commission != row["commission"]:
                self.result.blame(f"commission of {root}: {report.commission} and {row['commission']}")

    def _reckon_states(self, orders: list[dict[str, Any]], executed: list[dict[str, Any]]) -> None:
        """Every order in a known state, and the state is true."""
        live = {row["orderRef"] for row in orders if row["status"] not in _DONE}
        filled: Counter[str] = Counter()
        for row in executed:
            filled[row["orderRef"]] += row["shares"]
        standing = standings(self.journal.events)
        for intent in self.journal.orders:
            ref = intent.order_ref
            known = standing.get(ref)
            state = known.state if known else "PLANNED"
            self.result.states[state] += 1
            resting = state in {"PLANNED", "UNKNOWN"} or intent.kind != "submit"
            held_back = resting and bool(self.journal.halt or self.waiting)
            if state not in KNOWN and not held_back:
                self.result.blame(f"order {ref} ends as {state}")
            if intent.kind != "submit" or known is None:
                continue
            if abs(known.filled - filled[ref]) > 1e-9:
                self.result.blame(
                    f"order {ref}: {known.filled} filled by the ledger, {filled[ref]} at the broker"
                )
            if filled[ref] > intent.quantity + 1e-9 and not self.journal.halt:
                self.result.blame(f"order {ref}: {filled[ref]} executed of {intent.quantity}, and no alarm")
            if (state in {"ACKED", "PARTIAL"}) != (ref in live) and not self._told(ref):
                self.result.blame(f"order {ref} is {state}, live at the broker: {ref in live}")

    def _told(self, ref: str) -> bool:
        """Whether a person was told of the broker's own doubling, which no client can undo."""
        return "accepted_twice" in self.faults and any(alarmed == ref for alarmed, _ in self.journal.alarms)

    def _reckon_holdings(self, held: dict[str, float]) -> None:
        """Positions as the ledger has them, never a position that nobody wanted, no freeze without cause."""
        expected = self.journal.expected("")
        assert expected is not None
        if expected.positions != held:
            self.result.blame(f"positions {expected.positions} and {held}")
        late_exit = "fill_after_cancel" in self.faults or "accepted_twice" in self.faults
        if any(quantity < 0 for quantity in held.values()) and not late_exit:
            self.result.blame(f"both exits filled: {held}")
        if self.journal.halt and not late_exit:
            self.result.blame(f"frozen: {self.journal.halt}")


_DONE = {"Filled", "Cancelled", "ApiCancelled", "Inactive"}


async def play(seed: int, **options: Any) -> Result:
    """One trial against a gateway of its own."""
    decoder = _Listener()
    logger = logging.getLogger("ib_async.Decoder")
    logger.addHandler(decoder)
    settings = Settings(
        costs=NO_COSTS,
        max_messages=0,
        seed=seed,
        strict_ids=seed % 3 == 0,
        execution_time=("zone", "utc", "bare")[seed % 3],
    )
    try:
        with tempfile.TemporaryDirectory(prefix="placing") as folder:
            async with running_gateway(settings, Path(folder)) as gateway:
                trial = Trial(seed, gateway, **options)
                result = await trial.play()
                lines = [*decoder.lines, *trial.undecoded]
                if lines and not {"garbage", "malformed_version", "oversize"} & set(result.faults):
                    result.blame(f"the client could not decode: {lines[0]}")
                return result
    finally:
        logger.removeHandler(decoder)


class _Listener(logging.Handler):
    """What the client's decoder complains of."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def campaign(seeds: Sequence[int], **options: Any) -> list[Result]:
    """Trials one after another."""

    async def run() -> list[Result]:
        return [await play(seed, **options) for seed in seeds]

    with _quiet():
        return asyncio.run(run())


@contextlib.contextmanager
def _quiet() -> Any:
    """Faults are loud; only what the decoder says counts."""
    names = ("ib_async", "desk", "asyncio")
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.getLogger("ib_async.Decoder").setLevel(logging.ERROR)
    logging.getLogger("ib_async.Decoder").propagate = False
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """What trials found, in figures."""
    states: Counter[str] = Counter()
    for result in results:
        states += result.states
    return {
        "trials": len(results),
        "runs": sum(result.runs for result in results),
        "intents": sum(result.intents for result in results),
        "deaths": sum(len(result.deaths) for result in results),
        "faults": len({name for result in results for name in result.faults}),
        "duplicates": sum(result.duplicates for result in results),
        "lost fills": sum(result.lost_fills for result in results),
        "trials with violations": sum(bool(result.violations) for result in results),
        "states": dict(sorted(states.items())),
        "seconds": round(sum(result.seconds for result in results), 1),
    }


def shortcomings(results: Sequence[Result]) -> list[str]:
    """Why a campaign does not show what it is for; none where it does."""
    found = summary(results)
    wrong = [
        f"trial {one.seed} ({', '.join(one.faults)}; deaths {one.deaths}): {'; '.join(one.violations)}"
        for one in results
        if one.violations
    ]
    wrong += [f"{name}: {found[name]}" for name in ("duplicates", "lost fills") if found[name]]
    if found["deaths"] <= found["trials"] / 10:
        wrong.append(f"only {found['deaths']} deaths in {found['trials']} trials; play more")
    if found["faults"] <= FAULTS_MET:
        wrong.append(f"only {found['faults']} kinds of faults; play more trials")
    wrong += [
        f"no order ended as {state}; play more trials" for state in sorted(ENDS_MET - found["states"].keys())
    ]
    return wrong


def side_by_side(
    seeds: range, processes: int, size: int, context: BaseContext | None = None
) -> Iterator[list[Result]]:
    """Trials in parts of so many, in several processes; the results of a part as it is done."""
    parts = [seeds[place : place + size] for place in range(0, len(seeds), size)]
    with ProcessPoolExecutor(processes, context) as pool:
        yield from pool.map(campaign, parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run trials in several processes and print what they found."""
    parser = argparse.ArgumentParser(description="Trials of placing against a gateway with faults.")
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--first", type=int, default=1, help="first seed")
    parser.add_argument("--processes", type=int, default=4)
    chosen = parser.parse_args(arguments)
    results: list[Result] = []
    seeds = range(chosen.first, chosen.first + chosen.trials)
    for part in side_by_side(seeds, chosen.processes, 50):
        results += part
        end = "\r" if sys.stderr.isatty() and len(results) < chosen.trials else "\n"
        print(f"{len(results)} of {chosen.trials} trials", end=end, file=sys.stderr, flush=True)
    for name, value in summary(results).items():
        print(f"{name}: {value}")
    wrong = shortcomings(results)
    print(*wrong, sep="\n", file=sys.stderr, end="\n" if wrong else "")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
