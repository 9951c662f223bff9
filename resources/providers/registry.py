"""Providers by name: every module of this folder with a ``PROVIDER``, and the entry points of others.

A new provider is a single file here, or a class that another package announces in the entry point group
``desk.providers``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from pydantic import ValidationError

from resources import providers
from resources.providers import ENTRY_POINTS
from resources.providers.base import Provider, ProviderError, UnknownProvider


def available() -> dict[str, type[Provider]]:
    """Every provider class by name; imports all of them.

    Raises
    ------
    ProviderError
        When two claim one name.
    """
    found: dict[str, type[Provider]] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(providers.__path__)):
        _add(found, _in_folder(module))
    for entry in entry_points(group=ENTRY_POINTS):
        _add(found, entry.load())
    return found


def provider(name: str, settings: Mapping[str, Any] | None = None) -> Provider:
    """Construct a provider from its settings.

    Parameters
    ----------
    name : str
        Name of the provider, as in the column ``source``.
    settings : mapping, optional
        Its section of the configuration.

    Raises
    ------
    ProviderError
        When the name is unknown, or a setting is unknown, missing or wrong.
    """
    chosen = _find(name)
    try:
        checked = chosen.Settings.model_validate(dict(settings or {}))
    except ValidationError as error:
        problems = ", ".join(
            f"{'.'.join(map(str, item['loc'])) or 'settings'}: {item['msg']}" for item in error.errors()
        )
        allowed = ", ".join(chosen.Settings.model_fields) or "none"
        raise ProviderError(name, f"bad settings: {problems}", remedy=f"settings are {allowed}") from error
    return chosen(checked)


def _find(name: str) -> type[Provider]:
    """Class of a provider; only its own module is imported when the file has the provider's name."""
    if name in {info.name for info in pkgutil.iter_modules(providers.__path__)}:
        chosen = _in_folder(name)
        if chosen is not None and chosen.name == name:
            return chosen
    found = available()
    if name not in found:
        raise UnknownProvider(name, "no such provider", remedy=f"choose one of {', '.join(sorted(found))}")
    return found[name]


def _in_folder(module: str) -> type[Provider] | None:
    chosen: type[Provider] | None = getattr(
        importlib.import_module(f"{providers.__name__}.{module}"), "PROVIDER", None
    )
    return chosen


def _add(found: dict[str, type[Provider]], chosen: type[Provider] | None) -> None:
    if chosen is None:
        return
    other = found.setdefault(chosen.name, chosen)
    if other is not chosen:
        raise ProviderError(
            chosen.name,
            f"both {other.__module__} and {chosen.__module__} claim the name",
            remedy="rename one of them",
        )
