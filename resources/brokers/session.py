"""Placing a book's orders: its broker, its journal, its limits and its times put together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from delta import Lake, pin
from delta.contracts import Instruments as InstrumentTable
from resources.brokers.accepting import accept
from resources.brokers.accounts import live_allowed
from resources.brokers.base import AccountRefusedError, Broker, BrokerError, Instrument, Instruments, Pace
from resources.brokers.ib import IBBroker
from resources.brokers.lake_journal import LakeJournal
from resources.brokers.lease import lease_of
from resources.brokers.placing import Outcome, Placing
from resources.calendar import sessions
from resources.config import DeskConfig
from resources.telling import tell_alerts
from trading.book import BookConfig, PlacementConfig
from trading.placement import PlacingPolicy, Report

READ_ONLY = "DESK_READ_ONLY"


def place_book(
    lake: Lake,
    desk: DeskConfig,
    book: BookConfig,
    *,
    now: datetime,
    run_id: str,
    code_version: str,
    pace: Pace | None = None,
    send: bool = True,
    alarmed: bool = True,
) -> Outcome:
    """Bring a book's orders and its ledger in step with the broker, and tell people what they must know.

    Parameters
    ----------
    now : datetime
        Time of the desk; it goes on from there while the run lasts.
    send : bool
        Whether orders are sent; else the run only looks and records.
    alarmed : bool
        Whether a broker that cannot be reached is worth an alert: a person at the desk sees it.

    Raises
    ------
    BrokerError
        The broker cannot be reached or the account is refused.
    LeaseError, SupersededError
        Another run places the same orders.
    """
    if book.mode == "live" and book.placement.broker != "ib":
        raise AccountRefusedError(
            f'book {book.name}: mode is live and placement.broker is "simulated"; set it to "ib"'
        )
    clock = ticking(now)
    chosen = pace or pace_of(desk, book)
    instruments = known_instruments(lake)
    broker = gateway_client(desk, book, instruments, chosen, clock)
    placing = placing_of(
        lake, desk, book, broker, instruments, clock, run_id, code_version, chosen, send=send
    )
    try:
        return asyncio.run(placing.run())
    except BrokerError as error:
        if alarmed:
            with contextlib.suppress(Exception):  # the error itself is what counts
                placing.journal.alarm("", f"orders were not placed: {error}", "error")
        raise
    finally:
        tell_alerts(lake, desk, book, now=clock(), run_id=run_id, code_version=code_version)


def accept_broker(
    lake: Lake,
    desk: DeskConfig,
    book: BookConfig,
    reason: str,
    *,
    now: datetime,
    run_id: str,
    code_version: str,
    pace: Pace | None = None,
) -> list[Report]:
    """Take the broker's positions and cash as right; see :func:`resources.brokers.accepting.accept`."""
    clock = ticking(now)
    broker = gateway_client(desk, book, known_instruments(lake), pace or pace_of(desk, book), clock)
    journal = LakeJournal(lake, book.name, run_id, code_version, clock)
    return asyncio.run(accept(broker, journal, lease_of(lake, desk, run_id, code_version), reason))


def gateway_client(
    desk: DeskConfig,
    book: BookConfig,
    instruments: Instruments,
    pace: Pace,
    clock: Callable[[], datetime],
) -> IBBroker:
    """The desk's one client of the gateway, for a book."""
    return IBBroker(
        instruments,
        host=desk.broker.host,
        port=desk.broker.port,
        client_id=desk.broker.client_id,
        account=desk.broker.account,
        live_allowed=live_allowed(book),
        timezone=book.placement.restart_timezone,
        pace=pace,
        clock=clock,
    )


def placing_of(
    lake: Lake,
    desk: DeskConfig,
    book: BookConfig,
    broker: Broker,
    instruments: Instruments,
    clock: Callable[[], datetime],
    run_id: str,
    code_version: str,
    pace: Pace,
    *,
    send: bool = True,
) -> Placing:
    """A run of placing with the lake as its memory."""
    limits = book.placement
    if not send or os.environ.get(READ_ONLY) == "1":
        limits = limits.model_copy(update={"read_only": True})
    policy = PlacingPolicy(
        desk.broker.client_id,
        limits,
        timedelta(seconds=limits.look_seconds),
        multipliers={one.symbol: one.multiplier for one in instruments.values()},
        market_open=market_open(book.calendar, clock()),
    )
    return Placing(
        broker,
        LakeJournal(lake, book.name, run_id, code_version, clock),
        lease_of(lake, desk, run_id, code_version),
        policy,
        pace,
        clock,
        blocked=lambda: restart_window(limits, clock()),
    )


def pace_of(desk: DeskConfig, book: BookConfig) -> Pace:
    """Times of a book's runs."""
    limits = book.placement
    return Pace(
        connect=desk.broker.connect_timeout,
        request=desk.broker.connect_timeout,
        follow=limits.follow_seconds,
        patience=max(120.0, limits.follow_seconds + 6 * limits.look_seconds),
        messages=desk.broker.messages_per_second,
    )


def ticking(now: datetime) -> Callable[[], datetime]:
    """Clock that starts at a time and goes on with the machine's."""
    began = time.monotonic()
    return lambda: now + timedelta(seconds=time.monotonic() - began)


def restart_window(limits: PlacementConfig, now: datetime) -> str:
    """Why nothing may be sent around the gateway's daily restart; empty outside of it."""
    if not limits.restart_minutes:
        return ""
    hour, minute = map(int, limits.restart_time.split(":"))
    local = now.astimezone(ZoneInfo(limits.restart_timezone))
    for days in (-1, 0, 1):
        restart = (local + timedelta(days=days)).replace(hour=hour, minute=minute, second=0, microsecond=0)
        if abs(now - restart.astimezone(UTC)) <= timedelta(minutes=limits.restart_minutes):
            return f"the gateway restarts at {limits.restart_time} {limits.restart_timezone}"
    return ""


def market_open(calendar: str, now: datetime) -> bool:
    """Whether a session is on."""
    day = now.date()
    frame = sessions(calendar, day - timedelta(days=1), day + timedelta(days=1))
    return not frame.filter((pl.col("opens_at") <= now) & (pl.col("closes_at") > now)).is_empty()


def known_instruments(lake: Lake) -> dict[str, Instrument]:
    """What is known of every symbol now."""
    rows = (
        pin(lake, [InstrumentTable])
        .read(InstrumentTable)
        .sort("known_at", "valid_from")
        .group_by("symbol", maintain_order=True)
        .last()
        .select(Instrument._fields)
        .collect()
    )
    return {row["symbol"]: Instrument(**row) for row in rows.iter_rows(named=True)}
