"""Orders worked against candles: what trades, when, at which price, and what becomes of the rest."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import pytest

from trading.commissions import NoCommission
from trading.matching import Costs, Market
from trading.orders import Bar, Order
from trading.slippage import NoSlippage

DECIDED = date(2024, 1, 1)
BIG = 1_000_000.0


def session(index: int) -> date:
    return DECIDED + timedelta(days=index + 1)


def order(ref: str, side: str, kind: str, quantity: float = 100.0, **fields: object) -> Order:
    return Order(
        ref, DECIDED, "s", "X", "stock", fields.pop("purpose", "entry"), side, kind, quantity, **fields
    )


def bracket(entry: Order, *, stop: float | None, target: float | None, **fields: object) -> list[Order]:
    """An entry with a stop and a target in one group."""
    out = "SELL" if entry.side == "BUY" else "BUY"
    common = {"parent_ref": entry.order_ref, "oca_group": "g", "live": False, **fields}
    children = []
    if stop is not None:
        children.append(
            order("stop", out, "stop", entry.quantity, stop_price=stop, purpose="stop_loss", **common)
        )
    if target is not None:
        children.append(
            order(
                "target", out, "limit", entry.quantity, limit_price=target, purpose="profit_target", **common
            )
        )
    return [entry, *children]


@dataclass
class Case:
    """Candles (open, high, low, close, volume), orders, and what must come of them by session."""

    name: str
    bars: list[tuple[float, ...] | None]
    orders: list[Order]
    executions: list[tuple[int, str, float, float, str]]  # session, order, quantity, price, phase
    events: list[tuple[int, str, str]] = field(default_factory=list)  # session, order, state
    working: list[tuple[str, float]] = field(default_factory=list)


QUIET = (100, 101, 99, 100, BIG)
CASES = [
    # ------------------------------------------------------------------------------------ market orders
    Case("market buys at the open", [QUIET], [order("a", "BUY", "market")],
         [(0, "a", 100, 100, "open")], [(0, "a", "FILLED")]),
    Case("market sells at the open, gap or not", [(90, 91, 89, 90, BIG)], [order("a", "SELL", "market")],
         [(0, "a", 100, 90, "open")], [(0, "a", "FILLED")]),
    Case("no bar, no fill; gtc waits", [None, QUIET], [order("a", "BUY", "market")],
         [(1, "a", 100, 100, "open")], [(1, "a", "FILLED")]),
    Case("no bar, no fill; a day order expires", [None, QUIET], [order("a", "BUY", "market", time_in_force="day")],
         [], [(0, "a", "EXPIRED")]),
    Case("no volume, no fill", [(100, 101, 99, 100, 0)], [order("a", "BUY", "market")], [], [], [("a", 100)]),
    Case("market on close decided before the session", [(100, 109, 99, 108, BIG)],
         [order("a", "BUY", "market_on_close", time_in_force="day")],
         [(0, "a", 100, 108, "close")], [(0, "a", "FILLED")]),
    # ------------------------------------------------------------------------------------- limit orders
    Case("limit buys at its limit", [(100, 101, 95, 99, BIG)], [order("a", "BUY", "limit", limit_price=97)],
         [(0, "a", 100, 97, "intraday")], [(0, "a", "FILLED")]),
    Case("limit touched exactly", [(100, 101, 97, 99, BIG)], [order("a", "BUY", "limit", limit_price=97)],
         [(0, "a", 100, 97, "intraday")], [(0, "a", "FILLED")]),
    Case("limit buys at the better open", [(94, 96, 93, 95, BIG)], [order("a", "BUY", "limit", limit_price=97)],
         [(0, "a", 100, 94, "open")], [(0, "a", "FILLED")]),
    Case("limit not reached rests", [QUIET, QUIET], [order("a", "BUY", "limit", limit_price=97)],
         [], [], [("a", 100)]),
    Case("limit sells at its limit", [(100, 106, 99, 104, BIG)], [order("a", "SELL", "limit", limit_price=105)],
         [(0, "a", 100, 105, "intraday")], [(0, "a", "FILLED")]),
    Case("limit sells at the better open", [(108, 109, 107, 108, BIG)],
         [order("a", "SELL", "limit", limit_price=105)],
         [(0, "a", 100, 108, "open")], [(0, "a", "FILLED")]),
    # -------------------------------------------------------------------------------------- stop orders
    Case("stop sells at its stop", [(100, 101, 94, 96, BIG)], [order("a", "SELL", "stop", stop_price=95)],
         [(0, "a", 100, 95, "intraday")], [(0, "a", "FILLED")]),
    Case("stop that gaps sells at the open", [(90, 92, 88, 91, BIG)],
         [order("a", "SELL", "stop", stop_price=95)],
         [(0, "a", 100, 90, "open")], [(0, "a", "FILLED")]),
    Case("stop opens exactly on it", [(95, 97, 94, 96, BIG)], [order("a", "SELL", "stop", stop_price=95)],
         [(0, "a", 100, 95, "open")], [(0, "a", "FILLED")]),
    Case("stop buys at its stop", [(100, 106, 99, 105, BIG)], [order("a", "BUY", "stop", stop_price=104)],
         [(0, "a", 100, 104, "intraday")], [(0, "a", "FILLED")]),
    Case("stop that gaps buys at the open", [(107, 108, 106, 107, BIG)],
         [order("a", "BUY", "stop", stop_price=104)],
         [(0, "a", 100, 107, "open")], [(0, "a", "FILLED")]),
    Case("stop not reached rests", [QUIET], [order("a", "SELL", "stop", stop_price=95)], [], [], [("a", 100)]),
    # -------------------------------------------------------------------------------- stop-limit orders
    Case("stop-limit triggers and trades at its stop", [(100, 101, 94, 96, BIG)],
         [order("a", "SELL", "stop_limit", stop_price=95, limit_price=94.5)],
         [(0, "a", 100, 95, "intraday")], [(0, "a", "FILLED")]),
    Case("stop-limit gaps beyond its limit: it rests, then trades at the limit",
         [(90, 92, 88, 91, BIG), (93, 96, 92, 95, BIG)],
         [order("a", "SELL", "stop_limit", stop_price=95, limit_price=94.5)],
         [(1, "a", 100, 94.5, "intraday")], [(1, "a", "FILLED")]),
    Case("stop-limit gaps beyond its stop and recovers to the limit", [(94, 96, 93, 95, BIG)],
         [order("a", "SELL", "stop_limit", stop_price=95, limit_price=94.5)],
         [(0, "a", 100, 94.5, "intraday")], [(0, "a", "FILLED")]),
    Case("stop-limit gaps between stop and limit: the open", [(94.8, 96, 93, 95, BIG)],
         [order("a", "SELL", "stop_limit", stop_price=95, limit_price=94.5)],
         [(0, "a", 100, 94.8, "open")], [(0, "a", "FILLED")]),
    Case("stop-limit whose limit is better than its stop works as a limit from the next bar",
         [(100, 101, 94, 100, BIG), (98, 99.5, 97, 99, BIG)],
         [order("a", "SELL", "stop_limit", stop_price=95, limit_price=99)],
         [(1, "a", 100, 99, "intraday")], [(1, "a", "FILLED")]),
    Case("stop-limit buys", [(100, 106, 99, 105, BIG)],
         [order("a", "BUY", "stop_limit", stop_price=104, limit_price=104.5)],
         [(0, "a", 100, 104, "intraday")], [(0, "a", "FILLED")]),
    # ---------------------------------------------------------------------------------- trailing stops
    Case("trailing stop: the high of a bar raises it for the next one",
         [(100, 110, 100, 109, BIG), (108, 109, 98, 100, BIG)],
         [order("a", "SELL", "trailing_stop", trail_percent=0.1, anchor=100)],
         [(1, "a", 100, 99, "intraday")], [(1, "a", "FILLED")]),
    Case("trailing stop: a low that may have come before the high does not trade at the raised level",
         [(100, 110, 96, 109, BIG)],
         [order("a", "SELL", "trailing_stop", trail_percent=0.1, anchor=100)], [], [], [("a", 100)]),
    Case("trailing stop: a close beyond the raised level was certainly crossed",
         [(100, 110, 96, 97, BIG)],
         [order("a", "SELL", "trailing_stop", trail_percent=0.1, anchor=100)],
         [(0, "a", 100, 99, "intraday")], [(0, "a", "FILLED")]),
    Case("trailing stop: the level known before the bar comes first", [(100, 120, 89, 95, BIG)],
         [order("a", "SELL", "trailing_stop", trail_percent=0.1, anchor=100)],
         [(0, "a", 100, 90, "intraday")], [(0, "a", "FILLED")]),
    Case("trailing stop: a gap sells at the open", [(85, 86, 84, 85, BIG)],
         [order("a", "SELL", "trailing_stop", trail_percent=0.1, anchor=100)],
         [(0, "a", 100, 85, "open")], [(0, "a", "FILLED")]),
    Case("trailing stop: the open is a price that it has seen", [(120, 121, 107, 115, BIG)],
         [order("a", "SELL", "trailing_stop", trail_percent=0.1, anchor=100)],
         [(0, "a", 100, 108, "intraday")], [(0, "a", "FILLED")]),
    Case("trailing stop: never falls", [(100, 110, 100, 109, BIG), (101, 102, 100, 101, BIG), None, (99.5, 100, 98, 99, BIG)],
         [order("a", "SELL", "trailing_stop", trail_percent=0.1, anchor=100)],
         [(3, "a", 100, 99, "intraday")], [(3, "a", "FILLED")]),
    Case("trailing stop: the initial stop holds until it is overtaken", [(100, 101, 96, 97, BIG)],
         [order("a", "SELL", "trailing_stop", trail_percent=0.1, anchor=100, stop_price=97)],
         [(0, "a", 100, 97, "intraday")], [(0, "a", "FILLED")]),
    Case("trailing stop that buys falls with the low",
         [(100, 100, 90, 91, BIG), (92, 100, 91, 99, BIG)],
         [order("a", "BUY", "trailing_stop", trail_percent=0.1, anchor=100)],
         [(1, "a", 100, 99, "intraday")], [(1, "a", "FILLED")]),
    # ----------------------------------------------------------------------------------- time in force
    Case("day order expires", [QUIET, (100, 101, 90, 95, BIG)],
         [order("a", "BUY", "limit", limit_price=97, time_in_force="day")], [], [(0, "a", "EXPIRED")]),
    Case("gtd works through its last session", [QUIET, (100, 101, 90, 95, BIG)],
         [order("a", "BUY", "limit", limit_price=97, time_in_force="gtd", good_till=session(1))],
         [(1, "a", 100, 97, "intraday")], [(1, "a", "FILLED")]),
    Case("gtd expires after its last session", [QUIET, (100, 101, 90, 95, BIG)],
         [order("a", "BUY", "limit", limit_price=97, time_in_force="gtd", good_till=session(0))],
         [], [(0, "a", "EXPIRED")]),
    Case("gtd that is over before the session does not trade", [(96, 101, 90, 95, BIG)],
         [order("a", "BUY", "limit", limit_price=97, time_in_force="gtd", good_till=DECIDED)],
         [], [(0, "a", "EXPIRED")]),
    Case("opening limit trades at the open", [(96, 101, 90, 95, BIG)],
         [order("a", "BUY", "limit", limit_price=97, time_in_force="opg")],
         [(0, "a", 100, 96, "open")], [(0, "a", "FILLED")]),
    Case("opening limit not met at the open expires", [(100, 101, 90, 95, BIG)],
         [order("a", "BUY", "limit", limit_price=97, time_in_force="opg")], [], [(0, "a", "EXPIRED")]),
    Case("ioc cancels what it cannot have at once", [(96, 101, 90, 95, 600)],
         [order("a", "BUY", "limit", limit_price=97, time_in_force="ioc")],
         [(0, "a", 60, 96, "open")], [(0, "a", "PARTIAL"), (0, "a", "CANCELLED")]),
    Case("ioc does not wait for the limit", [(100, 101, 90, 95, BIG)],
         [order("a", "BUY", "limit", limit_price=97, time_in_force="ioc")], [], [(0, "a", "CANCELLED")]),
    Case("fok takes all", [(96, 101, 90, 95, 1000)],
         [order("a", "BUY", "limit", limit_price=97, time_in_force="fok")],
         [(0, "a", 100, 96, "open")], [(0, "a", "FILLED")]),
    Case("fok takes all or nothing", [(96, 101, 90, 95, 999)],
         [order("a", "BUY", "limit", limit_price=97, time_in_force="fok")], [], [(0, "a", "CANCELLED")]),
    # ------------------------------------------------------------------------------------- partial fills
    Case("participation: a tenth of the volume, the rest works on",
         [(100, 101, 99, 100, 605), (102, 103, 101, 102, 605)], [order("a", "BUY", "market")],
         [(0, "a", 60, 100, "open"), (1, "a", 40, 102, "open")], [(0, "a", "PARTIAL"), (1, "a", "FILLED")]),
    Case("participation: the rest of a day order expires", [(100, 101, 99, 100, 605)],
         [order("a", "BUY", "market", time_in_force="day")],
         [(0, "a", 60, 100, "open")], [(0, "a", "PARTIAL"), (0, "a", "EXPIRED")]),
    Case("participation below one unit: nothing", [(100, 101, 99, 100, 9)], [order("a", "BUY", "market")],
         [], [], [("a", 100)]),
    Case("a fractional order takes a fractional part", [(100, 101, 99, 100, 9)],
         [order("a", "BUY", "market", 2.5)],
         [(0, "a", 0.9, 100, "open")], [(0, "a", "PARTIAL")], [("a", 1.6)]),
    Case("a triggered stop is a market order for its rest",
         [(100, 101, 94, 100, 600), (100, 101, 99, 100, BIG)], [order("a", "SELL", "stop", stop_price=95)],
         [(0, "a", 60, 95, "intraday"), (1, "a", 40, 100, "open")], [(0, "a", "PARTIAL"), (1, "a", "FILLED")]),
    Case("a stop triggered in a bar too thin to trade sells at the next open",
         [(100, 101, 94, 100, 5), (100, 101, 99, 100, BIG)], [order("a", "SELL", "stop", stop_price=95)],
         [(1, "a", 100, 100, "open")], [(1, "a", "FILLED")]),
    # ----------------------------------------------------------------------------------------- brackets
    Case("children wait for the parent", [(120, 121, 119, 120, BIG)],
         bracket(order("entry", "BUY", "limit", limit_price=97), stop=90, target=110),
         [], [], [("entry", 100), ("stop", 100), ("target", 100)]),
    Case("entry at the open, target in the rest of the bar", [(100, 111, 99, 110, BIG)],
         bracket(order("entry", "BUY", "market"), stop=90, target=110),
         [(0, "entry", 100, 100, "open"), (0, "target", 100, 110, "intraday")],
         [(0, "entry", "FILLED"), (0, "target", "FILLED"), (0, "stop", "CANCELLED")]),
    Case("stop and target in one bar: the stop", [(100, 111, 89, 110, BIG)],
         bracket(order("entry", "BUY", "market"), stop=90, target=110),
         [(0, "entry", 100, 100, "open"), (0, "stop", 100, 90, "intraday")],
         [(0, "entry", "FILLED"), (0, "stop", "FILLED"), (0, "target", "CANCELLED")]),
    Case("short: stop and target in one bar: the stop", [(100, 111, 89, 90, BIG)],
         bracket(order("entry", "SELL", "market"), stop=110, target=90),
         [(0, "entry", 100, 100, "open"), (0, "stop", 100, 110, "intraday")],
         [(0, "entry", "FILLED"), (0, "stop", "FILLED"), (0, "target", "CANCELLED")]),
    Case("entry that gaps below its own stop is stopped out at the open", [(88, 95, 87, 94, BIG)],
         bracket(order("entry", "BUY", "market"), stop=90, target=110),
         [(0, "entry", 100, 88, "open"), (0, "stop", 100, 88, "open")],
         [(0, "entry", "FILLED"), (0, "stop", "FILLED"), (0, "target", "CANCELLED")]),
    Case("entry that gaps above its own target takes it at the open", [(112, 115, 111, 114, BIG)],
         bracket(order("entry", "BUY", "market"), stop=90, target=110),
         [(0, "entry", 100, 112, "open"), (0, "target", 100, 112, "open")],
         [(0, "entry", "FILLED"), (0, "target", "FILLED"), (0, "stop", "CANCELLED")]),
    Case("entry by limit within the bar: the stop may trigger", [(100, 115, 89, 112, BIG)],
         bracket(order("entry", "BUY", "limit", limit_price=97), stop=90, target=110),
         [(0, "entry", 100, 97, "intraday"), (0, "stop", 100, 90, "intraday")],
         [(0, "entry", "FILLED"), (0, "stop", "FILLED"), (0, "target", "CANCELLED")]),
    Case("entry by limit within the bar: the target waits for the next",
         [(100, 115, 96, 112, BIG), (113, 114, 112, 113, BIG)],
         bracket(order("entry", "BUY", "limit", limit_price=97), stop=90, target=110),
         [(0, "entry", 100, 97, "intraday"), (1, "target", 100, 113, "open")],
         [(0, "entry", "FILLED"), (1, "target", "FILLED"), (1, "stop", "CANCELLED")]),
    Case("entry by stop within the bar: its stop trades at the stop, not at the open", [(97, 106, 96, 105, BIG)],
         bracket(order("entry", "BUY", "stop", stop_price=104), stop=98, target=120),
         [(0, "entry", 100, 104, "intraday"), (0, "stop", 100, 98, "intraday")],
         [(0, "entry", "FILLED"), (0, "stop", "FILLED"), (0, "target", "CANCELLED")]),
    Case("stop of an earlier entry gaps: the open, and the target goes",
         [QUIET, (85, 120, 84, 119, BIG)],
         bracket(order("entry", "BUY", "market"), stop=90, target=110),
         [(0, "entry", 100, 100, "open"), (1, "stop", 100, 85, "open")],
         [(0, "entry", "FILLED"), (1, "stop", "FILLED"), (1, "target", "CANCELLED")]),
    Case("an expired entry takes its children along", [QUIET],
         bracket(order("entry", "BUY", "limit", limit_price=97, time_in_force="day"), stop=90, target=110),
         [], [(0, "entry", "EXPIRED"), (0, "stop", "CANCELLED"), (0, "target", "CANCELLED")]),
    Case("a trailing child starts at the entry", [(100, 108, 99, 107, BIG), (106, 107, 96, 97, BIG)],
         [order("entry", "BUY", "market"),
          order("trail", "SELL", "trailing_stop", trail_percent=0.1, parent_ref="entry", live=False)],
         [(0, "entry", 100, 100, "open"), (1, "trail", 100, pytest.approx(97.2), "intraday")],
         [(0, "entry", "FILLED"), (1, "trail", "FILLED")]),
    Case("a trailing child of an entry within the bar has not seen the bar's high",
         [(110, 120, 97, 100, BIG), (99, 100, 96, 97, BIG)],
         [order("entry", "BUY", "limit", limit_price=98),
          order("trail", "SELL", "trailing_stop", trail_percent=0.02, parent_ref="entry", live=False)],
         [(0, "entry", 100, 98, "intraday"), (1, "trail", 100, 98, "intraday")],
         [(0, "entry", "FILLED"), (1, "trail", "FILLED")]),
    Case("children of a market-on-close entry work from the next session",
         [(100, 111, 89, 100, BIG), (100, 111, 99, 110, BIG)],
         bracket(order("entry", "BUY", "market_on_close"), stop=90, target=110, time_in_force="day"),
         [(0, "entry", 100, 100, "close"), (1, "target", 100, 110, "intraday")],
         [(0, "entry", "FILLED"), (1, "target", "FILLED"), (1, "stop", "CANCELLED")]),
    # ----------------------------------------------------------------- brackets and groups, partly filled
    Case("children work for the quantity filled",
         [(100, 101, 99, 100, 400), (100, 111, 99, 110, BIG)],
         bracket(order("entry", "BUY", "market", time_in_force="day"), stop=90, target=110),
         [(0, "entry", 40, 100, "open"), (1, "target", 40, 110, "intraday")],
         [(0, "entry", "PARTIAL"), (0, "entry", "EXPIRED"), (1, "target", "FILLED"), (1, "stop", "CANCELLED")]),
    Case("an exit that filled what was entered waits for the rest of the entry",
         [(100, 101, 89, 95, 400), (95, 96, 94, 95, BIG), (92, 93, 89, 90, BIG)],
         bracket(order("entry", "BUY", "market"), stop=90, target=110),
         [(0, "entry", 40, 100, "open"), (0, "stop", 40, 90, "intraday"),
          (1, "entry", 60, 95, "open"), (2, "stop", 60, 90, "intraday")],
         [(0, "entry", "PARTIAL"), (0, "stop", "PARTIAL"), (1, "entry", "FILLED"),
          (2, "stop", "FILLED"), (2, "target", "CANCELLED")]),
    Case("a target filled in part takes its quantity off the stop",
         [(100, 101, 99, 100, BIG), (108, 111, 107, 108, 400), (100, 101, 89, 90, BIG)],
         bracket(order("entry", "BUY", "market"), stop=90, target=110),
         [(0, "entry", 100, 100, "open"), (1, "target", 40, 110, "intraday"), (2, "stop", 60, 90, "intraday")],
         [(0, "entry", "FILLED"), (1, "target", "PARTIAL"), (2, "stop", "FILLED"), (2, "target", "CANCELLED")]),
    Case("two targets of half the size each, stops of their own",
         [(100, 106, 99, 105, BIG), (100, 101, 89, 90, BIG)],
         [order("entry", "BUY", "market"),
          order("t1", "SELL", "limit", 50, limit_price=105, parent_ref="entry", oca_group="1", live=False),
          order("s1", "SELL", "stop", 50, stop_price=90, parent_ref="entry", oca_group="1", live=False),
          order("t2", "SELL", "limit", 50, limit_price=120, parent_ref="entry", oca_group="2", live=False),
          order("s2", "SELL", "stop", 50, stop_price=90, parent_ref="entry", oca_group="2", live=False)],
         [(0, "entry", 100, 100, "open"), (0, "t1", 50, 105, "intraday"), (1, "s2", 50, 90, "intraday")],
         [(0, "entry", "FILLED"), (0, "t1", "FILLED"), (0, "s1", "CANCELLED"),
          (1, "s2", "FILLED"), (1, "t2", "CANCELLED")]),
    Case("a child of half the size gets whole units of a partial fill, and its half in the end",
         [(100, 101, 99, 100, 330), (100, 101, 99, 100, BIG), (105, 106, 104, 105, BIG)],
         [order("entry", "BUY", "market"),
          order("t1", "SELL", "limit", 50, limit_price=105, parent_ref="entry", live=False)],
         [(0, "entry", 33, 100, "open"), (1, "entry", 67, 100, "open"), (2, "t1", 50, 105, "open")],
         [(0, "entry", "PARTIAL"), (1, "entry", "FILLED"), (2, "t1", "FILLED")]),
    Case("either way in: one fills, the other goes", [(100, 106, 99, 105, BIG)],
         [order("up", "BUY", "stop", stop_price=105, oca_group="g"),
          order("down", "SELL", "stop", stop_price=95, oca_group="g")],
         [(0, "up", 100, 105, "intraday")], [(0, "up", "FILLED"), (0, "down", "CANCELLED")]),
    Case("either way in, both reached: the one approved first", [(100, 106, 94, 105, BIG)],
         [order("up", "BUY", "stop", stop_price=105, oca_group="g"),
          order("down", "SELL", "stop", stop_price=95, oca_group="g")],
         [(0, "up", 100, 105, "intraday")], [(0, "up", "FILLED"), (0, "down", "CANCELLED")]),
    Case("an exit decided at the close shares the group of the stop and target", [(100, 101, 99, 100, BIG)],
         [order("stop", "SELL", "stop", stop_price=90, oca_group="g"),
          order("target", "SELL", "limit", limit_price=110, oca_group="g"),
          order("exit", "SELL", "market", oca_group="g")],
         [(0, "exit", 100, 100, "open")],
         [(0, "exit", "FILLED"), (0, "stop", "CANCELLED"), (0, "target", "CANCELLED")]),
    Case("a cancelled parent takes grandchildren along", [QUIET],
         [order("a", "BUY", "limit", limit_price=90, time_in_force="ioc"),
          order("b", "SELL", "limit", limit_price=120, parent_ref="a", live=False),
          order("c", "BUY", "limit", limit_price=80, parent_ref="b", live=False)],
         [], [(0, "a", "CANCELLED"), (0, "b", "CANCELLED"), (0, "c", "CANCELLED")]),
    Case("a target works for what was entered before the bar; the rest of the entry comes after it",
         [(100, 101, 97, 99, 400), (100, 111, 96, 100, BIG)],
         bracket(order("entry", "BUY", "limit", limit_price=97), stop=90, target=110),
         [(0, "entry", 40, 97, "intraday"), (1, "target", 40, 110, "intraday"), (1, "entry", 60, 97, "intraday")],
         [(0, "entry", "PARTIAL"), (1, "target", "PARTIAL"), (1, "entry", "FILLED")],
         [("stop", 60), ("target", 60)]),
    Case("a target that got more to do within the bar waits for the next one",
         [(100, 105, 100, 104.5, 400), (106, 111, 104, 106, BIG), (109, 111, 108, 110, BIG)],
         bracket(order("entry", "BUY", "stop_limit", stop_price=104, limit_price=105), stop=90, target=110),
         [(0, "entry", 40, 104, "intraday"), (1, "entry", 60, 105, "intraday"), (2, "target", 100, 110, "intraday")],
         [(0, "entry", "PARTIAL"), (1, "entry", "FILLED"), (2, "target", "FILLED"), (2, "stop", "CANCELLED")]),
    Case("an order that waits in a group is reduced as well, and its parent releases no more than is left",
         [(100, 101, 99, 100, 400), (100, 101, 96, 100, BIG), (100, 101, 89, 90, BIG)],
         [order("out", "SELL", "market", oca_group="g", time_in_force="ioc"),
          order("entry", "BUY", "limit", limit_price=97),
          order("stop", "SELL", "stop", stop_price=90, oca_group="g", parent_ref="entry", live=False)],
         [(0, "out", 40, 100, "open"), (1, "entry", 100, 97, "intraday"), (2, "stop", 60, 90, "intraday")],
         [(0, "out", "PARTIAL"), (0, "out", "CANCELLED"), (1, "entry", "FILLED"), (2, "stop", "FILLED")]),
    Case("a parent that its group reduced releases the child for what it filled, and no more is waited for",
         [(100, 101, 99, 100, 400), (96, 98, 95, 97, BIG), (95, 96, 89, 90, BIG)],
         [order("other", "BUY", "market", oca_group="g", time_in_force="ioc"),
          order("entry", "BUY", "limit", limit_price=97, oca_group="g"),
          order("stop", "SELL", "stop", stop_price=90, parent_ref="entry", live=False)],
         [(0, "other", 40, 100, "open"), (1, "entry", 60, 96, "open"), (2, "stop", 60, 90, "intraday")],
         [(0, "other", "PARTIAL"), (0, "other", "CANCELLED"), (1, "entry", "FILLED"), (2, "stop", "FILLED")]),
    Case("trailing stop that buys: the initial stop holds until it is overtaken", [(100, 104, 99, 103, BIG)],
         [order("a", "BUY", "trailing_stop", trail_percent=0.1, anchor=100, stop_price=103)],
         [(0, "a", 100, 103, "intraday")], [(0, "a", "FILLED")]),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_candles(case: Case) -> None:
    free = Costs(NoSlippage(), NoCommission())
    market = Market({"stock": free})
    working = [replace(item) for item in case.orders]
    executions, events = [], []
    for index, candle in enumerate(case.bars):
        bars = {} if candle is None else {"X": Bar(*map(float, candle))}
        result = market.match_session(working, bars.get, session(index))
        working = result.working
        executions += [
            (index, fill.order_ref, fill.quantity, fill.price, fill.phase) for fill in result.executions
        ]
        events += [(index, event.order_ref, event.state) for event in result.events]
        assert all(fill.session == session(index) for fill in result.executions)
    assert executions == [(s, ref, pytest.approx(q), pytest.approx(p) if isinstance(p, int | float) else p, phase)
                          for s, ref, q, p, phase in case.executions]  # fmt: skip
    assert events == case.events
    if case.working:
        assert [(item.order_ref, pytest.approx(item.quantity)) for item in working] == case.working
