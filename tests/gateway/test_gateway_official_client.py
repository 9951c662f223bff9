"""The broker's own old client library, at version 157, as an independent reader of the protocol."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import venv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from resources.gateway.market.prices import Tape

VERSION = "9.81.1.post1"
PROGRAM = Path(__file__).with_name("official_client.py")


@pytest.fixture(scope="module")
def python() -> Path:
    """Interpreter of an environment that has the library; made once and kept in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "deltadesk"
    folder = cache / f"ibapi-{VERSION}-{sys.version_info.major}.{sys.version_info.minor}"
    interpreter = folder / "bin" / "python"
    if not (folder / "ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        done = subprocess.run(
            [
                interpreter,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--retries",
                "0",
                "--timeout",
                "10",
                f"ibapi=={VERSION}",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"ibapi {VERSION} cannot be installed here: {done.stderr.strip()[-200:]}")
        (folder / "ready").touch()
    return interpreter


def test_the_old_official_client_reads_and_trades_at_157(play, python):
    tape = Tape()
    days = range(2, 31)
    tape.add(
        {
            "symbol": "AAPL",
            "session": f"2024-01-{day:02d}",
            "open": 99.5,
            "high": 101.25,
            "low": 98,
            "close": 100,
            "volume": 1000.5,
        }
        for day in days
    )

    async def scenario(desk):
        await desk.market(AAPL=100.0)
        process = await asyncio.create_subprocess_exec(
            str(python),
            str(PROGRAM),
            str(desk.gateway.port),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()[-2000:]
        answer = json.loads(output)
        seen = answer["seen"]
        assert answer["version"] == 157
        failures = [row for row in seen["error"] if row[1] not in {2104, 2106, 2158, 202}]
        assert failures == []
        assert len(seen["historicalData"]) == len(days)
        assert seen["historicalData"][0][1]["volume"] == 1000
        assert seen["contractDetails"][0][1]["longName"] == "Apple Inc"
        [execution] = [row for row in seen["execDetails"] if row[0] == -1]
        assert (execution[2]["shares"], execution[2]["price"], execution[2]["orderRef"]) == (
            10.0,
            100.0,
            "market",
        )
        opened = {row[0]: row for row in seen["openOrder"]}
        first = seen["nextValidId"][0][0]
        assert opened[first + 4][2]["conditions"][0]["price"] == 500.0
        assert opened[first + 5][2]["algoStrategy"] == "Twap"
        assert opened[first + 6][2]["trailingPercent"] == 5.0
        assert float(opened[first + 7][3]["initMarginChange"]) == 500.0
        assert {row[1] for row in seen["orderStatus"] if row[0] == first + 3} >= {"PreSubmitted", "Cancelled"}
        assert {row[2]["status"] for row in seen["completedOrder"]} == {"Filled", "Cancelled"}
        cash = [row[3] for row in seen["accountSummary"] if row[2] == "TotalCashValue"]
        assert (cash[0], cash[-1]) == ("1000000.00", "999000.00"), "the summary goes on as cash changes"
        assert not (await desk.do("status"))["refused_frames"]

    play(scenario, tape=tape, start=datetime(2024, 1, 31, 15, 0, tzinfo=UTC))
