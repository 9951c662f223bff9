"""The gateway's time: the machine's, or one that only moves when it is told to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Something that knows the time in UTC."""

    def now(self) -> datetime:
        """Current time, aware, in UTC."""
        ...


class RealClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Time of the machine."""
        return datetime.now(UTC)


class SimulatedClock:
    """A clock that stands still until it is advanced, and never goes back.

    Parameters
    ----------
    start : datetime
        First time shown; aware.
    """

    def __init__(self, start: datetime) -> None:
        self._now = _in_utc(start)

    def now(self) -> datetime:
        """Time last set."""
        return self._now

    def advance(self, to: datetime) -> None:
        """Move on to a time.

        Raises
        ------
        ValueError
            When the time lies before the current one.
        """
        target = _in_utc(to)
        if target < self._now:
            raise ValueError(
                f"the clock is at {self._now:%Y-%m-%d %H:%M:%S} UTC and cannot go back to {target}"
            )
        self._now = target

    def forward(self, seconds: float) -> None:
        """Move on by a number of seconds."""
        self.advance(self._now + timedelta(seconds=seconds))


def _in_utc(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError(f"{time} names no time zone; give it in UTC")
    return time.astimezone(UTC)
