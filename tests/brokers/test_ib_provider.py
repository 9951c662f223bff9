"""Past bars through the gateway: real sockets, its limits enforced, its refusals told apart."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from delta import Provenance, create_lake, read
from delta.contracts import Bars, Instruments
from resources.config import DeskConfig
from resources.gateway.settings import Settings
from resources.http import keep_answers
from resources.ingest import ingest
from resources.providers import ib
from resources.providers.base import (
    NoData,
    ProviderError,
    RateLimited,
    Request,
    UnknownSymbol,
    Unreachable,
    Unsupported,
)
from resources.providers.fallback import in_order
from resources.providers.ib import Asked, Ib, IbSettings, wait_for
from resources.providers.registry import provider
from resources.providers.sample import Sample
from resources.raw_answers import raw_answers

from .conftest import Gateway, ThreadGateway

DAYS = [date(2024, 7, day) for day in (1, 2, 3, 5, 8)]
CLOSES = [100.0, 101.0, 102.0, 103.0, 104.0]


@pytest.fixture(scope="module")
def paced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that enforces its limits, with a week of a stock, hours around a half day, and a pair."""
    made = ThreadGateway(tmp_path_factory.mktemp("gateway"), Settings(pacing=True))
    rows = [
        {"symbol": name, "asset_class": kind, "exchange": exchange, "currency": "USD"}
        for name, kind, exchange in (("AAPL", "stock", "XNAS"), ("EURUSD", "fx", ""))
    ]
    made.ask("instruments", rows=rows)
    figures = {"open": 99.0, "high": 200.0, "low": 1.0, "volume": 1000.0}
    days = [
        {"symbol": name, "timeframe": "1d", "session": day.isoformat(), "close": close, **figures}
        for name in ("AAPL", "EURUSD")
        for day, close in zip(DAYS, CLOSES, strict=True)
    ]
    hours = [
        {
            "symbol": "AAPL", "timeframe": "1h", "session": "2024-07-03",
            "closes_at": f"2024-07-03T{hour}:30:00+00:00", "close": float(hour), **figures,
        }
        for hour in (14, 15, 16)
    ]  # fmt: skip
    made.ask("bars", rows=[*days, *hours])
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def fresh_limits() -> None:
    ib._pacer.cache_clear()


def source(gateway: Gateway, **options: Any) -> Ib:
    return Ib(IbSettings(port=gateway.port, timeout=5, classes={"EURUSD": "fx"}, **options))


def week(symbol: str = "AAPL", timeframe: str = "1d") -> Request:
    return Request((symbol,), DAYS[0], DAYS[-1], timeframe)


def test_days_reach_the_lake_with_their_listing_and_raw_answer(paced: Gateway, tmp_path: Path) -> None:
    lake = create_lake(tmp_path / "lake")
    asked = source(paced)
    keep_answers(asked, raw_answers(lake))
    result = ingest(
        lake, asked, week(), now=datetime(2024, 7, 20, tzinfo=UTC), provenance=Provenance("r", "market", "1")
    )
    assert (result.new, result.problems()) == (5, [])
    rows = read(lake, Bars).collect().sort("session")
    assert rows.select("session", "close", "source").rows() == [
        (day, close, "ib") for day, close in zip(DAYS, CLOSES, strict=True)
    ]
    # The third of July closed at one o'clock in New York.
    assert rows["closes_at"][2] == datetime(2024, 7, 3, 17, tzinfo=UTC)
    listed = read(lake, Instruments).collect().row(0, named=True)
    assert (listed["asset_class"], listed["calendar"], listed["currency"]) == ("stock", "XNYS", "USD")
    assert len(list(raw_answers(lake).replay("ib"))) == 1


def test_a_pair_comes_in_mid_prices_on_weekdays(paced: Gateway) -> None:
    answer = source(paced).fetch(week("EURUSD"))
    assert answer.bars["close"].to_list() == CLOSES
    assert answer.instruments.select("asset_class", "calendar", "currency").rows() == [("fx", "24/5", "USD")]


@pytest.mark.parametrize(
    ("request_", "error", "words"),
    [
        (week("NOPE"), UnknownSymbol, "NOPE: the broker knows no single stock"),
        (Request(("AAPL",), date(2020, 1, 2), date(2020, 1, 3)), NoData, "AAPL: no 1d bars from 2020-01-02"),
        (week(timeframe="1w"), Unsupported, "no 1w bars"),
    ],
)
def test_what_cannot_be_served_is_told(
    paced: Gateway, request_: Request, error: type[ProviderError], words: str
) -> None:
    with pytest.raises(error, match=words):
        source(paced).fetch(request_)


def test_a_gateway_that_is_not_there_is_unreachable_and_the_fallback_goes_on() -> None:
    gone = Ib(IbSettings(port=1, timeout=1))
    with pytest.raises(Unreachable, match=r"ib: AAPL: .*start the gateway and log in"):
        gone.fetch(week())
    span = Request(("AAPL",), date(2012, 1, 3), date(2012, 1, 6))
    assert in_order([gone, Sample()], "stock").fetch(span).bars["source"].unique().to_list() == ["sample"]


def test_a_broken_limit_is_no_empty_history(paced: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ib, "wait_for", lambda *_: 0.0)
    with pytest.raises(RateLimited, match="pacing violation"):
        source(paced).fetch(Request(("AAPL", "AAPL"), DAYS[1], DAYS[-1]))


def test_a_wait_beyond_the_allowed_one_is_told_with_its_length(paced: Gateway) -> None:
    asked = source(paced, longest_wait=1.0)
    request = Request(("AAPL",), DAYS[2], DAYS[-1])
    asked.fetch(request)
    with pytest.raises(RateLimited, match="allow the next request in 15 s") as found:
        asked.fetch(request)
    assert found.value.retry_after == pytest.approx(15, abs=1)


def past(*at: float, identity: str = "x", contract: str = "c", weight: float = 1.0) -> list[Asked]:
    return [Asked(when, f"{identity}{when}", contract, weight) for when in at]


@pytest.mark.parametrize(
    ("known", "asked", "wait"),
    [
        ([], ("i", "c", 1.0), 0.0),
        ([Asked(95.0, "i", "c", 1.0)], ("i", "c", 1.0), 10.0),
        ([Asked(80.0, "i", "c", 1.0)], ("i", "c", 1.0), 0.0),
        (past(99.0, 99.2, 99.4, 99.6, 99.8), ("i", "c", 1.0), 1.0),
        (past(99.0, 99.2, 99.4, 99.6, 99.8), ("i", "other", 1.0), 0.0),
        (past(*range(40, 100), contract="o"), ("i", "c", 1.0), 540.0),
        (past(*range(40, 99), contract="o"), ("i", "c", 1.0), 0.0),
        (past(*range(40, 99), contract="o"), ("i", "c", 2.0), 540.0),
        (past(*range(70, 100), contract="o", weight=2.0), ("i", "c", 1.0), 570.0),
    ],
)
def test_the_limits_say_how_long_to_wait(
    known: list[Asked], asked: tuple[str, str, float], wait: float
) -> None:
    assert wait_for(known, *asked, 100.0) == pytest.approx(wait + (ib.MARGIN if wait else 0.0))


def test_hours_end_with_the_half_day(paced: Gateway) -> None:
    bars = source(paced).fetch(Request(("AAPL",), date(2024, 7, 3), date(2024, 7, 3), "1h")).bars
    assert bars["session"].unique().to_list() == [date(2024, 7, 3)]
    assert bars["closes_at"].max() <= datetime(2024, 7, 3, 17, tzinfo=UTC)
    assert bars["closes_at"].diff().drop_nulls().min() >= timedelta(minutes=30)


def test_host_and_port_are_those_of_the_broker() -> None:
    desk = DeskConfig.model_validate({"broker": {"port": 4001}, "providers": {"ib": {"client_id": 9}}})
    made = provider("ib", desk.settings("ib"))
    assert isinstance(made, Ib)
    assert (made.settings.port, made.settings.client_id) == (4001, 9)
