"""Placing orders exactly once: the pure part, which decides; carrying it out is the business of resources."""

from __future__ import annotations

from trading.placement.desk import Ledger, PlacingPolicy
from trading.placement.executions import Report, newest, plausible_commission, split_id, unrecorded
from trading.placement.intents import (
    CARRIED_OUT,
    DUST,
    ENDED,
    Event,
    Intent,
    Standing,
    State,
    changed,
    standings,
    units,
)
from trading.placement.reconciling import doubts, next_steps
from trading.placement.requesting import reduces_risk
from trading.placement.steps import (
    Alarm,
    Book,
    Cancel,
    Change,
    Note,
    Part,
    Reconnect,
    Reserve,
    Send,
    Step,
    Wait,
)
from trading.placement.view import Absence, BrokerOrder, Found, Notice, View, find, remember

__all__ = [
    "CARRIED_OUT",
    "DUST",
    "ENDED",
    "Absence",
    "Alarm",
    "Book",
    "BrokerOrder",
    "Cancel",
    "Change",
    "Event",
    "Found",
    "Intent",
    "Ledger",
    "Note",
    "Notice",
    "Part",
    "PlacingPolicy",
    "Reconnect",
    "Report",
    "Reserve",
    "Send",
    "Standing",
    "State",
    "Step",
    "View",
    "Wait",
    "changed",
    "doubts",
    "find",
    "newest",
    "next_steps",
    "plausible_commission",
    "reduces_risk",
    "remember",
    "split_id",
    "standings",
    "units",
    "unrecorded",
]
