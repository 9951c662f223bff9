"""Assets of observations besides bars: option chains, rates, order books, members; run when asked for."""

from datetime import date, timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from assets.family import commit_metadata, table_spec
from assets.observations import (
    ObservationUpdate,
    Observing,
    update_chains,
    update_depth,
    update_members,
    update_rates,
)
from assets.stage import CODE_VERSION
from delta import Table
from delta.contracts import Depth, Memberships, OptionQuotes, Rates
from resources.desk import DeskResource

GROUP = "observations"
"""Apart from the group ``market``, which every scheduled day fetches."""
BACK = timedelta(days=30)


class ChainsConfig(dg.Config):
    """Option chains to fetch."""

    underlyings: list[str] = Field(default_factory=list, description="Stocks, funds, indices or coins.")
    expiries: list[str] = Field(default_factory=list, description="ISO dates; empty: all expiries.")
    strikes: list[float] = Field(default_factory=list, description="Lowest and highest; empty: all strikes.")
    source: str = Field(default="", description="Provider to ask; empty: the usual one.")


class RatesConfig(dg.Config):
    """Series of rates and volatility indices to fetch."""

    series: list[str] = Field(
        default_factory=list, description="Such as DGS10 or BTC_DVOL; empty: short, 2y, 10y, VIX."
    )
    first: str = Field(default="", description="ISO date; empty: thirty days ago.")
    last: str = Field(default="", description="ISO date; empty: today.")
    source: str = Field(default="", description="Provider to ask; empty: the usual one.")


class NamesConfig(dg.Config):
    """Instruments, indices or funds to look at."""

    names: list[str] = Field(default_factory=list, description="Symbols of pairs, indices or funds.")
    source: str = Field(default="", description="Provider to ask; empty: the usual one.")


def observation_assets() -> list[dg.AssetsDefinition]:
    """Assets ``market/option_quotes``, ``rates``, ``depth``, ``memberships``: what a run names."""

    @dg.multi_asset(name="option_quotes", specs=[_described(OptionQuotes)], code_version=CODE_VERSION)
    def option_quotes(
        context: dg.AssetExecutionContext, config: ChainsConfig, desk: DeskResource
    ) -> dg.MaterializeResult[Any]:
        strikes = (config.strikes[0], config.strikes[-1]) if config.strikes else None
        expiries = [date.fromisoformat(day) for day in config.expiries] or None
        update = (
            update_chains(
                _observing(context, desk),
                config.underlyings,
                source=config.source,
                expiries=expiries,
                strikes=strikes,
            )
            if config.underlyings
            else None
        )
        return _told(context, desk, OptionQuotes, update)

    @dg.multi_asset(name="rates", specs=[_described(Rates)], code_version=CODE_VERSION)
    def rates(
        context: dg.AssetExecutionContext, config: RatesConfig, desk: DeskResource
    ) -> dg.MaterializeResult[Any]:
        last = date.fromisoformat(config.last) if config.last else desk.now().date()
        first = date.fromisoformat(config.first) if config.first else last - BACK
        update = update_rates(_observing(context, desk), config.series, first, last, source=config.source)
        return _told(context, desk, Rates, update)

    @dg.multi_asset(name="depth", specs=[_described(Depth)], code_version=CODE_VERSION)
    def depth(
        context: dg.AssetExecutionContext, config: NamesConfig, desk: DeskResource
    ) -> dg.MaterializeResult[Any]:
        source = config.source or "binance"
        update = (
            update_depth(_observing(context, desk), config.names, source=source) if config.names else None
        )
        return _told(context, desk, Depth, update)

    @dg.multi_asset(name="memberships", specs=[_described(Memberships)], code_version=CODE_VERSION)
    def memberships(
        context: dg.AssetExecutionContext, config: NamesConfig, desk: DeskResource
    ) -> dg.MaterializeResult[Any]:
        observing, source = _observing(context, desk), config.source or "lean"
        whole = (date(1990, 1, 1), desk.now().date())
        update = update_members(observing, config.names, *whole, source=source) if config.names else None
        return _told(context, desk, Memberships, update)

    return [option_quotes, rates, depth, memberships]


def _described(table: type[Table]) -> dg.AssetSpec:
    return table_spec(dg.AssetKey(["market", table.name]), table, group=GROUP)


def _observing(context: dg.AssetExecutionContext, desk: DeskResource) -> Observing:
    return Observing(desk.lake(), desk.config(), desk.now(), context.run.run_id)


def _told(
    context: dg.AssetExecutionContext,
    desk: DeskResource,
    table: type[Table],
    update: ObservationUpdate | None,
) -> dg.MaterializeResult[Any]:
    """Counts and problems on the run's page."""
    if update is None:
        note = "nothing was asked for: name what to fetch in the run's configuration"
        context.log.info(note)
        return dg.MaterializeResult(metadata={**commit_metadata(desk.lake(), {}, table), "note": note})
    context.log.info(update.result.summary())
    for problem in update.problems():
        context.log.warning(problem)
    return dg.MaterializeResult(
        metadata={
            **commit_metadata(desk.lake(), update.commits, table),
            "summary": update.result.summary(),
            "problems": dg.MetadataValue.md("\n".join(f"- {line}" for line in update.problems())),
        }
    )
