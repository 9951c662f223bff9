"""Reading a TOML or YAML file into plain mappings; a malformed file is refused with line and column."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from resources.config.errors import ConfigError

SUFFIXES = (".toml", ".yaml", ".yml")
"""Endings of the files that are read as configuration."""

_TOML_POSITION = re.compile(
    r"^(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$"
)


def read_mapping(path: Path) -> dict[str, Any]:
    """Content of a configuration file.

    Raises
    ------
    ConfigError
        The file is missing, unreadable, malformed (``file:line:column``) or not a table of keys.
    """
    text = _text(path)
    return _toml(path, text) if path.suffix == ".toml" else _yaml(path, text)


def _text(path: Path) -> str:
    if path.suffix not in SUFFIXES:
        raise ConfigError([f"{path}: a configuration file ends in {', '.join(SUFFIXES)}"])
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError([f"{path}: no such file"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: not UTF-8 text at byte {error.start}"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None


def _toml(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _TOML_POSITION.match(str(error))
        what = found["what"] if found else str(error)
        if found and found["line"]:
            raise ConfigError([f"{path}:{found['line']}:{found['column']}: malformed TOML: {what}"]) from None
        last = text.splitlines() or [""]
        raise ConfigError([f"{path}:{len(last)}:{len(last[-1]) + 1}: malformed TOML: {what}"]) from None


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a key given twice, or a key that is not text, is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise _marked(f"the key {key_node.value!r} must be text: put it in quotes", key_node)
            if key in seen:
                raise _marked(f"the key {key!r} is given twice", key_node)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _marked(problem: str, node: yaml.Node) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _yaml(path: Path, text: str) -> dict[str, Any]:
    try:
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise ConfigError([f"{path}{where}: malformed YAML: {error.problem or error.context}"]) from None
    except yaml.YAMLError as error:
        raise ConfigError([f"{path}: malformed YAML: {' '.join(str(error).split())}"]) from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError([f"{path}: must hold keys and values, not a {type(content).__name__}"])
    return content
