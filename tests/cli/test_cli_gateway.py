"""``desk gateway`` through the program: a real process on this machine, started, asked, disturbed, stopped."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.gateway import process
from resources.gateway.service.faults import NOTICES, SCENARIOS

from .conftest import PROGRAM, Desk


@pytest.fixture
def started(desk: Desk, tmp_path: Path) -> Iterator[dict[str, object]]:
    """A gateway in the desk's default folder, on a free port."""
    done = desk("gateway", "start", "--port", "0", "--capital", "5000", "--json")
    assert done.returncode == 0, done.stderr
    yield json.loads(done.stdout)
    process.stop(tmp_path / ".gateway")


def test_it_starts_beside_the_lake_on_the_loopback_address(
    desk: Desk, started: dict[str, object], tmp_path: Path
) -> None:
    assert started["state"] == str(tmp_path / ".gateway")
    assert started["host"] == "127.0.0.1"
    with socket.create_connection(("127.0.0.1", int(str(started["port"]))), timeout=5):
        pass
    found = json.loads(desk("gateway", "status", "--json").stdout)
    assert (found["running"], found["port"], found["orders"]) == (True, started["port"], 0)
    assert process.settings_of(tmp_path / ".gateway").capital == 5000.0
    with process.control(tmp_path / ".gateway") as control:
        assert control.ask("positions")["cash"] == {"USD": 5000.0}


def test_a_second_one_on_the_same_state_is_refused_in_one_line(
    desk: Desk, started: dict[str, object], tmp_path: Path
) -> None:
    for option in ((), ("--foreground",)):
        done = desk("gateway", "start", "--port", "0", *option)
        assert done.returncode == 5
        assert done.stderr.splitlines()[-1] == (
            f"desk: a gateway is running on {tmp_path / '.gateway'} already; stop it first"
        )


def test_a_login_of_several_accounts_keeps_them(desk: Desk, tmp_path: Path) -> None:
    state = tmp_path / "several"
    start = ("gateway", "start", "--port", "0", "--state", str(state), "--capital", "5000")
    known: list[str] = []
    for accounts in ("2", "3", "1"):
        done = desk(*start, "--accounts", accounts)
        assert done.returncode == 0, done.stderr
        names = process.settings_of(state).account.split(",")
        assert (len(names), names[: len(known)]) == (max(int(accounts), len(known)), known)
        known = names
        with process.control(state) as control:
            found = [control.ask("positions", account=name) for name in names]
            assert [row["cash"] for row in found] == [{"USD": 5000.0}] * len(names)
        process.stop(state)


def test_faults_come_into_force_and_are_cleared(
    desk: Desk, started: dict[str, object], tmp_path: Path
) -> None:
    done = desk("gateway", "fault", "rejected", "late_next_id", "--set", "times=2")
    assert (done.returncode, done.stdout) == (0, "in force: rejected, late_next_id\n")
    listed = json.loads(desk("gateway", "fault", "list", "--json").stdout)
    assert set(listed["known"]) == {*SCENARIOS, *NOTICES}
    assert [(one["on"], one["do"]) for one in listed["active"]] == [
        ("request", "reject"),
        ("start", "late_id"),
    ]
    assert desk("gateway", "fault", "connectivity_lost").returncode == 0
    assert desk("gateway", "fault", "clear").stdout == "no fault is in force any more\n"
    with process.control(tmp_path / ".gateway") as control:
        assert control.ask("faults")["active"] == []


def test_it_ends_when_told_and_ending_twice_is_no_error(desk: Desk, started: dict[str, object]) -> None:
    assert json.loads(desk("gateway", "stop", "--json").stdout)["stopped"] is True
    assert desk("gateway", "stop").stdout.startswith("no gateway is running on ")
    assert json.loads(desk("gateway", "status", "--json").stdout)["running"] is False


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("fault", "rejectd"), 3, "desk: no fault 'rejectd'; did you mean rejected"),
        (("fault", "rejected", "--set", "times"), 3, "desk: --set times: write KEY=VALUE"),
        (("fault", "rejected"), 5, "desk: no gateway is running on "),
        (("start", "--port", "70000"), 2, "desk: Invalid value for '--port'"),
        (("start", "--port", "0", "--book", "none"), 3, "desk: no book 'none'"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    desk: Desk, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = desk("gateway", *arguments)
    assert done.returncode == code
    assert done.stderr.startswith(said)
    assert len(done.stderr.splitlines()) == 1


def test_a_port_in_use_is_told(desk: Desk, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = desk("gateway", "start", "--port", str(port))
    assert done.returncode == 5
    assert "the gateway did not start" in done.stderr
    assert str(port) in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_foreground_stays_until_it_is_interrupted(tmp_path: Path) -> None:
    running = subprocess.Popen(
        [str(PROGRAM), "gateway", "start", "--port", "0", "--foreground"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    where = json.loads(running.stdout.readline())
    assert where["pid"] == running.pid
    assert process.status(tmp_path / ".gateway") is not None
    running.terminate()
    assert running.wait(20) == 0
    running.communicate()
