"""Asset checks find what is wrong: each on a lake in which one thing has been spoiled."""

from __future__ import annotations

from datetime import date

import dagster as dg

from assets.checks import no_session_is_missing, sessions_follow_each_other
from delta import Provenance, read, write
from delta.contracts import Portfolio
from pipelines.runs import run_backtest, run_market
from tests.integration.conftest import BOOK, OwnDesk, demo_book, resource


def test_checks_tell_a_gap_and_a_torn_chain(own_desk: OwnDesk) -> None:
    place, instance = own_desk
    place.add_book(demo_book("2010-06-01", "2011-06-30"))
    desk = resource(place)
    run_market(desk, instance, BOOK)
    run_backtest(desk, instance, BOOK, date(2010, 6, 1), date(2011, 6, 30))
    lake = place.lake()
    assert no_session_is_missing(lake).passed
    assert sessions_follow_each_other(lake).passed

    place.add_book(demo_book("2010-06-01", "2011-06-30", capital="50_000.0"))
    run_backtest(desk, instance, BOOK, date(2010, 6, 1), date(2010, 12, 31))
    torn = sessions_follow_each_other(lake)
    assert not torn.passed
    assert torn.severity is dg.AssetCheckSeverity.WARN
    assert torn.metadata["torn"].value == [f"{BOOK} 2011-01-03"]

    run_backtest(desk, instance, BOOK, date(2011, 1, 1), date(2011, 6, 30))
    assert sessions_follow_each_other(lake).passed

    gone = date(2010, 9, 7)
    empty = read(lake, Portfolio).collect().clear()
    write(lake, Portfolio, empty, {"book": BOOK, "session": gone}, Provenance("by hand", "test", "0"))
    missing = no_session_is_missing(lake)
    assert not missing.passed
    assert missing.metadata["missing"].value == [f"{BOOK}: 1 sessions, the first {gone}"]
