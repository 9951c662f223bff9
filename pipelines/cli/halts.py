"""``desk halt`` and ``desk resume``: the kill switch. Submits stop at once, cancels pass."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from pipelines.cli import context
from pipelines.cli.exits import RefusedError
from pipelines.cli.forms import AsJson

app = typer.Typer()

Book = Annotated[str | None, typer.Option("--book", help="Name of a book; else the whole desk.")]


@app.command()
def halt(
    reason: Annotated[str, typer.Option("--reason", help="Why, for whoever resumes.", prompt="Reason")],
    book: Book = None,
    as_json: AsJson = False,
) -> None:
    """Stop sending orders, now and after every restart, until a person resumes.

    Working orders stay at the broker; cancels are still sent.
    """
    _set(book, reason, resume=False)
    _show(as_json=as_json)


@app.command()
def resume(
    book: Book = None,
    reason: Annotated[str, typer.Option("--reason", help="Why it is safe again.")] = "",
    as_json: AsJson = False,
) -> None:
    """Let orders be sent again. A halt of the whole desk and one of a book are resumed apart."""
    from resources.brokers.halts import DESK, halts_in_force

    name = book or DESK
    if name not in set(halts_in_force(context.lake())["book"]):
        raise RefusedError(f"{_named(name)} is not halted")
    _set(book, reason or "resumed", resume=True)
    _show(as_json=as_json)


def _set(book: str | None, reason: str, *, resume: bool) -> None:
    from datetime import UTC, datetime

    from resources.brokers.halts import DESK, set_halt

    if book is not None:
        context.book(book, strategies=False)  # a name that nobody knows would halt nothing
    if not reason.strip():
        raise RefusedError("a halt needs a reason: --reason TEXT")
    set_halt(
        context.lake(create=True),
        book or DESK,
        reason.strip(),
        getpass.getuser(),
        datetime.now(UTC),
        resume=resume,
    )


def _show(*, as_json: bool) -> None:
    from pipelines.cli.output import note, print_frame, print_json
    from resources.brokers.halts import halts_in_force

    rows = halts_in_force(context.lake())
    if as_json:
        print_json(rows)
    elif rows.is_empty():
        note("nothing is halted")
    else:
        print_frame(rows.select("book", "known_at", "person", "reason"))


def _named(book: str) -> str:
    return "the desk" if book == "*" else f"book {book}"
