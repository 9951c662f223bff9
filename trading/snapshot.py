"""What a book shows at the close of a session: rows of ``positions`` and ``portfolio``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trading.book import BookConfig
from trading.state import BookState
from trading.window import PriceWindow, SessionTimes


def position_rows(
    state: BookState, prices: PriceWindow, book: BookConfig, index: int
) -> Iterator[tuple[Any, ...]]:
    """Rows of ``positions`` at the close of the session at ``index``, by strategy and symbol.

    Money comes from integer cents.
    """
    ledger, session = state.ledger, prices.times[index].session
    for key in sorted(ledger.positions):
        position = ledger.positions[key]
        plan = state.plans.get(key)
        instrument = prices.instruments.get(position.symbol)
        yield (
            book.name,
            session,
            position.strategy,
            position.symbol,
            position.quantity,
            position.average_cost,
            position.cost / 100,
            position.price,
            position.value / 100,
            (position.value - position.cost) / 100,
            position.opened,
            ledger.session_number - position.opened_at,
            position.entry_price,
            plan.stop if plan else None,
            plan.target if plan else None,
            position.high,
            bool(plan and plan.trailing),
            position.marked < prices.last_session(index, position.symbol),
            instrument.sector if instrument else None,
            book.currency,
            prices.currency(position.symbol) or book.currency,
            position.rate,
        )


def portfolio_row(
    state: BookState, book: BookConfig, times: SessionTimes, opening: int, config_hash: str, saved: str
) -> tuple[Any, ...]:
    """Row of ``portfolio``.

    Parameters
    ----------
    opening : int
        Equity at the close of the session before, in cents.
    saved : str
        The state as JSON: what the next session starts from.
    """
    ledger = state.ledger
    equity, value, cash = ledger.equity, ledger.market_value, ledger.cash
    return (
        book.name,
        times.session,
        cash / 100,
        value / 100,
        ledger.receivable / 100,
        equity / 100,
        ledger.unrealised / 100,
        ledger.realised / 100,
        ledger.realised_today / 100,
        ledger.dividends / 100,
        ledger.commissions / 100,
        ledger.deposits / 100,
        ledger.exposure / equity if equity > 0 else 0.0,
        len(ledger.positions),
        equity / opening - 1.0 if opening > 0 else 0.0,
        ledger.traded / equity if equity > 0 else 0.0,
        times.closes_at,
        config_hash,
        saved,
    )
