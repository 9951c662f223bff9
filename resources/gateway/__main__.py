"""Run a gateway until it is told to stop.

``python -m resources.gateway STATE [PORT CONTROL_PORT [READY_FD [LEASH_FD]]]``
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from resources.gateway.market.prices import Tape
from resources.gateway.process import Address, publish, settings_of
from resources.gateway.running import running_gateway


async def run(state: Path, port: int, control_port: int, ready: int, leash: int = -1) -> None:
    """Listen until the control channel or a signal ends it, or the other end of the leash is let go."""
    settings = settings_of(state)
    tape, rows = _feed(settings.lake)
    async with running_gateway(
        settings, state, tape=tape, instruments=rows, port=port, control_port=control_port
    ) as gateway:
        where = Address(gateway.port, gateway.control_port, os.getpid())
        publish(state, where)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, gateway.control.stopped.set)
        if leash >= 0:
            loop.add_reader(leash, gateway.control.stopped.set)  # nothing is ever written to it
        _tell_ready(ready, where)
        await gateway.control.stopped.wait()


def main(arguments: list[str]) -> int:
    """Take the state folder for this process alone and run."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    state = Path(arguments[0])
    port, control_port, ready, leash = (
        int(text) for text in (*arguments[1:5], *("0", "0", "-1", "-1")[len(arguments) - 1 :])
    )
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print(f"a gateway is running on {state} already", file=sys.stderr)
            return 1
        asyncio.run(run(state, port, control_port, ready, leash))
    return 0


def _feed(lake: str) -> tuple[Tape, Callable[[], list[dict[str, Any]]]]:
    if not lake:
        return Tape(), list
    from resources.gateway.market.feed import lake_tape  # noqa: PLC0415 - slow to import, and not always needed

    return lake_tape(lake)


def _tell_ready(descriptor: int, where: Address) -> None:
    line = json.dumps(asdict(where)).encode() + b"\n"
    if descriptor >= 0:
        os.write(descriptor, line)
        os.close(descriptor)
    else:
        sys.stdout.write(line.decode())
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
