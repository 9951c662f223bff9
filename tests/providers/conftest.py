"""A real web server on this machine that plays a data provider, faults included."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pytest


@dataclass(frozen=True)
class Reply:
    """What the server answers once; ``cut`` promises more bytes than it sends, ``silent`` sends none."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    silent: bool = False


class Seen(NamedTuple):
    path: str
    query: dict[str, str]
    headers: dict[str, str]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *args: Any) -> None:
        self.folders: dict[str, Web] = {}
        super().__init__(*args)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.folders["/" + self.path.split("/")[1]].handle(self)

    def log_message(self, *_: Any) -> None:
        """Keep the test's output clean."""


class Web:
    """Routes by path, and by query where given; several replies of a route are given one after another.

    Each test has a folder of its own on the one server, so that no two share the pace of an address.
    """

    def __init__(self, server: Server, folder: str) -> None:
        self.server = server
        self.folder = folder
        self.routes: list[tuple[str, dict[str, str], list[Reply]]] = []
        self.answer: Callable[[Seen], Reply] | None = None
        self.seen: list[Seen] = []
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}{self.folder}"

    def on(self, path: str, *replies: Reply | bytes | Path | dict | list, **query: str) -> None:
        self.routes.insert(0, (path, query, [as_reply(reply) for reply in replies]))

    def always(self, reply: Reply) -> None:
        self.answer = lambda _: reply

    def reply(self, seen: Seen) -> Reply:
        if self.answer is not None:
            return self.answer(seen)
        for path, query, replies in self.routes:
            if path == seen.path and query.items() <= seen.query.items():
                return replies.pop(0) if len(replies) > 1 else replies[0]
        return Reply(404, b'{"detail":"Not found."}')

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        headers = {name.lower(): value for name, value in request.headers.items()}
        path = parts.path.removeprefix(self.folder)
        seen = Seen(path, dict(parse_qsl(parts.query, keep_blank_values=True)), headers)
        self.seen.append(seen)
        reply = self.reply(seen)
        if reply.silent:
            self.over.wait(30)
            return
        request.send_response(reply.status)
        for name, value in reply.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(reply.body) + 1000 * reply.cut))
        request.end_headers()
        request.wfile.write(reply.body)


def as_reply(body: Reply | bytes | Path | dict | list) -> Reply:
    if isinstance(body, Reply):
        return body
    if isinstance(body, Path):
        content = body.read_bytes()
        return Reply(body=gzip.decompress(content) if body.suffix == ".gz" else content)
    return Reply(body=body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    running = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def web(server: Server) -> Iterator[Web]:
    playing = Web(server, f"/{len(server.folders)}")
    server.folders[playing.folder] = playing
    yield playing
    playing.over.set()


@pytest.fixture
def reply() -> type[Reply]:
    return Reply


@pytest.fixture
def quick(web: Web) -> dict[str, Any]:
    """Settings that point a provider at the server and do not wait."""
    return {"base_url": web.url, "backoff": 0.0, "timeout": 5.0, "attempts": 3}


@pytest.fixture(scope="session")
def recorded(shared_data: Path) -> Path:
    """Folder of real answers of providers."""
    return shared_data / "providers"
