"""Reading a TOML or YAML file into plain mappings; a malformed file is refused with line and column."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

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
    if path.suffix == ".toml":
        return _toml(path, text)
    from resources.config.yaml_files import parsed  # noqa: PLC0415 - few desks have a YAML file

    return parsed(path, text)


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
