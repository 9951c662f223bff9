"""A broker's record instead of the simulated market: the same orders end in the same state."""

from __future__ import annotations

import copy
from datetime import date
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from trading.book import CostConfig, CostsConfig
from trading.matching import Market, RecordedMarket, costs_of
from trading.orders import Bar, Execution, Order

DECIDED, DAY = date(2024, 1, 2), date(2024, 1, 3)
COSTS = costs_of(CostsConfig(stock=CostConfig(participation=0.5)))
BAR = Bar(100.0, 110.0, 90.0, 105.0, 1_000_000.0)


def order(ref: str, purpose: str = "entry", **changes: Any) -> Order:
    fields: dict[str, Any] = {
        "session": DECIDED, "strategy": "s", "symbol": "AAA", "asset_class": "stock", "side": "BUY",
        "order_type": "market", "quantity": 10.0, "time_in_force": "day",
    }  # fmt: skip
    return Order(order_ref=ref, purpose=purpose, **(fields | changes))


def bracket(quantity: float, stop: float, target: float, symbol: str = "AAA") -> list[Order]:
    child = {
        "symbol": symbol, "quantity": quantity, "side": "SELL", "time_in_force": "gtc", "live": False,
        "parent_ref": f"{symbol}E", "oca_group": f"{symbol}G",
    }  # fmt: skip
    return [
        order(f"{symbol}E", symbol=symbol, quantity=quantity),
        order(f"{symbol}S", "stop_loss", order_type="stop", stop_price=stop, **child),
        order(f"{symbol}T", "profit_target", order_type="limit", limit_price=target, **child),
    ]


def told(executions: list[Execution]) -> list[Execution]:
    """Executions as a broker tells them: its own ids, no slippage."""
    return [one._replace(execution_id=f"x{n}", slippage=0.0) for n, one in enumerate(executions)]


prices = st.integers(80, 120).map(float)


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    drawn = [draw(prices) for _ in range(4)]
    return Bar(drawn[0], max(drawn), min(drawn), drawn[3], float(draw(st.integers(1, 60))))


@settings(max_examples=200, deadline=None)
@given(
    days=st.lists(st.tuples(bars(), bars()), min_size=1, max_size=4),
    levels=st.tuples(prices, prices, prices, prices),
    quantity=st.integers(1, 40),
)
@example(  # a stop that is reached and finds no volume
    days=[
        (Bar(80.0, 80.0, 80.0, 80.0, 1.0), Bar(81.0, 81.0, 81.0, 81.0, 2.0)),
        (Bar(80.0, 80.0, 80.0, 80.0, 1.0), Bar(80.0, 80.0, 80.0, 80.0, 1.0)),
    ],
    levels=(80.0, 80.0, 80.0, 82.0),
    quantity=1,
)
def test_orders_end_alike_when_the_broker_did_what_the_market_does(
    days: list[tuple[Bar, Bar]], levels: tuple[float, float, float, float], quantity: int
) -> None:
    simulated = [*bracket(float(quantity), *levels[:2]), *bracket(float(quantity), *levels[2:], symbol="BBB")]
    recorded = copy.deepcopy(simulated)
    for number, (first, second) in enumerate(days):
        day = date(2024, 1, 3 + number)
        found = {"AAA": first, "BBB": second}.get
        ours = Market(COSTS).match_session(simulated, found, day)
        ended = {e.order_ref: (e.state, e.reason) for e in ours.events if e.state in ("CANCELLED", "EXPIRED")}
        theirs = RecordedMarket(COSTS, told(ours.executions), ended).match_session(recorded, found, day)
        simulated, recorded = ours.working, theirs.working
        assert recorded == simulated
        ids = [one.execution_id for one in theirs.executions]
        assert ids == [f"x{n}" for n in range(len(ids))], "booked in the order of the market"
        assert [one._replace(execution_id="") for one in theirs.executions] == [
            one._replace(execution_id="") for one in ours.executions
        ], "slippage included"


def test_executions_of_no_working_order_are_handed_on() -> None:
    late = Execution("x1", "GONE", "s", "AAA", "entry", "BUY", 5.0, 101.0, 1.0, 0.0, DAY, "intraday")
    manual = late._replace(execution_id="x2", order_ref="", purpose="manual")
    result = RecordedMarket(COSTS, [late, manual]).match_session([], {"AAA": BAR}.get, DAY)
    assert result.executions == [late, manual]
    assert result.events == []


def test_an_order_that_the_broker_ended_ends_with_its_children() -> None:
    orders = bracket(10.0, 92.0, 115.0)
    result = RecordedMarket(COSTS, [], {"AAAE": ("CANCELLED", "rejected")}).match_session(
        orders, {"AAA": BAR}.get, DAY
    )
    assert result.working == []
    assert [(event.order_ref, event.state) for event in result.events] == [
        ("AAAE", "CANCELLED"),
        ("AAAS", "CANCELLED"),
        ("AAAT", "CANCELLED"),
    ]


def test_more_than_was_left_ends_the_order() -> None:
    resting = order("A")
    fill = Execution("x1", "A", "s", "AAA", "entry", "BUY", 12.0, 100.5, 0.0, 0.0, DAY, "open")
    result = RecordedMarket(COSTS, [fill]).match_session([resting], {"AAA": BAR}.get, DAY)
    assert result.working == []
    assert result.executions[0].slippage == 6.0
