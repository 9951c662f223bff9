"""One line a problem: file, dotted path, value as written, what is allowed, and the likely meaning."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from resources.config.errors import ConfigError
from resources.config.keys import allowed, at, fields_of, is_model, keys, unwrapped
from resources.config.substitution import Path, is_reference

M = TypeVar("M", bound=BaseModel)

SECRET = re.compile(
    r"(^|_)(api_?key|key_id|secret|token|password|passphrase|webhook|urls?|mail_server)$|_key$"
)
"""Names of keys whose values are never shown."""

_KEY = "[key]"
"""Ends the path of an error that is about a key instead of a value."""

_LONGEST = 60
_LARGEST_SHARE = 10
"""Keys that are limited to at most this are shares, in which 8 % is 0.08."""


@dataclass(frozen=True)
class Source:
    """Where a content came from, for messages.

    Attributes
    ----------
    file : str
        File, as the user named it.
    written : mapping
        Content before substitution, whose values are shown.
    variables : mapping of path to str
        Environment variable that a value was taken from instead of the file.
    unresolved : mapping of path to str
        References that could not be replaced.
    """

    file: str
    written: Mapping[str, Any]
    variables: Mapping[Path, str] = field(default_factory=dict)
    unresolved: Mapping[Path, str] = field(default_factory=dict)


def validated(model: type[M], content: Mapping[str, Any], source: Source) -> M:
    """Model of a content.

    Raises
    ------
    ConfigError
        With every problem of the content and every unresolved reference.
    """
    lines = [line(source, path, problem) for path, problem in source.unresolved.items()]
    try:
        result = model.model_validate(content)
    except ValidationError as error:
        lines += [text for text in explained(error, model, source) if text not in lines]
        raise ConfigError(lines) from None
    if lines:
        raise ConfigError(lines)
    return result


def explained(
    error: ValidationError, model: type[BaseModel], source: Source, prefix: Path = ()
) -> Iterator[str]:
    """Lines of a validation error; values that an unresolved reference left behind are passed over.

    Parameters
    ----------
    error : ValidationError
        What the model said.
    model : type of BaseModel
        The model.
    source : Source
        Where the content came from.
    prefix : path
        Where in the source the content of the model lies.
    """
    for item in error.errors(include_url=False):
        path = item["loc"]
        if _KEY in path:
            path = path[: path.index(_KEY)]
            yield line(source, prefix + path, f"the key must be {_allowed_keys(model, path)}")
        elif prefix + path not in source.unresolved:
            yield line(source, prefix + path, problem_of(item, model, path))


def line(source: Source, path: Path, problem: str) -> str:
    """One problem as one line."""
    variable = source.variables.get(path)
    if variable is not None:
        return f"environment: {variable}: {problem}"
    if not path:
        return f"{source.file}: {problem}"
    return f"{source.file}: {dotted(path)}{_shown(source.written, path)}: {problem}"


def problem_of(item: Mapping[str, Any], model: type[BaseModel], path: Path) -> str:
    """What is wrong with one value and what is allowed instead."""
    kind, message = item["type"], str(item["msg"])
    if kind == "extra_forbidden":
        return unknown_key(model, path)
    if kind in ("value_error", "assertion_error"):
        return message.partition(", ")[2] or message
    found = at(model, path)
    expected = allowed(*found) if found else message
    if kind == "missing":
        return f"missing; must be {expected}"
    share = _percent(item.get("input"), found[1]) if found and found[0] is float else ""
    return f"must be {expected}{share}"


def _allowed_keys(model: type[BaseModel], path: Path) -> str:
    """What the keys of the table that holds a path may be."""
    table = at(model, path[:-1])
    return allowed(*unwrapped(get_args(table[0])[0])) if table else "another one"


def unknown_key(model: type[BaseModel], path: Path) -> str:
    """Answer to a key that the model does not have."""
    owner = at(model, path[:-1])
    here = sorted(fields_of(owner[0])) if owner and is_model(owner[0]) else []
    return "unknown key" + suggestion(str(path[-1]), here, elsewhere=model)


def suggestion(name: str, choices: list[str], elsewhere: type[BaseModel] | None = None) -> str:
    """What was probably meant, or all that is allowed."""
    close = difflib.get_close_matches(name, choices, n=1)
    if close:
        return f"; did you mean {close[0]}?"
    if elsewhere is not None:
        same = [key.dotted for key in keys(elsewhere) if key.path[-1] == name]
        if same:
            return f"; did you mean {same[0]}?"
    return f"; allowed: {', '.join(choices)}" if choices else ""


def dotted(path: Path) -> str:
    """Path as the user writes it: ``strategies.momentum.params``, ``symbols[0]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text


def _percent(value: Any, limits: tuple[Any, ...]) -> str:
    """Hint for 8 where 0.08 is meant."""
    bounds = [getattr(limit, "le", getattr(limit, "lt", None)) for limit in limits]
    share = any(isinstance(bound, int | float) and bound <= _LARGEST_SHARE for bound in bounds)
    if share and isinstance(value, int | float) and 1 < value <= 100:
        return f" ({value:g} % is written {value / 100:g})"
    return ""


def _shown(written: Mapping[str, Any], path: Path) -> str:
    """Value as the file has it; a reference stays a reference, and a secret is never shown."""
    value: Any = written
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return ""
    if isinstance(value, dict | list):
        return ""
    if any(SECRET.search(str(part)) for part in path) and not is_reference(value):
        return " = ***"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return f" = {text if len(text) <= _LONGEST else text[: _LONGEST - 3] + '...'}"
