"""Everything that Dagster loads: assets of all families, checks, jobs, schedules, sensors, the desk."""

import gc

import dagster as dg

from assets.checks import asset_checks
from assets.factory import alert_assets, desk_assets, market_assets, report_assets, research_assets
from assets.observed import observation_assets
from pipelines.jobs import JOBS
from pipelines.partitions import DESKS, FAMILIES
from pipelines.schedules import SCHEDULES
from pipelines.sensors import SENSORS
from resources.desk import DeskResource

STAGES = (research_assets, desk_assets, report_assets)

defs = dg.Definitions(
    assets=[
        market_assets(),
        *observation_assets(),
        *(stage(family) for family in FAMILIES for stage in STAGES),
        *(alert_assets(family) for family in DESKS),
    ],
    asset_checks=asset_checks(FAMILIES),
    jobs=JOBS,
    schedules=SCHEDULES,
    sensors=SENSORS,
    resources={"desk": DeskResource()},
    executor=dg.in_process_executor,
)

# What is loaded by now lives as long as the process: the collector need not walk through it during a run.
gc.freeze()
