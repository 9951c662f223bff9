"""Delivery of alerts: always logged, and sent through apprise where addresses are configured.

Addresses hold secrets. They are never logged, never returned and never part of an error: a destination is
named by its place in the list and its scheme. A delivery that fails is recorded and stops nothing.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote

import structlog

from trading.alerts import Alert, Severity

TIMEOUT = 20.0
"""Seconds that one destination may take."""

_TALKATIVE = ("apprise", "urllib3", "requests", "smtplib")
"""Loggers that would write addresses: below this level they say nothing while a message is sent."""


@dataclass(frozen=True)
class Delivery:
    """What became of the alerts at one destination.

    Attributes
    ----------
    destination : str
        Place in the list and scheme, such as ``1 (json)``; never the address.
    detail : str
        Why it was not delivered; empty when it was.
    """

    destination: str
    delivered: bool
    detail: str = ""


def notify(
    alerts: Sequence[Alert], urls: Sequence[str] = (), *, timeout: float = TIMEOUT
) -> tuple[Delivery, ...]:
    """Log every alert and send them, as one message, to every address.

    Parameters
    ----------
    alerts : sequence of Alert
        Those that are worth telling (see ``trading.alerts.throttled``); nothing is sent without one.
    urls : sequence of str
        Apprise addresses, resolved; empty ones are left out.

    Returns
    -------
    tuple of Delivery
        One for each address. Never raises: what goes wrong is a delivery that failed, and is logged.
    """
    log = structlog.get_logger("desk.alerts")
    for alert in alerts:
        _log(log, alert)
    known = [url for url in urls if url.strip()]
    if not alerts or not known:
        return ()
    title, body, severity = _message(alerts)
    deliveries = []
    for place, url in enumerate(known, start=1):
        destination = f"{place} ({_scheme(url)})"
        detail = _send(url, title, body, severity, timeout)
        deliveries.append(Delivery(destination, not detail, detail))
        if detail:
            log.error("alert not delivered", destination=destination, detail=detail, alerts=len(alerts))
        else:
            log.info("alerts delivered", destination=destination, alerts=len(alerts))
    return tuple(deliveries)


def addresses(
    urls: Sequence[str], *, mail_server: str = "", recipients: Sequence[str] = ()
) -> tuple[str, ...]:
    """Every address to send to: those configured, and the mail server with its recipients.

    Parameters
    ----------
    mail_server : str
        Apprise ``mailto://`` or ``mailtos://`` address of the account that sends; recipients without a
        mail server are logged and left out.
    """
    if recipients and not mail_server:
        structlog.get_logger("desk.alerts").warning(
            "alerts.email has recipients, but notifications.mail_server is not set",
            recipients=len(recipients),
        )
    if not recipients or not mail_server:
        return tuple(urls)
    joined = quote(",".join(recipients), safe="@,")
    return (*urls, f"{mail_server}{'&' if '?' in mail_server else '?'}to={joined}")


def delivery_failures(deliveries: Sequence[Delivery], sent: Sequence[Alert]) -> tuple[Alert, ...]:
    """Alerts that record failed deliveries in the ``alerts`` table; they are not sent themselves."""
    if not sent:
        return ()
    first = sent[0]
    return tuple(
        Alert(
            first.book,
            first.session,
            "error",
            "error",
            f"delivery to {delivery.destination}",
            f"{len(sent)} alerts were not delivered to destination {delivery.destination}: {delivery.detail}",
        )
        for delivery in deliveries
        if not delivery.delivered
    )


def _log(log: structlog.typing.FilteringBoundLogger, alert: Alert) -> None:
    write = {"error": log.error, "warning": log.warning}.get(alert.severity, log.info)
    write(
        "alert",
        book=alert.book,
        session=alert.session.isoformat(),
        kind=alert.kind,
        subject=alert.subject,
        message=alert.message,
        alert_id=alert.alert_id,
    )


def _message(alerts: Sequence[Alert]) -> tuple[str, str, Severity]:
    """Title, body and worst severity of one message about all alerts."""
    severities = {alert.severity for alert in alerts}
    worst: Severity = "error" if "error" in severities else "warning" if "warning" in severities else "info"
    books = ", ".join(dict.fromkeys(alert.book for alert in alerts))
    count = f"{len(alerts)} alerts" if len(alerts) > 1 else f"{alerts[0].kind} {alerts[0].subject}"
    title = f"{books} {max(alert.session for alert in alerts)}: {count}"
    return title, "\n".join(f"[{alert.kind}] {alert.message}" for alert in alerts), worst


def _send(url: str, title: str, body: str, severity: Severity, timeout: float) -> str:
    """Send to one address; why it failed, or an empty text."""
    import apprise  # noqa: PLC0415 - loads every service it knows, and most runs send nothing

    kinds = {"error": apprise.NotifyType.FAILURE, "warning": apprise.NotifyType.WARNING}
    with _silenced():
        try:
            service = apprise.Apprise()
            if not service.add(url):
                return "not an address that apprise understands"
            kind = kinds.get(severity, apprise.NotifyType.INFO)
            accepted = service.notify(
                body=body,
                title=title,
                notify_type=kind,
                body_format=apprise.NotifyFormat.TEXT,
                timeout=timeout,
            )
        except Exception as error:  # a plugin may raise anything, and its text may hold the address
            return f"the service failed with {type(error).__name__}"
    return "" if accepted else "the service did not accept the message or could not be reached"


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep libraries from logging addresses while a message is sent."""
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _scheme(url: str) -> str:
    found = re.match(r"^([A-Za-z][A-Za-z0-9+]{0,19})://", url.strip())
    return found.group(1).lower() if found else "unknown"
