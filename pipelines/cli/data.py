"""``desk data``: fetch market data into the lake, ask a provider without writing, list and check."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli import context, market
from pipelines.cli.exits import Exit, InputError, MissingError
from pipelines.cli.forms import AsJson, Form, Rows, print_frame_as
from pipelines.cli.noise import native_noise_hidden

if TYPE_CHECKING:
    import polars as pl

    from assets.market_data import MarketUpdate
    from delta.lake import Lake
    from resources.providers.base import Request

app = typer.Typer(help="Fetch, list and check market data.", no_args_is_help=True)
app.add_typer(market.app)

FIRST = date(1990, 1, 1)
"""First day asked for where neither a book nor an option gives one."""

Symbols = Annotated[list[str] | None, typer.Argument(help="Symbols.")]
First = Annotated[str | None, typer.Option("--from", help="First day, such as 2010-01-01.")]
Last = Annotated[str | None, typer.Option("--to", help="Last day; the last closed session when left out.")]
Timeframe = Annotated[str, typer.Option("--timeframe", help="1m 5m 15m 30m 1h 4h 1d or 1w.")]
Source = Annotated[
    str | None, typer.Option("--source", help="Provider to ask instead of the configured ones.")
]

AssetClass = Annotated[str, typer.Option(help="Asset class of symbols that the lake does not know.")]
Refetch = Annotated[
    bool, typer.Option("--refetch", help="Fetch known sessions again; changes are corrections.")
]
Repair = Annotated[
    bool, typer.Option("--repair", help="Put faults right that have one right answer, and flag the bars.")
]


@app.command()
def fetch(
    symbols: Annotated[list[str], typer.Argument(help="Symbols.")],
    first: First = None,
    last: Last = None,
    timeframe: Timeframe = "1d",
    asset_class: AssetClass = "stock",
    source: Source = None,
    refetch: Refetch = False,
    repair: Repair = False,
    kept: Annotated[
        bool,
        typer.Option("--kept", help="Read the answers kept from the same request again; ask nobody."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch bars, splits and dividends of symbols into the lake: what it does not have, and what has changed.

    Providers are asked for several symbols at once as far as their limits allow. What has been written stays
    when the command is interrupted; the next one goes on from there. Exit code 1 when some symbol could not
    be written.
    """
    _update(
        symbols, None, first, last, timeframe, asset_class, source, refetch or kept, repair, as_json, kept
    )


@app.command()
def ingest(
    symbols: Annotated[
        list[str] | None, typer.Argument(help="Symbols; those of the books when left out.")
    ] = None,
    books: Annotated[list[str] | None, typer.Option("--book", help="Only what this book needs.")] = None,
    first: First = None,
    last: Last = None,
    timeframe: Timeframe = "1d",
    asset_class: AssetClass = "stock",
    source: Source = None,
    refetch: Refetch = False,
    repair: Repair = False,
    as_json: AsJson = False,
) -> None:
    """Fetch what the books need into the lake; bad rows go to quarantine with the reason.

    Exit code 1 when some symbol could not be written; the others are.
    """
    _update(symbols, books, first, last, timeframe, asset_class, source, refetch, repair, as_json)


@app.command()
def ask(
    symbols: Annotated[list[str], typer.Argument(help="Symbols.")],
    source: Annotated[
        str | None, typer.Option("--source", help="Provider; the first configured one when left out.")
    ] = None,
    first: First = None,
    last: Last = None,
    timeframe: Timeframe = "1d",
    actions: Annotated[bool, typer.Option("--actions", help="Splits and dividends instead of bars.")] = False,
    form: Annotated[Form, typer.Option("--as", help="How to print the rows.")] = Form.TABLE,
    as_json: AsJson = False,
    rows: Rows = 100,
    to: Annotated[
        Path | None, typer.Option("--to-file", help="Write to a .csv or .parquet file instead.")
    ] = None,
) -> None:
    """Ask a provider and show what it says; the lake is not touched."""
    from delta.exporting import export_frame
    from pipelines.cli.output import note, progress
    from resources.providers.base import Request
    from resources.providers.registry import provider

    desk = context.desk()
    name = source or next(iter(desk.data.providers("stock", timeframe)), None)
    if name is None:
        raise InputError(f"no provider of stock {timeframe} bars is configured; give --source")
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    request = Request(tuple(symbols), _day(first, FIRST), _day(last, yesterday), timeframe)
    with progress(f"asking {name}"):
        answer = provider(name, desk.settings(name)).fetch(request)
    frame = answer.corporate_actions if actions else answer.bars
    if to is not None:
        note(f"{export_frame(frame, to):,} rows written to {to}")
    else:
        print_frame_as(frame, Form.JSON if as_json else form, rows)


@app.command()
def sources(
    name: Annotated[str | None, typer.Argument(help="Provider whose settings are shown.")] = None,
    health: Annotated[
        bool, typer.Option("--health", help="Look whether every provider answers, not only those in use.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the providers, what they serve, whether their key is set, and whether they can be asked.

    Those in use are looked at, the others only with --health. With a name: its settings.
    """
    from pipelines.cli.output import print_json, print_table

    header, listed = (_SOURCES, _sources(everywhere=health)) if name is None else (_SETTINGS, _settings(name))
    if as_json:
        print_json([dict(zip(header, row, strict=True)) for row in listed])
    elif listed:
        print_table(header, listed)
    else:
        typer.echo(f"{name} has no settings")


_SOURCES = ("provider", "in use", "asset classes", "timeframes", "actions", "besides", "key", "health")
_BESIDES = {
    "chain": "chains",
    "rates": "rates",
    "volatility": "rates",
    "depth": "depth",
    "constituents": "members",
    "market_caps": "caps",
}
"""What a provider serves besides bars, by the method that asks for it."""
_SETTINGS = ("setting", "value", "default", "allowed")


@app.command()
def check(
    symbols: Annotated[
        list[str] | None, typer.Argument(help="Symbols; all that the lake has when left out.")
    ] = None,
    timeframe: Timeframe = "1d",
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Write repaired versions of bars whose fault has one right answer."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check the bars that the lake holds by the rules of the ingest: order, prices, jumps, missing sessions.

    Exit code 1 when a row breaks a blocking rule; warnings alone are 0. With --repair the check comes after
    the repair; what was known before stays as an older version.
    """
    import polars as pl

    from pipelines.cli.output import print_frame, print_json

    lake = context.lake()
    repairs = _mended(lake, symbols, timeframe) if repair else pl.DataFrame()
    bars, verdict = _verdict(lake, symbols, timeframe)
    covered = _coverage(bars, verdict.warnings)
    if as_json:
        told = {"repairs": repairs} if repair else {}
        print_json({"symbols": covered, "rejected": verdict.rejected, "warnings": verdict.warnings, **told})
    else:
        print_frame(covered)
        tables = (("repaired", repairs), ("broken rules", verdict.rejected), ("warnings", verdict.warnings))
        for title, found in tables:
            if not found.is_empty():
                typer.echo(f"\n{title}")
                print_frame(found.select("symbol", "session", "rule", "reason"), 50)
    if not verdict.rejected.is_empty():
        raise typer.Exit(Exit.FAILED)


def _update(
    symbols: list[str] | None,
    books: list[str] | None,
    first: str | None,
    last: str | None,
    timeframe: str,
    asset_class: str,
    source: str | None,
    refetch: bool,
    repair: bool,
    as_json: bool,
    kept: bool = False,
) -> None:
    """Bring the lake up to date, with a progress bar, and tell what was done."""
    from assets.market_data import update_market
    from pipelines.cli.output import note, progress

    now = datetime.now(UTC)
    lake = context.lake(create=True)
    requests = _requests(lake, symbols, books, asset_class, now)
    requests = {kind: _narrowed(request, first, last, timeframe) for kind, request in requests.items()}
    if not requests:
        raise MissingError("no book asks for market data; name symbols, or write a book")
    wanted = sum(len(set(request.symbols)) for request in requests.values())
    with native_noise_hidden(), progress(f"fetching {wanted} symbols", wanted) as advance:
        update = update_market(
            lake,
            context.desk(),
            requests,
            now=now,
            run_id=f"desk-data-fetch-{now:%Y%m%dT%H%M%S.%fZ}",
            source=source or "",
            refetch=refetch,
            repair=repair,
            kept=kept,
            tell=lambda symbol: advance(1, f"fetching {wanted} symbols: {symbol}"),
        )
    _print_update(update, as_json)
    for problem in update.problems():
        note(f"desk: {problem}")
    if update.problems():
        raise typer.Exit(Exit.FAILED)


def _requests(
    lake: Lake, symbols: list[str] | None, books: list[str] | None, asset_class: str, now: datetime
) -> Mapping[str, Request]:
    """What is wanted of each asset class: the symbols named, else what the books need."""
    from assets.market_data import wanted
    from resources.calendar import last_closed_session, usual_calendar
    from resources.ingest.plan import known_instruments
    from resources.providers.base import Request

    if not symbols:
        chosen = [context.book(name) for name in books] if books else list(context.books().values())
        return wanted(lake, context.desk(), chosen, now)
    known = dict(known_instruments(lake, symbols).select("symbol", "asset_class").iter_rows())
    grouped: dict[str, list[str]] = {}
    for symbol in symbols:
        grouped.setdefault(known.get(symbol, asset_class), []).append(symbol)
    return {
        kind: Request(tuple(names), FIRST, last_closed_session(usual_calendar(kind), now), asset_class=kind)
        for kind, names in grouped.items()
    }


def _narrowed(request: Request, first: str | None, last: str | None, timeframe: str) -> Request:
    from dataclasses import replace

    return replace(
        request, first=_day(first, request.first), last=_day(last, request.last), timeframe=timeframe
    )


def _day(text: str | None, default: date) -> date:
    from pipelines.cli.times import day

    return day(text) if text else default


def _print_update(update: MarketUpdate, as_json: bool) -> None:
    from pipelines.cli.output import print_json

    if not as_json:
        typer.echo(update.summary())
        return
    counts = {
        name: sum(getattr(result, name) for result in update.results)
        for name in ("new", "corrected", "unchanged", "quarantined")
    }
    versions = {name: commit.version for name, commit in update.commits.items()}
    print_json({**counts, "problems": update.problems(), "versions": versions})


def _sources(*, everywhere: bool) -> list[tuple[Any, ...]]:
    from resources.providers.health import healths
    from resources.providers.registry import available

    desk = context.desk()
    used = desk.data.providers_in_use()
    known = sorted(available().items())
    names = [name for name, _ in known]
    settings = {name: desk.settings(name) for name in names}
    told = healths(settings, names, names if everywhere else used)
    rows = []
    for name, found in known:
        serves = found.capabilities
        key = serves.needs_key
        state = "" if key is None else f"{key} {'is set' if os.environ.get(key) else 'is not set'}"
        classes, timeframes = " ".join(serves.asset_classes), " ".join(serves.timeframes)
        besides = " ".join(dict.fromkeys(what for method, what in _BESIDES.items() if hasattr(found, method)))
        reach = (classes, timeframes, serves.corporate_actions, besides)
        rows.append((name, name in used, *reach, state, told[name]))
    return rows


def _settings(name: str) -> list[tuple[Any, ...]]:
    from resources.config.keys import allowed, keys
    from resources.config.problems import SECRET, suggestion
    from resources.config.providers import settings_model
    from resources.providers.registry import available

    model = settings_model(name)
    if model is None:
        raise InputError(f"no provider {name!r}{suggestion(name, sorted(available()))}")
    given = context.desk().settings(name)
    return [
        (
            key.dotted,
            "***" if key.dotted in given and SECRET.search(key.dotted) else given.get(key.dotted, ""),
            "required" if key.default is ... else key.default,
            allowed(key.annotation, key.metadata),
        )
        for key in keys(model)
    ]


def _verdict(lake: Lake, symbols: list[str] | None, timeframe: str) -> tuple[pl.DataFrame, Any]:
    """Newest bars of the symbols, and what the rules of the ingest say of them."""
    import polars as pl

    from delta import read
    from delta.contracts import Bars, CorporateActions, Instruments
    from resources.calendar import sessions
    from resources.providers.base import BARS
    from trading.corporate_actions import standing
    from trading.history import newest
    from trading.quality import check_bars

    where = pl.col("timeframe") == timeframe
    where = where & pl.col("symbol").is_in(symbols) if symbols else where
    bars = newest(read(lake, Bars, where=where).collect(), Bars.key[:-1]).sort("symbol", "closes_at")
    missing = sorted(set(symbols or ()) - set(bars["symbol"].unique()))
    if missing or bars.is_empty():
        raise MissingError(f"the lake has no {timeframe} bars of {', '.join(missing) or 'any symbol'}")
    names = pl.col("symbol").is_in(bars["symbol"].unique().implode())
    instruments = newest(read(lake, Instruments, where=names).collect(), Instruments.key[:-1])
    actions = standing(read(lake, CorporateActions, where=names).collect())
    first, last = bars["session"].min(), bars["session"].max()
    calendars = [sessions(name, first, last) for name in instruments["calendar"].unique().sort()]  # type: ignore[arg-type]
    verdict = check_bars(bars.select(BARS.names()), actions, pl.concat(calendars), instruments)
    return bars, verdict


def _mended(lake: Lake, symbols: list[str] | None, timeframe: str) -> pl.DataFrame:
    """Repair the bars of the symbols (all when none is named) and tell what was done."""
    from assets.market_data import repair_market

    now = datetime.now(UTC)
    run_id = f"desk-data-check-{now:%Y%m%dT%H%M%S.%fZ}"
    return repair_market(lake, symbols, timeframe, now=now, run_id=run_id).repairs


def _coverage(bars: pl.DataFrame, warnings: pl.DataFrame) -> pl.DataFrame:
    """First and last session, count and sources of each symbol's bars."""
    import polars as pl

    counted = warnings.group_by("symbol").agg(warnings=pl.len().cast(pl.Int64))
    return (
        bars.group_by("symbol", maintain_order=True)
        .agg(
            first=pl.col("session").min(),
            last=pl.col("session").max(),
            bars=pl.len().cast(pl.Int64),
            sources=pl.col("source").unique().sort().str.join(" "),
        )
        .join(counted, on="symbol", how="left")
        .with_columns(pl.col("warnings").fill_null(0))
    )
