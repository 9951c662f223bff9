"""Whether a provider could be asked now: settings, key, package, and an answer of its address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from resources.keys import Key
from resources.providers.base import ProviderError
from resources.providers.registry import provider

READY = "ready"
AT_ONCE = 8


def health(name: str, settings: Mapping[str, Any]) -> str:
    """State of a provider in a few words; ``ready`` of one that needs nothing but its files.

    A provider on the web or behind a gateway says more by its method ``health``: it looks whether somebody
    answers, with a short limit and without asking for data.
    """
    try:
        made = provider(name, settings)
        if made.capabilities.needs_key is not None:
            Key(made.capabilities.needs_key).read(name)
        own = getattr(made, "health", None)
        return READY if own is None else str(own())
    except ProviderError as error:
        return str(error).removeprefix(f"{name}: ")


def healths(settings: Mapping[str, Mapping[str, Any]], names: Iterable[str]) -> dict[str, str]:
    """State of several providers, looked at at the same time."""
    asked = list(names)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = pool.map(lambda name: health(name, settings.get(name, {})), asked)
        return dict(zip(asked, told, strict=True))
