"""What no sequence of candles and orders may break."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from trading.commissions import NoCommission
from trading.matching import Costs, Market
from trading.orders import Bar, Order
from trading.slippage import PercentSlippage

FIRST = date(2024, 1, 1)
MARKET = Market({"stock": Costs(PercentSlippage(0.001), NoCommission())})

prices = st.integers(80, 120).map(float)


@st.composite
def candles(draw: st.DrawFn) -> Bar | None:
    if draw(st.integers(0, 9)) == 0:
        return None
    a, b, c, d = (draw(prices) for _ in range(4))
    low, high = min(a, b, c, d), max(a, b, c, d)
    return Bar(a, high, low, b, float(draw(st.sampled_from([0, 7, 300, 450, 999, 5000, 100_000]))))


@st.composite
def brackets(draw: st.DrawFn, name: str) -> list[Order]:
    side, out = draw(st.sampled_from([("BUY", "SELL"), ("SELL", "BUY")]))
    kind = draw(st.sampled_from(["market", "limit", "stop", "stop_limit", "market_on_close"]))
    tif = draw(st.sampled_from(["day", "gtc", "gtd", "opg", "ioc", "fok"]))
    quantity = draw(st.sampled_from([1.0, 40.0, 100.0, 33.3]))
    level = draw(prices)

    def order(ref: str, side: str, kind: str, **fields: object) -> Order:
        return Order(
            f"{name}.{ref}", FIRST, "s", "X", "stock", ref, side, kind, quantity,
            limit_price=level, stop_price=level, good_till=FIRST + timedelta(3), **fields,
        )  # fmt: skip

    children = {"parent_ref": f"{name}.entry", "oca_group": name, "live": False}
    entry = order("entry", side, kind, time_in_force=tif)
    stop = order("stop", out, draw(st.sampled_from(["stop", "stop_limit", "trailing_stop"])), **children)
    target = order("target", out, "limit", **children)
    stop.stop_price, target.limit_price = draw(prices), draw(prices)
    stop.limit_price = draw(prices)
    stop.trail_percent = 0.05
    return [entry, stop, target]


@st.composite
def scenarios(draw: st.DrawFn) -> tuple[list[Order], list[Bar | None]]:
    orders = [order for i in range(draw(st.integers(1, 3))) for order in draw(brackets(str(i)))]
    return orders, draw(st.lists(candles(), min_size=1, max_size=8))


@settings(max_examples=200, deadline=None)
@given(scenarios())
def test_quantities_are_conserved_and_exits_never_exceed_entries(
    scenario: tuple[list[Order], list[Bar | None]],
) -> None:
    orders, bars = scenario
    wanted = {order.order_ref: order.original for order in orders}
    done: Counter[str] = Counter()
    working, ended = orders, {}
    for day, bar in enumerate(bars):
        result = MARKET.match_session(working, {"X": bar}.get, FIRST + timedelta(day + 1))
        traded = Counter(fill.order_ref for fill in result.executions)
        assert max(traded.values(), default=1) == 1  # once a bar
        for fill in result.executions:
            assert bar is not None
            assert 0 < fill.quantity <= bar.volume * 0.1 + 1e-9
            done[fill.order_ref] += fill.quantity
            assert fill.order_ref not in ended
        for event in result.events:
            assert event.order_ref not in ended
            if event.state in {"FILLED", "CANCELLED", "EXPIRED"}:
                ended[event.order_ref] = event.state
        assert {order.order_ref for order in result.working} == set(wanted) - set(ended)
        for ref, quantity in wanted.items():
            assert done[ref] <= quantity + 1e-9
            name = ref.split(".")[0]
            assert done[f"{name}.stop"] + done[f"{name}.target"] <= done[f"{name}.entry"] + 1e-9
        working = result.working
    for order in orders:
        assert order.filled == done[order.order_ref]
        if ended.get(order.order_ref) == "FILLED":
            assert abs(order.filled - order.original) < 1e-6 or order.oca_group is not None


@settings(max_examples=100, deadline=None)
@given(scenarios())
def test_protection_of_an_open_entry_covers_exactly_what_is_open(
    scenario: tuple[list[Order], list[Bar | None]],
) -> None:
    orders, bars = scenario
    working = orders
    for day, bar in enumerate(bars):
        working = MARKET.match_session(working, {"X": bar}.get, FIRST + timedelta(day + 1)).working
        for entry, stop, target in zip(orders[::3], orders[1::3], orders[2::3], strict=True):
            held = entry.filled - stop.filled - target.filled
            for child in (stop, target):
                live = child.quantity if child.live else 0.0
                assert abs(live - held) < 1e-6, (child, entry)


@settings(max_examples=150, deadline=None)
@given(scenarios())
def test_the_same_orders_and_bars_give_the_same_result_and_limits_hold(
    scenario: tuple[list[Order], list[Bar | None]],
) -> None:
    orders, bars = scenario
    one, two = orders, deepcopy(orders)
    kinds = {order.order_ref: order for order in orders}
    for day, bar in enumerate(bars):
        session = FIRST + timedelta(day + 1)
        first = MARKET.match_session(one, {"X": bar}.get, session)
        second = MARKET.match_session(deepcopy(two), {"X": bar}.get, session)
        assert first == second
        for fill in first.executions:
            order = kinds[fill.order_ref]
            if order.order_type in {"limit", "stop_limit"}:
                within = (
                    fill.price <= order.limit_price if fill.side == "BUY" else fill.price >= order.limit_price
                )
                assert within
        one, two = first.working, second.working
