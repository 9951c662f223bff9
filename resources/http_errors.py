"""What went wrong with a web service, as typed errors that name provider, symbol and what to do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from resources.keys import Key
from resources.providers.base import (
    BadKey,
    MalformedAnswer,
    ProviderError,
    RateLimited,
    UnknownSymbol,
    Unreachable,
)

T = TypeVar("T")
EXCERPT = 160
LATER = "try again later"


class AgainError(Exception):
    """A failure that may pass; carries the error to raise when it does not."""

    def __init__(self, error: ProviderError, wait: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait = wait


@dataclass(frozen=True)
class Asked:
    """What an error is about: who was asked, where, for which symbol, with which key."""

    provider: str
    url: str
    symbol: str | None
    key: Key | None

    def unreachable(self, problem: str) -> Unreachable:
        """Error of a service that does not answer."""
        remedy = f"check the connection and base_url, or {LATER}"
        return Unreachable(
            self.provider, f"{without_login(self.url)}: {problem}", symbol=self.symbol, remedy=remedy
        )

    def broken_off(self, problem: str) -> MalformedAnswer:
        """Error of an answer that ends too early."""
        problem = f"the answer of {without_login(self.url)} broke off ({one_line(problem)})"
        return MalformedAnswer(self.provider, problem, symbol=self.symbol, remedy=LATER)

    def unreadable(self, error: Exception) -> MalformedAnswer:
        """Error of an answer whose parser gave up."""
        return MalformedAnswer(
            self.provider,
            f"the answer of {without_login(self.url)} is not of the expected shape "
            f"({type(error).__name__}: {one_line(str(error))})",
            symbol=self.symbol,
            remedy="the service may have changed; the raw answer is kept where a lake is set",
        )

    def limited(self, said: str, wait: float | None) -> RateLimited:
        """Error of a service that asks to come back later."""
        when = LATER if wait is None else f"try again in {wait:g} s"
        error = RateLimited(self.provider, f"too many requests, {said}", symbol=self.symbol, remedy=when)
        error.retry_after = wait
        return error

    def refused(
        self, status: int, headers: dict[str, str], body: bytes, own: type[ProviderError] | None
    ) -> Exception:
        """Error of a status other than success; an :class:`AgainError` where another attempt may help.

        Parameters
        ----------
        status : int
            HTTP status.
        headers : dict
            Headers, names in lower case.
        body : bytes
            What the service said, free of keys.
        own : type, optional
            Error type by the service's own habits, where it has any.
        """
        text = excerpt(body)
        said = f"status {status}" + (f" ({text})" if text else "")
        wait = retry_after(headers.get("retry-after"))
        kind = own or _kind(status, self.key)
        if kind is RateLimited:
            return AgainError(self.limited(said, wait), wait)
        if kind is Unreachable:
            return AgainError(self.unreachable(f"server error, {said}"), wait)
        if 300 <= status < 400:
            target = one_line(without_login(headers.get("location", "elsewhere").split("?")[0]))
            said = f"status {status}, moved to {target}"
        problem = f"{without_login(self.url)} refused, {said}"
        return kind(self.provider, problem, symbol=self.symbol, remedy=self._remedy(kind))

    def _remedy(self, kind: type[ProviderError]) -> str:
        if kind is UnknownSymbol:
            return "check the symbol"
        if kind is BadKey and self.key is not None:
            return f"check {self.key.variable} and what its plan allows"
        return "check the request and base_url"


def _kind(status: int, key: Key | None) -> type[ProviderError]:
    by_status: dict[int, type[ProviderError]] = {404: UnknownSymbol, 408: Unreachable, 429: RateLimited}
    if status >= 500:
        return Unreachable
    if status in {401, 403} and key is not None:
        return BadKey
    return by_status.get(status, MalformedAnswer if status < 400 else ProviderError)


def json_of(body: bytes, provider: str, symbol: str | None, expect: type[T]) -> T:
    """JSON document of the expected type.

    Raises
    ------
    MalformedAnswer
        When the body is HTML, breaks off, holds NaN, is nested without end or is of another type.
    """
    try:
        document = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        what = "HTML" if body.lstrip()[:1] == b"<" else "no whole JSON"
        raise MalformedAnswer(
            provider,
            f"the answer is {what}: {excerpt(body) or 'empty'} ({one_line(str(error))})",
            symbol=symbol,
            remedy=f"{LATER}, and check base_url",
        ) from None
    if not isinstance(document, expect):
        raise MalformedAnswer(
            provider,
            f"the answer is a JSON {type(document).__name__}, not a {expect.__name__}: {excerpt(body)}",
            symbol=symbol,
            remedy="the service may have changed",
        )
    return document


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks to wait; None where it is absent or unreadable.

    Parameters
    ----------
    value : str or None
        Seconds or an HTTP date.
    now : datetime, optional
        Time that a date is measured from; the present by default.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            at = parsedate_to_datetime(value)
        except ValueError:
            return None
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        seconds = (at - (now or datetime.now(UTC))).total_seconds()
    return max(0.0, seconds) if seconds < float("inf") else None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def one_line(text: str) -> str:
    """Text in one line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT else line[:EXCERPT] + "..."


def excerpt(body: bytes) -> str:
    """Start of a body in one line."""
    return one_line(body[: 4 * EXCERPT].decode("utf-8", "replace"))


def without_login(url: str) -> str:
    """The address without user and password."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return scheme + separator + host.rpartition("@")[2] + slash + path
