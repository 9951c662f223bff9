"""``desk doctor`` and ``desk ui``: is everything in place, and the Dagster home of the desk."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
import yaml

from delta import create_lake
from pipelines.cli import context
from pipelines.cli.ui import INSTANCE, dagster_environment
from resources.config import load_desk
from tests.full_disk import no_room_beyond

from .conftest import Desk


def findings(desk: Desk, code: int, **variables: str) -> dict[str, dict[str, str]]:
    done = desk("doctor", "--json", **variables)
    assert done.returncode == code, done.stdout
    return {found["subject"]: found for found in json.loads(done.stdout)}


def test_a_new_folder_works_and_is_left_alone(desk: Desk, tmp_path: Path) -> None:
    found = findings(desk, 0)
    assert {subject: one["state"] for subject, one in found.items()} == {
        "python": "ok",
        "packages": "ok",
        "configuration": "ok",
        "lake": "warning",
        "books": "warning",
        "provider sample": "ok",
        "dagster home": "warning",
    }
    assert all(one["remedy"] for one in found.values() if one["state"] == "warning")
    assert list(tmp_path.iterdir()) == []


def test_a_lake_and_its_counterfeit(desk: Desk, tmp_path: Path) -> None:
    create_lake(tmp_path / "lake")
    assert findings(desk, 0)["lake"]["state"] == "ok"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine", encoding="utf-8")
    assert findings(desk, 1, DESK_LAKE="other")["lake"]["state"] == "failed"


def test_a_missing_key_a_misspelt_variable_and_a_broken_book(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "config" / "books").mkdir(parents=True)
    (tmp_path / "config" / "desk.toml").write_text(
        '[data.order]\nstock = { default = ["tiingo"] }\n', encoding="utf-8"
    )
    (tmp_path / "config" / "books" / "a.toml").write_text("x = ", encoding="utf-8")
    found = findings(desk, 1, DESK_LAEK="x", TIINGO_API_KEY="")
    assert found["provider tiingo"]["found"] == "TIINGO_API_KEY is not set"
    assert found["environment"]["remedy"] == "did you mean DESK_LAKE?"
    assert "malformed TOML" in found["books"]["found"]
    assert findings(desk, 1, TIINGO_API_KEY="s3cret")["provider tiingo"]["found"] == "TIINGO_API_KEY is set"


def test_a_broken_desk_file_is_a_finding(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "desk.toml").write_text("lakee = 1\n", encoding="utf-8")
    assert "did you mean lake?" in findings(desk, 1)["configuration"]["found"]


def test_the_page_refuses_a_used_port(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = desk("ui", "--port", str(port))
    assert done.returncode == 5
    assert done.stderr == f"desk: 127.0.0.1:{port} is in use by another program; choose another with --port\n"


def test_the_dagster_home_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    context.remember(Path("config/desk.toml"), "lake2")
    desk = load_desk(None, {})
    environment = dagster_environment(desk)
    assert environment["DAGSTER_HOME"] == str(tmp_path / ".dagster")
    assert environment["DESK_LAKE"] == "lake2"
    assert environment["DESK_CONFIG"] == str(tmp_path / "config" / "desk.toml")
    settings = tmp_path / ".dagster" / "dagster.yaml"
    assert settings.read_text(encoding="utf-8") == INSTANCE.read_text(encoding="utf-8")
    settings.write_text("# mine\n", encoding="utf-8")
    dagster_environment(desk)
    assert settings.read_text(encoding="utf-8") == "# mine\n"
    context.remember(None, None)


def test_half_a_dagster_home_is_never_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty file of settings would be kept for ever, and Dagster would report home."""
    monkeypatch.chdir(tmp_path)
    desk = load_desk(None, {})
    with no_room_beyond(16), pytest.raises(OSError, match="File too large"):
        dagster_environment(desk)
    assert not (tmp_path / ".dagster" / "dagster.yaml").exists()
    dagster_environment(desk)
    written = (tmp_path / ".dagster" / "dagster.yaml").read_text(encoding="utf-8")
    assert written == INSTANCE.read_text(encoding="utf-8")


def test_the_shipped_instance_serialises_pools_by_step() -> None:
    settings = yaml.safe_load(INSTANCE.read_text(encoding="utf-8"))
    assert settings["telemetry"] == {"enabled": False}
    assert settings["concurrency"]["pools"] == {"default_limit": 1, "granularity": "op"}
    assert settings["run_monitoring"]["enabled"] is True


def test_a_folder_to_start_from(desk: Desk, tmp_path: Path) -> None:
    done = desk("init")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "wrote config/desk.toml")
    assert {"momentum.toml", "momentum-demo.toml"} <= {
        file.name for file in (tmp_path / "config/books").iterdir()
    }
    assert findings(desk, 0)["books"]["state"] == "ok"
    again = desk("init")
    assert (again.returncode, again.stdout) == (5, "")
    assert again.stderr.startswith("desk: config/desk.toml, config/books/")
    assert desk("init", "other").returncode == 0
    assert (tmp_path / "other" / "config" / "desk.toml").is_file()
