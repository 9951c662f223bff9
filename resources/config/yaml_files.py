"""YAML into plain mappings: a key is text and given once; a malformed file is refused with its line."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from resources.config.errors import ConfigError


def parsed(path: Path, text: str) -> dict[str, Any]:
    """Content of a YAML file.

    Raises
    ------
    ConfigError
        The text is malformed, gives a key twice, or is not a table of keys.
    """
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
