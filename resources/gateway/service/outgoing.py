"""Replies on their way out, with what the faults do to them."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from resources.gateway.service.faults import Fault, Faults
from resources.gateway.service.session import Session
from resources.gateway.wire.frames import pack
from resources.gateway.wire.layout.fields import Values, encode
from resources.gateway.wire.layout.replies import REPLIES

Reply = tuple[str, Values, bytes]


@dataclass(slots=True)
class Burst:
    """What is written to a socket after one step.

    Attributes
    ----------
    pieces : list of bytes
        Written one after the other.
    delayed : list of (float, bytes)
        Written after so many seconds.
    close, reset : bool
        What happens to the socket afterwards.
    """

    pieces: list[bytes] = field(default_factory=list)
    delayed: list[tuple[float, bytes]] = field(default_factory=list)
    close: bool = False
    reset: bool = False


def shape(session: Session, faults: Faults, limit: int | None = None) -> Burst:
    """Take the queued replies of a session and make the bytes of them.

    Parameters
    ----------
    limit : int, optional
        So many replies are sent, the rest is lost.
    """
    burst = Burst()
    queue = session.take()
    replies = queue if not faults.active else _spoil(session, faults, queue, burst)
    data = b"".join(reply[2] for reply in replies[:limit])
    if not data:
        return burst
    fault = faults.take("bytes") if faults.active else None
    if fault is None:
        burst.pieces.append(data)
    else:
        _break(burst, data, fault)
    return burst


def _spoil(session: Session, faults: Faults, queue: list[Reply], burst: Burst) -> list[Reply]:
    first: list[Reply] = []
    middle: list[Reply] = []
    last: list[Reply] = []
    for reply in queue:
        fault = faults.take("reply", reply[0], reply[1])
        if fault is None:
            middle.append(reply)
        elif fault.do == "duplicate":
            middle += [reply, reply]
        elif fault.do == "change":
            middle.append(_changed(session, reply, fault))
        elif fault.do == "delay":
            burst.delayed.append((fault.delay, reply[2]))
        elif fault.do in {"first", "last"}:
            (first if fault.do == "first" else last).append(reply)
    return first + middle + last


def _changed(session: Session, reply: Reply, fault: Fault) -> Reply:
    name, values, _ = reply
    changed = {**values, **fault.get("values", {})}
    return name, changed, pack(encode(REPLIES[name], changed, session.version))


def _break(burst: Burst, data: bytes, fault: Fault) -> None:
    if fault.do == "half":
        burst.pieces.append(data[: max(len(data) // 2, 1)])
        burst.close = True
    elif fault.do == "dribble":
        burst.pieces += [data[place : place + 1] for place in range(len(data))]
    elif fault.do == "oversize":
        burst.pieces += [struct.pack(">I", 512 << 20), data]
    elif fault.do == "garbage":
        burst.pieces += [pack(str(fault.get("text", "garbage")).split("\0")), data]
    elif fault.do == "reset":
        burst.reset = True
    else:
        burst.close = True
