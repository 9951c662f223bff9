"""Beta of one instrument to another, from the desk's own bars."""

from __future__ import annotations

import statistics
from datetime import datetime, timedelta
from itertools import pairwise

from resources.gateway.instruments.database import Instrument
from resources.gateway.market.history import SIZES, past_bars, shown_bars
from resources.gateway.market.prices import Tape

_LEAST = 20
"""Returns below which a slope says nothing."""


def beta(tape: Tape, instrument: Instrument, market: Instrument, now: datetime) -> float | None:
    """Slope of the daily returns of an instrument over those of another, of the past year.

    Returns
    -------
    float or None
        None where both have fewer than twenty returns of the same sessions, or the other never moved.
    """
    own, others = _closes(tape, instrument, now), _closes(tape, market, now)
    sessions = sorted(own.keys() & others.keys())
    pairs = list(pairwise(sessions))
    if len(pairs) < _LEAST:
        return None
    moves = [own[after] / own[before] - 1.0 for before, after in pairs]
    marks = [others[after] / others[before] - 1.0 for before, after in pairs]
    if statistics.pvariance(marks) <= 0.0:
        return None
    return statistics.linear_regression(marks, moves).slope


def _closes(tape: Tape, instrument: Instrument, now: datetime) -> dict[datetime, float]:
    found = past_bars(tape, instrument, SIZES["1 day"], now - timedelta(weeks=52), now, regular=True)
    return {one.closes_at: one.bar.close for one in shown_bars(tape, instrument, found, "TRADES", now.date())}
