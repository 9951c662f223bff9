"""Delivery of alerts against a real HTTP server: what arrives, what fails, and what must never be logged."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import structlog

from resources.notifications import Delivery, addresses, delivery_failures, notify
from trading.alerts import Alert

SECRET = "s3cr3t-token"


def alert(
    kind: str = "entry", severity: str = "info", subject: str = "AAPL", message: str = "bought 40 AAPL"
) -> Alert:
    return Alert("momentum", date(2024, 3, 5), kind, severity, subject, message)


class Inbox(ThreadingHTTPServer):
    """An HTTP server that keeps what it is sent and answers with a status."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.received: list[tuple[str, dict[str, object]]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server_address[1]}/{SECRET}"


class Handler(BaseHTTPRequestHandler):
    server: Inbox

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, json.loads(body)))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def inbox(status: int = 200) -> Iterator[Inbox]:
    with Inbox(status) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_alerts_arrive_as_one_message() -> None:
    alerts = [alert(), alert("risk", "warning", "exposure", "exposure 24 % is near its limit <25 %>")]
    with inbox() as server:
        deliveries = notify(alerts, [server.url])
    assert deliveries == (Delivery("1 (json)", True),)
    ((path, payload),) = server.received
    assert path.strip("/") == SECRET
    assert payload["title"] == "momentum 2024-03-05: 2 alerts"
    assert payload["message"] == "[entry] bought 40 AAPL\n[risk] exposure 24 % is near its limit <25 %>"
    assert payload["type"] == "warning"


@pytest.mark.parametrize(
    ("severity", "sent"), [("info", "info"), ("warning", "warning"), ("error", "failure")]
)
def test_the_message_takes_the_worst_severity(severity: str, sent: str) -> None:
    with inbox() as server:
        notify([alert(), alert("error", severity, "scan", "scan failed")], [server.url])
    assert server.received[0][1]["type"] == sent


def test_one_destination_that_fails_does_not_stop_the_next() -> None:
    with inbox(500) as broken, inbox() as working:
        urls = [broken.url, f"json://127.0.0.1:{closed_port()}/{SECRET}", "no address", "", working.url]
        deliveries = notify([alert()], urls)
    assert [delivery.destination for delivery in deliveries] == [
        "1 (json)",
        "2 (json)",
        "3 (unknown)",
        "4 (json)",
    ]
    assert [delivery.delivered for delivery in deliveries] == [False, False, False, True]
    assert deliveries[2].detail == "not an address that apprise understands"
    assert len(working.received) == 1


def test_nothing_is_sent_without_alerts_and_nothing_fails_without_addresses() -> None:
    with inbox() as server:
        assert notify([], [server.url]) == ()
        assert notify([alert()], []) == ()
        assert notify([alert()], ["", "  "]) == ()
    assert server.received == []


def test_alerts_are_logged_always() -> None:
    with structlog.testing.capture_logs() as logs:
        notify([alert(), alert("error", "error", "scan", "scan failed")])
    assert [(log["log_level"], log["kind"], log["subject"], log["message"]) for log in logs] == [
        ("info", "entry", "AAPL", "bought 40 AAPL"),
        ("error", "error", "scan", "scan failed"),
    ]
    assert logs[0]["alert_id"] == alert().alert_id


def test_addresses_are_never_logged_nor_returned(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("apprise", "urllib3", "requests"):
        caplog.set_level(logging.DEBUG, logger=name)
    with structlog.testing.capture_logs() as logs, inbox() as working, inbox(404) as broken:
        deliveries = notify([alert()], [working.url, broken.url, f"nonsense://{SECRET}"])
    failures = delivery_failures(deliveries, [alert()])
    assert len(working.received) == len(broken.received) == 1
    assert SECRET not in caplog.text
    assert SECRET not in repr(logs)
    assert SECRET not in repr(deliveries)
    assert SECRET not in repr(failures)
    assert logging.getLogger("apprise").level == logging.DEBUG  # as it was before


def test_a_delivery_that_fails_is_logged_and_becomes_an_alert() -> None:
    with structlog.testing.capture_logs() as logs, inbox(503) as broken:
        deliveries = notify([alert(), alert("exit")], [broken.url])
    assert [log["event"] for log in logs] == ["alert", "alert", "alert not delivered"]
    (failure,) = delivery_failures(deliveries, [alert(), alert("exit")])
    assert (failure.kind, failure.severity, failure.subject) == ("error", "error", "delivery to 1 (json)")
    assert failure.message.startswith("2 alerts were not delivered to destination 1 (json): ")
    assert (failure.book, failure.session) == ("momentum", date(2024, 3, 5))


def test_deliveries_that_succeed_leave_no_alert() -> None:
    assert delivery_failures((Delivery("1 (json)", True),), [alert()]) == ()
    assert delivery_failures((), []) == ()


@pytest.mark.parametrize(
    ("server", "recipients", "expected"),
    [
        ("", (), ("json://a",)),
        ("mailtos://u:p@mail.example", (), ("json://a",)),
        ("mailtos://u:p@mail.example", ("a@x.org",), ("json://a", "mailtos://u:p@mail.example?to=a@x.org")),
        (
            "mailtos://u:p@mail.example?from=desk",
            ("a@x.org", "b c@y.org"),
            ("json://a", "mailtos://u:p@mail.example?from=desk&to=a@x.org,b%20c@y.org"),
        ),
        ("", ("a@x.org",), ("json://a",)),
    ],
)
def test_recipients_are_reached_through_the_mail_server(server, recipients, expected) -> None:
    with structlog.testing.capture_logs() as logs:
        assert addresses(("json://a",), mail_server=server, recipients=recipients) == expected
    assert len(logs) == (1 if recipients and not server else 0)
