"""Keys of web services: read from the environment, added on the way to the wire, blotted out of answers."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

import httpx2

from resources.providers.base import BadKey

BLOT = "***"
SHORTEST_BLOTTED = 6
"""Shorter keys are words like ``demo`` that answers hold for other reasons."""


@dataclass(frozen=True)
class Key:
    """Where a provider's key comes from and how it travels.

    Attributes
    ----------
    variable : str
        Environment variable that holds the key.
    header : str
        Header it is sent in, or empty.
    prefix : str
        Text before the key in the header.
    parameter : str
        Query parameter it is sent in, or empty.
    """

    variable: str
    header: str = ""
    prefix: str = ""
    parameter: str = ""

    def read(self, provider: str) -> str:
        """The key, from the environment.

        Raises
        ------
        BadKey
            When it is missing or holds characters that no key has.
        """
        value = os.environ.get(self.variable, "").strip()
        if not value:
            raise BadKey(provider, "no key", remedy=f"set the environment variable {self.variable}")
        if not value.isascii() or not value.isprintable() or " " in value:
            raise BadKey(provider, "the key holds characters no key has", remedy=f"check {self.variable}")
        return value

    def blotted(self, provider: str, body: bytes) -> bytes:
        """A body without an echo of the key."""
        secret = self.read(provider)
        if len(secret) < SHORTEST_BLOTTED:
            return body
        for form in {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}:
            body = body.replace(form.encode(), BLOT.encode())
        return body


class KeyTransport(httpx2.BaseTransport):
    """Adds the key below the client, so that no request object, log line or error ever holds it.

    Parameters
    ----------
    inner : httpx2.BaseTransport
        What sends the request.
    key : Key
        The key.
    provider : str
        Name that an error about the key carries.
    host : str
        The only host that gets to see the key.
    """

    def __init__(self, inner: httpx2.BaseTransport, key: Key, provider: str, host: str) -> None:
        self._inner = inner
        self._key = key
        self._provider = provider
        self._host = host

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a copy of the request that carries the key."""
        url = request.url
        if url.host != self._host:
            return self._inner.handle_request(request)
        secret = self._key.read(self._provider)
        headers = httpx2.Headers(request.headers)
        if self._key.parameter:
            url = url.copy_merge_params({self._key.parameter: secret})
        if self._key.header:
            headers[self._key.header] = self._key.prefix + secret
        wired = httpx2.Request(
            request.method, url, headers=headers, stream=request.stream, extensions=request.extensions
        )
        return self._inner.handle_request(wired)

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()
