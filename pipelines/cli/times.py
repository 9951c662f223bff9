"""Times, dates and versions as arguments of commands."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time

from pipelines.cli.exits import InputError


def instant(text: str) -> datetime:
    """Time with a zone: a date means the end of that day, and a time without a zone is in UTC.

    Raises
    ------
    InputError
        The text is no time.
    """
    day = _date(text)
    if day is not None:
        return datetime.combine(day, time.max, UTC)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{text!r} is no time; write 2020-01-31 or 2020-01-31T21:00:00+00:00") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def day(text: str) -> date:
    """Date of an argument.

    Raises
    ------
    InputError
        The text is no date.
    """
    found = _date(text)
    if found is None:
        raise InputError(f"{text!r} is no date; write it like 2020-01-31")
    return found


def version_or_instant(text: str) -> int | datetime:
    """Version number, or a time."""
    return int(text) if text.isdecimal() else instant(text)


def table_versions(texts: Iterable[str]) -> tuple[int | None, dict[str, tuple[int, ...]]]:
    """``12`` as the version of every table, and ``orders=12`` as that of one.

    Raises
    ------
    InputError
        A text is neither.
    """
    everywhere: int | None = None
    named: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        if not number.isdecimal():
            raise InputError(f"{text!r} is no version; write 12 or orders=12")
        if name:
            named[name] = (*named.get(name, ()), int(number))
        else:
            everywhere = int(number)
    return everywhere, named


def _date(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return None
