"""``DESK_*`` variables: any key of the desk's file as ``DESK_`` and its path, tables joined by ``__``.

``DESK_LAKE`` is ``lake``, ``DESK_BROKER__PORT`` is ``broker.port``. A list is written as JSON or with
commas. ``DESK_CONFIG`` names the file itself; ``DAGSTER_HOME`` counts as ``dagster_home``.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any, get_origin

from pydantic import BaseModel

from resources.config.keys import NAME, Key, keys
from resources.config.substitution import Path

PREFIX = "DESK_"
CONFIG = "DESK_CONFIG"
ALIASES = {"DAGSTER_HOME": "DESK_DAGSTER_HOME"}
"""Variables of other programs that count unless the desk's own is set."""

_SEPARATOR = "__"
_TYPO = 0.85


def overrides(model: type[BaseModel], environment: Mapping[str, str]) -> dict[Path, tuple[str, Any]]:
    """Values that the environment sets: path -> (variable, value)."""
    known = list(keys(model))
    found: dict[Path, tuple[str, Any]] = {}
    for variable, name in _variables(environment).items():
        for key in known:
            path = _match(key, name.removeprefix(PREFIX).split(_SEPARATOR))
            if path is not None:
                found[path] = (variable, _value(key, environment[variable]))
    return found


def _variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that may set a key, each with its name in the desk's own form; an empty one sets nothing."""
    own = {name: name for name, text in environment.items() if text and name.startswith(PREFIX)}
    own.pop(CONFIG, None)
    other = {name: own_name for name, own_name in ALIASES.items() if environment.get(name)}
    return {name: own_name for name, own_name in other.items() if own_name not in own} | own


def _match(key: Key, parts: list[str]) -> Path | None:
    """Path of a key that a variable's parts name; parts under a free table are lower-cased."""
    free = get_origin(key.annotation) is dict
    if len(parts) < len(key.path) or (len(parts) > len(key.path) and not free):
        return None
    for part, name in zip(parts, key.path, strict=False):
        if name != NAME and part != name.upper():
            return None
    fixed = [part.lower() if name == NAME else name for part, name in zip(parts, key.path, strict=False)]
    return (*fixed, *(part.lower() for part in parts[len(key.path) :]))


def _value(key: Key, text: str) -> Any:
    """Value of a variable: lists from JSON or commas, the rest is left to the model."""
    if get_origin(key.annotation) not in (tuple, list, dict):
        return text
    if text.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return text
    return (
        [part.strip() for part in text.split(",") if part.strip()]
        if get_origin(key.annotation) is not dict
        else text
    )


def overlay(content: Mapping[str, Any], values: Mapping[Path, tuple[str, Any]]) -> dict[str, Any]:
    """Content with the values of the environment laid over it."""
    result = dict(content)
    for path, (_, value) in values.items():
        table = result
        for part in path[:-1]:
            inner = table.get(str(part))
            table[str(part)] = table = dict(inner) if isinstance(inner, dict) else {}
        table[str(path[-1])] = value
    return result


def misspelt(model: type[BaseModel], environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that look like a misspelt one of ours: name -> what was probably meant."""
    plain = {PREFIX + _SEPARATOR.join(key.path).upper() for key in keys(model) if NAME not in key.path}
    names = sorted(plain | {CONFIG})
    taken = {variable for variable, _ in overrides(model, environment).values()} | {CONFIG}
    unknown = [name for name in environment if name.startswith(PREFIX) and name not in taken]
    close = {name: difflib.get_close_matches(name, names, n=1, cutoff=_TYPO) for name in unknown}
    return {name: matches[0] for name, matches in close.items() if matches}
