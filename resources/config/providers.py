"""Checks of the providers that a desk names and of their settings, against the providers themselves."""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from resources import providers
from resources.config.keys import plain
from resources.config.problems import Source, explained, line, suggestion
from resources.providers import ENTRY_POINTS

Settings = dict[str, dict[str, Any]]
Order = Mapping[Any, Mapping[Any, tuple[str, ...]]]


def checked_providers(
    settings: Mapping[str, Mapping[str, Any]], order: Order, source: Source, root: Path
) -> tuple[Settings, list[str]]:
    """Settings with absolute folders, and what is wrong with names and settings.

    Only the providers that have settings are imported.

    Parameters
    ----------
    settings : mapping
        Table ``providers`` of the desk.
    order : mapping
        Table ``data.order`` of the desk.
    source : Source
        Where they came from.
    root : Path
        Folder that relative paths start from.
    """
    problems = list(_unknown_in(order, source))
    located: Settings = {}
    for name, table in settings.items():
        model = settings_model(name)
        if model is None:
            problems.append(line(source, ("providers", name), _no_such(name)))
            continue
        located[name] = _located(model, table, root)
        try:
            model.model_validate(located[name])
        except ValidationError as error:
            problems += explained(error, model, source, ("providers", name))
    return located, problems


def settings_model(name: str) -> type[BaseModel] | None:
    """Model of a provider's settings; None where there is no such provider."""
    module = f"{providers.__name__}.{name}"
    if name in _modules() and hasattr(importlib.import_module(module), "PROVIDER"):
        own: type[BaseModel] = importlib.import_module(module).PROVIDER.Settings
        return own
    for entry in entry_points(group=ENTRY_POINTS):
        if entry.name == name:
            foreign: type[BaseModel] = entry.load().Settings
            return foreign
    return None


def _unknown_in(order: Order, source: Source) -> Iterator[str]:
    modules = _modules()
    for asset_class, by_timeframe in order.items():
        for timeframe, names in by_timeframe.items():
            for position, name in enumerate(names):
                if name not in modules and not entry_points(group=ENTRY_POINTS, name=name):
                    path = ("data", "order", asset_class, timeframe, position)
                    yield line(source, path, _no_such(name))


def _no_such(name: str) -> str:
    from resources.providers.registry import available  # noqa: PLC0415 - imports every provider

    return f"no such provider{suggestion(name, sorted(available()))}"


def _modules() -> set[str]:
    """Files of the folder that may hold a provider, found without importing them."""
    return {info.name for info in pkgutil.iter_modules(providers.__path__)}


def _located(model: type[BaseModel], table: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """Settings whose folders and files are absolute."""
    paths = {name for name, field in model.model_fields.items() if plain(field.annotation) is Path}
    return {
        name: os.path.normpath(root / Path(value).expanduser())
        if name in paths and isinstance(value, str)
        else value
        for name, value in table.items()
    }
