"""Past bars through the gateway: real sockets, its limits enforced, its refusals told apart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assets.observations import Observing, update_chains, update_depth
from delta import Lake, Provenance, create_lake, read
from delta.contracts import Bars, Depth, Instruments, OptionQuotes
from resources.brokers import data_limits
from resources.brokers.base import Instrument as BrokerInstrument
from resources.brokers.base import Pace as BrokerPace
from resources.brokers.base import RefusedRequestError
from resources.brokers.data_limits import MARGIN, Asked, wait_for
from resources.brokers.ib import IBBroker
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
from resources.providers.ib import Ib, IbSettings
from resources.providers.registry import provider
from resources.providers.sample import Sample
from resources.raw_answers import raw_answers
from trading.liquidity import liquidity

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
    ib._limits.cache_clear()


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
    monkeypatch.setattr(data_limits, "wait_for", lambda *_: 0.0)
    with pytest.raises(RateLimited, match="pacing violation"):
        source(paced).fetch(Request(("AAPL",), DAYS[0], DAYS[0] + timedelta(days=6), "1m"))


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
    assert wait_for(known, *asked, 100.0) == pytest.approx(wait + (MARGIN if wait else 0.0))


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


# ---------------------------------------------------------------------------- order books and option chains


@pytest.fixture(scope="module")
def open_market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreadGateway]:
    """A gateway on a Friday morning in New York, with a stock, a coin, and a stock without a price."""
    start = datetime(2024, 1, 5, 15, tzinfo=UTC)
    made = ThreadGateway(tmp_path_factory.mktemp("gateway"), Settings(start=start, max_messages=0))
    rows = [
        {"symbol": "AAPL", "asset_class": "stock", "exchange": "XNAS", "currency": "USD"},
        {"symbol": "QUIET", "asset_class": "stock", "exchange": "XNAS", "currency": "USD"},
        {"symbol": "BTCUSD", "asset_class": "crypto", "currency": "USD"},
    ]
    made.ask("instruments", rows=rows)
    for symbol in ("AAPL", "BTCUSD"):
        made.ask("price", symbol=symbol, price=100.0)
    yield made
    made.stop()


@pytest.fixture
def shop(open_market: ThreadGateway) -> Iterator[ThreadGateway]:
    yield open_market
    open_market.ask("faults", clear=True)


def observing(gateway: Gateway, lake: Lake, **options: Any) -> Observing:
    settings = {"port": gateway.port, "timeout": 5, "classes": {"BTCUSD": "crypto"}, **options}
    now = datetime(2024, 1, 5, 16, tzinfo=UTC)
    return Observing(lake, DeskConfig(providers={"ib": settings}), now, "run-1")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return create_lake(tmp_path / "lake")


def test_order_books_of_the_gateway_reach_the_table_and_its_measures(shop: Gateway, lake: Lake) -> None:
    update = update_depth(observing(shop, lake), ["AAPL", "BTCUSD"], source="ib")
    assert (update.result.new, update.problems()) == (80, [])
    books = read(lake, Depth).collect().sort("symbol", "side", "level")
    assert books.select("symbol", "session", "source").unique().sort("symbol").rows() == [
        ("AAPL", date(2024, 1, 5), "ib"),
        ("BTCUSD", date(2024, 1, 5), "ib"),
    ]
    stock = books.filter(symbol="AAPL")
    asks, bids = (stock.filter(side=side) for side in ("ask", "bid"))
    assert asks["level"].to_list() == bids["level"].to_list() == list(range(20))
    assert asks["price"].is_sorted()
    assert bids["price"].is_sorted(descending=True)
    assert bids["price"][0] < asks["price"][0]
    assert asks["size"].to_list() == [100.0 * (level + 1) for level in range(20)]
    told = stock["quoted_at"].unique().item()
    assert datetime(2024, 1, 5, 15, tzinfo=UTC) < told < datetime(2024, 1, 5, 16, tzinfo=UTC)
    measures = liquidity(stock.drop("known_at"), lot=100.0).row(0, named=True)
    assert measures["depth_5"] == 3000.0
    assert measures["imbalance"] == 0.0
    assert len(list(raw_answers(lake).replay("ib"))) == 2


def test_fewer_levels_are_the_best_ones(shop: Gateway) -> None:
    book = source(shop).depth("AAPL", 3)
    assert sorted(book.group_by("side").len().rows()) == [("ask", 3), ("bid", 3)]


@pytest.mark.parametrize(
    ("symbol", "words"),
    [
        ("NOPE", "ib: NOPE: the broker knows no single stock"),
        ("QUIET", "ib: QUIET: order book of QUIET: no level came within 0.3 s"),
    ],
)
def test_a_book_that_does_not_come_is_told_and_the_others_are_kept(
    shop: Gateway, lake: Lake, symbol: str, words: str
) -> None:
    desk = observing(shop, lake, timeout=0.3 if symbol == "QUIET" else 5)
    update = update_depth(desk, [symbol, "AAPL"], source="ib")
    assert update.result.new == 40
    assert update.problems()[0].startswith(words)


def test_a_refused_book_says_why(shop: ThreadGateway) -> None:
    """The gateway shows three books at a time to one connection."""

    async def four() -> list[int]:
        known = {"AAPL": BrokerInstrument("AAPL", "AAPL", "stock")}
        broker = IBBroker(known, port=shop.port, client_id=77, pace=BrokerPace(request=5.0, quote=5.0))
        await broker.connect()
        try:
            contract = await broker.contract("AAPL")
            for number in (901, 902, 903):
                broker._client().reqMktDepth(number, contract, 5, True, [])
            with pytest.raises(RefusedRequestError, match="order book of AAPL: 309: Max number"):
                await broker.depth("AAPL", 5)
            broker._client().cancelMktDepth(901, True)
            return [(await broker.depth("AAPL", 5)).height for _ in range(4)]
        finally:
            await broker.disconnect()

    assert asyncio.run(four()) == [10] * 4


FEBRUARY = date(2024, 2, 16)


def test_a_chain_of_the_gateway_reaches_the_table(shop: Gateway, lake: Lake) -> None:
    update = update_chains(
        observing(shop, lake), ["AAPL"], source="ib", expiries=[FEBRUARY], strikes=(95.0, 105.0)
    )
    kept = read(lake, OptionQuotes).collect().sort("right", "strike")
    assert (update.result.new, update.problems()) == (10, [])
    assert kept["symbol"][:2].to_list() == ["AAPL  240216C00095000", "AAPL  240216C00097500"]
    assert kept.select("underlying", "session", "expiry", "multiplier", "source").unique().rows() == [
        ("AAPL", date(2024, 1, 5), FEBRUARY, 100.0, "ib")
    ]
    calls, puts = (kept.filter(right=right) for right in ("call", "put"))
    assert calls["strike"].to_list() == puts["strike"].to_list() == [95.0, 97.5, 100.0, 102.5, 105.0]
    assert (kept["bid"] < kept["ask"]).all()
    assert kept["underlying_price"].to_list() == [100.0] * 10
    assert calls["delta"].is_sorted(descending=True)
    assert calls["delta"].is_between(0, 1).all()
    assert puts["delta"].is_between(-1, 0).all()
    assert (kept["implied_volatility"] > 0).all()
    assert kept["open_interest"].null_count() == 10
    assert len(list(raw_answers(lake).replay("ib"))) == 1


@pytest.mark.parametrize(
    ("bounds", "error", "words"),
    [
        ({"strikes": (1000.0, 2000.0)}, NoData, "AAPL: no option in the chain asked for; widen the bounds"),
        ({"expiries": [date(2024, 2, 15)]}, NoData, "no option in the chain"),
        ({}, Unsupported, "contracts, more than the 20 of most_contracts; narrow expiries or strikes"),
    ],
)
def test_a_chain_that_cannot_be_served_is_told(
    shop: Gateway, bounds: dict[str, Any], error: type[ProviderError], words: str
) -> None:
    with pytest.raises(error, match=words):
        source(shop, most_contracts=20).chain("AAPL", **bounds)


def test_quotes_without_permission_are_an_error_and_missing_greeks_are_null(shop: ThreadGateway) -> None:
    asked = source(shop)
    bounds: dict[str, Any] = {"expiries": [FEBRUARY], "strikes": (100.0, 100.0)}
    for _ in range(2):
        shop.ask("fault", name="no_market_data")
    with pytest.raises(ProviderError, match=r"AAPL: quote of AAPL  240216C00100000: .*check the market data"):
        asked.chain("AAPL", **bounds)
    shop.ask("faults", clear=True)
    shop.ask("fault", name="absent_greeks")
    told = asked.chain("AAPL", **bounds)
    assert told["bid"].null_count() == 0
    assert told["delta"].null_count() == 2
    shop.ask("faults", clear=True)
    assert asked.chain("AAPL", **bounds)["delta"].null_count() == 0


def test_nobody_there_to_ask_for_books_and_chains() -> None:
    gone = Ib(IbSettings(port=1, timeout=1))
    for ask in (gone.depth, gone.chain):
        with pytest.raises(Unreachable, match=r"ib: AAPL: .*start the gateway and log in"):
            ask("AAPL")
