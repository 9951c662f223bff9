"""What the report of a range collects and shows, from a long run down to none at all."""

from __future__ import annotations

import json
from datetime import date

import polars as pl
import pytest

from delta.contracts import Portfolio, Trades
from trading.performance import MEASURES, drawdown_table, monthly_returns, summary
from trading.reporting import BacktestReport, backtest_report, to_html, to_json, to_markdown, to_text


@pytest.fixture(scope="module")
def report(run) -> BacktestReport:
    return backtest_report(
        "momentum", run.portfolio, run.trades, benchmark=run.benchmark, benchmark_name="SPY", mode="backtest"
    )


def test_figures_are_those_of_the_summary(run, report: BacktestReport) -> None:
    expected = summary(run.portfolio, run.trades, run.benchmark)
    assert [figure.measure for figure in report.figures] == [measure.name for measure in MEASURES]
    assert [figure.value for figure in report.figures] == expected["value"].to_list()
    assert report.figure("total_return") == pytest.approx((run.portfolio["equity"][-1] / 1000) - 100)
    assert report.figure("no such measure") is None


def test_months_and_drawdowns_are_those_of_the_tables(run, report: BacktestReport) -> None:
    months = monthly_returns(run.portfolio)
    assert [(year.year, *year.months, year.total) for year in report.years] == months.rows()
    declines = drawdown_table(run.portfolio)
    assert [decline.depth for decline in report.declines] == declines["depth"].to_list()
    assert report.declines[0].recovery is not None
    assert report.declines[-1].recovery is None


def test_groups_count_every_trade(run, report: BacktestReport) -> None:
    for groups, column in ((report.by_reason, "exit_reason"), (report.by_symbol, "symbol")):
        assert sum(group.trades for group in groups) == run.trades.height
        assert [group.pnl for group in groups] == sorted((group.pnl for group in groups), reverse=True)
        best = groups[0]
        own = run.trades.filter(pl.col(column) == best.name)
        assert best.pnl == pytest.approx(own["pnl"].sum())
        assert best.win_rate == pytest.approx((own["pnl"] > 0).mean())
        assert best.average_return == pytest.approx(own["trade_return"].mean())


def test_trades_are_the_last_ones_in_order_of_closing(run) -> None:
    report = backtest_report("momentum", run.portfolio, run.trades.reverse(), most_trades=5)
    assert report.trade_count == run.trades.height
    assert [trip.closed for trip in report.trades] == run.trades["session"].to_list()[-5:]
    assert f"the last 5 of {run.trades.height} trades" in to_text(report)
    assert backtest_report("momentum", run.portfolio, run.trades, most_trades=0).trades == ()


def test_the_benchmark_starts_with_the_capital(run, report: BacktestReport) -> None:
    track, closes = report.track, run.benchmark["close"].to_list()
    assert track.benchmark[0] == pytest.approx(100_000 * closes[1] / closes[0])
    assert track.benchmark[-1] == pytest.approx(100_000 * closes[-1] / closes[0])
    assert len(track.benchmark) == len(track.sessions) == len(track.exposure) == run.portfolio.height


def test_a_benchmark_that_starts_late_starts_with_the_equity_of_then(run) -> None:
    late = run.benchmark.tail(300)
    track = backtest_report("momentum", run.portfolio, benchmark=late).track
    assert track.benchmark[299] is None
    assert track.benchmark[300] == pytest.approx(track.equity[300])


def test_other_books_are_left_out(run, report: BacktestReport) -> None:
    portfolio = pl.concat([run.portfolio, run.portfolio.with_columns(book=pl.lit("other"))])
    trades = pl.concat([run.trades.with_columns(book=pl.lit("other")), run.trades])
    mixed = backtest_report("momentum", portfolio, trades, benchmark=run.benchmark, benchmark_name="SPY")
    assert mixed == report


def test_text_shows_every_part(report: BacktestReport) -> None:
    shown = to_text(report, width=130)
    for expected in (
        "2021-11-01 to 2024-02-16 · backtest · configuration abc123def456",
        "Total return               +34.06 %",
        "2022  +1.7 %  -0.4 %",
        "-10.68 %  2023-01-25  2023-06-28  2023-10-10       184",
        "mean excess return / standard deviation (ddof 1) x sqrt(252), risk-free 0.00% a year",
        "momentum failure      12",
        "MSFT    long           40  2021-11-03  2021-11-15",
    ):
        assert expected in shown, expected
    assert "── equity   ── SPY" in to_text(report, charts=True)


def test_page_has_the_curve_with_its_benchmark_and_warm_months(report: BacktestReport) -> None:
    page = to_html(report)
    assert 'class="benchmark"' in page
    assert 'class="drawdown"' in page
    assert "color-mix(in srgb, var(--good)" in page
    assert "color-mix(in srgb, var(--bad)" in page


def test_many_symbols_are_cut_to_the_best_and_the_worst(run) -> None:
    trades = run.trades.with_columns(symbol=pl.format("S{}", pl.int_range(pl.len())))
    report = backtest_report("momentum", run.portfolio, trades)
    assert len(report.by_symbol) == run.trades.height
    assert f"{run.trades.height} symbols; the best ten, then the worst ten" in to_text(report)


EMPTY = pl.DataFrame(schema=Portfolio.schema())


def degenerate(run) -> dict[str, tuple[pl.DataFrame, pl.DataFrame | None]]:
    nan = pl.lit(float("nan"))
    return {
        "no frame": (pl.DataFrame(), None),
        "no row": (EMPTY, pl.DataFrame(schema=Trades.schema())),
        "no trade": (run.portfolio, run.trades.clear()),
        "one session": (run.portfolio.head(1), run.trades.head(1)),
        "flat": (run.portfolio.with_columns(equity=100_000.0, daily_return=0.0), None),
        "nan": (run.portfolio.with_columns(equity=nan, daily_return=nan, exposure=nan), None),
    }


@pytest.mark.parametrize("case", ["no frame", "no row", "no trade", "one session", "flat", "nan"])
def test_degenerate_runs_still_give_a_report(run, case: str) -> None:
    portfolio, trades = degenerate(run)[case]
    for benchmark in (None, run.benchmark, run.benchmark.clear()):
        report = backtest_report("momentum", portfolio, trades, benchmark=benchmark)
        for render in (to_text, to_html, to_markdown):
            assert "Performance: momentum" in render(report)
        read = json.loads(to_json(report))
        undefined = [figure for figure in read["figures"] if figure["value"] is None]
        assert undefined
        assert all(figure["convention"].startswith("not defined: ") for figure in undefined)


def test_json_names_dates_by_iso(report: BacktestReport) -> None:
    read = json.loads(to_json(report, indent=2))
    assert (read["first"], read["last"]) == ("2021-11-01", "2024-02-16")
    assert report.first == date(2021, 11, 1)
    assert len(read["track"]["equity"]) == 600
