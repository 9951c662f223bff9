"""The small language of the field tables, and the two walks over them: encode and decode.

A table is walked once for each version that a client has agreed on: what comes of it are functions that write
or read the fields, for messages are many and tables never change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

from resources.gateway.wire.values import READERS, Kind, ValueSpellingError, spelling

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


@dataclass(frozen=True, slots=True, eq=False)
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
    _writer(message, version)(values, out)
    return out


def decode(message: Message, texts: Sequence[str], version: int) -> Values:
    """Values of a message from its fields, the number left out.

    Raises
    ------
    LayoutError
        When fields are missing, left over or not of their kind.
    """
    frame = _Frame(message.name, texts)
    values: Values = {}
    _reader(message, version)(frame, values)
    if frame.position != len(texts):
        surplus = len(texts) - frame.position
        raise LayoutError(f"{message.name} has {surplus} fields more than version {version} knows")
    return values


def _parts(items: Items, version: int) -> Iterator[tuple[Field | Fixed, ...] | Item]:
    """Items that a version has, with the plain fields beside each other put together."""
    for plain, group in groupby(_of_version(items, version), lambda item: isinstance(item, Field | Fixed)):
        if plain:
            yield tuple(item for item in group if isinstance(item, Field | Fixed))
        else:
            yield from group


def _of_version(items: Items, version: int) -> Iterator[Item]:
    for item in items:
        if isinstance(item, Since | Before):
            if (version >= item.version) == isinstance(item, Since):
                yield from _of_version(item.items, version)
        else:
            yield item


# ------------------------------------------------------------------------------------------------- writing

_Write = Callable[[Mapping[str, Any], list[str]], None]
_NOBODY = "\0"
"""Name that no value has: what is written for it is what is written for unset values."""


@cache
def _writer(message: Message, version: int) -> _Write:
    return _writing(message.items, version)


def _writing(items: Items, version: int) -> _Write:
    steps = [_write_step(part, version) for part in _parts(items, version)]

    def write(values: Mapping[str, Any], out: list[str]) -> None:
        for step in steps:
            step(values, out)

    return write


def _write_step(part: tuple[Field | Fixed, ...] | Item, version: int) -> _Write:
    match part:
        case tuple():
            return _write_row(part, version)
        case When(holds, items):
            inner = _writing(items, version)
            return lambda values, out: inner(values, out) if holds(values) else None
        case Choice(by, options):
            writers = {value: _writing(items, version) for value, items in options.items()}
            return lambda values, out: writers[values[by]](values, out)
        case Many(name, kind):
            return _write_many(name, kind, version)
        case Repeat():
            return _write_repeat(part, version)
    raise TypeError(f"{part!r} is no item of a table")


def _write_row(row: Sequence[Field | Fixed], version: int) -> _Write:
    cells = [
        (item.name, *spelling(item.kind, version)) if isinstance(item, Field) else (_NOBODY, item.text, str)
        for item in row
    ]

    def write(values: Mapping[str, Any], out: list[str]) -> None:
        given = values.get
        out += [unset if (value := given(name)) is None else spelled(value) for name, unset, spelled in cells]

    return write


def _write_many(name: str, kind: Kind, version: int) -> _Write:
    unset, spelled = spelling(kind, version)

    def write(values: Mapping[str, Any], out: list[str]) -> None:
        content = values.get(name) or ()
        out.append(str(len(content)))
        out += [unset if value is None else spelled(value) for value in content]

    return write


def _write_repeat(item: Repeat, version: int) -> _Write:
    group, then = _writing(item.items, version), _writing(item.then, version)

    def write(values: Mapping[str, Any], out: list[str]) -> None:
        content = values.get(item.name) or ()
        out.append(str(len(content)))
        for value in content:
            group(value, out)
        if content:
            then(values, out)

    return write


# ------------------------------------------------------------------------------------------------- reading


class _Frame:
    """Fields of one message, read from the first to the last."""

    def __init__(self, name: str, texts: Sequence[str]) -> None:
        self.name = name
        self.texts = texts
        self.position = 0

    def take(self, name: str) -> str:
        if self.position >= len(self.texts):
            raise LayoutError(f"{self.name} ends before field {self.position + 1} ({name})")
        self.position += 1
        return self.texts[self.position - 1]

    def value(self, name: str, kind: Kind) -> object:
        text = self.take(name)
        try:
            return READERS[kind](text)
        except ValueSpellingError as error:
            raise LayoutError(f"{self.name} field {self.position} ({name}): {error}") from None

    def count(self, name: str) -> int:
        count = self.value(name, "integer") or 0
        if not isinstance(count, int) or count < 0:
            raise LayoutError(f"{self.name}: {count} is no count of {name}")
        if count > len(self.texts) - self.position:
            raise LayoutError(f"{self.name} announces {count} {name} and holds fewer")
        return count


_Read = Callable[[_Frame, Values], None]


@cache
def _reader(message: Message, version: int) -> _Read:
    return _reading(message.items, version)


def _reading(items: Items, version: int) -> _Read:
    steps = [_read_step(part, version) for part in _parts(items, version)]

    def read(frame: _Frame, values: Values) -> None:
        for step in steps:
            step(frame, values)

    return read


def _read_step(part: tuple[Field | Fixed, ...] | Item, version: int) -> _Read:
    match part:
        case tuple():
            return _read_row(part)
        case When(holds, items):
            inner = _reading(items, version)
            return lambda frame, values: inner(frame, values) if holds(values) else None
        case Choice():
            return _read_choice(part, version)
        case Many(name, kind):
            return _read_many(name, kind)
        case Repeat():
            return _read_repeat(part, version)
    raise TypeError(f"{part!r} is no item of a table")


def _read_row(row: Sequence[Field | Fixed]) -> _Read:
    def read(frame: _Frame, values: Values) -> None:
        for item in row:
            if isinstance(item, Field):
                values[item.name] = frame.value(item.name, item.kind)
            else:
                frame.take("version")

    return read


def _read_choice(item: Choice, version: int) -> _Read:
    readers = {value: _reading(items, version) for value, items in item.options.items()}

    def read(frame: _Frame, values: Values) -> None:
        chosen = values[item.by]
        if chosen not in readers:
            raise LayoutError(f"{frame.name}: {item.by} {chosen} is not known")
        readers[chosen](frame, values)

    return read


def _read_many(name: str, kind: Kind) -> _Read:
    def read(frame: _Frame, values: Values) -> None:
        values[name] = [frame.value(name, kind) for _ in range(frame.count(name))]

    return read


def _read_repeat(item: Repeat, version: int) -> _Read:
    group, then = _reading(item.items, version), _reading(item.then, version)

    def read(frame: _Frame, values: Values) -> None:
        count = frame.count(item.name)
        values[item.name] = []
        for _ in range(count):
            entry: Values = {}
            group(frame, entry)
            values[item.name].append(entry)
        if count:
            then(frame, values)

    return read
