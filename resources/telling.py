"""Alerts that are raised outside of the daily run, sent to the people of a book: at once, and once each.

An alert is claimed in the table ``deliveries`` before it is sent: whoever has claimed it sends it. One that
a killed run has raised and not claimed is sent by the next run.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

import polars as pl

from delta import ContractError, Lake, Provenance, pin, write
from delta.contracts import Alerts, Deliveries
from resources.config import DeskConfig
from resources.notifications import addresses, delivery_failures, notify
from trading.alerts import Alert, alerts_frame
from trading.book import BookConfig

log = logging.getLogger("desk.alerts")

STEP = "deliveries"
NEWS = timedelta(days=2)
"""What is older is no news: it is not sent any more."""


def tell_alerts(
    lake: Lake, desk: DeskConfig, book: BookConfig, *, now: datetime, run_id: str, code_version: str = ""
) -> tuple[Alert, ...]:
    """Send the errors of a book that nobody was told of; whatever goes wrong is logged and stops nothing.

    What was told in the same words less than ``notifications.throttle_seconds`` ago is not told again.

    Returns
    -------
    tuple of Alert
        Those that were sent.
    """
    by = Provenance(run_id, STEP, code_version)
    try:
        fresh = _untold(lake, book, now, timedelta(seconds=desk.notifications.throttle_seconds))
        mine = claim(lake, book.name, [identity for identity, _, _ in fresh], now, by)
        alerts = [alert for identity, alert, quiet in fresh if identity in mine and not quiet]
        failures = delivery_failures(notify(alerts, _addresses(desk, book)), alerts)
        if failures:
            claim(lake, book.name, [alert.alert_id for alert in failures], now, by)
            write(lake, Alerts, alerts_frame(failures, now), None, by)
    except Exception as error:  # telling people must never end a run that sends orders
        log.warning("alerts of book %s were not all told: %s", book.name, error)
        return ()
    return tuple(alerts)


def claim(lake: Lake, book: str, identities: Iterable[str], now: datetime, by: Provenance) -> set[str]:
    """Take it upon this run to tell some alerts; those that another run has taken are left out."""
    wanted = list(dict.fromkeys(identities))
    if not wanted:
        return set()
    taken = told(lake, book)
    free = [identity for identity in wanted if identity not in taken]
    rows = [{"book": book, "alert_id": one, "known_at": now, "run_id": by.run_id} for one in free]
    try:
        if rows:
            write(lake, Deliveries, pl.DataFrame(rows, schema=Deliveries.schema()), None, by)
    except ContractError:  # another run was quicker with one of them: it tells what it has claimed
        return set()
    return set(free)


def told(lake: Lake, book: str) -> dict[str, datetime]:
    """Alerts of a book that somebody has told, or has decided not to tell, and when."""
    rows = pin(lake, [Deliveries]).read(Deliveries, where={"book": book})
    return dict(rows.select("alert_id", "known_at").collect().iter_rows())


def _untold(lake: Lake, book: BookConfig, now: datetime, within: timedelta) -> list[tuple[str, Alert, bool]]:
    """Identity, alert, and whether the same words were told not long ago."""
    where = {"book": book.name, "kind": "error", "known_at": (now - NEWS, None)}
    rows = pin(lake, [Alerts]).read(Alerts, where=where).sort("known_at").collect()
    done = told(lake, book.name)
    said = {
        (row["subject"], row["message"])
        for row in rows.iter_rows(named=True)
        if (at := done.get(row["alert_id"])) is not None and at > now - within
    }
    fresh: list[tuple[str, Alert, bool]] = []
    for row in rows.iter_rows(named=True):
        if row["alert_id"] in done:
            continue
        words = (row["subject"], row["message"])
        names = ("book", "session", "kind", "severity", "subject", "message")
        fresh.append((row["alert_id"], Alert(**{name: row[name] for name in names}), words in said))
        said.add(words)
    return fresh


def _addresses(desk: DeskConfig, book: BookConfig) -> tuple[str, ...]:
    return addresses(
        [*desk.notifications.urls, *book.alerts.urls],
        mail_server=desk.notifications.mail_server,
        recipients=book.alerts.email,
    )
