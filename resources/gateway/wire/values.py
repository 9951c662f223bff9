"""How single values are spelled on the wire."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

Kind = Literal["text", "integer", "number", "flag", "size", "limit"]
"""What a field holds.

``size`` is a number that versions below 163 read as a whole number; ``limit`` is a number that is spelled
as the largest double when it is not set.
"""

UNSET_DOUBLE = 1.7976931348623157e308
UNSET_INTEGER = 2147483647
LARGEST = "1.7976931348623157E308"
"""Text of the largest double."""
DECIMAL_SIZES = 163

_INTEGER = re.compile(r"[+-]?\d{1,19}(\.0+)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_FLAGS = {"": False, "0": False, "1": True, "false": False, "true": True}


class ValueSpellingError(ValueError):
    """A field of a frame cannot be read as what it should be."""


def spell(value: object, kind: Kind, version: int) -> str:
    """Text of one value as a gateway prints it: whole numbers without ``.0``, unset values empty."""
    unset, spelled = spelling(kind, version)
    return unset if value is None else spelled(value)


def spelling(kind: Kind, version: int) -> tuple[str, Callable[[Any], str]]:
    """How a version spells values of a kind: the text of unset ones, and the function for the others."""
    if kind == "text":
        return "", _spell_text
    if kind == "flag":
        return "0", _spell_flag
    if kind == "integer" or (kind == "size" and version < DECIMAL_SIZES):
        return "", _spell_integer
    return LARGEST if kind == "limit" else "", _spell_number


def read(text: str, kind: Kind) -> object:
    """Value of one field; None when it is not set.

    Raises
    ------
    ValueSpellingError
        When the text is not of the kind.
    """
    return READERS[kind](text)


def _spell_text(value: object) -> str:
    return str(value).replace("\0", "")


def _spell_flag(value: object) -> str:
    return "1" if value else "0"


def _spell_integer(value: float | str) -> str:
    return str(int(float(value)))


def _spell_number(value: float | str) -> str:
    number = float(value)
    if math.isinf(number):
        return "Infinite" if number > 0 else "-Infinite"
    if number == UNSET_DOUBLE:
        return LARGEST
    if number == int(number) and abs(number) < 1e15:
        return str(int(number))
    return repr(number)


def _read_text(text: str) -> str:
    return text


def _read_flag(text: str) -> bool:
    if text.lower() not in _FLAGS:
        raise ValueSpellingError(f"{text!r} is neither 0 nor 1")
    return _FLAGS[text.lower()]


def _read_integer(text: str) -> int | None:
    if text == "":
        return None
    if not _INTEGER.fullmatch(text):
        raise ValueSpellingError(f"{text!r} is not a whole number")
    value = int(text.partition(".")[0])
    return None if value == UNSET_INTEGER else value


def _read_number(text: str) -> float | None:
    if text == "":
        return None
    if text in {"Infinite", "Infinity"}:
        return math.inf
    if not _NUMBER.fullmatch(text):
        raise ValueSpellingError(f"{text!r} is not a number")
    value = float(text)
    if math.isinf(value):
        raise ValueSpellingError(f"{text!r} is out of range")
    return None if value == UNSET_DOUBLE else value


READERS: Mapping[Kind, Callable[[str], object]] = {
    "text": _read_text,
    "flag": _read_flag,
    "integer": _read_integer,
    "number": _read_number,
    "size": _read_number,
    "limit": _read_number,
}
"""What reads the fields of a kind, see :func:`read`."""
