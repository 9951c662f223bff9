"""Waiting for a condition."""

from __future__ import annotations

import time
from collections.abc import Callable

BETWEEN = 0.001
"""Seconds between two looks: a moment is not missed, and the process that is looked at has the processor."""


def wait_until(seen: Callable[[], bool], seconds: float = 60.0) -> None:
    """Return once a condition holds, which it must in time."""
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(BETWEEN)
