"""How single values and gates' verdicts are put into words."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.gates import Verdict, verdicts_json
from trading.reporting import cells
from trading.reporting.document import Cell
from trading.reporting.verdicts import read_gates, refusal

NAN = float("nan")


@pytest.mark.parametrize(
    ("cell", "text", "tone"),
    [
        (cells.money(1234.5, "USD"), "$1,234.50", "plain"),
        (cells.money(-3.2, "USD", signed=True), "-$3.20", "bad"),
        (cells.money(3.2, "EUR", signed=True), "+€3.20", "good"),
        (cells.money(-12.0, "CHF"), "-12.00 CHF", "plain"),
        (cells.money(-0.001, "USD", signed=True), "$0.00", "plain"),
        (cells.percent(0.05), "5.00 %", "plain"),
        (cells.percent(-0.012345, signed=True), "-1.23 %", "bad"),
        (cells.price(123.456), "123.46", "plain"),
        (cells.price(0.5), "0.5000", "plain"),
        (cells.price(0.00001234), "0.00001234", "plain"),
        (cells.quantity(1500.0), "1,500", "plain"),
        (cells.quantity(0.1025), "0.1025", "plain"),
        (cells.quantity(-2.5), "-2.5", "plain"),
        (cells.count(7.0), "7", "plain"),
        (cells.day(date(2024, 3, 5)), "2024-03-05", "plain"),
        (cells.words("a\x1b[31m b\n\tc\u202e", "warn"), "a [31m b c", "warn"),
        (cells.words(""), "–", "dim"),
    ],
)
def test_cells(cell: Cell, text: str, tone: str) -> None:
    assert (cell.text, cell.tone) == (text, tone)


@pytest.mark.parametrize("value", [None, NAN, float("inf"), float("-inf")])
def test_what_is_not_known_is_a_dash(value: float | None) -> None:
    for cell in (
        cells.money(value, "USD"),
        cells.percent(value),
        cells.price(value),
        cells.quantity(value),
        cells.count(value),
        cells.number(value),
        cells.heat(value, 1.0),
    ):
        assert cell == cells.NOTHING


@pytest.mark.parametrize(("fraction", "heat"), [(0.05, 0.5), (-0.1, -1.0), (0.4, 1.0), (0.0, 0.0)])
def test_heat_is_strongest_at_its_full_value(fraction: float, heat: float) -> None:
    assert cells.heat(fraction, 0.1).heat == pytest.approx(heat)


@given(st.text())
def test_clean_text_is_one_line_without_control_characters(text: str) -> None:
    cleaned = cells.clean(text)
    assert cleaned.isprintable() or not cleaned
    assert cleaned == cells.clean(cleaned)


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (Verdict("daily_loss", False, -0.038, -0.03), "daily loss -3.8 % has reached the limit -3.0 %"),
        (Verdict("size", False, 0.004, 0.01), "size 0.4 % of equity is under 1.0 %"),
        (Verdict("max_positions", False, 9.0, 8.0), "would make 9 positions, 8 allowed"),
        (Verdict("portfolio_exposure", False, 0.271, 0.25), "exposure 27.1 % would exceed 25.0 %"),
        (
            Verdict("sector_exposure", False, 0.171, 0.15, "Energy"),
            "sector exposure 17.1 % would exceed 15.0 % (Energy)",
        ),
        (
            Verdict("correlation", False, 3.0, 3.0, "AAPL MSFT NVDA"),
            "3 correlated positions already, limit 3 (AAPL MSFT NVDA)",
        ),
        (Verdict("second_position", False, 5000.0, 0.0), "already held"),
        (Verdict("cash", False, -120.5, 0.0), "cash would fall to -120.5"),
        (Verdict("candidate_list", False, 17.0, 15.0), "not on the candidate list of 15"),
        (Verdict("price", False, 0.0, 0.0, "no bar in this session"), "no price (no bar in this session)"),
        (Verdict("some_new_gate", False, 1.0, 2.0), "some new gate 1, limit 2"),
        (Verdict("portfolio_exposure", False, float("inf"), 0.25), "exposure unknown would exceed 25.0 %"),
    ],
)
def test_refusals_of_every_gate(verdict: Verdict, said: str) -> None:
    passed = Verdict("cash", True, 100.0, 0.0)
    assert refusal(verdicts_json([passed, verdict])) == said


def test_several_refusals_are_all_told() -> None:
    gates = verdicts_json([Verdict("second_position", False, 1.0, 0.0), Verdict("size", False, 0.0, 0.01)])
    assert refusal(gates) == "already held; size 0.0 % of equity is under 1.0 %"


@pytest.mark.parametrize("gates", [None, "", "[]", "{}", "not json", "7", '["x", {"passed": true}]'])
def test_gates_that_cannot_be_read_are_none(gates: str | None) -> None:
    assert read_gates(gates) == ()
    assert refusal(gates) == ""


def test_verdicts_read_back_as_they_were_written() -> None:
    written = [Verdict("cash", True, 12.5, 0.0), Verdict("size", False, 0.004, 0.01, "note")]
    read = read_gates(verdicts_json(written))
    assert [(gate.gate, gate.passed, gate.figure, gate.limit, gate.note) for gate in read] == [
        tuple(v) for v in written
    ]
    assert json.loads(verdicts_json(written))[0]["gate"] == "cash"
