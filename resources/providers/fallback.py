"""Several providers as one: in order of preference, each completing what the ones before it left open.

The first provider that returns the whole range wins; where sessions are missing the next one is asked for
them, with a few sessions around them so that both can be compared. A close that differs by more than the
tolerance is flagged and the first provider's bar is kept. Each row's ``source`` says who it came from, and
nothing is ever made up: a session that nobody has is told together with what each of them said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from threading import Lock
from typing import Any, ClassVar, NamedTuple

import polars as pl

from resources import calendar
from resources.providers import _frames
from resources.providers.base import (
    Answer,
    Capabilities,
    Provider,
    ProviderError,
    Request,
    Settings,
)
from trading.quality import disagreements
from trading.quality.findings import WARNINGS

NAME = "fallback"
AROUND = 5
"""Sessions on each side of a gap that the next provider is asked for as well."""
TOLERANCE = 0.005
DISAGREE, MISSING = "providers disagree", "no provider has the session"


class Said(NamedTuple):
    """What one provider said about one symbol."""

    provider: str
    symbol: str
    text: str


@dataclass(frozen=True)
class Outcome:
    """What several providers gave together.

    Attributes
    ----------
    answer : Answer
        Bars, corporate actions and instruments.
    warnings : polars.DataFrame
        Flagged bars and sessions that nobody has: ``symbol, timeframe, session, closes_at, rule, reason``.
    said : tuple of Said
        What each provider that was asked had to say.
    """

    answer: Answer
    warnings: pl.DataFrame
    said: tuple[Said, ...]


class NoProviderLeft(ProviderError):  # noqa: N818 - as the other errors, named by what happened
    """Every provider failed, each for a reason of its own."""


def fetch_in_order(
    providers: Sequence[Provider], request: Request, asset_class: str, tolerance: float = TOLERANCE
) -> Outcome:
    """Bars of a request from the first provider that has them, completed by the others.

    Parameters
    ----------
    providers : sequence of Provider
        In order of preference.
    request : Request
        Symbols, range and timeframe.
    asset_class : str
        Class of all symbols; decides the calendar where no provider tells it.
    tolerance : float
        Relative difference of the closes from which on two providers disagree.

    Raises
    ------
    ProviderError
        When a symbol gets no bar from any provider: of the kind that all raised, else
        :class:`NoProviderLeft`; lists what each said.
    """
    outcomes = [_one(providers, _only(request, symbol), asset_class, tolerance) for symbol in request.symbols]
    return Outcome(
        _frames.joined([outcome.answer for outcome in outcomes]),
        pl.concat([WARNINGS.to_frame(), *(outcome.warnings for outcome in outcomes)]),
        tuple(said for outcome in outcomes for said in outcome.said),
    )


class Fallback:
    """Providers in order as one provider; made by :func:`in_order`.

    Attributes
    ----------
    warnings : polars.DataFrame
        Of all fetches so far: bars on which providers disagree, and sessions that nobody has.
    """

    name: ClassVar[str] = NAME
    capabilities: ClassVar[Capabilities]
    Settings: ClassVar[type[Any]] = Settings

    def __init__(self, settings: Any) -> None:
        del settings
        self.providers: Sequence[Provider] = ()
        self.asset_class = ""
        self.tolerance = TOLERANCE
        self.warnings = WARNINGS.to_frame()
        self._telling = Lock()

    @property
    def at_once(self) -> int:
        """Requests taken at the same time: what the first provider takes; each keeps to its own limit."""
        return int(getattr(self.providers[0], "at_once", 1)) if self.providers else 1

    def symbols(self) -> list[str]:
        """Symbols of the first provider that can list them."""
        return next((names for names in (each.symbols() for each in self.providers) if names), [])

    def fetch(self, request: Request) -> Answer:
        """Bars as :func:`fetch_in_order` has them."""
        outcome = fetch_in_order(self.providers, request, self.asset_class, self.tolerance)
        with self._telling:
            self.warnings = pl.concat([self.warnings, outcome.warnings])
        return outcome.answer

    def keep_answers(self, store: Any) -> None:
        """Let every provider that has raw answers keep them."""
        for each in self.providers:
            keep = getattr(each, "keep_answers", None)
            if keep is not None:
                keep(store)


def in_order(providers: Sequence[Provider], asset_class: str, tolerance: float = TOLERANCE) -> Fallback:
    """One provider out of several.

    Parameters
    ----------
    providers : sequence of Provider
        In order of preference; at least one.
    asset_class : str
        Class of the symbols that it will be asked for.
    tolerance : float
        As for :func:`fetch_in_order`.
    """
    if not providers:
        raise ProviderError(
            NAME, f"no provider of {asset_class}", remedy="name one in the order of providers"
        )
    able = [each.capabilities for each in providers]

    class InOrder(Fallback):
        name = "+".join(each.name for each in providers)
        capabilities = Capabilities(
            asset_classes=(asset_class,),
            timeframes=tuple(dict.fromkeys(name for each in able for name in each.timeframes)),
            corporate_actions=any(each.corporate_actions for each in able),
        )

    made = InOrder(None)
    made.providers, made.asset_class, made.tolerance = tuple(providers), asset_class, tolerance
    return made


@dataclass
class _Collected:
    """What has come in for one symbol."""

    request: Request
    answer: Answer
    calendar: str
    flagged: pl.DataFrame

    def missing(self) -> list[date]:
        """Sessions of the range without a bar, within the listing; none for bars longer than a session."""
        if self.answer.bars.is_empty():
            return [self.request.first]
        if self.request.timeframe == "1w":
            return []
        days = calendar.sessions(self.calendar, self.request.first, self.request.last)["session"]
        first, last = _listed(self.answer.instruments)
        have = set(self.answer.bars["session"])
        return [day for day in days if first <= day <= last and day not in have]

    def next_request(self) -> Request:
        """What the next provider is asked for: the gaps and some sessions around them."""
        gaps = self.missing()
        if self.answer.bars.is_empty():
            return self.request
        reach = timedelta(days=2 * AROUND)
        before = calendar.sessions(self.calendar, gaps[0] - reach, gaps[0])["session"]
        after = calendar.sessions(self.calendar, gaps[-1], gaps[-1] + reach)["session"]
        first = before[-AROUND - 1] if len(before) > AROUND else gaps[0]
        last = after[AROUND] if len(after) > AROUND else gaps[-1]
        bounds = max(first, self.request.first), min(last, self.request.last)
        return replace(self.request, first=bounds[0], last=bounds[1])

    def add(self, other: Answer, tolerance: float) -> None:
        """Take the sessions that are missing from another answer, and compare the others."""
        mine = self.answer
        differing = disagreements(mine.bars, other.bars, tolerance)
        self.flagged = pl.concat([self.flagged, _flags(differing, mine.bars)])
        taken = other.bars.filter(pl.col("session").is_in(mine.bars["session"].unique().implode()).not_())
        events = other.corporate_actions.join(
            mine.corporate_actions, on=["symbol", "ex_date", "action"], how="anti", maintain_order="left"
        )
        if not mine.corporate_actions.is_empty():
            events = events.filter(pl.col("ex_date").is_in(taken["session"].unique().implode()))
        self.answer = Answer(
            pl.concat([mine.bars, taken]).sort("closes_at"),
            pl.concat([mine.corporate_actions, events]).sort("ex_date"),
            mine.instruments if not mine.instruments.is_empty() else other.instruments,
        )
        if not self.answer.instruments.is_empty():
            self.calendar = self.answer.instruments["calendar"][-1]


def _one(providers: Sequence[Provider], request: Request, asset_class: str, tolerance: float) -> Outcome:
    symbol = request.symbols[0]
    usual = calendar.usual_calendar(asset_class)
    collected = _Collected(request, Answer(), usual, WARNINGS.to_frame())
    said: list[Said] = []
    errors: list[ProviderError] = []
    for each in providers:
        missing = collected.missing()
        if not missing:
            break
        if request.timeframe not in each.capabilities.timeframes or not _serves(each, asset_class):
            said.append(Said(each.name, symbol, f"serves no {asset_class} {request.timeframe} bars"))
            continue
        try:
            answer = each.fetch(collected.next_request())
        except ProviderError as error:
            said.append(Said(each.name, symbol, str(error)))
            errors.append(error)
            continue
        collected.add(answer, tolerance)
        said.append(Said(each.name, symbol, _told(answer.bars)))
    if collected.answer.bars.is_empty():
        raise _all_failed(symbol, said, errors)
    gaps = _gaps(collected, said)
    return Outcome(collected.answer, pl.concat([collected.flagged, gaps]), tuple(said))


def _only(request: Request, symbol: str) -> Request:
    return replace(request, symbols=(symbol,))


def _serves(provider: Provider, asset_class: str) -> bool:
    return asset_class in provider.capabilities.asset_classes


def _listed(instruments: pl.DataFrame) -> tuple[date, date]:
    """First and last day that an instrument was listed, as far as it is told."""
    if instruments.is_empty():
        return date.min, date.max
    ends = instruments["valid_to"]
    last = date.max if ends.null_count() else max(ends.drop_nulls())
    return min(instruments["valid_from"]), last


def _told(bars: pl.DataFrame) -> str:
    if bars.is_empty():
        return "returned no bars"
    days = bars["session"].unique().sort()
    return f"returned {len(days)} sessions from {days[0]} to {days[-1]}"


def _flags(differing: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """Warnings on the bars that are kept although another provider differs."""
    known = bars.select("symbol", "timeframe", "session", "closes_at")
    reason = pl.format("{} says close {}, {} says {}", "source", "close", "other_source", "other_close")
    return (
        differing.join(known, on=["symbol", "closes_at"], how="left", maintain_order="left")
        .with_columns(rule=pl.lit(DISAGREE), reason=reason)
        .select(WARNINGS.names())
    )


def _gaps(collected: _Collected, said: list[Said]) -> pl.DataFrame:
    """Warnings on the sessions that nobody has; what lies before the first bar may be before the listing."""
    begins = collected.answer.bars["session"].sort()[0]
    days = [day for day in collected.missing() if day > begins]
    if not days:
        return WARNINGS.to_frame()
    closes = calendar.session_closes(collected.calendar, days[0], days[-1])
    reason = "; ".join(f"{each.provider}: {each.text}" for each in said)
    request = collected.request
    rows = [(request.symbols[0], request.timeframe, day, closes[day], MISSING, reason) for day in days]
    return pl.DataFrame(rows, schema=WARNINGS, orient="row")


def _all_failed(symbol: str, said: list[Said], errors: list[ProviderError]) -> ProviderError:
    """Error that lists what each provider said; of their common kind, if they have one."""
    kinds = {type(error) for error in errors}
    kind = kinds.pop() if len(kinds) == 1 and len(errors) == len(said) else NoProviderLeft
    text = "; ".join(f"{each.provider} said: {_without_head(each)}" for each in said) or "nobody was asked"
    return kind(NAME, text, symbol=symbol, remedy="mend one of them, or name another provider in the order")


def _without_head(said: Said) -> str:
    return said.text.removeprefix(f"{said.provider}: ").removeprefix(f"{said.symbol}: ")
