"""Further commands of ``desk data``: adjusted series, actions, option chains, rates, order books, members."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli import context
from pipelines.cli.exits import Exit, InputError, MissingError
from pipelines.cli.forms import AsJson, Form, Rows, print_frame_as

if TYPE_CHECKING:
    import polars as pl

    from assets.observations import ObservationUpdate, Observing

app = typer.Typer()

BACK = timedelta(days=30)
"""Days of rates asked for when no first day is named."""

First = Annotated[str | None, typer.Option("--from", help="First day, such as 2010-01-01.")]
Last = Annotated[str | None, typer.Option("--to", help="Last day; today when left out.")]
Source = Annotated[str, typer.Option("--source", help="Provider to ask instead of the usual one.")]


@app.command()
def adjusted(
    symbol: Annotated[str, typer.Argument(help="Symbol, or a ticker it had on that date.")],
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Prices in shares of this day; today when left out.")
    ] = None,
    known: Annotated[
        str | None, typer.Option("--known", help="Only what the desk knew at this time.")
    ] = None,
    kind: Annotated[str, typer.Option(help="total_return or split.")] = "total_return",
    first: First = None,
    form: Annotated[Form, typer.Option("--as", help="How to print the rows.")] = Form.TABLE,
    as_json: AsJson = False,
    rows: Rows = 100,
) -> None:
    """Show bars adjusted for the splits, dividends and spin-offs up to a day, and for none after it."""
    import polars as pl

    from assets.series import adjusted_series
    from pipelines.cli.times import instant

    if kind not in {"total_return", "split"}:
        raise InputError(f"--kind {kind!r}: choose total_return or split")
    day = _day(as_of, datetime.now(UTC).date())
    at = instant(known) if known else None
    found, series = adjusted_series(context.lake(), symbol, day, kind=kind, known=at)
    if first:
        series = series.filter(pl.col("session") >= _day(first, day))
    if series.is_empty():
        raise MissingError(f"the lake has no 1d bars of {found} up to {day}")
    print_frame_as(series, Form.JSON if as_json else form, rows)


@app.command()
def bars(
    symbol: Annotated[str, typer.Argument(help="Symbol.")],
    timeframe: Annotated[str, typer.Option("--timeframe", help="1m 5m 15m 30m 1h 4h 1d or 1w.")] = "1d",
    first: First = None,
    last: Last = None,
    form: Annotated[Form, typer.Option("--as", help="How to print the rows.")] = Form.TABLE,
    as_json: AsJson = False,
    rows: Rows = 100,
) -> None:
    """Show raw bars of a symbol; longer ones are made of shorter ones where the lake has no others."""
    from assets.series import bars_of
    from pipelines.cli.output import note
    from trading.resampling import SPANS

    if timeframe not in SPANS:
        raise InputError(f"--timeframe {timeframe!r}: choose one of {', '.join(SPANS)}")
    now = datetime.now(UTC)
    begin, end = _day(first, date(1990, 1, 1)), _day(last, now.date())
    if end < begin:
        raise InputError(f"--to {end} lies before --from {begin}")
    source, found = bars_of(context.lake(), symbol, timeframe, begin, end, until=now)
    if found.is_empty():
        raise MissingError(
            f"the lake has no {timeframe} bars of {symbol} from {begin} to {end}, nor shorter ones"
        )
    if source != timeframe:
        note(f"made of {source} bars")
    print_frame_as(found, Form.JSON if as_json else form, rows)


@app.command()
def actions(
    symbols: Annotated[list[str] | None, typer.Argument(help="Symbols; all when left out.")] = None,
    record: Annotated[
        Path | None,
        typer.Option("--record", help="CSV with symbol, ex_date, action, value, new_symbol, reason."),
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Why the rows recorded replace what is known.")
    ] = None,
    known: Annotated[
        str | None, typer.Option("--known", help="Only what the desk knew at this time.")
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Every version, withdrawn ones included.")
    ] = False,
    as_json: AsJson = False,
    rows: Rows = 100,
) -> None:
    """Show corporate actions, or record some that no provider tells, such as spin-offs.

    Shown are those that stand; with --history every version, with its reason and the time it was learned.
    """
    import polars as pl

    from assets.actions import record_actions
    from delta import read
    from delta.contracts import CorporateActions
    from pipelines.cli.times import instant
    from trading.corporate_actions import standing

    if record is not None:
        told = _actions_in(record)
        _tell(record_actions(_observing(), told, reason=reason), as_json)
        return
    where = pl.col("symbol").is_in(symbols) if symbols else None
    told = read(context.lake(), CorporateActions, where=where).collect()
    at = instant(known) if known else None
    versions = told if at is None else told.filter(pl.col("known_at") <= at)
    shown = versions if history else standing(versions)
    order = ("symbol", "ex_date", "action", "known_at")
    print_frame_as(shown.sort(order), Form.JSON if as_json else Form.TABLE, rows)


def _actions_in(file: Path) -> pl.DataFrame:
    """Rows of a file of corporate actions.

    Raises
    ------
    InputError
        The file cannot be read, or a column or a value is none of a corporate action's; named with its line.
    """
    import polars as pl

    from delta.contracts import CorporateActions
    from resources.config.problems import suggestion

    schema = CorporateActions.schema()
    try:
        told = pl.read_csv(file, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(f"{file}: {str(error).splitlines()[0]}") from None
    if missing := [name for name in ("symbol", "ex_date", "action") if name not in told.columns]:
        raise InputError(f"{file}: no column {missing[0]}; the first line names the columns")
    for name in told.columns:
        if name not in schema:
            raise InputError(f"{file}: column {name!r} is unknown{suggestion(name, schema.names())}")
    read = told.select(_read(name, dtype) for name, dtype in schema.items() if name in told.columns)
    for name in read.columns:
        unread = told[name].is_not_null() & read[name].is_null()
        if unread.any():
            at = unread.arg_max() or 0
            kind = {pl.Date: "date; write it like 2020-01-31", pl.Float64: "number"}.get(
                type(schema[name]), "truth; write true or false"
            )
            raise InputError(f"{file} line {at + 2}: {name} {told[name][at]!r} is no {kind}")
    return read


def _read(name: str, dtype: pl.DataType) -> pl.Expr:
    """Column of text as its type; null where that is not possible."""
    import polars as pl

    text = pl.col(name).str.strip_chars()
    if dtype == pl.Date:
        return text.str.to_date("%Y-%m-%d", strict=False)
    if dtype == pl.Boolean:
        return text.str.to_lowercase().replace_strict({"true": True, "false": False}, default=None)
    return text.cast(dtype, strict=False)


@app.command()
def correct(
    symbol: Annotated[str, typer.Argument(help="Symbol of the action.")],
    ex_date: Annotated[str, typer.Argument(help="Ex date as it is known.")],
    action: Annotated[str, typer.Argument(help="Kind of the action, such as split.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the new version.")],
    withdraw: Annotated[bool, typer.Option("--withdraw", help="The action never was.")] = False,
    value: Annotated[float | None, typer.Option("--value", help="Right ratio or cash per share.")] = None,
    moved: Annotated[str | None, typer.Option("--ex-date", help="Right ex date.")] = None,
    pay_date: Annotated[str | None, typer.Option("--pay-date", help="Right date of payment.")] = None,
    new_symbol: Annotated[str | None, typer.Option("--new-symbol", help="Right new symbol.")] = None,
    as_json: AsJson = False,
) -> None:
    """Correct a corporate action that was learned wrongly, or withdraw it; the old version stays readable."""
    from assets.actions import ActionError, correct_action

    figures = {
        name: told
        for name, told in (
            ("value", value),
            ("ex_date", _day(moved, date.min) if moved else None),
            ("pay_date", _day(pay_date, date.min) if pay_date else None),
            ("new_symbol", new_symbol),
        )
        if told is not None
    }
    if not reason.strip():
        raise InputError("--reason is empty; say why")
    if withdraw == bool(figures):
        raise InputError("say --withdraw, or what is right: --value, --ex-date, --pay-date, --new-symbol")
    try:
        update = correct_action(
            _observing(), symbol, _day(ex_date, date.min), action, reason=reason, right=figures
        )
    except ActionError as error:
        raise MissingError(str(error)) from None
    _tell(update, as_json)


@app.command()
def chain(
    underlyings: Annotated[list[str], typer.Argument(help="Stocks, funds, indices or coins.")],
    expiries: Annotated[list[str] | None, typer.Option("--expiry", help="Only this expiry.")] = None,
    lowest: Annotated[float | None, typer.Option("--lowest", help="Lowest strike.")] = None,
    highest: Annotated[float | None, typer.Option("--highest", help="Highest strike.")] = None,
    first: Annotated[
        str | None, typer.Option("--from", help="First session of past quotes, where the provider has them.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last session of past quotes.")] = None,
    source: Source = "",
    as_json: AsJson = False,
) -> None:
    """Write the quotes and greeks of option chains into the lake: as they are now, or of past sessions."""
    from assets.observations import update_chains

    days = [_day(text, date.min) for text in expiries] if expiries else None
    bounded = lowest is not None or highest is not None
    strikes = (lowest or 0.0, float("inf") if highest is None else highest) if bounded else None
    span = (_day(first, date(1990, 1, 1)), _day(last, datetime.now(UTC).date())) if first or last else None
    update = update_chains(
        _observing(), underlyings, source=source, expiries=days, strikes=strikes, span=span
    )
    _tell(update, as_json)


@app.command()
def rates(
    series: Annotated[
        list[str] | None, typer.Argument(help="Series such as DGS10, VIXCLS or BTC_DVOL.")
    ] = None,
    first: First = None,
    last: Last = None,
    source: Source = "",
    as_json: AsJson = False,
) -> None:
    """Write interest rates and volatility indices into the lake."""
    from assets.observations import update_rates

    end = _day(last, datetime.now(UTC).date())
    begin = _day(first, end - BACK)
    _tell(update_rates(_observing(), series or (), begin, end, source=source), as_json)


@app.command()
def depth(
    symbols: Annotated[list[str] | None, typer.Argument(help="Instruments.")] = None,
    files: Annotated[
        list[Path] | None, typer.Option("--file", help="File of order books; several in the order of time.")
    ] = None,
    at: Annotated[str | None, typer.Option("--at", help="Time of a file that tells none.")] = None,
    calendar: Annotated[str, typer.Option(help="Calendar of the instruments of a file.")] = "24/7",
    source: Source = "binance",
    measures: Annotated[
        bool, typer.Option("--measures", help="Show the measures of the books that the lake has.")
    ] = False,
    lot: Annotated[float, typer.Option(help="Units of one lot.")] = 1.0,
    as_json: AsJson = False,
    rows: Rows = 20,
) -> None:
    """Write order books into the lake, from files or as they are now, or show their measures."""
    import polars as pl

    from assets.observations import update_depth
    from delta import read
    from delta.contracts import Depth
    from pipelines.cli.times import instant
    from trading.history import newest
    from trading.liquidity import liquidity

    if measures:
        where = pl.col("symbol").is_in(symbols) if symbols else None
        books = newest(read(context.lake(), Depth, where=where).collect(), Depth.key[:-1])
        if books.is_empty():
            raise MissingError("the lake has no order books of them; desk data depth --file writes some")
        print_frame_as(liquidity(books, lot=lot), Form.JSON if as_json else Form.TABLE, rows)
        return
    if not symbols and not files:
        raise InputError("name instruments, or give --file")
    quoted_at = instant(at) if at else None
    _tell(
        update_depth(
            _observing(),
            symbols or (),
            source=source,
            files=files or (),
            quoted_at=quoted_at,
            calendar=calendar,
        ),
        as_json,
    )


@app.command()
def members(
    universes: Annotated[list[str], typer.Argument(help="Indices or funds, such as SPY.")],
    first: First = None,
    last: Last = None,
    source: Source = "lean",
    on: Annotated[str | None, typer.Option("--on", help="Show the members known for a day instead.")] = None,
    as_json: AsJson = False,
    rows: Rows = 0,
) -> None:
    """Write lists of constituents into the lake, or show who was a member on a day."""
    import polars as pl

    from assets.observations import update_members
    from delta import read
    from delta.contracts import Memberships
    from trading.history import newest
    from trading.universe import members as members_on

    today = datetime.now(UTC).date()
    if on is None:
        begin, end = _day(first, date(1990, 1, 1)), _day(last, today)
        _tell(update_members(_observing(), universes, begin, end, source=source), as_json)
        return
    lists = newest(read(context.lake(), Memberships).collect(), Memberships.key[:-1])
    day = _day(on, today)
    found = [(name, symbol) for name in universes for symbol in members_on(lists, name.upper(), day)]
    if not found:
        raise MissingError(f"the lake knows no members of {', '.join(universes)} on {day}")
    frame = pl.DataFrame(found, schema=["universe", "symbol"], orient="row")
    print_frame_as(frame, Form.JSON if as_json else Form.TABLE, rows)


@app.command()
def caps(
    symbols: Annotated[list[str], typer.Argument(help="Symbols that the lake knows.")],
    first: First = None,
    last: Last = None,
    source: Source = "tiingo",
    as_json: AsJson = False,
) -> None:
    """Write the market capitalisation of symbols by month into the lake."""
    from assets.observations import update_capitalisation

    begin, end = _day(first, date(1990, 1, 1)), _day(last, datetime.now(UTC).date())
    _tell(update_capitalisation(_observing(), symbols, begin, end, source=source), as_json)


def _observing() -> Observing:
    from assets.observations import Observing

    now = datetime.now(UTC)
    return Observing(context.lake(create=True), context.desk(), now, f"desk-data-{now:%Y%m%dT%H%M%S.%fZ}")


def _tell(update: ObservationUpdate, as_json: bool) -> None:
    """Counts, and a line for every name that was not served; exit code 1 when there was one."""
    from pipelines.cli.output import note, print_json

    result = update.result
    if as_json:
        counts = {name: getattr(result, name) for name in ("table", "new", "corrected", "unchanged")}
        versions = {name: commit.version for name, commit in update.commits.items()}
        print_json({**counts, "problems": update.problems(), "versions": versions})
    else:
        typer.echo(result.summary())
    for problem in update.problems():
        note(f"desk: {problem}")
    if update.problems():
        raise typer.Exit(Exit.FAILED)


def _day(text: str | None, default: date) -> date:
    from pipelines.cli.times import day

    return day(text) if text else default
