"""Every key that the guide lists: what it allows is read, and what lies outside is refused in one line."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from resources.config import ConfigError, load_book, load_desk
from resources.config.problems import SECRET

from .test_config_docs import SECTIONS, rows

BOOK = {"start": "2020-01-01", "strategies": {"momentum": {}}}
PROVIDERS = tuple(heading for heading in SECTIONS if heading.startswith("####"))
NEEDED: Mapping[str, Mapping[str, Any]] = {
    "## The desk": {},
    "## A book": BOOK,
    "## Parameters of the strategy `momentum`": BOOK,
    "## The momentum groups": {"scanner": {}},
    **{heading: {} for heading in PROVIDERS},
}
"""What a file must hold beside the key that is tried."""

LIMIT = re.compile(r"(above|at least|below|at most) (-?[\d.]+)")


@dataclass(frozen=True)
class Row:
    """A row of a table of the guide, as it stands in a file of its section."""

    section: str
    path: tuple[str, ...]
    allowed: str

    @property
    def dotted(self) -> str:
        return ".".join(self.path)

    @property
    def number(self) -> bool:
        return self.allowed.startswith(("a number", "a whole number"))

    @property
    def whole(self) -> bool:
        return self.allowed.startswith("a whole number")

    def limits(self) -> list[tuple[str, float]]:
        """Bounds that the guide names."""
        return [(word, float(figure)) for word, figure in LIMIT.findall(self.allowed)]


def table(section: str) -> list[Row]:
    """Rows of a section; ``NAME`` stands for a name that serves."""
    prefix: tuple[str, ...] = ()
    if section in PROVIDERS:
        prefix = ("providers", re.findall(r"providers\.(\w+)", section)[0])
    if section.startswith("## Parameters"):
        prefix = ("strategies", "momentum", "params")
    names = {"strategies": "momentum", "stocks": "AAPL", "conversion": "EUR"}
    found = []
    for dotted, _, allowed, _ in rows(section):
        if ", or " in allowed:  # of either of two types: tried where currencies are
            continue
        parts = dotted.split(".")
        path = [names[parts[i - 1]] if part == "NAME" else part for i, part in enumerate(parts)]
        found.append(Row(section, (*prefix, *path), allowed))
    return found


def outside(row: Row) -> Iterator[Any]:
    """Values that the guide does not allow."""
    if row.number:
        step = 1 if row.whole else 1e-6
        for word, bound in row.limits():
            value = {
                "above": bound,
                "below": bound,
                "at least": bound - step,
                "at most": bound + step,
            }[word]
            yield int(value) if row.whole else value
        yield from ("much", [1], {"a": 1}, math.nan, math.inf)
        if row.whole:
            yield 2.5
    elif row.allowed == "true or false":
        yield from ("perhaps", 2, [True])
    elif row.allowed.startswith("one of "):
        yield from ("nonsense", "", 3)
    elif row.allowed.startswith("text that matches"):
        yield from ("!?", "", 3)
    elif row.allowed.startswith("text"):
        yield from (3, ["a"], {"a": "b"}, *([""] if "not empty" in row.allowed else []))
    elif row.allowed.startswith("a date"):
        yield from ("soon", "2020-02-30", ["2020-01-01"], {"a": 1})
    elif row.allowed.startswith("a list"):
        yield from ("AAPL", 3, {"a": "b"})
    elif row.allowed == "a table of keys":
        yield from ("text", 3, ["a"])
    else:
        assert row.allowed == "a path", row
        yield from (3, ["a"])


def inside(row: Row) -> Iterator[Any]:
    """Values that the guide allows, the bounds among them."""
    if row.number:
        step = 1 if row.whole else 1e-6
        for word, bound in row.limits():
            value = {
                "above": bound + step,
                "below": bound - step,
                "at least": bound,
                "at most": bound,
            }[word]
            yield int(value) if row.whole else value
        if not row.limits():
            yield 1
    elif row.allowed == "true or false":
        yield from (True, False)
    elif row.allowed.startswith("one of "):
        yield from row.allowed.removeprefix("one of ").split(", ")
    elif row.allowed.startswith("a date"):
        yield "2020-01-31"


def placed(content: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Content with a value at a path."""
    first, *rest = path
    inner = content.get(first, {})
    return {
        **content,
        first: placed(inner if isinstance(inner, Mapping) else {}, (*rest,), value) if rest else value,
    }


def as_toml(content: Mapping[str, Any], prefix: str = "") -> str:
    """Content as lines of dotted keys."""
    lines = []
    for key, value in content.items():
        name = f"{prefix}{key}" if re.fullmatch(r"[\w-]+", key) else f"{prefix}{json.dumps(key)}"
        if isinstance(value, Mapping) and value:
            lines.append(as_toml(value, f"{name}."))
        else:
            lines.append(f"{name} = {toml_value(value)}\n")
    return "".join(lines)


def toml_value(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return "{}" if value == {} else json.dumps(value)


def problems(folder: Path, section: str, content: Mapping[str, Any], form: str) -> list[str]:
    """What is wrong with a file of a section, without the name of the file."""
    file = folder / f"a{form}"
    file.write_text(as_toml(content) if form == ".toml" else yaml.safe_dump(dict(content)), encoding="utf-8")
    desk = section == "## The desk" or section in PROVIDERS
    try:
        if desk:
            load_desk(file, {})
        else:
            load_book(file, {}, strategies=section.startswith("## Parameters"))
    except ConfigError as error:
        return [problem.replace(f"{file}: ", "", 1) for problem in error.problems]
    return []


def written(row: Row, value: Any) -> str:
    """A value as a message shows it."""
    if isinstance(value, list | dict):
        return ""
    if any(SECRET.search(part) for part in row.path):
        return " = ***"
    return f" = {json.dumps(value)}"


def about(row: Row, value: Any) -> str:
    """The one line that names key, value and what is allowed."""
    return f"{row.dotted}{written(row, value)}: must be {row.allowed}"


def hint(line: str) -> str:
    """The line without the hint that a share is a fraction."""
    return re.sub(r" \([\d.e+-]+ % is written [\d.e+-]+\)$", "", line)


@pytest.mark.parametrize("form", [".toml", ".yaml"])
@pytest.mark.parametrize("section", SECTIONS)
def test_what_the_guide_does_not_allow_is_refused_all_keys_at_once(
    tmp_path: Path, section: str, form: str
) -> None:
    listed = [row for row in table(section) if row.dotted != "api"]
    wrong = {row: list(outside(row)) for row in listed}
    for turn in range(max(map(len, wrong.values()))):
        content: dict[str, Any] = dict(NEEDED[section])
        asked = {row: values[turn % len(values)] for row, values in wrong.items()}
        for row, value in asked.items():
            content = placed(content, row.path, value)
        found = [hint(line) for line in problems(tmp_path, section, content, form)]
        expected = [about(row, value) for row, value in asked.items()]
        assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("section", SECTIONS)
def test_a_misspelt_key_is_refused_with_the_right_one(tmp_path: Path, section: str) -> None:
    """One letter too many in every key of the section, in one file."""
    content: dict[str, Any] = dict(NEEDED[section])
    expected = []
    for row in table(section):
        if row.path[0] == "api":
            continue
        *parents, last = row.path
        if row.path[-1] in REQUIRED and len(row.path) > 1:
            content = placed(content, row.path, REQUIRED[last])
        content = placed(content, (*parents, last + "z"), 1)
        shown = " = ***" if any(SECRET.search(part) for part in (*parents, last + "z")) else " = 1"
        dotted = ".".join((*parents, last + "z"))
        expected.append(f"{dotted}{shown}: unknown key; did you mean {last}?")
    assert sorted(problems(tmp_path, section, content, ".toml")) == sorted(expected)


REQUIRED = {"folder": "data", "shares": 1}
"""Keys that have no default."""

TOGETHER = {
    "end",
    "fill",
    "sizing.risk_per_trade",
    "sizing.min_risk_per_trade",
    "sizing.max_risk_per_trade",
    "sizing.winning_streak_risk",
    "sizing.losing_streak_risk",
    "sizing.max_position",
    "sizing.min_position",
    "risk.max_daily_loss",
    "risk.warn_daily_loss",
    "wheel.enabled",
    "trading.initial_capital",
    "risk.initial_capital",
    "alerts.email_enabled",
    "logging.save_daily_snapshots",
}
"""Keys that are bound to others: they have tests of their own."""
ORDERED = {"low", "middle", "high", "rsi_min", "rsi_max"}


def own(row: Row) -> bool:
    """Whether a key may take its bounds whatever the others are."""
    if row.path[:4] == ("strategies", "momentum", "params", "indicators"):
        return False
    return row.dotted not in TOGETHER and row.path[-1] not in ORDERED and row.path[-1] not in REQUIRED


@pytest.mark.parametrize("section", SECTIONS)
def test_what_the_guide_allows_is_read_up_to_its_bounds(tmp_path: Path, section: str) -> None:
    """Every key of the section at a value that is just allowed, all in one file."""
    allowed = {row: values for row in table(section) if own(row) and (values := list(inside(row)))}
    needed: dict[str, Any] = dict(NEEDED[section])
    for row in table(section):
        if row.path[-1] in REQUIRED:
            needed = placed(needed, row.path, REQUIRED[row.path[-1]])
    for turn in range(max(map(len, allowed.values()), default=1)):
        content = needed
        for row, values in allowed.items():
            content = placed(content, row.path, values[turn % len(values)])
        assert problems(tmp_path, section, content, ".toml") == []
    assert allowed or "lean" in section
