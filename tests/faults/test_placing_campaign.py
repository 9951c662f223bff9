"""Placing under faults and deaths: nothing twice, nothing lost, the ledger equal to the broker."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pytest

from resources.brokers import crash
from resources.gateway.service.faults import SCENARIOS
from trading.placement import Intent, Ledger, PlacingPolicy, Step, View, next_steps, standings

from .placing_trials import (
    FAULTS,
    OTHER_FAULTS,
    PROCESS_FAULTS,
    Result,
    campaign,
    shortcomings,
    side_by_side,
    summary,
)

TRIALS = 200
"""Seeded trials of every run of the tests; ``make campaign``, which decides what lands, plays a thousand."""
WORKERS = 2 * (os.cpu_count() or 1)
"""A trial mostly waits for what a fault holds back."""
SMALL = multiprocessing.get_context("spawn")
"""Processes with the imports of the trials alone: each forks those that it kills."""


def told(results: Sequence[Result]) -> list[tuple[object, ...]]:
    """Trials that found something, with what reproduces them."""
    return [(one.seed, one.faults, one.deaths, one.violations) for one in results if one.violations]


@pytest.mark.slow
def test_campaign_finds_nothing_twice_and_nothing_lost() -> None:
    results = [one for part in side_by_side(range(1, TRIALS + 1), WORKERS, 25, SMALL) for one in part]
    assert len(results) == TRIALS
    assert shortcomings(results) == []


def test_every_fault_of_the_gateway_is_in_the_campaign() -> None:
    assert set(SCENARIOS) == {*FAULTS, *PROCESS_FAULTS, *OTHER_FAULTS}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_alone(name: str) -> None:
    assert told(campaign([9001], forced=[name], death=None)) == []


@pytest.mark.parametrize("point", crash.POINTS)
def test_each_death_alone_and_with_a_lost_acknowledgement(point: str) -> None:
    results = [
        *campaign(range(9101, 9105), forced=[], death=(point, 1)),
        *campaign(range(9105, 9108), forced=["drop_before_ack"], death=(point, 2)),
    ]
    assert told(results) == []
    assert any(one.deaths for one in results) or point == "requested", "the point was reached"


class Naive:
    """Placing with reconciliation switched off: what was not acknowledged is sent anew after a reconnect."""

    def __init__(self) -> None:
        self.connections: set[int] = set()

    def __call__(
        self, intents: Sequence[Intent], ledger: Ledger, view: View, now: datetime, policy: PlacingPolicy
    ) -> list[Step]:
        known = standings(ledger.events)
        used = max((one.order_id or 0 for one in known.values()), default=0)
        blind: set[str] = set()
        if view.connection not in self.connections:
            self.connections.add(view.connection)
            blind = {ref for ref, one in known.items() if one.state in {"RESERVED", "SENT", "UNKNOWN"}}
        seen = replace(
            view,
            open=tuple(one for one in view.open if one.order_ref not in blind),
            completed=tuple(one for one in view.completed if one.order_ref not in blind),
            executions=tuple(one for one in view.executions if one.order_ref not in blind),
        )
        left = Ledger(tuple(one for one in ledger.events if one.order_ref not in blind), ledger.executions)
        return next_steps(intents, left, seen, now, replace(policy, first_id=max(policy.first_id, used + 1)))


def test_the_campaign_can_fail() -> None:
    results = campaign(range(9201, 9213), forced=["drop_before_ack"], decide=Naive)
    wrong = shortcomings(results)
    assert any(text.startswith("duplicates: ") for text in wrong)
    assert any("more than once" in text for text in wrong)
    assert summary(campaign(range(9201, 9213), forced=["drop_before_ack"]))["duplicates"] == 0
