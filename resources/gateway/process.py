"""The gateway in a process of its own: start it, ask it, stop it."""

from __future__ import annotations

import json
import os
import secrets
import select
import socket
import subprocess
import sys
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from resources.gateway.settings import Settings
from trading.book import CostsConfig

HOST = "127.0.0.1"
_ADDRESS = "gateway.json"
_SETTINGS = "settings.json"
_LOG = "gateway.log"
_JOURNAL = "journal.jsonl"
_leashes: dict[Path, int] = {}
"""Open ends of the pipes whose closing, by the system at the latest, ends a gateway."""


class GatewayError(RuntimeError):
    """The gateway could not be started, is not running, or refused a command."""


@dataclass(frozen=True)
class Address:
    """Where a running gateway listens."""

    port: int
    control_port: int
    pid: int


class Control:
    """Connection to the control channel of a running gateway.

    Parameters
    ----------
    port : int
        Port of the channel.
    timeout : float
        Seconds that a command may take.
    """

    def __init__(self, port: int, timeout: float = 30.0) -> None:
        self._socket = socket.create_connection((HOST, port), timeout=timeout)
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Control:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
        self._socket.close()

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Carry out a command and return its answer.

        Raises
        ------
        GatewayError
            When the gateway refuses the command or goes away.
        """
        line = json.dumps({"command": command, **arguments}, default=str).encode() + b"\n"
        try:
            self._socket.sendall(line)
            text = self._file.readline()
        except OSError as error:
            raise GatewayError(f"gateway: {command} got no answer: {error}") from error
        if not text:
            raise GatewayError(f"gateway: {command} got no answer, the process has ended")
        answer: dict[str, Any] = json.loads(text)
        if not answer.get("ok"):
            raise GatewayError(f"gateway: {answer.get('error')}")
        return answer

    def wait_for_end(self) -> None:
        """Wait until the process has closed the channel, as it does when it ends."""
        try:
            while self._file.readline():
                pass
        except ConnectionError:
            return
        except OSError as error:
            raise GatewayError(f"gateway: the process has not ended: {error}") from error


def start(
    state: Path,
    settings: Settings | None = None,
    *,
    port: int | None = None,
    control_port: int | None = None,
    timeout: float = 30.0,
    leashed: bool = False,
    accounts: int = 1,
) -> Address:
    """Start a gateway and return once it listens.

    Parameters
    ----------
    state : Path
        Folder of its state; orders, executions and positions found there go on.
    settings : Settings, optional
        Configuration; what the folder was last started with by default.
    port, control_port : int, optional
        Ports to listen on, 0 for free ones; by default the last ones, or free ones.
    leashed : bool
        Let it end with this process, however that ends.
    accounts : int
        At least so many accounts, where settings are given.

    Raises
    ------
    GatewayError
        When it is running already or does not start.
    """
    if status(state) is not None:
        raise GatewayError(f"a gateway is running on {state} already; stop it first")
    state.mkdir(parents=True, exist_ok=True)
    if settings is not None:
        configure(state, settings, accounts)
    last = address(state)
    ports = (
        port if port is not None else (last.port if last else 0),
        control_port if control_port is not None else (last.control_port if last else 0),
    )
    reading, writing = os.pipe()
    leash, held = os.pipe() if leashed else (-1, -1)
    with (state / _LOG).open("ab") as log:
        given = (str(number) for number in (*ports, writing, leash))
        command = [sys.executable, "-m", "resources.gateway", str(state), *given]
        process = subprocess.Popen(  # noqa: S603 - our own module
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[writing, leash] if leashed else [writing],
            start_new_session=True,
            cwd=_project(),
        )
    os.close(writing)
    if leashed:
        os.close(leash)
        _let_go(state)
        _leashes[state] = held
    with os.fdopen(reading, "rb") as pipe:
        ready, _, _ = select.select([pipe], [], [], timeout)
        text = pipe.readline() if ready else b""
    if not text:
        process.kill()
        process.wait()
        _let_go(state)
        raise GatewayError(f"the gateway did not start: {_last_line(state / _LOG)}; see {state / _LOG}")
    return Address(**json.loads(text))


def configure(state: Path, settings: Settings, accounts: int = 1) -> None:
    """Write down what the gateway of a state folder is started with.

    A folder keeps the names of its accounts; more of them may be added. A new one gets a name that no other
    has: a desk that met two accounts of one name would take the executions of the one for those of the other.
    """
    state.mkdir(parents=True, exist_ok=True)
    new = not (state / _JOURNAL).exists() and not (state / _SETTINGS).exists()
    known = f"SIM{secrets.token_hex(4).upper()}" if new else settings_of(state).account
    names = (settings.account or known).split(",")
    names += [f"{names[0]}{number}" for number in range(len(names) + 1, accounts + 1)]
    account = ",".join(names) if any(names) else ""
    _write(state / _SETTINGS, settings_to_json(replace(settings, account=account)))


def stop(state: Path, timeout: float = 30.0) -> bool:
    """Stop the gateway of a state folder and wait for its end; whether one was running."""
    control = _connect(state, timeout)
    if control is None:
        return False
    with control:
        control.ask("stop")
        control.wait_for_end()
    _let_go(state)
    return True


def status(state: Path, timeout: float = 5.0) -> dict[str, Any] | None:
    """What the gateway of a state folder says about itself; None when none is running."""
    control = _connect(state, timeout)
    if control is None:
        return None
    with control:
        try:
            return control.ask("status")
        except GatewayError:
            return None  # it ended, or is frozen, while it was asked


def control(state: Path, timeout: float = 30.0) -> Control:
    """Control channel of the gateway of a state folder.

    Raises
    ------
    GatewayError
        When none is running.
    """
    channel = _connect(state, timeout)
    if channel is None:
        raise GatewayError(f"no gateway is running on {state}; start one first")
    return channel


def address(state: Path) -> Address | None:
    """Where the gateway of a state folder listens, or listened last."""
    try:
        return Address(**json.loads((state / _ADDRESS).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def publish(state: Path, where: Address) -> None:
    """Write down where a gateway listens."""
    _write(state / _ADDRESS, json.dumps(asdict(where)))


def settings_to_json(settings: Settings) -> str:
    """Settings as JSON."""
    content = {field.name: getattr(settings, field.name) for field in fields(settings)}
    content["costs"] = settings.costs.model_dump(mode="json")
    content["start"] = settings.start.isoformat() if settings.start else None
    return json.dumps(content, indent=1)


def settings_of(state: Path) -> Settings:
    """Settings that a state folder was last started with, defaults where there are none."""
    try:
        content = json.loads((state / _SETTINGS).read_text())
    except FileNotFoundError:
        return Settings()
    content["costs"] = CostsConfig.model_validate(content["costs"])
    content["start"] = datetime.fromisoformat(content["start"]) if content["start"] else None
    return Settings(**content)


def _let_go(state: Path) -> None:
    held = _leashes.pop(state, None)
    if held is not None:
        os.close(held)


def _connect(state: Path, timeout: float) -> Control | None:
    where = address(state)
    if where is None or not _alive(where.pid):
        return None
    try:
        return Control(where.control_port, timeout)
    except OSError:
        return None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _project() -> str:
    return str(Path(__file__).resolve().parents[2])


def _write(path: Path, text: str) -> None:
    """Write a text whole or not at all; a gateway without a lake starts without the tables' packages."""
    draft = path.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(path)


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines() if path.exists() else []
    return lines[-1] if lines else "it ended without a word"
