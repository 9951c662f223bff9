"""Named points at which a test may end the process, as a power cut would.

A test hook and nothing else: without the variable it does nothing.
"""

from __future__ import annotations

import os
import signal

VARIABLE = "DESK_TEST_CRASH"
"""``NAME`` or ``NAME:N``: end this process with SIGKILL when it reaches the point for the N-th time."""
POINTS = (
    "connected",
    "looked",
    "checked",
    "reserved",
    "part_sent",
    "sent",
    "noted",
    "booked",
    "requested",
    "settled",
    "finished",
)
"""After the connection; a look; the last check; the reservation; a part, and the whole of a unit on the
wire; events; executions; a cancel or modify on the wire; the last order in a known state; the snapshot."""

_reached: dict[str, int] = {}


def reach(point: str) -> None:
    """Pass a point, or die at it."""
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return
    name, _, count = wanted.partition(":")
    _reached[point] = _reached.get(point, 0) + 1
    if name == point and _reached[point] == int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)
