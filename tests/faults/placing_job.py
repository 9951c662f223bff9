"""The placing job in a process of its own, for tests that kill it."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

from .forks import FORKS


def work(folder: str, port: int, crash_at: str, patience: float) -> None:
    """One run of the job; its exit code says how it ended."""
    from dataclasses import replace

    import delta
    from resources.brokers import crash
    from resources.brokers.journal import SupersededError
    from resources.brokers.lease import LeaseError
    from resources.config import DeskConfig
    from tests.brokers.world import PACE, World, paper_book

    os.environ[crash.VARIABLE] = crash_at
    lake = delta.open_lake(str(Path(folder) / "lake"))
    desk = DeskConfig.model_validate(
        {
            "lake": str(Path(folder) / "lake"),
            "broker": {"port": port, "client_id": 17, "connect_timeout": 2.0},
        }
    )
    try:
        World(lake, paper_book(), desk).place(pace=replace(PACE, patience=patience))
    except (LeaseError, SupersededError):
        os._exit(3)


def start(folder: Path, port: int, crash_at: str = "", patience: float = 10.0) -> BaseProcess:
    """Start the job."""
    process = FORKS.Process(target=work, args=(str(folder), port, crash_at, patience), daemon=True)
    process.start()
    return process


def end(process: BaseProcess, timeout: float = 40.0) -> int | None:
    """Wait for the job's end; its exit code, negative for a signal."""
    process.join(timeout)
    return process.exitcode


def kill_after(process: BaseProcess, seconds: float) -> None:
    """Kill the job, wherever it is."""
    time.sleep(seconds)
    if process.pid is not None and process.is_alive():
        with suppress(ProcessLookupError):  # it has ended since
            os.kill(process.pid, signal.SIGKILL)
    process.join(10)
