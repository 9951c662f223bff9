"""``desk orders`` and ``desk reconcile``: where orders stand, and the broker against the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli import context
from pipelines.cli.exits import InputError, RefusedError
from pipelines.cli.forms import AsJson, Rows

if TYPE_CHECKING:
    from resources.brokers.placing import Outcome
    from trading.book import BookConfig

app = typer.Typer()
order_app = typer.Typer()
app.add_typer(order_app, name="orders")

PATIENCE = 15.0
"""Seconds that a person waits for a gateway."""


@order_app.callback(invoke_without_command=True)
def orders(
    called: typer.Context,
    book: Annotated[str | None, typer.Option("--book", help="Name of a book; else every book.")] = None,
    session: Annotated[
        str | None, typer.Option("--session", help="Session of the decision; else the newest of each book.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every order that was ever decided.")] = False,
    as_json: AsJson = False,
    rows: Rows = 100,
) -> None:
    """Show approved orders and where they stand; those that work are always shown."""
    if called.invoked_subcommand is not None:
        return
    from pipelines.cli.output import note, print_frame, print_json
    from pipelines.cli.times import day
    from resources.brokers.overview import order_overview

    lake = context.lake()
    if book is not None:
        from resources.books import known_book

        known_book(context.books_folder(), lambda: lake, book, strategies=False)
    frame = order_overview(lake, book=book, session=day(session) if session else None, everything=everything)
    if as_json:
        print_json(frame)
    elif frame.is_empty():
        note("no approved orders")
    else:
        print_frame(frame, rows)


@order_app.command()
def settle(
    order_ref: Annotated[str, typer.Argument(help="Reference of an UNRESOLVED order, or the start of it.")],
    end: Annotated[
        str, typer.Option("--as", help="filled, cancelled, rejected or expired; done: of a change or cancel.")
    ],
    reason: Annotated[str, typer.Option("--reason", help="How you know, for the record.")],
    filled: Annotated[
        float | None, typer.Option("--filled", help="Units executed, where the desk has not recorded them.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Record how an unresolved order has ended, so that its symbol may be traded again.

    What contradicts the recorded executions is refused. Nothing is sent.
    """
    from datetime import UTC, datetime
    from getpass import getuser

    from assets.stage import CODE_VERSION
    from pipelines.cli.output import note, print_json
    from resources.brokers.lease import lease_of
    from resources.brokers.settling import STATES
    from resources.brokers.settling import settle as settle_order

    if end not in STATES:
        raise InputError(f"--as {end}: must be one of {', '.join(STATES)}")
    lake = context.lake()
    done = settle_order(
        lake,
        order_ref,
        end,
        reason,
        getuser(),
        lease_of(lake, context.desk(), "settle", CODE_VERSION),
        clock=lambda: datetime.now(UTC),
        filled=filled,
        code_version=CODE_VERSION,
    )
    if as_json:
        print_json(done._asdict())
    else:
        note(
            f"order {done.order_ref} in {done.symbol} is {done.state}, {done.filled:g} filled: {done.message}"
        )


@app.command()
def reconcile(
    book: Annotated[str, typer.Option("--book", help="Name of a book that trades at a gateway.")],
    accept: Annotated[
        str | None,
        typer.Option(
            "--accept", help="Take the broker's positions and cash as right, for this reason; then resume."
        ),
    ] = None,
    send: Annotated[bool, typer.Option("--send", help="Also send the orders that wait.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the ledger in step with the broker: executions, ends of orders, positions, cash.

    Nothing is sent unless asked for. A difference that no execution explains freezes the book.
    """
    config = context.book(book, strategies=False)
    if config.mode == "backtest" or config.placement.broker != "ib":
        raise InputError(f'book {book} has no gateway: mode must be paper or live and placement.broker "ib"')
    booked = _accept(config, accept) if accept else None
    outcome = _place(config, send=send)
    _show(config, outcome, booked, as_json=as_json)
    if outcome.frozen:
        raise RefusedError(f"book {book} is frozen: {outcome.frozen}")


def _place(book: BookConfig, *, send: bool) -> Outcome:
    from dataclasses import replace
    from datetime import UTC, datetime

    from assets.stage import CODE_VERSION
    from resources.brokers.session import pace_of, place_book

    desk = context.desk()
    return place_book(
        context.lake(),
        desk,
        book,
        now=datetime.now(UTC),
        run_id="reconcile",
        code_version=CODE_VERSION,
        send=send,
        alarmed=False,
        pace=replace(pace_of(desk, book), patience=120.0 if send else PATIENCE),
    )


def _accept(book: BookConfig, reason: str) -> list[dict[str, Any]]:
    from datetime import UTC, datetime

    from assets.stage import CODE_VERSION
    from resources.brokers.session import accept_broker

    reports = accept_broker(
        context.lake(),
        context.desk(),
        book,
        reason,
        now=datetime.now(UTC),
        run_id="reconcile",
        code_version=CODE_VERSION,
    )
    names = ("symbol", "side", "quantity", "price", "cause")
    return [{name: getattr(report, name) for name in names} for report in reports]


def _show(book: BookConfig, outcome: Outcome, booked: list[dict[str, Any]] | None, *, as_json: bool) -> None:
    from pipelines.cli.output import note, print_json, print_table

    states = list(outcome.states.values())
    counts = {state: states.count(state) for state in sorted(set(states))}
    if as_json:
        print_json(
            {
                "book": book.name,
                "states": counts,
                "executions": outcome.executions,
                "sent": outcome.sent,
                "settled": outcome.settled,
                "waiting": list(outcome.waiting),
                "frozen": outcome.frozen,
                "accepted": booked or [],
            }
        )
        return
    for row in booked or []:
        note("booked from outside: {side} {quantity:g} {symbol} at {price:g}".format(**row))
    for reason in outcome.waiting:
        note(f"orders wait: {reason}")
    note(f"{outcome.executions} reports of executions recorded, {outcome.sent} orders sent")
    if counts:
        print_table(["state", "orders"], list(counts.items()), right=[False, True])
