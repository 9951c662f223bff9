"""Options by their delta: few questions instead of a whole chain."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence

from resources.brokers.base import BrokerError


async def strike_of_delta(
    strikes: Sequence[float], delta: float, ask: Callable[[float], Awaitable[float]]
) -> tuple[float, float]:
    """Strike whose option has the delta nearest to a wanted one, by bisection.

    The delta of a call, as of a put, falls as the strike rises. A strike whose delta is not told, or told
    as none, counts as if it were not listed.

    Parameters
    ----------
    strikes : sequence of float
        Strikes of one expiry.
    delta : float
        Wanted delta; negative for puts.
    ask : callable
        Delta of the option at a strike; NaN where there is none.

    Returns
    -------
    (float, float)
        Strike and its delta.

    Raises
    ------
    BrokerError
        When no strike that was looked at has a delta.
    """
    left = sorted(set(strikes))
    found: list[tuple[float, float]] = []
    while left:
        middle = len(left) // 2
        strike = left.pop(middle)
        told = await ask(strike)
        if not math.isfinite(told) or abs(told) > 1.0:
            continue
        found.append((strike, told))
        left = left[middle:] if told > delta else left[:middle]
    if not found:
        raise BrokerError("no option of the chain has a delta: are there market data and a price?")
    return min(found, key=lambda pair: abs(pair[1] - delta))
