"""Interrupts that must not get lost: Ctrl-C ends a run wherever the process happens to be."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

AGAIN_AFTER = 0.02
"""Seconds after which a lost interrupt is sent again."""


@contextmanager
def interrupts_kept() -> Iterator[None]:
    """Send an interrupt again that fell on code which cannot raise, and let it end as ``KeyboardInterrupt``.

    A signal is handled by whatever Python code comes next. Where that is the callback of a weak reference
    or a destructor, as happens at the end of a write, Python prints the exception and drops it.
    """
    before = sys.unraisablehook

    def again(lost: UnraisableHookArgs) -> None:
        if issubclass(lost.exc_type, (dg.DagsterExecutionInterruptedError, KeyboardInterrupt)):
            threading.Timer(AGAIN_AFTER, os.kill, (os.getpid(), signal.SIGINT)).start()
        else:
            before(lost)

    sys.unraisablehook = again
    try:
        yield
    except dg.DagsterExecutionInterruptedError:
        raise KeyboardInterrupt from None
    finally:
        sys.unraisablehook = before
