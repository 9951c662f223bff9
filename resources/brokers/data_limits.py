"""The limits that a gateway sets to requests for past data, kept from the client's side.

Limits: Interactive Brokers, "Historical Data Limitations": sixty requests in ten minutes, fewer than six for
one contract within two seconds, no identical ones within fifteen.
"""

from __future__ import annotations

from collections import deque

WINDOW, MOST_IN_WINDOW = 600.0, 60
BURST, MOST_IN_BURST = 2.0, 5
IDENTICAL = 15.0
_MARGIN = 0.05
"""Seconds by which a request comes later than the gateway would allow: its clock is not ours."""


class HistoryLimits:
    """Requests of the last ten minutes; the times are seconds of a clock that does not go back."""

    def __init__(self) -> None:
        self._sent: deque[tuple[float, str]] = deque()

    def pause(self, contract: str, now: float) -> float:
        """Seconds until a request for a contract may be sent."""
        while self._sent and now - self._sent[0][0] > WINDOW + _MARGIN:
            self._sent.popleft()
        pause = 0.0
        if len(self._sent) >= MOST_IN_WINDOW:
            pause = self._sent[-MOST_IN_WINDOW][0] + WINDOW + _MARGIN - now
        mine = [at for at, name in self._sent if name == contract]
        if len(mine) >= MOST_IN_BURST:
            pause = max(pause, mine[-MOST_IN_BURST] + BURST + _MARGIN - now)
        return max(pause, 0.0)

    def sent(self, contract: str, now: float) -> None:
        """Count a request."""
        self._sent.append((now, contract))
