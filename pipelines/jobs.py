"""Jobs: the daily run of a book, a backtest over years, placing orders, upkeep of the lake."""

import dagster as dg

from assets.stage import CODE_VERSION
from delta.maintenance import checkpoint, compact, vacuum
from pipelines.partitions import BACKTEST, DESK
from resources.brokers.paper import place
from resources.desk import DeskResource

MARKET = dg.AssetSelection.groups("market")

daily = dg.define_asset_job(
    "daily",
    selection=MARKET | dg.AssetSelection.groups(DESK.prefix),
    partitions_def=DESK.partitions,
    executor_def=dg.in_process_executor,
    description="One session of a paper or live book: fetch what is new, research, fills, decision, report.",
)

backtest = dg.define_asset_job(
    "backtest",
    selection=dg.AssetSelection.groups(BACKTEST.prefix),
    partitions_def=BACKTEST.partitions,
    executor_def=dg.in_process_executor,
    description="A book over past years in one run: the same decisions with simulated fills.",
)

ingest = dg.define_asset_job(
    "ingest",
    selection=MARKET,
    executor_def=dg.in_process_executor,
    description="Fetch the market data that the lake does not have yet.",
)


class PlaceOrders(dg.Config):
    """Which book's approved orders to place."""

    book: str


@dg.op(pool="orders")
def place_approved_orders(context: dg.OpExecutionContext, config: PlaceOrders, desk: DeskResource) -> None:
    """Hand a book's approved orders to its broker; placing them again changes nothing."""
    book = desk.book(config.book)
    if book.mode != "paper":
        raise dg.Failure(
            f"book {book.name} has mode {book.mode}: only paper books have a broker in this version",
            allow_retries=False,
        )
    events = place(desk.lake(), book.name, now=desk.now(), run_id=context.run_id, code_version=CODE_VERSION)
    placed = events.filter(events["state"] == "ACKED").height
    context.log.info(f"{placed} orders placed, {events.height - placed} expired")
    context.add_output_metadata({"placed": placed, "expired": events.height - placed})


@dg.job(executor_def=dg.in_process_executor)
def place_orders() -> None:
    """Place the approved orders of one book."""
    place_approved_orders()


class Upkeep(dg.Config):
    """How the lake is kept."""

    dry_run: bool = False


@dg.op
def keep_lake(context: dg.OpExecutionContext, config: Upkeep, desk: DeskResource) -> None:
    """Compact small files, write checkpoints and remove files that no version refers to."""
    lake = desk.lake()
    if not config.dry_run:
        context.log.info(f"compacted: {compact(lake)}")
        context.log.info(f"checkpoints: {checkpoint(lake)}")
    context.log.info(f"vacuum: {vacuum(lake, dry_run=config.dry_run)}")


@dg.job(executor_def=dg.in_process_executor)
def maintenance() -> None:
    """Keep the lake quick; no version that a run refers to is lost."""
    keep_lake()


JOBS = (daily, backtest, ingest, place_orders, maintenance)
