"""The one way to the web services: a paced, retrying client with typed errors that never shows a key.

Every request has time limits, a bounded number of attempts and the pace of its provider. The key is added
below the client, on its way to the wire (:mod:`resources.keys`): addresses in logs, errors and kept
answers cannot hold it.
"""

from __future__ import annotations

import csv
import logging
import ssl
import threading
import time
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple, TypeVar

import httpx2
import polars as pl
import pyrate_limiter
import stamina
from pydantic import Field

from resources.http_errors import LATER, AgainError, Asked, one_line, without_login
from resources.keys import Key, KeyTransport
from resources.providers.base import NoData, ProviderError, RateLimited, Settings
from resources.raw_answers import RawAnswers, RawRequest

# At its lowest level the library below the client logs headers, in which a service may echo a key.
logging.getLogger("httpcore2").setLevel(logging.INFO)

T = TypeVar("T")
log = logging.getLogger("desk.data")
Refusals = Callable[[int, str], type[ProviderError] | None]

UNREADABLE = (
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    ArithmeticError,
    EOFError,
    RecursionError,
    csv.Error,
    zipfile.BadZipFile,
    zlib.error,
    pl.exceptions.PolarsError,
)
"""What a parser raises when an answer is not of the shape it was written for."""
SAME = "ask for the same range as then, or without --kept"
LOOK = 3.0
"""Seconds in which an address must answer a look whether it is there."""


class Pace(NamedTuple):
    """At most ``requests`` in any window of ``seconds``."""

    requests: int
    seconds: float


class HttpSettings(Settings):
    """Settings that every provider on the web has.

    Attributes
    ----------
    base_url : str
        Address of the service; another one points the provider at a mirror or a test server.
    timeout : float
        Seconds to wait for a connection and for each piece of an answer.
    deadline : float
        Seconds that one answer may take as a whole.
    attempts : int
        Attempts at one request, the first included.
    backoff : float
        Seconds before the second attempt; doubles from there, with some chance added.
    longest_wait : float
        Longest wait in seconds that a Retry-After may ask for before the provider counts as limited.
    max_age : float, optional
        Seconds after which a kept answer is asked for again, whatever its validity; 0: always.
    tickers : dict
        What the service calls a symbol, where it differs.
    """

    base_url: str = Field(pattern=r"^https?://[^/?#]+")
    timeout: float = Field(default=20.0, gt=0)
    deadline: float = Field(default=120.0, gt=0)
    attempts: int = Field(default=4, ge=1, le=10)
    backoff: float = Field(default=0.5, ge=0)
    longest_wait: float = Field(default=60.0, ge=0)
    max_age: float | None = Field(default=None, ge=0)
    tickers: dict[str, str] = Field(default_factory=dict)


class _TooSlowError(Exception):
    """The answer keeps coming, but not within the deadline."""


class _Gate(NamedTuple):
    """Pace and slots of a service, and how long to queue for them in seconds."""

    limiter: pyrate_limiter.Limiter | None
    slots: threading.BoundedSemaphore
    patience: float


_MAKING = threading.Lock()


@lru_cache(maxsize=64)
def _gate(base_url: str, pace: tuple[Pace, ...], at_once: int) -> _Gate:
    """The gate that all clients of a service share within the process."""
    rates = [pyrate_limiter.Rate(limit.requests, int(limit.seconds * 1000)) for limit in pace]
    limiter = pyrate_limiter.Limiter(rates) if rates else None
    longest = max((limit.seconds for limit in pace), default=1.0)
    return _Gate(limiter, threading.BoundedSemaphore(at_once), 2 * longest)


@dataclass
class Client:
    """Client of one service.

    Attributes
    ----------
    provider : str
        Name that errors carry.
    settings : HttpSettings
        Address, time limits and attempts.
    key : Key, optional
        The key the service wants.
    pace : tuple of Pace
        The service's own limits.
    at_once : int
        Requests under way at the same time.
    headers : mapping
        Further headers.
    refusals : callable, optional
        Error type of a refused request by status and body, where the service has its own habits; None
        leaves it to the common rules.
    store : RawAnswers, optional
        Where answers are kept and looked up.
    """

    provider: str
    settings: HttpSettings
    key: Key | None = None
    pace: tuple[Pace, ...] = ()
    at_once: int = 4
    headers: Mapping[str, str] = field(default_factory=dict)
    refusals: Refusals | None = None
    store: RawAnswers | None = None
    _http: httpx2.Client | None = field(default=None, init=False, repr=False)
    _opening: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def fetch(
        self,
        path: str,
        parse: Callable[[bytes], T],
        *,
        parameters: Mapping[str, Any] | None = None,
        symbol: str | None = None,
        valid_for: timedelta | None = None,
        base_url: str | None = None,
    ) -> T:
        """Ask, keep the answer as it came, and parse it.

        Parameters
        ----------
        path : str
            Path below the base address, with its leading slash.
        parse : callable
            From the body to the result; what it raises becomes a typed error.
        parameters : mapping, optional
            Query without the key; None values are left out.
        symbol : str, optional
            Symbol that errors name.
        valid_for : timedelta, optional
            How long a kept answer stands for a new one; None: a new one is asked for each time.
        base_url : str, optional
            Another address than that of the settings.

        Raises
        ------
        ProviderError
            Of the kind that fits: see :mod:`resources.providers.base`.
        """
        query = {name: str(value) for name, value in (parameters or {}).items() if value is not None}
        url = (base_url or self.settings.base_url).rstrip("/") + path
        asked = Asked(self.provider, url, symbol, self.key)
        request = RawRequest(self.provider, without_login(url), query, symbol)
        store = self.store
        if store is None:
            return _parsed(parse, self._ask(asked, query), asked)
        kept = store.find(request, self._max_age()) if valid_for is not None or store.only else None
        if store.only:
            if kept is None:
                raise NoData(self.provider, f"no kept answer of {asked.url}", symbol=symbol, remedy=SAME)
            return _parsed(parse, kept.body, asked)
        if kept is not None:
            try:
                return _parsed(parse, kept.body, asked)
            except ProviderError as error:
                store.mark_unusable(kept, str(error))
        answer = store.put(request, self._ask(asked, query), valid_for)
        try:
            return _parsed(parse, answer.body, asked)
        except ProviderError as error:
            store.mark_unusable(answer, str(error))
            raise

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        with self._opening:
            if self._http is not None:
                self._http.close()
            self._http = None

    def _max_age(self) -> timedelta | None:
        age = self.settings.max_age
        return None if age is None else timedelta(seconds=age)

    def _ask(self, asked: Asked, query: dict[str, str]) -> bytes:
        if self.key is not None:
            self.key.read(self.provider)
        return repeated(self.settings, lambda: self._once(asked, query))

    def _once(self, asked: Asked, query: dict[str, str]) -> bytes:
        try:
            with paced(asked, self.settings.base_url, self.pace, self.at_once):
                status, headers, body = self._receive(asked.url, query)
        except httpx2.TimeoutException:
            raise AgainError(asked.unreachable(f"no answer in {self.settings.timeout:g} s")) from None
        except _TooSlowError:
            raise AgainError(asked.unreachable(f"no whole answer in {self.settings.deadline:g} s")) from None
        except (httpx2.RemoteProtocolError, httpx2.DecodingError) as error:
            raise AgainError(asked.broken_off(str(error))) from None
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            raise AgainError(asked.unreachable(one_line(str(error)))) from None
        body = self._blotted(body)
        if 200 <= status < 300:
            return body
        if "location" in headers:
            headers["location"] = self._blotted(headers["location"].encode()).decode()
        own = self.refusals(status, body.decode("utf-8", "replace")) if self.refusals else None
        raise asked.refused(status, headers, body, own)

    def _blotted(self, text: bytes) -> bytes:
        return text if self.key is None else self.key.blotted(self.provider, text)

    def _receive(self, url: str, query: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        started = time.monotonic()
        pieces = []
        with self._opened().stream("GET", url, params=query) as response:
            for piece in response.iter_bytes():
                pieces.append(piece)
                if time.monotonic() - started > self.settings.deadline:
                    raise _TooSlowError
        return response.status_code, dict(response.headers), b"".join(pieces)

    def _opened(self) -> httpx2.Client:
        with self._opening:
            if self._http is None:
                transport: httpx2.BaseTransport = httpx2.HTTPTransport(
                    verify=_trust(),
                    proxy=_proxy(self.settings.base_url),
                    limits=httpx2.Limits(max_connections=self.at_once),
                )
                if self.key is not None:
                    transport = KeyTransport(
                        transport, self.key, self.provider, httpx2.URL(self.settings.base_url).host
                    )
                self._http = httpx2.Client(
                    transport=transport,
                    timeout=self.settings.timeout,
                    headers={"User-Agent": "deltadesk", "Accept": "*/*", **self.headers},
                    follow_redirects=False,
                )
            return self._http


def _told_again(details: stamina.instrumentation.RetryDetails) -> None:
    """Say why and when a request is repeated."""
    failure = details.caused_by
    said = failure.error if isinstance(failure, AgainError) else failure
    log.info("%s; trying again in %.1f s", said, details.wait_for)


stamina.instrumentation.set_on_retry_hooks([_told_again])


def repeated(settings: HttpSettings, once: Callable[[], T]) -> T:
    """Result of a call that may fail for a while.

    Parameters
    ----------
    settings : HttpSettings
        Number of attempts and the waits between them.
    once : callable
        One attempt; raises :class:`AgainError` where another one may help.
    """

    def wait(failure: Exception) -> bool | float:
        if not isinstance(failure, AgainError):
            return False
        if failure.wait is None:
            return True
        return failure.wait if failure.wait <= settings.longest_wait else False

    try:
        for attempt in stamina.retry_context(
            on=wait,
            attempts=settings.attempts,
            timeout=None,
            wait_initial=settings.backoff,
            wait_max=settings.longest_wait,
            wait_jitter=settings.backoff,
        ):
            with attempt:
                return once()
    except AgainError as failure:
        raise failure.error from None
    raise AssertionError("the attempts end in an answer or an error")


@contextmanager
def paced(asked: Asked, base_url: str, pace: tuple[Pace, ...], at_once: int) -> Iterator[None]:
    """A turn at a service, shared by all that speak to its address within the process.

    Raises
    ------
    RateLimited
        When there is no turn within twice the longest window of the pace.
    """
    with _MAKING:  # two first requests at a time would each get a gate of their own
        gate = _gate(base_url, pace, at_once)
    if gate.limiter is not None and not gate.limiter.try_acquire(asked.provider, timeout=gate.patience):
        raise RateLimited(asked.provider, "its pace is used up", symbol=asked.symbol, remedy=LATER)
    with gate.slots:
        yield


class HttpProvider:
    """What the providers on the web share: a client made from their settings.

    A subclass names itself and gives its settings, capabilities and the habits of its service.
    """

    name: ClassVar[str]
    key: ClassVar[Key | None] = None
    pace: ClassVar[tuple[Pace, ...]] = ()
    at_once: ClassVar[int] = 4
    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, settings: HttpSettings) -> None:
        self.settings = settings
        self.client = Client(
            self.name,
            settings,
            key=self.key,
            pace=self.pace,
            at_once=self.at_once,
            headers=self.headers,
            refusals=self.refusal,
        )

    def keep_answers(self, store: RawAnswers | None) -> None:
        """Keep every answer in a store from now on, and look there first; None ends it."""
        self.client.store = store

    def ticker(self, symbol: str) -> str:
        """What the service calls a symbol."""
        return self.settings.tickers.get(symbol, symbol)

    def health(self) -> str:
        """Whether its address answers; see :func:`reached`."""
        return reached(self.settings.base_url)

    @staticmethod
    def refusal(status: int, body: str) -> type[ProviderError] | None:
        """Error type of a refused request, where the service has its own habits."""
        del status, body
        return None


def reached(base_url: str) -> str:
    """Whether somebody answers at an address, in words: whatever the status says, the service is there.

    Nothing is repeated and no key is sent.
    """
    started = time.monotonic()
    try:
        with (
            httpx2.Client(verify=_trust(), proxy=_proxy(base_url), timeout=LOOK) as client,
            client.stream("GET", base_url) as response,  # the body stays where it is
        ):
            status = response.status_code
    except httpx2.TimeoutException:
        return f"no answer in {LOOK:g} s"
    except (httpx2.TransportError, httpx2.InvalidURL) as error:
        return f"not reached: {one_line(str(error))}"
    spent = f"in {time.monotonic() - started:.1f} s"
    return f"answers with status {status} {spent}" if status >= 500 else f"answers {spent}"


def keep_answers(provider: object, store: RawAnswers | None) -> None:
    """Let a provider keep its raw answers in a store, where it has any to keep."""
    keep = getattr(provider, "keep_answers", None)
    if keep is not None:
        keep(store)


def _parsed(parse: Callable[[bytes], T], body: bytes, asked: Asked) -> T:
    try:
        return parse(body)
    except ProviderError:
        raise
    except UNREADABLE as error:
        raise asked.unreadable(error) from None


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    """Certificates that are trusted; loading them takes longer than most requests."""
    return httpx2.create_ssl_context()


def _proxy(base_url: str) -> str | None:
    """Proxy that the environment names for an address."""
    parts = httpx2.URL(base_url)
    if urllib.request.proxy_bypass(parts.host):
        return None
    return urllib.request.getproxies().get(parts.scheme)
