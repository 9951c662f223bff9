"""The Dagster page of a desk as a program sees it: start it, ask it in GraphQL, stop it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

PROGRAM = Path(sys.executable).with_name("desk")
LOCATION = {"repositoryName": "__repository__", "repositoryLocationName": "deltadesk"}
READY, DONE = 300.0, 300.0
"""Seconds that a busy machine may take; a quick one takes a tenth."""
Found = TypeVar("Found")


class Page:
    """A running page."""

    def __init__(self, port: int, log: Path) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.log = log

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Answer to a GraphQL query; an error of the page is raised."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"{self.address}/graphql", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            said = json.load(answer)
        assert "errors" not in said, said["errors"]
        found: dict[str, Any] = said["data"]
        return found

    def wait(self, what: str, look: Callable[[], Found | None], seconds: float = DONE) -> Found:
        """First answer of ``look`` that is not false; an error with the page's log when it takes too long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = look()
            if found:
                return found
            time.sleep(0.25)  # between two looks
        raise AssertionError(f"no {what} within {seconds:.0f} s; the page said:\n{self.said()}")

    def said(self) -> str:
        """End of the page's log."""
        return "\n".join(self.log.read_text(encoding="utf-8").splitlines()[-40:])


@contextmanager
def serving(variables: Mapping[str, str], folder: Path, log: Path) -> Iterator[Page]:
    """Start ``desk ui`` on a free port and wait until it answers; stop all of its processes in the end."""
    port = free_port()
    page = Page(port, log)
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [str(PROGRAM), "ui", "--port", str(port)],
            cwd=folder,
            env=dict(variables),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        page.wait("page", lambda: process.poll() is None and _loaded(page), READY)
        yield page
    finally:
        _stop(process)


def _loaded(page: Page) -> bool:
    """Whether the page answers and has loaded the desk's definitions."""
    try:
        found = page.ask("{ workspaceOrError { ... on Workspace { locationEntries { loadStatus } } } }")
    except (urllib.error.URLError, OSError):
        return False
    entries = found["workspaceOrError"]["locationEntries"]
    return [entry["loadStatus"] for entry in entries] == ["LOADED"]


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the page and everything it has started to end, and insist after a while."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait(20)


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
