"""What Dagster is told: assets, checks, jobs, schedules and sensors, against ``definitions.json``.

A change of the file shows in a review what a change of the code means for the page. To renew it::

    python -m tests.integration.test_definitions_snapshot
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg

from pipelines.definitions import defs

SNAPSHOT = Path(__file__).with_name("definitions.json")


def described() -> dict[str, Any]:
    """The definitions as plain data, in an order of their own."""
    specs = sorted(defs.resolve_all_asset_specs(), key=lambda spec: spec.key)
    return {
        "assets": {spec.key.to_user_string(): asset(spec) for spec in specs},
        "columns": {spec.metadata["dagster/table_name"]: columns(spec) for spec in specs},
        "checks": {
            f"{key.asset_key.to_user_string()}: {key.name}": check(key)
            for key in sorted(defs.resolve_asset_graph().asset_check_keys)
        },
        "jobs": {job.name: described_job(job) for job in sorted(jobs(), key=lambda job: job.name)},
        "schedules": {s.name: schedule(s) for s in sorted(defs.schedules or [], key=lambda s: s.name)},
        "sensors": {s.name: sensor(s) for s in sorted(defs.sensors or [], key=lambda s: s.name)},
    }


def asset(spec: dg.AssetSpec) -> dict[str, Any]:
    node = defs.resolve_asset_graph().get(spec.key)
    return {
        "description": str(spec.description).splitlines()[0],
        "group": spec.group_name,
        "owners": ", ".join(spec.owners),
        "kinds": ", ".join(sorted(spec.kinds)),
        "partitions": partitions(spec.partitions_def),
        "backfill": backfill(node.backfill_policy),
        "after": sorted(dependency(spec, dep) for dep in spec.deps),
    }


def columns(spec: dg.AssetSpec) -> dict[str, str]:
    return {column.name: column.type for column in spec.metadata["dagster/column_schema"].columns}


def backfill(policy: dg.BackfillPolicy | None) -> str | None:
    return policy.policy_type.value.lower().replace("_", " ") if policy else None


def dependency(spec: dg.AssetSpec, dep: dg.AssetDep) -> str:
    name = dep.asset_key.to_user_string()
    return f"{name} of the partition before" if dep.partition_mapping else name


def partitions(found: dg.PartitionsDefinition[Any] | None) -> str | None:
    if not isinstance(found, dg.MultiPartitionsDefinition):
        return None
    return " x ".join(found.partition_dimension_names)


def check(key: dg.AssetCheckKey) -> dict[str, Any]:
    spec = defs.resolve_asset_graph().get_check_spec(key)
    return {"description": spec.description, "blocking": spec.blocking}


def jobs() -> list[dg.JobDefinition]:
    named = (job.name for job in defs.jobs or [])
    return [defs.resolve_job_def(name) for name in named]


def described_job(job: dg.JobDefinition) -> dict[str, Any]:
    return {
        "description": job.description,
        "steps": sorted(node.name for node in job.nodes),
        "partitions": partitions(job.partitions_def),
        "executor": job.executor_def.name,
    }


def schedule(found: dg.ScheduleDefinition) -> dict[str, Any]:
    cron = found.cron_schedule
    return {
        "description": found.description,
        "job": found.job_name,
        "cron": [cron] if isinstance(cron, str) else list(cron),
        "time zone": found.execution_timezone,
        "status": found.default_status.value,
    }


def sensor(found: dg.SensorDefinition) -> dict[str, Any]:
    return {
        "description": found.description,
        "job": found.job_name if found.has_jobs else None,
        "every": f"{found.minimum_interval_seconds} s",
        "status": found.default_status.value,
    }


def text() -> str:
    """The snapshot as it is kept."""
    return json.dumps(described(), indent=2, ensure_ascii=False) + "\n"


def test_the_definitions_are_those_that_were_reviewed() -> None:
    kept = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert described() == kept, "renew with: python -m tests.integration.test_definitions_snapshot"


def test_assets_can_be_put_in_an_order() -> None:
    order = {key: at for at, key in enumerate(defs.resolve_asset_graph().toposorted_asset_keys)}
    for spec in defs.resolve_all_asset_specs():
        assert spec.owners, spec.key
        assert spec.description, spec.key
        assert all(order[dep.asset_key] < order[spec.key] for dep in spec.deps if not dep.partition_mapping)


if __name__ == "__main__":
    SNAPSHOT.write_text(text(), encoding="utf-8")
    print(SNAPSHOT)
