"""The limits that a gateway sets to requests for past data, kept from the client's side.

Limits: Interactive Brokers, "Historical Data Limitations": sixty requests in ten minutes (bid and ask count
twice), fewer than six for one contract within two seconds, no identical ones within fifteen.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

WINDOW, IN_WINDOW = 600.0, 60.0
BURST, IN_BURST = 2.0, 5
IDENTICAL = 15.0
MARGIN = 0.05
"""Seconds that are waited beyond a limit: the gateway counts when a request arrives, by its own clock."""


class Asked(NamedTuple):
    """A request as the limits count it; the time is in seconds of a clock that does not go back."""

    at: float
    identity: str
    contract: str
    weight: float


def wait_for(past: Iterable[Asked], identity: str, contract: str, weight: float, now: float) -> float:
    """Seconds until a request breaks no limit.

    Parameters
    ----------
    past : iterable of Asked
        Requests before it, oldest first.
    """
    known = list(past)
    frees = [now]
    frees += [each.at + IDENTICAL for each in known if each.identity == identity]
    same = [each.at for each in known if each.contract == contract]
    if len(same) >= IN_BURST:
        frees.append(same[-IN_BURST] + BURST)
    used = 0.0
    for each in reversed(known):
        used += each.weight
        if used + weight > IN_WINDOW:
            frees.append(each.at + WINDOW)
            break
    ready = max(frees)
    return ready - now + MARGIN if ready > now else 0.0


class HistoryLimits:
    """Requests that one gateway has been sent; several threads may share it."""

    def __init__(self) -> None:
        self._sent: deque[Asked] = deque(maxlen=2 * int(IN_WINDOW))
        self._lock = threading.Lock()

    def reserve(
        self, identity: str, contract: str, weight: float, now: float, longest: float = WINDOW
    ) -> float:
        """Seconds to wait before a request may be sent; longer than ``longest``: it is not counted."""
        with self._lock:
            wait = wait_for(self._sent, identity, contract, weight, now)
            if wait <= longest:
                self._sent.append(Asked(now + wait, identity, contract, weight))
            return wait
