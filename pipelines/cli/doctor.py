"""``desk doctor``: is everything in place, and what to do where it is not."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from pipelines.cli import context
from pipelines.cli.exits import Exit
from pipelines.cli.forms import AsJson

if TYPE_CHECKING:
    from resources.config import DeskConfig

app = typer.Typer()

State = Literal["ok", "warning", "failed"]
SUPPORTED = ((3, 11), (3, 14))
"""First supported version of Python, and the first that is not."""


@dataclass(frozen=True)
class Finding:
    """One line of the examination.

    Attributes
    ----------
    subject : str
        What was looked at.
    state : str
        ``ok``, ``warning`` (the desk works without) or ``failed``.
    found : str
        What is there.
    remedy : str
        What to do; empty when nothing is.
    """

    subject: str
    state: State
    found: str
    remedy: str = ""


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check Python, packages, configuration, lake, books, providers and the Dagster home."""
    from pipelines.cli.output import print_json

    findings = list(examine())
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            _print(finding)
    if any(finding.state == "failed" for finding in findings):
        raise typer.Exit(Exit.FAILED)


def examine() -> Iterator[Finding]:
    """All findings; nothing is changed."""
    from resources.config import ConfigError

    yield _python()
    yield _packages()
    try:
        desk = context.desk()
    except ConfigError as error:
        for problem in error.problems:
            yield Finding("configuration", "failed", problem, "correct the file or the variable")
        return
    yield _configuration()
    yield from _variables()
    yield _lake(desk)
    yield from _books(desk)
    yield from _providers(desk)
    yield _dagster_home(desk)


def _python() -> Finding:
    found = ".".join(str(part) for part in sys.version_info[:3])
    first, after = SUPPORTED
    if first <= sys.version_info[:2] < after:
        return Finding("python", "ok", found)
    return Finding(
        "python", "failed", found, f"use Python {first[0]}.{first[1]} or later, before {after[0]}.{after[1]}"
    )


def _packages() -> Finding:
    """Whether what the project asks for is installed, read from metadata without importing anything."""
    from importlib.metadata import PackageNotFoundError, requires, version

    from packaging.requirements import Requirement

    wanted = [Requirement(text) for text in requires("deltadesk") or []]
    core = [item for item in wanted if item.marker is None or item.marker.evaluate({"extra": ""})]
    wrong = []
    for item in core:
        try:
            found = version(item.name)
        except PackageNotFoundError:
            wrong.append(f"{item.name} is missing")
            continue
        if not item.specifier.contains(found, prereleases=True):
            wrong.append(f"{item.name} {found} is not {item.specifier}")
    if wrong:
        return Finding("packages", "failed", "; ".join(wrong), "install from requirements.lock (make setup)")
    return Finding("packages", "ok", f"{len(core)} in the versions asked for")


def _configuration() -> Finding:
    from resources.config.desk import file_of

    file = file_of(context.config_file(), os.environ)
    if file is None:
        return Finding("configuration", "ok", "no config/desk.toml here or above: defaults are used")
    return Finding("configuration", "ok", str(file))


def _variables() -> Iterator[Finding]:
    from resources.config.desk import DeskConfig
    from resources.config.environment import misspelt

    for name, meant in misspelt(DeskConfig, os.environ).items():
        yield Finding("environment", "warning", f"{name} is not known", f"did you mean {meant}?")


def _lake(desk: DeskConfig) -> Finding:
    from delta.errors import LakeError, NotALakeError

    location = desk.lake
    if "://" not in location and not Path(location).exists():
        return Finding("lake", "warning", f"{location} does not exist yet", "the first ingest makes it")
    try:
        context.lake()
    except NotALakeError as error:
        return Finding("lake", "failed", str(error), "set lake in config/desk.toml or DESK_LAKE")
    except LakeError as error:
        return Finding("lake", "failed", str(error))
    return _writable("lake", Path(location)) if "://" not in location else Finding("lake", "ok", location)


def _books(desk: DeskConfig) -> Iterator[Finding]:
    from resources.config import ConfigError, load_books

    try:
        books = load_books(desk.books)
    except ConfigError as error:
        for problem in error.problems:
            yield Finding("books", "failed", problem, "correct the file")
        return
    if books:
        yield Finding("books", "ok", f"{desk.books}: {', '.join(books)}")
    else:
        yield Finding("books", "warning", f"no books in {desk.books}", "desk init writes the shipped ones")


def _providers(desk: DeskConfig) -> Iterator[Finding]:
    """Every provider in use: can it be set up, and is its key there?"""
    from resources.providers.base import ProviderError
    from resources.providers.registry import provider

    for name in desk.data.providers_in_use():
        try:
            key = provider(name, desk.settings(name)).capabilities.needs_key
        except ProviderError as error:
            yield Finding(f"provider {name}", "failed", str(error))
            continue
        if key and not os.environ.get(key):
            yield Finding(f"provider {name}", "failed", f"{key} is not set", f"export {key}=...")
        else:
            yield Finding(f"provider {name}", "ok", f"{key} is set" if key else "needs no key")


def _dagster_home(desk: DeskConfig) -> Finding:
    home = Path(desk.dagster_home)
    if not home.exists():
        return Finding("dagster home", "warning", f"{home} does not exist yet", "desk ui makes it")
    if not (home / "dagster.yaml").is_file():
        return Finding("dagster home", "warning", f"{home} has no dagster.yaml", "desk ui writes one")
    return _writable("dagster home", home)


def _writable(subject: str, folder: Path) -> Finding:
    if os.access(folder, os.W_OK):
        return Finding(subject, "ok", str(folder))
    return Finding(
        subject, "failed", f"{folder} cannot be written", "correct its permissions or choose another"
    )


_COLOURS: dict[State, str] = {"ok": "green", "warning": "yellow", "failed": "red"}


def _print(finding: Finding) -> None:
    colour = None if os.environ.get("NO_COLOR") else _COLOURS[finding.state]
    state = typer.style(f"{finding.state:8}", fg=colour) if colour else f"{finding.state:8}"
    typer.echo(
        f"{state} {finding.subject}: {finding.found}" + (f"; {finding.remedy}" if finding.remedy else "")
    )
