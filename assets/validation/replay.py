"""Sessions of a book through a gateway at full speed: nothing is written, the journal is in memory.

Everything between a decision and its fill is what a paper book uses: the placing algorithm, the client,
sockets, the gateway's process. Only the lake is left out, which would take most of the time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl

from assets.desk import policy
from assets.executions import execution
from assets.inputs import MarketFrames, prices_of, session_times
from assets.validation.comparison import Frames, account_rows, decided_frames, order_states
from assets.validation.gateway import AFTER_CLOSE, PACE, open_session, settled
from delta.contracts import OrderEvents
from resources.brokers.base import Instruments
from resources.brokers.ib import IBBroker
from resources.brokers.journal import MemoryJournal
from resources.brokers.lease import NoLease
from resources.brokers.placing import Placing
from resources.brokers.rows import intent_of
from resources.brokers.session import ticking
from resources.gateway.process import Control
from trading.book import BookConfig, config_hash
from trading.journal import SCHEMAS, Journal
from trading.matching import OrderState, RecordedMarket
from trading.placement import ENDED, Event, Intent, Ledger, PlacingPolicy, Standing, newest
from trading.simulate import Inputs, simulate
from trading.state import BookState, new_state
from trading.window import SessionTimes

CLIENT = 17
LOOKED_BACK = timedelta(days=5)
"""Orders decided so long ago are looked at again, done or not."""


@dataclass
class RecentJournal(MemoryJournal):
    """A journal in memory that hands out what may still change, as the lake's does.

    Attributes
    ----------
    standing : dict of str to Standing
        Where every order stands, kept from event to event: a year has too many to fold them anew each time.
    """

    standing: dict[str, Standing] = field(default_factory=dict)

    def append(self, events: Sequence[Event]) -> None:
        """Add events; those of an order come in the order of their numbers."""
        super().append(events)
        for event in events:
            before = self.standing.get(event.order_ref, Standing())
            self.standing[event.order_ref] = before.after(event)

    def intents(self) -> list[Intent]:
        """Orders that go on, those of the last days, and the parents of both."""
        if not self.orders:
            return []
        since = self.orders[-1].session - LOOKED_BACK
        kept = {
            intent.order_ref
            for intent in self.orders
            if intent.session >= since
            or (intent.kind == "submit" and self.standing[intent.order_ref].state not in ENDED)
        }
        chosen = [intent for intent in self.orders if intent.order_ref in kept]
        kept |= {ref for intent in chosen for ref in (intent.parent_ref, intent.target_ref) if ref}
        return [intent for intent in self.orders if intent.order_ref in kept]

    def expected(self, account: str) -> None:
        """Nothing: the account is held against the ledger after the sessions."""

    def ledger(self) -> Ledger:
        """Events of those orders; executions of the last days."""
        refs = {intent.order_ref for intent in self.intents()}
        return Ledger(
            tuple(event for event in self.events if event.order_ref in refs), tuple(self.reports[-1000:])
        )


@dataclass
class Replay:
    """A book on its way through the sessions.

    Parameters
    ----------
    market : MarketFrames
        Prices up to the last session.
    inputs : Inputs
        Research of all sessions.
    """

    book: BookConfig
    market: MarketFrames
    inputs: Inputs
    instruments: Instruments
    port: int
    control: Control
    state: BookState = field(init=False)
    journal: RecentJournal = field(default_factory=RecentJournal)
    rows: Journal = field(default_factory=Journal)
    account: list[tuple[date, str, float]] = field(default_factory=list)
    booked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.state = new_state(self.book.capital, self.book.currency)
        self._rules = policy(self.book)

    def run(self, days: Sequence[date], progress: Callable[[date], None] | None = None) -> Frames:
        """Carry the sessions through and return what came of them, by table."""
        asyncio.run(self._run(days, progress))
        events = pl.DataFrame(
            self.journal.events, schema={name: OrderEvents.schema()[name] for name in _EVENT}, orient="row"
        )
        return {
            **decided_frames(self.rows.frames()),
            "order_states": order_states(events),
            "account": account_rows(self.account),
        }

    async def _run(self, days: Sequence[date], progress: Callable[[date], None] | None) -> None:
        times = session_times(self.book.calendar, days[0], days[-1])
        for number, time in enumerate(times):
            if number:
                open_session(self.control, time.session)
                await self._place(time, send=False)
            if self._decide(time):
                await self._place(time, send=True)
            self.control.ask("advance", to=(time.closes_at + AFTER_CLOSE).isoformat())
            self._look_at_account(time.session)
            if progress is not None:
                progress(time.session)

    def _decide(self, time: SessionTimes) -> bool:
        """Book and decide one session by the steps of the schedule; whether orders were approved."""
        window = prices_of(self.market, self.book, [time])
        made = simulate(
            self.state,
            window,
            self.inputs,
            self._rules,
            config_hash=config_hash(self.book),
            acknowledge=False,
            market=self._record(time),
        )
        for table in SCHEMAS:
            getattr(self.rows, table).extend(getattr(made, table))
        columns = list(SCHEMAS["orders"])
        orders = (dict(zip(columns, row, strict=True)) for row in made.orders)
        approved = [intent_of(row) for row in orders if row["status"] == "approved"]
        self.journal.orders += approved
        return bool(approved)

    def _record(self, time: SessionTimes) -> RecordedMarket:
        """What the broker has reported since the session before."""
        known = {intent.order_ref: (intent.strategy, intent.purpose) for intent in self.journal.orders}
        known |= {order.order_ref: (order.strategy, order.purpose) for order in self.state.working}
        fresh = [one for root, one in newest(self.journal.reports).items() if root not in self.booked]
        self.booked |= {report.root for report in fresh}
        executions = [
            execution(report, known.get(report.order_ref), self.state, time)
            for report in fresh
            if report.quantity > 0.0
        ]
        working = {order.order_ref for order in self.state.working}
        ended: dict[str, tuple[OrderState, str]] = {
            ref: ("CANCELLED", standing.message)
            for ref, standing in self.journal.standing.items()
            if ref in working and standing.state in ENDED - {"FILLED"}
        }
        return RecordedMarket(self._rules.costs, executions, ended)

    async def _place(self, time: SessionTimes, *, send: bool) -> None:
        clock = ticking(time.closes_at + AFTER_CLOSE)
        limits = self.book.placement.model_copy(update={"read_only": not send})
        broker = IBBroker(self.instruments, port=self.port, client_id=CLIENT, pace=PACE, clock=clock)
        rules = PlacingPolicy(
            CLIENT,
            limits,
            timedelta(seconds=limits.look_seconds),
            multipliers={one.symbol: one.multiplier for one in self.instruments.values()},
            market_open=False,
        )
        outcome = await Placing(broker, self.journal, NoLease(), rules, PACE, clock).run()
        settled(self.book, time.session, outcome)

    def _look_at_account(self, session: date) -> None:
        held: Mapping[str, Mapping[str, float]] = self.control.ask("positions")
        self.account += [(session, symbol, units) for symbol, units in held["positions"].items()]
        self.account += [(session, f"cash {code}", amount) for code, amount in held["cash"].items()]


_EVENT = (
    "order_ref",
    "sequence",
    "state",
    "at",
    "client_id",
    "order_id",
    "perm_id",
    "filled",
    "remaining",
    "average_price",
    "code",
    "message",
)
