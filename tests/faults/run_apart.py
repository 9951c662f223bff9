"""A run of the job in a process of its own, killed where it is told to be.

The journal stays with the process that asks: an entry is kept there before the run goes on, and outlives it.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import signal
import traceback
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from resources.brokers import crash
from resources.brokers.base import BrokerError
from resources.brokers.journal import MemoryJournal
from trading.placement import Event, Report, View

Job = Callable[[MemoryJournal], Coroutine[Any, Any, tuple[str, ...]]]
"""Runs with a journal and gives the reasons why orders are held back."""


@dataclass
class Ending:
    """How a run ended: killed, with an error of the broker, too late, or whole.

    Attributes
    ----------
    failure : str
        Traceback of what a run must not raise, or how else its process ended.
    undecoded : list of str
        What the client's decoder complained of.
    """

    killed: bool = False
    late: bool = False
    error: str = ""
    failure: str = ""
    waiting: tuple[str, ...] = ()
    undecoded: list[str] = field(default_factory=list)


@dataclass
class _Copy(MemoryJournal):
    """The journal as the run sees it: what it is given is with the keeper before a call returns."""

    keeper: Connection | None = None

    def append(self, events: Sequence[Event]) -> None:
        self._keep("append", events)
        super().append(events)

    def book(self, account: str, reports: Sequence[Report]) -> None:
        self._keep("book", account, reports)
        super().book(account, reports)

    def freeze(self, reason: str) -> None:
        self._keep("freeze", reason)
        self.halt = self.halt or reason

    def alarm(self, order_ref: str, message: str, severity: str = "warning") -> None:
        self._keep("alarm", order_ref, message, severity)

    def snapshot(self, account: str, view: View, offset: Mapping[str, float]) -> None:
        self._keep("snapshot", account, view, offset)
        super().snapshot(account, view, offset)

    def _keep(self, *call: object) -> None:
        assert self.keeper is not None
        self.keeper.send(call)
        self.keeper.recv()


class _Telling(logging.Handler):
    def __init__(self, keeper: Connection) -> None:
        super().__init__()
        self.keeper = keeper

    def emit(self, record: logging.LogRecord) -> None:
        self.keeper.send(("undecoded", record.getMessage()))
        self.keeper.recv()


async def run_apart(job: Job, journal: MemoryJournal, crash_at: str, limit: float) -> Ending:
    """Run a job in a fork of this process, and wait for its end.

    Parameters
    ----------
    job : callable
        The run, given its journal.
    journal : MemoryJournal
        Takes every entry that the run makes.
    crash_at : str
        Point at which the run is killed, see :mod:`resources.brokers.crash`.
    limit : float
        Seconds after which a run that goes on is killed and counts as late.
    """
    ours, theirs = Pipe()
    pid = os.fork()
    if not pid:
        _work(job, journal, theirs, crash_at)
    theirs.close()
    ours.recv()  # until the gateway's sockets are this process's alone: its port is soon listened on anew
    ending = Ending()
    loop = asyncio.get_running_loop()
    over = loop.create_future()

    def hear() -> None:
        try:
            name, *given = ours.recv()
        except (EOFError, ConnectionError):
            loop.remove_reader(ours.fileno())
            over.set_result(None)
            return
        if name == "undecoded":
            ending.undecoded += given
        elif name in {"error", "failure", "waiting"}:
            setattr(ending, name, *given)
        else:
            getattr(journal, name)(*given)
        ours.send(None)

    loop.add_reader(ours.fileno(), hear)
    try:
        await asyncio.wait_for(asyncio.shield(over), limit)
    except TimeoutError:
        ending.late = True
        os.kill(pid, signal.SIGKILL)
        await over
    finally:
        ours.close()
        _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    ending.killed = not ending.late and code == -signal.SIGKILL
    if code and not (ending.late or ending.killed or ending.failure):
        ending.failure = f"exit code {code}"
    return ending


def _work(job: Job, journal: MemoryJournal, keeper: Connection, crash_at: str) -> NoReturn:
    code = 1
    try:
        # Nothing of the other process is touched: its sockets are closed here, and never by the collector.
        gc.freeze()
        os.closerange(3, keeper.fileno())
        os.closerange(keeper.fileno() + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        keeper.send(None)
        logging.getLogger("ib_async.Decoder").handlers[:] = [_Telling(keeper)]
        os.environ[crash.VARIABLE] = crash_at
        told: tuple[str, object]
        try:
            told = "waiting", asyncio.run(job(_Copy(**vars(journal), keeper=keeper)))
        except BrokerError as error:
            told = "error", str(error)
        except Exception:
            told = "failure", traceback.format_exc()
        keeper.send(told)
        keeper.recv()
        code = 0
    finally:
        os._exit(code)
