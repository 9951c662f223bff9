"""Bars around the days on which clocks change, from files in local time to longer bars, against times by hand.

New York changed on 2024-03-10 and 2024-11-03, London on 2024-03-31 and 2024-10-27, Tokyo never does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest

from pipelines.cli.main import run

NEW_YORK = ("XNYS", "America/New_York", "stock", time(9, 30), time(16))
LONDON = ("XLON", "Europe/London", "stock", time(8), time(16, 30))
TOKYO = ("XTKS", "Asia/Tokyo", "stock", time(9), time(15))
Market = tuple[str, str, str, time, time]

# Market, sessions around the change, timeframe, and the closes in UTC of each session.
CASES: dict[str, tuple[Market, str, dict[date, list[str]]]] = {
    "New York in spring, half-hours as told": (NEW_YORK, "30m", {
        date(2024, 3, 8): [f"{hour:02}:{minute:02}" for hour in range(15, 21) for minute in (0, 30)] + ["21:00"],
        date(2024, 3, 11): [f"{hour:02}:{minute:02}" for hour in range(14, 20) for minute in (0, 30)] + ["20:00"],
    }),
    "New York in spring, hours": (NEW_YORK, "1h", {
        date(2024, 3, 8): ["15:00", "16:00", "17:00", "18:00", "19:00", "20:00", "21:00"],
        date(2024, 3, 11): ["14:00", "15:00", "16:00", "17:00", "18:00", "19:00", "20:00"],
    }),
    "New York in autumn, four hours": (NEW_YORK, "4h", {
        date(2024, 11, 1): ["16:00", "20:00"],
        date(2024, 11, 4): ["17:00", "21:00"],
    }),
    "New York in spring, days": (NEW_YORK, "1d", {date(2024, 3, 8): ["21:00"], date(2024, 3, 11): ["20:00"]}),
    "London in spring, over Easter, four hours": (LONDON, "4h", {
        date(2024, 3, 28): ["12:00", "16:00", "16:30"],
        date(2024, 4, 2): ["11:00", "15:00", "15:30"],
    }),
    "London in autumn, days": (LONDON, "1d", {date(2024, 10, 25): ["15:30"], date(2024, 10, 28): ["16:30"]}),
    "Tokyo, four hours": (TOKYO, "4h", {
        date(2024, 3, 8): ["03:00", "06:00"],
        date(2024, 3, 11): ["03:00", "06:00"],
    }),
}  # fmt: skip


def half_hours(opens: time, closes: time, day: date) -> list[datetime]:
    """Starts of the half-hours of a session by the clock on its wall; Tokyo's lunch is an hour like others."""
    start, end = datetime.combine(day, opens), datetime.combine(day, closes)
    return [start + place * timedelta(minutes=30) for place in range((end - start) // timedelta(minutes=30))]


@pytest.fixture
def desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Run a command of ``desk data`` in a folder of its own; gives its output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DESK_LAKE", str(tmp_path / "lake"))

    def call(*arguments: str) -> str:
        code = run(["data", *arguments])
        told = capsys.readouterr()
        assert code == 0, told.err
        return told.out

    return call


def configured(folder: Path, market: Market, days: list[date]) -> None:
    """Files of half-hours in local time without an offset, stamped with their start, and a desk that reads them."""
    calendar, zone, kind, opens, closes = market
    (folder / "files").mkdir()
    lines = ["date,open,high,low,close,volume"]
    for day in days:
        for place, start in enumerate(half_hours(opens, closes, day)):
            lines.append(
                f"{start:%Y-%m-%d %H:%M:%S},{100 + place},{101 + place},{99 + place},{100 + place},10"
            )
    (folder / "files" / "X.csv").write_text("\n".join(lines) + "\n")
    (folder / "config").mkdir()
    (folder / "config" / "desk.toml").write_text(
        f'[data.order.{kind}]\ndefault = ["files"]\n'
        f'[providers.files]\nfolder = "{folder / "files"}"\ntimeframe = "30m"\nstamp = "start"\n'
        f'timezone = "{zone}"\ncalendar = "{calendar}"\nasset_class = "{kind}"\n'
    )


@pytest.mark.parametrize("name", CASES)
def test_bars_keep_to_the_clock_of_their_exchange(
    desk: Callable[..., str], tmp_path: Path, name: str
) -> None:
    market, timeframe, closes = CASES[name]
    days = sorted(closes)
    configured(tmp_path, market, days)
    span = ("--from", str(days[0]), "--to", str(days[-1]))
    half = len(half_hours(*market[3:], days[0]))
    assert desk("fetch", "X", *span, "--timeframe", "30m").startswith(f"{2 * half} new, 0 corrected")
    told = json.loads(desk("bars", "X", *span, "--timeframe", timeframe, "--json"))
    found: dict[date, list[str]] = {}
    for bar in told:
        found.setdefault(date.fromisoformat(bar["session"]), []).append(bar["closes_at"])
    assert found == {day: [f"{day}T{at}:00+00:00" for at in times] for day, times in closes.items()}
    for day in days:
        bars = [bar for bar in told if bar["session"] == str(day)]
        assert sum(bar["volume"] for bar in bars) == 10 * half, "no half-hour is lost or counted twice"
        assert (bars[0]["open"], bars[-1]["close"]) == (100, 99 + half)
