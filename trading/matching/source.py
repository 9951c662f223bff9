"""Where the executions of a session come from: the simulated market, or what a broker has recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Literal, Protocol

from trading.matching.result import MatchResult
from trading.orders import Bar, Order


def never(symbol: str) -> bool:
    """Every exchange is open."""
    del symbol
    return False


class FillSource(Protocol):
    """A market, as the day loop sees it.

    Attributes
    ----------
    simulated : bool
        Whether the events of orders are this market's own; a broker's are recorded as they happen.
    """

    @property
    def simulated(self) -> bool:
        """Whether the events of orders are this market's own."""
        ...

    def match_session(
        self,
        orders: Sequence[Order],
        bars: Callable[[str], Bar | None],
        session: date,
        *,
        phase: Literal["session", "close"] = "session",
        closed: Callable[[str], bool] = never,
    ) -> MatchResult:
        """Executions of the working orders in a session; the orders are changed in place.

        Parameters
        ----------
        closed : callable
            Whether the exchange of a symbol has no session: its orders wait for the next one.
        """
        ...

    def cancel(
        self, orders: Sequence[Order], order_refs: Iterable[str], session: date, reason: str
    ) -> MatchResult:
        """End working orders by reference, and the children that wait for them."""
        ...
