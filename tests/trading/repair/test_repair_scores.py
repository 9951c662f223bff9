"""Recall and precision on windows of real series with known faults, and on clean ones."""

from __future__ import annotations

import pytest

from benchmarks.market_faults import CLEAN, FAULTS, score

SERIES = 20
FRESH = 101
"""Another draw of windows than the one that the rules were made with."""


@pytest.fixture(scope="module")
def lean(shared_data):
    return shared_data / "lean"


@pytest.mark.parametrize("kind", FAULTS)
def test_faults_with_one_right_answer_are_found_and_put_right(lean, kind):
    found = score(kind, FAULTS[kind], lean, SERIES)
    assert found.series >= 10
    assert found.damaged > 0 or kind == "repeated rows"
    assert found.recall >= 0.97, found
    assert found.precision >= 0.99, found
    assert found.exact >= 0.9 * found.series, found


@pytest.mark.parametrize(
    "kind", ["split some sessions early", "split some sessions late", "split applied before"]
)
def test_other_windows_are_not_changed_wrongly(lean, kind):
    found = score(kind, FAULTS[kind], lean, 2 * SERIES, FRESH)
    assert found.precision >= 0.99, found
    assert found.recall >= 0.9, found


@pytest.mark.parametrize("kind", CLEAN)
def test_series_without_a_fault_are_left_as_they_are(lean, kind):
    found = score(kind, CLEAN[kind], lean, SERIES)
    assert (found.changed, found.exact) == (0, SERIES)
