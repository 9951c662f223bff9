"""The daily report at the exact edge of each threshold, in every form, and with each of its tables missing."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import date
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.book import RiskConfig
from trading.reporting import DailyReport, Thresholds, daily_report, to_html, to_json, to_markdown, to_text

from .conftest import BOOK, SESSION, Day, frame, order, portfolio_rows, position, signal

FORMS = {"text": to_text, "html": to_html, "markdown": to_markdown, "json": to_json}


def report_of(
    *, risk: RiskConfig | None = None, thresholds: Thresholds | None = None, **frames: Any
) -> DailyReport:
    """Report of a session with some tables."""
    portfolio = frames.pop("portfolio", frame("portfolio", portfolio_rows()))
    return daily_report(BOOK, SESSION, portfolio, risk=risk, thresholds=thresholds, **frames)


def holding(**values: Any) -> DailyReport:
    """Report of a session with one position."""
    return report_of(positions=frame("positions", [position("AAPL", **values)]))


def told(report: DailyReport) -> list[str]:
    return [one.what for one in report.upcoming]


# ------------------------------------------------------------------------------------------------ upcoming

NEAR: dict[str, tuple[dict[str, Any], list[str]]] = {
    "target at five per cent": ({"price": 100.0, "target": 105.0, "stop": 80.0}, ["near target"]),
    "target a cent further": ({"price": 100.0, "target": 105.01, "stop": 80.0}, []),
    "target nearer": ({"price": 100.0, "target": 104.0, "stop": 80.0}, ["near target"]),
    "target reached": ({"price": 100.0, "target": 100.0, "stop": 80.0}, ["near target"]),
    "target passed": ({"price": 100.0, "target": 95.0, "stop": 80.0}, ["near target"]),
    "stop at two per cent": ({"price": 100.0, "target": 150.0, "stop": 98.0}, ["near stop"]),
    "stop a cent further": ({"price": 100.0, "target": 150.0, "stop": 97.99}, []),
    "stop reached": ({"price": 100.0, "target": 150.0, "stop": 100.0}, ["near stop"]),
    "stop passed": ({"price": 100.0, "target": 150.0, "stop": 101.0}, ["near stop"]),
    "both": ({"price": 100.0, "target": 103.0, "stop": 99.0}, ["near target", "near stop"]),
    "trailing": (
        {"price": 100.0, "target": 150.0, "stop": 90.0, "trailing": True},
        ["trailing stop active"],
    ),
    "trailing and near": (
        {"price": 100.0, "target": 150.0, "stop": 98.5, "trailing": True},
        ["near stop", "trailing stop active"],
    ),
    "neither stop nor target": ({"price": 100.0, "target": None, "stop": None}, []),
    "no price": ({"price": None, "target": 100.0, "stop": 99.0}, []),
    "price of nothing": ({"price": 0.0, "target": 100.0, "stop": 99.0}, []),
    "short, target at five per cent": (
        {"quantity": -50.0, "price": 100.0, "target": 95.0, "stop": 120.0},
        ["near target"],
    ),
    "short, target a cent further": ({"quantity": -50.0, "price": 100.0, "target": 94.99, "stop": 120.0}, []),
    "short, stop at two per cent": (
        {"quantity": -50.0, "price": 100.0, "target": 50.0, "stop": 102.0},
        ["near stop"],
    ),
    "short, stop a cent further": ({"quantity": -50.0, "price": 100.0, "target": 50.0, "stop": 102.01}, []),
}


@pytest.mark.parametrize("case", NEAR)
def test_what_may_soon_end_a_position(case: str) -> None:
    values, expected = NEAR[case]
    assert told(holding(**values)) == expected


@given(cents=st.integers(min_value=1, max_value=100_000))
def test_exactly_at_the_threshold_is_near_at_any_price(cents: int) -> None:
    """Five per cent is five per cent whatever binary fractions make of it."""
    price = cents * 0.2
    assert "near target" in told(holding(price=price, target=round(price * 1.05, 2), stop=price * 0.5))
    price = cents * 0.5
    assert "near stop" in told(holding(price=price, stop=round(price * 0.98, 2), target=price * 2))


@given(cents=st.integers(min_value=100, max_value=100_000))
def test_a_cent_beyond_the_threshold_is_not_near(cents: int) -> None:
    price = cents * 0.2
    assert "near target" not in told(
        holding(price=price, target=round(price * 1.05, 2) + 0.01, stop=price * 0.5)
    )
    price = cents * 0.5
    assert "near stop" not in told(holding(price=price, stop=round(price * 0.98, 2) - 0.01, target=price * 2))


# ------------------------------------------------------------------------------------------------ warnings


def warned(**values: Any) -> list[str]:
    """Warnings of a session with one position, and nothing near any limit."""
    wide = RiskConfig(max_portfolio_exposure=10, max_sector_exposure=10, warn_daily_loss=1, max_daily_loss=1)
    report = report_of(risk=wide, positions=frame("positions", [position("AAPL", **values)]))
    return [one.message for one in report.warnings]


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (-249.99, []),
        (-250.0, ["unrealised loss of AAPL: -5.00 %"]),
        (-251.0, ["unrealised loss of AAPL: -5.02 %"]),
        (-5000.0, ["unrealised loss of AAPL: -100.00 %"]),
        (250.0, []),
        (0.0, []),
    ],
)
def test_a_large_loss_is_told_from_five_per_cent_of_the_cost(loss: float, said: list[str]) -> None:
    assert warned(unrealised_pnl=loss) == said


def test_a_loss_of_a_short_position_counts_by_the_size_of_its_cost() -> None:
    assert warned(quantity=-50.0, cost_basis=-5_000.0, unrealised_pnl=-300.0) == [
        "unrealised loss of AAPL: -6.00 %"
    ]


@pytest.mark.parametrize(
    ("score", "low"), [(49.9, True), (50.0, False), (50.1, False), (0.0, True), (None, False)]
)
def test_a_low_score_of_a_held_name_is_told_below_fifty(score: float | None, low: bool) -> None:
    signals = frame("signals", [signal("AAPL", indicators=json.dumps({"score": score}))])
    wide = RiskConfig(max_portfolio_exposure=10, max_sector_exposure=10, warn_daily_loss=1, max_daily_loss=1)
    report = report_of(risk=wide, positions=frame("positions", [position("AAPL")]), signals=signals)
    assert [one.message for one in report.warnings] == (
        [f"score of AAPL has fallen to {score:.0f}"] if low else []
    )


def account_with(**values: Any) -> pl.DataFrame:
    """Portfolio whose last session has other figures."""
    rows = portfolio_rows()
    return frame("portfolio", [*rows[:-1], rows[-1] | values])


LIMITS: dict[str, tuple[dict[str, Any], str]] = {
    "exposure below nine tenths": ({"exposure": 0.2249}, ""),
    "exposure at nine tenths": ({"exposure": 0.225}, "exposure 22.50 % is near its limit of 25.00 %"),
    "exposure at its limit": ({"exposure": 0.25}, "exposure 25.00 % is at its limit of 25.00 %"),
    "exposure above": ({"exposure": 0.26}, "exposure 26.00 % is above its limit of 25.00 %"),
    "positions one below": ({"position_count": 7}, ""),
    "positions at the limit": ({"position_count": 8}, "open positions 8 is at its limit of 8"),
    "positions above": ({"position_count": 9}, "open positions 9 is above its limit of 8"),
    "loss below the warning": ({"daily_return": -0.0199}, ""),
    "loss at the warning": ({"daily_return": -0.02}, "daily loss 2.00 % is near its limit of 3.00 %"),
    "loss at the limit": ({"daily_return": -0.03}, "daily loss 3.00 % is at its limit of 3.00 %"),
    "loss above": ({"daily_return": -0.031}, "daily loss 3.10 % is above its limit of 3.00 %"),
    "gain": ({"daily_return": 0.05}, ""),
    "cash below zero": ({"cash": -0.01}, "cash is below zero"),
    "cash of nothing": ({"cash": 0.0}, ""),
}


@pytest.mark.parametrize("case", LIMITS)
def test_gates_near_their_limit(case: str) -> None:
    values, said = LIMITS[case]
    quiet = {"exposure": 0.0, "position_count": 0, "daily_return": 0.0, "cash": 1_000.0}
    report = report_of(portfolio=account_with(**(quiet | values)), risk=RiskConfig(regime=False))
    assert [one.message for one in report.warnings] == ([said] if said else [])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([6_700.0, 6_700.0], ""),
        ([6_713.0, 6_713.0], "sector exposure of Energy 13.50 % is near its limit of 15.00 %"),
        ([14_917.5], "sector exposure of Energy 15.00 % is at its limit of 15.00 %"),
        ([-14_918.0], "sector exposure of Energy 15.00 % is above its limit of 15.00 %"),
        ([-8_000.0, 8_000.0], "sector exposure of Energy 16.09 % is above its limit of 15.00 %"),
    ],
)
def test_a_sector_counts_long_and_short_alike(values: list[float], said: str) -> None:
    positions = frame(
        "positions",
        [
            position(f"S{number}", market_value=value, sector="Energy", stop=None, target=None)
            for number, value in enumerate(values)
        ],
    )
    quiet = {"exposure": 0.0, "position_count": 0, "daily_return": 0.0, "cash": 1_000.0}
    report = report_of(portfolio=account_with(**quiet), positions=positions)
    assert [one.message for one in report.warnings] == ([said] if said else [])


def test_the_regime_lowers_the_positions_that_are_allowed(day: Day) -> None:
    """Sideways allows six: at six the report says so, and with the switch off it does not."""
    quiet = {"exposure": 0.0, "position_count": 6, "daily_return": 0.0}
    regimes = day.frames["regimes"]
    on = report_of(portfolio=account_with(**quiet), regimes=regimes)
    off = report_of(portfolio=account_with(**quiet), regimes=regimes, risk=RiskConfig(regime=False))
    assert [one.message for one in on.warnings] == ["open positions 6 is at its limit of 6"]
    assert off.warnings == ()


@pytest.mark.parametrize(
    ("daily_return", "left"),
    [(0.0, 0.03), (0.01, 0.04), (-0.01, 0.02), (-0.03, 0.0), (-0.08, 0.0), (None, None)],
)
def test_distance_to_the_daily_loss_limit(daily_return: float | None, left: float | None) -> None:
    report = report_of(portfolio=account_with(daily_return=daily_return))
    assert report.loss_left == (None if left is None else pytest.approx(left))


@given(
    stops=st.lists(
        st.tuples(st.floats(1, 1_000), st.floats(0.5, 1.5), st.integers(1, 1_000)), min_size=1, max_size=6
    )
)
def test_open_risk_is_the_sum_of_what_the_stops_would_cost(stops: list[tuple[float, float, int]]) -> None:
    rows = [
        position(
            f"S{number}", price=price, stop=price * share, quantity=float(units), market_value=price * units
        )
        for number, (price, share, units) in enumerate(stops)
    ]
    report = report_of(positions=frame("positions", rows))
    by_hand = sum(max(0.0, price - price * share) * units for price, share, units in stops)
    assert report.open_risk == pytest.approx(by_hand, abs=0.01 * len(stops))


# ------------------------------------------------------------------------------------------------ trades


@given(
    lots=st.lists(
        st.tuples(st.integers(1, 500), st.floats(1, 500), st.floats(1, 500)), min_size=1, max_size=5
    )
)
def test_lots_that_closed_for_one_reason_are_one_row_with_weighted_prices(
    lots: list[tuple[int, float, float]],
) -> None:
    rows = [
        {
            "book": BOOK,
            "session": SESSION,
            "trade_id": str(number),
            "strategy": "momentum",
            "symbol": "IBM",
            "direction": "long",
            "quantity": float(units),
            "opened": date(2024, 2, 20 + number),
            "entry_price": bought,
            "exit_price": sold,
            "commissions": 0.0,
            "pnl": round((sold - bought) * units, 2),
            "trade_return": sold / bought - 1,
            "mae": 0.0,
            "mfe": 0.0,
            "sessions_held": 5 + number,
            "exit_reason": "time",
        }
        for number, (units, bought, sold) in enumerate(lots)
    ]
    found = report_of(trades=frame("trades", rows)).exits
    assert len(found) == 1
    one = found[0]
    units = sum(lot[0] for lot in lots)
    assert one.quantity == units
    assert one.entry_price == pytest.approx(sum(lot[0] * lot[1] for lot in lots) / units)
    assert one.exit_price == pytest.approx(sum(lot[0] * lot[2] for lot in lots) / units)
    assert one.pnl == pytest.approx(sum(row["pnl"] for row in rows), abs=0.005)
    assert (one.opened, one.days) == (date(2024, 2, 20), 4 + len(lots))


def test_trades_of_other_reasons_directions_and_strategies_are_rows_of_their_own(day: Day) -> None:
    row = day.frames["trades"].row(0, named=True)
    rows = [
        row,
        row | {"trade_id": "a", "exit_reason": "profit_target"},
        row | {"trade_id": "b", "direction": "short"},
        row | {"trade_id": "c", "strategy": "turtle"},
        row | {"trade_id": "d", "symbol": "GE"},
    ]
    assert len(report_of(trades=frame("trades", rows)).exits) == 5


# ------------------------------------------------------------------------------------------------ what was not taken

REFUSALS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "one gate": (
        [{"gate": "portfolio_exposure", "passed": False, "figure": 0.281, "limit": 0.25}],
        "exposure 28.1 % would exceed 25.0 %",
    ),
    "two gates": (
        [
            {"gate": "daily_loss", "passed": False, "figure": -0.038, "limit": -0.03},
            {"gate": "cash", "passed": False, "figure": -12.5, "limit": 0.0},
        ],
        "daily loss -3.8 % has reached the limit -3.0 %; cash would fall to -12.5",
    ),
    "a gate that the report does not know": (
        [{"gate": "phase_of_moon", "passed": False, "figure": 0.5, "limit": 0.25}],
        "phase of moon 0.5, limit 0.25",
    ),
    "figures that are missing": (
        [{"gate": "size", "passed": False}],
        "size unknown of equity is under unknown",
    ),
    "no gate failed": ([{"gate": "size", "passed": True, "figure": 0.04, "limit": 0.01}], "rejected"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_signal_that_was_not_taken_says_why_in_every_form(case: str) -> None:
    gates, why = REFUSALS[case]
    orders = frame("orders", [order("META", "entry", status="rejected", gates=json.dumps(gates))])
    report = report_of(signals=frame("signals", [signal("META")]), orders=orders)
    assert [(one.symbol, one.reason) for one in report.not_taken] == [("META", why)]
    for name in ("text", "html", "markdown"):
        shown = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", FORMS[name](report)))
        for word in why.split(";")[0].split():
            assert word.rstrip(",") in shown.replace("\\", ""), (name, word)


def test_a_signal_without_an_order_and_one_that_became_one() -> None:
    report = report_of(
        signals=frame("signals", [signal("NVDA"), signal("ORCL"), signal("XOM", action="CLOSE")]),
        orders=frame("orders", [order("NVDA", "entry")]),
    )
    assert [(one.symbol, one.reason) for one in report.not_taken] == [("ORCL", "no order was decided for it")]


# ------------------------------------------------------------------------------------------------ every form


class Page(HTMLParser):
    """Reads a page strictly: every tag closed where it was opened, every row as wide as its head."""

    VOID = frozenset(
        [
            "meta",
            "br",
            "hr",
            "img",
            "link",
            "input",
            "col",
            "path",
            "line",
            "rect",
            "circle",
            "polyline",
            "polygon",
            "use",
            "stop",
        ]
    )

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.widths: list[list[int]] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == [], "every tag is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "table":
            self.widths.append([])
        if tag == "tr" and self.widths:
            self.widths[-1].append(0)
        if tag in ("td", "th") and self.widths:
            self.widths[-1][-1] += int(dict(attrs).get("colspan") or 1)
        assert not any(name.startswith("on") for name, _ in attrs), "no script in an attribute"

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open, f"</{tag}> closes nothing"
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text.append(data)


def whole_day(day: Day) -> DailyReport:
    return daily_report(BOOK, SESSION, day.portfolio, **day.tables)


def test_the_page_is_well_formed_and_its_tables_are_rectangles(day: Day) -> None:
    page = Page(to_html(whole_day(day)))
    assert len(page.widths) >= 5
    for widths in page.widths:
        assert len(set(widths)) == 1, widths


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_text_tables_are_aligned_and_only_wide_columns_wrap(day: Day, width: int) -> None:
    lines = to_text(whole_day(day), width=width).splitlines()
    rules = [number for number, line in enumerate(lines) if re.fullmatch(r"-+(  -+)+", line)]
    assert rules
    for number in rules:
        columns = [match.span() for match in re.finditer(r"-+", lines[number])]
        for line in lines[number + 1 :]:
            if not line.strip():
                break
            for (_, end), (begin, _) in pairwise(columns):
                assert line[end:begin].strip() == "", line


def test_every_form_has_the_same_figures(day: Day) -> None:
    report = whole_day(day)
    page = " ".join(Page(to_html(report)).text)
    text, markdown = to_text(report, width=250), to_markdown(report)
    assert report.account is not None
    shown = [
        f"${report.account.equity:,.2f}",
        f"${report.account.cash:,.2f}",
        *(f"${held.market_value:,.2f}" for held in report.positions),
        *(held.symbol for held in report.positions),
        *(trade.symbol for trade in report.exits),
        *(one.message for one in report.warnings),
    ]
    for value in shown:
        assert value in text
        assert value in page
        assert value in markdown.replace("\\", "")


def test_json_is_the_report_to_the_last_digit(day: Day) -> None:
    report = whole_day(day)
    read = json.loads(to_json(report))

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        if isinstance(value, date):
            return value.isoformat()
        return None if isinstance(value, float) and not math.isfinite(value) else value

    assert read == plain(asdict(report))
    assert to_json(report, indent=2).count("\n") > 50


CURRENCIES = {
    "USD": "$99,450.00",
    "EUR": "€99,450.00",
    "GBP": "£99,450.00",
    "JPY": "¥99,450.00",
    "CHF": "99,450.00 CHF",
}


@pytest.mark.parametrize(("currency", "shown"), CURRENCIES.items(), ids=CURRENCIES)
@pytest.mark.parametrize("form", ["text", "html", "markdown"])
def test_money_is_shown_in_the_currency_of_the_book(day: Day, currency: str, shown: str, form: str) -> None:
    report = replace(whole_day(day), currency=currency)
    assert shown in FORMS[form](report)
    if currency != "USD":
        assert "$" not in re.sub(r"<style>.*?</style>", "", FORMS[form](report), flags=re.DOTALL)


EMPTY: Mapping[str, str] = {
    "positions": "no open positions",
    "trades": "no position was closed",
    "orders": "no order was approved",
    "portfolio": "the session has no portfolio row",
    "fills": "no entry was filled",
    "signals": "",
    "regimes": "",
    "candidates": "",
}


@pytest.mark.parametrize("missing", EMPTY)
@pytest.mark.parametrize("how", ["absent", "no rows", "no columns"])
def test_a_missing_table_leaves_a_report_that_says_so(day: Day, missing: str, how: str) -> None:
    frames: dict[str, Any] = dict(day.frames)
    if how == "no columns":
        frames[missing] = pl.DataFrame()
    elif how == "no rows":
        frames[missing] = frames[missing].clear()
    elif missing == "portfolio":
        frames[missing] = frames[missing].filter(pl.col("session") < SESSION)
    else:
        del frames[missing]
    portfolio = frames.pop("portfolio")
    report = daily_report(BOOK, SESSION, portfolio, **frames)
    for name, render in FORMS.items():
        made = render(report)
        assert made
        if EMPTY[missing] and name != "json":
            assert EMPTY[missing] in made.replace("\\", "")
    if missing == "portfolio":
        assert any("nothing was decided" in one.message for one in report.warnings)


@pytest.mark.parametrize("form", FORMS)
def test_a_report_is_the_same_every_time(day: Day, form: str) -> None:
    assert FORMS[form](whole_day(day)) == FORMS[form](whole_day(day))


def test_failed_steps_of_the_day_come_first_among_the_warnings(day: Day) -> None:
    problems = ["bars of FB are missing", "alerts could not be delivered"]
    report = daily_report(BOOK, SESSION, day.portfolio, problems=problems, **day.tables)
    assert [one.message for one in report.warnings[:2]] == problems
    assert {one.severity for one in report.warnings[:2]} == {"error"}
    for name in ("text", "html", "markdown"):
        assert "bars of FB are missing" in FORMS[name](report)
