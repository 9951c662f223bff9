"""The command line in an environment of its own: by its entry function, or as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .shell import Shell, own_environment, walked

Desk = Callable[..., subprocess.CompletedProcess[str]]
PROGRAM = Path(sys.executable).with_name("desk")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Run a command by the program's entry function in an empty folder; most tests need no process.

    Variables of the caller that concern the desk are left out.
    """
    shell = Shell(tmp_path)

    def run(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        done = shell.desk(*arguments, stdin=stdin, **variables)
        return subprocess.CompletedProcess(arguments, done.code, done.out, done.err)

    return run


@pytest.fixture
def desk_process(tmp_path: Path) -> Desk:
    """Run the installed ``desk`` in an empty folder, as :func:`desk` does."""
    clean = own_environment()

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
