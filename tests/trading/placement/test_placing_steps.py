"""The decision of placing as tables: what is intended, what is durable, what the broker says, what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.book import PlacementConfig
from trading.placement import (
    Alarm,
    Book,
    BrokerOrder,
    Cancel,
    Change,
    Event,
    Intent,
    Ledger,
    Note,
    Notice,
    Part,
    PlacingPolicy,
    Reconnect,
    Report,
    Reserve,
    Send,
    Step,
    View,
    Wait,
    doubts,
    next_steps,
    reduces_risk,
    remember,
)
from trading.placement.executions import newest, plausible_commission, split_id, unrecorded

NOW = datetime(2026, 11, 20, 16, tzinfo=UTC)
SPACING = timedelta(seconds=30)
POLICY = PlacingPolicy(17, PlacementConfig(), SPACING)
BUY = Intent("E", date(2026, 11, 19), "AAPL", "BUY", "limit", 10.0, limit_price=100.0, reference_price=100.0)
MARKET = replace(BUY, order_type="market", limit_price=None)
STOP = replace(BUY, order_ref="S", side="SELL", order_type="stop", limit_price=None, stop_price=92.0,
               purpose="stop_loss", parent_ref="E", oca_group="O")  # fmt: skip
TARGET = replace(
    STOP, order_ref="T", order_type="limit", stop_price=None, limit_price=115.0, purpose="profit_target"
)
BRACKET = (BUY, STOP, TARGET)
CANCEL = Intent("C", BUY.session, "AAPL", "BUY", "limit", 10.0, kind="cancel", target_ref="E")
MODIFY = replace(STOP, order_ref="M", kind="modify", target_ref="S", stop_price=95.0, parent_ref=None)


def view(**changes: Any) -> View:
    base = View(1, NOW, 5, NOW.replace(hour=5))
    return replace(base, **changes)


def at_broker(ref: str = "E", perm_id: int = 900, **changes: Any) -> BrokerOrder:
    return replace(
        BrokerOrder(ref, perm_id, "AAPL", "BUY", 10.0, "Submitted", order_id=5, client_id=17), **changes
    )


def execution(quantity: float = 10.0, ref: str = "E", root: str = "x.1.01", **changes: Any) -> Report:
    return Report(root, 1, ref, 900, "AAPL", "BUY", quantity, 100.0, NOW, 1.0)._replace(**changes)


def events(ref: str, *states: str, first_id: int = 5, **changes: Any) -> list[Event]:
    return [
        Event(ref, number, state, NOW - timedelta(minutes=5), 17, first_id)._replace(**changes)  # type: ignore[arg-type]
        for number, state in enumerate(states, start=1)
    ]


def sent(*refs: str, states: Sequence[str] = ("RESERVED", "SENT")) -> list[Event]:
    return [one for number, ref in enumerate(refs) for one in events(ref, *states, first_id=5 + number)]


def decide(
    intents: Sequence[Intent], known: Sequence[Event] = (), seen: View | None = None, **changes: Any
) -> list[Step]:
    recorded = changes.pop("recorded", ())
    now = changes.pop("now", NOW)
    policy = replace(POLICY, **changes)
    return next_steps(intents, Ledger(known, recorded), seen or view(), now, policy)


def looked(
    intents: Sequence[Intent], known: Sequence[Event], looks: int = 2, apart: float = 40.0, **changes: Any
) -> View:
    """View after looks that have missed what is in doubt; the last ones may be on a fresh connection."""
    fresh = changes.pop("fresh", False)
    previous: View | None = None
    for number in range(looks):
        one = view(at=NOW + timedelta(seconds=apart * number), **changes)
        previous = remember(previous, one, doubts(intents, Ledger(known), one, POLICY), SPACING)
    assert previous is not None
    if fresh:
        one = replace(previous, connection=2, at=previous.at + timedelta(seconds=1), absences={})
        previous = remember(previous, one, doubts(intents, Ledger(known), one, POLICY), SPACING)
    return previous


def kinds(steps: Sequence[Step]) -> list[str]:
    return [type(step).__name__ for step in steps]


def notes(steps: Sequence[Step]) -> dict[str, str]:
    return {step.order_ref: step.state for step in steps if isinstance(step, Note)}


# ------------------------------------------------------------------------------------------------ new orders


def test_a_unit_is_reserved_together_and_sent_parent_first_with_the_last_letting_it_go() -> None:
    steps = decide(BRACKET)
    assert steps == [
        Reserve((("E", 5), ("S", 6), ("T", 7))),
        Send((Part("E", 5, None, False), Part("S", 6, 5, False), Part("T", 7, 5, True))),
    ]


def test_ids_lie_above_those_of_the_gateway_and_of_the_ledger() -> None:
    old = events("OLD", "RESERVED", "SENT", "FILLED", first_id=40, filled=10.0)
    assert decide([BUY], old)[0] == Reserve((("E", 41),)), "a gateway whose ids have rolled back"
    assert decide([BUY], old, view(next_id=90))[0] == Reserve((("E", 90),))
    assert decide([BUY], (), first_id=70)[0] == Reserve((("E", 70),))
    other = [event._replace(client_id=3) for event in old]
    assert decide([BUY], other)[0] == Reserve((("E", 5),)), "ids of another client are its own"


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"blocked": "halted"}, [Wait(("E",), "halted", blocked=True)]),
        ({"limits": PlacementConfig(max_quantity=5)}, {"E": "REJECTED"}),
        ({"now": NOW + timedelta(days=2)}, {"E": "EXPIRED"}),
        ({"limits": PlacementConfig(hours="regular"), "market_open": False}, [Wait(("E",), "the market is closed", blocked=True)]),
    ],
)  # fmt: skip
def test_what_is_not_sent(changes: dict[str, Any], outcome: Any) -> None:
    intent = replace(BUY, valid_until=NOW + timedelta(hours=1))
    steps = decide([intent], **changes)
    assert (notes(steps) if isinstance(outcome, dict) else steps) == outcome


def test_new_orders_wait_while_one_sent_before_is_looked_for() -> None:
    other = replace(BUY, order_ref="N", symbol="MSFT")
    steps = decide([BUY, other], sent("E"))
    assert Wait(("N",), "an order sent before is being looked for") in steps
    assert not any(isinstance(step, Send) for step in steps)


# ---------------------------------------------------------------------------------------- what a view tells

TOLD: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "working": ({"open": (at_broker(),)}, {"E": "ACKED"}),
    "not yet let go": ({"open": (at_broker(status="ApiPending"),)}, {"E": "ACKED"}),
    "held by the broker": ({"open": (at_broker(status="Inactive"),)}, {"E": "ACKED"}),
    "held after a refusal": (
        {"open": (at_broker(status="Inactive"),), "notices": {"E": Notice(201, "no margin")}},
        {"E": "REJECTED"},
    ),
    "partly filled": ({"open": (at_broker(),), "executions": (execution(4.0),)}, {"E": "PARTIAL"}),
    "filled": ({"completed": (at_broker(status="Filled", filled=10.0),), "executions": (execution(),)}, {"E": "FILLED"}),
    "filled, only executions told": ({"executions": (execution(4.0), execution(6.0, root="x.2.01"))}, {"E": "FILLED"}),
    "filled, executions not told yet": ({"completed": (at_broker(status="Filled", filled=10.0),)}, {}),
    "cancelled": ({"completed": (at_broker(status="Cancelled"),)}, {"E": "CANCELLED"}),
    "cancelled after a part": (
        {"completed": (at_broker(status="Cancelled", filled=4.0),), "executions": (execution(4.0),)},
        {"E": "CANCELLED"},
    ),
    "refused": (
        {"completed": (at_broker(status="Cancelled"),), "notices": {"E": Notice(201, "no margin")}},
        {"E": "REJECTED"},
    ),
    "inactive": ({"completed": (at_broker(status="Inactive"),)}, {"E": "REJECTED"}),
    "a notice that is no refusal": (
        {"open": (at_broker(),), "notices": {"E": Notice(10349, "TIF was set to DAY")}},
        {"E": "ACKED"},
    ),
    "a duplicate id that is live": (
        {"open": (at_broker(),), "notices": {"E": Notice(103, "Duplicate order id")}},
        {"E": "ACKED"},
    ),
    "nothing": ({}, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", TOLD)
def test_what_a_view_tells(name: str) -> None:
    told, expected = TOLD[name]
    assert notes(decide([BUY], sent("E"), view(**told))) == expected


def test_what_is_known_is_not_told_again() -> None:
    known = [*sent("E"), Event("E", 3, "ACKED", NOW, 17, 5, 900)]
    assert decide([BUY], known, view(open=(at_broker(),))) == []


def test_an_order_is_found_by_its_permanent_id_where_the_reference_is_gone_and_never_by_its_order_id() -> (
    None
):
    known = [*sent("E"), Event("E", 3, "ACKED", NOW, 17, 5, 900)]
    nameless = at_broker("", status="Filled", filled=10.0)
    found = view(completed=(nameless,), executions=(execution(ref=""),))
    assert notes(decide([BUY], known, found)) == {"E": "FILLED"}
    stranger = view(open=(at_broker("OTHER", 777, order_id=5),))
    assert "Send" not in kinds(decide([BUY], known, stranger))
    assert notes(decide([BUY], known, stranger)) == {}


@pytest.mark.parametrize(("perm_ids", "cancelled"), [((900,), 0), ((900, 901), 1), ((900, 901, 902), 2)])
def test_twins_are_cancelled_and_told(perm_ids: tuple[int, ...], cancelled: int) -> None:
    steps = decide([BUY], sent("E"), view(open=tuple(at_broker(perm_id=number) for number in perm_ids)))
    assert kinds(steps).count("Cancel") == kinds(steps).count("Alarm") == cancelled


def test_more_executed_than_intended_freezes() -> None:
    double = (execution(), execution(root="x.2.01", perm_id=901))
    steps = decide([BUY], sent("E"), view(executions=double))
    assert any(isinstance(step, Alarm) and step.freeze for step in steps)
    assert notes(steps) == {"E": "FILLED"}


@pytest.mark.parametrize("state", ["CANCELLED", "REJECTED", "EXPIRED"])
def test_a_late_fill_of_an_order_that_had_ended(state: str) -> None:
    known = sent("E", states=("RESERVED", "SENT", state))
    late = view(completed=(at_broker(status="Cancelled", filled=4.0),), executions=(execution(4.0),))
    [booked, note] = decide([BUY], known, late)
    assert isinstance(booked, Book)
    assert isinstance(note, Note)
    assert note.filled == 4.0
    whole = view(executions=(execution(),))
    assert notes(decide([BUY], known, whole)) == {"E": "FILLED"}


def test_an_entry_given_up_that_surfaces_is_cancelled_and_a_stop_is_kept() -> None:
    gone = sent("E", "S", states=("RESERVED", "SENT", "EXPIRED"))
    entry = decide([BUY], gone, view(open=(at_broker(),)))
    assert [step for step in entry if isinstance(step, Cancel)] == [
        Cancel("E", 5, reason="the order had ended as EXPIRED")
    ]
    stop = decide([replace(STOP, parent_ref=None)], gone, view(open=(at_broker("S", side="SELL"),)))
    assert notes(stop) == {"S": "ACKED"}


# --------------------------------------------------------------------------------------------------- in doubt


def test_one_look_is_not_enough() -> None:
    assert decide([BUY], sent("E"), looked([BUY], sent("E"), looks=1)) == [
        Wait(("E",), "looking for it once more")
    ]


def test_two_looks_too_close_are_not_enough_and_say_unknown() -> None:
    steps = decide([BUY], sent("E"), looked([BUY], sent("E"), apart=5.0))
    assert notes(steps) == {"E": "UNKNOWN"}
    assert "Send" not in kinds(steps)
    assert "Reconnect" not in kinds(steps)


def test_what_two_looks_have_missed_is_sent_again_under_its_id_on_a_fresh_connection() -> None:
    known = sent("E")
    assert decide([BUY], known, looked([BUY], known))[-1] == Reconnect(("E",))
    again = decide([BUY], known, looked([BUY], known, fresh=True))
    assert again[-1] == Send((Part("E", 5, None, True),), again=True)
    assert not any(isinstance(step, Reserve) for step in again)


def test_what_a_fresh_connection_finds_is_not_sent_again() -> None:
    known = sent("E")
    missed = looked([BUY], known)
    found = replace(missed, connection=2, open=(at_broker(),), absences={})
    seen = remember(missed, found, doubts([BUY], Ledger(known), found, POLICY), SPACING)
    assert notes(decide([BUY], known, seen)) == {"E": "ACKED"}


FATES: dict[str, tuple[Intent, list[Event], dict[str, Any], str]] = {
    "a market order": (MARKET, sent("E"), {}, "EXPIRED"),
    "its time has passed": (replace(BUY, valid_until=NOW - timedelta(hours=1)), sent("E"), {}, "EXPIRED"),
    "refused": (BUY, sent("E"), {"notices": {"E": Notice(201, "no")}}, "REJECTED"),
    "id seen by the broker": (BUY, sent("E"), {"notices": {"E": Notice(103, "Duplicate order id")}}, "UNRESOLVED"),
    "the broker had it": (BUY, [*sent("E"), Event("E", 3, "ACKED", NOW, 17, 5, 900)], {}, "UNRESOLVED"),
    "partly executed": (BUY, sent("E"), {"executions": (execution(4.0),)}, "UNRESOLVED"),
    "filled, no execution": (BUY, sent("E"), {"completed": (at_broker(status="Filled", filled=10.0),)}, "UNRESOLVED"),
    "of another day": (BUY, [one._replace(at=NOW - timedelta(days=2)) for one in sent("E")], {}, "UNRESOLVED"),
    "sent too often": (BUY, sent("E", states=("RESERVED", "SENT", "SENT", "SENT")), {}, "UNRESOLVED"),
}  # fmt: skip


@pytest.mark.parametrize("name", FATES)
def test_how_what_is_missing_ends(name: str) -> None:
    intent, known, told, state = FATES[name]
    steps = decide([intent], known, looked([intent], known, **told))
    assert [step.state for step in steps if isinstance(step, Note)][-1] == state
    assert not {"Send", "Reconnect", "Reserve"} & set(kinds(steps))


def test_an_unresolved_order_holds_its_instrument_back_and_not_others() -> None:
    known = sent("E", states=("RESERVED", "SENT", "UNRESOLVED"))
    same, other = replace(BUY, order_ref="N"), replace(BUY, order_ref="O", symbol="MSFT")
    steps = decide([BUY, same, other], known)
    assert [step.order_refs for step in steps if isinstance(step, Wait)] == [("N",)]
    assert [step.parts[0].order_ref for step in steps if isinstance(step, Send)] == ["O"]


def test_nothing_is_sent_again_while_halted() -> None:
    known = sent("E")
    steps = decide([BUY], known, looked([BUY], known, fresh=True), blocked="halted")
    assert steps[-1] == Wait(("E",), "halted", blocked=True)


# ---------------------------------------------------------------------------------------------------- brackets


def test_a_missing_bracket_goes_again_as_a_whole() -> None:
    known = sent("E", "S", "T")
    steps = decide(BRACKET, known, looked(BRACKET, known, fresh=True))
    assert steps[-1] == Send(
        (Part("E", 5, None, False), Part("S", 6, 5, False), Part("T", 7, 5, True)), again=True
    )


def test_a_missing_bracket_of_a_market_order_ends_as_a_whole() -> None:
    unit = (MARKET, STOP, TARGET)
    known = sent("E", "S", "T")
    steps = decide(unit, known, looked(unit, known))
    assert notes(steps) == dict.fromkeys("EST", "EXPIRED")


@pytest.mark.parametrize(("held", "outcome"), [(10.0, "Send"), (0.0, "EXPIRED"), (4.0, "EXPIRED")])
def test_a_missing_stop_goes_alone_only_to_protect_what_is_held(held: float, outcome: str) -> None:
    known = sent("E", "S")
    told = {
        "completed": (at_broker(status="Filled", filled=10.0),),
        "executions": (execution(),),
        "positions": {"AAPL": held},
    }
    steps = decide((BUY, STOP), known, looked((BUY, STOP), known, fresh=True, **told))
    if outcome == "Send":
        assert steps[-1] == Send((Part("S", 6, None, True, 10.0),), again=True)
    else:
        assert notes(steps)["S"] == outcome


def test_a_stop_that_goes_alone_closes_no_more_than_was_filled() -> None:
    known = sent("E", "S")
    told = {
        "completed": (at_broker(status="Cancelled", filled=4.0),),
        "executions": (execution(4.0),),
        "positions": {"AAPL": 4.0},
    }
    seen = looked((BUY, STOP), known, fresh=True, **told)
    assert decide((BUY, STOP), known, seen)[-1] == Send((Part("S", 6, None, True, 4.0),), again=True)


def test_a_missing_stop_of_a_working_entry_goes_with_it() -> None:
    known = sent("E", "S")
    seen = looked((BUY, STOP), known, fresh=True, open=(at_broker(),))
    assert decide((BUY, STOP), known, seen)[-1] == Send((Part("S", 6, 5, True),), again=True)


def test_a_market_entry_that_was_never_let_go_is_taken_back() -> None:
    known = sent("E", "S")
    seen = looked((MARKET, STOP), known, fresh=True, open=(at_broker(status="ApiPending"),))
    steps = decide((MARKET, STOP), known, seen)
    assert any(isinstance(step, Cancel) and step.order_ref == "E" for step in steps)
    assert not any(isinstance(step, Send) for step in steps)


def test_a_group_without_a_parent_is_reserved_together_and_each_of_it_works_at_once() -> None:
    group = [replace(STOP, parent_ref=None), replace(TARGET, parent_ref=None)]
    reserve, sent_ = decide(group)
    assert reserve == Reserve((("S", 5), ("T", 6)))
    assert isinstance(sent_, Send)
    assert [(part.parent_id, part.transmit) for part in sent_.parts] == [(None, True), (None, True)]
    later = replace(group[0], order_ref="S2", session=STOP.session + timedelta(days=1), order_type="market")
    assert kinds(decide([*group, later], sent("S", "T"), seen_both())) == [
        "Note", "Note", "Reserve", "Send",
    ]  # fmt: skip


def seen_both() -> View:
    return view(
        open=(
            at_broker("S", 901, side="SELL", stop_price=92.0),
            at_broker("T", 902, side="SELL", limit_price=115.0),
        ),
        next_id=7,
    )


# ------------------------------------------------------------------------------------------ cancel and modify

STANDING = {
    "working": ({"open": (at_broker(),)}, [Reserve((("C", 5),)), Cancel("E", 5, "C", "asked for")]),
    "gone": ({"completed": (at_broker(status="Cancelled"),)}, "ACKED"),
    "filled": ({"completed": (at_broker(status="Filled", filled=10.0),), "executions": (execution(),)}, "EXPIRED"),
}  # fmt: skip


@pytest.mark.parametrize("name", STANDING)
@pytest.mark.parametrize("blocked", ["", "halted"])
def test_a_cancel(name: str, blocked: str) -> None:
    told, expected = STANDING[name]
    steps = decide([BUY, CANCEL], sent("E"), view(**told), blocked=blocked)
    if isinstance(expected, str):
        assert notes(steps)["C"] == expected
    else:
        assert [step for step in steps if isinstance(step, Reserve | Cancel)] == expected


def test_a_cancel_of_what_was_never_sent_ends_both() -> None:
    steps = decide([BUY, CANCEL])
    assert notes(steps) == {"E": "CANCELLED", "C": "ACKED"}
    assert not any(isinstance(step, Send) for step in steps)


def test_a_cancel_is_asked_again_after_a_while_and_given_up_in_the_end() -> None:
    recent = [*sent("E"), *(one._replace(at=NOW) for one in events("C", "RESERVED", "SENT"))]
    seen = view(open=(at_broker(),))
    assert not any(isinstance(step, Cancel) for step in decide([BUY, CANCEL], recent, seen))
    old = [*sent("E"), *events("C", "RESERVED", "SENT")]
    assert any(isinstance(step, Cancel) for step in decide([BUY, CANCEL], old, seen))
    often = [*sent("E"), *events("C", "RESERVED", "SENT", "SENT", "SENT")]
    assert notes(decide([BUY, CANCEL], often, seen))["C"] == "UNRESOLVED"


def test_a_modify_is_sent_until_the_broker_shows_it() -> None:
    alone = replace(STOP, parent_ref=None)
    known = sent("S")
    working = at_broker("S", side="SELL", stop_price=92.0)
    steps = decide([alone, MODIFY], known, view(open=(working,)))
    assert [step for step in steps if isinstance(step, Change)] == [Change("M", "S", 5, 10.0, reduces=True)]
    there = view(open=(replace(working, stop_price=95.0),))
    assert notes(decide([alone, MODIFY], known, there))["M"] == "ACKED"
    assert not any(
        isinstance(s, Change)
        for s in decide([alone, MODIFY], known, view(open=(working,)), blocked="restart")
    )
    for stop_price, sends in ((95.0, True), (90.0, False)):
        change = replace(MODIFY, stop_price=stop_price)
        halted = decide([alone, change], known, view(open=(working,)), blocked="halted", halted=True)
        assert any(isinstance(step, Change) for step in halted) == sends


@pytest.mark.parametrize(
    ("placed", "asked", "at_the_broker", "done", "held", "total"),
    [
        pytest.param(10.0, 8.0, 10.0, 0.0, 8.0, 8.0, id="reduced"),
        pytest.param(10.0, 8.0, 8.0, 0.0, 8.0, None, id="is there already"),
        pytest.param(10.0, 8.0, 10.0, 3.0, 8.0, None, id="filled in part: the whole counts"),
        pytest.param(10.0, 5.0, 10.0, 3.0, 5.0, 8.0, id="reduced after a part was filled"),
        pytest.param(10.0, 10.0, 6.0, 0.0, 6.0, None, id="its group has taken from it"),
        pytest.param(10.0, 12.0, 10.0, 0.0, 12.0, 12.0, id="enlarged"),
        pytest.param(10.0, 12.0, 10.0, 0.0, 11.0, 11.0, id="enlarged to what is held"),
        pytest.param(10.0, 12.0, 10.0, 0.0, 0.0, None, id="enlarged, and nothing is held any more"),
    ],
)
def test_a_modify_of_the_quantity(
    placed: float, asked: float, at_the_broker: float, done: float, held: float, total: float | None
) -> None:
    alone = replace(STOP, parent_ref=None, quantity=placed)
    wanted = replace(MODIFY, quantity=asked, stop_price=92.0)
    working = at_broker("S", side="SELL", quantity=at_the_broker, stop_price=92.0)
    seen = view(open=(working,), positions={"AAPL": held})
    fills = [execution(done, "S", side="SELL")] if done else []
    steps = decide([alone, wanted], sent("S"), seen, recorded=fills)
    changes = [step.quantity for step in steps if isinstance(step, Change)]
    assert changes == ([] if total is None else [total])
    assert (notes(steps).get("M") == "ACKED") is (total is None)


@pytest.mark.parametrize("units", [0.0, 8.0])
def test_an_execution_corrected_before_it_was_seen_leaves_no_doubt(units: float) -> None:
    done = at_broker(status="Filled", filled=10.0)
    told = execution(units, revision=2)
    seen = looked([MARKET], sent("E"), completed=(done,), executions=(told,))
    steps = decide([MARKET], sent("E"), seen)
    assert notes(steps) == {"E": "FILLED"}


def test_only_the_newest_change_of_an_order_counts() -> None:
    alone = replace(STOP, parent_ref=None)
    later = replace(MODIFY, order_ref="M2", session=MODIFY.session + timedelta(days=1), stop_price=97.0)
    seen = view(open=(at_broker("S", side="SELL", stop_price=92.0),))
    steps = decide([alone, MODIFY, later], sent("S"), seen)
    assert notes(steps)["M"] == "EXPIRED"
    assert [step.order_ref for step in steps if isinstance(step, Change)] == ["M2"]


# ------------------------------------------------------------------------------------------------- executions


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0000e0d5.00000001.01.02", ("0000e0d5.00000001.01", 2)), ("abc", ("abc", 1)), ("a.b", ("a.b", 1))],
)
def test_the_root_of_an_execution(text: str, expected: tuple[str, int]) -> None:
    assert split_id(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1.5, 1.5), (0.0, 0.0), (-0.25, -0.25), (-1.0, None), (None, None), (float("nan"), None), (1.7976931348623157e308, None)],
)  # fmt: skip
def test_what_stands_for_no_commission(value: float | None, expected: float | None) -> None:
    assert plausible_commission(value) == expected


def test_the_newest_revision_counts_with_the_last_commission_told() -> None:
    first = execution(10.0, commission=None)
    told = execution(10.0, commission=1.0)
    corrected = execution(12.0, revision=2, commission=None)
    for reports in (
        [first, told, corrected],
        [corrected, told, first],
        [told, corrected],
        [first, corrected, told],
    ):
        assert newest(reports) == {"x.1.01": corrected._replace(commission=1.0)}


def test_a_commission_that_changes_is_recorded_each_time_and_the_last_one_counts() -> None:
    told = [execution(commission=value) for value in (None, 1.0, 1.0, 1.3, 1.0)]
    recorded: list[Report] = []
    for report in told:
        recorded += unrecorded([report, report], recorded)
    assert [one.commission for one in recorded] == [None, 1.0, 1.3, 1.0]
    assert newest(recorded)["x.1.01"].commission == 1.0
    assert newest(recorded[:3])["x.1.01"].commission == 1.3


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3), st.booleans()), max_size=12))
def test_reports_are_recorded_once_in_any_order(drawn: list[tuple[int, int, bool]]) -> None:
    reports = [
        execution(
            root=f"r{root}", revision=revision, quantity=float(revision), commission=1.0 if told else None
        )
        for root, revision, told in drawn
    ]
    recorded: list[Report] = []
    for report in reports:
        recorded += unrecorded([report], recorded)
    assert len(recorded) == len(set(recorded)), "each once"
    assert {(one.root, one.revision) for one in recorded} == {(f"r{r}", v) for r, v, _ in drawn}
    assert unrecorded(reports, recorded) == []
    assert newest(recorded) == newest(reports)


# ------------------------------------------------------------------------------------------------- properties

STATES = st.sampled_from(["PLANNED", "RESERVED", "SENT", "ACKED", "PARTIAL", "FILLED", "CANCELLED", "EXPIRED", "UNKNOWN", "UNRESOLVED"])  # fmt: skip


@given(
    states=st.tuples(STATES, STATES, STATES),
    shown=st.tuples(
        *[st.sampled_from(["", "Submitted", "ApiPending", "Filled", "Cancelled", "Inactive"])] * 3
    ),
    quantities=st.tuples(*[st.sampled_from([0.0, 4.0, 10.0])] * 3),
    looks=st.integers(1, 3),
    fresh=st.booleans(),
    blocked=st.sampled_from(["", "halted"]),
    held=st.sampled_from([0.0, 4.0, 10.0]),
    kind=st.sampled_from([BUY, MARKET]),
)
def test_whatever_is_seen_ids_are_kept_and_halts_and_the_broker_s_orders_respected(
    states: tuple[str, ...],
    shown: tuple[str, ...],
    quantities: tuple[float, ...],
    looks: int,
    fresh: bool,
    blocked: str,
    held: float,
    kind: Intent,
) -> None:
    unit = (kind, STOP, TARGET)
    known: list[Event] = []
    live: list[BrokerOrder] = []
    done: list[BrokerOrder] = []
    executed: list[Report] = []
    for number, (intent, state, status, quantity) in enumerate(
        zip(unit, states, shown, quantities, strict=True)
    ):
        ref = intent.order_ref
        if state != "PLANNED":
            known += events(ref, "RESERVED", state, first_id=5 + number)
        elif status:
            continue
        if status:
            order = at_broker(ref, 900 + number, status=status, order_id=5 + number, filled=quantity)
            (done if status in {"Filled", "Cancelled"} else live).append(order)
        if quantity:
            executed.append(execution(quantity, ref, root=f"r{number}", perm_id=900 + number))
    seen = looked(unit, known, looks, fresh=fresh, open=tuple(live), completed=tuple(done),
                  executions=tuple(executed), positions={"AAPL": held})  # fmt: skip
    steps = decide(unit, known, seen, blocked=blocked)
    ids = {event.order_ref: event.order_id for event in known}
    at_the_broker = {order.order_ref for order in (*live, *done)} | {one.order_ref for one in executed}
    for step in steps:
        if isinstance(step, Reserve):
            assert not {ref for ref, _ in step.ids} & set(ids), "an order has one id for ever"
            assert not {number for _, number in step.ids} & set(ids.values()), "an id has one order for ever"
        if isinstance(step, Send):
            assert not blocked
            assert not {part.order_ref for part in step.parts} & at_the_broker, (
                "what is there is never sent again"
            )
            for part in step.parts:
                if step.again:
                    assert part.order_id == ids[part.order_ref]
                    assert seen.absences[part.order_ref].confirmed not in {None, seen.connection}
            assert step.parts[-1].transmit
            if step.again:
                assert not any(part.order_ref == "E" and kind is MARKET for part in step.parts)


REDUCING: dict[str, tuple[Intent, dict[str, float], float, bool]] = {
    # the order at work (limit 100 or stop 92), its new price, units more; whether that only takes risk off
    "a selling stop rises": (STOP, {"stop_price": 95.0}, 0, True),
    "a selling stop falls": (STOP, {"stop_price": 90.0}, 0, False),
    "a selling stop for fewer": (STOP, {"stop_price": 95.0}, -1, False),
    "a buying stop falls": (replace(STOP, side="BUY"), {"stop_price": 90.0}, 0, True),
    "a buying stop rises": (replace(STOP, side="BUY"), {"stop_price": 95.0}, 0, False),
    "a target comes nearer": (replace(TARGET, limit_price=100.0), {"limit_price": 99.0}, 0, True),
    "a target goes away": (replace(TARGET, limit_price=100.0), {"limit_price": 101.0}, 0, False),
    "a buying entry goes away": (BUY, {"limit_price": 99.0}, 0, True),
    "a buying entry comes nearer": (BUY, {"limit_price": 101.0}, 0, False),
    "an entry for fewer": (BUY, {}, -5, True),
    "an entry for more": (BUY, {}, 5, False),
    "a stop on an order without one": (TARGET, {"stop_price": 95.0}, 0, False),
}


@pytest.mark.parametrize("name", REDUCING)
def test_which_changes_pass_a_halt_and_nothing_else_that_blocks(name: str) -> None:
    target, prices, more, reduces = REDUCING[name]
    intent = replace(target, order_ref="M", kind="modify", target_ref=target.order_ref,
                     **{"limit_price": None, "stop_price": None, **prices})  # fmt: skip
    assert reduces_risk(target, intent, (target.limit_price, target.stop_price), more=more) == reduces
