"""The small language of the field tables, and the two walks over them: encode and decode."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from resources.gateway.wire.values import Kind, ValueSpellingError, read, spell

Values = dict[str, Any]
"""Decoded fields by their protocol name; unset numbers are None, lists are lists of such dictionaries."""

_KINDS: dict[str, Kind] = {"i": "integer", "n": "number", "b": "flag", "z": "size", "x": "limit"}


class LayoutError(ValueError):
    """A message whose fields do not fit its table."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Fixed:
    """A field that is always written alike and ignored when read, such as a message version."""

    text: str


@dataclass(frozen=True, slots=True)
class Since:
    """Fields of this version and later."""

    version: int
    items: Items


@dataclass(frozen=True, slots=True)
class Before:
    """Fields of versions before this one."""

    version: int
    items: Items


@dataclass(frozen=True, slots=True)
class When:
    """Fields that are there when the fields before them say so."""

    holds: Callable[[Mapping[str, Any]], bool]
    items: Items


@dataclass(frozen=True, slots=True)
class Repeat:
    """A count and so many groups of fields; ``then`` follows a list that is not empty."""

    name: str
    items: Items
    then: Items = ()


@dataclass(frozen=True, slots=True)
class Many:
    """A count and so many single values."""

    name: str
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Choice:
    """Fields that depend on the value of an integer field before them."""

    by: str
    options: Mapping[int, Items]


Item = Field | Fixed | Since | Before | When | Repeat | Many | Choice
Items = Sequence[Item]


@dataclass(frozen=True, slots=True)
class Message:
    """A message of one direction: its number, its name and its fields after the number."""

    number: int
    name: str
    items: Items


def fields(text: str) -> tuple[Field, ...]:
    """Fields from their names; ``name:i`` is an integer, n a number, b a flag, z a size, x a limit."""
    names = (part.partition(":") for part in text.split())
    return tuple(Field(name, _KINDS[kind] if kind else "text") for name, _, kind in names)


def message(number: int, name: str, *parts: str | Item) -> Message:
    """Message from field names and further items, in order."""
    items: list[Item] = []
    for part in parts:
        items.extend(fields(part) if isinstance(part, str) else (part,))
    return Message(number, name, tuple(items))


def together(*parts: str | Items) -> tuple[Item, ...]:
    """One item list of several parts."""
    items: list[Item] = []
    for part in parts:
        items.extend(fields(part) if isinstance(part, str) else part)
    return tuple(items)


def encode(message: Message, values: Mapping[str, Any], version: int) -> list[str]:
    """Fields of a message, its number first; values that are not given are written as unset."""
    out = [str(message.number)]
    _write(message.items, values, version, out)
    return out


def decode(message: Message, texts: Sequence[str], version: int) -> Values:
    """Values of a message from its fields, the number left out.

    Raises
    ------
    LayoutError
        When fields are missing, left over or not of their kind.
    """
    reader = _Reader(message.name, texts, version)
    values: Values = {}
    reader.read(message.items, values)
    if reader.position != len(texts):
        surplus = len(texts) - reader.position
        raise LayoutError(f"{message.name} has {surplus} fields more than version {version} knows")
    return values


def _write(items: Items, values: Mapping[str, Any], version: int, out: list[str]) -> None:
    for item in items:
        if isinstance(item, Field):
            out.append(spell(values.get(item.name), item.kind, version))
        elif isinstance(item, Fixed):
            out.append(item.text)
        elif isinstance(item, Since):
            if version >= item.version:
                _write(item.items, values, version, out)
        elif isinstance(item, Before):
            if version < item.version:
                _write(item.items, values, version, out)
        elif isinstance(item, When):
            if item.holds(values):
                _write(item.items, values, version, out)
        elif isinstance(item, Choice):
            _write(item.options[values[item.by]], values, version, out)
        else:
            _write_list(item, values, version, out)


def _write_list(item: Repeat | Many, values: Mapping[str, Any], version: int, out: list[str]) -> None:
    content = values.get(item.name) or ()
    out.append(str(len(content)))
    if isinstance(item, Many):
        out.extend(spell(value, item.kind, version) for value in content)
        return
    for value in content:
        _write(item.items, value, version, out)
    if content:
        _write(item.then, values, version, out)


class _Reader:
    def __init__(self, name: str, texts: Sequence[str], version: int) -> None:
        self.name = name
        self.texts = texts
        self.version = version
        self.position = 0

    def read(self, items: Items, values: Values) -> None:
        for item in items:
            if isinstance(item, Field):
                values[item.name] = self._value(item.name, item.kind)
            elif isinstance(item, Fixed):
                self._take("version")
            elif isinstance(item, Since):
                if self.version >= item.version:
                    self.read(item.items, values)
            elif isinstance(item, Before):
                if self.version < item.version:
                    self.read(item.items, values)
            elif isinstance(item, When):
                if item.holds(values):
                    self.read(item.items, values)
            elif isinstance(item, Choice):
                self._choose(item, values)
            else:
                self._list(item, values)

    def _take(self, name: str) -> str:
        if self.position >= len(self.texts):
            raise LayoutError(f"{self.name} ends before field {self.position + 1} ({name})")
        self.position += 1
        return self.texts[self.position - 1]

    def _value(self, name: str, kind: Kind) -> object:
        text = self._take(name)
        try:
            return read(text, kind)
        except ValueSpellingError as error:
            raise LayoutError(f"{self.name} field {self.position} ({name}): {error}") from None

    def _choose(self, item: Choice, values: Values) -> None:
        if values[item.by] not in item.options:
            raise LayoutError(f"{self.name}: {item.by} {values[item.by]} is not known")
        self.read(item.options[values[item.by]], values)

    def _list(self, item: Repeat | Many, values: Values) -> None:
        count = self._value(item.name, "integer") or 0
        if not isinstance(count, int) or count < 0:
            raise LayoutError(f"{self.name}: {count} is no count of {item.name}")
        if count > len(self.texts) - self.position:
            raise LayoutError(f"{self.name} announces {count} {item.name} and holds fewer")
        if isinstance(item, Many):
            values[item.name] = [self._value(item.name, item.kind) for _ in range(count)]
            return
        values[item.name] = []
        for _ in range(count):
            entry: Values = {}
            self.read(item.items, entry)
            values[item.name].append(entry)
        if count:
            self.read(item.then, values)
