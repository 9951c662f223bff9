"""Hedging orders: what a fill of the parent asks of its hedge, and what becomes of the hedge afterwards."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from statistics import NormalDist
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ib_async import Forex, LimitOrder, Order, Stock

from resources.gateway.market.beta import beta
from resources.gateway.market.prices import Tape

from .test_gateway_durable import World
from .test_gateway_replay import DAYS
from .test_gateway_replay import Desk as Sessions
from .wire import STOCK, Floor, Wire, named

EXPIRY = date(2024, 12, 20)


@pytest.fixture
def client(floor: Floor) -> Wire:
    return floor.client()


@pytest.fixture
def other(floor: Floor, client: Wire) -> str:
    """Another stock, at 50."""
    del client
    symbol = f"{floor.symbol}H"
    floor.list(symbol, 50.0)
    return symbol


def parent_of(client: Wire, symbol: str, **fields: Any) -> int:
    """Order for 10 at 99, transmitted by its hedge."""
    terms = {"orderType": "LMT", "lmtPrice": 99.0, "totalQuantity": 10.0, "transmit": False, **fields}
    return client.place(symbol, **terms)


def hedge_of(client: Wire, symbol: str, parent: int, kind: str, parameter: str = "", **fields: Any) -> int:
    terms = {"action": "SELL", "totalQuantity": 0.0, "parentId": parent, "hedgeType": kind}
    return client.place(symbol, **{**terms, "hedgeParam": parameter, **fields})


def told_size(client: Wire, number: int) -> float:
    return float(client.all_of("openOrder", number)[-1]["totalQuantity"])


# ------------------------------------------------------------------------------------------ how much, when


@pytest.mark.parametrize("parameter", ["1.5", "ratio=1.5"])
def test_a_pair_grows_with_each_fill_of_its_parent(
    floor: Floor, client: Wire, other: str, parameter: str
) -> None:
    parent = parent_of(client, floor.symbol)
    hedge = hedge_of(client, other, parent, "P", parameter)
    assert (client.status(parent), client.status(hedge)) == ("Submitted", "PreSubmitted")
    assert told_size(client, hedge) == 0
    floor.price(51.0, other)
    assert client.fills(hedge) == [], "nothing is hedged before anything is bought"
    floor.price(99.0, size=3)
    assert client.fills(hedge) == [(5, 51)], "4.5 units, rounded"
    assert (client.status(hedge), told_size(client, hedge)) == ("PreSubmitted", 5)
    floor.price(99.0, size=3)
    floor.price(52.0, other)
    floor.price(99.0)
    assert client.fills(hedge) == [(5, 51), (4, 51), (6, 52)], "15 in all: roundings do not add up"
    assert [client.status(one) for one in (parent, hedge)] == ["Filled", "Filled"]
    assert told_size(client, hedge) == 15
    assert floor.held(other) == -15


def test_a_beta_hedge_has_beta_times_the_value_of_what_was_filled(
    floor: Floor, client: Wire, other: str
) -> None:
    parent = parent_of(client, floor.symbol)
    hedge = hedge_of(client, other, parent, "B", "beta=1.2")
    floor.price(99.0)
    assert client.fills(hedge) == [(round(10 * 99 * 1.2 / 50), 50)]


@pytest.mark.parametrize(
    ("currency", "pair", "units"),
    [("EUR", "EURUSD", 990.0), ("USD", "EURUSD", 990 / 1.1), ("EUR", "GBPEUR", 990 / 1.25)],
)
def test_a_currency_hedge_trades_the_value_in_the_currency_of_the_parent(
    floor: Floor, client: Wire, currency: str, pair: str, units: float
) -> None:
    symbol = f"{floor.symbol}{currency}"
    floor.list(symbol, 100.0, currency=currency)
    for name, rate in (("EURUSD", 1.1), ("GBPEUR", 1.25)):
        floor.list(name, rate, asset_class="fx", ticker=name, currency=name[3:])
    parent = parent_of(client, symbol, currency=currency)
    money = {"secType": "CASH", "exchange": "IDEALPRO", "currency": pair[3:]}
    hedge = hedge_of(client, pair[:3], parent, "F", action="BUY", **money)
    assert client.codes(hedge) == []
    floor.price(99.0, symbol)
    [(filled, _)] = client.fills(hedge)
    assert filled == round(units)


def call_on(floor: Floor, client: Wire, strike: float) -> tuple[str, int]:
    symbol = f"{floor.symbol:<6}{EXPIRY:%y%m%d}C{round(strike * 1000):08d}"
    floor.ask("instruments", rows=[{"symbol": symbol, "asset_class": "option", "underlying": floor.symbol}])
    wanted = {"symbol": floor.symbol, "secType": "OPT", "localSymbol": symbol}
    [row] = named(client.ask("reqContractDetails", **wanted), "contractDetails")
    return symbol, int(row["conId"])


def black_scholes(spot: float, strike: float, years: float, volatility: float) -> tuple[float, float]:
    """Price and delta of a call at a rate of 3 %."""
    d1 = (math.log(spot / strike) + (0.03 + volatility**2 / 2) * years) / (volatility * math.sqrt(years))
    normal = NormalDist().cdf
    d2 = d1 - volatility * math.sqrt(years)
    return spot * normal(d1) - strike * math.exp(-0.03 * years) * normal(d2), normal(d1)


DELTAS: dict[str, dict[str, Any]] = {
    "of the price": {"orderType": "MKT"},
    "of the volatility": {"orderType": "VOL", "volatility": 40.0, "volatilityType": 2},
    "of the daily volatility": {
        "orderType": "VOL",
        "volatility": 40.0 / math.sqrt(252),
        "volatilityType": 1,
    },
    "named": {"orderType": "PEG STK", "delta": 0.0},
}


@pytest.mark.parametrize("name", DELTAS)
def test_a_delta_hedge_trades_the_delta_of_the_options_that_were_filled(
    floor: Floor, client: Wire, name: str
) -> None:
    floor.price(100.0)
    symbol, number = call_on(floor, client, 110.0)
    years = ((EXPIRY - floor.now().date()).days + 0.5) / 365
    price, delta = black_scholes(100.0, 110.0, years, 0.4)
    floor.price(round(price, 2), symbol)
    fields = dict(DELTAS[name])
    if "delta" in fields:
        fields["delta"] = delta
    terms = {"secType": "OPT", "conId": number, "orderType": "MKT", "lmtPrice": None}
    parent = parent_of(client, floor.symbol, **{**terms, "totalQuantity": 20.0, **fields})
    hedge = hedge_of(client, floor.symbol, parent, "D")
    assert client.status(parent) == "Filled"
    [(shares, paid)] = client.fills(hedge)
    assert paid == 100
    assert shares == pytest.approx(20 * 100 * delta, abs=2)


def option_on(floor: Floor, client: Wire, right: str) -> tuple[str, int]:
    symbol, _ = call_on(floor, client, 100.0)
    symbol = symbol.replace("C0", f"{right}0")
    floor.ask("instruments", rows=[{"symbol": symbol, "asset_class": "option", "underlying": floor.symbol}])
    wanted = {"symbol": floor.symbol, "secType": "OPT", "localSymbol": symbol}
    [row] = named(client.ask("reqContractDetails", **wanted), "contractDetails")
    return symbol, int(row["conId"])


@pytest.mark.parametrize(
    ("action", "right", "sign"), [("BUY", "C", -1), ("SELL", "C", 1), ("BUY", "P", 1), ("SELL", "P", -1)]
)
def test_a_delta_neutral_volatility_order_hedges_itself(
    floor: Floor, client: Wire, action: str, right: str, sign: int
) -> None:
    floor.price(100.0)
    symbol, number = option_on(floor, client, right)
    years = ((EXPIRY - floor.now().date()).days + 0.5) / 365
    _, delta = black_scholes(100.0, 100.0, years, 0.3)
    floor.price(8.0, symbol)
    order = {"secType": "OPT", "conId": number, "action": action, "orderType": "VOL", "volatility": 30.0,
             "volatilityType": 2, "lmtPrice": 7.0 if action == "BUY" else 9.0, "totalQuantity": 10.0,
             "deltaNeutralOrderType": "MKT", "orderRef": "neutral"}  # fmt: skip
    parent = client.place(floor.symbol, **order)
    [told] = client.all_of("openOrder", 0)
    assert (told["status"], told["hedgeType"], told["parentId"]) == ("PreSubmitted", "D", parent)
    assert (told["orderRef"], told["secType"], told["totalQuantity"]) == ("neutral", "STK", 0)
    floor.price(order["lmtPrice"], symbol, size=4)
    floor.price(order["lmtPrice"], symbol)
    units = abs(delta if right == "C" else 1.0 - delta) * 1000
    assert floor.held() == pytest.approx(sign * units, abs=1)
    assert [row["symbol"] for row in client.all_of("execDetails", 0)] == [floor.symbol] * 2
    assert client.all_of("orderStatus", 0)[-1]["status"] == "Filled"


def test_the_hedge_of_a_volatility_order_is_transmitted_and_ends_with_it(floor: Floor, client: Wire) -> None:
    floor.price(100.0)
    symbol, number = option_on(floor, client, "C")
    floor.price(8.0, symbol)
    order = {"secType": "OPT", "conId": number, "orderType": "VOL", "volatility": 30.0, "volatilityType": 2,
             "lmtPrice": 7.0, "deltaNeutralOrderType": "LMT"}  # fmt: skip
    parent = client.place(floor.symbol, transmit=False, **order)
    assert client.all_of("openOrder", 0) == []
    client.place(floor.symbol, order_id=parent, **order)
    assert [row["status"] for row in client.all_of("openOrder", 0)] == ["PreSubmitted"]
    client.cancel(parent)
    assert client.all_of("orderStatus", 0)[-1]["status"] == "Cancelled"
    plain = client.place(floor.symbol, **{**order, "deltaNeutralOrderType": "NONE"})
    assert len({row["permId"] for row in client.all_of("openOrder", 0)}) == 1
    client.cancel(plain)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"deltaNeutralOrderType": "STP"}, 387),
        ({"deltaNeutralConId": 4711}, 321),
        ({"secType": "STK", "conId": 0}, 321),
    ],
)
def test_a_delta_neutral_order_that_cannot_be_hedged_is_refused(
    floor: Floor, client: Wire, fields: dict[str, Any], code: int
) -> None:
    floor.price(100.0)
    _, number = option_on(floor, client, "C")
    order = {
        "secType": "OPT",
        "conId": number,
        "orderType": "VOL",
        "lmtPrice": 7.0,
        "deltaNeutralOrderType": "MKT",
    }
    assert client.codes(client.place(floor.symbol, **{**order, **fields})) == [code]


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({}, 99.9),
        ({"lmtPrice": 101.0}, 99.9),
        ({"lmtPrice": 101.0, "dontUseAutoPriceForHedge": True}, 101.0),
    ],
)
def test_the_limit_of_a_delta_hedge_is_the_best_price_when_its_parent_fills(
    floor: Floor, client: Wire, fields: dict[str, Any], limit: float
) -> None:
    floor.price(100.0)
    symbol, number = call_on(floor, client, 100.0)
    floor.price(8.0, symbol)
    option = {"secType": "OPT", "conId": number, "lmtPrice": 7.0}
    parent = parent_of(client, floor.symbol, **option)
    hedge = hedge_of(client, floor.symbol, parent, "D", orderType="LMT", **fields)
    floor.price(100.0, bid=99.9, ask=100.1)
    floor.price(7.0, symbol)
    assert client.all_of("openOrder", hedge)[-1]["lmtPrice"] == limit
    assert client.status(hedge) == ("Filled" if limit < 100 else "Submitted")


def test_a_limit_that_nobody_names_follows_the_market(floor: Floor, client: Wire, other: str) -> None:
    parent = parent_of(client, floor.symbol)
    hedge = hedge_of(client, other, parent, "P", "1", orderType="LMT")
    limits = []
    for price in (60.0, 70.0):
        floor.price(price, other)
        floor.price(price, other, bid=price - 0.5, ask=price + 0.5)
        floor.price(99.0, size=2)
        limits.append(client.all_of("openOrder", hedge)[-1]["lmtPrice"])
    assert limits == [59.5, 69.5]
    floor.price(65.0, other)
    floor.price(99.0, size=2)
    floor.price(64.0, other)
    hedge_of(client, other, parent, "P", "1", orderType="LMT", order_id=hedge)
    hedge_of(client, other, parent, "P", "1", orderType="LMT", lmtPrice=80.0, order_id=hedge)
    floor.price(99.0)
    assert client.all_of("openOrder", hedge)[-1]["lmtPrice"] == 80.0
    assert client.fills(hedge) == [(2, 60), (2, 70), (2, 65)]


def bars_of(symbol: str, moves: list[float]) -> list[dict[str, Any]]:
    rows, close = [], 100.0
    for number, move in enumerate(moves):
        close *= 1 + move
        day = date(2023, 10, 2) + timedelta(days=number)
        prices = dict.fromkeys(("open", "high", "low", "close"), close)
        rows.append({"symbol": symbol, "session": f"{day}", "volume": 1e6, **prices})
    return rows


def test_a_beta_that_nobody_names_is_that_of_the_past_year(play: Any) -> None:
    market = [0.01 * math.sin(number) for number in range(60)]
    tape = Tape()
    tape.add(bars_of("MSFT", market))
    tape.add(bars_of("AAPL", [1.5 * move for move in market]))

    async def scenario(desk: Any) -> None:
        await desk.market(
            {**STOCK, "symbol": "AAPL"}, {**STOCK, "symbol": "MSFT"}, {**STOCK, "symbol": "NEWCO"},
            AAPL=100.0, MSFT=50.0, NEWCO=10.0,
        )  # fmt: skip
        client = await desk.connect(1)
        parent = client.placeOrder(
            Stock("AAPL", "SMART", "USD"), LimitOrder("BUY", 10, 100.0, tif="DAY", transmit=False)
        )
        terms = {"orderType": "MKT", "tif": "DAY", "parentId": parent.order.orderId, "hedgeType": "B"}
        unknown = client.placeOrder(Stock("NEWCO", "SMART", "USD"), Order(action="SELL", **terms))
        hedge = client.placeOrder(Stock("MSFT", "SMART", "USD"), Order(action="SELL", **terms))
        await desk.settle(client)
        assert [entry.errorCode for entry in unknown.log if entry.errorCode] == [321]
        assert [fill.execution.shares for fill in hedge.fills] == [30]
        completed = await client.reqCompletedOrdersAsync(False)
        assert {"", "1.5000"} == {one.order.hedgeParam for one in completed}

    play(scenario, tape=tape, start=datetime(2024, 1, 2, 15, tzinfo=UTC))


def test_a_beta_needs_common_days_that_moved() -> None:
    class Listed:
        symbol, sec_type, legs = "AAPL", "STK", ()

    tape, now = Tape(), datetime(2024, 1, 2, tzinfo=UTC)
    tape.add(bars_of("AAPL", [0.0] * 60))
    assert beta(tape, Listed(), Listed(), now) is None  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------- what becomes of it


@pytest.mark.parametrize(("filled", "status", "units"), [(0, "Cancelled", 0), (4, "Filled", 4)])
def test_a_hedge_ends_with_its_parent(
    floor: Floor, client: Wire, other: str, filled: int, status: str, units: int
) -> None:
    parent = parent_of(client, floor.symbol)
    hedge = hedge_of(client, other, parent, "P", "1")
    if filled:
        floor.price(99.0, size=filled)
    client.cancel(parent)
    assert (client.status(parent), client.status(hedge)) == ("Cancelled", status)
    assert floor.held(other) == -units
    assert 202 in client.codes(parent)


def test_a_hedge_that_works_goes_on_without_its_parent(floor: Floor, client: Wire, other: str) -> None:
    parent = parent_of(client, floor.symbol)
    hedge = hedge_of(client, other, parent, "P", "1", orderType="LMT", lmtPrice=55.0)
    floor.price(99.0)
    assert (client.status(parent), client.status(hedge)) == ("Filled", "Submitted")
    floor.price(55.0, other)
    assert (client.status(hedge), client.fills(hedge)) == ("Filled", [(10, 55)])


@pytest.mark.parametrize("filled", [0, 4])
def test_a_hedge_is_changed_and_cancelled_alone(floor: Floor, client: Wire, other: str, filled: int) -> None:
    parent = parent_of(client, floor.symbol)
    hedge = hedge_of(client, other, parent, "P", "1")
    if filled:
        floor.price(99.0, size=filled)
    hedge_of(client, other, parent, "P", "2", order_id=hedge)
    floor.price(99.0, size=2)
    assert sum(units for units, _ in client.fills(hedge)) == filled + 4, "two to one from the change on"
    client.cancel(hedge)
    floor.price(99.0)
    assert (client.status(parent), client.status(hedge)) == ("Filled", "Cancelled")
    assert floor.held(other) == -filled - 4


def test_a_hedge_beside_the_exits_of_a_bracket(floor: Floor, client: Wire, other: str) -> None:
    parent = parent_of(client, floor.symbol)
    target = client.place(
        floor.symbol, action="SELL", orderType="LMT", lmtPrice=110.0, parentId=parent, transmit=False
    )
    hedge = hedge_of(client, other, parent, "P", "1")
    floor.price(99.0)
    assert [client.status(one) for one in (parent, target, hedge)] == ["Filled", "Submitted", "Filled"]


def test_a_hedge_that_comes_after_the_fill_covers_it_at_once(floor: Floor, client: Wire, other: str) -> None:
    parent = parent_of(client, floor.symbol, transmit=True)
    floor.price(99.0)
    hedge = hedge_of(client, other, parent, "P", "0.5")
    assert (client.status(hedge), client.fills(hedge)) == ("Filled", [(5, 50)])
    nothing = hedge_of(client, other, parent, "P", "0.01")
    assert client.status(nothing) == "Cancelled", "a tenth of a unit is none"


REFUSED: dict[str, tuple[dict[str, Any], int]] = {
    "no such kind": ({"hedgeType": "X"}, 321),
    "no parent": ({"parentId": 0}, 321),
    "unknown parent": ({"parentId": 4711}, 135),
    "pair without a ratio": ({"hedgeParam": ""}, 321),
    "pair of nothing": ({"hedgeParam": "0"}, 321),
    "ratio that is no number": ({"hedgeParam": "much"}, 321),
    "beta without end": ({"hedgeType": "B", "hedgeParam": "inf"}, 321),
    "beta that cannot be worked out": ({"hedgeType": "B", "hedgeParam": ""}, 321),
    "currency hedge with a quantity": ({"hedgeType": "F", "totalQuantity": 5.0}, 321),
    "currency hedge in a stock": ({"hedgeType": "F"}, 321),
    "delta of a stock": ({"hedgeType": "D"}, 321),
    "stop": ({"orderType": "STP", "auxPrice": 40.0}, 387),
    "with a schedule": ({"algoStrategy": "Twap"}, 321),
    "off the tick": ({"orderType": "LMT", "lmtPrice": 50.001}, 110),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_hedge_that_does_not_fit_is_refused(floor: Floor, client: Wire, other: str, name: str) -> None:
    fields, code = REFUSED[name]
    parent = parent_of(client, floor.symbol)
    hedge = hedge_of(client, other, **{"parent": parent, "kind": "P", "parameter": "1", **fields})
    assert client.codes(hedge) == [code]
    assert floor.orders(other) == []


def test_a_hedge_of_a_hedge_and_another_kind_of_hedge_are_refused(
    floor: Floor, client: Wire, other: str
) -> None:
    parent = parent_of(client, floor.symbol)
    hedge = hedge_of(client, other, parent, "P", "1", transmit=False)
    assert client.codes(hedge_of(client, floor.symbol, hedge, "P", "1")) == [321]
    hedge_of(client, other, parent, "B", "1", order_id=hedge)
    assert client.codes(hedge) == [105]


def test_hedges_grow_on_after_a_restart(play: Any, tmp_path: Any) -> None:
    async def before(desk: Any) -> None:
        await desk.market({**STOCK, "symbol": "AAPL"}, {**STOCK, "symbol": "MSFT"}, AAPL=100.0, MSFT=50.0)
        client = await desk.connect(1)
        parent = client.placeOrder(
            Stock("AAPL", "SMART", "USD"), LimitOrder("BUY", 5, 99.0, tif="GTC", transmit=False)
        )
        terms = {"orderType": "MKT", "tif": "GTC", "parentId": parent.order.orderId, "hedgeType": "P"}
        client.placeOrder(Stock("MSFT", "SMART", "USD"), Order(action="SELL", hedgeParam="0.5", **terms))
        await desk.do("price", symbol="AAPL", price=99.0, size=1)

    async def after(desk: Any) -> None:
        client = await desk.connect(1)
        await desk.do("price", symbol="AAPL", price=99.0)
        held = {row.contract.symbol: row.position for row in client.positions()}
        assert held == {"AAPL": 5, "MSFT": -3}, "half of five, rounded once: 1, then 2"
        assert client.openTrades() == []

    play(before, state=tmp_path / "kept")
    play(after, state=tmp_path / "kept")


def test_the_unmodified_client_pays_for_a_foreign_stock(play: Any) -> None:
    async def scenario(desk: Any) -> None:
        await desk.market(
            {**STOCK, "symbol": "SAP", "exchange": "XETR", "currency": "EUR"},
            {"symbol": "EURUSD", "ticker": "EURUSD", "asset_class": "fx", "currency": "USD"},
            SAP=100.0, EURUSD=1.1,
        )  # fmt: skip
        client = await desk.connect(1)
        parent = client.placeOrder(
            Stock("SAP", "SMART", "EUR"), LimitOrder("BUY", 10, 100.0, tif="DAY", transmit=False)
        )
        hedge = Order(action="BUY", totalQuantity=0, orderType="MKT", tif="DAY", hedgeType="F")
        hedge.parentId = parent.order.orderId
        trade = client.placeOrder(Forex("EURUSD"), hedge)
        await desk.settle(client)
        assert (parent.orderStatus.status, trade.orderStatus.status) == ("Filled", "Filled")
        assert [fill.execution.shares for fill in trade.fills] == [1000]
        assert {fill.commissionReport.execId for fill in trade.fills} == {
            fill.execution.execId for fill in trade.fills
        }
        completed = await client.reqCompletedOrdersAsync(False)
        assert {one.order.hedgeType for one in completed} == {"", "F"}

    play(scenario)


def test_in_a_replayed_session_a_hedge_trades_at_the_close(tmp_path: Any) -> None:
    desk = Sessions(tmp_path / "journal.jsonl")
    desk.bars("AAPL", 100.0, 110.0)
    desk.bars("MSFT", 50.0, 60.0)
    parent = desk.place(orderType="LMT", lmtPrice=99.5, transmit=False)
    hedge = desk.place(
        symbol="MSFT", action="SELL", parentId=parent, hedgeType="P", hedgeParam="2", tif="DAY"
    )
    desk.do("session", session=f"{DAYS[0]}")
    assert [units for units, _, _ in desk.fills(parent)] == [10]
    [(units, price, at)] = desk.fills(hedge)
    assert (units, price) == (20, 50), "nobody knows where in the bar its parent filled"
    assert at.startswith(f"{DAYS[0]}")


@settings(max_examples=20, deadline=None)
@given(
    ratio=st.floats(0.01, 5.0),
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=12),
    limit=st.sampled_from([None, 60.0]),
)
def test_parts_of_a_hedge_add_up_to_the_ratio_of_what_was_filled(
    tmp_path_factory: Any, ratio: float, sizes: list[int], limit: float | None
) -> None:
    world = World(tmp_path_factory.mktemp("world") / "journal.jsonl")
    for symbol in ("AAPL", "MSFT"):
        world.command("price", symbol=symbol, price=100.0 if symbol == "AAPL" else 50.0)
    order = {"orderId": 1, "symbol": "AAPL", "secType": "STK", "exchange": "SMART", "currency": "USD", "tif": "GTC",
             "transmit": True, "action": "BUY", "totalQuantity": 30.0, "orderType": "LMT", "lmtPrice": 99.0}  # fmt: skip
    hedge = {"orderId": 2, "symbol": "MSFT", "action": "SELL", "totalQuantity": None, "parentId": 1,
             "hedgeType": "P", "hedgeParam": str(ratio), "orderType": "LMT" if limit else "MKT"}  # fmt: skip
    world.request("placeOrder", **order)
    world.request("placeOrder", **{**order, **hedge, "lmtPrice": limit})
    for size in sizes:
        world.command("price", symbol="AAPL", price=99.0, size=size)
        parent, child = world.broker.book.tickets.values()
        asked = child.filled + (child.work.quantity if not child.done else 0.0)
        assert asked == pytest.approx(math.floor(parent.filled * ratio + 0.5 + 1e-9), abs=1e-6)
        assert child.filled == (0 if limit else asked)
