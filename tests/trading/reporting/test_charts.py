"""Pictures and terminal charts: what must be seen is drawn, and nothing to draw is said."""

from __future__ import annotations

import re
from datetime import date, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.reporting.axes import date_ticks, padded, short_number, thin, value_ticks
from trading.reporting.document import Curve
from trading.reporting.svg import STYLE, curve_picture, curve_svg, exposure_picture
from trading.reporting.terminal import drawdown_chart, equity_chart, price_chart

NAN = float("nan")


def days(count: int) -> list[date]:
    return [date(2024, 1, 1) + timedelta(days=place) for place in range(count)]


EQUITY = [100.0, 103.0, 99.0, 101.0, 106.0, 104.0]
DRAWDOWN = [0.0, 0.0, 99 / 103 - 1, 101 / 103 - 1, 0.0, 104 / 106 - 1]


@pytest.mark.parametrize("values", [[], [None, None], [NAN], [float("inf")]])
def test_nothing_to_draw_is_said(values) -> None:
    sessions = days(len(values))
    assert curve_svg(Curve(tuple(sessions), tuple(values), tuple(values))) == ""
    assert equity_chart(sessions, values) == "nothing to draw: no value in the range"


def test_a_picture_of_a_curve_stands_alone() -> None:
    curve = Curve(tuple(days(6)), tuple(EQUITY), tuple(DRAWDOWN), benchmark=tuple(EQUITY[::-1]))
    drawn = ElementTree.fromstring(curve_picture(curve, "mine & yours"))
    assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
    texts = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0] == "mine & yours"
    assert {"104", "3 Jan"} <= set(texts)
    classes = {element.get("class") for element in drawn.iter()} - {None, "axis"}
    assert {"equity", "benchmark", "drawdown"} <= classes
    assert all(f".{name}{{" in STYLE for name in classes)


@pytest.mark.parametrize("values", [(), (None,), (1.0,), (NAN, NAN)])
def test_a_picture_without_a_curve_says_so(values) -> None:
    drawn = ElementTree.fromstring(curve_picture(Curve(tuple(days(len(values))), values, values), "book"))
    assert "no equity curve yet" in "".join(drawn.itertext())


SVG = "{http://www.w3.org/2000/svg}"


def lowest_row(drawn: ElementTree.Element, name: str) -> float:
    """Highest point of a line of a picture, as a row."""
    (line,) = [element for element in drawn.iter(f"{SVG}polyline") if element.get("class") == name]
    return min(float(point.split(",")[1]) for point in str(line.get("points")).split())


@pytest.mark.parametrize(("limit", "within"), [(0.25, True), (0.15, False)])
def test_exposure_stands_beside_its_limit(limit: float, within: bool) -> None:
    picture = exposure_picture(days(6), [0.1, 0.2, None, 0.15, 0.2, 0.1], limit, "mine: exposure")
    drawn = ElementTree.fromstring(picture)
    assert next(text.text for text in drawn.iter(f"{SVG}text")) == "mine: exposure"
    lines = [element for element in drawn.iter(f"{SVG}polyline") if element.get("class") == "equity"]
    assert len(lines) == 2, "a missing session is a gap"
    highest = min(float(point.split(",")[1]) for line in lines for point in str(line.get("points")).split())
    assert (lowest_row(drawn, "drawdown") < highest) is within
    classes = {element.get("class") for element in drawn.iter()} - {None, "axis"}
    assert all(f".{name}{{" in STYLE for name in classes)


@pytest.mark.parametrize("values", [(), (None,), (1.0,), (NAN, NAN)])
def test_exposure_of_no_session_says_so(values) -> None:
    drawn = ElementTree.fromstring(exposure_picture(days(len(values)), values, 0.25, "book"))
    assert "no exposure to show yet" in "".join(drawn.itertext())


def test_flat_lines_are_drawn() -> None:
    for level in (0.0, 0.2):
        drawn = ElementTree.fromstring(exposure_picture(days(3), [level] * 3, 0.25, "book"))
        assert 16 <= lowest_row(drawn, "equity") <= 176
    drawn = ElementTree.fromstring(curve_picture(Curve(tuple(days(3)), (100.0,) * 3, (0.0,) * 3), "book"))
    assert 16 <= lowest_row(drawn, "equity") <= 240


@pytest.mark.parametrize("width", [30, 60, 100, 250])
@pytest.mark.parametrize("colour", [False, True])
def test_terminal_charts_keep_to_their_width(width: int, colour: bool) -> None:
    for chart in (
        equity_chart(days(6), EQUITY, benchmark=EQUITY[::-1], width=width, colour=colour),
        price_chart(
            days(6), EQUITY, {"SMA 20": [None, None, 100, 101, 102, 103]}, width=width, colour=colour
        ),
        drawdown_chart(days(6), DRAWDOWN, width=width, colour=colour),
    ):
        bare = re.sub(r"\x1b\[[0-9;]*m", "", chart)
        assert ("\x1b" in chart) == colour
        assert max(map(len, bare.splitlines()[1:])) <= width


def test_terminal_chart_names_lines_values_and_dates() -> None:
    chart = price_chart(days(6), EQUITY, {"SMA 20": EQUITY, "SMA 50": EQUITY}, colour=False)
    assert chart.splitlines()[0] == "── close   ── SMA 20   ── SMA 50"
    assert "104┤" in chart
    assert "3 Jan" in chart


def test_terminal_chart_rises_with_its_values() -> None:
    dots = [
        line
        for line in equity_chart(days(40), list(range(1, 41)), width=50, colour=False).splitlines()
        if "│" in line or "┤" in line
    ]
    columns = [
        min(place for place, mark in enumerate(line) if "⠁" <= mark <= "⣿")
        for line in dots
        if re.search("[⠁-⣿]", line)
    ]
    assert columns == sorted(columns, reverse=True)
    assert len(columns) > 8


def test_a_gap_is_not_bridged() -> None:
    holed: list[float | None] = [1.0] * 10 + [None] * 20 + [1.0] * 10
    whole, gap = (
        sum("⠁" <= mark <= "⣿" for mark in equity_chart(days(40), line, width=60, colour=False))
        for line in ([1.0] * 40, holed)
    )
    assert gap < 0.6 * whole
    svg = curve_svg(Curve(tuple(days(40)), tuple(holed), (0.0,) * 40))
    assert svg.count('class="equity"') == 2


# ------------------------------------------------------------------------------------------------- axes


@pytest.mark.parametrize(
    ("lowest", "highest", "ticks"),
    [
        (0.0, 10.0, [0.0, 2.5, 5.0, 7.5, 10.0]),
        (99_000.0, 103_000.0, [99_000.0, 100_000.0, 101_000.0, 102_000.0, 103_000.0]),
        (-0.12, 0.0, [-0.1, -0.075, -0.05, -0.025, 0.0]),
        (5.0, 5.0, [5.0]),
    ],
)
def test_value_ticks(lowest: float, highest: float, ticks: list[float]) -> None:
    assert value_ticks(lowest, highest) == pytest.approx(ticks)


@settings(max_examples=200, deadline=None)
@given(st.floats(-1e12, 1e12), st.floats(1e-6, 1e12), st.integers(2, 10))
def test_value_ticks_lie_within_and_rise(lowest: float, span: float, count: int) -> None:
    highest = lowest + span
    ticks = value_ticks(lowest, highest, count)
    slack = (highest - lowest) * 1e-6 + abs(highest) * 1e-9
    assert all(lowest - slack <= tick <= highest + slack for tick in ticks)
    assert ticks == sorted(ticks)
    assert len(ticks) <= 2 * count + 1


@pytest.mark.parametrize(
    ("count", "first", "last"),
    [
        (5, "1 Jan", "5 Jan"),
        (25, "8 Jan", "22 Jan"),
        (150, "Feb 2024", "May 2024"),
        (800, "Jul 2024", "Jan 2026"),
    ],
)
def test_date_ticks_choose_their_unit(count: int, first: str, last: str) -> None:
    ticks = date_ticks(days(count))
    assert (ticks[0][1], ticks[-1][1]) == (first, last)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10, 40, 100, 400, 2_000, 15_000])
def test_date_ticks_are_few_and_in_order(count: int) -> None:
    places = [place for place, _ in date_ticks(days(count), 6)]
    assert len(places) <= 6
    assert places == sorted(set(places))
    assert all(0 <= place < count for place in places)


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (0.0, "0"),
        (950.0, "950"),
        (12_500.0, "12.5k"),
        (101_000.0, "101k"),
        (1.25e6, "1.25M"),
        (-2e9, "-2B"),
        (0.005, "0.005"),
    ],
)
def test_short_numbers(value: float, label: str) -> None:
    assert short_number(value) == label


def test_padded_limits() -> None:
    assert padded(0.0, 100.0) == (0.0, 104.0)
    assert padded(-10.0, 10.0) == pytest.approx((-10.8, 10.8))
    assert padded(5.0, 5.0) == pytest.approx((4.95, 5.05))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), max_size=300), st.integers(4, 50))
def test_thinning_keeps_the_extremes(values, most: int) -> None:
    kept = thin(values, most)
    known = [value for value in values if value is not None]
    drawn = [values[place] for place in kept]
    assert None not in drawn
    assert len(kept) <= most + 4
    if known:
        assert (min(drawn), max(drawn)) == (min(known), max(known))
        assert (drawn[0], drawn[-1]) == (known[0], known[-1])


extreme = st.one_of(
    st.none(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([1e100, -1e100, 1e-320, 0.0, 1.0]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(extreme, extreme), max_size=12), st.integers(1, 200), st.integers(1, 40))
def test_no_value_brings_the_terminal_chart_down(pairs, width: int, height: int) -> None:
    first, second = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    price_chart(days(len(pairs)), first, {"other": second}, width=width, height=height, colour=False)


@settings(max_examples=50, deadline=None)
@given(st.lists(extreme, max_size=6))
def test_no_value_brings_a_picture_down(values) -> None:
    sessions = days(len(values))
    curve = Curve(tuple(sessions), tuple(values), tuple(values), benchmark=tuple(values[::-1]))
    for content in (curve_picture(curve, "book"), exposure_picture(sessions, values, 0.25, "book")):
        assert ElementTree.fromstring(content).tag == f"{SVG}svg"
