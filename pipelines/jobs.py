"""Jobs: the daily run of a book, a backtest over years, placing orders, upkeep of the lake."""

from typing import Any

import dagster as dg
from pydantic import Field

from delta.maintenance import checkpoint, compact, vacuum
from pipelines.partitions import BACKTEST, DESKS
from pipelines.placing import place_orders
from resources.desk import DeskResource

MARKET = dg.AssetSelection.groups("market")

DAILY = {
    family.prefix: dg.define_asset_job(
        family.prefix.replace("desk", "daily", 1),
        selection=MARKET | dg.AssetSelection.groups(family.prefix),
        executor_def=dg.in_process_executor,
        description="A session of a paper or live book: fetch what is new, research, fills, decide, report.",
    )
    for family in DESKS
}
"""Daily job of each family of scheduled books, by its prefix: ``daily`` runs ``desk``."""

backtest = dg.define_asset_job(
    "backtest",
    selection=dg.AssetSelection.groups(BACKTEST.prefix),
    executor_def=dg.in_process_executor,
    description="A book over past years in one run: the same decisions with simulated fills.",
)

ingest = dg.define_asset_job(
    "ingest",
    selection=MARKET,
    executor_def=dg.in_process_executor,
    description="Fetch the market data that the lake does not have yet.",
)


class Upkeep(dg.Config):
    """How the lake is kept."""

    dry_run: bool = Field(default=False, description="Only tell what would be removed.")


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


JOBS: tuple[Any, ...] = (*DAILY.values(), backtest, ingest, place_orders, maintenance)
