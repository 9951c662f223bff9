"""Sessions of a book through a gateway's simulated clock, by the stage functions of the schedule."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from assets.desk import walk
from assets.inputs import RefusedError, day_before
from assets.stage import CODE_VERSION
from delta import Commit, Lake
from resources.brokers.base import Pace
from resources.brokers.needs import placing_needed
from resources.brokers.placing import Outcome
from resources.brokers.session import place_book
from resources.calendar import session_close
from resources.config import DeskConfig
from resources.gateway.process import Address, Control
from resources.gateway.settings import Settings
from trading.book import BookConfig

AFTER_CLOSE = timedelta(minutes=5)
"""When the evening of a session begins, as on the schedule."""
PACE = Pace(
    connect=10.0, request=10.0, poll=0.02, follow=5.0, patience=60.0, backoff=(0.1, 0.5, 2.0), messages=0
)
"""Times for a gateway on this machine, which bears any number of messages."""


class EveningError(RuntimeError):
    """A session that could not be carried through the gateway; the message says where and why."""


def traded_book(book: BookConfig, first: date, last: date) -> BookConfig:
    """A book over a range of sessions as a paper book whose orders go to a gateway.

    Every order is sent at once: there is no person to protect from a fast run through the past.

    Raises
    ------
    RefusedError
        When the book converts currencies.
    """
    refuse_conversion(book)
    placement = book.placement.model_copy(
        update={"broker": "ib", "orders_per_minute": 100_000, "orders_per_day": 100_000, "hours": "any"}
    )
    changes = {"mode": "paper", "start": first, "end": last, "placement": placement}
    return BookConfig.model_validate(book.model_dump(by_alias=True) | changes)


def refuse_conversion(book: BookConfig) -> None:
    """Refuse a book of several currencies: a broker keeps a balance in each of them."""
    if book.conversion:
        raise RefusedError(
            f"book {book.name} converts {', '.join(book.conversion)}: a gateway keeps a balance in each "
            "currency, this book one in its own; backfill it, or run it with simulated fills"
        )


def gateway_settings(book: BookConfig, lake: Lake, first: date) -> Settings:
    """Gateway that plays a book's market: the desk's own bars, the book's costs and capital."""
    return Settings(
        market="sessions",
        capital=book.capital,
        currency=book.currency,
        costs=book.costs,
        start=session_close(book.calendar, first) + AFTER_CLOSE,
        check_margin=False,  # the book's own limits hold, as in a backtest
        max_messages=0,
        lake=str(lake.uri),
    )


def desk_at(desk: DeskConfig, where: Address) -> DeskConfig:
    """The desk's configuration with its broker at a gateway on this machine."""
    broker = desk.broker.model_copy(update={"host": "127.0.0.1", "port": where.port, "account": ""})
    return desk.model_copy(update={"broker": broker})


def evening_of(book: BookConfig, day: date) -> datetime:
    """When the evening of a session begins."""
    return session_close(book.calendar, day) + AFTER_CLOSE


def next_evening(
    lake: Lake, desk: DeskConfig, book: BookConfig, day: date, control: Control, *, run_id: str
) -> dict[str, Commit]:
    """Carry a session through: the gateway's market, a look at it, the decision, the orders.

    The research of the session must be there. A session that the gateway has played already is not played
    again.

    Raises
    ------
    EveningError
        When the broker and the ledger differ, or an order ends in no known state.
    """
    now = evening_of(book, day)
    if datetime.fromisoformat(control.ask("status")["now"]) < session_close(book.calendar, day):
        open_session(control, day)
    if day_before(book, day) is not None:
        look(lake, desk, book, now, run_id)
    commits = walk(lake, book, day, day, run_id, scheduled=True)
    finish_evening(lake, desk, book, day, run_id=run_id)
    control.ask("advance", to=now.isoformat())
    return commits


def finish_evening(lake: Lake, desk: DeskConfig, book: BookConfig, day: date, *, run_id: str) -> None:
    """Place the orders that were approved in the evening of a session, where any wait."""
    now = evening_of(book, day)
    if placing_needed(lake, book, now) in ("new", "doubt"):
        settled(book, day, _place(lake, desk, book, now, run_id, send=True))


def open_session(control: Control, day: date) -> None:
    """Let midnight pass, after which the day before is no longer told, and play a session."""
    control.ask("purge")
    control.ask("session", session=day.isoformat(), only=True)


def look(lake: Lake, desk: DeskConfig, book: BookConfig, now: datetime, run_id: str) -> None:
    """Record what the broker has done since the last look; nothing is sent."""
    settled(book, now.date(), _place(lake, desk, book, now, run_id, send=False))


def _place(
    lake: Lake, desk: DeskConfig, book: BookConfig, now: datetime, run_id: str, *, send: bool
) -> Outcome:
    return place_book(
        lake, desk, book, now=now, run_id=run_id, code_version=CODE_VERSION, pace=PACE, send=send
    )


def settled(book: BookConfig, day: date, outcome: Outcome) -> None:
    """Refuse to go on from a run of placing that left something open.

    Raises
    ------
    EveningError
        When the book was frozen, or orders are in no known state.
    """
    where = f"book {book.name}, evening of {day}"
    if outcome.frozen:
        raise EveningError(f"{where}: {outcome.frozen}")
    if not outcome.settled:
        open_ = [ref for ref, state in outcome.states.items() if state in ("RESERVED", "SENT", "UNKNOWN")]
        raise EveningError(f"{where}: orders in no known state: {', '.join(open_) or 'none named'}")
