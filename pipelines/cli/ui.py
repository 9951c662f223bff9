"""``desk ui``: the Dagster page and daemon of this desk."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli import context
from pipelines.cli.exits import RefusedError

if TYPE_CHECKING:
    from resources.config import DeskConfig

app = typer.Typer()

INSTANCE = Path(__file__).with_name("dagster.yaml")
"""Settings of the Dagster instance, copied to a new home."""

WORKSPACE = "workspace.yaml"


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port of the page.", min=1, max=65535)] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Start the Dagster page and daemon; Ctrl-C stops both."""
    desk = context.desk()
    environment = dagster_environment(desk)
    _refuse_used(host, port)
    typer.echo(f"http://{host}:{port} (Dagster home {desk.dagster_home}); Ctrl-C stops", err=True)
    sys.stderr.flush()
    command = [sys.executable, "-m", "dagster", "dev", *_target(), "-h", host, "-p", str(port)]
    os.execve(sys.executable, command, environment)  # noqa: S606 - our own interpreter, no shell


def dagster_environment(desk: DeskConfig) -> dict[str, str]:
    """Environment of a Dagster process of this desk; its home is made when it does not exist."""
    home = Path(desk.dagster_home)
    settings = home / "dagster.yaml"
    if not settings.exists():
        from delta.whole_files import write_text

        write_text(settings, INSTANCE.read_text(encoding="utf-8"))
    return {**os.environ, **context.environment(), "DAGSTER_HOME": str(home)}


def _target() -> list[str]:
    """What Dagster loads: the workspace file of the folder, else the installed package."""
    return ["-w", WORKSPACE] if Path(WORKSPACE).is_file() else ["-m", "pipelines.definitions"]


def _refuse_used(host: str, port: int) -> None:
    """Refuse a port that another program listens on."""
    import socket

    with socket.socket() as probe:
        probe.settimeout(0.5)
        if probe.connect_ex((host, port)) == 0:
            raise RefusedError(f"{host}:{port} is in use by another program; choose another with --port")
