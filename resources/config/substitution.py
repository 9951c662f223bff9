"""Values from the environment inside a file: ``${NAME}`` and ``${NAME:-default}``; ``$${`` stays ``${``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Path = tuple[str | int, ...]

_REFERENCE = re.compile(
    r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|\$\{(?P<bad>[^}]*)\}?"
)


def substitute(content: Any, environment: Mapping[str, str]) -> tuple[Any, dict[Path, str]]:
    """Content with every reference replaced.

    Parameters
    ----------
    content : mappings, lists and values
        What a file holds; keys are left as they are.
    environment : mapping of str to str
        Variables.

    Returns
    -------
    tuple
        The new content, and what was wrong by path. A value with a problem stays as written.
    """
    problems: dict[Path, str] = {}
    return _walk(content, environment, (), problems), problems


def _walk(content: Any, environment: Mapping[str, str], path: Path, problems: dict[Path, str]) -> Any:
    if isinstance(content, dict):
        return {key: _walk(value, environment, (*path, key), problems) for key, value in content.items()}
    if isinstance(content, list):
        return [_walk(value, environment, (*path, i), problems) for i, value in enumerate(content)]
    if not isinstance(content, str):
        return content
    try:
        return _REFERENCE.sub(lambda match: _value(match, environment), content)
    except LookupError as error:
        problems[path] = str(error.args[0])
        return content


def _value(match: re.Match[str], environment: Mapping[str, str]) -> str:
    if match[0] == "$${":
        return "${"
    if match["bad"] is not None:
        raise LookupError("write ${NAME} or ${NAME:-default}; $${ stands for a plain ${")
    name, default = match["name"], match["default"]
    value = environment.get(name)
    if default is not None:
        return value or default
    if value is None:
        raise LookupError(f"the environment variable {name} is not set; set it or write ${{{name}:-default}}")
    return value


def is_reference(value: Any) -> bool:
    """Whether a value, as written in the file, is wholly taken from the environment."""
    return (
        isinstance(value, str) and (match := _REFERENCE.fullmatch(value)) is not None and bool(match["name"])
    )
