"""Keeping the messages of native code off the terminal: an error of the desk is one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def native_noise_hidden() -> Iterator[None]:
    """Drop what libraries write past Python to the descriptor of standard error.

    A full disk makes the thread that writes a table panic, and tell so, before the error comes back as an
    exception. What Python writes is shown as ever; with ``--debug`` everything is.
    """
    if "--debug" in sys.argv:
        yield
        return
    before = sys.stderr
    before.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere, open(kept, "w", buffering=1, closefd=False) as shown:
        os.dup2(nowhere.fileno(), 2)
        sys.stderr = shown
        try:
            yield
        finally:
            sys.stderr = before
            shown.flush()
            os.dup2(kept, 2)
    os.close(kept)
