"""Whether a provider could be asked now: settings, key, package, and an answer of its address."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from resources.keys import Key
from resources.providers.base import ProviderError
from resources.providers.registry import provider

READY = "ready"
UNASKED = "not asked"
"""State of a provider that nothing here keeps from being asked, and that was not looked at."""
AT_ONCE = 8


def health(name: str, settings: Mapping[str, Any], *, look: bool = True) -> str:
    """State of a provider in a few words; ``ready`` of one that needs nothing but its files.

    A provider on the web or behind a gateway says more by its method ``health``: it looks whether somebody
    answers, with a short limit and without asking for data. Without ``look`` nobody is asked: settings, key
    and package alone are told.
    """
    try:
        made = provider(name, settings)
        if made.capabilities.needs_key is not None:
            Key(made.capabilities.needs_key).read(name)
        own = getattr(made, "health", None)
        if own is None:
            return READY
        return str(own()) if look else UNASKED
    except ProviderError as error:
        return str(error).removeprefix(f"{name}: ")


def healths(
    settings: Mapping[str, Mapping[str, Any]], names: Iterable[str], looked_at: Container[str] | None = None
) -> dict[str, str]:
    """State of several providers at the same time; only those to be looked at (None: all) are asked."""
    asked = list(names)

    def one(name: str) -> str:
        look = looked_at is None or name in looked_at
        return health(name, settings.get(name, {}), look=look)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = pool.map(one, asked)
        return dict(zip(asked, told, strict=True))
