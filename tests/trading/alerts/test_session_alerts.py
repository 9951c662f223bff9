"""Which alerts a session raises, what they say, and which are told again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from delta.contracts import Alerts
from trading.alerts import COLUMNS, Alert, alerts_frame, session_alerts, throttled
from trading.book import AlertsConfig, RiskConfig
from trading.reporting.daily.data import (
    Account,
    DailyReport,
    EquityHistory,
    Exited,
    Filled,
    Limit,
    Warned,
)

SESSION = date(2024, 3, 5)
NOW = datetime(2024, 3, 5, 21, 5, tzinfo=UTC)


def account(daily_return: float | None, drawdown: float = -0.1) -> Account:
    pnl = None if daily_return is None else 100_000.0 * daily_return
    return Account(
        equity=100_000.0,
        cash=50_000.0,
        positions_value=50_000.0,
        receivables=0.0,
        position_count=3,
        unrealised_pnl=0.0,
        realised_today=0.0,
        realised_pnl=0.0,
        daily_return=daily_return,
        daily_pnl=pnl,
        total_return=0.0,
        drawdown=drawdown,
        exposure=0.2,
        commissions=0.0,
        dividends=0.0,
    )


def fill(symbol: str, quantity: float, price: float, side: str = "BUY") -> Filled:
    return Filled(symbol, "momentum", "entry", side, quantity, price, 1.0, 0.0, 0.0, "breakout")


def closed(symbol: str, pnl: float, reason: str) -> Exited:
    return Exited(symbol, "momentum", "long", 50.0, date(2024, 2, 1), 100.0, 97.0, pnl, -0.03, 5, reason)


QUIET = DailyReport(
    book="momentum",
    session=SESSION,
    mode="paper",
    currency="USD",
    config_hash="abc",
    account=account(0.001),
    regime=None,
    positions=(),
    entries=(),
    exits=(),
    other_fills=(),
    planned=(),
    moved=(),
    not_taken=(),
    limits=(Limit("exposure", "", 0.2, 0.25, 0.8),),
    loss_left=0.03,
    open_risk=None,
    upcoming=(),
    warnings=(),
    candidates=(),
    history=EquityHistory(),
)


def told(report: DailyReport, **choices: bool) -> list[tuple[str, str, str, str]]:
    raised = session_alerts(report, config=AlertsConfig(**choices))
    return [(alert.kind, alert.severity, alert.subject, alert.message) for alert in raised]


def test_a_quiet_session_raises_nothing() -> None:
    assert told(QUIET) == []


def test_entries_of_one_symbol_are_one_alert() -> None:
    report = replace(
        QUIET, entries=(fill("AAPL", 30, 100.0), fill("AAPL", 10, 104.0), fill("XOM", 5, 50, "SELL"))
    )
    assert told(report) == [
        ("entry", "info", "AAPL", "bought 40 AAPL at 101.00 (breakout)"),
        ("entry", "info", "XOM", "sold short 5 XOM at 50.00 (breakout)"),
    ]


def test_exits_tell_their_reasons_and_result() -> None:
    report = replace(QUIET, exits=(closed("IBM", -150.0, "trailing_stop"), closed("IBM", 20.0, "time")))
    assert told(report) == [("exit", "info", "IBM", "closed 100 IBM by trailing stop, time: -$130.00")]


@pytest.mark.parametrize(
    ("limit", "severity", "message"),
    [
        (Limit("exposure", "", 0.24, 0.25, 0.96), "warning", "exposure 24.00 % is near its limit of 25.00 %"),
        (
            Limit("exposure", "", 0.26, 0.25, 1.04),
            "warning",
            "exposure 26.00 % is above its limit of 25.00 %",
        ),
        (Limit("positions", "", 8.0, 8.0, 1.0), "warning", "open positions 8 is at its limit of 8"),
        (
            Limit("daily_loss", "", 0.021, 0.03, 0.7),
            "warning",
            "daily loss 2.10 % is near its limit of 3.00 %",
        ),
        (
            Limit("daily_loss", "", 0.035, 0.03, 1.17),
            "error",
            "daily loss 3.50 % is above its limit of 3.00 %",
        ),
        (
            Limit("sector_exposure", "Energy", 0.14, 0.15, 0.93),
            "warning",
            "sector exposure of Energy 14.00 % is near its limit of 15.00 %",
        ),
    ],
)
def test_limits_near_or_reached(limit: Limit, severity: str, message: str) -> None:
    (alert,) = session_alerts(replace(QUIET, limits=(limit,)), risk=RiskConfig())
    assert (alert.kind, alert.severity, alert.message) == ("risk", severity, message)


@pytest.mark.parametrize(
    ("daily_return", "drawdown", "subjects"),
    [
        (0.0501, -0.01, ["day_gain"]),
        (0.05, -0.01, []),
        (-0.0201, -0.01, ["day_loss"]),
        (-0.02, -0.01, []),
        (0.001, 0.0, ["equity_high"]),
        (0.06, 0.0, ["day_gain", "equity_high"]),
        (0.0, 0.0, []),  # flat at the high: nothing new
        (None, 0.0, []),
    ],
)
def test_performance(daily_return: float | None, drawdown: float, subjects: list[str]) -> None:
    report = replace(QUIET, account=account(daily_return, drawdown))
    assert [alert.subject for alert in session_alerts(report)] == subjects


def test_performance_says_the_figures() -> None:
    assert told(replace(QUIET, account=account(-0.031))) == [
        ("performance", "warning", "day_loss", "lost 3.10 % in the session (-$3,100.00)")
    ]


def test_problems_come_first_and_are_always_told() -> None:
    report = replace(
        QUIET,
        entries=(fill("AAPL", 30, 100.0),),
        warnings=(
            Warned("position", "warning", "AAPL", "unrealised loss of AAPL: -8.00 %"),
            Warned("data", "warning", "XOM", "no bar of XOM in the session: last price kept"),
            Warned("error", "error", "", "candidate scan failed: no benchmark bar"),
        ),
    )
    silent = {"on_entry": False, "on_exit": False, "on_risk_limit": False, "on_performance": False}
    problems = [
        ("data", "warning", "XOM", "no bar of XOM in the session: last price kept"),
        ("error", "error", "candidate scan failed", "candidate scan failed: no benchmark bar"),
    ]
    assert told(report, **silent) == problems
    assert told(report)[:2] == problems
    assert told(report)[2][0] == "entry"


@pytest.mark.parametrize(
    ("choice", "kind"),
    [
        ("on_entry", "entry"),
        ("on_exit", "exit"),
        ("on_risk_limit", "risk"),
        ("on_performance", "performance"),
    ],
)
def test_each_kind_can_be_switched_off(choice: str, kind: str) -> None:
    busy = replace(
        QUIET,
        account=account(-0.05),
        entries=(fill("AAPL", 30, 100.0),),
        exits=(closed("IBM", -150.0, "time"),),
        limits=(Limit("exposure", "", 0.24, 0.25, 0.96),),
    )
    assert kind in {alert[0] for alert in told(busy)}
    assert {alert[0] for alert in told(busy)} - {alert[0] for alert in told(busy, **{choice: False})} == {
        kind
    }


def test_no_portfolio_row_raises_no_performance_alert() -> None:
    missing = Warned(
        "data", "error", "portfolio", "the session has no portfolio row: nothing was decided on it"
    )
    alerts = session_alerts(replace(QUIET, account=None, limits=(), warnings=(missing,)))
    assert [(alert.kind, alert.severity) for alert in alerts] == [("data", "error")]


# ---------------------------------------------------------------------------------- identity and throttling


def alert(
    kind: str = "risk", subject: str = "exposure", session: date = SESSION, severity: str = "warning"
) -> Alert:
    return Alert("momentum", session, kind, severity, subject, "message")


def test_identity_is_session_kind_and_subject() -> None:
    same = {alert().alert_id, replace(alert(), message="other words", severity="error").alert_id}
    assert len(same) == 1
    others = {
        alert(kind="error").alert_id,
        alert(subject="cash").alert_id,
        alert(session=date(2024, 3, 6)).alert_id,
        replace(alert(), book="other").alert_id,
    }
    assert len(others | same) == 5


def test_frame_fits_the_contract_and_holds_each_identity_once() -> None:
    frame = alerts_frame([alert(), alert(), alert(kind="error", subject="scan")], NOW)
    assert dict(frame.schema) == dict(Alerts.schema())
    assert frame["alert_id"].to_list() == [alert().alert_id, alert(kind="error", subject="scan").alert_id]
    for check in Alerts.checks:
        assert frame.select(check.holds.fill_null(True).all()).item(), check.rule
    assert alerts_frame([], NOW).schema == COLUMNS


@pytest.mark.parametrize(
    ("minutes", "told_again"),
    [(0, False), (4, False), (5, True), (600, True)],
)
def test_the_same_alert_is_told_again_after_a_while(minutes: int, told_again: bool) -> None:
    raised = alert(kind="error", subject="scan")
    earlier = alerts_frame([raised], NOW - timedelta(minutes=minutes))
    assert bool(throttled([raised], earlier, now=NOW)) == told_again


@pytest.mark.parametrize(
    ("before", "again", "told_again"),
    [
        (alert(session=date(2024, 3, 4)), alert(), False),  # still near its limit
        (alert(session=date(2024, 2, 27)), alert(), True),  # a week later
        (alert(session=date(2024, 3, 4)), alert(severity="error"), True),  # it has become worse
        (alert(session=date(2024, 3, 4)), alert(subject="cash"), True),
        (alert(session=date(2024, 3, 6)), alert(), True),  # a replay of the past knows no later session
        (alert("entry", "AAPL", date(2024, 3, 4)), alert("entry", "AAPL"), True),
        (alert("error", "scan", date(2024, 3, 4)), alert("error", "scan"), True),
        (alert("performance", "equity_high", date(2024, 3, 4)), alert("performance", "equity_high"), False),
        (alert("performance", "day_loss", date(2024, 3, 4)), alert("performance", "day_loss"), True),
        (replace(alert(session=date(2024, 3, 4)), book="other"), alert(), True),
    ],
)
def test_a_state_that_lasts_is_told_once_a_week(before: Alert, again: Alert, told_again: bool) -> None:
    earlier = alerts_frame([before], NOW - timedelta(days=1))
    assert bool(throttled([again], earlier, now=NOW)) == told_again


def test_nothing_earlier_throttles_nothing() -> None:
    assert throttled([alert()], alerts_frame([], NOW), now=NOW) == (alert(),)
