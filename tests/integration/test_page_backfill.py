"""Backtests from the page: the real page and daemon run a range of years as one run."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from delta import read, runs
from delta.contracts import Orders, Performance, Portfolio
from resources.calendar import sessions
from tests.integration.conftest import BOOK, Place, demo_book
from tests.integration.page import LOCATION, Page

START, END = date(2010, 1, 4), date(2012, 12, 31)
YEARS = ("2010", "2011", "2012")
STAGES = ("candidates", "signals", "regimes", "fills", "portfolio", "positions", "trades", "orders")
ASSETS = (*STAGES, "order_events", "performance", "risk")

RUNS = """query Runs($filter: RunsFilter) { runsOrError(filter: $filter) { ... on Runs { results {
    runId status } } } }"""
LAUNCH = """mutation Launch($params: ExecutionParams!) { launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
BACKFILL = """mutation Backfill($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
STATUS = """query Status($id: String!) { partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill { status error { message } } } }"""
MATERIALISED = """query Materialised($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
    assetMaterializations { partition runId metadataEntries { label ... on IntMetadataEntry { intValue }
        ... on MarkdownMetadataEntry { mdStr } } } } } }"""
CHECKS = """query Checks($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
    assetChecksOrError { ... on AssetChecks { checks { name executionForLatestMaterialization {
        status runId evaluation { success } } } } } } } }"""
BOOKS = """query Books($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
    partitionKeysByDimension { name partitionKeys } } } }"""
INSTIGATORS = """query Instigators($location: RepositorySelector!) {
    schedulesOrError(repositorySelector: $location) { ... on Schedules { results {
        name scheduleState { status } } } }
    sensorsOrError(repositorySelector: $location) { ... on Sensors { results {
        name sensorState { status } } } } }"""


@pytest.fixture(scope="module")
def backfilled(place: Place, page: Page) -> str:
    """Run of a backfill of three years that was launched from the page; its id."""
    place.add_book(demo_book(str(START), str(END)))
    page.wait("partition of the new book", lambda: BOOK in dimensions(page)["book"])
    market = launched(page, "ingest")
    page.wait("market data", lambda: ended(page, {"runIds": [market]}))
    asked = page.ask(
        BACKFILL,
        params={
            "assetSelection": [{"path": ["backtest", name]} for name in ASSETS],
            "partitionNames": [f"{BOOK}|{year}" for year in YEARS],
        },
    )["launchPartitionBackfill"]
    assert asked["__typename"] == "LaunchBackfillSuccess", asked
    backfill = asked["backfillId"]
    page.wait("end of the backfill", lambda: backfill_status(page, backfill) not in ("REQUESTED", ""))
    assert backfill_status(page, backfill) == "COMPLETED_SUCCESS"
    started = run_rows(page, {"tags": [{"key": "dagster/backfill", "value": backfill}]})
    assert [run["status"] for run in started] == ["SUCCESS"], "a range of years is one run"
    return str(started[0]["runId"])


def dimensions(page: Page) -> dict[str, list[str]]:
    found = page.ask(BOOKS, key={"path": ["backtest", "portfolio"]})["assetNodeOrError"]
    return {item["name"]: item["partitionKeys"] for item in found["partitionKeysByDimension"]}


def launched(page: Page, job: str) -> str:
    params = {"selector": {**LOCATION, "jobName": job}, "mode": "default"}
    answer = page.ask(LAUNCH, params=params)["launchRun"]
    assert answer["__typename"] == "LaunchRunSuccess", answer
    return str(answer["run"]["runId"])


def run_rows(page: Page, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.ask(RUNS, filter=wanted)["runsOrError"]["results"]
    return found


def ended(page: Page, wanted: dict[str, Any]) -> bool:
    status = {run["status"] for run in run_rows(page, wanted)}
    assert "FAILURE" not in status, page.said()
    return status == {"SUCCESS"}


def backfill_status(page: Page, backfill: str) -> str:
    found = page.ask(STATUS, id=backfill)["partitionBackfillOrError"]
    assert not found.get("error"), found["error"]
    return str(found["status"])


def test_one_run_covers_the_whole_range(place: Place, backfilled: str) -> None:
    decided = read(place.lake(), Portfolio).sort("session").collect()
    assert decided["session"].to_list() == sessions("XNYS", START, END)["session"].to_list()
    assert decided["book"].unique().to_list() == [BOOK]
    manifest = runs(place.lake()).filter(pl.col("run_id") == backfilled)
    assert set(manifest["step"]) == {"research", "desk/backfill", "reports"}
    assert set(manifest["first_session"]) == {START}
    assert set(manifest["last_session"]) == {END}
    orders = read(place.lake(), Orders).collect()
    assert orders.height > 50
    assert orders["session"].is_between(START, END).all()


def test_every_asset_is_materialised_once_a_year(page: Page, backfilled: str) -> None:
    for name in ASSETS:
        key = {"path": ["backtest", name]}
        events = page.ask(MATERIALISED, key=key)["assetNodeOrError"]["assetMaterializations"]
        assert sorted(event["partition"] for event in events) == [f"{BOOK}|{year}" for year in YEARS], name
        assert {event["runId"] for event in events} == {backfilled}


def test_the_page_tells_rows_versions_report_and_curve(place: Place, page: Page, backfilled: str) -> None:
    key = {"path": ["backtest", "performance"]}
    event = page.ask(MATERIALISED, key=key)["assetNodeOrError"]["assetMaterializations"][0]
    told = {entry["label"]: entry.get("intValue", entry.get("mdStr")) for entry in event["metadataEntries"]}
    rows = read(place.lake(), Performance).select(pl.len()).collect().item()
    assert told["dagster/row_count"] == told["rows_written"] == rows > 0
    assert (told["version_before"], told["version"]) == (told["version"] - 1, told["version"])
    assert told["report"].startswith(f"# Performance: {BOOK}")
    assert told["equity_curve"].startswith(f"![equity curve of {BOOK}](data:image/svg+xml;base64,")


@pytest.mark.parametrize(
    ("asset", "checks"),
    [
        ("portfolio", {"money_adds_up", "no_session_is_missing", "sessions_follow_each_other"}),
        ("fills", {"fills_have_approved_orders"}),
        ("order_events", {"executed_within_the_order"}),
    ],
)
def test_the_checks_of_the_run_passed(page: Page, backfilled: str, asset: str, checks: set[str]) -> None:
    found = page.ask(CHECKS, key={"path": ["backtest", asset]})["assetNodeOrError"]
    done = {
        check["name"]: check["executionForLatestMaterialization"]
        for check in found["assetChecksOrError"]["checks"]
    }
    assert set(done) == checks
    for name, execution in done.items():
        assert execution["evaluation"]["success"], name
        assert execution["runId"] == backfilled


def test_schedules_and_sensors_run_without_a_hand(page: Page) -> None:
    found = page.ask(INSTIGATORS, location=LOCATION)
    schedules = {s["name"]: s["scheduleState"]["status"] for s in found["schedulesOrError"]["results"]}
    sensors = {s["name"]: s["sensorState"]["status"] for s in found["sensorsOrError"]["results"]}
    names = ("after_close", "after_close_weekdays", "after_close_every_day", "weekly_upkeep")
    assert schedules == dict.fromkeys(names, "RUNNING")
    assert sensors == {"approved_orders": "RUNNING", "book_files": "RUNNING"}
