"""Versions of corporate actions: which stand, and what a new word changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from delta.contracts import CorporateActions
from trading.corporate_actions import BY_HAND, changes, no_longer_told, standing

SCHEMA = CorporateActions.schema()
TOLD = pl.Schema({name: dtype for name, dtype in SCHEMA.items() if name != "known_at"})
DAY = date(2024, 3, 1)
AT = datetime(2024, 4, 1, tzinfo=UTC)


def told(value=2.0, *, day=DAY, source="a", action="split", symbol="X", withdrawn=False, reason=None):
    row = (symbol, day, action, value, None, None, "USD", withdrawn, reason, source)
    return pl.DataFrame([row], schema=TOLD, orient="row")


def known(frame: pl.DataFrame, days: int = 0) -> pl.DataFrame:
    return frame.with_columns(known_at=pl.lit(AT + timedelta(days=days), SCHEMA["known_at"]))


def test_the_newest_version_stands_and_a_withdrawn_one_does_not():
    rows = pl.concat(
        [
            known(told(2.0)),
            known(told(3.0, reason="wrong ratio"), 1),
            known(told(3.0, withdrawn=True, reason="never was"), 2),
            known(told(0.5, action="cash_dividend")),
        ]
    )
    by_time = {days: sorted(standing(rows, AT + timedelta(days=days))["value"]) for days in (-1, 0, 1, 2, 3)}
    assert by_time == {-1: [], 0: [0.5, 2.0], 1: [0.5, 3.0], 2: [0.5], 3: [0.5]}
    assert standing(rows)["action"].to_list() == ["cash_dividend"]


@pytest.mark.parametrize(
    ("old", "new", "overrule", "outcome", "reason"),
    [
        (told(), told(), False, "unchanged", None),
        (told(), told(3.0), False, "replaced", "a tells value 3, known was 2"),
        (told(), told(3.0, reason="a letter"), False, "replaced", "a letter"),
        (told(), told(3.0, source="b"), False, "unchanged", None),
        (told(), told(3.0, source="b"), True, "replaced", "b tells value 3, known was 2"),
        (told(), told(3.0, source=BY_HAND, reason="a letter"), False, "replaced", "a letter"),
        (
            told(source=BY_HAND),
            told(3.0),
            True,
            "refused",
            "a tells value 3, known was 2; what a person told on 2024-04-01 stands",
        ),
        (
            told(withdrawn=True, reason="no", source=BY_HAND),
            told(),
            True,
            "refused",
            "a tells that it was, withdrawn before; what a person told on 2024-04-01 stands",
        ),
        (
            told(withdrawn=True, reason="no"),
            told(),
            False,
            "replaced",
            "a tells that it was, withdrawn before",
        ),
        (told(source=BY_HAND), told(), False, "unchanged", None),
        (told(day=date(2024, 3, 4)), told(), False, "new", None),
    ],
)
def test_who_may_change_what(old, new, overrule, outcome, reason):
    done = changes(new, known(old), overrule=overrule)
    counts = {
        "unchanged": done.unchanged,
        "replaced": done.corrected.height,
        "new": done.rows.height - done.corrected.height,
        "refused": done.refused.height,
    }
    assert [name for name, count in counts.items() if count] == [outcome]
    told_why = [*done.rows["reason"], *done.refused["reason"]]
    assert told_why == ([reason] if outcome != "unchanged" else [])


def bars(first: date, last: date, source="a") -> pl.DataFrame:
    days = pl.date_range(first, last, eager=True)
    return pl.DataFrame({"session": days}).with_columns(symbol=pl.lit("X"), source=pl.lit(source))


@pytest.mark.parametrize(
    ("answer", "withdrawn"),
    [
        (bars(date(2024, 2, 1), date(2024, 4, 1)), True),
        (bars(date(2024, 2, 1), DAY), True),
        (bars(DAY, date(2024, 4, 1)), False),  # the first bar cannot tell what came before it
        (bars(date(2024, 2, 1), date(2024, 2, 29)), False),
        (bars(date(2024, 2, 1), date(2024, 4, 1), source="b"), False),
    ],
)
def test_an_answer_withdraws_what_it_leaves_out_of_its_reach(answer, withdrawn):
    gone = no_longer_told(told().clear(), known(told()), answer)
    assert gone["withdrawn"].to_list() == [True] * withdrawn
    assert gone["reason"].to_list() == ["a does not tell it any more"] * withdrawn
    assert gone.schema == TOLD


def test_what_a_person_told_and_what_is_told_again_is_not_withdrawn():
    answer = bars(date(2024, 2, 1), date(2024, 4, 1))
    assert no_longer_told(told().clear(), known(told(source=BY_HAND)), answer).is_empty()
    assert no_longer_told(told(3.0), known(told()), answer).is_empty()
    gone = told(withdrawn=True, reason="no")
    assert no_longer_told(told().clear(), known(gone), answer).is_empty()


def test_an_answer_without_most_of_the_actions_is_a_gap_and_no_correction():
    answer = bars(date(2024, 2, 1), date(2024, 4, 1))
    all_known = known(pl.concat([told(0.1, day=DAY + timedelta(days=n)) for n in range(5)]))
    still = all_known.drop("known_at")
    assert no_longer_told(still.head(2), all_known, answer).is_empty()
    assert no_longer_told(still.head(3), all_known, answer).height == 2
