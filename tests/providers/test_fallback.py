"""Several providers as one: who wins, who completes, what is flagged and what is told."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.calendar import session_closes
from resources.providers import _frames
from resources.providers.base import (
    BARS,
    CORPORATE_ACTIONS,
    Answer,
    BadKey,
    Capabilities,
    NoData,
    ProviderError,
    RateLimited,
    Request,
    Settings,
)
from resources.providers.binance import Binance, BinanceSettings
from resources.providers.fallback import NoProviderLeft, fetch_in_order, in_order
from resources.providers.tiingo import Tiingo, TiingoSettings

FIRST, LAST = date(2024, 3, 1), date(2024, 3, 28)
SESSIONS = session_closes("XNYS", FIRST, LAST)
MONTH = Request(("AAA",), FIRST, LAST)


def bars(days, symbol="AAA", close=100.0, source="a"):
    rows = [
        (symbol, "1d", day, SESSIONS[day], close, close, close, close, 1e6, source) for day in sorted(days)
    ]
    return pl.DataFrame(rows, schema=BARS, orient="row")


class Plain:
    """A provider that has some days at one price, or an error to raise."""

    name: ClassVar[str] = "plain"
    capabilities: ClassVar[Capabilities] = Capabilities(asset_classes=("stock",), timeframes=("1d", "1w"))
    Settings: ClassVar[type[Any]] = Settings

    def __init__(self, name, days=(), close=100.0, error=None, actions=None, instruments=None):
        self.name = name
        self.days, self.close, self.error = list(days), close, error
        self.actions, self.instruments = actions, instruments
        self.asked: list[Request] = []

    def symbols(self):
        return ["AAA"] if self.days else []

    def fetch(self, request):
        self.asked.append(request)
        if self.error is not None:
            raise self.error
        days = [day for day in self.days if request.first <= day <= request.last]
        given = Answer(bars(days, request.symbols[0], self.close, self.name))
        return Answer(
            given.bars,
            given.corporate_actions if self.actions is None else self.actions,
            given.instruments if self.instruments is None else self.instruments,
        )


def test_the_first_that_has_the_whole_range_wins():
    one, two = Plain("a", SESSIONS), Plain("b", SESSIONS, close=200.0)
    outcome = fetch_in_order([one, two], MONTH, "stock")
    assert outcome.answer.bars.equals(bars(SESSIONS))
    assert outcome.warnings.is_empty()
    assert two.asked == []
    assert [said.text for said in outcome.said] == ["returned 20 sessions from 2024-03-01 to 2024-03-28"]


def test_the_next_completes_what_is_missing_and_each_row_says_who():
    half = list(SESSIONS)[:12]
    outcome = fetch_in_order([Plain("a", half), two := Plain("b", SESSIONS)], MONTH, "stock")
    assert outcome.answer.bars["session"].to_list() == list(SESSIONS)
    assert outcome.answer.bars["source"].to_list() == ["a"] * 12 + ["b"] * 8
    assert two.asked == [Request(("AAA",), list(SESSIONS)[7], LAST)]


@given(
    held=st.lists(st.sets(st.sampled_from(list(SESSIONS))), min_size=1, max_size=4),
    prices=st.lists(st.sampled_from([100.0, 100.4, 101.0]), min_size=4, max_size=4),
)
def test_every_session_comes_from_the_first_that_has_it(held, prices):
    providers = [Plain(f"p{i}", days, prices[i]) for i, days in enumerate(held)]
    union = set().union(*held)
    if not union:
        with pytest.raises(ProviderError):
            fetch_in_order(providers, MONTH, "stock")
        return
    outcome = fetch_in_order(providers, MONTH, "stock")
    rows = outcome.answer.bars.select("session", "source").rows()
    assert rows == [
        (day, next(f"p{i}" for i, days in enumerate(held) if day in days)) for day in sorted(union)
    ]
    nobody = outcome.warnings.filter(rule="no provider has the session")["session"].to_list()
    assert nobody == [day for day in SESSIONS if day not in union and day > min(union)]


@pytest.mark.parametrize(("other", "flagged"), [(100.4, 0), (100.5, 0), (100.6, 5), (99.4, 5), (200.0, 5)])
def test_a_disagreement_beyond_half_a_percent_is_flagged_and_the_first_kept(other, flagged):
    missing = list(SESSIONS)[-1]
    one = Plain("a", [day for day in SESSIONS if day != missing])
    outcome = fetch_in_order([one, Plain("b", SESSIONS, close=other)], MONTH, "stock")
    warnings = outcome.warnings
    assert warnings.height == flagged
    assert outcome.answer.bars["close"].to_list() == [100.0] * 19 + [other]
    if flagged:
        first = warnings.row(0, named=True)
        assert first["rule"] == "providers disagree"
        assert first["reason"] == f"a says close 100.0, b says {other}"
        assert (first["symbol"], first["timeframe"], first["session"]) == ("AAA", "1d", list(SESSIONS)[-6])


def test_a_failed_provider_is_passed_over():
    failing = Plain("a", error=RateLimited("a", "too many requests", symbol="AAA", remedy="later"))
    outcome = fetch_in_order([failing, Plain("b", SESSIONS)], MONTH, "stock")
    assert outcome.answer.bars["source"].unique().to_list() == ["b"]
    assert outcome.said[0].text == "a: AAA: too many requests; later"


def test_all_failed_lists_what_each_said():
    providers = [
        Plain("a", error=BadKey("a", "no key", remedy="set A_KEY")),
        Plain("b", error=RateLimited("b", "too many requests", symbol="AAA", remedy="try again in 60 s")),
        Plain("c"),
    ]
    with pytest.raises(NoProviderLeft) as caught:
        fetch_in_order(providers, MONTH, "stock")
    assert str(caught.value) == (
        "fallback: AAA: a said: no key; set A_KEY; b said: too many requests; try again in 60 s; "
        "c said: returned no bars; mend one of them, or name another provider in the order"
    )
    assert caught.value.symbol == "AAA"


def test_all_failed_alike_is_an_error_of_that_kind():
    providers = [Plain(name, error=NoData(name, "no bars", symbol="AAA")) for name in "ab"]
    with pytest.raises(NoData, match="a said: no bars; b said: no bars"):
        fetch_in_order(providers, MONTH, "stock")


@pytest.mark.parametrize(("asset_class", "timeframe"), [("crypto", "1d"), ("stock", "1m")])
def test_a_provider_is_not_asked_for_what_it_does_not_serve(asset_class, timeframe):
    one = Plain("a", SESSIONS)
    with pytest.raises(NoProviderLeft, match=f"a said: serves no {asset_class} {timeframe} bars"):
        fetch_in_order([one], Request(("AAA",), FIRST, LAST, timeframe), asset_class)
    assert one.asked == []


def test_the_listing_explains_what_is_missing():
    listed = list(SESSIONS)[4:12]
    described = _frames.instrument(
        "AAA",
        source="a",
        asset_class="stock",
        exchange="XNYS",
        trading_calendar="XNYS",
        currency="USD",
        valid_from=listed[0],
        valid_to=listed[-1],
    )
    two = Plain("b", SESSIONS)
    outcome = fetch_in_order([Plain("a", listed, instruments=described), two], MONTH, "stock")
    assert outcome.answer.bars["session"].to_list() == listed
    assert outcome.answer.instruments.equals(described)
    assert (two.asked, outcome.warnings.height) == ([], 0)


def test_corporate_actions_come_with_the_sessions_or_from_who_has_any():
    days = list(SESSIONS)
    split = pl.DataFrame({"ex_date": [days[2], days[15]], "value": [2.0, 3.0]})
    actions = _frames.actions(split, "AAA", "USD", "b", kind="split")
    two = Plain("b", days, actions=actions)
    assert fetch_in_order([Plain("a", days[:12]), two], MONTH, "stock").answer.corporate_actions.equals(
        actions
    )
    own = _frames.actions(split.head(1), "AAA", "USD", "a", kind="split")
    merged = fetch_in_order(
        [Plain("a", days[:12], actions=own), two], MONTH, "stock"
    ).answer.corporate_actions
    assert merged.schema == CORPORATE_ACTIONS
    assert merged.select("ex_date", "source").rows() == [(days[2], "a"), (days[15], "b")]


def test_a_gap_that_nobody_fills_is_told_with_what_each_said():
    days = [day for day in SESSIONS if day != date(2024, 3, 15)]
    outcome = fetch_in_order([Plain("a", days), Plain("b", days)], MONTH, "stock")
    row = outcome.warnings.row(0, named=True)
    assert (row["session"], row["closes_at"]) == (date(2024, 3, 15), datetime(2024, 3, 15, 20, tzinfo=UTC))
    assert row["reason"].startswith("a: returned 19 sessions")
    assert "; b: returned 10 sessions from 2024-03-08 to 2024-03-22" in row["reason"]
    assert outcome.warnings.height == 1


def test_symbols_stand_alone():
    one = Plain("a", SESSIONS)
    both = fetch_in_order([one], Request(("AAA", "BBB"), FIRST, LAST), "stock").answer.bars
    assert both.group_by("symbol").len().sort("symbol").rows() == [("AAA", 20), ("BBB", 20)]
    assert [request.symbols for request in one.asked] == [("AAA",), ("BBB",)]


def test_weeks_are_not_counted_as_sessions():
    weeks = list(SESSIONS)[::5]
    two = Plain("b", SESSIONS)
    outcome = fetch_in_order([Plain("a", weeks), two], Request(("AAA",), FIRST, LAST, "1w"), "stock")
    assert outcome.answer.bars.height == len(weeks)
    assert two.asked == []


def test_several_providers_as_one():
    half = list(SESSIONS)[:12]
    one = in_order([Plain("a", half), Plain("b", SESSIONS, close=150.0)], "stock")
    assert one.name == "a+b"
    assert one.capabilities.asset_classes == ("stock",)
    assert one.symbols() == ["AAA"]
    assert one.fetch(MONTH).bars.height == 20
    assert one.warnings["rule"].to_list() == ["providers disagree"] * 5
    with pytest.raises(ProviderError, match="no provider of fx"):
        in_order([], "fx")


def test_a_real_provider_stands_in_for_another(web, quick, recorded, monkeypatch):
    monkeypatch.delenv("TIINGO_API_KEY", raising=False)
    web.on("/api/v3/klines", recorded / "binance" / "http_spot_market_klines.json")
    keyless = in_order([Tiingo(TiingoSettings(**quick)), Binance(BinanceSettings(**quick))], "crypto")
    day = date(2021, 10, 22)
    outcome = keyless.fetch(Request(("BTC-USDT",), day, day + timedelta(days=1), "1m"))
    assert outcome.bars["source"].unique().to_list() == ["binance"]
    assert len(web.seen) == 1
