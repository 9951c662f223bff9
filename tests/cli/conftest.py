"""The command line through its real entry point, in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .shell import Shell, walked

Desk = Callable[..., subprocess.CompletedProcess[str]]
PROGRAM = Path(sys.executable).with_name("desk")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Run ``desk`` in an empty folder; variables of the caller that concern the desk are left out."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DESK_", "DAGSTER_")) and name not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")
    }

    def run(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(PROGRAM), *arguments],
            cwd=tmp_path,
            env=clean | variables,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def walked_shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A folder with two walked books; tests that write take a copy."""
    return walked(tmp_path_factory.mktemp("walked"))


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """An empty folder."""
    return Shell(tmp_path)


@pytest.fixture
def own_shell(walked_shell: Shell, tmp_path: Path) -> Shell:
    """The walked folder, to be written to."""
    return walked_shell.copy(tmp_path / "own")
