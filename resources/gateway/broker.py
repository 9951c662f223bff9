"""The simulated broker: lets the market work orders, keeps the account and tells what happened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from resources.gateway.account import executions as fills
from resources.gateway.account.allocation import ALL, Group, divided, everybody, group_name
from resources.gateway.account.margins import allocate
from resources.gateway.account.positions import (
    ACCOUNT,
    Account,
    Booking,
    account_names,
    booking_from,
    replay,
)
from resources.gateway.events import Event, error
from resources.gateway.instruments.database import Instrument, Instruments
from resources.gateway.journal import Journal
from resources.gateway.market.clock import Clock, SimulatedClock
from resources.gateway.market.quotes import Quotes
from resources.gateway.orders import hedging, scaling
from resources.gateway.orders.attached import is_attached
from resources.gateway.orders.book import Book
from resources.gateway.orders.checks import Refusal
from resources.gateway.orders.matching import SessionWork, costs_for, flat_bar
from resources.gateway.orders.ticket import (
    Ticket,
    from_record,
    open_order,
    order_status,
    to_record,
    working_terms,
)
from resources.gateway.orders.translate import may_rest
from resources.gateway.settings import Settings
from resources.gateway.wire.layout.fields import Values
from resources.gateway.wire.times import day_around, read_time, spell_time
from trading.matching import OrderEvent
from trading.orders import Bar, Execution

_EVER = "9999-12-31T00:00:00+00:00"
_ENDED = {"FILLED": "Filled", "CANCELLED": "Cancelled", "EXPIRED": "Cancelled"}


class Broker:
    """State of the account and of every order, and the events that changes of it cause.

    Nothing in :attr:`outbox` may be sent before :meth:`commit` has returned.
    """

    def __init__(self, settings: Settings, instruments: Instruments, clock: Clock, journal: Journal) -> None:
        self.settings = settings
        self.instruments = instruments
        self.clock = clock
        self.quotes = Quotes(instruments, clock)
        self.book = Book()
        self.names = account_names(len(settings.account.split(",")))
        self.accounts = {name: Account() for name in self.names}
        self.advise([], {}, restored=True)
        self.bookings: list[Booking] = []
        self.executions: list[Values] = []
        self.outbox: list[Event] = []
        self.account_changed = False
        self._dividends: list[dict[str, Any]] = []
        self.last_session: date | None = None
        self.seen: dict[str, datetime] = {}
        self._booked_once: set[str] = set()
        self.held_ids: set[tuple[int, int]] = set()
        self.regular_hours: Callable[[datetime], bool] = lambda _: True
        self.beta: Callable[[Instrument, Instrument], float | None] = lambda _, __: None
        self.grown: dict[int, Ticket] = {}
        self.costs = costs_for(settings.costs)
        self.quote_costs = costs_for(settings.costs, whole_volume=True)
        self._journal = journal
        self._saved: dict[int, tuple[object, ...]] = {}
        self._execution_count = 0
        self.openings: dict[str, float] = {}
        self.opening_bookings = 0
        self._midnight = datetime.min.replace(tzinfo=UTC)
        self._restore()
        self.turn_day()

    @property
    def account(self) -> Account:
        """The first account, which is the only one unless the settings name several."""
        return self.accounts[ACCOUNT]

    @property
    def opening_equity(self) -> float:
        """Equity of the first account when the day began."""
        return self.openings.get(ACCOUNT, 0.0)

    def holders(self, con_id: int) -> dict[str, float]:
        """Units of a contract by account, of those that hold any."""
        held = {name: account.held().get(con_id) for name, account in self.accounts.items()}
        return {name: position.quantity for name, position in held.items() if position is not None}

    # ------------------------------------------------------------------------------------------- durable

    def commit(self) -> list[Event]:
        """Make everything durable and hand out the events that it caused."""
        self._journal.commit()
        events, self.outbox = self.outbox, []
        return events

    def save(self, ticket: Ticket) -> None:
        """Write down a ticket as it is now."""
        self._journal.append("ticket", to_record(ticket))
        self._saved[ticket.perm_id] = working_terms(ticket)

    def note(self, kind: str, content: dict[str, Any]) -> None:
        """Write down something else that must survive."""
        self._journal.append(kind, content)

    def book_movement(self, booking: Booking) -> float:
        """Apply a movement to the account and write it down."""
        self.bookings.append(booking)
        self.account_changed = True
        self._journal.append("booking", {"booking": booking._asdict()})
        return self.accounts[booking.account].book(booking)

    def _restore(self) -> None:
        for record in self._journal.records:
            self._restore_record(record)
        begun = {booking.account for booking in self.bookings}
        for name in [one for one in self.names if one not in begun]:
            deposit = Booking("cash", amount=self.settings.capital, currency=self.settings.currency)
            self.book_movement(deposit._replace(reference="deposit", account=name))
            self.begin_day(self.settings.capital, name)
            self._journal.commit()
        for ticket in [entry for entry in self.book.active() if "transmit" in entry.waits]:
            self.book.drop(ticket)
        self._journal.records.clear()

    def _restore_record(self, record: dict[str, Any]) -> None:
        match record["kind"]:
            case "ticket":
                ticket = from_record(record)
                self.book.put(ticket)
                self._saved[ticket.perm_id] = working_terms(ticket)
            case "execution":
                self._keep(record["execution"])
            case "booking":
                booking = booking_from({**record["booking"]})
                self.bookings.append(booking)
                self.accounts.setdefault(booking.account, Account()).book(booking)
            case "order_id":
                self.book.use_order_id(record["client_id"], record["order_id"])
            case "correction":
                self._replace(record["replaces"], record["execution"])
            case "advisor":
                groups = [Group(*entry) for entry in record["groups"]]
                self.advise(groups, record["aliases"], restored=True)
            case "purge":
                self._hide_done(datetime.fromisoformat(record.get("before", _EVER)))
            case _:
                self._restore_surroundings(record)

    def _restore_surroundings(self, record: dict[str, Any]) -> None:
        match record["kind"]:
            case "instrument":
                self.instruments.add_combination(record["contract"])
            case "instrument_row":
                self.instruments.add(record["row"])
            case "opening":
                self.openings[record.get("account", ACCOUNT)] = record["equity"]
                self.opening_bookings = record["bookings"]
            case "day_end":
                self.quotes.end_day()
            case "dividend":
                self._dividends.append(record["due"])
            case "dividends_paid":
                self._dividends = [entry for entry in self._dividends if entry["paid"] > record["session"]]
            case "once":
                self._booked_once.add(record["name"])
            case "seen":
                times = {name: datetime.fromisoformat(at) for name, at in record["seen"].items()}
                self.seen.update(times)
            case "quote_split":
                self.quotes.split(record["symbol"], record["ratio"])
            case "session":
                self.last_session = date.fromisoformat(record["session"])
            case "price":
                self.quotes.trade(
                    record["symbol"], record["price"], 0.0, datetime.fromisoformat(record["at"])
                )
            case "clock":
                self._restore_clock(datetime.fromisoformat(record["now"]))

    def _restore_clock(self, now: datetime) -> None:
        if isinstance(self.clock, SimulatedClock) and now > self.clock.now():
            self.clock.advance(now)

    # -------------------------------------------------------------------------------------------- telling

    def emit(self, name: str, values: Values, client_id: int | None = None) -> None:
        """Queue a message for clients."""
        self.outbox.append(Event(name, values, client_id))

    def refuse(self, client_id: int, order_id: int, refusal: Refusal) -> None:
        """Tell a client that an order was refused."""
        details = (
            "" if refusal.code != 201 else '{"reject":{"reason":"' + refusal.text.replace('"', "'") + '"}}'
        )
        self.outbox.append(error(client_id, order_id, refusal.code, refusal.text, details))

    def report(self, ticket: Ticket, **further: Any) -> None:
        """Tell an order and its status to its client."""
        self.emit("openOrder", open_order(ticket, **further), ticket.client_id)
        self.emit("orderStatus", order_status(ticket), ticket.client_id)

    # ------------------------------------------------------------------------------------------ executing

    def work(self, run: Callable[[SessionWork], None], *, quotes: bool = False) -> None:
        """Let the market work orders and book what comes of it.

        Parameters
        ----------
        run : callable
            Steps of the market.
        quotes : bool
            Whether single prices are met, whose size may be taken whole.
        """
        active = self.book.active()
        costs = self.quote_costs if quotes else self.costs
        session = SessionWork(costs, active, self.clock.now().date())
        run(session)
        self.settle(session, active, {})

    def meet(self, tickets: list[Ticket], symbol: str, price: float, size: float = float("inf")) -> None:
        """Let tickets of a symbol meet a single price, of which so many units are to be had."""
        bar = flat_bar(price, size)
        grown, again = set(self.grown), tickets
        while again:  # the next component of a scale order meets the price, too
            levels = {ticket.perm_id: ticket.scheduled for ticket in again}
            self.work(partial(_trade, again, symbol, bar), quotes=True)
            risen = [t for t in again if not t.done and t.scheduled != levels[t.perm_id]]
            again = risen if size == float("inf") else []
        self.meet_hedges([number for number in self.grown if number not in grown])

    def meet_hedges(self, numbers: Iterable[int] | None = None) -> None:
        """Let hedges that have grown meet the last prices; by default all of them.

        Fills within a bar make hedges grow that meet a price only when the bar has come to its end: nobody
        knows where in the bar the fill was.
        """
        for number in list(self.grown) if numbers is None else numbers:
            hedge = self.grown.pop(number)
            price = self.quotes.price(self.instrument_of(hedge))
            if price is not None and not hedge.done and not hedge.waits and hedge.work.live:
                self.meet([hedge], hedge.symbol, price)

    def settle(self, session: SessionWork, active: Iterable[Ticket], times: Mapping[str, datetime]) -> None:
        """Book executions and events of the market, and tell them.

        Parameters
        ----------
        times : mapping
            Time of the executions of a phase of the session; now where it is not given.
        """
        executions, events = session.results()
        for execution in executions:
            self._execute(execution, times.get(execution.phase, self.clock.now()))
        for event in events:
            self._end(event)
        self.follow(active)

    def follow(self, tickets: Iterable[Ticket]) -> None:
        """Tell, and make durable, what became of tickets that go on."""
        for ticket in tickets:
            self._follow(ticket)

    def _execute(self, fill: Execution, at: datetime) -> None:
        ticket = self.book.tickets[int(fill.order_ref)]
        instrument = self.instrument_of(ticket)
        ticket.last_price = fill.price
        if ticket.order_type == "MTL" and ticket.work.order_type == "market":
            ticket.work.order_type, ticket.work.limit_price = "limit", fill.price
        number = self.next_execution()
        records = [self._record(ticket, number, 1, instrument, fill.side, fill.quantity, fill.price, at)]
        records[0]["commission"] = None if instrument.legs else fill.commission
        legs = self._legs(instrument)
        short_of = fill.price - sum(ratio * self._leg_price(leg) for leg, ratio in legs)
        for part, (leg, ratio) in enumerate(legs, start=2):
            side = "BUY" if (ratio > 0) == (fill.side == "BUY") else "SELL"
            quantity = fill.quantity * abs(ratio)
            price = self._leg_price(leg)
            if part == 2:  # the legs cost together what the combination costs
                price = round(price + short_of / ratio, 8)
            record = self._record(ticket, number, part, leg, side, quantity, price, at)
            cost = self.costs[leg.asset_class].commission.cost(quantity, record["price"], leg.multiplier)
            record["commission"] = cost
            records.append(record)
        if group_name(ticket.order):
            records = self._allocated(ticket, number, instrument, records[0])
        for record in records:
            self.book_execution(record)
        hedging.grow(self, ticket, fill.quantity, fill.price)
        scaling.executed(self, ticket, fill.quantity)

    def _allocated(self, ticket: Ticket, number: int, instrument: Instrument, whole: Values) -> list[Values]:
        """Parts of an execution by account; each costs what an order of its own would."""
        parts = []
        weights = ticket.order.get("allocation") or allocate(self, instrument, ticket.order)["allocation"]
        given: dict[str, float] = defaultdict(float)
        for record in self.executions:
            if record["permId"] == ticket.perm_id:
                given[fills.account_of(record)] += record["shares"]
        for part, (name, units) in enumerate(divided(weights, whole["shares"], given), start=1):
            record = {**whole, "execId": fills.execution_id(number, part), "account": name, "shares": units}
            commission = self.costs[instrument.asset_class].commission
            record["commission"] = commission.cost(units, whole["price"], instrument.multiplier)
            parts.append(record)
        return parts

    def book_execution(self, record: Values) -> None:
        """Keep an execution, move the account by it and tell it."""
        instrument = self.instruments.by_id(record["contract"]["conId"])
        if instrument is not None and record["commission"] is not None:
            record["realized"] = self.book_movement(fills.booking(record, instrument.multiplier))
        self._keep(record)
        self._journal.append("execution", {"execution": record})
        values = fills.message(record, -1, self.settings.execution_time)
        self.emit("execDetails", values, record["clientId"])
        if record["commission"] is not None:
            self.emit("commissionReport", fills.commission_message(record), record["clientId"])
        if instrument is not None:
            self.emit_position(instrument, fills.account_of(record))

    def replace_execution(self, old: Values, new: Values) -> None:
        """Keep a corrected execution instead of an old one and work the account out again."""
        self._replace(old["execId"], new)
        self._journal.append("correction", {"replaces": old["execId"], "execution": new})
        self.account_changed = True
        self.emit("execDetails", fills.message(new, -1, self.settings.execution_time), new["clientId"])
        instrument = self.instruments.by_id(new["contract"]["conId"])
        if instrument is not None:
            self.emit_position(instrument, fills.account_of(new))

    def _replace(self, replaced: str, record: Values) -> None:
        instrument = self.instruments.by_id(record["contract"]["conId"])
        multiplier = instrument.multiplier if instrument else 1.0
        self.executions = [entry for entry in self.executions if entry["execId"] != replaced] + [record]
        booking = fills.booking(record, multiplier)
        self.bookings = [booking if entry.reference == replaced else entry for entry in self.bookings]
        self.accounts = {
            name: replay(entry for entry in self.bookings if entry.account == name) for name in self.accounts
        }

    def emit_position(self, instrument: Instrument, account: str) -> None:
        """Tell everybody who listens what an account holds of an instrument now."""
        held = self.accounts[account].positions.get(instrument.con_id)
        if held is not None:
            values = {"account": account, "position": held.quantity, "averageCost": held.average_cost}
            self.emit("position", {**instrument.contract(), **values})

    def next_execution(self) -> int:
        """Take the number of an execution."""
        self._execution_count += 1
        return self._execution_count

    def instrument_of(self, ticket: Ticket) -> Instrument:
        """Instrument of a ticket."""
        found = self.instruments.by_symbol(ticket.symbol)
        if found is None:
            raise KeyError(f"order {ticket.perm_id} is in {ticket.symbol}, which is no longer known")
        return found

    def cancel_tickets(self, tickets: list[Ticket], reason: str) -> None:
        """Cancel tickets and the children that wait for them, and tell it."""
        self.work(lambda session: session.cancel(tickets, reason))

    def close_ticket(self, ticket: Ticket, status: str, reason: str) -> None:
        """Write down that nothing more happens to a ticket."""
        ticket.status = status
        ticket.waits.clear()
        ticket.work.quantity = ticket.work.held = 0.0
        ticket.completed_at = spell_time(self.clock.now())
        ticket.completed_status = reason

    def _end(self, event: OrderEvent) -> None:
        ticket = self.book.tickets[int(event.order_ref)]
        status = _ENDED.get(event.state)
        if status is None or ticket.done:
            return
        if status == "Cancelled":
            self._cancelled(ticket, event.reason)
            return
        if self._may_grow(ticket):
            ticket.work.live = False
            return
        self._filled(ticket)

    def _filled(self, ticket: Ticket) -> None:
        self.close_ticket(ticket, "Filled", f"Filled Size: {ticket.filled:g}")
        self.save(ticket)
        self.report(ticket)
        self.end_followers(ticket)

    def end_followers(self, parent: Ticket) -> None:
        """End the hedges of an order that is done, but those that still work, and its profit orders.

        The profit orders of a scale order that has filled go on; when the last one of a scale order that
        waits for them has ended, so has that.
        """
        for other in self.book.followers(parent):
            if other.done or not (hedging.rests(other) or scaling.is_profit(other)):
                continue
            if other.filled and hedging.rests(other):
                self._filled(other)
            elif parent.status != "Filled" or hedging.rests(other):
                self._cancelled(other, f"parent {parent.status.lower()}")
        scale = self.book.tickets.get(parent.parent_perm_id)
        if scaling.is_profit(parent) and scale is not None:
            self.follow([scale])

    def _may_grow(self, ticket: Ticket) -> bool:
        """Whether an order may get more to trade: from its parent, or from its own profit orders."""
        return hedging.goes_on(self, ticket) or scaling.waits_for_profit(self, ticket)

    def _cancelled(self, ticket: Ticket, reason: str) -> None:
        self.close_ticket(ticket, "Cancelled", reason or "Cancelled by Trader")
        self.save(ticket)
        self.report(ticket)
        if not is_attached(ticket):  # there is no order id to tell it with
            text = f"Order Canceled - reason:{reason}"
            self.outbox.append(error(ticket.client_id, ticket.order_id, 202, text))
        self.end_followers(ticket)
        parent = self.book.tickets.get(ticket.parent_perm_id)
        if ticket.order.get("autoCancelParent") and parent is not None and not parent.done:
            self.cancel_tickets([parent], "its child was cancelled")

    def _follow(self, ticket: Ticket) -> None:
        """Tell what a step of the market changed of an order that goes on."""
        if ticket.done:
            return
        scaling.next_level(ticket, self.settings.seed)
        if ticket.work.quantity + ticket.work.held <= 0.0 and not self._may_grow(ticket):
            if may_rest(ticket.order):
                self._filled(ticket)
            else:
                self._cancelled(ticket, "its group left nothing of it")
            return
        before = (ticket.status, ticket.total, ticket.told)
        status = ticket.working_status()
        total = ticket.work.filled + ticket.work.quantity + ticket.work.held
        ticket.status = status
        if abs(total - ticket.total) > 1e-9:
            ticket.order["totalQuantity"] = total
        ticket.told = ticket.filled
        if before != (ticket.status, ticket.total, ticket.filled):
            self.save(ticket)
            self.report(ticket)
        elif self._saved.get(ticket.perm_id) != working_terms(ticket):
            self.save(ticket)

    def _record(
        self,
        ticket: Ticket,
        number: int,
        part: int,
        instrument: Instrument,
        side: str,
        quantity: float,
        price: float,
        at: datetime,
    ) -> Values:
        identity = fills.execution_id(number, part)
        contract = instrument.contract()
        if instrument.symbol == ticket.symbol:
            contract["exchange"] = ticket.contract["exchange"]
        return fills.execution(ticket, identity, contract, side, quantity, price, at)

    def _keep(self, record: Values) -> None:
        self.executions.append(record)
        number = int(record["execId"].split(".")[1], 16)
        self._execution_count = max(self._execution_count, number)

    def _legs(self, instrument: Instrument) -> list[tuple[Instrument, int]]:
        found = ((self.instruments.by_id(number), ratio) for number, ratio in instrument.legs)
        return [(leg, ratio) for leg, ratio in found if leg is not None]

    def _leg_price(self, leg: Instrument) -> float:
        return self.quotes.price(leg) or 0.0

    # --------------------------------------------------------------------------------------------- day end

    def owe_dividend(self, symbol: str, amount: float, currency: str, paid: date, account: str) -> None:
        """Remember a dividend until its pay date."""
        due = {"symbol": symbol, "amount": amount, "currency": currency, "paid": paid.isoformat()}
        due["account"] = account
        self._dividends.append(due)
        self._journal.append("dividend", {"due": due})

    def take_dividends(self, session: date) -> list[dict[str, Any]]:
        """Dividends that are paid by a session; they are owed no more."""
        due = [entry for entry in self._dividends if entry["paid"] <= session.isoformat()]
        if due:
            self._dividends = [entry for entry in self._dividends if entry not in due]
            self._journal.append("dividends_paid", {"session": session.isoformat()})
        return due

    def begin_day(self, equity: float, account: str) -> None:
        """Count an account's profit and loss of the day from an equity on."""
        self.openings[account], self.opening_bookings = equity, len(self.bookings)
        opening = {"equity": equity, "bookings": self.opening_bookings, "account": account}
        self._journal.append("opening", opening)

    def end_day(self) -> None:
        """End of a day of a continuous market: last prices become closes."""
        self.quotes.end_day()
        self._journal.append("day_end", {})

    def finish_session(self, session: date) -> None:
        """Remember that a session is over: it is not replayed again."""
        self.last_session = session
        self._journal.append("session", {"session": session.isoformat()})

    def book_once(self, name: str) -> bool:
        """Whether something is new; from now on it is not."""
        if name in self._booked_once:
            return False
        self._booked_once.add(name)
        self._journal.append("once", {"name": name})
        return True

    def advise(self, groups: Iterable[Group], aliases: Mapping[str, str], *, restored: bool = False) -> None:
        """Take the groups of an advisor, besides the one of all accounts, and the aliases of the accounts."""
        own = [one for one in groups if one.name != ALL]
        self.groups = {one.name: one for one in (everybody(self.names), *own)}
        self.aliases = dict(aliases)
        if not restored:
            self.note("advisor", {"groups": [list(one) for one in own], "aliases": self.aliases})

    def see(self, times: Mapping[str, datetime]) -> None:
        """Remember up to when the bars of symbols have been traded through."""
        self.seen.update(times)
        self._journal.append("seen", {"seen": {name: at.isoformat() for name, at in times.items()}})

    def turn_day(self) -> None:
        """At midnight of the gateway's zone executions and completed orders of before are told no more."""
        now = self.clock.now()
        if now < self._midnight:
            return
        began, self._midnight = day_around(now)
        if self._hide_done(began):
            self._journal.append("purge", {"before": began.isoformat()})

    def purge(self) -> None:
        """Tell executions and completed orders no more, as at midnight; positions stay."""
        self._journal.append("purge", {})
        self._hide_done(datetime.fromisoformat(_EVER))

    def _hide_done(self, before: datetime) -> bool:
        """Hide what happened before a time; whether there was anything."""
        old = [one for one in self.executions if one["visible"] and fills.news_at(one) < before]
        for record in old:
            record["visible"] = False
        done = [one for one in self.book.tickets.values() if one.done and not one.purged]
        past = [one for one in done if not one.completed_at or read_time(one.completed_at, before) < before]
        for ticket in past:
            ticket.purged = True
        return bool(old or past)


def _trade(tickets: list[Ticket], symbol: str, bar: Bar, session: SessionWork) -> None:
    session.trade(tickets, symbol, bar)
