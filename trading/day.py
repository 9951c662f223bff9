"""The decision: what a book does on the close of one session.

``decide`` is the one decision function of the desk. The backfill calls it in a loop, the schedule calls
it once a day, and neither tells it which. It reads the state after the session's fills and marks, the
session's signals and prices, and nothing later than the close.
"""

from __future__ import annotations

from trading.decision.desk import Day, Decisions, Desk, Regime, account_of
from trading.decision.entries import candidate_lists, consider
from trading.decision.exits import leave
from trading.decision.fitting import fit, resize
from trading.decision.protection import protect, restore
from trading.decision.weights import rebalance
from trading.rules import Policy
from trading.signals import Signal
from trading.state import BookState, Key

__all__ = ["Day", "Decisions", "Regime", "decide"]


def decide(state: BookState, day: Day, policy: Policy) -> Decisions:
    """Decide on the close of a session.

    Parameters
    ----------
    state : BookState
        After the session's corporate actions, fills and marks. Plans change (a stop that trails, a plan
        for an approved entry); cash, positions and working orders do not.
    day : Day
        Prices up to the close, signals and regime.
    policy : Policy
        The book's configuration, its strategies' rules and its costs.

    Returns
    -------
    Decisions
        Every order asked for, approved or rejected with the gates' verdicts, in the order: cancels of what
        has nothing to close, changes of protective orders, exits, rebalancing, entries.
    """
    desk = Desk(policy, state, day, account_of(state, day), Decisions())
    closing: dict[Key, str] = {}
    weights: dict[str, list[Signal]] = {}
    entries: list[Signal] = []
    for signal in day.signals:
        if signal.action in ("BUY", "SHORT"):
            entries.append(signal)
        elif signal.action == "TARGET":
            weights.setdefault(signal.strategy, []).append(signal)
        elif signal.action in ("CLOSE", "SELL", "COVER"):
            closing[signal.strategy, signal.symbol] = signal.reason
    fit(desk)
    protect(desk)
    restore(desk)
    resize(desk)
    leave(desk, closing)
    for strategy, targets in weights.items():
        rebalance(desk, strategy, targets)
    listed = candidate_lists(desk, entries)
    for signal in entries:
        consider(desk, signal, listed.get(signal.strategy))
    return desk.decided
