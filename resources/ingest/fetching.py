"""What a provider answered, in parts that memory holds: each of whole symbols, to be written before the next.

However much is asked for, only the bars of one part (and the few answers that wait) are in memory, and what
was written stays when the rest is interrupted: the next ingest asks for what is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import polars as pl

from resources.ingest.asking import Outcome, answered
from resources.providers import base
from trading.quality.findings import WARNINGS
from trading.repair import REPAIRS

PART = 1_500_000
"""Bars after which what has been fetched is written."""

Told = Callable[[str], None]


@dataclass(frozen=True)
class Fetched:
    """Answers to some requests.

    Attributes
    ----------
    requests : tuple of Request
        What was asked, all of each symbol.
    failed : mapping of str to str
        Symbols that could not be served: what was said. Nothing of them is among the rows.
    repairs : polars.DataFrame
        Bars among the rows that were repaired.
    """

    requests: tuple[base.Request, ...]
    bars: pl.DataFrame
    actions: pl.DataFrame
    instruments: pl.DataFrame
    warnings: pl.DataFrame
    failed: dict[str, str]
    repairs: pl.DataFrame = field(default_factory=REPAIRS.to_frame)

    @property
    def symbols(self) -> list[str]:
        """Symbols asked for, in their order."""
        return list(dict.fromkeys(request.symbols[0] for request in self.requests))


class _Part:
    """Answers that are being collected."""

    def __init__(self) -> None:
        self.requests: list[base.Request] = []
        self.answers: list[base.Answer] = []
        self.failed: dict[str, str] = {}
        self.rows = 0

    def add(self, request: base.Request, outcome: Outcome, *, alone: bool) -> None:
        self.requests.append(request)
        if isinstance(outcome, base.Answer):
            self.answers.append(outcome)
            self.rows += outcome.bars.height
        # Nothing before the first bar known, or nothing new since: only a wholly unknown symbol fails.
        elif not isinstance(outcome, base.NoData) or alone:
            self.failed[request.symbols[0]] = str(outcome)

    def fetched(self, provider: base.Provider) -> Fetched:
        frames = (
            pl.concat([base.BARS.to_frame(), *(answer.bars for answer in self.answers)]),
            pl.concat([base.CORPORATE_ACTIONS.to_frame(), *(a.corporate_actions for a in self.answers)]),
            pl.concat([base.INSTRUMENTS.to_frame(), *(answer.instruments for answer in self.answers)]),
        )
        # A symbol that failed in one of its ranges is left out whole.
        kept = pl.col("symbol").is_in(list(self.failed)).not_().fill_null(value=True)
        bars, actions, instruments = (frame.filter(kept) if self.failed else frame for frame in frames)
        return Fetched(
            requests=tuple(self.requests),
            bars=bars,
            actions=actions.unique(maintain_order=True),
            instruments=instruments.unique(maintain_order=True),
            warnings=_said(provider, {request.symbols[0] for request in self.requests}),
            failed=self.failed,
        )


def fetched_parts(
    provider: base.Provider, planned: Sequence[base.Request], tell: Told | None = None
) -> Iterator[Fetched]:
    """Answers of all requests in parts of at least :data:`PART` bars (the last one has what is left).

    Parameters
    ----------
    planned : sequence of Request
        One symbol each, those of a symbol one after another.
    tell : callable, optional
        Called with each symbol when it has been answered.

    Raises
    ------
    BadKey, Unsupported
        What would be said of every symbol alike; parts before it have been given.
    """
    asked = Counter(request.symbols[0] for request in planned)
    part, done = _Part(), 0
    with closing(answered(provider, planned)) as groups:
        for group in groups:
            for request, outcome in group:
                if isinstance(outcome, base.BadKey | base.Unsupported):
                    raise outcome
                if isinstance(outcome, base.Unreachable):
                    # The others would wait for the same time-out; what is here already is kept.
                    for rest in planned[done:]:
                        part.add(rest, outcome, alone=True)
                    yield part.fetched(provider)
                    return
                part.add(request, outcome, alone=asked[request.symbols[0]] == 1)
                done += 1
                if tell is not None and _ends(planned, done):
                    tell(request.symbols[0])
            if part.rows >= PART and done < len(planned) and _ends(planned, done):
                yield part.fetched(provider)
                part = _Part()
    yield part.fetched(provider)


def _ends(planned: Sequence[base.Request], done: int) -> bool:
    """Whether the request answered last is the last one of its symbol."""
    return done == len(planned) or planned[done].symbols != planned[done - 1].symbols


def _said(provider: base.Provider, symbols: set[str]) -> pl.DataFrame:
    """Warnings of a provider that joins several: where they disagree and what none of them has."""
    warnings = getattr(provider, "warnings", None)
    if not isinstance(warnings, pl.DataFrame):
        return WARNINGS.to_frame()
    own = warnings.filter(pl.col("symbol").is_in(list(symbols)))
    # Requests that ran at the same time told theirs in any order.
    return own.unique(maintain_order=True).sort("symbol", "closes_at", maintain_order=True)
