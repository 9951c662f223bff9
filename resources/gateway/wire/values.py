"""How single values are spelled on the wire."""

from __future__ import annotations

import math
import re
from typing import Literal

Kind = Literal["text", "integer", "number", "flag", "size", "limit"]
"""What a field holds.

``size`` is a number that versions below 163 read as a whole number; ``limit`` is a number that is spelled
as the largest double when it is not set.
"""

UNSET_DOUBLE = 1.7976931348623157e308
UNSET_INTEGER = 2147483647
DECIMAL_SIZES = 163

_INTEGER = re.compile(r"[+-]?\d{1,19}(\.0+)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_FLAGS = {"": False, "0": False, "1": True, "false": False, "true": True}


class ValueSpellingError(ValueError):
    """A field of a frame cannot be read as what it should be."""


def spell(value: object, kind: Kind, version: int) -> str:
    """Text of one value as a gateway prints it: whole numbers without ``.0``, unset values empty."""
    if value is None and kind != "flag":
        return "1.7976931348623157E308" if kind == "limit" else ""
    if kind == "text":
        return str(value).replace("\0", "")
    if kind == "flag":
        return "1" if value else "0"
    number = float(value)  # type: ignore[arg-type]
    if kind == "integer" or (kind == "size" and version < DECIMAL_SIZES):
        return str(int(number))
    return _spell_number(number)


def read(text: str, kind: Kind) -> object:
    """Value of one field; None when it is not set.

    Raises
    ------
    ValueSpellingError
        When the text is not of the kind.
    """
    if kind == "text":
        return text
    if kind == "flag":
        if text.lower() not in _FLAGS:
            raise ValueSpellingError(f"{text!r} is neither 0 nor 1")
        return _FLAGS[text.lower()]
    if text == "":
        return None
    return _read_integer(text) if kind == "integer" else _read_number(text)


def _spell_number(number: float) -> str:
    if math.isinf(number):
        return "Infinite" if number > 0 else "-Infinite"
    if number == UNSET_DOUBLE:
        return "1.7976931348623157E308"
    if number == int(number) and abs(number) < 1e15:
        return str(int(number))
    return repr(number)


def _read_integer(text: str) -> int | None:
    if not _INTEGER.fullmatch(text):
        raise ValueSpellingError(f"{text!r} is not a whole number")
    value = int(text.partition(".")[0])
    return None if value == UNSET_INTEGER else value


def _read_number(text: str) -> float | None:
    if text in {"Infinite", "Infinity"}:
        return math.inf
    if not _NUMBER.fullmatch(text):
        raise ValueSpellingError(f"{text!r} is not a number")
    value = float(text)
    if math.isinf(value):
        raise ValueSpellingError(f"{text!r} is out of range")
    return None if value == UNSET_DOUBLE else value
