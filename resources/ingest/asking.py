"""Asking a provider for many symbols: several at once where it allows, many in one where it can."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import groupby

from resources.providers import base

Outcome = base.Answer | base.ProviderError
Told = tuple[base.Request, Outcome]
AHEAD = 2
"""Answers that may wait to be taken, a worker."""


def answered(provider: base.Provider, planned: Sequence[base.Request]) -> Generator[list[Told], None, None]:
    """Answer to every request in their order, or what the provider said instead; joined ones together.

    A provider may say ``at_once`` (requests that it takes at the same time) and ``together`` (symbols that
    it serves best in one request); both are 1 where it says nothing. Requests that were joined are answered
    one by one when their answer is an error, so that every symbol stands alone.
    """
    groups = _joined(planned, getattr(provider, "together", 1))
    at_once = min(getattr(provider, "at_once", 1), len(groups))
    if at_once <= 1:
        for group in groups:
            yield _outcomes(provider, group)
        return
    waiting: deque[Future[list[Told]]] = deque()
    with ThreadPoolExecutor(at_once) as pool:
        try:
            for group in groups:
                waiting.append(pool.submit(_outcomes, provider, group))
                if len(waiting) > AHEAD * at_once:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for left in waiting:
                left.cancel()


def _joined(planned: Sequence[base.Request], together: int) -> list[list[base.Request]]:
    """Neighbouring requests of one span and timeframe in groups."""
    if together <= 1:
        return [[request] for request in planned]
    groups = []
    for _, same in groupby(planned, lambda request: (request.first, request.last, request.timeframe)):
        members = list(same)
        groups += [members[i : i + together] for i in range(0, len(members), together)]
    return groups


def _outcomes(provider: base.Provider, group: Sequence[base.Request]) -> list[Told]:
    if len(group) == 1:
        return [(group[0], _outcome(provider, group[0]))]
    names = tuple(name for request in group for name in request.symbols)
    whole = _outcome(provider, replace(group[0], symbols=names))
    if isinstance(whole, base.Answer):
        # The answer stands with the first of them; the others have nothing to add.
        nothing = base.Answer()
        return [(group[0], whole), *((request, nothing) for request in group[1:])]
    return [(request, _outcome(provider, request)) for request in group]


def _outcome(provider: base.Provider, request: base.Request) -> Outcome:
    try:
        return provider.fetch(request)
    except base.ProviderError as error:
        return error
