"""The factory of assets: every stage as Dagster sees it, for both families from the same functions.

The stages themselves are plain functions in their own modules; here they get keys, partitions, metadata.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import dagster as dg
from pydantic import Field

from assets.alerts import raise_alerts
from assets.desk import walk
from assets.family import Family, asked_range, commit_metadata, table_spec
from assets.following import follow_broker
from assets.inputs import MARKET_READS, RefusedError, clipped
from assets.market_data import TABLES as MARKET_TABLES
from assets.market_data import update_market, wanted
from assets.reports import READS, backtest, daily, exposure, picture, portfolio_rows, report, save_files
from assets.research import research
from assets.stage import CODE_VERSION
from delta import Commit, Pins, Table, pin
from delta.contracts import (
    Alerts,
    Candidates,
    Fills,
    OrderEvents,
    Orders,
    Performance,
    Portfolio,
    Positions,
    Regimes,
    Risk,
    Signals,
    Trades,
)
from resources.calendar import last_closed_session
from resources.desk import DeskResource
from resources.providers.base import Request
from trading.book import BookConfig
from trading.reporting import BacktestReport, DailyReport, to_markdown

BOOK_TAG = "dagster/partition/book"
"""Tag of a run of one book's partition: it fetches what that book needs."""


class MarketConfig(dg.Config):
    """A range to fetch again; left empty, what the books need and the lake does not have."""

    symbols: list[str] = Field(default_factory=list, description="Symbols; empty: those of all books.")
    first: str = Field(default="", description="ISO date; empty: some time before the first book's start.")
    last: str = Field(default="", description="ISO date; empty: the last session that has closed.")
    source: str = Field(default="", description="Provider to ask; empty: the configured ones.")
    refetch: bool = Field(
        default=False, description="Fetch known sessions again and write what changed as corrections."
    )
    repair: bool = Field(
        default=False, description="Put faults right that have one right answer, and flag the bars."
    )


def market_assets() -> dg.AssetsDefinition:
    """Assets ``market/...``: not partitioned, every run adds what is new."""

    @dg.multi_asset(
        name="market",
        specs=[
            table_spec(dg.AssetKey(["market", table.name]), table, group="market") for table in MARKET_TABLES
        ],
        code_version=CODE_VERSION,
    )
    def build(
        context: dg.AssetExecutionContext, config: MarketConfig, desk: DeskResource
    ) -> Iterator[dg.MaterializeResult[Any]]:
        lake, settings, now = desk.lake(), desk.config(), desk.now()
        alone = context.run.tags.get(BOOK_TAG)
        chosen = [desk.book(alone)] if alone else list(desk.books().values())
        requests = _narrowed(wanted(lake, settings, chosen, now), config)
        update = update_market(
            lake,
            settings,
            requests,
            now=now,
            run_id=context.run.run_id,
            source=config.source,
            refetch=config.refetch,
            repair=config.repair,
        )
        context.log.info(update.summary() or "no book asks for market data")
        for problem in update.problems():
            context.log.warning(problem)
        listed = "\n".join(f"- {line}" for line in update.problems())
        problems = {"problems": dg.MetadataValue.md(listed)} if listed else {}
        for table in MARKET_TABLES:
            yield dg.MaterializeResult(
                asset_key=dg.AssetKey(["market", table.name]),
                metadata={
                    **commit_metadata(lake, update.commits, table),
                    "summary": update.summary() or "no book asks for market data",
                    **problems,
                },
            )

    return build


def _narrowed(requests: Mapping[str, Request], config: MarketConfig) -> dict[str, Request]:
    """Requests cut to what a run's configuration names."""
    narrowed = {}
    for asset_class, request in requests.items():
        symbols = tuple(config.symbols) or request.symbols
        first = date.fromisoformat(config.first) if config.first else request.first
        last = date.fromisoformat(config.last) if config.last else request.last
        narrowed[asset_class] = replace(request, symbols=symbols, first=first, last=last)
    return narrowed


def research_assets(family: Family) -> dg.AssetsDefinition:
    """Assets ``candidates``, ``signals`` and ``regimes`` of a family: one step, one pass over history."""
    market = [dg.AssetKey(["market", table.name]) for table in MARKET_READS]

    @dg.multi_asset(
        name=f"{family.prefix}_research",
        specs=[
            family.spec(Candidates, group=family.prefix, deps=market),
            family.spec(Signals, group=family.prefix, deps=market),
            family.spec(Regimes, group=family.prefix, deps=market),
        ],
        partitions_def=family.partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        code_version=CODE_VERSION,
    )
    def build(context: dg.AssetExecutionContext, desk: DeskResource) -> Iterator[dg.MaterializeResult[Any]]:
        def work(book: BookConfig, first: date, last: date) -> Mapping[str, Commit]:
            context.log.info(f"research of {book.name}, {first} to {last}")
            return research(desk.lake(), book, first, last, context.run.run_id)

        yield from results(context, family, desk, (Candidates, Signals, Regimes), work)

    return build


def desk_assets(family: Family) -> dg.AssetsDefinition:
    """Assets of one step: fills, portfolio, positions, trades, orders and order events of a family.

    Only ``portfolio`` depends on its own previous partition; the others hang on it within the step.
    """
    market = [dg.AssetKey(["market", table.name]) for table in MARKET_READS]
    fills, portfolio, orders = (family.key(table.name) for table in (Fills, Portfolio, Orders))
    research = [family.key(table.name) for table in (Candidates, Signals, Regimes)]
    itself = dg.AssetDep(portfolio, partition_mapping=family.previous())
    deps: dict[type[Table], list[Any]] = {
        Fills: market,
        Portfolio: [fills, itself],
        Positions: [portfolio],
        Trades: [fills],
        Orders: [portfolio, *research],
        OrderEvents: [orders],
    }

    @dg.multi_asset(
        name=f"{family.prefix}_desk",
        specs=[family.spec(table, group=family.prefix, deps=needed) for table, needed in deps.items()],
        partitions_def=family.partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        code_version=CODE_VERSION,
    )
    def build(context: dg.AssetExecutionContext, desk: DeskResource) -> Iterator[dg.MaterializeResult[Any]]:
        def work(book: BookConfig, first: date, last: date) -> Mapping[str, Commit]:
            context.log.info(f"deciding {book.name}, {first} to {last}")
            require_mode(book, family)
            if family.scheduled:
                follow_broker(desk.lake(), desk.config(), book, last, context.run.run_id, desk.now())
            return walk(desk.lake(), book, first, last, context.run.run_id, scheduled=family.scheduled)

        yield from results(context, family, desk, deps, work)

    return build


def results(
    context: dg.AssetExecutionContext,
    family: Family,
    desk: DeskResource,
    tables: Iterable[type[Table]],
    work: Callable[[BookConfig, date, date], Mapping[str, Commit]],
    further: Mapping[type[Table], Mapping[str, Any]] | None = None,
) -> Iterator[dg.MaterializeResult[Any]]:
    """Do the work of a stage for every book that a run was asked for, then tell what became of each table.

    Parameters
    ----------
    tables : iterable of Table
        Tables that the stage writes.
    work : callable
        Does the work for a book from a first to a last day; gives the commit of each table.
    further : mapping, optional
        More metadata of single tables, as the work has left it.

    Raises
    ------
    RefusedError
        When all of the range lies after the last session that has closed.
    """
    written: dict[str, Commit] = {}
    for book, first, last in asked_books(context, family, desk):
        written.update(work(book, first, last))
    for table in tables:
        told = commit_metadata(desk.lake(), written, table)
        yield dg.MaterializeResult(
            asset_key=family.key(table.name), metadata={**told, **(further or {}).get(table, {})}
        )


def asked_books(
    context: dg.AssetExecutionContext, family: Family, desk: DeskResource
) -> Iterator[tuple[BookConfig, date, date]]:
    """Books that a run was asked for, with the first and the last day of each; the future is cut off.

    Raises
    ------
    RefusedError
        When all of the range lies after the last session that has closed.
    """
    for name, (first, last) in asked_range(context, family).items():
        book = desk.book(name)
        closed = last_closed_session(book.calendar, desk.now())
        if first > closed:
            raise RefusedError(
                f"book {name}: {first} has not closed yet; the last session that has is {closed}"
            )
        yield book, first, min(last, closed)


def require_mode(book: BookConfig, family: Family) -> None:
    """Refuse a backtest book on the schedule: it has no broker and no day."""
    if family.scheduled and book.mode == "backtest":
        raise RefusedError(
            f"book {book.name} has mode backtest and is not run by session; backfill it by year, or set "
            'mode = "paper" in its file'
        )


def report_assets(family: Family) -> dg.AssetsDefinition:
    """Assets ``performance`` and ``risk`` of a family, with the report and the equity curve as metadata."""
    portfolio = family.key(Portfolio.name)

    @dg.multi_asset(
        name=f"{family.prefix}_reports",
        specs=[
            family.spec(Performance, group=family.prefix, deps=[portfolio, family.key(Trades.name)]),
            family.spec(Risk, group=family.prefix, deps=[portfolio, family.key(Positions.name)]),
        ],
        partitions_def=family.partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        code_version=CODE_VERSION,
    )
    def build(context: dg.AssetExecutionContext, desk: DeskResource) -> Iterator[dg.MaterializeResult[Any]]:
        shown: dict[type[Table], dict[str, Any]] = {}

        def work(book: BookConfig, first: date, last: date) -> Mapping[str, Commit]:
            lake = desk.lake()
            written = report(lake, book, first, last, context.run.run_id)
            window = clipped(book, first, last)
            if window is not None:
                pins = pin(lake, [*READS, *MARKET_READS])
                shown.update(report_metadata(pins, book, *window, family=family))
            return written

        yield from results(context, family, desk, (Performance, Risk), work, shown)

    return build


def report_metadata(
    pins: Pins, book: BookConfig, first: date, last: date, *, family: Family
) -> dict[type[Table], dict[str, Any]]:
    """The report as Markdown, equity and exposure as pictures, for the run's page; files where asked for."""
    made: DailyReport | BacktestReport
    if family.scheduled:
        made, name = daily(pins, book, last), last.isoformat()
        portfolio = portfolio_rows(pins, book, last)
    else:
        made, name = backtest(pins, book, first, last), f"{first.isoformat()}_{last.isoformat()}"
        portfolio = portfolio_rows(pins, book, last, first)
    files = save_files(book, name, made)
    performance = {
        "report": dg.MetadataValue.md(to_markdown(made)),
        "equity_curve": dg.MetadataValue.md(
            f"![equity curve of {book.name}]({picture(book.name, portfolio)})"
        ),
        **{path.suffix[1:]: dg.MetadataValue.path(str(path)) for path in files},
    }
    shown = dg.MetadataValue.md(f"![exposure of {book.name}]({exposure(book, portfolio)})")
    return {Performance: performance, Risk: {"exposure": shown}}


def alert_assets(family: Family) -> dg.AssetsDefinition:
    """Asset ``alerts`` of a scheduled family: raised from the session's report, kept and delivered."""

    @dg.multi_asset(
        name=f"{family.prefix}_alerts",
        specs=[
            family.spec(Alerts, group=family.prefix, deps=[family.key(t.name) for t in (Performance, Risk)])
        ],
        partitions_def=family.partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        code_version=CODE_VERSION,
    )
    def build(context: dg.AssetExecutionContext, desk: DeskResource) -> Iterator[dg.MaterializeResult[Any]]:
        def work(book: BookConfig, first: date, last: date) -> Mapping[str, Commit]:
            return raise_alerts(desk.lake(), desk.config(), book, last, context.run.run_id, desk.now())

        yield from results(context, family, desk, (Alerts,), work)

    return build
