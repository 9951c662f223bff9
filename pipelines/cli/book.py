"""``desk book``: check, list and show the configurations of books."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli import context
from pipelines.cli.exits import Exit
from pipelines.cli.forms import AsJson

if TYPE_CHECKING:
    from trading.book import BookConfig

app = typer.Typer(help="Check, list and show books.", no_args_is_help=True)


@app.command()
def check(
    books: Annotated[
        list[str] | None, typer.Argument(help="Names or files; all books of the folder when left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check book files: every problem at once, the execution mode, overlapping symbols, migrations.

    Nothing is written. Exit code 3 when a file is refused.
    """
    from pipelines.cli.output import note, print_json
    from resources.config import ConfigError

    results: list[dict[str, Any]] = []
    problems: list[str] = []
    for name in books or _all_files():
        try:
            results.append(_checked(name, context.book(name)))
        except ConfigError as error:
            problems += error.problems
            results.append({"book": name, "problems": list(error.problems)})
    if not books:
        problems += _doubles(results)
    if as_json:
        print_json(results)
    else:
        for result in results:
            _print_result(result)
    if problems:
        for problem in dict.fromkeys(problems):
            note(f"desk: {problem}")
        raise typer.Exit(Exit.INPUT)


@app.command(name="list")
def list_books(as_json: AsJson = False) -> None:
    """List the books of the folder."""
    from pipelines.cli.output import note, print_json, print_table
    from trading.book import config_hash

    books = context.books()
    rows = [
        (
            book.name,
            book.mode,
            book.start,
            book.end,
            book.capital,
            ", ".join(book.strategies),
            config_hash(book),
        )
        for book in books.values()
    ]
    header = ("book", "mode", "start", "end", "capital", "strategies", "config")
    if as_json:
        print_json([dict(zip(header, row, strict=True)) for row in rows])
    elif rows:
        print_table(header, rows, right=[name == "capital" for name in header])
    else:
        note(f"no books in {context.books_folder()}")


@app.command()
def show(
    book: Annotated[str, typer.Argument(help="Name or file of the book.")],
    as_json: AsJson = False,
) -> None:
    """Show every key of a book with its value, defaults included and secrets masked."""
    from pipelines.cli.output import print_json, print_table
    from resources.config.books import shown

    content = shown(context.book(book, strategies=False))
    if as_json:
        print_json(content)
    else:
        print_table(("key", "value"), _flat(content))


@app.command()
def strategies(
    key: Annotated[str | None, typer.Argument(help="Strategy; all of them when left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the strategies that a book may name; with a key: its parameters, defaults and what is allowed."""
    from pipelines.cli.output import print_json, print_table
    from trading.strategies.registry import available

    known = available()
    header, rows = (
        (_STRATEGIES, map(_described, known.items())) if key is None else (_PARAMETERS, _parameters(key))
    )
    listed = [dict(zip(header, row, strict=True)) for row in rows]
    if as_json:
        print_json(listed)
    elif listed:
        print_table(header, [tuple(row.values()) for row in listed])
    else:
        typer.echo(f"{key} has no parameters")


_STRATEGIES = ("strategy", "type", "timeframes", "what it does")
_PARAMETERS = ("parameter", "default", "allowed")


def _described(item: tuple[str, str]) -> tuple[Any, ...]:
    """Row of one registered strategy; one that cannot be imported says so."""
    import importlib
    import inspect

    key, place = item
    module, _, name = place.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        return key, "", "", f"cannot be imported from {place}: {error}"
    summary = (inspect.getdoc(found) or "").partition("\n")[0]
    return key, getattr(found, "type", ""), ", ".join(getattr(found, "timeframes", ())), summary


def _parameters(key: str) -> list[tuple[Any, ...]]:
    """Parameters of a strategy by dotted path.

    Raises
    ------
    InputError
        There is no such strategy.
    """
    from pipelines.cli.exits import InputError
    from resources.config.keys import allowed, keys
    from resources.config.problems import suggestion
    from resources.config.references import parameters_model
    from trading.strategies.registry import available

    known = available()
    if key not in known:
        raise InputError(f"no strategy {key!r}{suggestion(key, sorted(known))}")
    model = parameters_model(known[key])
    if model is None:
        raise InputError(f"strategy {key!r} cannot be imported from {known[key]}")
    return [
        (one.dotted, "required" if one.default is ... else one.default, allowed(one.annotation, one.metadata))
        for one in keys(model)
    ]


def _all_files() -> list[str]:
    from pipelines.cli.exits import MissingError
    from resources.config.books import book_files

    files = book_files(context.books_folder())
    if not files:
        raise MissingError(f"no book files in {context.books_folder()}; desk init writes the shipped ones")
    return [str(file) for file in files]


def _checked(name: str, book: BookConfig) -> dict[str, Any]:
    from trading.book import config_hash
    from trading.execution_modes import execution_mode, migration, overlaps

    return {
        "book": book.name,
        "file": name if Path(name).suffix else None,
        "problems": [],
        "mode": book.mode,
        "execution_mode": execution_mode(book),
        "strategies": list(book.strategies),
        "overlaps": overlaps(book),
        "notes": list(_notes(book)),
        "migration": migration(book),
        "config_hash": config_hash(book),
    }


def _notes(book: BookConfig) -> Iterator[str]:
    """What is allowed and probably not meant."""
    if book.risk.regime and book.benchmark is None:
        yield "risk.regime has no effect without a benchmark"
    if book.mode == "live" and not book.allow_live:
        yield "mode is live and allow_live is false: no order will be sent"
    if book.risk.warn_daily_loss > book.risk.max_daily_loss:
        yield "risk.warn_daily_loss lies above risk.max_daily_loss: the limit comes before its warning"
    if not any(strategy.enabled for strategy in book.strategies.values()):
        yield "no strategy is enabled"


def _doubles(results: list[dict[str, Any]]) -> list[str]:
    """Problems of names that two files give."""
    first: dict[str, str] = {}
    problems = []
    for result in results:
        if result["problems"]:
            continue
        other = first.setdefault(result["book"], result["file"])
        if other != result["file"]:
            problem = f'{result["file"]}: name = "{result["book"]}": {other} has this name already'
            result["problems"].append(problem)
            problems.append(problem)
    return problems


def _print_result(result: dict[str, Any]) -> None:
    if result["problems"]:
        typer.echo(f"{result['book']}: refused, {len(result['problems'])} problem(s)")
        return
    typer.echo(
        f"{result['book']}: in order; {result['mode']}, execution mode {result['execution_mode']}, "
        f"strategies {', '.join(result['strategies'])}, config {result['config_hash']}"
    )
    for remark in result["notes"]:
        typer.echo(f"  {remark}")
    for symbol, names in result["overlaps"].items():
        typer.echo(f"  {symbol} is traded by several strategies: {', '.join(names)}")
    if result["migration"]:
        typer.echo("  [stocks] may be replaced by:\n")
        typer.echo(result["migration"])


def _flat(content: dict[str, Any], path: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in content.items():
        if isinstance(value, dict) and value:
            rows += _flat(value, f"{path}{key}.")
        else:
            rows.append((path + key, "" if value in ({}, []) else value))
    return rows
