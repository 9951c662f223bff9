"""The control channel: JSON lines on a second loopback port, for tests and for the desk's own commands."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from resources.gateway.account import happenings
from resources.gateway.account.corporate import apply_actions
from resources.gateway.account.expiry import expire_options
from resources.gateway.account.happenings import manual_order, manual_trade
from resources.gateway.account.reporting import begin_day
from resources.gateway.instruments.database import Instrument
from resources.gateway.market.clock import SimulatedClock
from resources.gateway.orders.moving import end_day, pass_time, quote, replay, replay_close
from resources.gateway.orders.placing import meet_market
from resources.gateway.orders.ticket import Ticket
from resources.gateway.service.faults import NOTICES
from resources.gateway.service.server import HOST, Server
from trading.orders import Bar

log = logging.getLogger("desk.gateway")

Arguments = dict[str, Any]
Answer = dict[str, Any]
Command = Callable[[Server, Arguments], Answer]


class ControlError(ValueError):
    """A control command that is not known or lacks something."""


def status(server: Server, arguments: Arguments) -> Answer:
    """State of the gateway: clients, time, counts."""
    del arguments
    broker = server.hub.broker
    return {
        "port": server.port,
        "now": broker.clock.now().isoformat(),
        "market": server.hub.settings.market,
        "clients": sorted(session.client_id for session in server.hub.sessions),
        "instruments": len(broker.instruments),
        "active_orders": len(broker.book.active()),
        "orders": len(broker.book.tickets),
        "executions": len(broker.executions),
        "requests": dict(server.hub.handled),
        "refused_frames": list(server.hub.refused_frames),
    }


def instruments(server: Server, arguments: Arguments) -> Answer:
    """Add instruments from rows of the instruments table."""
    broker = server.hub.broker
    for row in arguments["rows"]:
        if broker.instruments.by_symbol(row["symbol"]) is None:
            broker.instruments.add(row)
            broker.note("instrument_row", {"row": row})
    return {"instruments": len(broker.instruments)}


def bars(server: Server, arguments: Arguments) -> Answer:
    """Add bars from rows of the bars table."""
    return {"added": server.hub.tape.add(arguments["rows"])}


def actions(server: Server, arguments: Arguments) -> Answer:
    """Add corporate actions from rows of their table; they are booked when their session is replayed."""
    server.hub.tape.add_actions(arguments["rows"])
    return {}


def price(server: Server, arguments: Arguments) -> Answer:
    """One price of a symbol, of ``size`` units or as many as anybody wants; or a bid and an ask."""
    broker = server.hub.broker
    symbol = _instrument(server, arguments).symbol
    if "bid" in arguments:
        broker.quotes.spread(symbol, float(arguments["bid"]), float(arguments["ask"]))
    else:
        value = float(arguments["price"])
        at = broker.clock.now().isoformat()
        broker.note("price", {"symbol": symbol, "price": value, "at": at})
        quote(broker, symbol, value, float(arguments.get("size", "inf")))
    server.hub.price_changed(symbol)
    return {}


def advance(server: Server, arguments: Arguments) -> Answer:
    """Move the simulated clock on: ``to`` a time or by ``seconds``."""
    broker = server.hub.broker
    if "to" in arguments:
        to = _time(arguments["to"])
    else:
        to = broker.clock.now() + timedelta(seconds=float(arguments["seconds"]))
    hours = server.hub.tape.hours(to.date(), []) if arguments.get("schedule", True) else None
    if not isinstance(broker.clock, SimulatedClock):
        raise ControlError("the gateway runs on the machine's clock, which nobody moves")
    pass_time(broker, to, hours)
    return {"now": broker.clock.now().isoformat()}


def session(server: Server, arguments: Arguments) -> Answer:
    """Replay every session after the last one replayed, up to ``session``; ``only`` replays just that one.

    With ``phase`` close, market-on-close orders meet the close of a session already replayed.
    """
    wanted = date.fromisoformat(str(arguments["session"]))
    hub = server.hub
    hub.refresh()
    symbols = hub.concerned()
    hub.mark_positions()
    if arguments.get("phase") == "close":
        replay_close(hub.broker, wanted, _bars_of(server, symbols, wanted), hub.tape.hours(wanted, symbols))
        return {"sessions": [wanted.isoformat()]}
    after = hub.broker.last_session
    days = [wanted] if arguments.get("only") else _sessions_until(server, symbols, wanted)
    if after is not None and wanted <= after:
        raise ControlError(f"session {wanted} was replayed already; the last one was {after}")
    for day in days:
        found = _bars_of(server, symbols, day)
        begin_day(hub.broker)
        apply_actions(hub.broker, hub.tape.actions(day), day)
        replay(hub.broker, day, found, hub.tape.hours(day, found))
        expire_options(hub.broker, day)
        hub.broker.finish_session(day)
        for symbol in found:
            hub.price_changed(symbol)
    return {"sessions": [day.isoformat() for day in days], "now": hub.broker.clock.now().isoformat()}


def finish_day(server: Server, arguments: Arguments) -> Answer:
    """End the day of a continuous market."""
    del arguments
    end_day(server.hub.broker)
    begin_day(server.hub.broker)
    return {}


def fault(server: Server, arguments: Arguments) -> Answer:
    """Put a fault in force, by name or in full."""
    added = server.hub.faults.add(arguments)
    return {"fault": added.number}


def faults(server: Server, arguments: Arguments) -> Answer:
    """Faults in force, and those that struck; ``clear`` takes them all out of force."""
    if arguments.get("clear"):
        server.hub.faults.clear()
    active = [
        {"fault": entry.number, "on": entry.on, "do": entry.do, "what": entry.what, "struck": entry.struck}
        for entry in server.hub.faults.active
    ]
    return {"active": active, "struck": list(server.hub.faults.history)}


def notice(server: Server, arguments: Arguments) -> Answer:
    """Tell every client a notice, by name or with ``code`` and ``text``."""
    name = arguments.get("name")
    if name is not None and name not in NOTICES:
        raise ControlError(f"no notice is called {name!r}; known are {', '.join(NOTICES)}")
    code, text = NOTICES[name] if name else (int(arguments["code"]), str(arguments.get("text", "")))
    for client in server.hub.sessions:
        client.error(int(arguments.get("id", -1)), code, text)
    return {"clients": len(server.hub.sessions)}


def release(server: Server, arguments: Arguments) -> Answer:
    """Deliver swallowed requests and let held orders go."""
    del arguments
    count = server.release()
    broker = server.hub.broker
    broker.held_ids.clear()
    freed = [ticket for ticket in broker.book.active() if "held" in ticket.waits]
    for ticket in freed:
        ticket.waits.remove("held")
        ticket.status = ticket.working_status()
        broker.save(ticket)
        broker.report(ticket)
    meet_market(broker, freed)
    return {"delivered": count, "released": len(freed)}


def shift_ids(server: Server, arguments: Arguments) -> Answer:
    """Roll the next order id back by ``by``, of one ``client`` or of all."""
    server.hub.id_shift[int(arguments.get("client", -1))] = int(arguments["by"])
    return {}


def disconnect(server: Server, arguments: Arguments) -> Answer:
    """Close every client's connection; ``reset``: without a proper end."""
    server.disconnect_all(reset=bool(arguments.get("reset")))
    return {}


def purge(server: Server, arguments: Arguments) -> Answer:
    """Midnight: executions and completed orders are no longer told."""
    del arguments
    server.hub.broker.purge()
    return {}


def trade(server: Server, arguments: Arguments) -> Answer:
    """Execution that no client ordered: ``quantity`` is signed."""
    record = manual_trade(
        server.hub.broker,
        _instrument(server, arguments),
        float(arguments["quantity"]),
        float(arguments["price"]),
        reference=str(arguments.get("reference", "")),
        account=_account(server, arguments),
    )
    return server.hub.naming.outward({"execId": record["execId"]})


def order(server: Server, arguments: Arguments) -> Answer:
    """Order entered by hand; ``order`` has the fields of a placeOrder."""
    ticket = manual_order(server.hub.broker, _instrument(server, arguments), arguments["order"])
    server.hub.bind_new_orders()
    return {"permId": ticket.perm_id, "status": ticket.status}


def assign(server: Server, arguments: Arguments) -> Answer:
    """Assignment of ``quantity`` short options."""
    option, account = _instrument(server, arguments), _account(server, arguments)
    happenings.assign(server.hub.broker, option, float(arguments["quantity"]), account=account)
    return {}


def exercise(server: Server, arguments: Arguments) -> Answer:
    """Exercise of ``quantity`` long options, or their ``lapse``."""
    happenings.exercise(
        server.hub.broker,
        _instrument(server, arguments),
        float(arguments["quantity"]),
        lapse=bool(arguments.get("lapse")),
        account=_account(server, arguments),
    )
    return {}


def correct(server: Server, arguments: Arguments) -> Answer:
    """Correction of an execution: other ``shares`` or another ``price``."""
    wanted = server.hub.naming.inward(arguments)["execId"]
    record = happenings.correct(
        server.hub.broker, wanted, shares=arguments.get("shares"), price=arguments.get("price")
    )
    return server.hub.naming.outward({"execId": record["execId"]})


def bust(server: Server, arguments: Arguments) -> Answer:
    """Take an execution back."""
    record = happenings.bust(server.hub.broker, server.hub.naming.inward(arguments)["execId"])
    return server.hub.naming.outward({"execId": record["execId"]})


def split(server: Server, arguments: Arguments) -> Answer:
    """Split of a symbol: ``ratio`` new units per old one."""
    happenings.split(server.hub.broker, _instrument(server, arguments), float(arguments["ratio"]))
    return {}


def pay(server: Server, arguments: Arguments) -> Answer:
    """Cash in (or out, negative)."""
    broker = server.hub.broker
    currency = str(arguments.get("currency", broker.settings.currency))
    reference = str(arguments.get("reference", ""))
    happenings.pay(broker, float(arguments["amount"]), currency, reference, _account(server, arguments))
    return {}


def orders(server: Server, arguments: Arguments) -> Answer:
    """Every order as the broker has it; ``active``: those that are not done."""
    book = server.hub.broker.book
    chosen = book.active() if arguments.get("active") else list(book.tickets.values())
    return {"orders": [_order_row(ticket) for ticket in chosen]}


def executions(server: Server, arguments: Arguments) -> Answer:
    """Every execution as the broker has it."""
    del arguments
    return {"executions": [server.hub.naming.outward(record) for record in server.hub.broker.executions]}


def positions(server: Server, arguments: Arguments) -> Answer:
    """What an account holds, and its cash; the first one where none is named."""
    broker = server.hub.broker
    account = broker.accounts[_account(server, arguments)]
    held = {
        entry.symbol: position.quantity
        for number, position in account.held().items()
        if (entry := broker.instruments.by_id(number)) is not None
    }
    return {"positions": held, "cash": {code: cents / 100 for code, cents in account.cents.items()}}


def wait(server: Server, arguments: Arguments) -> Answer:
    """Look at the time and at the lake once: what waits for them goes on."""
    del arguments
    server.look_at_time()
    return {}


COMMANDS: dict[str, Command] = {
    "status": status,
    "instruments": instruments,
    "bars": bars,
    "actions": actions,
    "price": price,
    "advance": advance,
    "session": session,
    "end_day": finish_day,
    "fault": fault,
    "faults": faults,
    "notice": notice,
    "release": release,
    "shift_ids": shift_ids,
    "disconnect": disconnect,
    "purge": purge,
    "trade": trade,
    "order": order,
    "assign": assign,
    "exercise": exercise,
    "correct": correct,
    "bust": bust,
    "split": split,
    "pay": pay,
    "orders": orders,
    "executions": executions,
    "positions": positions,
    "check_time": wait,
}
"""Commands by name; ``logout``, ``login``, ``restart`` and ``stop`` are the channel's own."""


class ControlChannel:
    """Listens for control commands and carries them out one at a time."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.port = 0
        self.stopped = asyncio.Event()
        self._listener: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self, port: int = 0) -> int:
        """Listen on a port, any free one by default, and return it."""
        self._listener = await asyncio.start_server(self._accept, HOST, port, limit=1 << 28)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self.port

    async def stop(self) -> None:
        """Listen no more."""
        if self._listener is not None:
            self._listener.close()
        for writer in list(self._writers):
            writer.close()

    async def carry_out(self, arguments: Arguments) -> Answer:
        """Carry out one command; what is wrong with it is told, never raised."""
        wanted = dict(arguments)
        name = wanted.pop("command", None)
        try:
            answer = await self._run(name, wanted)
        except KeyError as error:
            return {"ok": False, "error": f"{name}: {error.args[0]} is missing or not known"}
        except (ValueError, TypeError, RuntimeError, OSError) as error:  # such as a port that is taken
            return {"ok": False, "error": f"{name}: {error}"}
        self.server.flush()
        return {"ok": True, **answer}

    async def _run(self, name: object, arguments: Arguments) -> Answer:
        if name == "stop":
            self.stopped.set()
        elif name == "logout":
            self.server.disconnect_all()
            await self.server.refuse()
        elif name == "login":
            await self.server.listen()
        elif name == "restart":
            self.server.disconnect_all(reset=bool(arguments.get("reset", True)))
            if "roll_back" in arguments:
                self.server.hub.id_shift[-1] = int(arguments["roll_back"])
        elif isinstance(name, str) and name in COMMANDS:
            return COMMANDS[name](self.server, arguments)
        else:
            raise ControlError(f"no command is called {name!r}; known are {', '.join(sorted(COMMANDS))}")
        return {}

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                try:
                    arguments = json.loads(line)
                except ValueError as error:
                    answer: Answer = {"ok": False, "error": f"the line is no JSON: {error}"}
                else:
                    answer = await self.carry_out(arguments if isinstance(arguments, dict) else {})
                writer.write(json.dumps(answer, default=str).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError) as error:
            log.info("control connection ended: %s", error)
        finally:
            self._writers.discard(writer)
            writer.close()


def _instrument(server: Server, arguments: Arguments) -> Instrument:
    found = server.hub.broker.instruments.by_symbol(arguments["symbol"])
    if found is None:
        raise ControlError(
            f"no instrument {arguments['symbol']!r} is known; add it with the instruments command"
        )
    return found


def _sessions_until(server: Server, symbols: list[str], wanted: date) -> list[date]:
    """Sessions to replay: all since the last one, or since the simulated clock's time; at least the last."""
    hub = server.hub
    after = hub.broker.last_session
    if after is None and isinstance(hub.broker.clock, SimulatedClock):
        now = hub.broker.clock.now()
        known = hub.tape.sessions(symbols, now.date() - timedelta(days=1), wanted)
        return [day for day in known if hub.tape.hours(day, symbols).closes_at > now] or [wanted]
    return ([] if after is None else hub.tape.sessions(symbols, after, wanted)) or [wanted]


def _bars_of(server: Server, symbols: list[str], day: date) -> dict[str, Bar]:
    found = ((symbol, server.hub.tape.bar(symbol, day)) for symbol in symbols)
    return {symbol: bar for symbol, bar in found if bar is not None}


def _account(server: Server, arguments: Arguments) -> str:
    """Account that a command names, or the first."""
    names = server.hub.broker.names
    name = str(server.hub.naming.inward(arguments).get("account") or names[0])
    if name not in names:
        raise ControlError(f"no account is called {name}; there are {', '.join(server.hub.naming.accounts)}")
    return name


def _order_row(ticket: Ticket) -> Answer:
    return {
        "permId": ticket.perm_id,
        "clientId": ticket.client_id,
        "orderId": ticket.order_id,
        "orderRef": ticket.reference,
        "symbol": ticket.symbol,
        "account": ticket.account,
        "action": ticket.order.get("action"),
        "orderType": ticket.order_type,
        "status": ticket.status,
        "total": ticket.total,
        "filled": ticket.filled,
        "average": ticket.average,
        "waits": list(ticket.waits),
    }


def _time(text: object) -> datetime:
    time = datetime.fromisoformat(str(text))
    return time if time.tzinfo else time.replace(tzinfo=UTC)
