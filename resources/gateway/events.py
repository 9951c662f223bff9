"""What the broker has to tell its clients, before it is known who listens."""

from __future__ import annotations

from typing import NamedTuple

from resources.gateway.wire.layout.fields import Values


class Event(NamedTuple):
    """A message for clients.

    Attributes
    ----------
    name : str
        Name of the reply.
    client_id : int, optional
        Client that it concerns; None: everybody who listens to such messages.
    """

    name: str
    values: Values
    client_id: int | None = None


def error(client_id: int | None, number: int, code: int, text: str, details: str = "") -> Event:
    """Error or notice; ``number`` is the order or request it is about, -1 for none."""
    values = {"reqId": number, "code": code, "text": text, "rejectDetails": details}
    return Event("error", values, client_id)
