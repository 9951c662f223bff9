"""Framing: a four-byte length, then fields that each end with NUL."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator

MAX_FRAME = 1 << 20
"""Largest frame accepted from a client; a real gateway drops the connection on larger ones too."""

HELLO = b"API\0"
_VERSIONS = re.compile(r"v(\d{2,4})(?:\.\.(\d{2,4}))?(?: (.*))?", re.ASCII)


class FrameError(ValueError):
    """Bytes that are no frame of the protocol: nothing after them can be understood."""


def pack(fields: Iterable[str]) -> bytes:
    """One frame with the given fields."""
    payload = "\0".join((*fields, "")).encode("utf-8", "surrogateescape")
    return struct.pack(">I", len(payload)) + payload


def unpack(payload: bytes) -> list[str]:
    """Fields of one payload; a missing NUL after the last field is forgiven."""
    fields = payload.decode("utf-8", "backslashreplace").split("\0")
    if fields[-1] == "":
        fields.pop()
    return fields


class FrameReader:
    """Cuts a stream of bytes into payloads, however the bytes arrive.

    Parameters
    ----------
    limit : int
        Largest payload in bytes.
    """

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self._buffer = bytearray()
        self._limit = limit

    def feed(self, data: bytes) -> None:
        """Add bytes that arrived."""
        self._buffer += data

    def hello(self) -> bool:
        """Whether the opening ``API`` has arrived, and take it off.

        Raises
        ------
        FrameError
            When the stream starts with something else.
        """
        start = bytes(self._buffer[: len(HELLO)])
        if not HELLO.startswith(start):
            raise FrameError(f"the connection starts with {start!r} instead of {HELLO!r}")
        if start != HELLO:
            return False
        del self._buffer[: len(HELLO)]
        return True

    def payloads(self) -> Iterator[bytes]:
        """Complete payloads that have arrived.

        Raises
        ------
        FrameError
            When a length is above the limit.
        """
        while len(self._buffer) >= 4:
            (length,) = struct.unpack_from(">I", self._buffer)
            if length > self._limit:
                raise FrameError(f"a frame of {length} bytes is above the limit of {self._limit}")
            if len(self._buffer) < 4 + length:
                return
            payload = bytes(self._buffer[4 : 4 + length])
            del self._buffer[: 4 + length]
            yield payload


def client_versions(payload: bytes) -> tuple[int, int]:
    """Lowest and highest version that the client's first frame offers.

    Raises
    ------
    FrameError
        When the frame does not offer versions.
    """
    text = payload.decode("utf-8", "backslashreplace").rstrip("\0")
    match = _VERSIONS.fullmatch(text)
    if match is None:
        raise FrameError(f"{text!r} offers no versions such as v157..178")
    lowest = int(match[1])
    return lowest, int(match[2] or lowest)
