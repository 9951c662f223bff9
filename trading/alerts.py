"""Which alerts a session raises, and which of them are worth telling again.

An alert's identity is a hash of book, session, kind and subject: a rerun of a session raises the same
alerts under the same identities.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import polars as pl

from trading.book import AlertsConfig, RiskConfig
from trading.reporting.cells import clean, money, percent, price, quantity
from trading.reporting.daily.data import DailyReport, Exited, Filled, Limit, Thresholds
from trading.reporting.daily.risk import limit_sentence

Kind = Literal["entry", "exit", "risk", "performance", "data", "error"]
Severity = Literal["info", "warning", "error"]

DAY_GAIN, DAY_LOSS = 0.05, -0.02
"""Returns of a session beyond which it is worth an alert."""

STANDING = ("risk", "data")
"""Kinds that describe a state: it may last for many sessions."""

COLUMNS = pl.Schema(
    {
        "book": pl.String(),
        "session": pl.Date(),
        "alert_id": pl.String(),
        "kind": pl.String(),
        "severity": pl.String(),
        "subject": pl.String(),
        "message": pl.String(),
        "known_at": pl.Datetime("us", "UTC"),
    }
)
"""Columns of the ``alerts`` table."""


@dataclass(frozen=True)
class Alert:
    """Something the desk has to tell.

    Attributes
    ----------
    subject : str
        Symbol, limit or step.
    message : str
        One line for a person.
    """

    book: str
    session: date
    kind: Kind
    severity: Severity
    subject: str
    message: str

    @property
    def alert_id(self) -> str:
        """Identity: sixteen hexadecimal digits."""
        identity = "\x1f".join((self.book, self.session.isoformat(), self.kind, self.subject))
        return hashlib.blake2b(identity.encode("utf-8", "replace"), digest_size=8).hexdigest()


def session_alerts(
    report: DailyReport,
    *,
    config: AlertsConfig | None = None,
    risk: RiskConfig | None = None,
    thresholds: Thresholds | None = None,
) -> tuple[Alert, ...]:
    """Alerts of a session, from its daily report: errors first, then risk, performance, exits, entries.

    Parameters
    ----------
    config : AlertsConfig, optional
        Which kinds are wanted; errors and missing data are always told.

    Returns
    -------
    tuple of Alert
        One for each identity.
    """
    config, risk, thresholds = config or AlertsConfig(), risk or RiskConfig(), thresholds or Thresholds()
    raised = [*_problems(report)]
    if config.on_risk_limit:
        raised += _limits(report, risk, thresholds)
    if config.on_performance:
        raised += _performance(report)
    if config.on_exit:
        raised += _exits(report)
    if config.on_entry:
        raised += _entries(report)
    return tuple({alert.alert_id: alert for alert in reversed(raised)}.values())[::-1]


def throttled(
    alerts: Iterable[Alert],
    earlier: pl.DataFrame,
    *,
    now: datetime,
    within: timedelta = timedelta(minutes=5),
    quiet: timedelta = timedelta(days=7),
) -> tuple[Alert, ...]:
    """Alerts that are worth telling, given what was raised before.

    Parameters
    ----------
    earlier : polars.DataFrame
        Rows of the ``alerts`` table, without those of this very call.
    within : timedelta
        The same alert is not told again within this time of ``known_at``.
    quiet : timedelta
        A state that lasts (a limit in use, missing data, a new high) is not told again within this time
        of its session, unless it has become more severe.
    """
    rows = earlier.select(COLUMNS.names()).to_dicts() if not earlier.is_empty() else []
    recent = {row["alert_id"] for row in rows if row["known_at"] > now - within}
    states: dict[tuple[str, ...], date] = {}
    for row in rows:
        state = (row["book"], row["kind"], row["severity"], row["subject"])
        states[state] = max(row["session"], states.get(state, row["session"]))
    return tuple(
        alert for alert in alerts if alert.alert_id not in recent and not _lasts(alert, states, quiet)
    )


def _lasts(alert: Alert, states: dict[tuple[str, ...], date], quiet: timedelta) -> bool:
    """Whether the alert's state was told in an earlier session not long ago."""
    if alert.kind not in STANDING and alert.subject != "equity_high":
        return False
    before = states.get((alert.book, alert.kind, alert.severity, alert.subject))
    return before is not None and timedelta(0) < alert.session - before < quiet


def alerts_frame(alerts: Sequence[Alert], known_at: datetime) -> pl.DataFrame:
    """Rows of the ``alerts`` table."""
    at = known_at.astimezone(UTC)
    rows = [
        (a.book, a.session, a.alert_id, a.kind, a.severity, a.subject, a.message, at)
        for a in {alert.alert_id: alert for alert in alerts}.values()
    ]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


# ------------------------------------------------------------------------------------------ what is told


def _alert(report: DailyReport, kind: Kind, severity: Severity, subject: str, message: str) -> Alert:
    return Alert(report.book, report.session, kind, severity, clean(subject), clean(message))


def _problems(report: DailyReport) -> Iterator[Alert]:
    """Steps that failed, and data that is missing or old."""
    for item in report.warnings:
        if item.kind == "error":
            subject = item.subject or item.message.split(":")[0][:60]
            yield _alert(report, "error", "error", subject, item.message)
        elif item.kind == "data":
            severity: Severity = "error" if item.severity == "error" else "warning"
            yield _alert(report, "data", severity, item.subject, item.message)


def _limits(report: DailyReport, risk: RiskConfig, thresholds: Thresholds) -> Iterator[Alert]:
    for limit in report.limits:
        said = limit_sentence(limit, risk, thresholds)
        if said:
            subject = f"{limit.measure} {limit.subject}".strip()
            yield _alert(report, "risk", _severity(limit), subject, said)


def _severity(limit: Limit) -> Severity:
    """A daily loss at its limit stops the day's entries; any other limit in full use is only a warning."""
    reached = limit.used is not None and limit.used >= 1
    return "error" if reached and limit.measure == "daily_loss" else "warning"


def _performance(report: DailyReport) -> Iterator[Alert]:
    account = report.account
    if account is None or account.daily_return is None:
        return
    change, gained = account.daily_return, money(account.daily_pnl, report.currency, signed=True).text
    if change > DAY_GAIN:
        message = f"gained {percent(change).text} in the session ({gained})"
        yield _alert(report, "performance", "info", "day_gain", message)
    if change < DAY_LOSS:
        message = f"lost {percent(-change).text} in the session ({gained})"
        yield _alert(report, "performance", "warning", "day_loss", message)
    if account.drawdown == 0 and change > 0:
        message = f"equity is at a new high of {money(account.equity, report.currency).text}"
        yield _alert(report, "performance", "info", "equity_high", message)


def _entries(report: DailyReport) -> Iterator[Alert]:
    filled: dict[tuple[str, str], list[Filled]] = defaultdict(list)
    for fill in report.entries:
        filled[fill.symbol, fill.side].append(fill)
    for (symbol, side), fills in filled.items():
        held = sum(fill.quantity or 0.0 for fill in fills)
        cost = sum((fill.quantity or 0.0) * (fill.price or 0.0) for fill in fills)
        at = price(cost / held).text if held else "an unknown price"
        verb = "bought" if side == "BUY" else "sold short"
        why = f" ({fills[0].reason.replace('_', ' ')})" if fills[0].reason else ""
        yield _alert(report, "entry", "info", symbol, f"{verb} {quantity(held).text} {symbol} at {at}{why}")


def _exits(report: DailyReport) -> Iterator[Alert]:
    ended: dict[str, list[Exited]] = defaultdict(list)
    for trade in report.exits:
        ended[trade.symbol].append(trade)
    for symbol, trades in ended.items():
        held = quantity(sum(trade.quantity or 0.0 for trade in trades)).text
        pnl = money(sum(trade.pnl or 0.0 for trade in trades), report.currency, signed=True).text
        reasons = ", ".join(dict.fromkeys(trade.reason.replace("_", " ") for trade in trades if trade.reason))
        why = f" by {reasons}" if reasons else ""
        yield _alert(report, "exit", "info", symbol, f"closed {held} {symbol}{why}: {pnl}")
