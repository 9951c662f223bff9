"""How the market moves: single prices, passing time, and sessions replayed from bars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta

from resources.gateway.account.expiry import expire_options
from resources.gateway.broker import Broker
from resources.gateway.market.clock import SimulatedClock
from resources.gateway.market.prices import Hours
from resources.gateway.orders.matching import SessionWork, release
from resources.gateway.orders.placing import cancel_groups, finish_at_once, meet_market
from resources.gateway.orders.scaling import reprice
from resources.gateway.orders.ticket import Ticket
from resources.gateway.orders.waiting import adjust, due, to_be_cancelled, trail, wake
from resources.gateway.wire.times import read_time
from trading.matching import better, stop_reached
from trading.matching.prices import reaches
from trading.orders import Bar

POINTS = 12
"""Prices that a bar is followed through for orders that wait for something within it."""


def quote(broker: Broker, symbol: str, price: float, size: float = float("inf")) -> None:
    """One price of a symbol: every order that it concerns meets it."""
    traded = 0.0 if size == float("inf") else size
    broker.quotes.trade(symbol, price, traded, broker.clock.now())
    woken = _wake_all(broker, None)
    broker.follow(reprice(broker))
    concerned = _concerned(broker, symbol)
    for name in concerned:
        instrument = broker.instruments.by_symbol(name)
        current = broker.quotes.price(instrument) if instrument else None
        if current is not None:
            _meet(broker, name, current, size)
    meet_market(broker, [ticket for ticket in woken if ticket.symbol not in concerned])
    broker.account_changed = True


def pass_time(broker: Broker, to: datetime, session_hours: Hours | None = None) -> None:
    """Move the simulated clock on; orders that wait for the time go on, those whose time is over end."""
    if isinstance(broker.clock, SimulatedClock):
        broker.clock.advance(to)
        broker.note("clock", {"now": to.isoformat()})
    check_time(broker, session_hours)


def check_time(broker: Broker, hours: Hours | None = None) -> None:
    """Look at every order that the time concerns."""
    now = broker.clock.now()
    broker.turn_day()
    late = [t for t in broker.book.active() if _good_till_passed(t, now)]
    if late:
        broker.work(lambda session: session.expire(late, "good till date passed"))
    woken = _wake_all(broker, None) + reprice(broker)
    meet_market(broker, woken)
    broker.follow(woken)
    if hours is not None and broker.settings.market == "continuous":
        _slices(broker, hours, {})


def stretch(broker: Broker, session: date, bars: Mapping[str, Bar], hours: Hours, opens_at: datetime) -> None:
    """Work orders through bars that have arrived in a market that is always open.

    Orders placed before a bar are worked through it by the desk's own rules; those placed within it meet its
    close only, and those placed later nothing of it.

    Parameters
    ----------
    hours : Hours
        Start and end of the bars.
    opens_at : datetime
        Open of their session: a quote from before it begins a new day.
    """
    bars = _with_combinations(broker, bars)
    for symbol, bar in bars.items():
        known = broker.quotes.get(symbol)
        if known is None or known.at <= opens_at:
            broker.quotes.open(symbol, bar, hours.opens_at)
    active = broker.book.active()
    before = [ticket for ticket in active if ticket.born_by(hours.opens_at)]
    broker.follow(reprice(broker))
    for ticket in before:
        if ticket.symbol in bars:
            trail(ticket, bars[ticket.symbol].open)
    _wake(broker, before, bars)
    waiting = [ticket for ticket in before if ticket.waits and not ticket.done]
    work = SessionWork(broker.costs, active, session)
    for symbol, bar in _touched(before, bars).items():
        work.trade([t for t in before if t.symbol == symbol and not t.waits], symbol, bar)
    broker.settle(work, active, {})
    _follow_path(broker, waiting, bars, hours, scheduled=False)
    whole_day = hours.opens_at <= opens_at
    for symbol, bar in bars.items():
        if whole_day:
            broker.quotes.finish(symbol, bar, hours.closes_at)
        else:
            broker.quotes.extend(symbol, bar, hours.closes_at)
    for ticket in before:
        if not (ticket.done or ticket.waits) and ticket.symbol in bars and ticket.work.live:
            _close_of(broker, ticket, bars[ticket.symbol])
    broker.meet_hedges()
    meet_market(broker, [t for t in active if t not in before and t.born_by(hours.closes_at)])
    finish_at_once(broker, before)
    broker.follow(active)
    broker.account_changed = True


def end_day(broker: Broker, session: date | None = None, closed_at: datetime | None = None) -> None:
    """End of a session in a continuous market: day orders end, close orders meet the last price.

    Parameters
    ----------
    session : date, optional
        Session that ends; that of the clock by default.
    closed_at : datetime, optional
        When it closed: orders placed later are of the next one.
    """
    concerned = [t for t in broker.book.active() if closed_at is None or t.born_by(closed_at)]
    for ticket in concerned:
        closes = ticket.work.order_type == "market_on_close" or "close" in ticket.waits
        price = broker.quotes.price(broker.instrument_of(ticket))
        if closes and price is not None and ticket.work.live:
            ticket.waits = [wait for wait in ticket.waits if wait != "close"]
            _alone(broker, ticket, price)
    day = session or broker.clock.now().date()
    ending = SessionWork(broker.quote_costs, concerned, day)
    ending.end(lambda _: None)
    broker.settle(ending, concerned, {})
    expire_options(broker, day)
    broker.end_day()


def replay(broker: Broker, session: date, bars: Mapping[str, Bar], hours: Hours) -> None:
    """Work all orders through one session.

    Orders that a backtest knows are matched by the desk's own rules, so that their fills are equal.
    Orders that wait for something follow the bar along a path: open, the nearer extreme, the farther one,
    close.
    """
    bars = _with_combinations(broker, bars)
    _move_clock(broker, hours.opens_at)
    for symbol, bar in bars.items():
        broker.quotes.open(symbol, bar, hours.opens_at)
    broker.follow(reprice(broker))
    for ticket in broker.book.active():
        if ticket.symbol in bars:
            trail(ticket, bars[ticket.symbol].open)
    _wake_all(broker, bars)
    active = broker.book.active()
    waiting = [ticket for ticket in active if ticket.waits]
    day = SessionWork(broker.costs, active, session)
    for symbol, bar in _touched(active, bars).items():
        day.trade([t for t in active if t.symbol == symbol and not t.waits], symbol, bar)
    times = {"open": hours.opens_at, "intraday": hours.middle, "close": hours.closes_at}
    broker.settle(day, active, times)
    _follow_path(broker, waiting, bars, hours)
    _finish(broker, day, active, bars, hours)


def replay_close(broker: Broker, session: date, bars: Mapping[str, Bar], hours: Hours) -> None:
    """Fill the market-on-close orders that were decided on the close of a session already replayed."""
    active = broker.book.active()
    day = SessionWork(broker.costs, active, session)
    day.close(_with_combinations(broker, bars).get)
    broker.settle(day, active, {"close": hours.closes_at})
    broker.meet_hedges()


def _finish(
    broker: Broker, day: SessionWork, active: list[Ticket], bars: Mapping[str, Bar], hours: Hours
) -> None:
    _move_clock(broker, hours.closes_at)
    for symbol, bar in bars.items():
        broker.quotes.finish(symbol, bar, hours.closes_at)
    _slices(broker, hours, {symbol: bar.volume / POINTS for symbol, bar in bars.items()})
    for ticket in active:
        if not ticket.done and ticket.symbol in bars and ticket.work.live:
            _close_of(broker, ticket, bars[ticket.symbol])
    broker.meet_hedges()
    day.end(bars.get)
    broker.settle(day, active, {"close": hours.closes_at})
    cancel_groups(broker, active)
    broker.account_changed = True


def _close_of(broker: Broker, ticket: Ticket, bar: Bar) -> None:
    """Orders at the close, and trailing stops that the gateway moves itself."""
    if "close" in ticket.waits:
        ticket.waits.remove("close")
        if not ticket.waits:
            _alone(broker, ticket, bar.close)
        return
    if ticket.waits:
        return
    adjust(ticket, bar.high if ticket.work.side == "SELL" else bar.low)
    if ticket.best is None:
        trail(ticket, bar.close)
        return
    work = ticket.work
    trail(ticket, better(work.side, ticket.best, bar.high if work.side == "SELL" else bar.low))
    if work.stop_price is not None and stop_reached(work.side, work.stop_price, bar.close):
        _alone(broker, ticket, work.stop_price)


def _follow_path(
    broker: Broker, waiting: list[Ticket], bars: Mapping[str, Bar], hours: Hours, *, scheduled: bool = True
) -> None:
    if not waiting:
        return
    step = (hours.closes_at - hours.opens_at) / POINTS
    before = {symbol: bar.open for symbol, bar in bars.items()}
    for number in range(1, POINTS):
        _move_clock(broker, hours.opens_at + step * number)
        now = {symbol: path_price(bar, number / POINTS) for symbol, bar in bars.items()}
        for symbol, price in now.items():
            broker.quotes.trade(symbol, price, bars[symbol].volume / POINTS, broker.clock.now())
        for ticket in waiting:
            if not ticket.done and ticket.symbol in now:
                _step(broker, ticket, before[ticket.symbol], now[ticket.symbol])
        if scheduled:
            _slices(broker, hours, {symbol: bar.volume / POINTS for symbol, bar in bars.items()})
        before = now


def _step(broker: Broker, ticket: Ticket, before: float, now: float) -> None:
    price = now
    if "touch" in ticket.waits and before != now:
        level = float(ticket.order["auxPrice"])
        if min(before, now) <= level <= max(before, now):
            price = level
    woken = wake(broker, ticket, price)
    if woken or (not ticket.waits and ticket.work.live):
        _alone(broker, ticket, price if woken else now)


def _slices(broker: Broker, hours: Hours, volumes: Mapping[str, float]) -> None:
    for ticket in broker.book.active():
        if ticket.waits != ["schedule"]:
            continue
        price = broker.quotes.price(broker.instrument_of(ticket))
        quantity = due(ticket, broker.clock.now(), hours.opens_at, hours.closes_at)
        if price is None or quantity <= 0:
            continue
        ticket.scheduled += quantity
        release(ticket, quantity)
        _alone(broker, ticket, price, volumes.get(ticket.symbol, float("inf")))


def path_price(bar: Bar, share: float) -> float:
    """Price of a bar after a share of its time: open, the nearer extreme, the farther one, close."""
    rising = bar.close >= bar.open
    corners = (bar.open, bar.low, bar.high, bar.close) if rising else (bar.open, bar.high, bar.low, bar.close)
    part = min(int(share * 3), 2)
    within = share * 3 - part
    return corners[part] + (corners[part + 1] - corners[part]) * within


def _alone(broker: Broker, ticket: Ticket, price: float, size: float = float("inf")) -> None:
    broker.meet([ticket], ticket.symbol, price, size)
    finish_at_once(broker, [ticket])


def _meet(broker: Broker, symbol: str, price: float, size: float) -> None:
    chosen = [t for t in broker.book.active() if t.symbol == symbol]
    for ticket in chosen:
        if not ticket.waits:
            adjust(ticket, price)
            trail(ticket, price)
    ready = [t for t in chosen if not t.waits and t.work.order_type != "market_on_close"]
    broker.meet(ready, symbol, price, size)
    for ticket in ready:
        if ticket.best is None:  # the fill of its parent has just made it live
            trail(ticket, price)
    finish_at_once(broker, ready)


def _wake_all(broker: Broker, bars: Mapping[str, Bar] | None) -> list[Ticket]:
    return _wake(broker, broker.book.active(), bars)


def _wake(broker: Broker, tickets: Iterable[Ticket], bars: Mapping[str, Bar] | None) -> list[Ticket]:
    woken = []
    for ticket in tickets:
        if not ticket.waits and not ticket.order.get("conditions"):
            continue
        if to_be_cancelled(broker, ticket):
            broker.cancel_tickets([ticket], "condition met")
            continue
        if bars is not None and ticket.symbol in bars:
            price: float | None = bars[ticket.symbol].open
        else:
            price = broker.quotes.price(broker.instrument_of(ticket))
        if wake(broker, ticket, price):
            woken.append(ticket)
    return woken


def _touched(active: Iterable[Ticket], bars: Mapping[str, Bar]) -> dict[str, Bar]:
    """Symbols in which an order may trade, in the order in which a backtest works them."""
    touched: dict[str, Bar] = {}
    for ticket in active:
        bar = bars.get(ticket.symbol)
        if bar is None or ticket.waits or ticket.symbol in touched or not ticket.work.live:
            continue
        if bar.volume > 0.0 and reaches(ticket.work, bar):
            touched[ticket.symbol] = bar
    return touched


def _concerned(broker: Broker, symbol: str) -> list[str]:
    instrument = broker.instruments.by_symbol(symbol)
    names = [symbol]
    if instrument is not None:
        for ticket in broker.book.active():
            owner = broker.instrument_of(ticket)
            if owner.symbol in names or (not owner.legs and broker.quotes.get(owner.symbol) is not None):
                continue
            if broker.instruments.depends(owner, instrument.con_id):
                names.append(owner.symbol)
    return names


def _with_combinations(broker: Broker, bars: Mapping[str, Bar]) -> dict[str, Bar]:
    """Bars of the session, combinations added: their extremes are taken at the open and the close only."""
    result = dict(bars)
    for ticket in broker.book.active():
        instrument = broker.instrument_of(ticket)
        legs = [(broker.instruments.by_id(number), ratio) for number, ratio in instrument.legs]
        if not legs or any(leg is None or leg.symbol not in bars for leg, _ in legs):
            continue
        opened = sum(ratio * bars[leg.symbol].open for leg, ratio in legs if leg)
        closed = sum(ratio * bars[leg.symbol].close for leg, ratio in legs if leg)
        volume = min(bars[leg.symbol].volume / abs(ratio) for leg, ratio in legs if leg)
        result[instrument.symbol] = Bar(opened, max(opened, closed), min(opened, closed), closed, volume)
    return result


def _move_clock(broker: Broker, to: datetime) -> None:
    if isinstance(broker.clock, SimulatedClock) and to > broker.clock.now():
        broker.clock.advance(to)
        broker.note("clock", {"now": to.isoformat()})
    broker.turn_day()


def _good_till_passed(ticket: Ticket, now: datetime) -> bool:
    text = ticket.order.get("goodTillDate")
    if ticket.order.get("tif") != "GTD" or not text:
        return False
    until = read_time(text, now)
    end_of_day = timedelta(days=1) if len(text.split()[0]) == 8 and ":" not in text else timedelta()
    return now > until + end_of_day
