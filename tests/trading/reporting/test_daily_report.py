"""What the daily report collects: a full session by hand, and sessions with next to nothing."""

from __future__ import annotations

import json
from datetime import date

import polars as pl
import pytest

from trading.book import RiskConfig
from trading.reporting import DailyReport, Thresholds, daily_report, to_html, to_json, to_markdown, to_text
from trading.reporting.daily.data import Upcoming

SESSION = date(2024, 3, 5)


@pytest.fixture(scope="module")
def report(day) -> DailyReport:
    return daily_report(
        "momentum",
        SESSION,
        day.portfolio,
        **day.tables,
        problems=["scan failed: no benchmark bar"],
        mode="paper",
    )


def test_account(report: DailyReport) -> None:
    account = report.account
    assert account is not None
    assert (account.equity, account.cash, account.positions_value) == (99_450.0, 76_450.0, 23_000.0)
    assert account.daily_return == pytest.approx(-0.025)
    assert account.daily_pnl == -2_550.0
    assert account.total_return == pytest.approx(-0.0055)
    assert account.drawdown == pytest.approx(-0.025)
    assert (account.realised_today, account.unrealised_pnl, account.position_count) == (-150.0, 310.0, 3)
    assert report.config_hash == "abc123def456"
    assert report.history.sessions == (date(2024, 3, 1), date(2024, 3, 4), SESSION)


def test_positions_are_largest_first_with_distances_and_risk(report: DailyReport) -> None:
    oil, microsoft, apple = report.positions
    assert [held.symbol for held in report.positions] == ["XOM", "MSFT", "AAPL"]
    assert apple.pnl_fraction == pytest.approx(0.10)
    assert apple.to_stop == pytest.approx(1 - 108.5 / 110)
    assert apple.to_target == pytest.approx(120 / 110 - 1)
    assert apple.risk == 75.0  # 50 shares x 1.50
    assert microsoft.risk == 1_300.0  # 50 shares x 26
    assert (oil.target, oil.to_target, oil.sector, oil.score) == (None, None, "", 41.0)
    assert report.open_risk == 1_575.0


def test_entries_exits_and_other_executions(report: DailyReport) -> None:
    (entry,) = report.entries
    assert (entry.symbol, entry.quantity, entry.price, entry.reason) == ("MSFT", 50.0, 117.0, "breakout")
    (exited,) = report.exits  # two lots of one position are one exit
    assert (exited.symbol, exited.quantity, exited.pnl, exited.reason) == ("IBM", 50.0, -150.0, "stop_loss")
    assert exited.pnl_fraction == pytest.approx(-0.03)
    assert [fill.symbol for fill in report.other_fills] == ["GE"]  # the stop of IBM is told under exits


def test_orders_for_the_next_session_carry_their_stop_and_target(report: DailyReport) -> None:
    entry, leaving = report.planned
    assert (entry.symbol, entry.stop, entry.target) == ("NVDA", 46.0, 60.0)
    assert (entry.risk, entry.intended_risk) == (160.0, 240.0)
    assert (leaving.symbol, leaving.purpose, leaving.reason) == ("XOM", "exit", "momentum_failure")
    (moved,) = report.moved
    assert (moved.symbol, moved.purpose, moved.price) == ("AAPL", "trailing_stop", 108.5)


def test_signals_not_taken_name_every_gate_with_its_figures(report: DailyReport) -> None:
    assert [(item.symbol, item.reason) for item in report.not_taken] == [
        (
            "META",
            "exposure 28.1 % would exceed 25.0 %; sector exposure 17.1 % would exceed 15.0 % (Technology)",
        ),
        ("ORCL", "no order was decided for it"),
    ]


def test_limits(report: DailyReport) -> None:
    found = {(limit.measure, limit.subject): limit for limit in report.limits}
    assert found["exposure", ""].used == pytest.approx(23_000 / 99_450 / 0.25)
    assert found["positions", ""].limit == 6  # the regime allows fewer than the book's eight
    assert found["daily_loss", ""].value == pytest.approx(0.025)
    assert found["sector_exposure", "Technology"].value == pytest.approx(11_400 / 99_450)
    assert found["sector_exposure", ""].limit is None
    assert report.loss_left == pytest.approx(0.005)


def test_upcoming(report: DailyReport) -> None:
    assert report.upcoming == (
        Upcoming("XOM", "near stop", 116.0, 114.0, pytest.approx(2 / 116)),
        Upcoming("MSFT", "near target", 118.0, 120.0, pytest.approx(2 / 118)),
        Upcoming("AAPL", "near stop", 110.0, 108.5, pytest.approx(1.5 / 110)),
        Upcoming("AAPL", "trailing stop active", 110.0, 108.5, pytest.approx(1.5 / 110)),
    )


def test_warnings(report: DailyReport) -> None:
    assert [item.message for item in report.warnings] == [
        "scan failed: no benchmark bar",
        "exposure 23.13 % is near its limit of 25.00 %",
        "daily loss 2.50 % is near its limit of 3.00 %",
        "unrealised loss of XOM: -8.59 %",
        "score of XOM has fallen to 41",
        "no bar of XOM in the session: last price kept",
    ]


@pytest.mark.parametrize(
    ("limit", "said"),
    [(0.5, ""), (0.2312, "above"), (0.24, "near")],
)
def test_exposure_is_named_by_its_distance_to_the_limit(day, limit: float, said: str) -> None:
    report = daily_report("momentum", SESSION, day.portfolio, risk=RiskConfig(max_portfolio_exposure=limit))
    messages = [item.message for item in report.warnings if item.message.startswith("exposure")]
    assert (said in messages[0]) if said else messages == []


def test_thresholds_decide_what_is_near(day) -> None:
    report = daily_report(
        "momentum",
        SESSION,
        day.portfolio,
        **day.tables,
        thresholds=Thresholds(near_target=0.1, near_stop=0.0, large_loss=0.5, low_score=0.0),
    )
    assert [item.symbol for item in report.upcoming if item.what == "near target"] == ["MSFT", "AAPL"]
    assert not [item for item in report.upcoming if item.what == "near stop"]
    assert not [item for item in report.warnings if item.kind == "position"]


def test_a_short_position_is_mirrored(day) -> None:
    short = (
        day.frames["positions"]
        .head(1)
        .with_columns(
            quantity=-50.0,
            market_value=-5_500.0,
            cost_basis=-6_000.0,
            stop=115.5,
            target=107.8,
            trailing=False,
        )
    )
    (held,) = daily_report("momentum", SESSION, day.portfolio, positions=short).positions
    assert held.to_stop == pytest.approx(0.05)
    assert held.to_target == pytest.approx(0.02)
    assert held.risk == 275.0


def test_other_books_and_sessions_are_left_out(day) -> None:
    doubled = {
        name: pl.concat([frame, frame.with_columns(book=pl.lit("other"), session=pl.lit(SESSION))])
        for name, frame in day.frames.items()
    }
    mixed = daily_report("momentum", SESSION, doubled.pop("portfolio"), **doubled)
    assert mixed == daily_report("momentum", SESSION, day.portfolio, **day.tables)


def test_the_report_of_an_earlier_session_knows_nothing_later(day) -> None:
    report = daily_report("momentum", date(2024, 3, 4), day.portfolio, **day.tables)
    assert report.account is not None
    assert report.account.equity == 102_000.0
    assert report.history.equity == (100_000.0, 102_000.0)
    assert report.positions == ()


def test_the_first_session_earns_its_return_on_the_capital(day) -> None:
    first = day.portfolio.head(1).with_columns(equity=99_000.0, daily_return=-0.01)
    account = daily_report("momentum", date(2024, 3, 1), first).account
    assert account is not None
    assert account.daily_pnl == -1_000.0


RENDERERS = [to_text, to_html, to_markdown, to_json]


@pytest.mark.parametrize("render", RENDERERS)
def test_a_session_without_rows_still_gives_a_report(day, render) -> None:
    for portfolio in (pl.DataFrame(), day.portfolio.clear(), day.portfolio.head(2)):
        report = daily_report("momentum", SESSION, portfolio, problems=["bars are two sessions old"])
        assert report.account is None
        shown = render(report)
        assert "bars are two sessions old" in shown
        assert "the session has no portfolio row" in shown


def test_json_holds_the_same_figures(report: DailyReport) -> None:
    read = json.loads(to_json(report))
    assert read["session"] == "2024-03-05"
    assert read["account"]["equity"] == 99_450.0
    assert read["positions"][0]["target"] is None
    assert read["not_taken"][1] == {
        "symbol": "ORCL",
        "strategy": "momentum",
        "action": "BUY",
        "strength": 72.0,
        "price": 50.0,
        "signal": "breakout",
        "reason": "no order was decided for it",
    }
