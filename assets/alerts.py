"""Alerts of a session: what the daily report finds worth telling, kept in the lake and delivered."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl

from assets.inputs import MARKET_READS, clipped
from assets.reports import READS, daily
from assets.stage import Stage, frame_of
from delta import Commit, Lake, pin
from delta.contracts import Alerts
from resources.config import DeskConfig
from resources.notifications import addresses, delivery_failures, notify
from trading.alerts import alerts_frame, session_alerts, throttled
from trading.book import BookConfig

STEP = "alerts"
REMEMBERED = timedelta(days=30)
"""How far back earlier alerts are looked at before one is told again."""


def raise_alerts(
    lake: Lake, desk: DeskConfig, book: BookConfig, session: date, run_id: str, now: datetime
) -> dict[str, Commit]:
    """Write the alerts of a decided session and deliver those that are worth telling.

    A delivery that fails is an alert itself; it never stops the desk.

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
    since = (pl.col("book") == book.name) & pl.col("session").is_between(session - REMEMBERED, session)
    earlier = stage.pins.read(Alerts, where=since).collect()
    wait = timedelta(seconds=desk.notifications.throttle_seconds)
    told = throttled(raised, earlier, now=now, within=wait)
    targets = addresses(
        [*desk.notifications.urls, *book.alerts.urls],
        mail_server=desk.notifications.mail_server,
        recipients=book.alerts.email,
    )
    failures = delivery_failures(notify(told, targets), told)
    rows = frame_of(Alerts, alerts_frame([*raised, *failures], now))
    stage.write(Alerts, rows, {"book": book.name, "session": session})
    stage.record(session, session)
    return stage.commits
