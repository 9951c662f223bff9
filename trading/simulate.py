"""The day loop: walks a book through consecutive sessions.

A backfill walks thousands of sessions, the schedule one; the steps are the same, whether the simulated
market says what became of the orders or the record of a broker does. Orders decided on the
close of t work from the open of t+1 (or fill at the close of t in a ``same_close`` book).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from trading.day import Day, Decisions, Regime, decide
from trading.journal import Journal
from trading.ledger import Booking, amend, to_cents
from trading.liquidity import Book
from trading.matching import FillSource, Market, MatchResult, split_order
from trading.orders import Bar, Execution
from trading.rules import Policy
from trading.signals import Candidate, Signal
from trading.sizing import trades_whole_units
from trading.snapshot import portfolio_row, position_rows
from trading.state import BookState, to_json
from trading.window import Action, PriceWindow, SessionTimes


class Inputs(NamedTuple):
    """Research of the window, by session; candidates also by strategy, best first.

    ``order_books`` are the fresh snapshots at each close by symbol.
    """

    signals: Mapping[date, Sequence[Signal]]
    candidates: Mapping[date, Mapping[str, Sequence[Candidate]]]
    regimes: Mapping[date, Regime]
    order_books: Mapping[date, Mapping[str, Book]] = {}


def simulate(
    state: BookState,
    prices: PriceWindow,
    inputs: Inputs,
    policy: Policy,
    *,
    config_hash: str,
    run_id: str = "",
    acknowledge: bool = True,
    unplaced: frozenset[str] = frozenset(),
    progress: Callable[[date], None] | None = None,
    market: FillSource | None = None,
) -> Journal:
    """Walk a book through the sessions of a window.

    Parameters
    ----------
    state : BookState
        Where the book stood after the session before the window; left as it stands after the window.
    acknowledge : bool
        Whether the simulated market says at once that it has an order. The schedule leaves that to the job
        that places orders.
    unplaced : set of str
        Working orders that never reached the market: they expire before the first session.
    progress : callable, optional
        Called with each session once it is done.
    market : FillSource, optional
        Where executions come from; the simulated market with the book's costs by default.

    Returns
    -------
    Journal
        Rows of orders, events, fills, positions, portfolio and trades.
    """
    source = market or Market(policy.costs)
    walk = _Walk(state, prices, inputs, policy, config_hash, run_id, acknowledge, source)
    if unplaced:
        walk.expire(unplaced)
    for index in range(len(prices.times)):
        walk.session(index)
        if progress is not None:
            progress(prices.times[index].session)
    return walk.journal


class _Walk:
    """One walk: what every session of it needs, and the rows collected so far."""

    __slots__ = (
        "acknowledge",
        "config_hash",
        "index",
        "inputs",
        "journal",
        "market",
        "policy",
        "prices",
        "run_id",
        "state",
    )

    def __init__(
        self,
        state: BookState,
        prices: PriceWindow,
        inputs: Inputs,
        policy: Policy,
        config_hash: str,
        run_id: str,
        acknowledge: bool,
        market: FillSource,
    ) -> None:
        self.acknowledge = acknowledge
        self.state = state
        self.prices = prices
        self.inputs = inputs
        self.policy = policy
        self.config_hash = config_hash
        self.run_id = run_id
        self.market = market
        self.journal = Journal()
        self.index = 0

    def bar(self, symbol: str) -> Bar | None:
        """Bar of a symbol in the session at hand."""
        return self.prices.bar(self.index, symbol)

    def closed(self, symbol: str) -> bool:
        """Whether the exchange of a symbol has no session at hand."""
        return not self.prices.trades(self.index, symbol)

    def expire(self, refs: frozenset[str]) -> None:
        """End orders that never reached the market."""
        times = self.prices.times[0]
        result = self.market.cancel(self.state.working, refs, times.session, "never placed")
        expired = result._replace(events=[e._replace(state="EXPIRED") for e in result.events])
        self._settle(expired, times, record=True)

    def session(self, index: int) -> None:
        """Walk through one session: actions and fills, marks, decision, snapshot."""
        self.index = index
        state, times = self.state, self.prices.times[index]
        opening = state.ledger.equity
        state.ledger.open_session(times.session)
        self._convert(opening=True)
        for action in self.prices.actions.get(times.session, ()):
            self._book(action, times)
        if state.working or not self.market.simulated:
            result = self.market.match_session(state.working, self.bar, times.session, closed=self.closed)
            self._settle(result, times)
        self._mark()
        for symbol in filter(self.closed, held_symbols(state)):
            state.ledger.rest(symbol)
        day = Day(
            times=times,
            index=index,
            prices=self.prices,
            signals=self.inputs.signals.get(times.session, ()),
            candidates=self.inputs.candidates.get(times.session, {}),
            regime=self.inputs.regimes.get(times.session),
            opening_equity=opening / 100,
            order_books=self.inputs.order_books.get(times.session, {}),
        )
        self._place(decide(state, day, self.policy), times)
        state.session = times.session
        self._snapshot(times, opening)

    # ----------------------------------------------------------------------------------------- actions

    def _book(self, action: Action, times: SessionTimes) -> None:
        """Book a corporate action in the ledger and in the working orders, before anything trades."""
        ledger, symbol = self.state.ledger, action.symbol
        instrument = self.prices.instruments.get(symbol)
        whole = trades_whole_units(self.policy.book.sizing, instrument.asset_class if instrument else "stock")
        if action.action == "split" and action.value:
            self._split(symbol, action.value, times, whole=whole)
        elif action.action in ("cash_dividend", "special_dividend") and action.value:
            ledger.dividend(symbol, action.value, action.pay_date)
        elif action.action == "spin_off" and action.value and action.new_symbol:
            received = self.bar(action.new_symbol)
            price = received.open if received else 0.0
            paid = ledger.spin_off(symbol, action.new_symbol, action.value, price, whole_units=whole)
            self._record_fills(paid, times)
        elif action.action == "delisting":
            self._delist(symbol, action.value, times)

    def _split(self, symbol: str, ratio: float, times: SessionTimes, *, whole: bool) -> None:
        self._record_fills(self.state.ledger.split(symbol, ratio, whole_units=whole), times)
        for order in self.state.working:
            if order.symbol == symbol:
                split_order(order, ratio, whole_units=whole)
        closed = ((key, plan) for key, (_, plan) in self.state.closed.items())
        for (_, owned), plan in (*self.state.plans.items(), *closed):
            if owned == symbol:
                plan.reference /= ratio
                plan.stop = plan.stop / ratio if plan.stop is not None else None
                plan.target = plan.target / ratio if plan.target is not None else None

    def _delist(self, symbol: str, price: float | None, times: SessionTimes) -> None:
        """Close what is held at the final price (the last close known without one) and cancel the rest."""
        refs = [order.order_ref for order in self.state.working if order.symbol == symbol]
        if refs:
            self._settle(self.market.cancel(self.state.working, refs, times.session, "delisted"), times)
        self._record_fills(self.state.ledger.delisting(symbol, price), times)

    # ------------------------------------------------------------------------------------------- fills

    def _settle(self, result: MatchResult, times: SessionTimes, *, record: bool = False) -> None:
        """Book executions, record events, and forget the plans of what is no longer held.

        Events that a broker reports are recorded when it does; ``record`` adds those it never hears of.
        """
        state = self.state
        reasons = {order.order_ref: order.reason for order in state.working if order.purpose == "exit"}
        state.working = result.working
        for amendment in result.amendments:
            instrument = self.prices.instruments.get(amendment.execution.symbol)
            amended = amend(state.ledger, amendment, instrument.multiplier if instrument else 1.0)
            self._record_fills(amended, times)
            state.hold_again((amendment.execution.strategy, amendment.execution.symbol))
        for execution in result.executions:
            instrument = self.prices.instruments.get(execution.symbol)
            opening = execution.phase != "close"
            rate = self.prices.rate(self.index, execution.symbol, opening=opening)
            booking = state.ledger.apply(execution, instrument.multiplier if instrument else 1.0, rate)
            self._record_fill(execution, booking, times, rate, reasons.get(execution.order_ref))
        for event in result.events if record or self.market.simulated else ():
            self._record_event(
                event.order_ref,
                event.state,
                times,
                event.filled,
                event.remaining,
                event.average_price,
                event.reason,
            )
        if result.events or result.executions or result.amendments:
            state.forget_plans()

    def _record_fills(self, booked: Sequence[tuple[Execution, Booking]], times: SessionTimes) -> None:
        """Record what nobody ordered: cash for fractions, delistings, amendments of executions."""
        for execution, booking in booked:
            rate = self.prices.rate(self.index, execution.symbol, opening=True)
            self._record_fill(execution, booking, times, rate)

    def _record_fill(
        self,
        execution: Execution,
        booking: Booking,
        times: SessionTimes,
        rate: float,
        reason: str | None = None,
    ) -> None:
        """Record an execution and the round trips it closed; ``reason`` is the rule behind an exit."""
        book = self.policy.book
        self.journal.fills.append(
            (
                book.name,
                execution.session,
                execution.execution_id,
                execution.order_ref,
                execution.strategy,
                execution.symbol,
                execution.purpose,
                execution.side,
                execution.quantity,
                execution.price,
                to_cents(execution.commission * rate) / 100,
                execution.slippage * rate,
                booking.realised / 100,
                book.currency,
                self.prices.currency(execution.symbol) or book.currency,
                rate,
                execution.executed_at or (times.opens_at if execution.phase == "open" else times.closes_at),
            )
        )
        for trip in booking.trips:
            self.state.streak = _streak(self.state.streak, trip.pnl)
            self.journal.trades.append(
                (
                    book.name,
                    trip.closed,
                    trip.trade_id,
                    trip.strategy,
                    trip.symbol,
                    trip.direction,
                    trip.quantity,
                    trip.opened,
                    trip.entry_price,
                    trip.exit_price,
                    trip.commissions / 100,
                    trip.pnl / 100,
                    trip.pnl / abs(trip.cost) if trip.cost else 0.0,
                    trip.mae,
                    trip.mfe,
                    trip.sessions_held,
                    reason or trip.exit_reason,
                )
            )

    def _record_event(
        self,
        ref: str,
        event: str,
        times: SessionTimes,
        filled: float,
        remaining: float,
        average_price: float | None,
        message: str,
    ) -> None:
        sequences = self.state.sequences
        number = sequences.get(ref, 0) + 1
        if event in ("ACKED", "PARTIAL"):
            sequences[ref] = number
        else:
            sequences.pop(ref, None)
        self.journal.order_events.append(
            (
                self.policy.book.name,
                times.session,
                ref,
                number,
                event,
                times.closes_at,
                None,
                None,
                None,
                filled,
                remaining,
                average_price,
                None,
                message,
                "simulation",
                self.run_id,
            )
        )

    # ----------------------------------------------------------------------------- marks and decisions

    def _convert(self, *, opening: bool = False) -> None:
        """Value what is held in other currencies at the rate known when the session opens, or closes."""
        for symbol in held_symbols(self.state) if self.prices.rates else ():
            self.state.ledger.convert(symbol, self.prices.rate(self.index, symbol, opening=opening))

    def _mark(self) -> None:
        ledger = self.state.ledger
        self._convert()
        for symbol in held_symbols(self.state):
            bar = self.bar(symbol)
            if bar is not None:
                ledger.mark(symbol, bar.high, bar.low, bar.close)

    def _place(self, decided: Decisions, times: SessionTimes) -> None:
        """Hand the decisions to the simulated market."""
        state = self.state
        self.journal.orders.extend(decided.rows)
        changes = {ref: (price, purpose) for ref, price, purpose in decided.changes}
        for order in state.working if changes else ():
            if order.order_ref in changes:
                price, order.purpose = changes[order.order_ref]
                if order.purpose == "profit_target":
                    order.limit_price = price
                else:
                    order.stop_price = price
        for order in state.working if decided.sizes else ():
            order.quantity = decided.sizes.get(order.order_ref, order.quantity)
        if decided.cancels:
            ended = self.market.cancel(state.working, decided.cancels, times.session, "nothing left to close")
            self._settle(ended, times)
        state.working.extend(decided.orders)
        for order in decided.orders:
            if self.acknowledge or order.order_type == "market_on_close":
                self._record_event(order.order_ref, "ACKED", times, 0.0, order.quantity, None, "")
            elif self.market.simulated:
                state.sequences[order.order_ref] = 1
        if decided.orders and self.policy.book.fill == "same_close":
            result = self.market.match_session(state.working, self.bar, times.session, phase="close")
            self._settle(result, times)
            self._mark()

    def _snapshot(self, times: SessionTimes, opening: int) -> None:
        state, book = self.state, self.policy.book
        self.journal.positions.extend(position_rows(state, self.prices, book, self.index))
        self.journal.portfolio.append(
            portfolio_row(state, book, times, opening, self.config_hash, to_json(state))
        )


def held_symbols(state: BookState) -> set[str]:
    """Symbols that any strategy holds."""
    return {symbol for _, symbol in state.ledger.positions}


def _streak(streak: int, pnl: int) -> int:
    """Round trips won or lost in a row, after one more; one that breaks even ends the streak."""
    if pnl > 0:
        return max(streak, 0) + 1
    return min(streak, 0) - 1 if pnl < 0 else 0
