"""``desk init``: a folder with the desk's file and the shipped books, to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.exits import MissingError, RefusedError

app = typer.Typer()

PLACES = (Path(__file__).with_name("shipped"), Path(__file__).parents[2] / "config")
"""Where the shipped files are: in an installed package, and in a checkout."""


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the desk; made when it does not exist.")] = Path(),
) -> None:
    """Write config/desk.toml and the shipped books into a folder; nothing there is overwritten."""
    from delta.whole_files import write_text

    source = next((place for place in PLACES if (place / "desk.toml").is_file()), None)
    if source is None:
        raise MissingError("the shipped configuration is not part of this installation; install it again")
    target = folder / "config"
    files = [source / "desk.toml", *sorted((source / "books").glob("*.toml"))]
    taken = [target / file.relative_to(source) for file in files]
    if there := [str(file) for file in taken if file.exists()]:
        raise RefusedError(f"{', '.join(there)} exist already; choose another folder or remove them")
    for file, copy in zip(files, taken, strict=True):
        write_text(copy, file.read_text(encoding="utf-8"))
        typer.echo(f"wrote {copy}")
    typer.echo("next: desk doctor, desk demo; docs/configuration.md explains every key", err=True)
