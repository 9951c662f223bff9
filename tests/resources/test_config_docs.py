"""The guide has every key with its default and what is allowed, and no other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from resources.config import DeskConfig
from resources.config.keys import Key, allowed, keys
from resources.config.momentum_yaml import Groups
from resources.providers.registry import available
from trading.book import BookConfig
from trading.strategies.momentum.parameters import MomentumParameters

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"
SECTIONS: dict[str, type[BaseModel]] = {
    "## The desk": DeskConfig,
    "## A book": BookConfig,
    "## Parameters of the strategy `momentum`": MomentumParameters,
    "## The momentum groups": Groups,
    **{
        f"#### `[providers.{name}]`": found.Settings
        for name, found in available().items()
        if name != "sample"
    },
}


def rows(heading: str) -> Iterator[tuple[str, str, str, str]]:
    """Rows of the first table below a heading."""
    text = GUIDE.read_text(encoding="utf-8")
    section = re.split(r"^#+ ", text.split(f"\n{heading}", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    for line in section.splitlines():
        if line.startswith("| `"):
            cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            yield cells[0].strip("`"), cells[1], cells[2], cells[3]


def default_of(key: Key) -> str:
    """Default as the guide writes it."""
    value: Any = key.default
    if value is ...:
        return "required"
    if value is None:
        return "none"
    text = value.isoformat() if isinstance(value, date) else None
    return f"`{text or (json.dumps(value) if not isinstance(value, float) else value)}`"


@pytest.mark.parametrize(("heading", "model"), SECTIONS.items(), ids=SECTIONS)
def test_every_key_is_in_the_guide(heading: str, model: type[BaseModel]) -> None:
    expected = [(key.dotted, default_of(key), allowed(key.annotation, key.metadata)) for key in keys(model)]
    assert [row[:3] for row in rows(heading)] == expected
    assert all(meaning for *_, meaning in rows(heading))


def test_every_provider_with_settings_has_a_section() -> None:
    named = set(re.findall(r"^#### `\[providers\.(\w+)\]`", GUIDE.read_text(encoding="utf-8"), re.MULTILINE))
    assert named == {name for name, found in available().items() if found.Settings.model_fields}
