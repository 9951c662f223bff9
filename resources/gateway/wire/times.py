"""Times as the protocol writes and reads them."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

EXCHANGE_ZONE = "US/Eastern"


class TimeSpellingError(ValueError):
    """A time that cannot be read."""


def read_time(text: str, now: datetime) -> datetime:
    """Time of an order or a request, in UTC.

    Accepted are ``YYYYMMDD HH:MM:SS ZONE``, ``YYYYMMDD-HH:MM:SS`` (UTC), ``YYYYMMDD HH:MM:SS`` and
    ``YYYYMMDD`` (exchange zone) and ``HH:MM:SS [ZONE]`` of today.

    Raises
    ------
    TimeSpellingError
        When the text is none of them.
    """
    stamp, zone = _split_zone(text.strip())
    try:
        where = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise TimeSpellingError(f"{text!r} names no known time zone") from None
    for pattern in ("%Y%m%d %H:%M:%S", "%Y%m%d %H:%M", "%Y%m%d", "%Y%m%d-%H:%M:%S"):
        try:
            parsed = datetime.strptime(stamp, pattern)  # noqa: DTZ007 - the zone follows
        except ValueError:
            continue
        return parsed.replace(tzinfo=UTC if "-" in stamp else where).astimezone(UTC)
    for pattern in ("%H:%M:%S", "%H:%M"):
        try:
            parsed = datetime.strptime(stamp, pattern)  # noqa: DTZ007 - the zone follows
        except ValueError:
            continue
        today = now.astimezone(where)
        return today.replace(
            hour=parsed.hour, minute=parsed.minute, second=parsed.second, microsecond=0
        ).astimezone(UTC)
    raise TimeSpellingError(f"{text!r} is no time such as 20240131 15:59:00 US/Eastern")


def spell_time(moment: datetime, style: str = "zone") -> str:
    """Time of an execution in one of the spellings that live gateways use: zone, utc or bare."""
    if style == "utc":
        return f"{moment.astimezone(UTC):%Y%m%d-%H:%M:%S}"
    local = moment.astimezone(ZoneInfo(EXCHANGE_ZONE))
    return f"{local:%Y%m%d  %H:%M:%S}" if style == "bare" else f"{local:%Y%m%d %H:%M:%S} {EXCHANGE_ZONE}"


def day_around(now: datetime) -> tuple[datetime, datetime]:
    """Midnights of the gateway's zone before and after a time, in UTC; a time at midnight begins its day."""
    zone = ZoneInfo(EXCHANGE_ZONE)
    today = now.astimezone(zone).date()
    first, last = (datetime.combine(day, time(), zone) for day in (today, today + timedelta(days=1)))
    return first.astimezone(UTC), last.astimezone(UTC)


def _split_zone(text: str) -> tuple[str, str]:
    parts = text.split()
    if parts and any(letter.isalpha() for letter in parts[-1]):
        return " ".join(parts[:-1]), parts[-1]
    return " ".join(parts), EXCHANGE_ZONE
