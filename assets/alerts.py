"""Alerts of a session: what the daily report finds worth telling, kept in the lake and delivered."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl

from assets.inputs import MARKET_READS, clipped
from assets.reports import READS, daily
from assets.stage import CODE_VERSION, Stage, frame_of
from delta import Commit, Lake, Provenance, pin
from delta.contracts import Alerts
from resources.config import DeskConfig
from resources.notifications import addresses, delivery_failures, notify
from resources.telling import claim
from trading.alerts import COLUMNS, Alert, alerts_frame, session_alerts, throttled
from trading.book import BookConfig

STEP = "alerts"
REMEMBERED = timedelta(days=30)
"""How far back earlier alerts are looked at before one is told again."""


def raise_alerts(
    lake: Lake, desk: DeskConfig, book: BookConfig, session: date, run_id: str, now: datetime
) -> dict[str, Commit]:
    """Write the alerts of a decided session and deliver those that are worth telling, once each.

    A delivery that fails is an alert itself; it never stops the desk. What placing has raised in the
    session stays.

    Parameters
    ----------
    now : datetime
        When the alerts are raised.
    """
    if clipped(book, session, session) is None:
        return {}
    stage = Stage(lake, run_id, STEP, pin(lake, [*READS, *MARKET_READS, Alerts]), book)
    report = daily(stage.pins, book, session)
    raised = session_alerts(report, config=book.alerts, risk=book.risk)
    since = {"book": book.name, "session": (session - REMEMBERED, session)}
    earlier = stage.pins.read(Alerts, where=since).collect()
    wait = timedelta(seconds=desk.notifications.throttle_seconds)
    worth = throttled(raised, earlier, now=now, within=wait)
    by = Provenance(run_id, STEP, CODE_VERSION)
    mine = claim(lake, book.name, [alert.alert_id for alert in raised], now, by)
    told = [alert for alert in worth if alert.alert_id in mine]
    targets = addresses(
        [*desk.notifications.urls, *book.alerts.urls],
        mail_server=desk.notifications.mail_server,
        recipients=book.alerts.email,
    )
    failures = delivery_failures(notify(told, targets), told)
    claim(lake, book.name, [alert.alert_id for alert in failures], now, by)
    rows = pl.concat([alerts_frame([*raised, *failures], now), _of_placing(earlier, session)])
    stage.write(Alerts, frame_of(Alerts, rows), {"book": book.name, "session": session})
    stage.record(session, session)
    return stage.commits


def _of_placing(earlier: pl.DataFrame, session: date) -> pl.DataFrame:
    """Alerts of a session that placing has raised: their identity holds the message, too."""
    rows = earlier.filter(pl.col("session") == session).select(COLUMNS.names())
    names = ("book", "session", "kind", "severity", "subject", "message")
    ours = [
        Alert(**{name: row[name] for name in names}).alert_id != row["alert_id"]
        for row in rows.iter_rows(named=True)
    ]
    return rows.filter(pl.Series(ours, dtype=pl.Boolean))
