"""The commands by name, each with the module that holds it, imported when the command is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

import typer
from typer.core import TyperGroup

GROUPS = ("book", "data", "gateway")
"""Modules that are one command with commands below it."""
MODULES = {
    "init": ("init",),
    "demo": ("demo",),
    "running": ("backtest", "run"),
    "paper": ("validate", "paper"),
    "decisions": ("explain", "replay", "report"),
    "orders": ("reconcile", "orders"),
    "halts": ("halt", "resume"),
    "research": ("scan", "analyze"),
    "tables": ("query", "history", "diff", "export", "maintain"),
    "doctor": ("doctor",),
    "ui": ("ui",),
}
"""Commands of each other module, in the order of the help."""
PLACES = {**{name: name for name in GROUPS}, **{name: at for at, names in MODULES.items() for name in names}}
"""Module of each command."""


class Commands(Mapping[str, Any]):
    """The commands, read like a dictionary; only what is looked up is imported and built.

    Building all of them takes longer than most commands take.
    """

    def __init__(self) -> None:
        self._built: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._built:
            self._built |= _commands_of(PLACES[name])
        return self._built[name]

    def __iter__(self) -> Iterator[str]:
        return iter(PLACES)

    def __len__(self) -> int:
        return len(PLACES)


def _commands_of(module: str) -> Mapping[str, Any]:
    holder = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    found = importlib.import_module(f"pipelines.cli.{module}").app
    holder.add_typer(found, name=module if module in GROUPS else None)
    return typer.main.get_group(holder).commands


class Program(TyperGroup):
    """The program ``desk``: a group whose commands are :class:`Commands`."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**{**attributes, "commands": Commands()})
