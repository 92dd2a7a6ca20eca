"""Requests and answers without a connection: what both clients share."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx

from .errors import RollcallError, error_from, unreachable
from .policy import NotAnswered, Timeouts

T = TypeVar("T")

NDJSON = "application/x-ndjson"
#: Longest error answer that is read. Bytes.
ERROR_BYTES_MAX = 64 << 10


def settings(base_url: str, key: str | None, connections: int, timeouts: Timeouts) -> dict[str, Any]:
    """Arguments of an httpx client."""
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    return {
        "base_url": base_url.rstrip("/"),
        "headers": headers,
        "limits": httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        "timeout": httpx.Timeout(timeouts.answer, connect=timeouts.connect, pool=None),
        "trust_env": False,
    }


def named(call: Mapping[str, Any]) -> dict[str, Any]:
    """The call with an id, the caller's or a fresh one."""
    return {**call, "id": call.get("id") or str(uuid.uuid4())}


def without_none(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def session_path(session_id: str) -> str:
    return f"/v1/sessions/{quote(session_id, safe='')}"


def failure_of(error: httpx.HTTPError) -> Exception:
    """What a request that failed means to the caller."""
    text = f"the service did not answer: {error or type(error).__name__}"
    # A service that took the request and is only slow is working on it: no second try.
    if isinstance(error, (httpx.ReadTimeout, httpx.WriteTimeout)):
        return unreachable(text)
    return NotAnswered(text)


def settled(error: Exception) -> Exception:
    return unreachable(str(error)) if isinstance(error, NotAnswered) else error


def document(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise unreachable("the answer is not JSON") from error


class LineReader(Generic[T]):
    """Items of a stream. Yields each item of a batch once, or raises.

    Lines end with a line feed and nothing else: text of a program may hold what ``str.splitlines`` takes for an end.
    """

    def __init__(self, count: int, key: str, read: Callable[[int, Any], T]) -> None:
        self._open = set(range(count))
        self._count = count
        self._key = key
        self._read = read
        self._rest: list[bytes] = []
        self._done = False

    def feed(self, chunk: bytes) -> Iterator[T]:
        """The items that this part of the stream completes. Those before a line that raises are yielded first."""
        first, *others = chunk.split(b"\n")
        self._rest.append(first)
        for part in others:
            line = b"".join(self._rest)
            self._rest = [part]
            if line:
                yield from self._item(document(line))

    def _item(self, line: Any) -> Sequence[T]:
        if "error" in line:
            raise error_from(line, None) or unreachable("the stream broke with an error that is not known here")
        if line.get("done") is True:
            self._done = True
            return ()
        index = line.get("index")
        if index not in self._open:
            raise unreachable(f"the stream has an item for no open place: {index}")
        self._open.discard(index)
        return (self._read(index, line[self._key]),)

    def end(self) -> None:
        """Raises RollcallError when something is missing."""
        if not self._done or self._open:
            raise unreachable(f"the stream was cut with {len(self._open)} of {self._count} items missing")


def broken_off(error: httpx.HTTPError) -> RollcallError:
    return unreachable(f"the answer broke off: {error or type(error).__name__}")
