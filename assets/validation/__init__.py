"""Holding the paths to a fill against each other: a backfill, and the gateway over sockets.

``lakes`` makes a lake of its own for a trial, ``gateway`` runs sessions through a gateway's simulated
clock, ``comparison`` compares what came of them row by row and says why rows differ, and ``validate``
puts them together.
"""

from __future__ import annotations

from assets.validation.comparison import COMPARED, EXCLUDED, compared_frames, compared_rows, differences
from assets.validation.gateway import gateway_settings, next_evening, traded_book
from assets.validation.validate import Validation, last_sessions, validate, validate_in_lakes

__all__ = [
    "COMPARED",
    "EXCLUDED",
    "Validation",
    "compared_frames",
    "compared_rows",
    "differences",
    "gateway_settings",
    "last_sessions",
    "next_evening",
    "traded_book",
    "validate",
    "validate_in_lakes",
]
