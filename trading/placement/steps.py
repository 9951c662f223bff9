"""The steps that placing consists of: each is carried out as it says, in the order given."""

from __future__ import annotations

from typing import NamedTuple

from trading.placement.executions import Report
from trading.placement.intents import State


class Note(NamedTuple):
    """Record an event of an order."""

    order_ref: str
    state: State
    message: str = ""
    filled: float = 0.0
    remaining: float = 0.0
    average_price: float | None = None
    perm_id: int | None = None
    code: int | None = None


class Book(NamedTuple):
    """Record reports of executions."""

    reports: tuple[Report, ...]


class Reserve(NamedTuple):
    """Make order ids durable, all in one commit, before anything of the unit is sent."""

    ids: tuple[tuple[str, int], ...]


class Part(NamedTuple):
    """One order of a unit on its way.

    Attributes
    ----------
    parent_id : int, optional
        Order id of the parent it waits for; None: it stands alone.
    transmit : bool
        Whether the broker lets the unit go with it.
    quantity : float, optional
        Units, where they are fewer than intended: a child that goes alone protects what its parent has
        filled and no more.
    """

    order_ref: str
    order_id: int
    parent_id: int | None
    transmit: bool
    quantity: float | None = None


class Send(NamedTuple):
    """Send a unit whose ids are durable; ``again``: under the ids it has been sent with before."""

    parts: tuple[Part, ...]
    again: bool = False


class Change(NamedTuple):
    """Send a working order with the prices and the quantity of a modify, all else as the broker has it.

    ``quantity`` includes what has been filled of it; ``reduces``: it only takes risk off.
    """

    order_ref: str
    target_ref: str
    order_id: int
    quantity: float
    parent_id: int | None = None
    reduces: bool = False


class Cancel(NamedTuple):
    """Ask the broker to cancel an order; ``intent_ref`` is empty where nobody but the desk asked."""

    order_ref: str
    order_id: int
    intent_ref: str = ""
    reason: str = ""


class Reconnect(NamedTuple):
    """Take a fresh connection before orders are sent again."""

    order_refs: tuple[str, ...]


class Wait(NamedTuple):
    """Look again later; ``blocked``: a person, or time, must change something before it goes on."""

    order_refs: tuple[str, ...]
    reason: str
    blocked: bool = False


class Alarm(NamedTuple):
    """Tell a person; ``freeze``: and halt the book; ``urgent``: a person must do something."""

    order_ref: str
    message: str
    freeze: bool = False
    urgent: bool = False


Step = Note | Book | Reserve | Send | Change | Cancel | Reconnect | Wait | Alarm
