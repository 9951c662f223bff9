"""What a broker has reported of a book's orders, as the walk through a session books it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

from delta import Pins
from delta.contracts import Executions, OrderEvents, Orders
from resources.brokers.lake_amendments import READS as BOOKED
from resources.brokers.lake_amendments import BookedExecutions
from resources.brokers.lake_holdings import standing_executions
from resources.brokers.needs import SOURCE
from resources.brokers.rows import last_states
from resources.calendar import sessions
from trading.book import BookConfig
from trading.ledger import Amendment, Terms
from trading.matching import OrderState, RecordedMarket, costs_of
from trading.orders import Execution
from trading.placement import ENDED, Report
from trading.state import BookState
from trading.window import SessionTimes

READS = (Executions, Orders, *BOOKED)
AT_THE_OPEN = timedelta(minutes=1)
"""An execution so soon after the open has the whole bar before it."""


def recorded_market(pins: Pins, book: BookConfig, state: BookState, times: SessionTimes) -> RecordedMarket:
    """Executions of a book that its ledger does not have yet, what has changed of those that it has, and
    which of its orders have ended.

    A commission that the broker has not told yet counts as none, until it does.
    """
    ours = [
        report
        for owner, report in standing_executions(pins, {"book": book.name})
        if owner == book.name and not report.leg
    ]
    booked = BookedExecutions(pins, [book.name], leaving_out=times.session)
    fresh = [report for report in ours if report.root not in booked]
    owners = _owners(pins, book, state, fresh)
    new = [(report, execution(report, owners.get(report.order_ref), state, times)) for report in fresh]

    def between(first: date, last: date) -> int:
        return sessions(book.calendar, first, last).height - 1

    amended = booked.amendments(ours, times.session, booked.trips(times.session, between))
    return RecordedMarket(
        costs_of(book.costs),
        [one for report, one in new if report.quantity > 0.0],
        _ended(pins, book, state),
        [*amended, *(_never_booked(one) for report, one in new if not report.quantity and one.commission)],
    )


def _never_booked(taken_back: Execution) -> Amendment:
    """An execution that was taken back before any session booked it, and whose commission stays."""
    now = Terms(0.0, taken_back.price, taken_back.commission)
    return Amendment(taken_back, Terms(0.0, taken_back.price, 0.0), now, 0)


def execution(
    report: Report, owner: tuple[str, str] | None, state: BookState, times: SessionTimes
) -> Execution:
    """A broker's execution as the ledger books it.

    Parameters
    ----------
    owner : (str, str), optional
        Strategy and purpose of its order. What nobody ordered belongs to the strategy that holds the
        symbol, its purpose is the cause.
    """
    strategy, purpose = owner or (_holder(state, report.symbol), report.cause or "manual")
    return Execution(
        report.root,
        report.order_ref,
        strategy,
        report.symbol,
        purpose,
        report.side,
        report.quantity,
        report.price,
        report.commission or 0.0,
        0.0,
        times.session,
        _phase(report, times),
        report.executed_at,
    )


def _phase(report: Report, times: SessionTimes) -> Literal["open", "intraday", "close"]:
    if times.opens_at <= report.executed_at <= times.opens_at + AT_THE_OPEN:
        return "open"
    return "close" if report.executed_at >= times.closes_at else "intraday"


def _holder(state: BookState, symbol: str) -> str:
    return next((strategy for strategy, held in state.ledger.positions if held == symbol), "manual")


def _owners(
    pins: Pins, book: BookConfig, state: BookState, reports: list[Report]
) -> dict[str, tuple[str, str]]:
    """Strategy and purpose of the orders that were executed, late fills of ended ones included."""
    known = {order.order_ref: (order.strategy, order.purpose) for order in state.working}
    refs = {report.order_ref for report in reports if report.order_ref} - known.keys()
    if refs:
        here = {"book": book.name, "order_ref": sorted(refs)}
        rows = pins.read(Orders, where=here, columns=["order_ref", "strategy", "purpose"]).collect()
        known |= {ref: (strategy, purpose) for ref, strategy, purpose in rows.iter_rows()}
    return known


def _ended(pins: Pins, book: BookConfig, state: BookState) -> dict[str, tuple[OrderState, str]]:
    """Working orders that have ended, and in which state; of a filled one whatever no execution fills."""
    refs = [order.order_ref for order in state.working]
    if not refs:
        return {}
    here = {"book": book.name, "source": SOURCE, "order_ref": refs}
    events = pins.read(OrderEvents, where=here, columns=["order_ref", "sequence", "state"]).collect()
    return {
        ref: ("EXPIRED" if state == "EXPIRED" else "CANCELLED", state.lower())
        for ref, state in last_states(events).iter_rows()
        if state in ENDED
    }
