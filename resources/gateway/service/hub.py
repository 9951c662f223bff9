"""Between the clients and the broker: hands requests to their handlers and events to those who listen."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from resources.gateway.account.positions import ACCOUNT
from resources.gateway.broker import Broker
from resources.gateway.events import Event
from resources.gateway.instruments.blackscholes import chain_terms
from resources.gateway.instruments.database import Instrument
from resources.gateway.market.beta import beta
from resources.gateway.market.prices import Tape
from resources.gateway.orders.ticket import HAND, open_order, order_status
from resources.gateway.service.faults import Faults
from resources.gateway.service.naming import Naming
from resources.gateway.service.session import Session
from resources.gateway.settings import Settings
from resources.gateway.wire.frames import unpack
from resources.gateway.wire.layout.fields import LayoutError, Values, decode
from resources.gateway.wire.layout.requests import REQUESTS

log = logging.getLogger("desk.gateway")

FARMS = (
    (2104, "Market data farm connection is OK:usfarm"),
    (2106, "HMDS data farm connection is OK:ushmds"),
    (2158, "Sec-def data farm connection is OK:secdefil"),
)
MASTER = 0


class Hub:
    """Everything behind the sockets.

    Parameters
    ----------
    tape : Tape
        Bars that the gateway knows.
    instrument_rows : callable
        Rows of the instruments table as it is now.
    """

    def __init__(
        self,
        settings: Settings,
        broker: Broker,
        tape: Tape,
        instrument_rows: Callable[[], Iterable[Mapping[str, Any]]] = list,
    ) -> None:
        self.settings = settings
        self.naming = Naming(tuple((settings.account or ACCOUNT).split(",")))
        self.broker = broker
        self.tape = tape
        self._instrument_rows = instrument_rows
        self.faults = Faults(settings.seed)
        self.sessions: list[Session] = []
        self.id_shift: dict[int, int] = {}
        self.handled: dict[str, int] = {}
        self.refused_frames: list[str] = []
        self.followed: object = None
        self._marked: dict[str, int] = {}
        self.swallowed: list[tuple[int, str, Values]] = []
        broker.beta = lambda one, market: beta(tape, one, market, broker.clock.now())
        if settings.market == "sessions":
            broker.regular_hours = self._within_session

    # ------------------------------------------------------------------------------------------- requests

    def handle(self, session: Session, payload: bytes) -> None:
        """Read one request and let its handler answer; what cannot be read is refused and logged."""
        read = self.read(session, payload)
        if read is not None:
            self.dispatch(session, *read)

    def read(self, session: Session, payload: bytes) -> tuple[str, Values] | None:
        """Name and values of a request; None after it was refused."""
        texts = unpack(payload)
        number = int(texts[0]) if texts and texts[0].isascii() and texts[0].isdigit() else -1
        message = REQUESTS.get(number)
        if message is None:
            self._refuse_frame(
                session, payload, -1, f"no request has the number {texts[0] if texts else ''!r}"
            )
            return None
        try:
            return message.name, session.naming.inward(decode(message, texts[1:], session.version))
        except LayoutError as error:
            self._refuse_frame(session, payload, _identity(message.name, texts), str(error))
            return None

    def dispatch(self, session: Session, name: str, values: Values) -> None:
        """Let the handler of a request answer it."""
        from resources.gateway.service.handlers import HANDLERS  # noqa: PLC0415 - handlers need this module

        self.handled[name] = self.handled.get(name, 0) + 1
        number = values.get("orderId", values.get("reqId"))
        if "reqId" in values and values["reqId"] is None:
            session.error(-1, 320, f"Error reading request. {name} without a request id")
            return
        handler = HANDLERS.get(name)
        if handler is None:
            session.error(
                number or -1,
                321,
                f"Error validating request. {name} is not supported by the simulated gateway",
            )
            return
        try:
            handler(self, session, values)
        except Exception as error:
            log.exception("request %s of client %d failed", name, session.client_id)
            session.error(
                number or -1, 322, f"Error processing request.-'{type(error).__name__}' : cause - {error}"
            )

    def _refuse_frame(self, session: Session, payload: bytes, number: int, reason: str) -> None:
        shown = payload[:512].hex(" ")
        log.warning("client %d sent a frame that cannot be read (%s): %s", session.client_id, reason, shown)
        self.refused_frames.append(f"{reason}: {shown}")
        del self.refused_frames[:-100]
        session.error(number, 320, f"Error reading request. {reason}")

    # --------------------------------------------------------------------------------------------- events

    def distribute(self) -> None:
        """Make what happened durable, then queue it for those who listen."""
        for event in self.broker.commit():
            for session in self.sessions:
                if session.started and _listens(session, event):
                    session.send(event.name, event.values)
        if self.broker.account_changed:
            self.broker.account_changed = False
            self._push_account()

    def price_changed(self, symbol: str) -> None:
        """Tell those who listen to a symbol, or to what is priced by it, the new price."""
        from resources.gateway.service.handlers.history import push_bars, push_scans  # noqa: PLC0415 - handlers need this module
        from resources.gateway.service.handlers.market_data import push_quotes  # noqa: PLC0415

        for session in self.sessions:
            for name in self._priced_by(symbol, session):
                push_quotes(self, session, name)
            push_bars(self, session, symbol)
            push_scans(self, session)

    def _priced_by(self, symbol: str, session: Session) -> list[str]:
        """Symbols that a client listens to and whose price follows that of a symbol."""
        instruments = self.broker.instruments
        source = instruments.by_symbol(symbol)
        listened = dict.fromkeys(str(kept.get("symbol", "")) for kept in session.streams.values())
        found = [instruments.by_symbol(name) for name in listened]
        return [
            one.symbol
            for one in found
            if one is not None and source is not None and instruments.depends(one, source.con_id)
        ]

    def _push_account(self) -> None:
        from resources.gateway.service.handlers.accounts import push_account  # noqa: PLC0415 - handlers need this module

        for session in self.sessions:
            if session.started:
                push_account(self, session)

    # ------------------------------------------------------------------------------------------- sessions

    def welcome(self, session: Session) -> None:
        """Tell a client that has said who it is the account, its next order id and the state of the farms."""
        session.send("managedAccounts", accounts=",".join(self.broker.names))
        session.send("nextValidId", orderId=self.next_order_id(session.client_id))
        if self.settings.notices:
            for code, text in FARMS:
                session.error(-1, code, text)

    def next_order_id(self, client_id: int) -> int:
        """Next order id that a client is told: above all it has used, unless a fault rolls it back."""
        used = self.broker.book.last_order_id.get(client_id, 0)
        following = max(used + 1, self.settings.first_order_id)
        return max(following - self.id_shift.get(client_id, self.id_shift.get(-1, 0)), 1)

    def bind_new_orders(self) -> None:
        """Bind orders entered by hand where client 0 has asked for those to come."""
        for session in [one for one in self.sessions if one.auto_bind]:
            self.bind_manual_orders(session)

    def bind_manual_orders(self, session: Session, *, negative: bool = False) -> None:
        """Give orders entered by hand an id of client 0."""
        book = self.broker.book
        for ticket in [entry for entry in book.active() if entry.client_id == HAND and not entry.order_id]:
            if negative:
                number = min((entry.order_id for entry in book.tickets.values()), default=0) - 1
            else:
                number = self.next_order_id(MASTER)
            book.rename(ticket, MASTER, number)
            if number > 0:
                book.use_order_id(MASTER, number)
            self.broker.save(ticket)
            session.send("orderBound", permId=ticket.perm_id, clientId=MASTER, orderId=number)
            session.send("openOrder", open_order(ticket))
            session.send("orderStatus", order_status(ticket))

    # ---------------------------------------------------------------------------------------------- prices

    def refresh(self) -> None:
        """Read again what the lake knows by now."""
        for row in self._instrument_rows():
            self.broker.instruments.add(row)
        self.tape.refresh()

    def concerned(self) -> list[str]:
        """Symbols that orders, positions or subscriptions need prices of."""
        broker = self.broker
        numbers = {number for account in broker.accounts.values() for number in account.held()}
        for ticket in broker.book.active():
            instrument = broker.instrument_of(ticket)
            numbers |= {instrument.con_id, *(number for number, _ in instrument.legs)}
            numbers |= {entry.get("conId") or 0 for entry in ticket.order.get("conditions") or ()}
        found = (broker.instruments.by_id(number) for number in numbers)
        streamed = {
            str(kept.get("symbol", "")) for client in self.sessions for kept in client.streams.values()
        }
        held = {entry.symbol for entry in found if entry is not None}
        return sorted(symbol for symbol in held | streamed if symbol and not symbol.startswith("BAG:"))

    def mark_positions(self) -> None:
        """Give what is needed and has no price the last one that its bars know."""
        now = self.broker.clock.now()
        symbols = self.concerned()
        self.tape.need(symbols)
        for symbol in [name for name in symbols if self.broker.quotes.get(name) is None]:
            last = self.tape.last_close(symbol, now)
            if last is not None:
                self.broker.quotes.finish(symbol, last.bar, last.closes_at)

    def price_of(self, symbol: str) -> None:
        """Know the last price of a symbol, once for each state of the lake."""
        instrument = self.broker.instruments.by_symbol(symbol)
        if instrument is not None and self._marked.get(symbol) != self.tape.generation:
            self._marked[symbol] = self.tape.generation
            for number in (instrument.under_con_id, *(number for number, _ in instrument.legs)):
                owner = self.broker.instruments.by_id(number)
                if owner is not None:
                    self.price_of(owner.symbol)
            self.price(instrument)

    def price(self, instrument: Instrument) -> float | None:
        """Last price: as quoted, else of the last bar; of an option without either the model's."""
        quotes = self.broker.quotes
        if not instrument.legs and quotes.get(instrument.symbol) is None:
            last = self.tape.last_close(instrument.symbol, self.broker.clock.now())
            if last is not None:
                quotes.finish(instrument.symbol, last.bar, last.closes_at)
        elif not instrument.legs and (self.settings.market == "sessions" or self.tape.live):
            return self._newer_close(instrument.symbol) or quotes.price(instrument)
        return quotes.price(instrument)

    def _newer_close(self, symbol: str) -> float | None:
        """Close of a bar that came after the last quote: nobody needed the symbol in its session."""
        quote = self.broker.quotes.get(symbol)
        last = self.tape.last_close(symbol, self.broker.clock.now())
        if quote is None or last is None or last.closes_at <= quote.at:
            return None
        if last.session > quote.at.date():
            self.broker.quotes.open(symbol, last.bar, quote.at)
        self.broker.quotes.finish(symbol, last.bar, last.closes_at)
        return last.bar.close

    def bid_ask(self, instrument: Instrument, price: float) -> tuple[float, float]:
        """Bid and offer of an instrument that has a price."""
        return self.broker.quotes.bid_ask(instrument) or (price, price)

    def _within_session(self, now: datetime) -> bool:
        hours = self.tape.hours(now.date(), [])
        return hours.opens_at <= now <= hours.closes_at

    def know_options(self, wanted: Mapping[str, Any]) -> None:
        """Add the options of a made-up chain when a client asks for options that nobody gave."""
        if wanted.get("secType") != "OPT" or wanted.get("conId") or not wanted.get("symbol"):
            return
        instruments = self.broker.instruments
        for owner in instruments.find({"symbol": wanted["symbol"], "secType": "STK"}):
            if not instruments.options(owner.con_id):
                spot = self.broker.quotes.price(owner)
                for terms in chain_terms(owner.ticker, spot, self.broker.clock.now().date()):
                    instruments.add_option(owner, terms)


def _listens(session: Session, event: Event) -> bool:
    if event.name == "position":
        return session.positions
    if event.client_id is None:
        return True
    if event.client_id == session.client_id:
        return True
    return session.client_id == MASTER and event.client_id < 0


def _identity(name: str, texts: list[str]) -> int:
    place = {"placeOrder": 1, "cancelOrder": 2}.get(name)
    if place is None or len(texts) <= place or not texts[place].lstrip("-").isdigit():
        return -1
    number = int(texts[place]) if texts[place].isascii() else -1
    return number if abs(number) < 2**31 else -1
