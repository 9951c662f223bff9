"""One writer of orders at a time: a lease with a fencing token."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

import polars as pl

from delta import ContractError, Lake, Provenance, pin, write
from delta.contracts import Leases
from resources.config import DeskConfig


class LeaseError(RuntimeError):
    """Another run holds the lease, or has taken it: this one sends nothing."""


class Lease(Protocol):
    """The right to send orders; the gateway's refusal of a second client of one id is another lock."""

    token: int

    def acquire(self) -> None:
        """Take the lease or raise :class:`LeaseError`."""
        ...

    def keep(self) -> None:
        """Renew it when it is time; raise :class:`LeaseError` when it is lost."""
        ...

    def lost(self) -> str:
        """Why it must not be relied on; empty when it holds."""
        ...

    def release(self) -> None:
        """Give it back."""
        ...


class NoLease:
    """For a single process that has the broker to itself: trials, a simulated broker."""

    token = 1

    def acquire(self) -> None:
        """Nothing to take."""

    def keep(self) -> None:
        """Nothing to renew."""

    def lost(self) -> str:
        """Never lost."""
        return ""

    def release(self) -> None:
        """Nothing to give back."""


class DeltaLease:
    """A lease in the table ``leases``: who adds the next token has it, until it expires or is released.

    Parameters
    ----------
    resource : str
        What is held: the client at one gateway.
    seconds : float
        How long it holds without renewal; a run that was killed blocks the next one so long.
    """

    def __init__(
        self,
        lake: Lake,
        resource: str,
        run_id: str,
        code_version: str,
        clock: Callable[[], datetime],
        seconds: float = 60.0,
    ) -> None:
        self.token = 0
        self._lake, self._resource, self._clock = lake, resource, clock
        self._provenance = Provenance(run_id, "place_orders", code_version)
        self._holder = f"{run_id} {socket.gethostname()} {os.getpid()}"
        self._seconds = seconds
        self._renewal = 0
        self._renewed = 0.0

    def acquire(self) -> None:
        """Take the lease when nobody holds it.

        Raises
        ------
        LeaseError
            When another run holds it.
        """
        token, holder, expires_at = self._newest()
        if expires_at is not None and expires_at > self._clock() and not self._dead(holder):
            raise LeaseError(
                f"{self._resource}: run {holder} is placing orders until {expires_at:%H:%M:%S} UTC at most"
            )
        self.token, self._renewal = token + 1, 0
        self._write(self._seconds)

    def keep(self) -> None:
        """Renew the lease once a third of its time has gone."""
        if time.monotonic() - self._renewed < self._seconds / 3:
            return
        token, holder, _ = self._newest()
        if token != self.token:
            raise LeaseError(f"{self._resource}: run {holder} has taken over; this run stops")
        self._renewal += 1
        self._write(self._seconds)

    def lost(self) -> str:
        """Why the lease must not be relied on."""
        if time.monotonic() - self._renewed < self._seconds * 0.9:
            return ""
        return "the lease on placing orders was not renewed in time"

    def release(self) -> None:
        """Let the next run have it at once."""
        if self.token and self._newest()[0] == self.token:
            self._renewal += 1
            self._write(0.0)
        self.token = 0

    def _newest(self) -> tuple[int, str, datetime | None]:
        rows = (
            pin(self._lake, [Leases])
            .read(Leases, where={"resource": self._resource})
            .sort("token", "renewal")
            .tail(1)
            .collect()
        )
        if rows.is_empty():
            return 0, "", None
        return rows["token"][0], rows["holder"][0], rows["expires_at"][0]

    def _dead(self, holder: str) -> bool:
        """Whether the holder was a process of this machine that is no more."""
        parts = holder.rsplit(" ", 2)
        if len(parts) != 3 or parts[1] != socket.gethostname() or int(parts[2]) == os.getpid():
            return False
        try:
            os.kill(int(parts[2]), 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    def _write(self, seconds: float) -> None:
        now = self._clock()
        row = {
            "resource": self._resource,
            "token": self.token,
            "renewal": self._renewal,
            "holder": self._holder,
            "expires_at": now + timedelta(seconds=seconds),
            "known_at": now,
        }
        frame = pl.DataFrame([row], schema=Leases.schema())
        began = time.monotonic()
        try:
            write(self._lake, Leases, frame, None, self._provenance)
        except ContractError as error:
            raise LeaseError(f"{self._resource}: another run was faster; this one stops") from error
        self._renewed = began


def lease_of(lake: Lake, desk: DeskConfig, run_id: str, code_version: str) -> DeltaLease:
    """Lease on the client of the gateway; it goes by the machine's clock, whatever day the desk plays."""
    client = f"client {desk.broker.client_id} at {desk.broker.host}:{desk.broker.port}"
    return DeltaLease(lake, client, run_id, code_version, lambda: datetime.now(UTC))
