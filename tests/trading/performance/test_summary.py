"""The summary of frames: units, reasons, dates, and runs that have next to nothing to say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delta.contracts import Performance, Portfolio, Trades
from trading.performance import MEASURES, daily_drawdowns, drawdown_table, monthly_returns, summary

Build = Callable[..., pl.DataFrame]


def figures(frame: pl.DataFrame) -> dict[str, float | None]:
    return dict(zip(frame["measure"], frame["value"], strict=True))


def conventions(frame: pl.DataFrame) -> dict[str, str]:
    return dict(zip(frame["measure"], frame["convention"], strict=True))


def test_columns_are_those_of_the_performance_table_without_the_book(book: Build, round_trips: Build) -> None:
    frame = summary(book([101.0, 102.0]), round_trips([1.0]))
    expected = {name: dtype for name, dtype in Performance.schema().items() if name != "book"}
    assert dict(frame.schema) == expected
    assert frame["measure"].to_list() == [measure.name for measure in MEASURES]
    assert frame["measure"].is_unique().all()


def test_worked_example(book: Build, round_trips: Build) -> None:
    portfolio = book(
        [110.0, 99.0, 99.0, 108.9], exposure=[0.0, 0.5, 0.5, 0.0], turnover=[0.0, 0.02, 0.0, 0.02]
    )
    frame = summary(portfolio, round_trips([300.0, -100.0], held=[4, 8]))
    shown = figures(frame)
    assert shown["sessions"] == 4
    assert shown["total_return"] == pytest.approx(8.9)
    assert shown["max_drawdown"] == pytest.approx(-10.0)
    assert shown["max_drawdown_duration"] == 3
    assert shown["average_exposure"] == pytest.approx(25.0)
    assert shown["time_in_market"] == pytest.approx(50.0)
    assert shown["annual_turnover"] == pytest.approx(2.52)
    assert shown["net_profit"] == 8.9
    assert shown["final_equity"] == 108.9
    assert (shown["trades"], shown["win_rate"], shown["profit_factor"]) == (2, 50.0, 3.0)
    assert (shown["expectancy"], shown["average_trade"]) == (100.0, pytest.approx(10.0))
    assert shown["average_holding"] == 6
    assert frame["first_session"].unique().to_list() == [date(2024, 1, 1)]
    assert frame["session"].unique().to_list() == [date(2024, 1, 4)]
    assert "peak 2024-01-01, trough 2024-01-02, not recovered" in conventions(frame)["max_drawdown"]
    assert "252 sessions a year" in conventions(frame)["annual_return"]


def test_conventions_name_the_parameters_used(book: Build, round_trips: Build) -> None:
    said = conventions(summary(book([101.0, 100.0]), round_trips([]), risk_free=0.0175, periods=365))
    assert "sqrt(365)" in said["sharpe_ratio"]
    assert "risk-free 1.75% a year" in said["sharpe_ratio"]


def test_rows_may_come_in_any_order(book: Build, round_trips: Build) -> None:
    portfolio, trades = book([101.0, 99.0, 104.0, 103.0]), round_trips([1.0, 2.0, -1.0])
    assert summary(portfolio.reverse(), trades.reverse()).equals(summary(portfolio, trades))


def test_capital_put_in_is_no_return(book: Build, round_trips: Build) -> None:
    # 100 -> 110, then 110 put in at the close of a flat session, then 10 % on 220
    portfolio = book([110.0, 220.0, 242.0], deposits=[100.0, 210.0, 210.0])
    shown = figures(summary(portfolio, round_trips([])))
    assert shown["total_return"] == pytest.approx(21.0)
    assert shown["net_profit"] == 32.0
    assert shown["max_drawdown"] == 0.0


def test_a_range_out_of_a_longer_run_measures_the_range(book: Build, round_trips: Build) -> None:
    portfolio = book([110.0, 121.0, 133.1])
    shown = figures(summary(portfolio.tail(1), round_trips([])))
    assert shown["total_return"] == pytest.approx(10.0)
    assert shown["net_profit"] == pytest.approx(12.1)


# ---------------------------------------------------------------------------------------------- benchmark


def bars(rows: dict[date, float]) -> pl.DataFrame:
    return pl.DataFrame({"session": list(rows), "close": list(rows.values())})


def test_benchmark_starts_at_the_close_before_the_first_session(book: Build, round_trips: Build) -> None:
    market = bars(
        {
            date(2023, 12, 28): 1.0,
            date(2023, 12, 29): 50.0,
            date(2024, 1, 1): 55.0,
            date(2024, 1, 2): 49.5,
            date(2024, 1, 3): 60.0,
        }
    )
    shown = figures(summary(book([110.0, 99.0]), round_trips([]), market))
    assert shown["benchmark_total_return"] == pytest.approx(-1.0)
    assert shown["benchmark_max_drawdown"] == pytest.approx(-10.0)
    assert shown["beta"] == pytest.approx(1.0)
    assert shown["correlation"] == pytest.approx(1.0)


def test_a_benchmark_bar_that_is_missing_is_not_bridged(book: Build, round_trips: Build) -> None:
    market = bars(
        {date(2024, 1, 1): 50.0, date(2024, 1, 2): 55.0, date(2024, 1, 4): 60.0, date(2024, 1, 5): 66.0}
    )
    frame = summary(book([100.0, 110.0, 100.0, 90.0, 99.0]), round_trips([]), market)
    shown = figures(frame)
    assert shown["benchmark_total_return"] == pytest.approx(32.0)
    assert shown["tracking_error"] == pytest.approx(0.0, abs=1e-9)  # both pairs are +10 % each


def test_without_a_benchmark_the_reason_is_said(book: Build, round_trips: Build) -> None:
    frame = summary(book([101.0, 99.0]), round_trips([]))
    assert figures(frame)["beta"] is None
    assert conventions(frame)["beta"].startswith("not defined: no benchmark was given; ")


def test_a_benchmark_of_other_sessions(book: Build, round_trips: Build) -> None:
    frame = summary(book([101.0, 99.0]), round_trips([]), bars({date(2020, 1, 1): 5.0}))
    assert figures(frame)["benchmark_total_return"] is None
    assert "fewer than two closes" in conventions(frame)["benchmark_total_return"]


# ------------------------------------------------------------------------------------- degenerate inputs


def test_no_trades_flat_equity(book: Build, round_trips: Build) -> None:
    frame = summary(book([100.0] * 10), round_trips([]))
    shown, said = figures(frame), conventions(frame)
    assert (shown["trades"], shown["total_return"], shown["annual_volatility"]) == (0, 0, 0)
    assert (shown["max_drawdown"], shown["max_drawdown_duration"]) == (0, 0)
    for name in ("sharpe_ratio", "sortino_ratio", "calmar_ratio", "win_rate", "profit_factor", "best_trade"):
        assert shown[name] is None, name
        assert said[name].startswith("not defined: "), name


def test_one_session(book: Build, round_trips: Build) -> None:
    shown = figures(summary(book([101.0]), round_trips([10.0])))
    assert shown["total_return"] == pytest.approx(1.0)
    assert shown["annual_volatility"] is None
    assert shown["sharpe_ratio"] is None


def test_all_nan(book: Build, round_trips: Build) -> None:
    nan = float("nan")
    portfolio = book([None] * 3).with_columns(equity=pl.lit(nan), daily_return=pl.lit(nan))
    frame = summary(portfolio, round_trips([None, None]), bars({date(2024, 1, 1): nan}))
    assert figures(frame)["total_return"] is None
    assert figures(frame)["trades"] == 0
    assert not frame["value"].is_nan().any()


def test_nothing_at_all() -> None:
    empty, none = pl.DataFrame(schema=Portfolio.schema()), pl.DataFrame(schema=Trades.schema())
    frame = summary(empty, none)
    assert frame.height == len(MEASURES)
    assert frame["session"].null_count() == frame.height
    window = (date(2024, 1, 1), date(2024, 1, 31))
    dated = summary(empty, none, window=window)
    assert dated["first_session"].unique().to_list() == [window[0]]
    assert drawdown_table(empty).is_empty()
    assert monthly_returns(empty).is_empty()
    assert daily_drawdowns(empty).is_empty()


any_number = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))


@settings(max_examples=100, deadline=None)
@given(
    equity=st.lists(any_number, max_size=20),
    pnl=st.lists(any_number, max_size=10),
    compared=st.booleans(),
)
def test_never_raises_and_never_shows_nan(book: Build, round_trips: Build, equity, pnl, compared) -> None:
    portfolio = book([100.0] * len(equity)).with_columns(equity=pl.Series(equity, dtype=pl.Float64))
    portfolio = portfolio.with_columns(exposure="equity", turnover="equity", daily_return="equity")
    market = portfolio.select("session", close="equity") if compared else None
    frame = summary(portfolio, round_trips(pnl), market)
    shown = frame["value"].drop_nulls()
    assert shown.is_finite().all()
    undefined = frame.filter(pl.col("value").is_null())["convention"]
    assert undefined.str.starts_with("not defined: ").all()
    monthly_returns(portfolio)
    drawdown_table(portfolio)


# ------------------------------------------------------------------------------------------------- tables


def test_drawdown_table_is_deepest_first_with_dates(book: Build) -> None:
    table = drawdown_table(book([95.0, 100.0, 110.0, 55.0, 66.0]))
    assert table.rows() == [
        (date(2024, 1, 3), date(2024, 1, 4), None, pytest.approx(-0.5), 2, 1, None),
        (None, date(2024, 1, 1), date(2024, 1, 2), pytest.approx(-0.05), 2, 1, 1),
    ]
    assert drawdown_table(book([95.0, 100.0, 110.0, 55.0, 66.0]), count=1).height == 1


def test_daily_drawdowns(book: Build) -> None:
    table = daily_drawdowns(book([110.0, 99.0, 121.0]))
    assert table["growth"].to_list() == pytest.approx([1.1, 0.99, 1.21])
    assert table["peak"].to_list() == pytest.approx([1.1, 1.1, 1.21])
    assert table["drawdown"].to_list() == pytest.approx([0.0, -0.1, 0.0])


def test_monthly_returns_compound_to_the_total(book: Build) -> None:
    equity = [100.0 * 1.001**day * (1.0 + 0.01 * (day % 3)) for day in range(1, 401)]
    portfolio = book(equity, start=date(2023, 11, 15))
    table = monthly_returns(portfolio)
    assert table["year"].to_list() == [2023, 2024, 2025]
    november = portfolio.filter(pl.col("session") < date(2023, 12, 1))["equity"][-1] / 100.0 - 1
    assert table["11"][0] == pytest.approx(november)
    assert table["1"][0] is None
    assert ((1 + table["total"]).product() - 1) == pytest.approx(equity[-1] / 100.0 - 1)
