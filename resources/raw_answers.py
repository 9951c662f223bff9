"""Answers of data providers as they came: compressed, by request, under the lake's ``_raw/`` folder.

An answer is kept before it is parsed, so that a corrected parser can be run over it again and a fault of
a source can be shown. One file holds one answer: a JSON line that says what was asked (never a key) and
the body, compressed together (zstd). A file is never changed; an answer that could not be used gets a
marker beside it and is not served again, and one whose file is damaged counts as not there.
"""

from __future__ import annotations

import hashlib
import json
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pyarrow.fs as arrow_fs
from deltalake.fs import DeltaStorageHandler

log = logging.getLogger("desk.raw_answers")

FOLDER = "_raw"
SUFFIX = ".zst"
UNUSABLE = ".unusable"
COMPRESSION = "zstd"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class RawRequest:
    """What was asked, without any key.

    Attributes
    ----------
    provider : str
        Name of the provider.
    url : str
        Address without a query.
    parameters : mapping of str to str
        Query, without secrets.
    symbol : str, optional
        Symbol that the request was made for.
    """

    provider: str
    url: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    symbol: str | None = None

    @property
    def digest(self) -> str:
        """Identity of the request: the same address and query have the same one."""
        identity = json.dumps([self.provider, self.url, sorted(self.parameters.items())])
        return hashlib.sha256(identity.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class RawAnswer:
    """One kept answer.

    Attributes
    ----------
    path : str
        File inside the lake.
    request : RawRequest
        What was asked.
    received_at : datetime
        When the answer came, UTC.
    valid_until : datetime, optional
        Until when it may stand for a new answer; None: it may not.
    body : bytes
        The answer as it came.
    """

    path: str
    request: RawRequest
    received_at: datetime
    valid_until: datetime | None
    body: bytes = field(repr=False)


class HasLocation(Protocol):
    """A lake, as far as the store needs it."""

    @property
    def uri(self) -> str:
        """Where the lake is."""
        ...

    @property
    def storage_options(self) -> dict[str, str] | None:
        """Options of the object store."""
        ...


class RawAnswers:
    """The raw answers of one lake.

    Parameters
    ----------
    uri : str
        Where the lake is: a folder, or any address that delta-rs opens. A local folder must exist.
    storage_options : dict, optional
        Options of the object store.
    now : callable, optional
        Clock.
    only : bool
        Whether kept answers stand for all new ones, whatever their age, so that their parsers run again and
        nobody is asked.
    """

    def __init__(
        self,
        uri: str,
        storage_options: dict[str, str] | None = None,
        now: Callable[[], datetime] = _now,
        *,
        only: bool = False,
    ) -> None:
        self.only = only
        self._files = arrow_fs.PyFileSystem(DeltaStorageHandler(uri, storage_options))
        self._now = now

    def put(self, request: RawRequest, body: bytes, valid_for: timedelta | None = None) -> RawAnswer:
        """Keep an answer.

        Parameters
        ----------
        request : RawRequest
            What was asked.
        body : bytes
            The answer.
        valid_for : timedelta, optional
            How long the answer may stand for a new one; None: never.

        Returns
        -------
        RawAnswer
        """
        at = self._now()
        answer = RawAnswer(
            f"{_folder(request)}/{at:%Y%m%dT%H%M%S.%fZ}-{uuid.uuid4().hex[:8]}{SUFFIX}",
            request,
            at,
            None if valid_for is None else at + valid_for,
            body,
        )
        content = json.dumps(_head(answer), sort_keys=True).encode() + b"\n" + body
        self._write(answer.path, content)
        return answer

    def find(self, request: RawRequest, max_age: timedelta | None = None) -> RawAnswer | None:
        """Newest usable answer to a request that is still valid.

        Parameters
        ----------
        request : RawRequest
            What is asked.
        max_age : timedelta, optional
            Older answers do not count, whatever their validity.
        """
        files = self._list(_folder(request), recursive=False)
        if self.only:
            # What could not be used may have been the parser's fault.
            every = [path for path in files if path.endswith(SUFFIX)]
            return self._read(max(every)) if every else None
        usable = [path for path in files if path.endswith(SUFFIX) and path + UNUSABLE not in files]
        newest = (self._whole(path) for path in sorted(usable, reverse=True))
        answer = next((found for found in newest if found is not None), None)
        now = self._now()
        if answer is None or answer.valid_until is None or answer.valid_until <= now:
            return None
        if max_age is not None and answer.received_at + max_age <= now:
            return None
        return answer

    def mark_unusable(self, answer: RawAnswer, reason: str) -> None:
        """Serve an answer no more; it stays for inspection, with the reason beside it."""
        self._write(answer.path + UNUSABLE, reason.encode())

    def replay(self, provider: str, *, unusable: bool = False) -> Iterator[RawAnswer]:
        """Kept answers of a provider, oldest first within a request, for a parser to be run over again.

        Parameters
        ----------
        provider : str
            Name of the provider.
        unusable : bool
            Whether to include answers that could not be used.
        """
        files = self._list(f"{FOLDER}/{provider}", recursive=True)
        for path in sorted(files):
            if path.endswith(SUFFIX) and (unusable or path + UNUSABLE not in files):
                answer = self._whole(path)
                if answer is not None:
                    yield answer

    def _write(self, path: str, content: bytes) -> None:
        with self._files.open_output_stream(path, compression=COMPRESSION) as stream:
            stream.write(content)

    def _whole(self, path: str) -> RawAnswer | None:
        """A kept answer; None, and a warning, where its file is damaged: another one can be asked for."""
        try:
            return self._read(path)
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("the kept answer %s is damaged and left out: %s", path, error)
            return None

    def _read(self, path: str) -> RawAnswer:
        with self._files.open_input_stream(path, compression=COMPRESSION) as stream:
            head, _, body = stream.read().partition(b"\n")
        record = json.loads(head)
        if hashlib.sha256(body).hexdigest() != record["sha256"]:
            raise ValueError("the body is not the one that was kept")
        return RawAnswer(
            path,
            RawRequest(record["provider"], record["url"], record["parameters"], record["symbol"]),
            datetime.fromisoformat(record["received_at"]),
            None if record["valid_until"] is None else datetime.fromisoformat(record["valid_until"]),
            body,
        )

    def _list(self, folder: str, recursive: bool) -> set[str]:
        selector = arrow_fs.FileSelector(folder, allow_not_found=True, recursive=recursive)
        return {
            info.path for info in self._files.get_file_info(selector) if info.type == arrow_fs.FileType.File
        }


def raw_answers(lake: HasLocation, *, only: bool = False) -> RawAnswers:
    """Store of the raw answers of a lake; ``only``: they stand for all new ones."""
    return RawAnswers(lake.uri, lake.storage_options, only=only)


def local_raw_answers(folder: Path) -> RawAnswers:
    """Store in a local folder, which is made when it does not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    return RawAnswers(str(folder))


def _folder(request: RawRequest) -> str:
    digest = request.digest
    return f"{FOLDER}/{request.provider}/{digest[:2]}/{digest}"


def _head(answer: RawAnswer) -> dict[str, Any]:
    return {
        "provider": answer.request.provider,
        "url": answer.request.url,
        "parameters": dict(answer.request.parameters),
        "symbol": answer.request.symbol,
        "received_at": answer.received_at.isoformat(),
        "valid_until": None if answer.valid_until is None else answer.valid_until.isoformat(),
        "size": len(answer.body),
        "sha256": hashlib.sha256(answer.body).hexdigest(),
    }
