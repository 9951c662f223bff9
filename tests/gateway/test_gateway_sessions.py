"""Sessions replayed from bars: fills equal those of the desk's own market, whatever the orders."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resources.gateway.broker import Broker
from resources.gateway.instruments.database import Instruments
from resources.gateway.journal import Journal
from resources.gateway.market.clock import SimulatedClock
from resources.gateway.market.prices import Hours
from resources.gateway.orders.moving import path_price, replay, replay_close
from resources.gateway.orders.placing import cancel, place
from resources.gateway.settings import Settings
from trading.book import CostConfig, CostsConfig
from trading.matching import Market, costs_of
from trading.orders import Bar, Order

DAY = date(2024, 1, 3)
COSTS = CostsConfig(stock=CostConfig(participation=0.5))
TYPES = {
    "market": "MKT",
    "market_on_close": "MOC",
    "limit": "LMT",
    "stop": "STP",
    "stop_limit": "STP LMT",
    "trailing_stop": "TRAIL",
}


def hours_of(session: date) -> Hours:
    close = datetime(session.year, session.month, session.day, 21, tzinfo=UTC)
    return Hours(close - timedelta(hours=6, minutes=30), close)


def broker_in(folder, costs: CostsConfig = COSTS) -> Broker:
    known = Instruments()
    for symbol in ("AAA", "BBB"):
        known.add({"symbol": symbol, "asset_class": "stock", "exchange": "XNAS", "min_tick": 0.01})
    clock = SimulatedClock(datetime(2024, 1, 2, 21, tzinfo=UTC))
    chosen = Settings(market="sessions", costs=costs, check_margin=False, start=clock.now())
    return Broker(chosen, known, clock, Journal(folder / "journal.jsonl", sync=False))


def as_placed(order: Order, number: int, parent: int | None) -> dict:
    return {
        "orderId": number,
        "symbol": order.symbol,
        "secType": "STK",
        "exchange": "SMART",
        "currency": "USD",
        "action": order.side,
        "totalQuantity": order.quantity,
        "orderType": TYPES[order.order_type],
        "lmtPrice": order.limit_price,
        "auxPrice": order.stop_price,
        "trailingPercent": order.trail_percent * 100 if order.trail_percent else None,
        "tif": order.time_in_force.upper(),
        "orderRef": order.order_ref,
        "ocaGroup": order.oca_group or "",
        "ocaType": 3 if order.oca_group else 0,
        "parentId": parent or 0,
        "transmit": True,
    }


def priced(low: int = 80, high: int = 120) -> st.SearchStrategy[float]:
    return st.integers(low, high).map(float)


@st.composite
def bars(draw) -> Bar:
    prices = [draw(priced()) for _ in range(4)]
    return Bar(prices[0], max(prices), min(prices), prices[3], float(draw(st.integers(0, 60))))


@st.composite
def orders(draw) -> list[Order]:
    found: list[Order] = []
    for number in range(1, draw(st.integers(1, 6)) + 1):
        kind = draw(st.sampled_from(sorted(TYPES)))
        parents = [order for order in found if order.parent_ref is None]
        parent = draw(st.sampled_from([None, *parents]))
        group = draw(st.sampled_from([None, "G", "H"]))
        if parent is not None and group is None:
            group = f"exits of {parent.order_ref}"
        found.append(
            Order(
                order_ref=f"R{number}",
                session=date(2024, 1, 2),
                strategy="",
                symbol=parent.symbol if parent else draw(st.sampled_from(["AAA", "BBB"])),
                asset_class="stock",
                purpose="entry",
                side=draw(st.sampled_from(["BUY", "SELL"])),
                order_type=kind,
                quantity=float(draw(st.integers(1, 30))),
                limit_price=draw(priced()) if kind in {"limit", "stop_limit"} else None,
                stop_price=draw(priced()) if kind in {"stop", "stop_limit"} else None,
                trail_percent=draw(st.sampled_from([0.01, 0.05, 0.1])) if kind == "trailing_stop" else None,
                time_in_force=draw(st.sampled_from(["day", "gtc", "opg", "ioc", "fok"])),
                parent_ref=parent.order_ref if parent else None,
                live=parent is None,
                oca_group=group,
            )
        )
    return found


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(orders=orders(), days=st.lists(st.tuples(bars(), bars()), min_size=1, max_size=4))
def test_fills_equal_those_of_a_backtest(tmp_path_factory, orders, days):
    broker = broker_in(tmp_path_factory.mktemp("state"))
    numbers = {order.order_ref: number for number, order in enumerate(orders, start=1)}
    for order in orders:
        parent = numbers.get(order.parent_ref or "")
        assert place(broker, 1, as_placed(order, numbers[order.order_ref], parent)) is not None
    market = Market(costs_of(COSTS))
    working, expected, session = orders, [], DAY
    for first, second in days:
        prices = {"AAA": first, "BBB": second}
        result = market.match_session(working, prices.get, session)
        working = result.working
        expected += [(e.order_ref, e.side, e.quantity, e.price, e.commission) for e in result.executions]
        replay(broker, session, prices, hours_of(session))
        session += timedelta(days=1)
    found = [
        (r["orderRef"], "BUY" if r["side"] == "BOT" else "SELL", r["shares"], r["price"], r["commission"])
        for r in broker.executions
    ]
    assert found == expected
    left = {order.order_ref: order.quantity + order.held for order in working}
    assert {t.reference: t.work.quantity + t.work.held for t in broker.book.active()} == left
    assert sum(r["shares"] for r in broker.executions) == sum(t.filled for t in broker.book.tickets.values())


def fill_of(folder, fields: dict, *days: Bar) -> list[tuple[float, float, str]]:
    """Quantity, price and New York time of the fills of one order over days."""
    broker = broker_in(folder, CostsConfig(stock=CostConfig(participation=1.0, slippage={"model": "none"})))
    base = {
        "orderId": 1,
        "symbol": "AAA",
        "secType": "STK",
        "action": "BUY",
        "totalQuantity": 12.0,
        "tif": "GTC",
    }
    assert place(broker, 1, {**base, **fields}) is not None, broker.commit()
    for number, bar in enumerate(days):
        session = DAY + timedelta(days=number)
        replay(broker, session, {"AAA": bar}, hours_of(session))
    return [(r["shares"], r["price"], r["at"][11:16]) for r in broker.executions]


FLAT = Bar(100.0, 110.0, 90.0, 105.0, 1000.0)
UP = Bar(106.0, 120.0, 104.0, 118.0, 1000.0)


@pytest.mark.parametrize(
    ("fields", "days", "fills"),
    [
        ({"orderType": "MKT"}, [FLAT], [(12.0, 100.0, "14:30")]),
        ({"orderType": "MKT", "tif": "OPG"}, [FLAT], [(12.0, 100.0, "14:30")]),
        ({"orderType": "LMT", "lmtPrice": 95.0}, [FLAT], [(12.0, 95.0, "17:45")]),
        ({"orderType": "LMT", "lmtPrice": 101.0}, [FLAT], [(12.0, 100.0, "14:30")]),
        ({"orderType": "LMT", "lmtPrice": 94.0, "discretionaryAmt": 2.0}, [FLAT], [(12.0, 96.0, "17:45")]),
        ({"orderType": "STP", "auxPrice": 108.0}, [FLAT], [(12.0, 108.0, "17:45")]),
        ({"orderType": "STP PRT", "auxPrice": 108.0}, [FLAT], [(12.0, 108.0, "17:45")]),
        ({"orderType": "MOC"}, [FLAT], [(12.0, 105.0, "21:00")]),
        ({"orderType": "LOC", "lmtPrice": 105.0}, [FLAT], [(12.0, 105.0, "21:00")]),
        ({"orderType": "LOC", "lmtPrice": 104.0}, [FLAT], []),
        ({"orderType": "LOC", "lmtPrice": 104.0, "tif": "DAY"}, [FLAT, Bar(100, 100, 100, 100, 1000.0)], []),
        ({"orderType": "MTL"}, [FLAT], [(12.0, 100.0, "14:30")]),
        ({"orderType": "REL"}, [FLAT], [(12.0, 100.0, "14:30")]),
        ({"orderType": "MIDPRICE", "lmtPrice": 99.0}, [FLAT], [(12.0, 99.0, "17:45")]),
        ({"orderType": "PEG MID", "lmtPrice": 80.0}, [FLAT], []),
        (
            {"orderType": "MIT", "auxPrice": 99.0},
            [Bar(98.0, 99.0, 97.0, 98.5, 1000.0)],
            [(12.0, 98.0, "14:30")],
        ),
        ({"orderType": "MIT", "auxPrice": 85.0}, [FLAT], []),
        ({"orderType": "TRAIL", "action": "SELL", "auxPrice": 4.0}, [FLAT], [(12.0, 96.0, "17:45")]),
        (
            {"orderType": "TRAIL", "action": "SELL", "auxPrice": 15.0},
            [FLAT, UP, Bar(110.0, 112.0, 101.0, 103.0, 1000.0)],
            [(12.0, 105.0, "17:45")],
        ),
        (
            {"orderType": "TRAIL", "action": "SELL", "auxPrice": 3.0, "trailStopPrice": 92.0},
            [FLAT],
            [(12.0, 97.0, "17:45")],
        ),
        ({"orderType": "TRAIL", "action": "SELL", "trailingPercent": 5.0}, [FLAT], [(12.0, 95.0, "17:45")]),
        (
            {
                "orderType": "TRAIL LIMIT",
                "action": "SELL",
                "auxPrice": 4.0,
                "lmtPriceOffset": 1.0,
                "trailStopPrice": 90.0,
            },
            [FLAT],
            [(12.0, 96.0, "17:45")],
        ),
        (
            {"orderType": "MKT", "goodAfterTime": "20240104 00:00:00 UTC"},
            [FLAT, UP],
            [(12.0, 106.0, "14:30")],
        ),
        ({"orderType": "LMT", "lmtPrice": 95.0, "tif": "GTD", "goodTillDate": "20240103"}, [UP, FLAT], []),
        ({"orderType": "LMT", "lmtPrice": 95.0, "tif": "DAY"}, [UP, FLAT], []),
        ({"orderType": "LMT", "lmtPrice": 95.0}, [UP, FLAT], [(12.0, 95.0, "17:45")]),
    ],
)
def test_every_order_type_fills_where_its_rules_say(tmp_path, fields, days, fills):
    assert fill_of(tmp_path, fields, *days) == fills


def test_touched_orders_fill_at_the_price_they_wait_for(tmp_path):
    [(quantity, price, _)] = fill_of(tmp_path / "mit", {"orderType": "MIT", "auxPrice": 95.0}, FLAT)
    assert (quantity, price) == (12.0, 95.0)
    [(quantity, price, _)] = fill_of(
        tmp_path / "lit", {"orderType": "LIT", "auxPrice": 95.0, "lmtPrice": 96.0}, FLAT
    )
    assert (quantity, price) == (12.0, 95.0)
    assert fill_of(tmp_path / "no", {"orderType": "LIT", "auxPrice": 89.0, "lmtPrice": 96.0}, FLAT) == []


@pytest.mark.parametrize("name", ["Twap", "Vwap"])
def test_scheduled_algorithms_spread_their_quantity_over_their_time(tmp_path, name):
    window = [
        {"tag": "startTime", "value": "20240103 15:00:00 UTC"},
        {"tag": "endTime", "value": "20240103 18:00:00 UTC"},
    ]
    fills = fill_of(tmp_path, {"orderType": "MKT", "algoStrategy": name, "algoParams": window}, FLAT)
    assert len(fills) > 3
    assert sum(quantity for quantity, _, _ in fills) == 12.0
    assert all("15:00" <= at <= "18:20" for _, _, at in fills)
    assert len({price for _, price, _ in fills}) > 3


def test_a_scheduled_algorithm_with_a_limit_leaves_what_the_limit_forbids(tmp_path):
    fills = fill_of(tmp_path, {"orderType": "LMT", "lmtPrice": 95.0, "algoStrategy": "Twap"}, FLAT)
    assert 0 < sum(quantity for quantity, _, _ in fills) < 12.0
    assert all(price <= 95.0 for _, price, _ in fills)


def test_adaptive_trades_as_its_base_order(tmp_path):
    fields = {
        "orderType": "MKT",
        "algoStrategy": "Adaptive",
        "algoParams": [{"tag": "adaptivePriority", "value": "Normal"}],
    }
    assert fill_of(tmp_path, fields, FLAT) == [(12.0, 100.0, "14:30")]


def test_an_order_on_close_may_meet_the_close_it_was_decided_on(tmp_path):
    broker = broker_in(tmp_path)
    replay(broker, DAY, {"AAA": FLAT}, hours_of(DAY))
    place(
        broker,
        1,
        {
            "orderId": 1,
            "symbol": "AAA",
            "secType": "STK",
            "action": "BUY",
            "totalQuantity": 5.0,
            "orderType": "MOC",
            "tif": "DAY",
        },
    )
    replay_close(broker, DAY, {"AAA": FLAT}, hours_of(DAY))
    [record] = broker.executions
    assert record["price"] == pytest.approx(105.0 * 1.001)
    assert record["at"] == "2024-01-03T21:00:00+00:00"


def test_no_bar_no_fill_and_a_day_order_ends(tmp_path):
    broker = broker_in(tmp_path)
    base = {"symbol": "AAA", "secType": "STK", "action": "BUY", "totalQuantity": 5.0, "orderType": "MKT"}
    place(broker, 1, {**base, "orderId": 1, "tif": "DAY"})
    place(broker, 1, {**base, "orderId": 2, "tif": "GTC"})
    replay(broker, DAY, {}, hours_of(DAY))
    assert broker.executions == []
    assert [ticket.status for ticket in broker.book.tickets.values()] == ["Cancelled", "Submitted"]
    cancel(broker, 1, 2)
    assert broker.book.active() == []


def test_a_bar_is_followed_from_open_to_close_through_both_extremes():
    path = [path_price(FLAT, share / 12) for share in range(13)]
    assert (path[0], min(path), max(path), path[-1]) == (100.0, 90.0, 110.0, 105.0)
    assert path.index(90.0) < path.index(110.0), "a rising bar sees its low first"
    falling = [path_price(Bar(105.0, 110.0, 90.0, 100.0, 1.0), share / 12) for share in range(13)]
    assert falling.index(110.0) < falling.index(90.0)
