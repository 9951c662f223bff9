"""A bar says less than the path of prices through it: what the bar's fill claims, against every kind of path.

Each order is worked twice: against a daily bar by :class:`Market`, and tick by tick along paths that start at
the bar's open, end at its close, touch its high and its low, and move by at most a cent. Where the bar decides
the outcome the two agree to the cent; where it does not, the bar's answer is one of the paths' and, for
exits, never better than the worst of them.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from trading.commissions import NoCommission, PercentCommission
from trading.matching import Costs, Market, at_price
from trading.matching.prices import better, stop_reached
from trading.orders import Bar, Order
from trading.slippage import FixedSlippage, NoSlippage, VolumeShareSlippage

DAY = date(2024, 1, 2)
PLENTY = 1e9
FREE = Market({"stock": Costs(NoSlippage(), NoCommission())})

ticks = st.integers(80, 120)
"""Prices are whole ticks, so that a path passes through every price between two of its points."""
sides = st.sampled_from(["BUY", "SELL"])


def order(side: str, kind: str, **fields: object) -> Order:
    return Order("a", date(2024, 1, 1), "s", "X", "stock", "entry", side, kind, 100.0, **fields)


@st.composite
def bars(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """Open, high, low and close in ticks."""
    prices = [draw(ticks) for _ in range(4)]
    return prices[0], max(prices), min(prices), prices[1]


def straight(first: int, last: int) -> list[int]:
    step = 1 if last >= first else -1
    return list(range(first, last + step, step))


def path(points: list[int]) -> list[int]:
    whole = points[:1]
    for point in points[1:]:
        whole += straight(whole[-1], point)[1:]
    return whole


def paths(bar: tuple[int, int, int, int]) -> list[list[int]]:
    """Low first, high first, and there and back again."""
    opens, high, low, close = bar
    return [
        path([opens, low, high, close]),
        path([opens, high, low, close]),
        path([opens, low, high, low, close]),
        path([opens, high, low, high, close]),
    ]


def along(working: Order, prices: list[int]) -> float | None:
    """Price at which an order trades along a path, by the rules for one price at a time."""
    walking = replace(working)
    for price in map(float, prices):
        if walking.order_type == "trailing_stop":
            walking.anchor = better(walking.side, walking.anchor, price)
        paid = at_price(walking, price)
        if paid is not None:
            return paid
        if walking.order_type == "stop_limit":
            walking.triggered = walking.triggered or stop_reached(walking.side, walking.stop_price, price)
    return None


def in_bar(working: Order, bar: tuple[int, int, int, int], market: Market = FREE) -> float | None:
    candle = Bar(*map(float, bar), PLENTY)
    fills = market.match_session([replace(working)], {"X": candle}.get, DAY).executions
    return fills[0].price if fills else None


@settings(max_examples=80)
@given(bars(), sides, ticks)
def test_a_limit_trades_where_every_path_trades_it(bar, side, limit):
    working = order(side, "limit", limit_price=float(limit))
    outcomes = {along(working, each) for each in paths(bar)}
    assert outcomes == {in_bar(working, bar)}


@settings(max_examples=80)
@given(bars(), sides, ticks)
def test_a_stop_trades_where_every_path_trades_it(bar, side, stop):
    working = order(side, "stop", stop_price=float(stop))
    outcomes = {along(working, each) for each in paths(bar)}
    assert outcomes == {in_bar(working, bar)}


@settings(max_examples=120)
@given(bars(), sides, ticks, ticks)
def test_a_stop_limit_trades_at_a_price_of_some_path_or_waits(bar, side, stop, limit):
    working = order(side, "stop_limit", stop_price=float(stop), limit_price=float(limit))
    outcomes = {along(working, each) for each in paths(bar)}
    found = in_bar(working, bar)
    # Waiting is always allowed: the bar does not say whether the limit was reached after the trigger.
    assert found in outcomes | {None}
    if found is not None:
        assert found <= limit if side == "BUY" else found >= limit
    if outcomes == {None}:
        assert found is None
    inside = stop <= limit if side == "BUY" else stop >= limit
    if inside and None not in outcomes:
        # A usual stop-limit order (the limit beyond the stop) that every path fills is filled.
        assert found is not None


@settings(max_examples=120)
@given(bars(), sides, st.integers(1, 30), ticks)
def test_a_trailing_stop_is_never_better_than_the_worst_path(bar, side, percent, anchor):
    working = order(side, "trailing_stop", trail_percent=percent / 100, anchor=float(anchor))
    outcomes = [along(working, each) for each in paths(bar)]
    found = in_bar(working, bar)
    traded = [price for price in outcomes if price is not None]
    if found is None:
        # No path may be known to trade for certain: one that goes to the best price last does not.
        assert None in outcomes
        return
    assert traded
    # Levels lie between ticks: a path trades at the first tick beyond one, at most a tick away.
    worst = min(traded) if side == "SELL" else max(traded)
    best = max(traded) if side == "SELL" else min(traded)
    low, high = sorted((worst, best))
    assert low - 1 <= found <= high + 1


@settings(max_examples=80)
@given(bars(), sides, ticks, ticks)
def test_a_stop_and_a_target_end_as_the_worst_path_ends_them(bar, side, stop, target):
    """With both exits resting from before the bar, no path does worse than what the bar reports."""
    above, below = max(stop, target), min(stop, target)
    assume(below < above)
    losing, winning = (below, above) if side == "SELL" else (above, below)
    exits = [
        replace(order(side, "stop", stop_price=float(losing), oca_group="g"), order_ref="stop"),
        replace(order(side, "limit", limit_price=float(winning), oca_group="g"), order_ref="target"),
    ]
    candle = Bar(*map(float, bar), PLENTY)
    result = FREE.match_session(deepcopy(exits), {"X": candle}.get, DAY)
    outcomes = []
    for each in paths(bar):
        firsts = [(i, price) for i, price in ((first_at(item, each)) for item in exits) if price is not None]
        outcomes.append(min(firsts)[1] if firsts else None)
    assert len(result.executions) == (0 if outcomes == [None] * len(outcomes) else 1)
    if result.executions:
        traded = [price for price in outcomes if price is not None]
        worst = min(traded) if side == "SELL" else max(traded)
        assert result.executions[0].price == worst
        assert [event.state for event in result.events] == ["FILLED", "CANCELLED"]
        assert result.working == []


def first_at(working: Order, prices: list[int]) -> tuple[int, float | None]:
    """Position in a path at which an order trades, and its price."""
    for i, price in enumerate(map(float, prices)):
        paid = at_price(replace(working), price)
        if paid is not None:
            return i, paid
    return len(prices), None


# ------------------------------------------------------------------------------ over several bars and orders


@settings(max_examples=50)
@given(st.lists(bars(), min_size=1, max_size=6), sides, ticks, st.sampled_from(["limit", "stop"]))
def test_days_of_an_order_are_one_path_broken_by_gaps(candles, side, level, kind):
    """Worked over several sessions, an order trades in the first bar that a path of it would trade it."""
    price = {"limit": "limit_price", "stop": "stop_price"}[kind]
    working = [order(side, kind, **{price: float(level)})]
    expected = next(
        (
            (n, along(working[0], paths(bar)[0]))
            for n, bar in enumerate(candles)
            if along(working[0], paths(bar)[0])
        ),
        None,
    )
    found = None
    for number, bar in enumerate(candles):
        candle = Bar(*map(float, bar), PLENTY)
        result = FREE.match_session(working, {"X": candle}.get, DAY + timedelta(number))
        working = result.working
        if result.executions:
            found = (number, result.executions[0].price)
            break
    assert found == expected
    assert (working == []) == (found is not None)


@settings(max_examples=50)
@given(bars(), st.lists(st.tuples(sides, ticks, st.sampled_from(["limit", "stop"])), min_size=1, max_size=6))
def test_orders_that_share_nothing_do_not_disturb_each_other(bar, wanted):
    price = {"limit": "limit_price", "stop": "stop_price"}
    orders = [
        replace(order(side, kind, **{price[kind]: float(level)}), order_ref=str(n))
        for n, (side, level, kind) in enumerate(wanted)
    ]
    candle = Bar(*map(float, bar), PLENTY)
    together = FREE.match_session(deepcopy(orders), {"X": candle}.get, DAY).executions
    alone = [
        fill
        for item in orders
        for fill in FREE.match_session([replace(item)], {"X": candle}.get, DAY).executions
    ]
    assert {(fill.order_ref, fill.price) for fill in together} == {
        (fill.order_ref, fill.price) for fill in alone
    }


@settings(max_examples=50)
@given(
    bars(),
    sides,
    st.sampled_from(["market", "limit", "stop", "market_on_close"]),
    ticks,
    st.sampled_from([FixedSlippage(0.25), VolumeShareSlippage(0.5, 0.1)]),
    st.floats(0.001, 0.1),
)
def test_costs_never_change_whether_an_order_trades_and_never_help_it(
    bar, side, kind, level, slippage, share
):
    working = order(side, kind, limit_price=float(level), stop_price=float(level))
    costly = Market({"stock": Costs(slippage, PercentCommission(0.001), participation=share)})
    candle = Bar(*map(float, bar), 1e6)
    free = FREE.match_session([replace(working)], {"X": candle}.get, DAY).executions
    paid = costly.match_session([replace(working)], {"X": candle}.get, DAY).executions
    assert len(free) == len(paid)
    for without, with_costs in zip(free, paid, strict=True):
        worse = with_costs.price - without.price
        assert worse >= 0 if side == "BUY" else worse <= 0
        assert worse == 0 or kind != "limit"
        assert with_costs.slippage == pytest.approx(abs(worse) * 100)
        assert with_costs.commission == pytest.approx(with_costs.price * 100 * 0.001, abs=0.00501)


# ------------------------------------------------------------------------------------------- participation


@settings(max_examples=50)
@given(
    st.integers(1, 5_000).map(float),
    st.lists(st.integers(0, 20_000).map(float), min_size=1, max_size=12),
    st.sampled_from([0.01, 0.1, 0.25, 1.0]),
)
def test_a_large_order_takes_its_share_of_every_bar_until_it_is_done(quantity, volumes, share):
    """Against a plain loop: whole units, at most the share of each bar, the rest works on."""
    market = Market({"stock": Costs(NoSlippage(), NoCommission(), participation=share)})
    working = [replace(order("BUY", "market"), quantity=quantity, original=quantity)]
    left, found, expected = int(quantity), [], []
    for number, volume in enumerate(volumes):
        taken = min(left, int(volume * share))
        expected += [taken] if taken else []
        left -= taken
        result = market.match_session(
            working, {"X": Bar(100, 101, 99, 100, volume)}.get, DAY + timedelta(number)
        )
        found += [fill.quantity for fill in result.executions]
        working = result.working
    assert found == expected
    assert sum(item.quantity for item in working) == left
    assert (left == 0) == (working == [])


@pytest.mark.parametrize(
    ("asset_class", "quantity", "volume", "filled"),
    [
        ("stock", 100.0, 999.0, 99.0),
        ("stock", 100.0, 1000.0, 100.0),
        ("stock", 100.5, 905.0, 90.5),  # a fractional holding may trade in fractions
        ("crypto", 100.0, 905.0, 90.5),
        ("crypto", 1e-7, 1e-6, 1e-7),
    ],
)
def test_whole_units_and_fractions_at_the_cap(asset_class, quantity, volume, filled):
    costs = {
        "stock": Costs(NoSlippage(), NoCommission()),
        "crypto": Costs(NoSlippage(), NoCommission(), whole_units=False),
    }
    working = replace(order("BUY", "market"), asset_class=asset_class, quantity=quantity, original=quantity)
    result = Market(costs).match_session([working], {"X": Bar(100, 101, 99, 100, volume)}.get, DAY)
    assert [fill.quantity for fill in result.executions] == [pytest.approx(filled)]
    left = quantity - filled
    assert sum(item.quantity for item in result.working) == pytest.approx(left, abs=1e-12)


# ------------------------------------------------------------------------------------------- time in force

LIFE = [
    # time in force, sessions with a bar that fills it from session n on, session it ends in, how it ends
    ("day", None, 0, "EXPIRED"),
    ("day", 0, 0, "FILLED"),
    ("gtc", None, None, None),
    ("gtc", 4, 4, "FILLED"),
    ("gtd", None, 2, "EXPIRED"),
    ("gtd", 2, 2, "FILLED"),
    ("gtd", 3, 2, "EXPIRED"),
    ("opg", None, 0, "EXPIRED"),
    ("opg", 0, 0, "FILLED"),
    ("ioc", None, 0, "CANCELLED"),
    ("ioc", 0, 0, "FILLED"),
    ("fok", None, 0, "CANCELLED"),
    ("fok", 0, 0, "FILLED"),
]


@pytest.mark.parametrize("kind", ["limit", "stop", "stop_limit"])
@pytest.mark.parametrize(("tif", "reached", "ends", "state"), LIFE)
def test_the_life_of_an_order_by_its_time_in_force(kind, tif, reached, ends, state):
    """Quiet bars at 100, then bars that open at 90 where the order to buy or sell at 95 fills at once."""
    side = "BUY" if kind == "limit" else "SELL"
    working = [
        order(
            side, kind, limit_price=95.0 if kind == "limit" else 80.0, stop_price=95.0,
            time_in_force=tif, good_till=DAY + timedelta(2) if tif == "gtd" else None,
        )
    ]  # fmt: skip
    told = []
    for number in range(6):
        there = reached is not None and number >= reached
        bar = Bar(90, 91, 89, 90, PLENTY) if there else Bar(100, 101, 99, 100, PLENTY)
        result = FREE.match_session(working, {"X": bar}.get, DAY + timedelta(number))
        told += [(number, event.state) for event in result.events]
        working = result.working
    assert told == ([] if state is None else [(ends, state)])
    assert len(working) == (state is None)


@pytest.mark.parametrize("missing", [None, Bar(100, 101, 99, 100, 0.0)])
@pytest.mark.parametrize(
    ("tif", "state"),
    [("day", "EXPIRED"), ("gtc", None), ("opg", "EXPIRED"), ("ioc", "CANCELLED"), ("fok", "CANCELLED")],
)
def test_a_session_without_trading_ends_what_was_for_this_session_only(missing, tif, state):
    working = [order("BUY", "market", time_in_force=tif)]
    result = FREE.match_session(working, {"X": missing}.get, DAY)
    assert result.executions == []
    assert [event.state for event in result.events] == ([] if state is None else [state])
    assert len(result.working) == (state is None)
    assert all(event.reason for event in result.events)
